"""The doors of a Kafka that asks who one is: right secrets open them, wrong ones are said and never shown.

An older Kafka than the other tests have: it still takes SCRAM from the librdkafka of Debian 12 (docs/dependencies.md).
"""
import base64
import json
import shutil
import signal
import time

import pytest

from support.agent import Agent, sluice
from support.audit import read_topic, wait_for_ledger
from support.kafka_cluster import Cluster
from support.mosquitto import Certificates
from support.processes import free_port, wait_until

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
    assert "certificates and keys are read again" in agent.output()
    # One that is asked for while another is under way is that one.
    assert json.loads(sluice("status", "--json", "--data-dir", agent.data).stdout)["kafka"]["producers_rebuilt"] >= 3
    agent.stop()


def unsigned_token(lifetime):
    """What a provider would sign: the broker here takes it without. @return the token, the part that must not be shown"""
    def part(claims):
        return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    now = int(time.time())
    claims = part({"sub": "gateway", "iat": now - 5, "exp": now + lifetime})
    return f"{part({'alg': 'none'})}.{claims}.", claims


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_a_token_from_a_file_opens_the_door_and_is_renewed(delivery, agent_at, secured, topic, new_fleet, tmp_path):
    file = tmp_path / "token"
    agent, port = agent_at("SASL", f'token_file = "{file}"', SASL.format("OAUTHBEARER"), delivery)
    ledger = new_fleet(port, messages=100, devices=2, qos=2).ledger()
    assert str(file) in complaint(agent, "the cluster refuses our credentials")  # there is none
    token, secret = unsigned_token(20)
    file.write_text(token + "\n")
    wait_for_ledger(secured.brokers, topic, ledger, timeout=60).check(ledger, "Kafka")
    secrets = [secret]
    for lifetime in (20, 20, 600):
        time.sleep(5)
        token, secret = unsigned_token(lifetime)
        secrets.append(secret)
        file.with_suffix(".new").write_text(token)
        file.with_suffix(".new").rename(file)
    time.sleep(8)  # the first one has expired long ago
    secured.nodes[0].kill()  # a new connection shows a token of today
    secured.nodes[0].start()
    secured.wait_ready()
    before = len(read_topic(secured.brokers, topic))
    new_fleet(port, messages=200, devices=4, qos=2).ledger()
    wait_until(lambda: len(read_topic(secured.brokers, topic)) >= before + 200, 60, agent.output)
    agent.stop()
    assert not any(shown in agent.output() for shown in secrets)


def test_a_token_that_has_expired_is_said_and_not_shown(agent_at, new_fleet, tmp_path):
    file = tmp_path / "token"
    token, secret = unsigned_token(-1)
    file.write_text(token)
    agent, port = agent_at("SASL", f'token_file = "{file}"', SASL.format("OAUTHBEARER"))
    new_fleet(port, messages=10, devices=1).ledger()
    assert "has expired" in complaint(agent, "the cluster refuses our credentials")
    agent.stop()
    assert secret not in agent.output()
