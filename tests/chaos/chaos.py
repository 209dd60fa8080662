#!/usr/bin/env python3
"""Devices → listener → agent → a link → three Kafka brokers, while all of it is killed, cut, filled and moved from a seed.

    chaos.py [--seed N] [--minutes M | --hours H] [--delivery at-least-once|exactly-once] [--only TRACK,…] [--out DIR]

The first line is the seed, with which the same faults come again; then a line a fault, the totals, and the verdict. What the
agent and the brokers said stays in DIR where the verdict is bad.
"""
import argparse
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from chaos.faults import TRACKS, Fault, Faults, plan  # noqa: E402
from chaos.fleet import Fleet  # noqa: E402
from chaos.gateway import STREAMS, Gateway  # noqa: E402
from support.kafka_cluster import Cluster  # noqa: E402

DEVICES, RATE = 20, 1000
LOOK_EVERY_S = 20
QUIET_S = 3       # after the last fault messages go on for so long
DRAIN_MAX_S = 240  # and then all that was accepted has so long to arrive


class Run:
    def __init__(self, arguments, directory):
        self.arguments, self.directory = arguments, directory
        # Coordinators give up on a transaction sooner than by default, so that frozen agents see that too.
        self.cluster = Cluster(directory / "kafka", seed=arguments.seed, properties={
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "2000"})
        self.gateway = Gateway(directory, self.cluster.uplink, arguments.delivery, arguments.clock, arguments.more)
        self.faults = Faults(self.gateway, self.cluster)
        self.fleet = None
        self.start = time.monotonic()
        self.complaints = []

    def say(self, text):
        print(f"{time.monotonic() - self.start:8.2f} {text}", flush=True)

    def execute(self):
        self.cluster.start()
        for stream in STREAMS:
            self.cluster.create_topic(stream)
        self.gateway.start()
        self.fleet = Fleet(self.gateway.port, DEVICES, RATE)
        self.start = time.monotonic()
        self.go_through(self.plan())
        self.settle()

    def plan(self):
        if self.arguments.plan:
            return [Fault(*fault) for fault in json.loads(self.arguments.plan.read_text())]
        return plan(self.arguments.seed, self.arguments.minutes * 60, self.arguments.only)

    def go_through(self, faults):
        """Begins and ends each at its time; those of one track follow one another whatever they take."""
        waiting = list(faults)
        under_way = []  # (end, fault, what ends it)
        looked = 0.0
        while waiting or under_way:
            now = time.monotonic() - self.start
            for ends in sorted((u for u in under_way if u[0] <= now), key=lambda u: u[0]):
                under_way.remove(ends)
                ends[2]()
            busy = {fault.track for _, fault, _ in under_way}
            due = next((f for f in waiting if f.at <= now and f.track not in busy), None)
            if due:
                waiting.remove(due)
                self.say(f"{due.track}: {due.name}" + (f" {due.value}" if due.value is not None else "") +
                         (f", {due.lasts} s" if due.lasts else ""))
                under_way.append((now + due.lasts, due, self.faults.begin(due)))
            elif "agent" not in busy:
                self.look_after_agent()
                if now > looked + LOOK_EVERY_S:
                    looked = now
                    self.gateway.look_at_log()
            if not due:
                time.sleep(0.02)

    def look_after_agent(self):
        status = self.gateway.look_after()
        if status is not None:
            self.say(f"the agent has ended by itself with status {status}")
            self.complaints.append(f"the agent ended by itself with status {status}")
            time.sleep(1)

    def settle(self):
        """All is well again: what is published and accepted now has to arrive."""
        self.say("no more faults")
        self.cluster.proxy.heal()
        self.cluster.wait_ready(180)
        until = time.monotonic() + QUIET_S
        while time.monotonic() < until:
            self.look_after_agent()
            time.sleep(0.1)
        if not self.fleet.finish(90):
            self.complaints.append("the agent doesn't acknowledge what was published")
        deadline = time.monotonic() + DRAIN_MAX_S
        behind = self.gateway.behind()
        while any(behind.values()) and time.monotonic() < deadline:
            self.look_after_agent()
            time.sleep(0.5)
            behind = self.gateway.behind()
        self.say(f"behind: {behind}")
        if any(behind.values()):
            self.complaints.append(f"not forwarded {DRAIN_MAX_S} s after the last fault: {behind}")

    def evidence(self):
        kept = self.gateway.look_at_log(again=True)
        return {"delivery": self.arguments.delivery, "devices": self.fleet.ledger, "topics": {
            stream: {"log": [[offset, *what] for offset, what in sorted(seen.items())], "kept": sorted(kept[stream]),
                     "whole": self.gateway.whole[stream]} for stream, seen in self.gateway.seen.items()}}

    def check(self):
        """What the checker found."""
        file = self.directory / "evidence.json"
        file.write_text(json.dumps(self.evidence()))
        checker = pathlib.Path(__file__).with_name("checker.py")
        result = subprocess.run([sys.executable, checker, "--brokers", self.cluster.brokers, "--evidence", file],
                                stdout=subprocess.PIPE, text=True, check=False)
        found = json.loads(result.stdout or '{"records": 0, "duplicates": 0, "broken": {"the checker failed": {"count": 1}}}')
        self.complaints += [f"{promise}: {what}" for promise, what in found["broken"].items()]
        return found

    def totals(self, found):
        link = self.cluster.proxy.counts()
        print(f"agent killed {self.gateway.kills} times, connections cut {link.get('cut', 0)}; "
              f"{self.fleet.acknowledged()} messages acknowledged, {sum(map(len, self.gateway.seen.values()))} records in the log, "
              f"{found['records']} in Kafka, {found['duplicates']} of them again")
        print(", ".join(f"{count} × {name}" for name, count in sorted(self.faults.counts.items())))

    def end(self):
        if self.fleet:
            self.fleet.stop()
        self.gateway.end()
        self.cluster.stop()


def chaos(arguments, directory):
    """True where every promise was kept."""
    run = Run(arguments, directory)
    try:
        if not run.gateway.disk.is_own:
            print("no right to mount a disk: it is neither filled nor loses its power")
        run.execute()
        run.totals(run.check())
    finally:
        run.end()
    for complaint in run.complaints:
        print(f"  {complaint}")
    print(f"verdict: {'bad' if run.complaints else 'good'} (seed {arguments.seed}, {arguments.delivery})", flush=True)
    return not run.complaints


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--hours", type=float)
    parser.add_argument("--delivery", choices=("at-least-once", "exactly-once"), default="at-least-once")
    parser.add_argument("--only", type=lambda text: text.split(","), help=f"tracks of faults: {', '.join(TRACKS)}")
    parser.add_argument("--plan", type=pathlib.Path, help="these faults instead: [[at, track, name, lasts, value], …]")
    parser.add_argument("--clock", type=pathlib.Path, help="the library that moves the agent's clock")
    parser.add_argument("--more", default="", help="more of the agent's configuration; the table is [kafka]")
    parser.add_argument("--out", type=pathlib.Path, help="where a bad run leaves its logs")
    arguments = parser.parse_args()
    if arguments.hours:
        arguments.minutes = arguments.hours * 60
    return arguments


def main():
    arguments = parse()
    print(f"seed {arguments.seed}", flush=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sluice-chaos-"))
    good = False
    try:
        good = chaos(arguments, directory)
    finally:
        if not good and arguments.out:
            shutil.copytree(directory, arguments.out, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("disk", "image", "*.index", "*.timeindex"))
        shutil.rmtree(directory, ignore_errors=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
