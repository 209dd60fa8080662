"""The delivery contract, with a real broker and a real cluster: docs/delivery.md names these tests."""
import random
import time

import pytest

from support.agent import configuration
from support.audit import log_of, wait_for_ledger
from support.pace import paced

SEGMENTS = 'segment_bytes = "1MiB"'


def kills_and_an_outage(agent, kafka, seed):
    """Ten kill -9 of the agent at random moments of 40 s, for 30 of which Kafka is away."""
    generator = random.Random(seed)
    events = [(generator.uniform(0, 40), lambda: (agent.kill(), agent.start(wait_for=None))) for _ in range(10)]
    events += [(5, kafka.stop), (35, kafka.start)]
    start = time.monotonic()
    for at, act in sorted(events, key=lambda event: event[0]):
        time.sleep(max(0.0, start + at - time.monotonic()))
        act()


# QoS 2 at a rate that the agent keeps up with: mosquitto 2.0.11 answers a backlog of QoS 2 with all of it at once.
# The second time with as many as come while the agent is killed: those after it show nothing new, and take long.
@pytest.mark.parametrize("qos,version,messages,rate", [(1, "5", 100_000, 2500), (2, "5", 100_000, 700),
                                                       (2, "3.1.1", 35_000, 700)])
def test_nothing_acknowledged_is_lost_when_the_agent_is_killed_and_kafka_is_away(
        qos, version, messages, rate, mosquitto, kafka, topic, new_agent, new_fleet, ends):
    """Messages of 20 devices, ten times kill -9, 30 s without Kafka. QoS 2: each is in the log once.

    Fewer messages where a sync takes more than a millisecond (support/pace.py)."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic, stream=SEGMENTS,
                                    source=f'qos = {qos}\nversion = "{version}"'))
    agent.start("connected")
    fleet = new_fleet(mosquitto.port, **paced(messages=messages, rate=rate), qos=qos)
    kills_and_an_outage(agent, kafka, seed)
    ledger = fleet.ledger()

    arrived = wait_for_ledger(kafka.brokers, topic, ledger, timeout=60)
    print(f"in Kafka: {arrived.records} records, {arrived.duplicates} duplicates")
    if arrived.missing(ledger):
        agent.describe()
    arrived.check(ledger, "Kafka")
    agent.stop()
    kept = log_of(agent)
    print(f"in the log: {kept.records} records, {kept.duplicates} duplicates")
    kept.check(ledger, "the log")
    if qos == 2:
        assert kept.duplicates == 0
    dump = kafka.dump_log(agent.segments())
    assert len(agent.segments()) > 3
    assert_dump_is_clean(dump)


def assert_dump_is_clean(dump):
    for line in dump.splitlines():
        assert "isvalid: false" not in line, line
        assert not any(word in line for word in ("Exception", "Error", "ERROR", "Found")), line
    assert "isvalid: true" in dump
