"""Compares what arrived with a ledger of what was acknowledged to the devices."""
import json
import time
import uuid

from confluent_kafka import Consumer, KafkaError, TopicPartition

from support.devices import payload


class Arrived:
    """The messages of each device, in the order of their arrival, duplicates included."""

    def __init__(self):
        self.by_device = {}
        self.records = 0

    def add(self, value, size=0):
        message = json.loads(value)
        device, sequence = message["device"], message["seq"]
        assert value == payload(device, sequence, size), f"arrived, but was not sent: {value[:200]}"
        self.by_device.setdefault(device, []).append(sequence)
        self.records += 1

    @property
    def duplicates(self):
        return sum(len(seen) - len(set(seen)) for seen in self.by_device.values())

    def missing(self, ledger):
        """How many acknowledged messages did not arrive."""
        return sum(len(set(range(count)) - set(self.by_device.get(device, []))) for device, count in ledger.items())

    def check(self, ledger, where):
        missing = {device: sorted(set(range(count)) - set(self.by_device.get(device, [])))
                   for device, count in ledger.items()}
        lost = {device: numbers[:10] for device, numbers in missing.items() if numbers}
        assert not lost, f"acknowledged, but missing in {where} (the first of each device): {lost}"
        for device, seen in self.by_device.items():
            first_arrivals = list(dict.fromkeys(seen))
            assert first_arrivals == sorted(first_arrivals), f"out of order in {where}: {device}"


class TopicTail:
    """Reads a topic from its beginning, as often as it is asked."""

    def __init__(self, brokers, topic):
        self.consumer = Consumer({"bootstrap.servers": brokers, "group.id": str(uuid.uuid4()), "log_level": 0,
                                  "enable.auto.commit": False, "enable.partition.eof": True,
                                  "auto.offset.reset": "earliest", "fetch.wait.max.ms": 50})
        self.topic = topic
        self.assigned = 0
        self.next = {}  # by partition: the offset to go on from

    def _assign(self):
        metadata = self.consumer.list_topics(self.topic, timeout=10).topics[self.topic]
        if metadata.error is None and metadata.partitions and not self.assigned:
            self.assigned = len(metadata.partitions)
            self.consumer.assign([TopicPartition(self.topic, p, 0) for p in metadata.partitions])
        return self.assigned

    def read(self, timeout=30):
        """The records up to the end of every partition as it is now, in partition order only."""
        if not self._assign():
            return []
        self.consumer.assign([TopicPartition(self.topic, p, self.next.get(p, 0)) for p in range(self.assigned)])
        records, ended = [], set()
        deadline = time.monotonic() + timeout
        while len(ended) < self.assigned:
            assert time.monotonic() < deadline, f"no end of {self.topic} within {timeout} s"
            for record in self.consumer.consume(1000, 0.05):  # waits for all of them, or that long
                if record.error() is None:
                    records.append(record)
                    self.next[record.partition()] = record.offset() + 1
                elif record.error().code() == KafkaError._PARTITION_EOF:
                    ended.add(record.partition())
        return records

    def close(self):
        self.consumer.close()


def read_topic(brokers, topic):
    tail = TopicTail(brokers, topic)
    try:
        return tail.read()
    finally:
        tail.close()


def wait_for_ledger(brokers, topic, ledger, timeout, size=0):
    """Reads the topic until all that was acknowledged has arrived, or nothing came for `timeout`; returns what came."""
    arrived = Arrived()
    tail = TopicTail(brokers, topic)
    deadline = time.monotonic() + timeout
    try:
        while True:
            for record in tail.read():
                arrived.add(record.value().decode(), size)
                deadline = time.monotonic() + timeout
            if arrived.missing(ledger) == 0 or time.monotonic() > deadline:
                return arrived
            time.sleep(0.2)
    finally:
        tail.close()


def log_of(agent, stream="telemetry", size=0):
    """What the agent's own log has."""
    arrived = Arrived()
    for record in agent.records(stream):
        arrived.add(record["value"], size)
    return arrived
