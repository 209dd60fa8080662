"""The doors of a Kafka that asks who one is: right secrets open them, wrong ones are said and never shown.

An older Kafka than the other tests have: it still takes SCRAM from the librdkafka of Debian 12 (docs/dependencies.md).
"""
import shutil
import signal
import time

import pytest

from support.agent import Agent
from support.audit import wait_for_ledger
from support.kafka_cluster import Cluster
from support.mosquitto import Certificates
from support.processes import free_port

VERSION = "3.8.0"
PASSWORD, SCRAM_PASSWORD = "plain-secret-4711", "scram-secret-4711"
WRONG = "wrong-secret-0815"

CONFIGURATION = """
[agent]
id = "{topic}"
data_dir = "data"
log_level = "debug"
shutdown_timeout = "2s"

[listener.mqtt]
bind = ["127.0.0.1:{port}"]

[[route]]
topic = "plant/{{device}}/telemetry"
stream = "{topic}"
key = "{{device}}"

[kafka]
brokers = "{brokers}"
delivery = "{delivery}"
retry_max = "1s"
{kafka}

[kafka.properties]
"ssl.ca.location" = "{ca}"
{properties}
"""

SSL = '"security.protocol" = "SSL"'
SASL = '"security.protocol" = "SASL_SSL"\n"sasl.mechanism" = "{}"'
CERTIFICATE = SSL + '\n"ssl.certificate.location" = "{cert}"\n"ssl.key.location" = "{key}"'
UNSIGNED_TOKEN = SASL.format("OAUTHBEARER") + \
    '\n"enable.sasl.oauthbearer.unsecure.jwt" = true\n"sasl.oauthbearer.config" = "principal=gateway"'
# door: which listener, what stands in [kafka], what in [kafka.properties]
DOORS = {
    "TLS": ("TLS", "", SSL),
    "mTLS": ("MTLS", "", CERTIFICATE),
    "PLAIN": ("SASL", f'username = "gateway"\npassword = "{PASSWORD}"', SASL.format("PLAIN")),
    "SCRAM": ("SASL", f'username = "scram"\npassword = "{SCRAM_PASSWORD}"', SASL.format("SCRAM-SHA-512")),
    "OAUTHBEARER": ("SASL", "", UNSIGNED_TOKEN),
}


@pytest.fixture(scope="module", name="secured")
def fixture_secured(tmp_path_factory):
    directory = tmp_path_factory.mktemp("secured")
    kafka = Cluster(directory, nodes=1, version=VERSION, certificates=Certificates(directory / "certificates"),
                    users={"gateway": PASSWORD})
    try:
        kafka.start()
        kafka.set_scram("scram", SCRAM_PASSWORD)
        for user in ("gateway", "scram", "CN=client"):
            kafka.allow(user, "--operation", "All", "--topic", "*", "--transactional-id", "*")
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture(name="agent_at")
def fixture_agent_at(secured, topic, tmp_path, ends):
    """A function that starts an agent in front of a door, and returns it and its own port."""
    def start(door, kafka, properties, delivery="at-least-once", ca=None, wait_for="ready:"):
        port = free_port()
        made = secured.certificates
        agent = Agent(tmp_path / "agent", CONFIGURATION.format(
            topic=topic, port=port, brokers=secured.door(door), delivery=delivery, kafka=kafka, ca=ca or made.ca,
            properties=properties.format(cert=made.client_cert, key=made.client_key)))
        ends(agent.end)
        return agent.start(wait_for), port
    return start


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
@pytest.mark.parametrize("door", DOORS)
def test_records_go_through_the_door(door, delivery, agent_at, secured, topic, new_fleet):
    agent, port = agent_at(*DOORS[door], delivery)
    ledger = new_fleet(port, messages=200, devices=4, qos=2).ledger()
    arrived = wait_for_ledger(secured.brokers, topic, ledger, timeout=30)
    if arrived.missing(ledger):
        agent.describe()
    arrived.check(ledger, "Kafka")
    assert arrived.duplicates == 0
    agent.stop()
    assert PASSWORD not in agent.output() and SCRAM_PASSWORD not in agent.output()


