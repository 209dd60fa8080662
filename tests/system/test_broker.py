"""The MQTT side: brokers that are away, refuse, forget, and messages of all kinds."""
import base64
import json
import re
import socket
import time
import uuid

import paho.mqtt.client as mqtt
import paho.mqtt.publish as publish
import pytest
from paho.mqtt.packettypes import PacketTypes

from support.agent import configuration, listener_configuration
from support.audit import log_of, read_topic, wait_for_ledger
from support.mosquitto import Certificates, Mosquitto
from support.pace import paced
from support.processes import free_port, wait_until

TEN_MEBIBYTES = 10 << 20


def wait_for_records(agent, stream, count, timeout=20):
    records = []

    def there():
        nonlocal records
        records = agent.records(stream) if (agent.data / "log" / f"{stream}-0").exists() else []
        return len(records) >= count

    wait_until(there, timeout, lambda: f"{count} records in {stream}, there are {len(records)}:\n{agent.output()}")
    return records


def publish_one(port, device="device-00", payload="{}", qos=1, **options):
    publish.single(f"plant/{device}/telemetry", payload, qos=qos, hostname="127.0.0.1", port=port, **options)


def value_of(record):
    return base64.b64decode(record["value_base64"]) if "value_base64" in record else record["value"].encode()


def headers_of(record):
    return {header["key"]: header["value"] for header in record["headers"]}


def test_a_broker_that_restarts_loses_nothing_of_its_persistent_session(
        agent, mosquitto, kafka, topic, new_fleet):
    agent.start("connected")
    fleet = new_fleet(mosquitto.port, **paced(messages=20_000, rate=2000))
    for _ in range(3):
        time.sleep(2)
        mosquitto.restart()
    ledger = fleet.ledger()
    arrived = wait_for_ledger(kafka.brokers, topic, ledger, timeout=60)
    # Not their order: mosquitto 2.0.11 changes that of a backlog when it restarts, for any subscriber that is slow.
    assert arrived.missing(ledger) == 0


def test_messages_published_while_the_agent_is_stopped_wait_in_its_session(
        agent, mosquitto, kafka, topic, new_fleet):
    agent.start("connected, a new session")
    agent.stop()
    ledger = new_fleet(mosquitto.port, messages=2000, rate=5000).ledger()
    mosquitto.restart()
    agent.start("connected, the session goes on")
    wait_for_ledger(kafka.brokers, topic, ledger, timeout=30).check(ledger, "Kafka")


def test_a_broker_that_forgot_the_session_is_subscribed_to_again(new_agent, kafka, topic, tmp_path, ends, new_fleet):
    forgetful = Mosquitto(tmp_path / "forgetful", persistent=False).start()
    ends(forgetful.stop)
    agent = new_agent(configuration(forgetful.port, kafka.brokers, topic)).start("connected, a new session")
    forgetful.restart()
    wait_until(lambda: agent.count("connected, a new session") == 2, 20, agent.output)
    ledger = new_fleet(forgetful.port, messages=100).ledger()
    wait_for_ledger(kafka.brokers, topic, ledger, timeout=20).check(ledger, "Kafka")


ANNEX = """
[[route]]
topic = "annex/{device}"
stream = "annex"
"""


def set_topics(agent, topics):
    """What the agent subscribes to from its next start on."""
    text = agent.config.read_text()
    agent.config.write_text(re.sub(r"^topics = .*$", f"topics = {json.dumps(topics)}", text, flags=re.MULTILINE))


def crash_into_the_past(broker, agent, topics):
    """The agent goes over to other topics, and the broker crashes, without word of that in the session it has saved."""
    agent.start("connected, a new session")
    broker.save()
    agent.stop()
    set_topics(agent, topics)
    agent.start("connected, the session goes on")
    broker.crash()
    wait_until(lambda: agent.count("connected, the session goes on") == 2, 20, agent.output)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_broker_that_crashed_is_told_again_what_to_send(version, new_agent, mosquitto):
    agent = new_agent(configuration(mosquitto.port, None, "-", source=f'version = "{version}"', more=ANNEX))
    crash_into_the_past(mosquitto, agent, ["plant/#", "annex/#"])
    publish.single("annex/x", "one", qos=1, hostname="127.0.0.1", port=mosquitto.port)
    wait_for_records(agent, "annex", 1)


