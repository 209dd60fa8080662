"""`sluice why`: for each record it tells the place at which a consumer finds it, or why there is none."""
import concurrent.futures
import datetime
import json
import random
import time

import pytest

from support.agent import configuration, sluice
from support.audit import read_topic, wait_for_ledger
from support.processes import wait_until

AT_LEAST_ONCE = 'delivery = "at-least-once"\ncursor_interval = "200ms"\n'
EXACTLY_ONCE = 'delivery = "exactly-once"\ntransaction_interval = "100ms"\ncursor_interval = "200ms"\n'


def ask(agent, *question, status=0):
    result = sluice("why", "--data-dir", agent.data, "--json", *question)
    assert status is None or result.returncode == status, result.stdout + result.stderr
    return json.loads(result.stdout)


def why(agent, offset, stream="telemetry", status=0):
    return ask(agent, "--stream", stream, "--offset", offset, status=status)


def why_all(agent, offsets):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(offsets, pool.map(lambda offset: why(agent, offset), offsets)))


def places(answer, topic):
    assert all(place["topic"] == topic for place in answer["places"])
    return {(place["partition"], place["offset"]) for place in answer["places"]}


def where_consumers_find(kafka, topic):
    """By value: the places, more than one for what arrived twice."""
    found = {}
    for record in read_topic(kafka.brokers, topic):
        found.setdefault(record.value().decode(), set()).add((record.partition(), record.offset()))
    return found


@pytest.fixture
def make(new_agent, mosquitto, kafka, topic):
    def agent(kafka_lines, stream="", more=""):
        positions = f'position_topic = "positions-{topic}"\n' if "exactly" in kafka_lines else ""
        return new_agent(configuration(mosquitto.port, kafka.brokers, topic, source="qos = 2", stream=stream, more=more,
                                       kafka=kafka_lines + positions))
    return agent


