"""Receive Maximum and Maximum Packet Size, both ways."""
from ..registry import NotOffered, proves
from ..wire import PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, acknowledgement, publish

DEFAULT_RECEIVE_MAXIMUM = 65535


@proves(v5="3.3.4-9 4.9.0-1 4.9.0-2")
def the_server_sends_no_more_than_the_receive_maximum_of_the_client(t):
    topic = t.new_topic()
    for qos in (1, 2):
        subscriber, publisher = t.client(receive_maximum=2), t.client()
        subscriber.subscribe(topic, qos)
        for number in range(5):
            publisher.publish(topic, b"%d" % number, qos)
        first = subscriber.expect_message(topic, b"0", acknowledge=False)
        subscriber.expect_message(topic, b"1", acknowledge=False)
        subscriber.expect_silence()
        if qos == 1:
            subscriber.send(acknowledgement(PUBACK, first.packet_id))
        else:
            subscriber.send(acknowledgement(PUBREC, first.packet_id))
            subscriber.expect(PUBREL)
            subscriber.expect_silence()  # the exchange is not over yet
            subscriber.send(acknowledgement(PUBCOMP, first.packet_id))
        subscriber.expect_message(topic, b"2", acknowledge=False)
        subscriber.expect_silence()


@proves(v5="4.9.0-2 3.3.4-9")
def a_failed_pubrec_makes_room_too(t):
    topic = t.new_topic()
    subscriber, publisher = t.client(receive_maximum=1), t.client()
    subscriber.subscribe(topic, 2)
    publisher.publish(topic, b"refused", 2)
    publisher.publish(topic, b"the next", 2)
    message = subscriber.expect_message(topic, b"refused", acknowledge=False)
    subscriber.send(acknowledgement(PUBREC, message.packet_id, 0x80))
    subscriber.expect_message(topic, b"the next")


@proves(v5="4.9.0-3 3.3.4-10")
def other_packets_go_on_while_nothing_more_may_be_sent(t):
    topic = t.new_topic()
    subscriber, publisher = t.client(receive_maximum=1), t.client()
    subscriber.subscribe(topic, 1)
    for number in range(3):
        publisher.publish(topic, b"%d" % number, 1)
    subscriber.expect_message(topic, b"0", acknowledge=False)
    subscriber.expect_alive()
    subscriber.subscribe(t.new_topic(), 2)
    subscriber.publish(t.new_topic(), b"x", 1)
    subscriber.publish(t.new_topic(), b"x", 2)


@proves(v5="4.9.0-2")
def qos_0_is_not_counted(t):
    topic, other = t.new_topic(), t.new_topic()
    subscriber, publisher = t.client(receive_maximum=1), t.client()
    subscriber.subscribe(topic, 1)
    subscriber.subscribe(other, 0)
    publisher.publish(topic, b"fills it", 1)
    subscriber.expect_message(topic, b"fills it", acknowledge=False)
    for _ in range(3):
        publisher.publish(other, b"x")
        subscriber.expect_message(other, b"x")


@proves(v5="3.3.4-9 4.4.0-1")
def the_receive_maximum_holds_for_what_waited_and_what_is_sent_again(t):
    topic = t.new_topic()
    client, publisher = t.client(**t.keeps_session()), t.client()
    client.subscribe(topic, 1)
    for number in range(5):
        publisher.publish(topic, b"%d" % number, 1)
    for number in range(5):
        client.expect_message(topic, b"%d" % number, acknowledge=False)
    client.drop()
    client = t.client(client.client_id, receive_maximum=2, **t.keeps_session())
    first = client.expect_message(topic, b"0", acknowledge=False)
    client.expect_message(topic, b"1", acknowledge=False)
    client.expect_silence()
    client.acknowledge(first)
    client.expect_message(topic, b"2")


@proves(v5="3.3.4-7 4.13.1-1")
def a_client_that_exceeds_the_receive_maximum_of_the_server_is_disconnected(t):
    client = t.client()
    limit = client.connack.properties.get("receive_maximum", DEFAULT_RECEIVE_MAXIMUM)
    if limit > 1000:
        raise NotOffered("the server has no receive maximum of its own")
    topic = t.new_topic()
    client.send(*[publish(5, topic, b"x", 2, identifier) for identifier in range(1, limit + 1)])
    for identifier in range(1, limit + 1):
        client.expect(PUBREC, packet_id=identifier)
    client.expect_alive()
    client.send(publish(5, topic, b"x", 2, limit + 1))
    client.expect_end(0x93)


