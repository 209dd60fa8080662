"""./dev bench uplink: bytes on the wire and CPU for each record, by codec, level and records a batch.

The records are telemetry as gateways have it: JSON of several meters with names, units, times, and values that wander. The
bytes are librdkafka's tx_bytes to a real Kafka, as uplink.rate counts them; the baseline is no compression at the same size
of batch. The CPU time is that of the producing process beyond what the same without compression takes.
"""
import json
import pathlib
import random
import resource
import shutil
import tempfile

from confluent_kafka import Producer

from support.kafka import Kafka

CODECS = [("none", None), ("lz4", None), ("zstd", 1), ("zstd", 3), ("zstd", 6), ("zstd", 9), ("zstd", 12)]
BATCHES = [10, 100, 1000]
RECORDS = 20_000
DEFAULT = "zstd level 1"  # where there is an uplink.rate; the goal is what it is there for


def telemetry(count, seed=1):
    """Ten devices in turn; each value is a random walk with the digits that a sensor gives."""
    generator = random.Random(seed)
    devices = [{"temperature_c": 40.0 + n, "pressure_bar": 6.0, "vibration_rms_mm_s": 2.0, "current_a": 11.0,
                "speed_rpm": 1480.0, "flow_m3_h": 32.0} for n in range(10)]
    digits = {"temperature_c": 1, "pressure_bar": 2, "vibration_rms_mm_s": 3, "current_a": 2, "speed_rpm": 0, "flow_m3_h": 2}
    for number in range(count):
        values = devices[number % 10]
        for name, value in values.items():
            values[name] = value * (1 + generator.gauss(0, 0.004))
        device = f"pump-{number % 10:02d}"
        milliseconds = 1_764_000_000_000 + number * 100 + generator.randrange(40)
        body = {"ts": milliseconds, "device": device, "site": "plant-7", "state": "running", "seq": number // 10}
        body |= {name: round(value, digits[name]) for name, value in values.items()}
        yield device, json.dumps(body), milliseconds


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure(kafka, topic, records, batch, codec, level):
    """Wire bytes and CPU microseconds a record."""
    sent = {}
    properties = {"bootstrap.servers": kafka.brokers, "compression.codec": codec, "enable.idempotence": True,
                  "linger.ms": 60_000, "batch.num.messages": batch, "statistics.interval.ms": 50, "client.id": "sluice-bench",
                  "stats_cb": lambda text: sent.update(bytes=json.loads(text)["tx_bytes"])}
    if level is not None:
        properties["compression.level"] = level
    producer = Producer(properties)
    producer.list_topics(topic, timeout=10)
    begin = cpu_seconds()
    for number, (device, body, at) in enumerate(records, 1):
        headers = {"mqtt.topic": f"plant/{device}/telemetry", "mqtt.qos": "1", "mqtt.retain": "false"}
        producer.produce(topic, body, device, timestamp=at, headers=headers)
        if number % batch == 0:
            producer.flush()
    producer.flush()
    cpu = cpu_seconds() - begin
    sent.clear()
    while not sent:
        producer.poll(0.2)
    return sent["bytes"] / len(records), cpu / len(records) * 1e6


def run(figures):
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    kafka = Kafka(scratch / "kafka").start()
    try:
        records = list(telemetry(RECORDS))
        size = sum(len(body) for _, body, _ in records) / RECORDS
        figures.say("payload", round(size, 1), "B/record")
        kafka.create_topic("uplink", 1)
        for batch in BATCHES:
            least = {}
            for codec, level in CODECS:
                name = codec if level is None else f"{codec} level {level}"
                wire, cpu = measure(kafka, "uplink", records, batch, codec, level)
                least[name] = wire
                if codec == "none":
                    base_wire, base_cpu = wire, cpu
                figures.say(f"{name}, {batch} records a batch", round(wire, 1), "B/record", round(base_wire, 1),
                            wire / base_wire)
                figures.say(f"  CPU of it, beyond none, {name}", round(cpu - base_cpu, 2), "us/record")
            goal = least["lz4"]
            figures.say(f"{DEFAULT} beside lz4, {batch} records a batch", round(least[DEFAULT], 1), "B/record",
                        round(goal, 1), least[DEFAULT] / goal, goal="< 0.8", holds=least[DEFAULT] < 0.8 * goal)
    finally:
        kafka.stop()
        shutil.rmtree(scratch, ignore_errors=True)
