"""Exactly-once over an outage that is longer than what Kafka remembers of a producer, with its timers set to seconds."""
import time

import pytest

from support.agent import Agent
from support.audit import TopicTail, log_of, wait_for_ledger
from support.kafka_cluster import Cluster
from support.processes import free_port, wait_until
from test_bad_days import CONFIGURATION

FORGETS_AFTER_MS = 3000
TIMERS = {
    "producer.id.expiration.ms": FORGETS_AFTER_MS,
    "producer.id.expiration.check.interval.ms": 500,
    "transactional.id.expiration.ms": FORGETS_AFTER_MS,
    "transaction.remove.expired.transaction.cleanup.interval.ms": 500,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
    "offsets.retention.minutes": 1,
    "offsets.retention.check.interval.ms": 500,
}
OUTAGE_S = 9


@pytest.fixture(scope="module", name="forgetful")
def fixture_forgetful(tmp_path_factory):
    kafka = Cluster(tmp_path_factory.mktemp("forgetful"), nodes=1, properties=TIMERS)
    try:
        yield kafka.start()
    finally:
        kafka.stop()


def count(kafka, topic):
    tail = TopicTail(kafka.brokers, topic)
    try:
        return len(tail.read())
    finally:
        tail.close()


# Where the answers are lost, Kafka may have committed what the agent doesn't know of; then it forgets who that was from.
@pytest.mark.parametrize("link,agent_is", [
    ({"up": False}, "killed"), ({"deaf": True}, "running"), ({"deaf": True}, "killed, without its catalog")])
def test_nothing_comes_twice_after_an_outage_longer_than_kafkas_timers(
        link, agent_is, forgetful, topic, tmp_path, ends, new_fleet):
    port = free_port()
    agent = Agent(tmp_path / "agent", CONFIGURATION.format(
        topic=topic, port=port, brokers=forgetful.uplink, kafka='transaction_interval = "200ms"',
        properties='"transaction.timeout.ms" = 5000'))
    ends(agent.end)
    ends(forgetful.proxy.heal)
    agent.start()
    fleet = new_fleet(port, messages=2000, rate=200, qos=2, devices=10)
    wait_until(lambda: count(forgetful, topic) > 200, 60, agent.output)
    forgetful.proxy.set(**link)
    time.sleep(1)
    if agent_is != "running":
        agent.kill()
        if agent_is != "killed":
            for file in agent.data.glob("catalog.db*"):
                file.unlink()
        agent.start()
    time.sleep(OUTAGE_S)
    forgetful.proxy.cut()
    forgetful.proxy.heal()
    ledger = fleet.ledger()
    arrived = wait_for_ledger(forgetful.brokers, topic, ledger, timeout=60)
    if arrived.missing(ledger) or arrived.duplicates:
        agent.describe()
    assert arrived.missing(ledger) == 0
    # What Paho sends after a kill may overtake what it sends again: the log's order is the one that counts.
    assert arrived.by_device == log_of(agent, topic).by_device
    assert arrived.duplicates == 0
