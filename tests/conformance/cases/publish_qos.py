"""PUBLISH to the server and from it: the three qualities of service, acknowledgements, order, topics."""
from ..registry import NotOffered, proves
from ..wire import PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, acknowledgement, packet, publish, two, varint

NOT_FOUND, NOT_AUTHORIZED, TOO_LARGE = 0x92, 0x87, 0x95


@proves(v3="", v4="3.3.4-1 3.3.2-3 4.3.1-1 2.3.1-5 3.3.1-2 4.5.0-1",
        v5="3.3.4-1 3.3.2-3 4.3.1-1 2.2.1-2 3.3.1-2 4.5.0-1")
def qos_0_is_delivered_and_not_acknowledged(t):
    topic = t.new_topic()
    subscriber, publisher = t.subscriber(topic), t.client()
    publisher.send(publish(t.version, topic, b"\0\xffany bytes"))
    subscriber.expect_message(topic, b"\0\xffany bytes", qos=0, dup=False, retain=False)
    publisher.expect_alive()


@proves(v3="", v4="3.3.4-1 4.3.2-2 2.3.1-6", v5="3.3.4-1 4.3.2-4 2.2.1-5 3.4.2-1")
def qos_1_is_acknowledged_by_puback_with_its_identifier(t):
    publisher = t.client()
    for identifier in (1, 2, 255, 256, 65535):
        publisher.send(publish(t.version, t.new_topic(), b"x", 1, identifier))
        assert publisher.expect(PUBACK, packet_id=identifier).reason in (0x00, 0x10)


@proves(v3="", v4="3.3.4-1 4.3.3-2 2.3.1-6", v5="3.3.4-1 4.3.3-8 4.3.3-11 2.2.1-5 3.5.2-1 3.7.2-1")
def qos_2_is_acknowledged_by_pubrec_and_pubcomp_with_its_identifier(t):
    publisher = t.client()
    for identifier in (1, 65535):
        publisher.send(publish(t.version, t.new_topic(), b"x", 2, identifier))
        assert publisher.expect(PUBREC, packet_id=identifier).reason in (0x00, 0x10)
        publisher.expect_silence()
        publisher.send(acknowledgement(PUBREL, identifier))
        publisher.expect(PUBCOMP, packet_id=identifier, reason=0)


@proves(v3="", v4="4.3.2-1 2.3.1-4 3.3.2-3", v5="4.3.2-1 4.3.2-2 4.3.2-3 2.2.1-4 3.3.2-3")
def qos_1_is_delivered_with_an_identifier_and_dup_0(t):
    topic = t.new_topic()
    subscriber = t.subscriber(topic, 1)
    t.client().publish(topic, b"x", 1)
    assert subscriber.expect_message(topic, b"x", qos=1, dup=False).packet_id > 0
    subscriber.expect_silence()


@proves(v3="", v4="4.3.3-1 2.3.1-4", v5="4.3.3-1 4.3.3-2 4.3.3-3 4.3.3-4 4.3.3-5 3.6.2-1")
def qos_2_is_delivered_in_four_packets(t):
    topic = t.new_topic()
    subscriber = t.subscriber(topic, 2)
    t.client().publish(topic, b"x", 2)
    message = subscriber.expect_message(topic, b"x", acknowledge=False, qos=2, dup=False)
    subscriber.send(acknowledgement(PUBREC, message.packet_id))
    subscriber.expect(PUBREL, packet_id=message.packet_id, reason=0)
    subscriber.send(acknowledgement(PUBCOMP, message.packet_id))
    subscriber.expect_silence()


@proves(v3="", v4="3.8.4-6", v5="3.8.4-8")
def a_message_comes_with_the_lower_of_both_qualities(t):
    publisher = t.client()
    for granted in (0, 1, 2):
        topic = t.new_topic()
        subscriber = t.subscriber(topic, granted)
        for sent in (0, 1, 2):
            publisher.publish(topic, b"x", sent)
            subscriber.expect_message(topic, b"x", qos=min(sent, granted))


