"""What outlives a connection: subscriptions, messages that wait, exchanges that were not completed."""
from ..registry import proves
from ..wire import PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, acknowledgement, publish


@proves(v3="", v4="3.2.2-2 3.2.2-3 3.1.2-4", v5="3.2.2-2 3.2.2-3 3.1.2-5 3.1.2-6 3.1.2-23")
def session_present_says_whether_there_was_one(t):
    told = (lambda connack: connack.session_present) if t.version > 3 else (lambda _: None)  # 3.1 has no such flag
    client = t.open()
    assert not told(client.connect(**t.keeps_session()))
    client.disconnect()
    client = t.open(client.client_id)
    assert told(client.connect(**t.keeps_session())) in (True, None)
    client.disconnect()


@proves(v3="", v4="3.1.2-5 3.1.2-4 4.1.0-1 4.5.0-1", v5="3.1.2-5 3.1.2-23 4.1.0-1 4.5.0-1")
def messages_wait_for_a_client_that_is_away(t):
    topic = t.new_topic()
    client, publisher = t.client(**t.keeps_session()), t.client()
    client.subscribe(topic, 2)
    client.disconnect()
    for number in range(10):
        publisher.publish(topic, b"%d" % number, 1 + number % 2)
    client = t.client(client.client_id, **t.keeps_session())
    for number in range(10):
        client.expect_message(topic, b"%d" % number, qos=1 + number % 2, dup=False, acknowledge=False)


@proves(v3="", v4="3.1.2-6 3.2.2-1", v5="3.1.2-4 3.2.2-2")
def a_clean_start_discards_the_session(t):
    topic = t.new_topic()
    client, publisher = t.client(**t.keeps_session()), t.client()
    client.subscribe(topic, 1)
    client.disconnect()
    publisher.publish(topic, b"waits", 1)
    client = t.open(client.client_id)
    assert not client.connect().session_present
    publisher.publish(topic, b"too", 1)
    client.expect_silence()
    client.disconnect()
    client = t.open(client.client_id)
    assert not client.connect(**t.keeps_session()).session_present


@proves(v3="", v4="3.1.2-6", v5="4.1.0-2")
def a_session_ends_with_its_connection_where_it_is_not_to_be_kept(t):
    topic = t.new_topic()
    client = t.client()
    client.subscribe(topic, 1)
    client.disconnect()
    t.client().publish(topic, b"to nobody", 1)
    client = t.open(client.client_id)
    assert not client.connect(clean=False).session_present
    client.expect_silence()


@proves(v4="4.1.0-2", v5="4.1.0-1")
def a_session_lasts_as_long_as_its_connection(t):
    topic = t.new_topic()
    client = t.client()
    client.subscribe(topic, 1)
    client.expect_silence(1)
    t.client().publish(topic, b"x", 1)
    client.expect_message(topic, b"x")


@proves(v4="3.1.2-4 4.1.0-1", v5="3.1.2-5 4.1.0-1")
def a_broken_connection_keeps_the_session_too(t):
    topic = t.new_topic()
    client = t.client(**t.keeps_session())
    client.subscribe(topic, 1)
    client.drop()
    t.client().publish(topic, b"waits", 1)
    t.client(client.client_id, **t.keeps_session()).expect_message(topic, b"waits", qos=1)


@proves(v3="", v4="4.4.0-1 3.3.1-1 2.3.1-3", v5="4.4.0-1 3.3.1-1")
def an_unacknowledged_message_is_sent_again_with_dup_and_its_identifier(t):
    topic = t.new_topic()
    for qos in (1, 2):
        client = t.client(**t.keeps_session())
        client.subscribe(topic, qos)
        t.client().publish(topic, b"x", qos)
        message = client.expect_message(topic, b"x", acknowledge=False, dup=False)
        client.drop()
        again = t.client(client.client_id, **t.keeps_session())
        again.expect_message(topic, b"x", qos=qos, dup=True, packet_id=message.packet_id)
        again.expect_alive()
        again.unsubscribe(topic)


@proves(v4="4.4.0-1 4.6.0-1 4.6.0-6", v5="4.4.0-1 4.6.0-1 4.6.0-6")
def unacknowledged_messages_are_sent_again_in_their_order(t):
    topic = t.new_topic()
    client, publisher = t.client(**t.keeps_session()), t.client()
    client.subscribe(topic, 2)
    for number in range(8):
        publisher.publish(topic, b"%d" % number, 1 + number % 2)
    sent = [client.expect_message(topic, b"%d" % number, acknowledge=False).packet_id for number in range(8)]
    client.drop()
    client = t.client(client.client_id, **t.keeps_session())
    for number in range(8):
        client.expect_message(topic, b"%d" % number, acknowledge=False, dup=True, packet_id=sent[number])


@proves(v3="", v4="4.4.0-1 4.3.3-1", v5="4.4.0-1 4.3.3-6 4.3.3-5")
def after_pubrec_it_is_pubrel_that_is_sent_again(t):
    topic = t.new_topic()
    client = t.client(**t.keeps_session())
    client.subscribe(topic, 2)
    t.client().publish(topic, b"x", 2)
    message = client.expect_message(topic, b"x", acknowledge=False)
    client.send(acknowledgement(PUBREC, message.packet_id))
    client.expect(PUBREL, packet_id=message.packet_id)
    client.drop()
    client = t.client(client.client_id, **t.keeps_session())
    client.expect(PUBREL, packet_id=message.packet_id)
    client.send(acknowledgement(PUBCOMP, message.packet_id))
    client.expect_alive()