@pytest.mark.parametrize("delivery", [AT_LEAST_ONCE, EXACTLY_ONCE], ids=["at-least-once", "exactly-once"])
def test_each_record_is_where_why_says(delivery, make, mosquitto, kafka, topic, new_fleet):
    """Six partitions, five kill -9 of the agent and one of the broker."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    generator = random.Random(seed)
    kafka.create_topic(topic, partitions=6)
    agent = make(delivery).start("connected")
    fleet = new_fleet(mosquitto.port, devices=20, messages=1_500, rate=200, qos=2)
    for number in range(5):
        time.sleep(generator.uniform(0.5, 1.5))
        agent.kill()
        if number == 2:
            kafka.kill()
            kafka.start()
        agent.start(wait_for=None)
    ledger = fleet.ledger()
    wait_for_ledger(kafka.brokers, topic, ledger, 60).check(ledger, "Kafka")
    time.sleep(1)  # the last cursor
    records = agent.records("telemetry")
    found = where_consumers_find(kafka, topic)
    answers = why_all(agent, [record["offset"] for record in records])
    unknown = 0
    for record in records:
        answer = answers[record["offset"]]
        assert answer["agent_running"] and answer["key"] == record["key"]
        if answer["fate"] == "forwarded":
            unknown += 1
            continue
        assert answer["fate"] == "delivered", answer
        said, is_at = places(answer, topic), found[record["value"]]
        # What was acknowledged to an agent that had just died is there once more.
        assert said <= is_at and (delivery == AT_LEAST_ONCE or said == is_at), (answer, is_at)
    assert unknown == 0
    assert {place[0] for value in found.values() for place in value} == set(range(6))
    agent.stop()
    assert not why(agent, 0)["agent_running"] and why(agent, 0)["places"] == answers[0]["places"]


def test_a_kill_before_the_cursor_is_stored_takes_no_proof(make, mosquitto, kafka, topic, new_fleet):
    kafka.create_topic(topic, partitions=2)
    agent = make(EXACTLY_ONCE.replace('cursor_interval = "200ms"', 'cursor_interval = "60s"')).start("connected")
    new_fleet(mosquitto.port, devices=4, messages=40, qos=2).ledger()
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 40, 20, "forty records in Kafka")
    found = where_consumers_find(kafka, topic)
    agent.kill()
    agent.start("connected")
    new_fleet(mosquitto.port, devices=1, messages=1, qos=2).ledger()  # its transaction says how far the last one came
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 41, 20, "one more record in Kafka")
    for record in agent.records("telemetry")[:40]:
        answer = why(agent, record["offset"])
        assert answer["fate"] == "delivered" and places(answer, topic) == found[record["value"]], answer


def test_what_waits_says_why(make, mosquitto, kafka, topic, new_fleet):
    agent = make(AT_LEAST_ONCE + 'topics = "check"\n').start("connected")
    new_fleet(mosquitto.port, devices=1, messages=10, qos=2).ledger()
    wait_until(lambda: "the stream was held since" in why(agent, 5)["why"], 20, lambda: str(why(agent, 5)))
    assert why(agent, 5)["fate"] == "waiting" and "5 offsets are before it" in why(agent, 5)["why"]
    kafka.create_topic(topic)
    wait_until(lambda: why(agent, 9)["fate"] == "delivered", 20, lambda: str(why(agent, 9)))
    kafka.stop()
    new_fleet(mosquitto.port, devices=1, messages=10, qos=2).ledger()
    wait_until(lambda: "the cluster was away since" in why(agent, 15)["why"], 30, lambda: str(why(agent, 15)))
    agent.kill()
    assert "the agent is not running" in why(agent, 15)["why"] and "when it last ran" in why(agent, 15)["why"]
    assert why(agent, 20, status=1)["fate"] == "not-there-yet"
    text = sluice("why", "--data-dir", agent.data, "--stream", "telemetry", "--offset", 15).stdout
    assert "waiting: the agent is not running" in text
    assert max(map(len, text.splitlines())) <= 80
    kafka.start()
    agent.start(wait_for=None)
    wait_until(lambda: why(agent, 15)["fate"] == "delivered", 60, lambda: str(why(agent, 15)))


def test_a_key_and_a_time_find_the_nearest_record(make, mosquitto, kafka, topic, new_fleet):
    agent = make(AT_LEAST_ONCE).start("connected")
    ledger = new_fleet(mosquitto.port, devices=4, messages=200, rate=400, qos=2).ledger()
    wait_for_ledger(kafka.brokers, topic, ledger, 30)
    records = [record for record in agent.records("telemetry") if record["key"] == records_key(agent)]
    times = [record["timestamp"] for record in records]
    for asked in (times[0] - 5_000, times[20], times[20] + 1, times[-1] + 60_000):
        at = datetime.datetime.fromtimestamp(asked / 1000, datetime.timezone.utc).isoformat(timespec="milliseconds")
        answer = ask(agent, "--stream", "telemetry", "--key", records[0]["key"], "--at", at.replace("+00:00", "Z"))
        assert abs(answer["away_ms"]) == min(abs(stamp - asked) for stamp in times)
        assert answer["timestamp"] - asked == answer["away_ms"]
    no_such = sluice("why", "--data-dir", agent.data, "--stream", "telemetry", "--key", "nobody", "--at",
                     "2026-01-01T00:00:00Z")
    assert no_such.returncode == 1 and "no record with this key" in no_such.stderr
    assert sluice("why", "--data-dir", agent.data, "--stream", "telemetry").returncode == 2


def records_key(agent):
    return agent.records("telemetry", "--limit", 1)[0]["key"]


def test_a_refused_record_is_followed_to_its_dead_letter(make, mosquitto, kafka, topic, new_fleet):
    kafka.create_topic(topic, config={"max.message.bytes": "2000"})
    kafka.create_topic(f"dead-{topic}")
    agent = make(AT_LEAST_ONCE + 'compression = "none"\n', more=f'[stream."sluice.dead-letter"]\nkafka_topic = "dead-{topic}"\n').start("connected")
    new_fleet(mosquitto.port, devices=1, messages=1, qos=2, size=10_000).ledger()
    wait_until(lambda: why(agent, 0)["fate"] == "dead-lettered" and why(agent, 0)["dead_letter"]["places"], 60,
               lambda: str(why(agent, 0)))
    answer = why(agent, 0)
    dead = read_topic(kafka.brokers, f"dead-{topic}")
    assert places(answer["dead_letter"], f"dead-{topic}") == {(dead[0].partition(), dead[0].offset())}
    assert "too large" in answer["reason"].lower()


def test_what_is_deleted_is_still_proved_and_what_was_given_up_is_said(make, mosquitto, kafka, topic, new_fleet):
    stream = 'segment_bytes = "64KiB"\nretention_bytes = "64KiB"\nhold_until_forwarded = false\n'
    agent = make(AT_LEAST_ONCE, stream=stream, more='[storage]\ncleaner_interval = "1s"\n').start("connected")
    ledger = new_fleet(mosquitto.port, devices=2, messages=300, qos=2, size=1_000).ledger()
    wait_for_ledger(kafka.brokers, topic, ledger, 30, size=1_000)
    found = where_consumers_find(kafka, topic)
    value = agent.records("telemetry", "--limit", 1)
    kafka.stop()
    more = new_fleet(mosquitto.port, devices=2, messages=600, qos=2, size=1_000)
    more.ledger()
    # At first the agent may not have it yet: with QoS 2 that is the broker's business.
    wait_until(lambda: why(agent, 400, status=None)["fate"] == "given-up", 60, lambda: str(why(agent, 400, status=None)))
    assert "reason" in why(agent, 400)
    delivered = why(agent, 5)
    assert delivered["fate"] == "delivered" and "key" not in delivered
    assert places(delivered, topic) <= set().union(*found.values()) and value
    kafka.start()


def test_what_compaction_took_was_delivered_or_is_said(make, mosquitto, kafka, topic, new_fleet):
    stream = 'cleanup = "compact"\nsegment_bytes = "64KiB"\n'
    agent = make(AT_LEAST_ONCE, stream=stream, more='[storage]\ncleaner_interval = "1s"\n').start("connected")
    first = new_fleet(mosquitto.port, devices=2, messages=50, qos=2, size=1_000).ledger()
    wait_for_ledger(kafka.brokers, topic, first, 30, size=1_000)
    kafka.stop()
    new_fleet(mosquitto.port, devices=2, messages=600, qos=2, size=1_000).ledger()
    wait_until(lambda: why(agent, 0)["log_end_offset"] == 650, 60, "all in the log")
    wait_until(lambda: len(agent.records("telemetry")) < 300, 60, "compaction")
    kept = {record["offset"] for record in agent.records("telemetry")}
    gone = next(offset for offset in range(60, 600) if offset not in kept)
    assert why(agent, gone)["fate"] == "compacted"
    assert why(agent, 3)["fate"] == "delivered"
    kafka.start()