@proves(v4="2.3.1-4", v5="2.2.1-4")
def identifiers_to_a_client_begin_at_1_and_go_up(t):
    topic = t.new_topic()
    subscriber, publisher = t.subscriber(topic, 1), t.client()
    for _ in range(5):
        publisher.publish(topic, b"x", 1)
    found = [subscriber.expect_message(topic, b"x", acknowledge=False).packet_id for _ in range(5)]
    assert found == [1, 2, 3, 4, 5], found


@proves(v4="2.3.1-4 4.3.2-1", v5="2.2.1-4 4.3.2-1")
def an_identifier_is_not_used_again_while_it_is_not_acknowledged(t):
    topic = t.new_topic()
    subscriber, publisher = t.subscriber(topic, 1), t.client()
    publisher.publish(topic, b"kept", 1)
    kept = subscriber.expect_message(topic, b"kept", acknowledge=False).packet_id
    for _ in range(20):
        publisher.publish(topic, b"x", 1)
        assert subscriber.expect_message(topic, b"x").packet_id != kept


@proves(v4="4.3.3-2", v5="4.3.3-10")
def a_qos_2_message_that_comes_again_before_pubrel_is_delivered_once(t):
    topic = t.new_topic()
    subscriber, publisher = t.subscriber(topic, 2), t.client()
    publisher.send(publish(t.version, topic, b"once", 2, 9))
    publisher.expect(PUBREC, packet_id=9)
    publisher.send(publish(t.version, topic, b"once", 2, 9, dup=True))
    assert publisher.expect(PUBREC, packet_id=9).reason < 0x80
    publisher.send(acknowledgement(PUBREL, 9))
    publisher.expect(PUBCOMP, packet_id=9)
    subscriber.expect_message(topic, b"once", qos=2)
    publisher.publish(topic, b"the next", 1)
    subscriber.expect_message(topic, b"the next")


@proves(v4="4.3.3-2", v5="4.3.3-12")
def after_pubcomp_the_same_identifier_is_a_new_message(t):
    topic = t.new_topic()
    subscriber, publisher = t.subscriber(topic, 2), t.client()
    for _ in range(3):
        publisher.send(publish(t.version, topic, b"again", 2, 9))
        publisher.expect(PUBREC, packet_id=9)
        publisher.send(acknowledgement(PUBREL, 9))
        publisher.expect(PUBCOMP, packet_id=9)
        subscriber.expect_message(topic, b"again")


@proves(v4="4.3.2-2", v5="4.3.2-5")
def after_puback_the_same_identifier_is_a_new_message_also_with_dup(t):
    topic = t.new_topic()
    subscriber, publisher = t.subscriber(topic, 1), t.client()
    for dup in (False, False, True):
        publisher.send(publish(t.version, topic, b"again", 1, 9, dup=dup))
        publisher.expect(PUBACK, packet_id=9)
        subscriber.expect_message(topic, b"again", dup=False)


@proves(v4="3.3.1-3", v5="3.3.1-3")
def the_dup_flag_of_a_publisher_is_not_passed_on(t):
    topic = t.new_topic()
    subscriber, publisher = t.subscriber(topic, 2), t.client()
    publisher.send(publish(t.version, topic, b"one", 1, 1, dup=True))
    subscriber.expect_message(topic, b"one", dup=False)
    publisher.expect(PUBACK)
    publisher.send(publish(t.version, topic, b"two", 2, 2, dup=True))
    publisher.expect(PUBREC)
    publisher.send(acknowledgement(PUBREL, 2))
    subscriber.expect_message(topic, b"two", dup=False)


@proves(v4="2.3.1-6 3.3.4-1", v5="4.3.3-11 3.7.2-1")
def pubrel_for_an_identifier_that_nobody_knows_is_answered(t):
    client = t.client()
    client.send(acknowledgement(PUBREL, 77))
    client.expect(PUBCOMP, packet_id=77, reason=NOT_FOUND if t.version == 5 else 0)
    client.expect_alive()