@proves(v5="3.3.4-7")
def as_many_as_the_receive_maximum_of_the_server_are_taken_again_and_again(t):
    client = t.client()
    limit = min(client.connack.properties.get("receive_maximum", DEFAULT_RECEIVE_MAXIMUM), 100)
    for _ in range(3):
        client.send(*[publish(5, t.new_topic(), b"x", 2, identifier) for identifier in range(1, limit + 1)])
        for identifier in range(1, limit + 1):
            client.expect(PUBREC, packet_id=identifier)
        client.send(*[acknowledgement(PUBREL, identifier) for identifier in range(1, limit + 1)])
        for identifier in range(1, limit + 1):
            client.expect(PUBCOMP, packet_id=identifier)


@proves(v4="3.3.4-1 4.3.3-2")
def a_client_of_3_1_1_may_have_many_exchanges_open(t):
    client = t.client()
    for identifier in range(1, 16):
        client.send(publish(4, t.new_topic(), b"x", 2, identifier))
        client.expect(PUBREC, packet_id=identifier)
    for identifier in range(1, 16):
        client.send(acknowledgement(PUBREL, identifier))
        client.expect(PUBCOMP, packet_id=identifier)


@proves(v5="3.1.2-24 3.1.2-25")
def a_message_that_is_too_large_for_the_client_is_left_out(t):
    topic = t.new_topic()
    for qos in (0, 1, 2):
        subscriber, publisher = t.client(maximum_packet_size=100), t.client()
        subscriber.subscribe(topic, qos)
        overhead = len(publish(5, topic, b"", qos, 1 if qos else None))
        for size in (100 - overhead + 1, 1000):
            publisher.publish(topic, bytes(size), qos)
        publisher.publish(topic, bytes(100 - overhead), qos)
        found = subscriber.expect(PUBLISH)
        assert found.size == 100, f"a PUBLISH of {found.size} bytes came"
        subscriber.acknowledge(found)
        subscriber.expect_alive()


@proves(v5="3.1.2-25 3.3.4-9")
def a_message_that_was_left_out_takes_no_room(t):
    topic = t.new_topic()
    for qos in (1, 2):
        subscriber, publisher = t.client(maximum_packet_size=100, receive_maximum=1), t.client()
        subscriber.subscribe(topic, qos)
        for payload in (bytes(1000), bytes(2000), b"fits"):
            publisher.publish(topic, payload, qos)
        subscriber.expect_message(topic, b"fits")


@proves(v5="3.1.2-24 3.4.2-2 3.4.2-3 3.5.2-2 3.5.2-3 3.6.2-2 3.6.2-3 3.7.2-2 3.7.2-3 3.9.2-1 3.9.2-2 3.11.2-1 3.11.2-2")
def acknowledgements_fit_the_maximum_packet_size_of_the_client(t):
    client = t.client(maximum_packet_size=20)
    client.send(publish(5, "x", b"", 1, 1))
    assert client.expect(PUBACK).size <= 20
    client.send(publish(5, "x", b"", 2, 2), acknowledgement(PUBREL, 2), acknowledgement(PUBREL, 3))
    for kind in (PUBREC, PUBCOMP, PUBCOMP):
        assert client.expect(kind).size <= 20
    client.send(acknowledgement(PUBREC, 3))
    assert client.expect(PUBREL).size <= 20
    assert client.subscribe("x").size <= 20
    assert client.unsubscribe("x", "y").size <= 20


@proves(v5="3.1.2-29")
def without_problem_information_only_three_packets_have_reason_strings(t):
    client = t.client(request_problem_information=0)
    client.send(publish(5, t.new_topic(), b"", 1, 1), acknowledgement(PUBREL, 3))
    found = [client.expect(PUBACK), client.expect(PUBCOMP), client.subscribe("x"), client.unsubscribe("y")]
    assert not any(packet_in.properties for packet_in in found), [str(each) for each in found]
