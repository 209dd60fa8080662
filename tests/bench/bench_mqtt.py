"""The agent's MQTT listener beside mosquitto: the same load generator, the same run, taking turns; medians of the rounds.

mosquitto keeps nothing (persistence off); the agent syncs each message to disk before it acknowledges it. Where the
agent's log holds less than was acknowledged, or anything failed, the bench ends at once.
"""
import contextlib
import json
import math
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

from support.agent import Agent, listener_configuration, sluice
from support.mosquitto import Mosquitto, is_listening
from support.processes import end_with_parent, free_port, wait_until

MQTT_LOAD = str(pathlib.Path(__file__).resolve().parents[2] / "build/release/tests/mqtt_load")
ROUNDS = 3
CONNECTIONS = 50
PAYLOAD_BYTES = 200
IDLE_CONNECTIONS = 10_000
IDLE_BYTES_MAX = 6 * 1024
CANARY_P99_US_MAX = 10_000
SYNC_PROBES = 2000
# With a rate: readings that a device sends at once, and as many unacknowledged as it takes not to wait for the server.
PACED = ("--burst", 5, "--inflight", 200)


def cores():
    """Of the server and of the generator. Both servers get the same: two cores, as a small gateway has.

    With a third the generator has it for itself. With two all share them, instead of one each: the agent's threads (net
    and log) would share one while mosquitto's single thread has all it can use, so that neither is measured as it runs.
    """
    usable = sorted(os.sched_getaffinity(0))
    return (usable[:2], usable[2:3]) if len(usable) > 2 else (usable, usable)


SERVER_CORES, GENERATOR_CORES = cores()


@contextlib.contextmanager
def pinned(core_set):
    """What is started inside inherits the cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, core_set)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_open_files(count):
    """For the processes that are started from here on: a server needs one a connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))


class MosquittoServer:
    name = "mosquitto"

    def __init__(self, directory):
        self.broker = Mosquitto(directory, persistent=False)
        self.port = self.broker.port

    def start(self):
        self.broker.start()

    @property
    def pid(self):
        return self.broker.process.pid

    def finish(self, _acknowledged):
        """It keeps nothing that could be checked."""

    def end(self):
        self.broker.stop()


class SluiceServer:
    name = "sluice"

    def __init__(self, directory):
        self.port = free_port()
        self.agent = Agent(directory, listener_configuration(self.port))

    def start(self):
        try:
            self.agent.start("ready:")
            wait_until(lambda: is_listening(self.port), 10, "nobody listens on the port")
        except AssertionError as error:
            raise SystemExit(f"bench mqtt: the agent did not start its listener ({error})\n"
                             "--only mosquitto measures mosquitto alone") from None

    @property
    def pid(self):
        return self.agent.process.pid

    def finish(self, acknowledged):
        """What was acknowledged is in the log, and the log is sound."""
        self.agent.stop()
        listed = sluice("log", "ls", "--json", "--data-dir", self.agent.data)
        streams = {line["stream"]: line for line in map(json.loads, listed.stdout.splitlines())}
        telemetry = streams.get("telemetry", {"log_start_offset": 0, "log_end_offset": 0})
        records = telemetry["log_end_offset"] - telemetry["log_start_offset"]
        if records < acknowledged:
            raise SystemExit(f"bench mqtt: {acknowledged} messages were acknowledged and the log has {records} records")
        verified = sluice("log", "verify", "--data-dir", self.agent.data, timeout=300)
        if verified.returncode != 0:
            raise SystemExit(f"bench mqtt: the log is damaged:\n{verified.stdout}{verified.stderr}")

    def end(self):
        self.agent.end()


SERVERS = {"mosquitto": MosquittoServer, "sluice": SluiceServer}


@contextlib.contextmanager
def running(kind, scratch):
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=scratch))
    server = SERVERS[kind](directory)
    try:
        with pinned(SERVER_CORES):
            server.start()
        yield server
    finally:
        server.end()
        shutil.rmtree(directory, ignore_errors=True)  # a round's log is large


class Generator:
    """mqtt_load, which ends with the bench."""

    def __init__(self, server, *arguments):
        self.what = f"{arguments[0]} against {server.name}"
        command = [MQTT_LOAD, arguments[0], "--port", server.port, *arguments[1:]]
        with pinned(GENERATOR_CORES):
            self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True,
                                            preexec_fn=end_with_parent)

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"bench mqtt: the load generator failed: {self.what}")
        return json.loads(line)

    def result(self):
        result = self.line()
        self.process.wait()
        if result["errors"] or result.get("connections_lost"):
            reason = result.get("first_error") or result.get("first_loss")
            raise SystemExit(f"bench mqtt: errors, {self.what}: {reason}: {json.dumps(result)}")
        return result


