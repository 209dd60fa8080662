"""Exactly-once delivery to a real Kafka: each record once, for a reader of committed records, whatever is killed."""
import random
import shutil
import time

import pytest

from support.agent import configuration
from support.audit import read_topic, wait_for_ledger
from support.kafka import Kafka
from support.processes import wait_until

EXACTLY_ONCE = 'delivery = "exactly-once"\ntransaction_interval = "200ms"\n'
SASL = """
[kafka.properties]
"security.protocol" = "SASL_PLAINTEXT"
"sasl.mechanism" = "PLAIN"
"""


class ForgetfulKafka(Kafka):
    """It forgets idle producers, transactional ids and consumer offsets within seconds, where Kafka waits for days."""

    def _properties(self):
        return super()._properties() | {
            "producer.id.expiration.ms": "2000", "producer.id.expiration.check.interval.ms": "500",
            "transactional.id.expiration.ms": "3000",
            "transaction.remove.expired.transaction.cleanup.interval.ms": "1000",
            "offsets.retention.minutes": "1", "offsets.retention.check.interval.ms": "1000",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"}


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory):
    broker = ForgetfulKafka(tmp_path_factory.mktemp("forgetful")).start()
    yield broker
    broker.stop()


@pytest.fixture
def make(new_agent, mosquitto, kafka, topic):
    """An agent with QoS 2 in and exactly-once out: each message of a device is to be in Kafka once."""
    def agent(name="agent", broker=kafka, kafka_lines="", more="", stream=""):
        positions = f'position_topic = "positions-{topic}"\n'
        return new_agent(configuration(mosquitto.port, broker.brokers, topic, stream=stream, more=more,
                                       source=f'qos = 2\nclient_id = "{name}-{topic}"',
                                       kafka=EXACTLY_ONCE + positions + kafka_lines), name)
    return agent


def arrives_once(kafka, topic, ledger, timeout=60):
    arrived = wait_for_ledger(kafka.brokers, topic, ledger, timeout)
    arrived.check(ledger, "Kafka")
    assert arrived.duplicates == 0, f"{arrived.duplicates} of {arrived.records} records are duplicates"
    return arrived


def is_forwarded(kafka, topic, count):
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) >= count, 60, f"{count} records in {topic}")


