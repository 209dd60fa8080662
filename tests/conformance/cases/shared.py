"""Shared subscriptions: each message goes to one of the sessions that share."""
from ..client import QUIET, Closed
from ..registry import proves
from ..wire import PUBACK, PUBLISH, UNSUBACK, acknowledgement, unsubscribe


def shared(t, topic_filter, name=None):
    return f"$share/{name or t.new_name()}/{topic_filter}"


def drain(client):
    """All messages that are there."""
    found = []
    while True:
        try:
            message = client.receive(QUIET)
        except (TimeoutError, Closed):
            return found
        assert message.kind == PUBLISH, message
        client.acknowledge(message)
        found.append(message.payload)


@proves(v5="4.8.2-1 4.8.2-3")
def each_message_goes_to_one_of_those_who_share(t):
    topic = t.new_topic()
    share = shared(t, topic)
    clients = [t.subscriber(share, 1) for _ in range(3)]
    publisher = t.client()
    sent = [b"%d" % number for number in range(12)]
    for payload in sent:
        publisher.publish(topic, payload, 1)
    found = [drain(client) for client in clients]
    assert sorted(sum(found, []), key=int) == sent, found
    assert sum(1 for each in found if each) > 1, f"one of three got all messages: {found}"


@proves(v5="4.8.2-1")
def shares_of_other_names_and_plain_subscriptions_get_their_own_copy(t):
    topic = t.new_topic()
    clients = [t.subscriber(shared(t, topic)), t.subscriber(shared(t, topic)), t.subscriber(topic)]
    t.client().publish(topic, b"x", 1)
    for client in clients:
        client.expect_message(topic, b"x")
        client.expect_silence()


@proves(v5="4.8.2-2")
def a_share_may_have_wildcards_in_its_filter(t):
    base = t.new_topic()
    client = t.subscriber(shared(t, base + "/+/c"))
    other = t.subscriber(shared(t, base + "/#"))
    t.client().publish(base + "/b/c", b"x", 1)
    client.expect_message(base + "/b/c", b"x")
    other.expect_message(base + "/b/c", b"x")


@proves(v5="4.8.2-3 3.8.4-8")
def each_of_those_who_share_has_a_quality_of_its_own(t):
    topic = t.new_topic()
    share = shared(t, topic)
    low, high = t.subscriber(share, 0), t.subscriber(share, 1)
    t.client().publish(topic, b"x", 1)
    found = None
    for qos, client in ((0, low), (1, high)):
        try:
            found = client.receive(QUIET)
        except TimeoutError:
            continue
        assert found.qos == qos, found
    assert found


@proves(v5="3.3.1-9")
def a_share_gets_no_retained_messages(t):
    topic = t.new_topic()
    t.client().publish(topic, b"x", 1, retain=True)
    t.subscriber(shared(t, topic)).expect_silence()


@proves(v5="3.10.4-1 3.10.4-4")
def a_share_is_left_by_its_whole_filter(t):
    topic = t.new_topic()
    share = shared(t, topic)
    leaves, stays, publisher = t.subscriber(share), t.subscriber(share), t.client()
    leaves.send(unsubscribe(5, 5, topic, share))
    leaves.expect(UNSUBACK, packet_id=5, reasons=[0x11, 0])
    for number in range(4):
        publisher.publish(topic, b"%d" % number)
    for number in range(4):
        stays.expect_message(topic, b"%d" % number)
    leaves.expect_silence()


@proves(v5="4.5.0-1")
def a_share_is_left_with_the_session(t):
    topic = t.new_topic()
    share = shared(t, topic)
    leaves, stays, publisher = t.subscriber(share, 1), t.subscriber(share, 1), t.client()
    leaves.disconnect()
    for number in range(4):
        publisher.publish(topic, b"%d" % number, 1)
    for number in range(4):
        stays.expect_message(topic, b"%d" % number)


@proves(v5="4.8.2-6")
def a_message_that_one_of_a_share_refuses_goes_to_no_other(t):
    topic = t.new_topic()
    share = shared(t, topic)
    clients = [t.subscriber(share, 1) for _ in range(2)]
    t.client().publish(topic, b"x", 1)
    refused = 0
    for client in clients:
        try:
            message = client.receive(QUIET)
        except TimeoutError:
            continue
        client.send(acknowledgement(PUBACK, message.packet_id, 0x80))
        refused += 1
    assert refused == 1, refused
    for client in clients:
        client.expect_silence()


@proves(v5="4.8.2-4 4.8.2-5")
def a_qos_2_message_that_was_sent_to_one_of_a_share_stays_with_its_session(t):
    topic = t.new_topic()
    share = shared(t, topic)
    first = t.client(**t.keeps_session())
    first.subscribe(share, 2)
    t.client().publish(topic, b"x", 2)
    message = first.expect_message(topic, b"x", acknowledge=False)
    second = t.subscriber(share, 2)
    first.drop()
    second.expect_silence()
    again = t.client(first.client_id, **t.keeps_session())
    again.expect_message(topic, b"x", acknowledge=False, dup=True, packet_id=message.packet_id)
    again.disconnect(0, session_expiry_interval=0)
    second.expect_silence()


@proves(v5="3.3.4-3")
def a_shared_subscription_has_its_identifier(t):
    topic = t.new_topic()
    client = t.client()
    client.subscribe(shared(t, topic), subscription_identifier=9)
    t.client().publish(topic, b"x", 1)
    client.expect_message(topic, b"x", properties={"subscription_identifier": [9]})


@proves(v5="4.8.2-1")
def a_share_and_a_plain_subscription_of_one_client_both_deliver(t):
    topic = t.new_topic()
    client = t.subscriber(topic)
    client.subscribe(shared(t, topic))
    t.client().publish(topic, b"x", 1)
    client.expect_message(topic, b"x")
    client.expect_message(topic, b"x")