def test_a_broker_that_crashed_is_told_again_what_not_to_send(new_agent, mosquitto):
    agent = new_agent(configuration(mosquitto.port, None, "-", more=ANNEX))
    set_topics(agent, ["plant/#", "annex/#"])
    crash_into_the_past(mosquitto, agent, ["plant/#"])
    publish.single("annex/x", "one", qos=1, hostname="127.0.0.1", port=mosquitto.port)
    publish_one(mosquitto.port)
    wait_for_records(agent, "telemetry", 1)
    assert not agent.records("annex")


def test_a_broker_that_crashed_uses_identifiers_again_that_it_has_not_released(new_agent, mosquitto, new_fleet):
    """It comes back from an older file, and counts its messages of QoS 2 anew."""
    agent = new_agent(configuration(mosquitto.port, None, "-", source="qos = 2")).start("connected")
    mosquitto.save()
    before = new_fleet(mosquitto.port, messages=20_000, rate=20_000, qos=2)
    wait_until(lambda: len(agent.records("telemetry", "--limit", "500")) == 500, 30, agent.output)
    mosquitto.crash()
    before.stop()
    agent.wait_for_output("the session goes on")
    ledger = {}
    for number in range(300):
        publish.single("plant/after/telemetry", f"after {number}", qos=2, hostname="127.0.0.1", port=mosquitto.port)
        ledger[f"after {number}"] = 1
    wait_until(lambda: {record["value"] for record in agent.records("telemetry")} >= set(ledger), 30,
               lambda: sorted(set(ledger) - {record["value"] for record in agent.records("telemetry")}))
    values = [record["value"] for record in agent.records("telemetry")]
    assert all(values.count(value) == 1 for value in ledger)


def test_a_retained_message_comes_once_in_a_session(new_agent, mosquitto):
    publish_one(mosquitto.port, retain=True)
    agent = new_agent(configuration(mosquitto.port, None, "-"))
    for session in ["a new session", "the session goes on"]:
        agent.start(f"connected, {session}")
        wait_for_records(agent, "telemetry", 1)
        agent.stop()
    assert len(agent.records("telemetry")) == 1


def test_a_broker_that_is_not_there_yet_is_said_once_and_found_later(new_agent, tmp_path, ends, new_fleet):
    broker = Mosquitto(tmp_path / "late")
    ends(broker.stop)
    agent = new_agent(configuration(broker.port, None, "-"))
    agent.start()
    time.sleep(8)
    assert agent.count("no connection") == 1, agent.output()
    broker.start()
    agent.wait_for_output("connected")
    ledger = new_fleet(broker.port, messages=100).ledger()
    wait_for_records(agent, "telemetry", 100)
    log_of(agent).check(ledger, "the log")


def two_agents_with_one_id(new_agent, port, say):
    """They take the session from each other until both have said so, and for a while more."""
    config = configuration(port, None, "-").replace('reconnect_max = "1s"', 'reconnect_max = "1m"')
    agents = [new_agent(config, name).start("connected") for name in ("one", "two")]
    for agent in agents:
        agent.wait_for_output(say, 60)
    time.sleep(3)
    assert all(agent.process.is_running() for agent in agents)
    return agents


def test_two_agents_with_one_id_give_way_more_and_more_and_say_so_once(new_agent, mosquitto):
    say = "again and again (does another client use our client id, sluice-gateway-plant?)"
    for agent in two_agents_with_one_id(new_agent, mosquitto.port, say):
        assert len(agent.output().splitlines()) <= 13, agent.output()
        assert agent.count(say) == 1


def test_two_agents_with_one_id_are_told_so_by_a_broker_that_says_it(new_agent):
    port = free_port()
    new_agent(listener_configuration(port, topic="plant/{device}/telemetry"), "broker").start()
    two_agents_with_one_id(new_agent, port, "another client uses our client id, sluice-gateway-plant")


def test_a_wrong_password_is_said_once_and_the_agent_goes_on_when_the_broker_has_it(
        new_agent, tmp_path, ends):
    broker = Mosquitto(tmp_path / "strict", users={"gateway": "old", "device": "d"}).start()
    ends(broker.stop)
    secret = tmp_path / "password"
    secret.write_text("new\n")
    agent = new_agent(configuration(broker.port, None, "-", source=f'username = "gateway"\npassword_file = "{secret}"'))
    agent.start("password")
    time.sleep(5)
    assert agent.count("check username and password") == 1, agent.output()
    assert "new" not in agent.output().replace("a new session", "")
    broker.set_passwords({"gateway": "new", "device": "d"})
    agent.wait_for_output("connected")
    publish_one(broker.port, auth={"username": "device", "password": "d"})
    wait_for_records(agent, "telemetry", 1)


