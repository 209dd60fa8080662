"""The local log and a real Kafka read each other's files."""
import json
import shutil
import time

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

from support.agent import configuration, sluice
from support.processes import wait_until
from test_broker import publish_one, wait_for_records


def in_kafka(kafka, topic):
    """All records of partition 0: (offset, timestamp, key, value, headers). Aborted ones too, as they are in the file."""
    consumer = Consumer({"bootstrap.servers": kafka.brokers, "group.id": "x", "enable.partition.eof": True,
                         "isolation.level": "read_uncommitted", "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    records = []
    while True:
        message = consumer.poll(20)
        assert message is not None, "Kafka doesn't answer"
        if message.error() is not None:
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            consumer.close()
            return records
        records.append((message.offset(), message.timestamp()[1], message.key(), message.value(),
                        message.headers() or []))


def in_sluice(data, stream):
    result = sluice("log", "cat", stream, "--data-dir", data, "--json")
    assert result.returncode == 0, result.stderr

    def text(value):
        return None if value is None else value.encode()
    return [(line["offset"], line["timestamp"], text(line["key"]), text(line["value"]),
             [(header["key"], text(header["value"])) for header in line["headers"]])
            for line in map(json.loads, result.stdout.splitlines())]


def taken_from(kafka, topic, tmp_path):
    """The broker's files of partition 0 as a data directory."""
    data = tmp_path / "from-kafka"
    shutil.copytree(kafka.directory / "data" / f"{topic}-0", data / "log" / f"{topic}-0")
    return data


def produce(kafka, topic, records, **options):
    producer = Producer({"bootstrap.servers": kafka.brokers, "linger.ms": 20, **options})
    for key, value, headers in records:
        producer.produce(topic, key=key, value=value, headers=headers, partition=0)
        producer.poll(0)
    assert producer.flush(30) == 0


def samples(count):
    # No null header: this client miscounts the references of None.
    return [(None if i % 10 == 0 else f"key-{i % 7}", None if i % 11 == 0 and i % 10 else f"value {i} " * (i % 30),
             [("a", "b"), ("empty", "")][: i % 3]) for i in range(count)]


@pytest.mark.parametrize("who", ["librdkafka", "the broker"])
@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_we_read_what_a_broker_wrote_in_every_codec(codec, who, kafka, topic, tmp_path):
    by_broker = who == "the broker"
    kafka.create_topic(topic, config={"compression.type": codec.replace("none", "uncompressed")} if by_broker else {})
    produce(kafka, topic, samples(500), **{"compression.type": "none" if by_broker else codec})
    expected = in_kafka(kafka, topic)
    assert len(expected) == 500
    assert in_sluice(taken_from(kafka, topic, tmp_path), topic) == expected


def test_we_read_transactions_and_skip_their_markers(kafka, topic, tmp_path):
    kafka.create_topic(topic)
    producer = Producer({"bootstrap.servers": kafka.brokers, "transactional.id": topic})
    producer.init_transactions(30)
    for number, end in enumerate([producer.commit_transaction, producer.abort_transaction,
                                  producer.commit_transaction]):
        producer.begin_transaction()
        for i in range(10):
            producer.produce(topic, key=f"k{i}", value=f"{number}", partition=0)
        producer.flush(30)
        end(30)
    expected = in_kafka(kafka, topic)
    assert [record[0] for record in expected] == [*range(10), *range(11, 21), *range(22, 32)]
    assert in_sluice(taken_from(kafka, topic, tmp_path), topic) == expected


def test_we_read_what_a_broker_has_compacted(kafka, topic, tmp_path):
    kafka.create_topic(topic, config={"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01",
                                      "segment.ms": "200", "delete.retention.ms": "100000"})

    def keyed(count):
        return [(f"key-{i % 20}", None if i % 20 == 3 else f"value {i}", []) for i in range(count)]
    for _ in range(3):
        produce(kafka, topic, keyed(200))
        time.sleep(0.4)
    produce(kafka, topic, keyed(5))
    wait_until(lambda: len(in_kafka(kafka, topic)) < 300, 60, "a compaction by the broker")
    time.sleep(1)
    expected = in_kafka(kafka, topic)
    assert in_sluice(taken_from(kafka, topic, tmp_path), topic) == expected


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_a_broker_serves_a_segment_of_ours(compression, kafka, topic, mosquitto, new_agent):
    agent = new_agent(configuration(
        mosquitto.port, None, "-",
        stream=f'compression = "{compression}"\ncleanup = "compact"\nsegment_bytes = "4KiB"')).start("connected")
    for number in range(60):
        publish_one(mosquitto.port, device=f"device-{number % 3}", payload=f'{{"n":{number}}}' + " " * 300)
    wait_for_records(agent, "telemetry", 60)
    agent.stop()
    result = sluice("log", "clean", "-c", agent.config)
    assert result.returncode == 0, result.stderr
    expected = in_sluice(agent.data, "telemetry")
    if compression == "none":  # what fits in one segment is not closed, and so not compacted
        assert len(expected) < 60, "nothing was compacted"

    kafka.create_topic(topic)
    kafka.stop()
    folder = kafka.directory / "data" / f"{topic}-0"
    for path in [*folder.glob("0000*"), kafka.directory / "data" / ".kafka_cleanshutdown"]:
        path.unlink(missing_ok=True)
    for segment in (agent.data / "log" / "telemetry-0").glob("*.log"):
        shutil.copy(segment, folder)
    kafka.start()
    assert in_kafka(kafka, topic) == expected
    produce(kafka, topic, [("device-9", "after", [])])
    assert in_kafka(kafka, topic)[-1][3] == b"after"


def test_kafka_reads_our_segments_and_indexes(kafka, mosquitto, new_agent):
    agent = new_agent(configuration(mosquitto.port, None, "-", stream='segment_bytes = "8KiB"\ncompression = "none"')).start("connected")
    for number in range(60):
        publish_one(mosquitto.port, device=f"device-{number % 3}", payload=f'{{"n":{number}}}' + "x" * 700)
    wait_for_records(agent, "telemetry", 60)
    agent.stop()
    folder = agent.data / "log" / "telemetry-0"
    files = sorted([*folder.glob("*.index"), *folder.glob("*.timeindex")])
    assert len(files) > 4
    for path in files:
        said = kafka.tool("kafka.tools.DumpLogSegments", "--index-sanity-check", "--files", path)
        said += kafka.tool("kafka.tools.DumpLogSegments", "--verify-index-only", "--files", path)
        assert "passed sanity check" in said, said
        assert "Found" not in said and "Exception" not in said, said