@proves(v5="4.3.3-11")
def pubrel_with_a_reason_and_properties_is_taken(t):
    client = t.client()
    client.send(publish(5, t.new_topic(), b"x", 2, 5))
    client.expect(PUBREC, packet_id=5)
    client.send(acknowledgement(PUBREL, 5, 0, reason_string="r", user_property=[("a", "b")]))
    client.expect(PUBCOMP, packet_id=5, reason=0)


@proves(v5="3.6.2-1")
def pubrec_that_nobody_waits_for_gets_pubrel(t):
    client = t.client()
    client.send(acknowledgement(PUBREC, 77))
    assert client.expect(PUBREL, packet_id=77).reason in (0, NOT_FOUND)


@proves(v4="4.8.0-1", v5="4.13.1-1")
def acknowledgements_that_nobody_waits_for_do_no_harm_or_end_the_connection(t):
    client = t.client()
    client.send(acknowledgement(PUBACK, 77), acknowledgement(PUBCOMP, 78), packet(12))
    found = client.receive()
    assert found.kind in (PINGRESP, 14), found
    t.client().expect_alive()


@proves(v5="4.4.0-2")
def a_failed_puback_ends_the_delivery(t):
    topic = t.new_topic()
    subscriber, publisher = t.client(**t.keeps_session()), t.client()
    subscriber.subscribe(topic, 1)
    publisher.publish(topic, b"refused", 1)
    message = subscriber.expect_message(topic, b"refused", acknowledge=False)
    subscriber.send(acknowledgement(PUBACK, message.packet_id, 0x80, reason_string="no"))
    subscriber.expect_alive()
    subscriber.disconnect()
    again = t.client(subscriber.client_id, **t.keeps_session())
    again.expect_silence()


@proves(v5="4.4.0-2 4.3.3-4")
def a_failed_pubrec_ends_the_delivery_without_pubrel(t):
    topic = t.new_topic()
    subscriber, publisher = t.subscriber(topic, 2), t.client()
    publisher.publish(topic, b"refused", 2)
    message = subscriber.expect_message(topic, b"refused", acknowledge=False)
    subscriber.send(acknowledgement(PUBREC, message.packet_id, 0x87))
    subscriber.expect_alive()
    publisher.publish(topic, b"the next", 1)
    subscriber.expect_message(topic, b"the next")


@proves(v4="4.6.0-2 4.6.0-3", v5="4.6.0-2 4.6.0-3")
def acknowledgements_come_in_the_order_of_arrival(t):
    publisher = t.client()
    # not more than any server takes at a time
    publisher.send(*[publish(t.version, t.new_topic(), b"x", 1, identifier) for identifier in (5, 3, 9, 1, 7)])
    assert [publisher.expect(PUBACK).packet_id for _ in range(5)] == [5, 3, 9, 1, 7]
    publisher.send(*[publish(t.version, t.new_topic(), b"x", 2, identifier) for identifier in (5, 3, 9, 1, 7)])
    assert [publisher.expect(PUBREC).packet_id for _ in range(5)] == [5, 3, 9, 1, 7]
    publisher.send(*[acknowledgement(PUBREL, identifier) for identifier in (5, 3, 9, 1, 7)])
    assert [publisher.expect(PUBCOMP).packet_id for _ in range(5)] == [5, 3, 9, 1, 7]


@proves(v4="4.6.0-5 4.6.0-6", v5="4.6.0-5 4.6.0-6")
def messages_are_delivered_in_the_order_of_their_publication(t):
    for qos in (0, 1, 2):
        topic = t.new_topic()
        subscriber, publisher = t.subscriber(topic, qos), t.client()
        for number in range(15):
            publisher.publish(topic, b"%d" % number, qos)
        for number in range(15):
            subscriber.expect_message(topic, b"%d" % number, acknowledge=qos < 2)


@proves(v4="4.6.0-4", v5="4.3.3-4")
def pubrel_comes_in_the_order_of_pubrec(t):
    topic = t.new_topic()
    subscriber, publisher = t.subscriber(topic, 2), t.client()
    for number in range(5):
        publisher.publish(topic, b"%d" % number, 2)
    found = [subscriber.expect_message(topic, b"%d" % number, acknowledge=False).packet_id for number in range(5)]
    order = [found[i] for i in (2, 0, 4, 1, 3)]
    subscriber.send(*[acknowledgement(PUBREC, identifier) for identifier in order])
    assert [subscriber.expect(PUBREL).packet_id for _ in range(5)] == order


