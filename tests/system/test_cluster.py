"""The Kafka side: clusters that are away, refuse a user, a topic or a record, and are mended while the agent runs."""
import time

import pytest

from support.agent import configuration
from support.audit import read_topic, wait_for_ledger
from support.kafka import Kafka
from support.processes import free_port, wait_until

SASL = """
[kafka.properties]
"security.protocol" = "SASL_PLAINTEXT"
"sasl.mechanism" = "PLAIN"
"""


def complaints(agent):
    """What it has logged that is not good news."""
    return [line for line in agent.output().splitlines() if line.split()[1] in ("warning", "error")]


def is_held_then_goes_on(agent, kafka, topic, fleet, says, mend):
    """The trouble is said, and not again with each retry, until it is mended; then all arrives."""
    ledger = fleet.ledger()
    agent.wait_for_output(says, 40)
    time.sleep(2)  # what belongs to it is said too
    said = len(complaints(agent))
    time.sleep(4)  # it is tried again each second, and said again after a minute
    assert 1 <= said and len(complaints(agent)) <= said + 1, agent.output()
    assert agent.process.is_running()
    mend()
    arrived = wait_for_ledger(kafka.brokers, topic, ledger, timeout=60)
    arrived.check(ledger, "Kafka")


def test_a_cluster_that_is_not_there_yet_is_waited_for(new_agent, mosquitto, topic, tmp_path, ends, new_fleet):
    late = Kafka(tmp_path / "kafka")
    ends(late.stop)
    agent = new_agent(configuration(mosquitto.port, late.brokers, topic)).start("connected")
    is_held_then_goes_on(agent, late, topic, new_fleet(mosquitto.port, messages=1000), "warning kafka", late.start)


@pytest.mark.parametrize("brokers,properties,says", [
    ("127.0.0.1:{free}", "", "Connection refused"),
    ("no.such.host.invalid:9092", "", "Failed to resolve 'no.such.host.invalid:9092'"),
    ("127.0.0.1:{mosquitto}", '[kafka.properties]\n"security.protocol" = "SSL"', "(ssl://"),  # it hangs up, or says no TLS
])
def test_why_no_broker_can_be_reached_is_said(brokers, properties, says, new_agent, mosquitto, topic):
    brokers = brokers.format(free=free_port(), mosquitto=mosquitto.port)
    agent = new_agent(configuration(mosquitto.port, brokers, topic, more=properties)).start("can be reached")
    assert any(f"no broker of {brokers}" in line and says in line for line in complaints(agent)), agent.output()


def test_a_wrong_password_is_said_and_the_stream_goes_on_when_the_cluster_has_it(
        new_agent, mosquitto, kafka, topic, new_fleet):
    user = f"user-{topic}"
    kafka.set_password(user, "old")
    kafka.allow(user, "Write", "Describe", "Create")
    agent = new_agent(configuration(mosquitto.port, kafka.sasl_brokers, topic,
                                    kafka=f'username = "{user}"\npassword = "new"', more=SASL)).start("connected")
    is_held_then_goes_on(agent, kafka, topic, new_fleet(mosquitto.port, messages=1000), "uthentication",
                         lambda: kafka.set_password(user, "new"))


def test_a_user_without_rights_is_said_and_the_stream_goes_on_when_it_has_them(
        new_agent, mosquitto, kafka, topic, new_fleet):
    user = f"user-{topic}"
    kafka.set_password(user, "right")
    kafka.create_topic(topic, 4)
    agent = new_agent(configuration(mosquitto.port, kafka.sasl_brokers, topic,
                                    kafka=f'username = "{user}"\npassword = "right"', more=SASL)).start("connected")
    is_held_then_goes_on(agent, kafka, topic, new_fleet(mosquitto.port, messages=1000), "not allowed",
                         lambda: kafka.allow(user, "Write", "Describe", "Create"))


def test_an_unknown_topic_is_said_and_the_stream_goes_on_when_it_is_there(
        new_agent, mosquitto, kafka, topic, new_fleet):
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic, kafka='topics = "check"')).start("connected")
    is_held_then_goes_on(agent, kafka, topic, new_fleet(mosquitto.port, messages=1000), topic,
                         lambda: kafka.create_topic(topic, 4))


def test_a_missing_topic_is_said_at_the_start_where_the_agent_makes_none(new_agent, mosquitto, kafka, topic):
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic, kafka='topics = "check"')).start()
    agent.wait_for_output(f"topic {topic} does not exist in the cluster (create it", 20)


def test_too_few_replicas_hold_the_stream_until_there_are_enough(
        new_agent, mosquitto, topic, tmp_path, ends, new_fleet):
    kafka = Kafka(tmp_path / "kafka-1").start()
    ends(kafka.stop)
    second = Kafka(tmp_path / "kafka-2", first=kafka).start()
    ends(second.stop)
    wait_until(lambda: len(kafka.admin().list_topics(timeout=5).brokers) == 2, 20, "both brokers")
    kafka.create_topic(topic, 1, {"min.insync.replicas": "2"}, replicas=2)
    second.stop()
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic)).start("connected")
    is_held_then_goes_on(agent, kafka, topic, new_fleet(mosquitto.port, messages=1000),
                         "1 of the 2 in-sync replicas that it needs", second.start)