def test_a_password_comes_from_the_environment(new_agent, tmp_path, ends):
    import os
    broker = Mosquitto(tmp_path / "strict", users={"gateway": "secret"}).start()
    ends(broker.stop)
    agent = new_agent(configuration(broker.port, None, "-",
                                    source='username = "gateway"\npassword_env = "PLANT_PASSWORD"'))
    agent.start("connected", environment={**os.environ, "PLANT_PASSWORD": "secret"})
    assert "secret" not in agent.output()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_tls_with_a_certificate_of_the_client(version, new_agent, tmp_path, ends):
    certificates = Certificates(tmp_path / "tls")
    broker = Mosquitto(tmp_path / "secure", tls=certificates).start()
    ends(broker.stop)
    config = configuration(broker.port, None, "-", source=f"""version = "{version}"
[source.mqtt.tls]
ca_file = "{certificates.ca}"
cert_file = "{certificates.client_cert}"
key_file = "{certificates.client_key}"
""").replace("mqtt://", "mqtts://")
    agent = new_agent(config).start("connected")
    publish_one(broker.port, tls={"ca_certs": str(certificates.ca), "certfile": str(certificates.client_cert),
                                  "keyfile": str(certificates.client_key)})
    wait_for_records(agent, "telemetry", 1)


def is_held_by(new_agent, url, says, tls=""):
    """The agent does not connect, and says why."""
    config = re.sub(r"mqtt://127.0.0.1:\d+", url, configuration(1, None, "-", source=tls))
    agent = new_agent(config, f"agent-{uuid.uuid4().hex[:6]}").start("warning mqtt plant")
    assert says in agent.output(), agent.output()
    assert "connected" not in agent.output()
    assert agent.process.is_running()


def test_what_keeps_a_connection_from_being_made_is_said(new_agent, tmp_path, ends, mosquitto):
    certificates, other = Certificates(tmp_path / "tls"), Certificates(tmp_path / "other")
    broker = Mosquitto(tmp_path / "secure", tls=certificates).start()
    ends(broker.stop)
    ours = f'[source.mqtt.tls]\nca_file = "{certificates.ca}"\n'
    theirs = f'[source.mqtt.tls]\nca_file = "{other.ca}"\n'
    is_held_by(new_agent, f"mqtts://127.0.0.1:{broker.port}", "certificate is not accepted: self-signed certificate", theirs)
    is_held_by(new_agent, f"mqtts://127.0.0.1:{broker.port}", "alert certificate required", ours)
    is_held_by(new_agent, f"mqtts://127.0.0.1:{mosquitto.port}", "does this port speak TLS?", ours)
    is_held_by(new_agent, f"mqtt://127.0.0.1:{broker.port}", "If it wants TLS, write mqtts://")
    is_held_by(new_agent, "mqtt://no.such.host.invalid:1883", "no.such.host.invalid:1883: the host's name is not known")
    is_held_by(new_agent, f"mqtt://127.0.0.1:{free_port()}", "Connection refused")


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
def test_a_broker_that_says_nothing_does_not_delay_a_stop(scheme, new_agent, ends):
    mute = socket.create_server(("127.0.0.1", 0))  # takes the connection
    ends(mute.close)
    url = f"127.0.0.1:{mute.getsockname()[1]}"
    agent = new_agent(configuration(1, None, "-").replace("mqtt://127.0.0.1:1", f"{scheme}://{url}")).start()
    time.sleep(1)
    start = time.monotonic()
    agent.stop()
    assert time.monotonic() - start < 3