def cpu_seconds(pid):
    """User and system time of a process, all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def publish(kind, scratch, seconds, qos, rate=None):
    paced = ("--rate", rate, *PACED) if rate else ()
    with running(kind, scratch) as server:
        before = cpu_seconds(server.pid)
        result = Generator(server, "publish", "--connections", CONNECTIONS, "--qos", qos, "--payload-bytes",
                           PAYLOAD_BYTES, "--seconds", seconds, *paced).result()
        cpu = cpu_seconds(server.pid) - before
        server.finish(result["acknowledged_total"])
    return {"rate": result["rate"], "p50": result["latency_us"]["p50"], "p99": result["latency_us"]["p99"],
            "cpu": cpu / result["acknowledged_total"] * 1e6}


def idle(kind, scratch, seconds):
    with running(kind, scratch) as server:
        # So that what the server makes once for its first messages is not counted as the connections'.
        warm_up = Generator(server, "publish", "--connections", 1, "--rate", 100, "--seconds", 1).result()
        before = rss_bytes(server.pid)
        generator = Generator(server, "idle", "--connections", IDLE_CONNECTIONS, "--seconds", seconds)
        generator.line()
        time.sleep(seconds / 2)
        grown = rss_bytes(server.pid) - before
        result = generator.result()
        server.finish(warm_up["acknowledged_total"] + result["acknowledged_total"])
    return {"bytes": grown / IDLE_CONNECTIONS, "canary": result["latency_us"]["p99"]}


def in_turns(kinds, measure):
    """Medians by server and figure, of rounds in which each has its turn."""
    rounds = {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind in kinds:
            rounds[kind].append(measure(kind))
    return {kind: {name: statistics.median(one[name] for one in runs) for name in runs[0]}
            for kind, runs in rounds.items()}


class Comparison:
    """Says a figure of the agent's beside mosquitto's, or mosquitto's alone where the agent has no turn."""

    def __init__(self, figures):
        self.figures = figures

    def say(self, figure, medians, name, unit, goal=None, holds=None, digits=0):
        """`holds` decides from the agent's value and the ratio to mosquitto's."""
        values = {kind: round(figure_of[name], digits or None) for kind, figure_of in medians.items()}
        if "sluice" not in values:
            self.figures.say(f"mosquitto: {figure}", values["mosquitto"], unit)
            return
        mine, other = values["sluice"], values["mosquitto"]
        ratio = mine / other if other else math.inf
        decided = holds(mine, ratio) if holds else None
        self.figures.say(figure, mine, unit, other, ratio, goal, decided)


def rates(comparison, kinds, scratch, seconds):
    medians = in_turns(kinds, lambda kind: publish(kind, scratch, seconds, qos=1))
    figure = f"QoS 1, {CONNECTIONS} connections, {PAYLOAD_BYTES} bytes"
    comparison.say(figure, medians, "rate", "msg/s", "ratio >= 1", lambda _, ratio: ratio >= 1)
    comparison.say("  latency p50 at that rate", medians, "p50", "us")
    comparison.say("  latency p99 at that rate", medians, "p99", "us", "ratio <= 1", lambda _, ratio: ratio <= 1)
    comparison.say("  CPU for a million messages", medians, "cpu", "s", "ratio < 1", lambda _, ratio: ratio < 1, 2)
    return {kind: of["rate"] for kind, of in medians.items()}


def latency_at_half(figures, comparison, kinds, scratch, seconds, rate_of, sync_p99_us):
    """Both at half of mosquitto's rate, the disk measured in each round; and each at half its own."""
    syncs = []

    def measure(kind):
        syncs.append(sync_p99_us())
        return publish(kind, scratch, seconds, qos=1, rate=rate_of["mosquitto"] / 2)

    medians = in_turns(kinds, measure)
    sync_p99 = statistics.median(syncs)
    bound = 2 * sync_p99 + 2000
    figures.say("fdatasync of the disk, p99", round(sync_p99), "us")
    comparison.say("QoS 1 at half of mosquitto's rate, rate", medians, "rate", "msg/s")
    comparison.say("  latency p50", medians, "p50", "us")
    comparison.say("  latency p99", medians, "p99", "us", f"< 2 x fdatasync p99 + 2 ms = {bound:.0f} us",
                   lambda p99, _: p99 < bound)
    medians = in_turns(kinds, lambda kind: publish(kind, scratch, seconds, qos=1, rate=rate_of[kind] / 2))
    comparison.say("QoS 1 at half its own rate, rate", medians, "rate", "msg/s")
    comparison.say("  latency p99", medians, "p99", "us")


def qos2(comparison, kinds, scratch, seconds):
    medians = in_turns(kinds, lambda kind: publish(kind, scratch, seconds, qos=2))
    figure = f"QoS 2, {CONNECTIONS} connections, {PAYLOAD_BYTES} bytes"
    comparison.say(figure, medians, "rate", "msg/s", "ratio >= 1", lambda _, ratio: ratio >= 1)
    comparison.say("  latency p99 at that rate", medians, "p99", "us")
    comparison.say("  CPU for a million messages", medians, "cpu", "s", digits=2)


def idle_connections(comparison, kinds, scratch, seconds):
    medians = in_turns(kinds, lambda kind: idle(kind, scratch, seconds))
    comparison.say(f"{IDLE_CONNECTIONS:,} idle connections, memory of one", medians, "bytes", "bytes",
                   f"< {IDLE_BYTES_MAX}", lambda memory, _: memory < IDLE_BYTES_MAX)
    comparison.say("  latency p99 of one that publishes beside them", medians, "canary", "us",
                   f"< {CANARY_P99_US_MAX}", lambda p99, _: p99 < CANARY_P99_US_MAX)


def run(figures, tool, seconds, only):
    """`tool` runs bench_tool and returns the words that it printed."""
    kinds = [only] if only else list(SERVERS)
    allow_open_files(IDLE_CONNECTIONS + 1000)
    scratch = tempfile.mkdtemp(prefix="sluice-bench-", dir=os.environ.get("SLUICE_BENCH_DIR"))
    try:
        if "sluice" in kinds:
            with running("sluice", scratch):
                pass  # says at once, and not after minutes, that there is no listener
        comparison = Comparison(figures)
        rate_of = rates(comparison, kinds, scratch, seconds)
        latency_at_half(figures, comparison, kinds, scratch, seconds, rate_of,
                        lambda: float(tool("sync", scratch, SYNC_PROBES)[1]))
        qos2(comparison, kinds, scratch, seconds)
        idle_connections(comparison, kinds, scratch, seconds)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
