#!/usr/bin/env python3
"""Compares what a consumer with read_committed finds in Kafka with what the devices know and what the agent's log has had.

    checker.py --brokers B --evidence FILE [--patience S]

It knows nothing of the agent but the evidence: {"delivery": …, "devices": {name: {"qos", "acknowledged"}}, "topics": {topic:
{"log": [[offset, device, sequence], …], "kept": [offset, …], "whole": bool}}}. `log` is what the log of the topic's stream has
had, `kept` the offsets that it had at the end. It reads until nothing is missing, or nothing new came for `patience`.
Prints what it found as JSON and exits with status 1 where a promise was broken.
"""
import argparse
import collections
import json
import pathlib
import sys
import time
import uuid

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.devices import payload  # noqa: E402

EXAMPLES = 10


class Reader:
    """Both topics, to their ends, again and again."""

    def __init__(self, brokers, topics):
        self.topics = topics
        self.next = {}
        self.consumer = Consumer({"bootstrap.servers": brokers, "group.id": str(uuid.uuid4()), "log_level": 0,
                                  "isolation.level": "read_committed", "enable.auto.commit": False,
                                  "enable.partition.eof": True, "auto.offset.reset": "error"})

    def partitions(self):
        try:
            known = self.consumer.list_topics(timeout=10).topics
        except KafkaException:
            return []
        return [(topic, number) for topic in self.topics if topic in known for number in known[topic].partitions]

    def read(self, timeout=30):
        """New records up to the ends as they are now."""
        wanted = set(self.partitions())
        self.consumer.assign([TopicPartition(*where, self.next.get(where, 0)) for where in wanted])
        deadline = time.monotonic() + timeout
        while wanted and time.monotonic() < deadline:
            for record in self.consumer.consume(5000, 0.2):
                where = (record.topic(), record.partition())
                if record.error() is None:
                    self.next[where] = record.offset() + 1
                    yield record
                elif record.error().code() == KafkaError._PARTITION_EOF:
                    wanted.discard(where)


class Findings:
    def __init__(self, evidence):
        self.evidence = evidence
        self.arrived = collections.defaultdict(lambda: collections.defaultdict(list))  # topic: device: sequences
        self.last = {}
        self.records = 0
        self.never_sent = []
        self.wanted = {(device, number) for device, known in evidence["devices"].items()
                       for number in range(known["acknowledged"])}

    def add(self, record):
        value = record.value().decode()
        message = json.loads(value)
        device, number = message["device"], message["seq"]
        if value != payload(device, number) or record.key() != device.encode():
            self.never_sent.append(value[:200])
        self.arrived[record.topic()][device].append(number)
        self.wanted.discard((device, number))
        self.records += 1

    def lost(self):
        return sorted(self.wanted)

    def duplicates(self):
        return sum(len(numbers) - len(set(numbers)) for devices in self.arrived.values() for numbers in devices.values())

    def out_of_order(self):
        """Devices whose messages, without what came again, are not in the order that they were sent in."""
        found = []
        for devices in self.arrived.values():
            for device, numbers in devices.items():
                first = list(dict.fromkeys(numbers))
                late = next((b for a, b in zip(first, first[1:]) if b < a), None)
                if late is not None:
                    found.append((device, late))
        return found

    def against_the_log(self):
        """Records that are in Kafka more often than in the log, and those that the log has and Kafka hasn't."""
        more, fewer = [], []
        for topic, log in self.evidence["topics"].items():
            there = collections.Counter((device, number) for device, numbers in self.arrived[topic].items()
                                        for number in numbers)
            had = collections.Counter((device, number) for _, device, number in log["log"])
            kept_offsets = set(log["kept"])
            kept = collections.Counter((d, n) for offset, d, n in log["log"] if offset in kept_offsets)
            for what, times in there.items():
                most = 1 if self.evidence["devices"][what[0]]["qos"] == 2 else had[what]
                if times > most and (log["whole"] or self.evidence["devices"][what[0]]["qos"] == 2):
                    more.append((*what, times, most))
            fewer += [(*what, there[what], times) for what, times in kept.items() if there[what] < times]
        return sorted(more), sorted(fewer)

    def twice_in_the_log(self):
        """Messages of QoS 2 that the log has more than once: each offset is another record."""
        found = []
        for log in self.evidence["topics"].values():
            times = collections.Counter((device, number) for _, device, number in log["log"])
            found += [what for what, count in times.items()
                      if count > 1 and self.evidence["devices"][what[0]]["qos"] == 2]
        return sorted(found)

    def verdict(self):
        more, fewer = self.against_the_log()
        broken = {"lost": self.lost(), "not as it was sent": self.never_sent, "out of order": self.out_of_order(),
                  "QoS 2 more than once in the log": self.twice_in_the_log(), "in the log, and not in Kafka": fewer}
        if self.evidence["delivery"] == "exactly-once":
            broken["more often in Kafka than accepted"] = more
        return {"records": self.records, "duplicates": self.duplicates(), "beyond the log": len(more),
                "broken": {promise: {"count": len(found), "first": found[:EXAMPLES]}
                           for promise, found in broken.items() if found}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--evidence", type=pathlib.Path, required=True)
    parser.add_argument("--patience", type=float, default=60)
    arguments = parser.parse_args()
    findings = Findings(json.loads(arguments.evidence.read_text()))
    reader = Reader(arguments.brokers, list(findings.evidence["topics"]))
    deadline = time.monotonic() + arguments.patience
    while True:
        for record in reader.read():
            findings.add(record)
            deadline = time.monotonic() + arguments.patience
        complete = not findings.wanted and not findings.against_the_log()[1]
        if complete or time.monotonic() > deadline:
            break
        time.sleep(0.3)
    result = findings.verdict()
    print(json.dumps(result))
    sys.exit(1 if result["broken"] else 0)


if __name__ == "__main__":
    main()