@proves(v4="4.4.0-1", v5="4.4.0-1")
def nothing_is_sent_again_while_the_connection_lasts(t):
    topic = t.new_topic()
    client = t.subscriber(topic, 1)
    t.client().publish(topic, b"x", 1)
    client.expect_message(topic, b"x", acknowledge=False)
    client.expect_silence(1)


@proves(v4="4.4.0-1 4.3.2-1", v5="4.4.0-1 4.3.2-3")
def what_was_acknowledged_is_not_sent_again(t):
    topic = t.new_topic()
    client = t.client(**t.keeps_session())
    client.subscribe(topic, 2)
    publisher = t.client()
    for qos in (1, 2):
        publisher.publish(topic, b"x", qos)
        client.expect_message(topic, b"x", qos=qos)
    client.expect_alive()
    client.drop()
    t.client(client.client_id, **t.keeps_session()).expect_silence()


@proves(v3="", v4="4.3.3-2 4.1.0-1", v5="4.3.3-10 4.1.0-1")
def a_qos_2_message_that_comes_again_after_a_reconnect_is_delivered_once(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic, 2)
    client = t.client(**t.keeps_session())
    client.send(publish(t.version, topic, b"once", 2, 9))
    client.expect(PUBREC, packet_id=9)
    client.drop()
    client = t.client(client.client_id, **t.keeps_session())
    client.send(publish(t.version, topic, b"once", 2, 9, dup=True))
    client.expect(PUBREC, packet_id=9)
    client.send(acknowledgement(PUBREL, 9))
    client.expect(PUBCOMP, packet_id=9, reason=0)
    watcher.expect_message(topic, b"once")
    watcher.expect_silence()


@proves(v4="3.1.2-6", v5="3.1.2-4")
def a_clean_start_forgets_the_exchange_of_a_publisher(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic, 1)
    client = t.client(**t.keeps_session())
    client.send(publish(t.version, topic, b"first", 2, 9))
    client.expect(PUBREC, packet_id=9)
    client.drop()
    client = t.client(client.client_id)
    client.send(publish(t.version, topic, b"second", 2, 9))
    client.expect(PUBREC, packet_id=9)
    client.send(acknowledgement(PUBREL, 9))
    client.expect(PUBCOMP, packet_id=9, reason=0)
    message = watcher.expect(PUBLISH)
    if message.payload == b"first":  # it is the server's choice whether the first is delivered before its PUBREL
        message = watcher.expect(PUBLISH)
    assert message.payload == b"second", message


@proves(v4="3.1.2-4 4.1.0-1", v5="3.1.2-5 4.1.0-1")
def pubrel_may_come_after_a_reconnect(t):
    client = t.client(**t.keeps_session())
    client.send(publish(t.version, t.new_topic(), b"x", 2, 9))
    client.expect(PUBREC, packet_id=9)
    client.drop()
    client = t.client(client.client_id, **t.keeps_session())
    client.send(acknowledgement(PUBREL, 9))
    client.expect(PUBCOMP, packet_id=9, reason=0)


@proves(v5="3.1.2-5 3.3.4-3")
def a_session_keeps_options_and_identifiers_of_its_subscriptions(t):
    topic = t.new_topic()
    client = t.client(**t.keeps_session())
    client.subscribe(topic, 1, 0x08, subscription_identifier=77)
    client.disconnect()
    t.client().publish(topic, b"x", 1, retain=True)
    client = t.client(client.client_id, **t.keeps_session())
    client.expect_message(topic, b"x", retain=True, properties={"subscription_identifier": [77]})


@proves(v4="3.1.2-5", v5="3.1.2-5")
def unsubscribe_holds_for_the_session(t):
    topic = t.new_topic()
    client = t.client(**t.keeps_session())
    client.subscribe(topic, 1)
    client.unsubscribe(topic)
    client.disconnect()
    t.client().publish(topic, b"x", 1)
    t.client(client.client_id, **t.keeps_session()).expect_silence()


@proves(v4="3.1.3-2", v5="3.1.3-2")
def client_identifiers_are_told_apart_by_each_character(t):
    name = t.new_name()
    t.client(name + "a", **t.keeps_session()).disconnect()
    for other in ("A", "a ", "aa", ""):
        client = t.open(name + other)
        assert not client.connect(**t.keeps_session()).session_present, other


@proves(v4="4.3.2-1", v5="4.3.2-3")
def acknowledgements_may_come_in_any_order(t):
    topic = t.new_topic()
    client, publisher = t.subscriber(topic, 1), t.client()
    for number in range(5):
        publisher.publish(topic, b"%d" % number, 1)
    found = [client.expect_message(topic, b"%d" % number, acknowledge=False).packet_id for number in range(5)]
    client.send(*[acknowledgement(PUBACK, identifier) for identifier in reversed(found)])
    client.expect_alive()
    publisher.publish(topic, b"the next", 1)
    client.expect(PUBLISH, payload=b"the next")
