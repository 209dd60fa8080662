#!/usr/bin/env python3
"""./dev bench NAME [--json]: measures the agent on this machine, each figure beside a baseline of the same run.

  first-light   MQTT to Kafka through Paho: rate, acknowledgements, memory, drain
  forward       from the log into Kafka, exactly-once and at-least-once, beside bare producers: drain, CPU, memory, delays
  log           the local log: appends, reads, opening 10 GiB after a kill, compaction, memory, bytes to the flash
  sync          ways to make an append durable: fdatasync, RWF_DSYNC, io_uring
  mqtt          the MQTT listener beside mosquitto: rate, acknowledgements, CPU, memory of idle connections
                --seconds N of each measurement [10]; --only mosquitto measures mosquitto alone
  uplink        bytes on the wire and CPU for each record, by codec, level and records a batch
  models        rules: time a record, memory and snapshot of 10,000 devices, alone and with JSON as in the agent
  query         SQL and curves over the local log: rates on one core, the first row of an hour of a week (10 GB), a curve

--json prints one object a line: bench, figure, value, unit, baseline, ratio, goal, holds. Exits 1 where a goal, which
is always about a ratio or a bound and never about this machine's speed, does not hold.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import bench_forward  # noqa: E402
import bench_mqtt  # noqa: E402
import bench_uplink  # noqa: E402
from support.agent import Agent, configuration  # noqa: E402
from support.audit import wait_for_ledger  # noqa: E402
from support.devices import Fleet  # noqa: E402
from support.kafka import Kafka  # noqa: E402
from support.mosquitto import Mosquitto  # noqa: E402
from support.own_disk import own_disk  # noqa: E402
from support.puback_probe import PubackProbe  # noqa: E402

TOOL = str(pathlib.Path(__file__).resolve().parents[2] / "build/release/tests/bench_tool")
SLUICE = str(pathlib.Path(TOOL).parents[1] / "sluice")
DRAIN_RECORDS = 1_000_000
PARTITIONS = 4


class Figures:
    def __init__(self, bench, as_json):
        self.bench, self.as_json = bench, as_json
        self.all_hold = True

    def say(self, figure, value, unit, baseline=None, ratio=None, goal=None, holds=None):
        """`goal` is text; `holds` None where there is none."""
        self.all_hold &= holds is not False
        if self.as_json:
            print(json.dumps({"bench": self.bench, "figure": figure, "value": value, "unit": unit, "baseline": baseline,
                              "ratio": ratio, "goal": goal, "holds": holds}), flush=True)
            return
        line = f"{figure:<58} {value:>10g} {unit}"
        if baseline is not None:
            line += f"   baseline {baseline:g}"
        if ratio is not None:
            line += f"   ratio {ratio:.3f}"
        if goal is not None:
            line += f"   goal {goal}: {'holds' if holds else 'DOES NOT HOLD'}"
        print(line, flush=True)


def tool(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], check=True, capture_output=True, text=True).stdout.split()


def peak_rss_mib(agent):
    with open(f"/proc/{agent.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def percentile(values, share):
    return sorted(values)[int(len(values) * share)]


def acknowledgements(scratch, figures):
    """Through Paho, to a probe that sends as a broker does; the disk's own sync is the baseline."""
    sync_p50, sync_p99 = map(float, tool("sync", scratch, 5000))
    for name, window, count in (("one at a time", 1, 5000), ("window of 100", 100, 20_000)):
        probe = PubackProbe()
        agent = Agent(scratch / f"ack-{window}", configuration(probe.port, None, "-", source='version = "3.1.1"'))
        agent.start()
        probe.wait_for_client()
        probe.measure("plant/device-00/telemetry", b"x" * 200, 500, window)
        seconds, latencies = probe.measure("plant/device-00/telemetry", b"x" * 200, count, window)
        figures.say(f"acknowledgements through Paho, fsync, {name}", round(count / seconds), "1/s", round(1e6 / sync_p50),
                    count / seconds * sync_p50 / 1e6)
        p99 = percentile(latencies, 0.99) * 1e6
        figures.say(f"  latency p50, {name}", round(percentile(latencies, 0.5) * 1e6), "us", sync_p50)
        figures.say(f"  latency p99, {name}", round(p99), "us", sync_p99, p99 / sync_p99)
        agent.end()
        probe.close()


def end_to_end(scratch, kafka, figures):
    """20 devices publish as fast as the broker takes it; the clock stops when Kafka has all of it."""
    messages = 40_000
    mosquitto = Mosquitto(scratch / "mosquitto").start()
    kafka.create_topic("end-to-end", PARTITIONS)
    agent = Agent(scratch / "end-to-end", configuration(mosquitto.port, kafka.brokers, "end-to-end"))
    agent.start("connected")
    start = time.monotonic()
    ledger = Fleet(mosquitto.port, messages=messages, rate=1_000_000).ledger()
    published = messages / (time.monotonic() - start)
    arrived = wait_for_ledger(kafka.brokers, "end-to-end", ledger, timeout=120)
    seconds = time.monotonic() - start
    arrived.check(ledger, "Kafka")
    figures.say("MQTT to Kafka, end to end, QoS 1", round(messages / seconds), "msg/s", round(published))
    figures.say("  peak RSS", round(peak_rss_mib(agent), 1), "MiB")
    agent.stop()
    mosquitto.stop()


def high_watermarks(consumer, topic):
    from confluent_kafka import TopicPartition
    return sum(consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in range(PARTITIONS))