def test_each_record_is_in_kafka_once_whatever_is_killed(make, mosquitto, kafka, topic, new_fleet):
    """Eight kill -9 of the agent and one of Kafka at random moments, and Kafka away for a while."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    generator = random.Random(seed)
    agent = make().start("connected")
    fleet = new_fleet(mosquitto.port, messages=12_000, rate=600, qos=2)
    events = [(generator.uniform(0, 20), lambda: (agent.kill(), agent.start(wait_for=None))) for _ in range(8)]
    events += [(4, kafka.process.kill), (7, kafka.start), (11, kafka.stop), (15, kafka.start)]
    start = time.monotonic()
    for at, act in sorted(events, key=lambda event: event[0]):
        time.sleep(max(0.0, start + at - time.monotonic()))
        act()
    arrives_once(kafka, topic, fleet.ledger(), timeout=90)


def test_without_its_catalog_the_agent_goes_on_from_the_position_in_kafka(make, mosquitto, kafka, topic, new_fleet):
    agent = make().start("connected")
    ledger = new_fleet(mosquitto.port, messages=500, rate=500, qos=2).ledger()
    arrives_once(kafka, topic, ledger)
    agent.kill()
    for file in agent.data.glob("catalog.db*"):
        file.unlink()
    agent.start("connected")
    more = new_fleet(mosquitto.port, devices=1, messages=10, qos=2).ledger()  # device-00 begins with 0 again
    is_forwarded(kafka, topic, 510)
    time.sleep(1)
    assert len(read_topic(kafka.brokers, topic)) == sum(ledger.values()) + sum(more.values())


def test_a_wiped_data_directory_is_another_log(make, mosquitto, kafka, topic, new_fleet):
    agent = make().start("connected")
    ledger = new_fleet(mosquitto.port, messages=100, rate=500, qos=2).ledger()
    arrives_once(kafka, topic, ledger)
    agent.stop()
    shutil.rmtree(agent.data)
    agent.start("connected")
    new_fleet(mosquitto.port, devices=1, messages=10, qos=2).ledger()
    is_forwarded(kafka, topic, 110)  # offsets 0 to 9 of the new log, far below the position of the old one


def test_the_brokers_timers_make_no_duplicates(make, mosquitto, forgetful, topic, new_fleet):
    """An outage after which Kafka knows neither the producer nor its transactional id any more."""
    agent = make(broker=forgetful).start("connected")
    arrives_once(forgetful, topic, new_fleet(mosquitto.port, messages=200, rate=500, qos=2).ledger())
    fleet = new_fleet(mosquitto.port, messages=3_000, rate=400, qos=2, devices=10)
    time.sleep(1)
    agent.kill()
    time.sleep(6)
    agent.start("connected")
    fleet.ledger()
    is_forwarded(forgetful, topic, 3_200)
    time.sleep(1)
    assert len(read_topic(forgetful.brokers, topic)) == 3_200


def test_a_transaction_that_the_coordinator_gave_up_is_sent_again(make, mosquitto, forgetful, topic, new_fleet):
    """An agent that slept through its transaction was fenced by nobody else: it goes on."""
    agent = make(broker=forgetful, more='[kafka.properties]\n"transaction.timeout.ms" = 2000\n').start("connected")
    fleet = new_fleet(mosquitto.port, messages=4_000, rate=500, qos=2)
    for _ in range(2):
        time.sleep(1)
        agent.process.signal(19)  # SIGSTOP
        time.sleep(5)
        agent.process.signal(18)
    arrives_once(forgetful, topic, fleet.ledger())
    assert agent.process.is_running()


def test_of_two_agents_with_one_id_the_first_gives_way(make, mosquitto, kafka, topic, new_fleet):
    first = make("first").start("connected")
    new_fleet(mosquitto.port, messages=100, rate=500, qos=2).ledger()
    is_forwarded(kafka, topic, 100)
    second = make("second").start("connected")
    fleet = new_fleet(mosquitto.port, devices=3, messages=2_000, rate=200, qos=2)
    wait_until(lambda: not first.process.is_running(), 60, first.output)
    assert "another agent with the id gateway has taken over" in first.output()
    assert first.process.popen.returncode == 77
    assert second.process.is_running()
    fleet.ledger()


def test_a_position_topic_that_would_expire_is_refused_until_it_is_mended(make, mosquitto, kafka, topic, new_fleet):
    kafka.create_topic(f"positions-{topic}", config={"cleanup.policy": "delete"})
    agent = make().start("connected")
    agent.wait_for_output("has cleanup.policy=delete, and positions must not expire", 30)
    ledger = new_fleet(mosquitto.port, messages=100, rate=500, qos=2).ledger()
    assert not read_topic(kafka.brokers, topic)
    kafka.alter_topic(f"positions-{topic}", {"cleanup.policy": "compact"})
    arrives_once(kafka, topic, ledger)


def test_an_agent_without_the_right_to_transactions_says_so_and_goes_on_when_it_has_it(
        new_agent, mosquitto, kafka, topic, new_fleet):
    user = f"user-{topic}"
    kafka.set_password(user, "right")
    kafka.allow(user, "Write", "Describe", "Create", "Read")
    agent = new_agent(configuration(
        mosquitto.port, kafka.sasl_brokers, topic, source="qos = 2", more=SASL,
        kafka=EXACTLY_ONCE + f'position_topic = "positions-{topic}"\nusername = "{user}"\npassword = "right"'))
    agent.start("connected")
    agent.wait_for_output("not allowed to use transactions", 40)
    ledger = new_fleet(mosquitto.port, messages=100, rate=500, qos=2).ledger()
    kafka.tool("org.apache.kafka.tools.AclCommand", "--bootstrap-server", kafka.brokers, "--add", "--allow-principal",
               f"User:{user}", "--operation", "Write", "--operation", "Describe", "--transactional-id", "sluice-gateway")
    arrives_once(kafka, topic, ledger)


def test_a_record_that_kafka_refuses_is_set_aside_once(make, mosquitto, kafka, topic, new_fleet):
    kafka.create_topic(topic, 2, {"max.message.bytes": "2000"})
    agent = make(kafka_lines='compression = "none"\n', more=f'[stream."sluice.dead-letter"]\nkafka_topic = "dead-{topic}"\n').start("connected")
    new_fleet(mosquitto.port, messages=300, rate=300, qos=2).ledger()
    new_fleet(mosquitto.port, devices=1, messages=1, qos=2, size=5000).ledger()
    is_forwarded(kafka, topic, 300)
    wait_until(lambda: len(agent.records("sluice.dead-letter")) == 1, 30, agent.output)
    time.sleep(1)
    assert len(read_topic(kafka.brokers, topic)) == 300
    assert len(read_topic(kafka.brokers, f"dead-{topic}")) == 1
