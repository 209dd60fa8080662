"""Real MQTT clients with the agent's own listener, and the same with mosquitto: what fails with both is the test's fault.

Every topic is local here (`local_only`), so that clients publish to each other; one test looks at what is recorded.
"""
import itertools
import time

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from support.agent import listener_configuration
from support.audit import log_of
from support.devices import Fleet, payload
from support.mosquitto import is_listening
from support.mqtt_clients import LIBRARIES, Message, PahoClients
from support.processes import free_port, wait_until

VERSIONS = ["3.1.1", "5"]
QOS = [0, 1, 2]
ALL_QOS = list(itertools.product(QOS, QOS))
by_name = {"ids": lambda library: library.__name__}


def start_listener(new_agent, **options):
    """An agent with a listener, and the listener's port."""
    port = free_port()
    agent = new_agent(listener_configuration(port, **options)).start(wait_for=None)
    wait_until(lambda: is_listening(port) or not agent.process.is_running(), 20, agent.output)
    assert agent.process.is_running(), agent.output()
    return agent, port


@pytest.fixture(params=["mosquitto", "sluice"])
def port(request):
    """Of a server that gives each message to whoever has subscribed to it."""
    if request.param == "mosquitto":
        return request.getfixturevalue("mosquitto").port
    return start_listener(request.getfixturevalue("new_agent"), listener='local_only = ["#"]')[1]


@pytest.fixture
def subscribe(tmp_path, ends):
    """A function that subscribes with a library, until the test ends."""
    def subscriber(library, port, version, topic, qos, session=None):
        one = library.subscriber(port, version, topic, qos, tmp_path, session)
        ends(one.close)
        return one
    return subscriber


def wait_for_messages(subscriber, count):
    wait_until(lambda: len(subscriber.received()) >= count, 10, lambda: f"{count} messages: {subscriber.received()}")
    return subscriber.received()


@pytest.mark.parametrize("receiver", LIBRARIES, **by_name)
@pytest.mark.parametrize("sender", LIBRARIES, **by_name)
@pytest.mark.parametrize("from_version, to_version", itertools.product(VERSIONS, VERSIONS))
def test_a_message_arrives_with_the_lower_of_both_qos(port, subscribe, sender, receiver, from_version, to_version):
    for sent_qos, granted_qos in ALL_QOS:
        topic = f"plant/{sent_qos}/{granted_qos}"
        subscriber = subscribe(receiver, port, to_version, topic, granted_qos)
        sender.publish(port, from_version, topic, "21.5", sent_qos)
        arrived = wait_for_messages(subscriber, 1)
        assert arrived == [Message(topic, "21.5", min(sent_qos, granted_qos), False)]
        subscriber.close()


@pytest.mark.parametrize("library", LIBRARIES, **by_name)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", QOS)
def test_a_retained_message_waits_for_the_subscriber_until_it_is_cleared(port, subscribe, library, version, qos):
    library.publish(port, version, "plant/state", "on", qos, retain=True)
    early = subscribe(library, port, version, "plant/#", 2)
    assert wait_for_messages(early, 1) == [Message("plant/state", "on", qos, True)]
    PahoClients.publish(port, version, "plant/state", "", 1, retain=True)
    late = subscribe(library, port, version, "plant/#", 2)
    library.publish(port, version, "plant/other", "x", 1)
    assert [message.topic for message in wait_for_messages(late, 1)] == ["plant/other"]


@pytest.mark.parametrize("library", LIBRARIES, **by_name)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", [1, 2])
def test_a_session_keeps_messages_while_its_client_is_away(port, subscribe, library, version, qos):
    session = f"away-{version}-{qos}"
    subscribe(library, port, version, "plant/+/alarm", qos, session).close()
    for number in range(5):
        library.publish(port, version, "plant/7/alarm", str(number), qos)
    back = subscribe(library, port, version, "plant/+/alarm", qos, session)
    arrived = wait_for_messages(back, 5)
    assert [(message.payload, message.qos) for message in arrived] == [(str(number), qos) for number in range(5)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", QOS)
def test_a_will_is_published_when_a_connection_breaks(port, subscribe, version, qos):
    subscriber = subscribe(PahoClients, port, version, "plant/7/will", 2)
    client = PahoClients.new_client(version)
    client.will_set("plant/7/will", "gone", qos)
    PahoClients.connected(port, version, client)
    client.loop_stop()
    client.socket().close()  # no DISCONNECT
    assert wait_for_messages(subscriber, 1) == [Message("plant/7/will", "gone", qos, False)]


def test_properties_of_a_message_arrive_as_they_were_sent(port, subscribe):
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = [("unit", "°C"), ("unit", "K")]
    properties.ContentType = "text/plain"
    properties.ResponseTopic = "plant/answers"
    properties.CorrelationData = b"\x00\x01"
    subscriber = subscribe(PahoClients, port, "5", "plant/7/temperature", 1)
    PahoClients.publish(port, "5", "plant/7/temperature", "21.5", 1, properties=properties)
    wait_for_messages(subscriber, 1)
    arrived = subscriber.messages[0].properties
    assert arrived.UserProperty == properties.UserProperty
    assert (arrived.ContentType, arrived.ResponseTopic) == ("text/plain", "plant/answers")
    assert arrived.CorrelationData == b"\x00\x01"


@pytest.mark.parametrize("library", LIBRARIES, **by_name)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_has_left_gets_nothing(port, subscribe, library, version):
    gone = subscribe(library, port, version, "plant/#", 1)
    gone.close()
    stays = subscribe(library, port, version, "plant/#", 1)
    library.publish(port, version, "plant/7/alarm", "x", 1)
    wait_for_messages(stays, 1)
    time.sleep(0.2)
    assert gone.received() == []


@pytest.mark.parametrize("library", LIBRARIES, **by_name)
@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_route_takes_is_in_the_log_when_it_is_acknowledged(new_agent, library, version):
    agent, port = start_listener(new_agent, topic="plant/{device}/telemetry")
    for number, qos in enumerate([1, 2]):
        library.publish(port, version, "plant/device-00/telemetry", payload("device-00", number), qos)
    agent.kill()
    log_of(agent).check({"device-00": 2}, "the log")


@pytest.mark.parametrize("qos", [1, 2])
def test_twenty_devices_lose_nothing(new_agent, qos):
    agent, port = start_listener(new_agent, topic="plant/{device}/telemetry")
    ledger = Fleet(port, messages=5000, rate=100_000, qos=qos).ledger()
    agent.stop()
    log_of(agent).check(ledger, "the log")