def test_a_record_that_is_too_large_for_the_topic_is_put_aside_and_the_others_arrive(
        new_agent, mosquitto, kafka, topic):
    kafka.create_topic(topic, 1, {"max.message.bytes": "20000"})
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic, stream='compression = "none"',
                                    kafka='compression = "none"')).start("connected")
    from test_broker import publish_one, value_of, wait_for_records
    payloads = [b"1", b"2" * 15_000, b"3" * 60_000, b"4", b"5" * 60_000, b"6"]
    for payload in payloads:
        publish_one(mosquitto.port, payload=payload)
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 4, 60, agent.output)
    assert [record.value() for record in read_topic(kafka.brokers, topic)] == [p for p in payloads if len(p) < 20_000]
    dead = wait_for_records(agent, "sluice.dead-letter", 2)
    assert [value_of(record) for record in dead] == [p for p in payloads if len(p) > 20_000]


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_the_agent_idles_while_the_cluster_is_away_and_sends_all_when_it_is_back(
        how, agent, mosquitto, kafka, topic, new_fleet):
    agent.start("connected")
    ledger = new_fleet(mosquitto.port, messages=500).ledger()
    wait_for_ledger(kafka.brokers, topic, ledger, timeout=30).check(ledger, "Kafka")
    if how == "killed":
        kafka.process.kill()
    else:
        kafka.pause()
    new_fleet(mosquitto.port, messages=2000, devices=5, rate=1000).ledger()
    wait_until(lambda: len(agent.records("telemetry")) >= 2500, 120, "the log has all messages")
    # librdkafka busy-waits for an answer until we take back what is queued behind it.
    time.sleep(2 if how == "killed" else 25)
    before = cpu_seconds(agent.process.pid)
    time.sleep(5)
    used = cpu_seconds(agent.process.pid) - before
    if how == "killed":
        kafka.start()
    else:
        kafka.resume()
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) >= 2500, 60, agent.output)
    assert used < 0.25, f"{used} s of CPU in 5 s without a cluster"


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    import os
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_device_whose_clock_is_ahead_slows_nobody_down(new_agent, mosquitto, kafka, topic):
    """Kafka refuses a batch with a time more than an hour ahead: the agent takes the time of arrival instead."""
    from test_broker import publish_one
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic, route='timestamp = "/ts"')).start("connected")
    now = int(time.time() * 1000)
    for i in range(40):
        ahead = 2 * 3600 * 1000 if i % 4 == 0 else 0
        publish_one(mosquitto.port, payload=f'{{"ts": {now + ahead}, "i": {i}}}')
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 40, 20, agent.output)
    faulty = [record for record in read_topic(kafka.brokers, topic)
              if "sluice.timestamp-error" in dict(record.headers())]
    assert len(faulty) == 10
    assert all(abs(record.timestamp()[1] - now) < 60_000 for record in faulty)


def test_records_that_kafka_refuses_for_their_time_are_found_quickly_and_their_dead_letters_arrive(
        new_agent, mosquitto, kafka, topic):
    from test_broker import publish_one
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic,
                                    route='timestamp = "/ts"\ntimestamp_ahead_max = "unlimited"')).start("connected")
    kafka.create_topic(topic, 1)
    publish_one(mosquitto.port, payload="{}")
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 1, 30, agent.output)
    kafka.pause()
    now = int(time.time() * 1000)
    for i in range(60):
        ahead = 2 * 3600 * 1000 if i % 20 == 0 else 0
        publish_one(mosquitto.port, payload=f'{{"ts": {now + ahead}, "topic": "{topic}"}}')
    kafka.resume()
    start = time.monotonic()
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 58, 60, agent.output)
    assert time.monotonic() - start < 15, "finding three records took too long"
    wait_until(lambda: sum(topic.encode() in record.value() for record in
                           read_topic(kafka.brokers, "sluice.dead-letter")) == 3, 30, agent.output)
    assert agent.count("a new producer is made") == 0


def test_a_stop_while_the_agent_asks_a_hanging_cluster_keeps_to_shutdown_timeout(
        new_agent, mosquitto, kafka, topic):
    from test_broker import publish_one
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic,
                                    agent='shutdown_timeout = "1s"')).start("connected")
    publish_one(mosquitto.port)
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 1, 30, agent.output)
    kafka.pause()
    publish_one(mosquitto.port)
    time.sleep(16.5)  # 15 s without an answer, and it asks why
    start = time.monotonic()
    agent.stop()
    assert time.monotonic() - start < 2.5