@proves(v3="", v4="3.3.4-1", v5="3.3.4-1")
def an_empty_payload_is_a_message(t):
    topic = t.new_topic()
    subscriber = t.subscriber(topic)
    t.client().publish(topic, b"", 1)
    subscriber.expect_message(topic, b"")


@proves(v4="4.7.3-3", v5="4.7.3-3")
def a_topic_may_have_65535_bytes(t):
    topic = (t.new_topic() + "/").ljust(65535, "x")
    if t.client(version=5).connack.properties.get("maximum_packet_size", 1 << 20) < 70000:
        raise NotOffered("the server takes no packet of 70,000 bytes")
    subscriber = t.subscriber(topic)
    t.client().publish(topic, b"x", 1)
    subscriber.expect_message(topic, b"x")


@proves(v4="3.3.2-3 1.5.3-3 4.7.3-4", v5="3.3.2-3 1.5.4-3 4.7.3-4")
def a_topic_is_passed_on_as_it_is(t):
    publisher = t.client()
    for ending in ("/", "//", "/ a b /", "/\ufeff", "/Ä", "/A\u0308", "/😀", "/~!@$%^&*()", "/UPPER", "/upper"):
        topic = t.new_topic() + ending
        subscriber = t.subscriber(topic)
        publisher.publish(topic, b"x", 1)
        subscriber.expect_message(topic, b"x")


@proves(v4="3.3.4-1", v5="3.3.4-1")
def payloads_of_all_sizes_around_the_steps_of_the_length_arrive(t):
    topic = t.new_topic()
    subscriber, publisher = t.subscriber(topic), t.client()
    overhead = len(publish(t.version, topic)) - 2
    for total in (127, 128, 16383, 16384, 20000):
        payload = bytes(total - overhead)
        publisher.publish(topic, payload)
        subscriber.expect_message(topic, payload)


@proves(v5="3.2.2-15 4.13.1-1 4.13.2-1")
def a_packet_that_is_larger_than_the_server_takes_ends_the_connection(t):
    client = t.client()
    limit = client.connack.properties.get("maximum_packet_size")
    if limit is None or limit > 200_000_000:
        raise NotOffered("the server has no maximum packet size")
    topic = t.new_topic()
    client.send(packet(PUBLISH, length=varint(limit)))  # and the header's bytes
    client.send(two(len(topic)) + topic.encode())
    client.expect_end(TOO_LARGE)


@proves(v4="3.3.5-2")
def what_a_client_may_not_publish_is_acknowledged_and_dropped(t):
    _publish_denied(t, {1: 0, 2: 0})


@proves(v5="3.4.2-1 3.5.2-1 4.3.3-9")
def what_a_client_may_not_publish_is_refused(t):
    _publish_denied(t, {1: NOT_AUTHORIZED, 2: NOT_AUTHORIZED})


def _publish_denied(t, reasons):
    topic = t.server.denied_topic
    if not topic:
        raise NotOffered("no topic was named that nobody may publish to (--denied-topic)")
    subscriber, publisher = t.client(), t.client()
    subscriber.send(packet(8, two(1) + (b"\0" if t.version == 5 else b"") + two(len(topic)) + topic.encode() + b"\2"))
    subscriber.expect(9)
    for qos, reason in reasons.items():
        assert publisher.publish(topic, b"denied", qos).reason == reason
    subscriber.expect_silence()


@proves(v3="", v4="4.5.0-1", v5="4.5.0-1")
def clients_of_all_versions_get_each_others_messages(t):
    topic = t.new_topic()
    subscribers = []
    for version in (3, 4, 5):
        client = t.client(version=version)
        client.subscribe(topic, 1)
        subscribers.append(client)
    t.client().publish(topic, b"to all", 1)
    for subscriber in subscribers:
        subscriber.expect_message(topic, b"to all", qos=1)
