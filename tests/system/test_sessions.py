"""What the listener keeps for its subscribers over kills of the agent: sessions, messages, retained ones, wills."""
import os
import random
import time

import pytest

from conformance import wire
from conformance.client import Client
from conformance.wire import Will
from support.agent import listener_configuration
from support.audit import Arrived, log_of
from support.devices import payload
from support.mosquitto import is_listening
from support.processes import free_port, wait_until
from support.raw_clients import Device, Subscriber

KILLS = int(os.environ.get("SLUICE_KILLS", "12"))


@pytest.fixture(name="server")
def fixture_server(new_agent):
    return Server(new_agent)


class Server:
    def __init__(self, new_agent):
        self.port = free_port()
        self.agent = new_agent(listener_configuration(self.port, listener='local_only = ["local/#"]\nmax_queued = 60000'))
        self.start()

    def start(self):
        self.agent.start(wait_for=None)
        wait_until(lambda: is_listening(self.port), 20, self.agent.output)

    def kill(self):
        self.agent.kill()
        self.start()

    def client(self, name, version=5, **options):
        client = Client(("127.0.0.1", self.port), version, name)
        client.connack = client.connect(**options)
        return client


def arrivals(subscriber):
    arrived = Arrived()
    for _topic, payload in subscriber.received:
        arrived.add(payload)
    return arrived


def devices_of(server, qos, count):
    devices = [Device(number, server.port, qos, count) for number in range(3)]
    for device in devices:
        device.start()
    return devices


@pytest.mark.parametrize("qos", [1, 2])
def test_a_subscriber_gets_all_that_was_acknowledged_whenever_the_agent_is_killed(server, qos):
    subscriber = Subscriber("dashboard", server.port, "plant/+/telemetry", qos)
    subscriber.start()
    assert subscriber.subscribed.wait(10)
    count = KILLS * (1300 if qos == 1 else 500)
    devices = devices_of(server, qos, count)
    chance = random.Random(qos)
    kills = 0
    while any(device.is_alive() for device in devices) and kills < KILLS:
        time.sleep(chance.uniform(0.02, 0.3))
        server.kill()
        kills += 1
    for device in devices:
        device.join(60 + KILLS)
        assert not device.is_alive(), f"{device.name}: {device.acknowledged} of {count} are acknowledged"
    ledger = {device.name: count for device in devices}
    wait_until(lambda: not arrivals(subscriber).missing(ledger), 30, lambda: arrivals(subscriber).missing(ledger))
    subscriber.enough.set()
    subscriber.join(10)
    arrived = arrivals(subscriber)
    arrived.check(ledger, "the subscriber")
    assert kills > 3
    assert subscriber.lost_sessions == 0
    if qos == 2:
        assert arrived.duplicates == 0


def test_messages_wait_for_a_client_that_is_away_over_kills(server):
    away = server.client("away", clean=False, session_expiry_interval=1000)
    away.subscribe("local/#", qos=2)
    away.drop()
    publisher = server.client("publisher")
    for number in range(30):
        publisher.publish("local/x", str(number).encode(), qos=1 + number % 2)
        if number % 10 == 9:
            server.kill()
            publisher = server.client("publisher")
    back = server.client("away", clean=False, session_expiry_interval=1000)
    assert back.connack.session_present
    for number in range(30):
        back.expect_message("local/x", str(number).encode(), acknowledge=False, qos=1 + number % 2)
    back.expect_silence()


def test_retained_messages_and_subscriptions_outlive_a_kill(server):
    client = server.client("c", clean=False, session_expiry_interval=1000)
    client.subscribe("local/state/#", qos=1, subscription_identifier=7)
    client.subscribe("local/gone", qos=1)
    client.unsubscribe("local/gone")
    publisher = server.client("publisher")
    for topic, value in (("a", b"old"), ("a", b"new"), ("b", b"x"), ("b", b"")):
        publisher.publish(f"local/state/{topic}", value, qos=1, retain=True, content_type="text/plain")
        client.expect_message(f"local/state/{topic}", value)
    time.sleep(0.3)  # so that the last PUBACK is in the store
    server.kill()
    client = server.client("c", clean=False, session_expiry_interval=1000)
    assert client.connack.session_present
    publisher = server.client("publisher")
    publisher.publish("local/state/c", b"y", qos=1)
    publisher.publish("local/gone", b"z", qos=1)
    message = client.expect_message("local/state/c", b"y")
    assert message.properties["subscription_identifier"] == [7]
    client.expect_silence()
    other = server.client("other")
    other.subscribe("local/state/#", qos=1)
    message = other.expect_message("local/state/a", b"new", retain=True)
    assert message.properties["content_type"] == "text/plain"
    other.expect_silence()


def test_the_will_of_a_client_that_was_connected_at_the_kill_is_sent(server):
    watcher = server.client("watcher", clean=False, session_expiry_interval=1000)
    watcher.subscribe("local/wills/#", qos=1)
    server.client("sudden", will=Will("local/wills/sudden", b"gone", qos=1))
    server.client("polite", will=Will("local/wills/polite", b"gone", qos=1)).disconnect()
    time.sleep(1)  # a will is written down soon, and nobody waits for it
    server.kill()
    watcher = server.client("watcher", clean=False, session_expiry_interval=1000)
    watcher.expect_message("local/wills/sudden", b"gone")
    watcher.expect_silence()


def test_a_session_ends_in_its_time_while_the_agent_is_down(server):
    client = server.client("brief", clean=False, session_expiry_interval=1)
    client.subscribe("local/#")
    client.disconnect()
    server.agent.kill()
    time.sleep(1.5)
    server.start()
    wait_until(lambda: not server.client("brief", clean=False).connack.session_present, 5, "the end of the session")


def test_a_client_without_a_session_may_use_the_identifiers_of_before_a_kill_again(server):
    """What is not released of QoS 2 ends with its session, which a kill ends too where it is not kept."""
    topic = "bench/device-00/telemetry"
    device = server.client("device", version=4, clean=True)
    device.send(wire.publish(4, topic, payload("device-00", 0).encode(), 2, 1))
    device.expect(wire.PUBREC, packet_id=1)
    server.kill()
    device = server.client("device", version=4, clean=True)
    device.publish(topic, payload("device-00", 1).encode(), qos=2)
    server.agent.stop()
    log_of(server.agent).check({"device-00": 2}, "the log")


def test_a_device_that_has_lost_its_state_may_use_the_identifiers_again_that_it_never_released(server):
    """It restarts in the middle of QoS 2 and counts from 1 again, in the session that it had; over a kill of the agent too."""
    topic = "bench/device-00/telemetry"
    watcher = server.client("watcher", clean=False, session_expiry_interval=600)
    watcher.subscribe("bench/#", qos=2)
    for number in (0, 1):
        device = server.client("device", version=4, clean=False)
        device.send(wire.publish(4, topic, payload("device-00", number).encode(), 2, 1))
        device.expect(wire.PUBREC, packet_id=1)
    server.kill()
    device = server.client("device", version=4, clean=False)
    again = wire.publish(4, topic, payload("device-00", 1).encode(), 2, 1, dup=True)
    device.send(again)  # that one it has had
    device.expect(wire.PUBREC, packet_id=1)
    device.publish(topic, payload("device-00", 2).encode(), qos=2)
    server.agent.stop()
    log_of(server.agent).check({"device-00": 3}, "the log")
    assert server.agent.count("the sender has lost its state") == 1