def complaint(agent, text):
    """The line with the text that is not only for those who look for a fault."""
    agent.wait_for_output(text, 30)
    return next(line for line in agent.output().splitlines() if text in line and line.split()[1] in ("warning", "error"))


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
@pytest.mark.parametrize("user,mechanism", [("gateway", "PLAIN"), ("scram", "SCRAM-SHA-512")])
def test_a_wrong_password_is_said_and_not_shown(user, mechanism, delivery, agent_at, new_fleet):
    agent, port = agent_at("SASL", f'username = "{user}"\npassword = "{WRONG}"', SASL.format(mechanism), delivery)
    new_fleet(port, messages=10, devices=1).ledger()
    assert "password" in complaint(agent, "the cluster refuses our credentials")
    agent.stop()
    assert WRONG not in agent.output()


def test_a_missing_client_certificate_is_said(agent_at, new_fleet):
    agent, port = agent_at("MTLS", "", SSL)
    new_fleet(port, messages=10, devices=1).ledger()
    assert "certificate" in complaint(agent, "no broker of")
    agent.stop()


def test_a_broker_that_nobody_we_trust_vouches_for_is_said(agent_at, new_fleet, tmp_path):
    stranger = Certificates(tmp_path / "stranger")
    agent, port = agent_at("TLS", "", SSL, ca=stranger.ca)
    new_fleet(port, messages=10, devices=1).ledger()
    assert "certificate" in complaint(agent, "no broker of")
    agent.stop()


class OwnFiles:
    """Certificates of the agent's own, that a test replaces as who renews them does: one file after the other."""

    def __init__(self, directory):
        self.ca, self.client_cert, self.client_key = (directory / name for name in ("ca.pem", "cert.pem", "key.pem"))

    def take(self, made):
        for of, to in ((made.ca, self.ca), (made.client_cert, self.client_cert), (made.client_key, self.client_key)):
            shutil.copy(of, to.with_suffix(".new"))
            to.with_suffix(".new").rename(to)

    def properties(self):
        return CERTIFICATE.format(cert=self.client_cert, key=self.client_key)


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_certificates_are_read_again_when_they_change(delivery, agent_at, secured, topic, new_fleet, tmp_path):
    files = OwnFiles(tmp_path)
    files.take(Certificates(tmp_path / "stranger"))
    agent, port = agent_at("MTLS", "", files.properties(), delivery, ca=files.ca)
    ledger = new_fleet(port, messages=100, devices=2, qos=2).ledger()
    complaint(agent, "no broker of")
    files.client_key.write_text("no key")
    agent.wait_for_output("the certificates stay as they were: ", 20)
    files.take(secured.certificates)
    agent.wait_for_output("certificates and keys are read again", 20)
    arrived = wait_for_ledger(secured.brokers, topic, ledger, timeout=40)
    if arrived.missing(ledger):
        agent.describe()
    arrived.check(ledger, "Kafka")
    agent.stop()
    assert "PRIVATE KEY" not in agent.output()


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_a_reload_while_records_flow_loses_and_doubles_nothing(delivery, agent_at, secured, topic, new_fleet):
    agent, port = agent_at("MTLS", "", CERTIFICATE, delivery)
    fleet = new_fleet(port, messages=4_000, devices=10, rate=500, qos=2)
    for _ in range(5):
        time.sleep(1)
        agent.process.signal(signal.SIGHUP)
    ledger = fleet.ledger()
    arrived = wait_for_ledger(secured.brokers, topic, ledger, timeout=40)
    if arrived.missing(ledger):
        agent.describe()
    arrived.check(ledger, "Kafka")
    assert arrived.duplicates == 0
    assert agent.count("certificates and keys are read again") == 5
    agent.stop()
