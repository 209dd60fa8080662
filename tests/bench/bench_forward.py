"""./dev bench forward: what is in the log goes to Kafka, beside bare librdkafka producers of the same settings.

Kafka runs on the same cores as what is measured, so only ratios of the same run mean something. Each pair is taken in
turns, and the median is said.
"""
import json
import os
import pathlib
import shutil
import statistics
import tempfile
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from support.agent import Agent, configuration, listener_configuration
from support.kafka import Kafka
from support.processes import free_port

RECORDS = 3_000_000
PARTITIONS = 4
TRANSACTION = 50_000  # records, where the size is given
EXACTLY_ONCE = 'delivery = "exactly-once"\n'
GIVEN_SIZE = EXACTLY_ONCE + f'transaction_records = {TRANSACTION}\ntransaction_interval = "20s"\n'
CPU_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(agent):
    fields = pathlib.Path(f"/proc/{agent.process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CPU_TICKS


def peak_rss_mib(agent):
    status = pathlib.Path(f"/proc/{agent.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


class Bench:
    def __init__(self, scratch, kafka, figures, tool):
        self.scratch, self.kafka, self.figures, self.tool = scratch, kafka, figures, tool
        self.number = 0

    def new_topic(self):
        self.number += 1
        self.kafka.create_topic(f"forward-{self.number}", PARTITIONS)
        return f"forward-{self.number}"

    def filled_agent(self, topic, records, kafka_lines):
        agent = Agent(self.scratch / topic, configuration(1, self.kafka.brokers, topic, kafka=kafka_lines))
        self.tool("fill", agent.data, records, 100)
        os.sync()
        return agent

    def drained(self, kafka_lines, records=RECORDS, more=0):
        """Records a second from the first in Kafka to the last of `records`, CPU seconds a record, peak RSS.

        `more` are in the log behind them: the last transaction, which is not full, waits for its interval.
        """
        topic = self.new_topic()
        agent = self.filled_agent(topic, records + more, kafka_lines)
        ends = Ends(self.kafka.brokers, topic)
        agent.start("ready:")
        while (first := ends.total()) == 0:
            time.sleep(0.002)
        start = time.monotonic()
        while (last := ends.total()) < records:
            time.sleep(0.01)
        rate = (last - first) / (time.monotonic() - start)
        used = cpu_seconds(agent) / last, peak_rss_mib(agent)
        agent.stop()
        ends.close()
        shutil.rmtree(agent.directory)
        return rate, *used

    def bare(self, *transaction):
        return map(float, self.tool("produce", self.kafka.brokers, self.new_topic(), RECORDS, *transaction))

    def drain(self, name, kafka_lines, transaction, goal, rounds=3, cpu_goal=None, more=0):
        ratios, rates, bares, cpus = [], [], [], []
        rss = 0.0
        for _ in range(rounds):
            bare, bare_cpu = self.bare(*transaction)
            rate, cpu, peak = self.drained(kafka_lines, more=more)
            rates.append(rate)
            bares.append(RECORDS / bare)
            ratios.append(rate / bares[-1])
            cpus.append(cpu / (bare_cpu / RECORDS))
            rss = max(rss, peak)
        ratio, cpu = statistics.median(ratios), statistics.median(cpus)
        self.figures.say(f"drain, {name}", round(statistics.median(rates)), "records/s", round(statistics.median(bares)),
                         round(ratio, 3), f"ratio >= {goal}", ratio >= goal)
        if cpu_goal:
            self.figures.say("  CPU, of the bare producer's", round(cpu, 3), "", goal=f"<= {cpu_goal}", holds=cpu <= cpu_goal)
        self.figures.say("  peak RSS", round(rss, 1), "MiB")

    def memory(self, small=1_000, large=5_000_000):
        peaks = [self.drained(EXACTLY_ONCE, records)[2] for records in (small, large)]
        self.figures.say(f"peak RSS with a backlog of {large:,}", round(peaks[1], 1), "MiB", round(peaks[0], 1),
                         goal="<= 48 MiB", holds=peaks[1] <= 48)

    def comes_back(self, rounds=3):
        """From when Kafka answers again to a record in it that a reader of committed records sees."""
        delays = []
        for _ in range(rounds):
            topic = self.new_topic()
            agent = self.filled_agent(topic, 1_000, EXACTLY_ONCE)
            self.kafka.stop()
            agent.start("can be reached")
            time.sleep(10)
            self.kafka.start()
            start = time.monotonic()
            committed = Ends(self.kafka.brokers, topic)
            while not committed.any_yet():
                time.sleep(0.01)
            delays.append(time.monotonic() - start)
            committed.close()
            agent.stop()
        delay = statistics.median(delays)
        self.figures.say("first committed record after the cluster is back", round(delay, 2), "s", goal="< 2 s",
                         holds=delay < 2)

    def live(self, seconds=20, rate=100):
        """A device publishes the time; a reader of committed records compares it with its own."""
        import paho.mqtt.client as mqtt
        topic, port = self.new_topic(), free_port()
        config = listener_configuration(port) + f"""kafka_topic = "{topic}"
[kafka]
brokers = "{self.kafka.brokers}"
{EXACTLY_ONCE}transaction_interval = "100ms"
"""
        agent = Agent(self.scratch / topic, config).start("ready:")
        consumer = Consumer({"bootstrap.servers": self.kafka.brokers, "group.id": topic, "log_level": 0,
                             "fetch.wait.max.ms": 10, "isolation.level": "read_committed"})
        consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
        device = mqtt.Client(client_id="live")
        device.connect("127.0.0.1", port)
        device.loop_start()
        delays = []
        start = time.monotonic()
        sent = 0
        while time.monotonic() < start + seconds + 3:
            now = time.monotonic()
            if now < start + seconds and now >= start + sent / rate:
                device.publish("bench/live/telemetry", json.dumps({"at": now}), 1)
                sent += 1
            record = consumer.poll(0.002)
            if record is not None and record.error() is None:
                delays.append(time.monotonic() - json.loads(record.value())["at"])
        device.loop_stop()
        consumer.close()
        agent.stop()
        delays = sorted(delays[rate:])  # without the first second, in which connections are made
        p99 = delays[int(len(delays) * 0.99)] * 1000
        self.figures.say("published to committed, interval 100 ms, p50", round(delays[len(delays) // 2] * 1000), "ms")
        self.figures.say("published to committed, interval 100 ms, p99", round(p99), "ms", goal="< 250 ms", holds=p99 < 250)


class Ends:
    """How many records a topic's partitions hold, as a reader of committed records is told, markers included."""

    def __init__(self, brokers, topic):
        self.topic = topic
        self.consumer = Consumer({"bootstrap.servers": brokers, "group.id": "bench", "log_level": 0,
                                  "isolation.level": "read_committed"})

    def total(self):
        return sum(self.consumer.get_watermark_offsets(TopicPartition(self.topic, p), timeout=10)[1]
                   for p in range(PARTITIONS))

    def any_yet(self):
        """Of a broker that has just started, which may not lead its partitions yet."""
        try:
            return self.total() > 0
        except KafkaException:
            return False

    def close(self):
        self.consumer.close()


def run(figures, tool):
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-", dir=os.environ.get("SLUICE_BENCH_DIR")))
    kafka = Kafka(scratch / "kafka").start()
    bench = Bench(scratch, kafka, figures, tool)
    try:
        bench.drain("at-least-once, beside the bare idempotent producer", "", [], 0.9, cpu_goal=1.25)
        bench.drain(f"exactly-once, {TRANSACTION:,} a transaction, beside a bare transactional one", GIVEN_SIZE,
                    [TRANSACTION], 0.9, more=TRANSACTION)
        bench.drain("exactly-once, beside the bare idempotent producer", EXACTLY_ONCE, [], 0.8, more=RECORDS // 3)
        bench.memory()
        bench.live()
        bench.comes_back()
    finally:
        kafka.stop()
        shutil.rmtree(scratch, ignore_errors=True)
