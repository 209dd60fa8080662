"""At-least-once with origin_headers: what had arrived before a kill is found in the topic, and not sent again."""
import random
import time

import pytest

from support.agent import configuration
from support.audit import TopicTail, read_topic, wait_for_ledger
from support.processes import wait_until

SASL = """
[kafka.properties]
"security.protocol" = "SASL_PLAINTEXT"
"sasl.mechanism" = "PLAIN"
"""
ORIGIN = 'origin_headers = true\ncursor_interval = "1s"\n'


@pytest.fixture
def make(new_agent, mosquitto, kafka, topic):
    def agent(kafka_lines=ORIGIN, **more):
        return new_agent(configuration(mosquitto.port, kafka.brokers, topic, source="qos = 2", kafka=kafka_lines, **more))
    return agent


def origins(kafka, topic):
    return [dict(record.headers())["sluice.origin"].decode() for record in read_topic(kafka.brokers, topic)]


@pytest.mark.parametrize("proof", ["true", "false"])
def test_no_kill_makes_a_duplicate(proof, make, mosquitto, kafka, topic, new_fleet):
    """Ten kill -9 while records flow: without the headers each sends up to a second of them again."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    generator = random.Random(seed)
    kafka.create_topic(topic, partitions=6)
    agent = make(ORIGIN + f"proof = {proof}\n").start("connected")
    fleet = new_fleet(mosquitto.port, devices=20, messages=6_000, rate=500, qos=2)
    found = 0
    for _ in range(10):
        time.sleep(generator.uniform(0.3, 1.5))
        agent.kill()
        found += agent.output().count("records in doubt had arrived already")
        agent.start(wait_for=None)
    ledger = fleet.ledger()
    arrived = wait_for_ledger(kafka.brokers, topic, ledger, 60)
    found += agent.output().count("records in doubt had arrived already")
    time.sleep(2)
    arrived.check(ledger, "Kafka")
    assert arrived.duplicates == 0
    assert found > 0  # else it shows nothing
    names = origins(kafka, topic)
    assert len(set(names)) == len(names) == 6_000
    log_id = agent_log_id(agent)
    assert set(names) == {f"telemetry/{log_id}/{offset}" for offset in range(6_000)}


def agent_log_id(agent):
    return (agent.data / "log/telemetry-0/log-id").read_text().splitlines()[0]


def test_without_the_headers_a_kill_makes_duplicates(make, mosquitto, kafka, topic, new_fleet):
    """So that the test above shows something."""
    kafka.create_topic(topic, partitions=6)
    agent = make('cursor_interval = "1h"\n').start("connected")
    ledger = new_fleet(mosquitto.port, devices=20, messages=500, qos=2).ledger()
    wait_for_ledger(kafka.brokers, topic, ledger, 30)
    agent.kill()
    agent.start("connected")
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 1_000, 30, "each record twice")


def test_records_of_others_and_of_another_log_are_no_reason_to_skip(make, mosquitto, kafka, topic, new_fleet):
    """The topic has records that claim the same offsets, of another log, and one with our origin and other bytes."""
    from confluent_kafka import Producer
    kafka.create_topic(topic, partitions=1)
    agent = make(ORIGIN.replace("1s", "1h")).start("connected")
    first = new_fleet(mosquitto.port, devices=1, messages=100, qos=2).ledger()
    wait_for_ledger(kafka.brokers, topic, first, 30)
    agent.stop()  # the cursor is at 100
    log_id = agent_log_id(agent)
    producer = Producer({"bootstrap.servers": kafka.brokers})
    for offset in range(100, 200):
        producer.produce(topic, b"not ours", headers={"sluice.origin": f"telemetry/{log_id}/{offset}"})
        producer.produce(topic, b"not ours", headers={"sluice.origin": f"telemetry/{log_id[:-1]}0/{offset}"})
    producer.flush(30)
    agent.start("connected")
    new_fleet(mosquitto.port, devices=1, messages=100, qos=2).ledger()
    tail = TopicTail(kafka.brokers, topic)
    seen = []

    def ours():
        seen.extend(record for record in tail.read() if record.value() != b"not ours")
        return len(seen) == 200
    wait_until(ours, 30, lambda: f"{len(seen)} of 200")
    tail.close()


def test_a_cluster_that_is_away_at_the_start_is_waited_for(make, mosquitto, kafka, topic, new_fleet):
    kafka.create_topic(topic, partitions=3)
    agent = make(ORIGIN.replace("1s", "1h")).start("connected")
    ledger = new_fleet(mosquitto.port, devices=5, messages=500, qos=2).ledger()
    wait_for_ledger(kafka.brokers, topic, ledger, 30)
    agent.kill()
    kafka.stop()
    agent.start("no broker of")
    kafka.start()
    agent.wait_for_output("500 records in doubt had arrived already", 60)
    time.sleep(1)
    assert len(read_topic(kafka.brokers, topic)) == 500


def test_without_the_right_to_read_it_goes_on_and_says_what_that_means(make, mosquitto, kafka, topic, new_fleet):
    kafka.set_password("writer", "secret")
    kafka.allow("writer", "Write", "Describe")
    kafka.create_topic(topic, partitions=2)
    agent = make(ORIGIN.replace("1s", "1h") + 'username = "writer"\npassword = "secret"\n', more=SASL)
    agent.config.write_text(agent.config.read_text().replace(kafka.brokers, kafka.sasl_brokers))
    agent.start("connected")
    new_fleet(mosquitto.port, devices=5, messages=100, qos=2).ledger()
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 100, 60, "100 records")
    agent.kill()
    agent.start("was not found out in time")
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 200, 60, "each record twice")