def test_two_brokers_with_several_topic_filters_each(new_agent, tmp_path, ends, mosquitto):
    other = Mosquitto(tmp_path / "other").start()
    ends(other.stop)
    agent = new_agent(configuration(mosquitto.port, None, "-", more=f"""
[[source.mqtt]]
name = "annex"
url = "mqtt://127.0.0.1:{other.port}"
topics = ["annex/+/state", "annex/+/alarm"]
version = "3.1.1"
[[route]]
topic = "annex/{{device}}/#"
stream = "annex"
key = "{{device}}"
"""))
    agent.start()
    wait_until(lambda: agent.count("connected") == 2, 20, agent.output)
    publish_one(mosquitto.port)
    publish.multiple([("annex/a/state", "s", 0, False), ("annex/b/alarm", "a", 2, False), ("annex/c/none", "n", 1, False)],
                     hostname="127.0.0.1", port=other.port)
    records = wait_for_records(agent, "annex", 2)
    assert sorted((record["key"], record["value"]) for record in records) == [("a", "s"), ("b", "a")]
    assert len(wait_for_records(agent, "telemetry", 1)) == 1


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_properties_of_mqtt_5_travel_as_headers(qos, agent, mosquitto, kafka, topic):
    agent.config.write_text(agent.config.read_text().replace('topics = ["plant/#"]', 'topics = ["plant/#"]\nqos = 2'))
    agent.start("connected")
    properties = mqtt.Properties(PacketTypes.PUBLISH)
    properties.UserProperty = [("line", "7"), ("line", "8")]
    properties.ContentType = "application/json"
    client = mqtt.Client(protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    client.publish("plant/press/telemetry", "{}", qos, properties=properties).wait_for_publish()
    client.loop_stop()
    client.disconnect()
    wait_for_records(agent, "telemetry", 1)
    wait_until(lambda: read_topic(kafka.brokers, topic), 20, agent.output)
    record, = read_topic(kafka.brokers, topic)
    assert record.key() == b"press"
    assert record.headers() == [("mqtt.topic", b"plant/press/telemetry"), ("mqtt.qos", str(qos).encode()),
                                ("mqtt.retain", b"false"), ("mqtt.content-type", b"application/json"),
                                ("line", b"7"), ("line", b"8")]


def test_payloads_of_every_kind_are_kept_as_they_are(new_agent, mosquitto, kafka, topic):
    """0 bytes, 10 MiB, no UTF-8, no JSON, deep JSON: in the log byte for byte, with the time of arrival."""
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic, route='timestamp = "/ts"'))
    agent.start("connected")
    payloads = [b"", b"\xff\xfe\x00\x80", b'{"ts": tomorrow', b"[" * 100_000, b'{"ts": 1e400}', b'{"ts": -1}',
                b"x" * TEN_MEBIBYTES, b'{"ts": 1700000000000}']
    before = time.time() * 1000
    for payload in payloads:
        publish_one(mosquitto.port, payload=payload)
    records = wait_for_records(agent, "telemetry", len(payloads))
    assert [value_of(record) for record in records] == payloads
    assert records[-1]["timestamp"] == 1_700_000_000_000
    assert all(record["timestamp"] >= before - 1000 for record in records[:5])

    # Kafka's default limit is 1 MB a record: the big one is put aside, and those after it arrive.
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == len(payloads) - 1, 30, agent.output)
    dead, = wait_for_records(agent, "sluice.dead-letter", 1)
    assert value_of(dead) == b"x" * TEN_MEBIBYTES
    reasons = headers_of(dead)
    assert any("large" in reason.lower() for reason in reasons.values()), reasons
    assert [record.value() or b"" for record in read_topic(kafka.brokers, topic)] == [
        payload for payload in payloads if len(payload) < TEN_MEBIBYTES]


def test_a_message_of_10_mib_reaches_a_cluster_that_takes_it(new_agent, mosquitto, kafka, topic):
    kafka.create_topic(topic, config={"max.message.bytes": str(12 << 20)})
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic,
                                    more=f'[kafka.properties]\n"message.max.bytes" = {12 << 20}'))
    agent.start("connected")
    publish_one(mosquitto.port, payload=b"x" * TEN_MEBIBYTES)
    wait_until(lambda: read_topic(kafka.brokers, topic), 30, agent.output)
    assert len(read_topic(kafka.brokers, topic)[0].value()) == TEN_MEBIBYTES


def test_a_message_that_no_route_takes_goes_to_the_dead_letters_with_the_reason(agent, mosquitto):
    agent.start("connected")
    publish.single("plant/a/b/c", "lost?", qos=1, hostname="127.0.0.1", port=mosquitto.port)
    dead, = wait_for_records(agent, "sluice.dead-letter", 1)
    assert dead["value"] == "lost?"
    headers = headers_of(dead)
    assert headers["mqtt.topic"] == "plant/a/b/c"
    assert any("route" in value for value in headers.values()), headers
    json.dumps(headers)