def drain(scratch, kafka, figures, batch, rounds=3):
    """A log that is full already, against the same records through a bare producer; taken in turns."""
    from confluent_kafka import Consumer
    consumer = Consumer({"bootstrap.servers": kafka.brokers, "group.id": "bench", "log_level": 0})
    ratios, rates, bares, rss = [], [], [], []
    for number in range(rounds):
        topic = f"drain-{batch}-{number}"
        kafka.create_topic(topic, PARTITIONS)
        kafka.create_topic(f"bare-{batch}-{number}", PARTITIONS)
        agent = Agent(scratch / topic, configuration(1, kafka.brokers, topic))
        tool("fill", agent.data, DRAIN_RECORDS, batch)
        os.sync()
        bare = float(tool("produce", kafka.brokers, f"bare-{batch}-{number}", DRAIN_RECORDS)[0])
        agent.start("ready:")
        start = time.monotonic()
        while high_watermarks(consumer, topic) < DRAIN_RECORDS:
            time.sleep(0.02)
        seconds = time.monotonic() - start
        rss.append(peak_rss_mib(agent))
        agent.stop()
        rates.append(DRAIN_RECORDS / seconds)
        bares.append(DRAIN_RECORDS / bare)
        ratios.append(bare / seconds)
        shutil.rmtree(agent.directory)
    consumer.close()
    ratio = statistics.median(ratios)
    figures.say(f"drain of {DRAIN_RECORDS:,} records of 200 bytes, {batch} a batch", round(statistics.median(rates)),
                "records/s", round(statistics.median(bares)), round(ratio, 3), "ratio >= 0.9", ratio >= 0.9)
    bound = 12 + 36  # inflight_bytes, and what the program is without them
    figures.say("  peak RSS", round(max(rss), 1), "MiB", None, None, f"<= {bound} MiB", max(rss) <= bound)


def first_light(figures):
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-", dir=os.environ.get("SLUICE_BENCH_DIR")))
    kafka = Kafka(scratch / "kafka")
    try:
        acknowledgements(scratch, figures)
        kafka.start()
        end_to_end(scratch, kafka, figures)
        drain(scratch, kafka, figures, batch=100)
        drain(scratch, kafka, figures, batch=1)
    finally:
        kafka.stop()
        shutil.rmtree(scratch, ignore_errors=True)


def from_program(figures, program):
    """It prints a line a figure: figure, value, unit, baseline, ratio, goal, whether it holds."""
    scratch = tempfile.mkdtemp(prefix="sluice-bench-", dir=os.environ.get("SLUICE_BENCH_DIR"))
    number = lambda text: float(text) if text else None  # noqa: E731
    try:
        with subprocess.Popen([str(pathlib.Path(TOOL).with_name(program)), scratch], stdout=subprocess.PIPE,
                              text=True) as bench:
            for line in bench.stdout:
                name, value, unit, baseline, ratio, goal, holds = line.rstrip("\n").split("\t")
                figures.say(name, float(value), unit, number(baseline), number(ratio), goal or None,
                            {"yes": True, "no": False, "": None}[holds])
        if bench.returncode != 0:
            raise SystemExit(f"{program} failed")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def flash(figures, rounds=3):
    """What reaches the device for each byte of payload, zstd, at 1,000 messages/s and 100 ms. The kernel counts for a
    device as a whole, whoever writes: there is a goal only on a disk of our own, else this is an upper bound."""
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-", dir=os.environ.get("SLUICE_BENCH_DIR")))
    figure = "flash: bytes to the device per byte of payload"
    try:
        with own_disk(scratch) as (directory, own):
            least = None
            for _ in range(1 if own else rounds):  # others only add
                run = subprocess.run([SLUICE, "bench", "--flash", "--dir", directory, "--seconds", "2", "--json"],
                                     capture_output=True, text=True)
                if run.returncode != 0:
                    print(f"{figure}: not measured: {run.stderr.strip()}", file=sys.stderr)
                    return
                rows = map(json.loads, run.stdout.splitlines())
                row = next(row for row in rows if (row["messages_per_second"], row["commit_interval_ms"]) == (1000, 100))
                least = min(row["device_bytes_per_payload_byte"], least or row["device_bytes_per_payload_byte"])
            if own:
                figures.say(figure, round(least, 3), "B/B", goal="< 0.5", holds=least < 0.5)
            else:
                figures.say(f"{figure}, at most", round(least, 3), "B/B")
                print(f"{figure}: the disk is shared, so its goal is not checked (as root it is)", file=sys.stderr)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def log(figures):
    from_program(figures, "log_bench")
    flash(figures)


def models(figures):
    for program in ("models_bench", "rules_bench"):
        from_program(figures, program)


BENCHES = {"first-light": lambda figures, _: first_light(figures),
           "forward": lambda figures, _: bench_forward.run(figures, tool),
           "log": lambda figures, _: log(figures),
           "sync": lambda figures, _: from_program(figures, "sync_bench"),
           "uplink": lambda figures, _: bench_uplink.run(figures),
           "models": lambda figures, _: models(figures),
           "query": lambda figures, _: from_program(figures, "query_bench"),
           "mqtt": lambda figures, arguments: bench_mqtt.run(figures, tool, arguments.seconds, arguments.only)}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=BENCHES)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=10, help="mqtt: of each measurement [%(default)g]")
    parser.add_argument("--only", choices=["mosquitto"], help="mqtt: without the agent")
    arguments = parser.parse_args()
    if arguments.name is None:
        parser.print_help()
        return 0
    figures = Figures(arguments.name, arguments.json)
    BENCHES[arguments.name](figures, arguments)
    return 0 if figures.all_hold else 1


if __name__ == "__main__":
    sys.exit(main())
