"""The end of sessions and of messages by time."""
import time

from ..registry import proves
from ..wire import PUBCOMP, PUBREC, PUBREL, Will, acknowledgement, disconnect, publish

FOR_EVER = 0xFFFFFFFF


def exists(t, name):
    client = t.open(name)
    found = client.connect(clean=False, session_expiry_interval=60).session_present
    client.close()
    return found


@proves(v5="4.1.0-2 3.1.2-23", seconds=2.2)
def a_session_ends_when_its_expiry_interval_is_over(t):
    topic = t.new_topic()
    client = t.client(session_expiry_interval=1)
    client.subscribe(topic, 1)
    client.disconnect()
    time.sleep(2.2)
    assert not exists(t, client.client_id)


@proves(v5="3.1.2-23 4.1.0-2")
def a_session_is_there_until_its_expiry_interval_is_over(t):
    for seconds in (30, FOR_EVER):
        client = t.client(session_expiry_interval=seconds)
        client.disconnect()
        assert exists(t, client.client_id)


@proves(v5="4.1.0-2")
def a_session_without_expiry_interval_ends_with_the_connection(t):
    for options in ({}, {"session_expiry_interval": 0}):
        client = t.client(**options)
        client.disconnect()
        assert not exists(t, client.client_id)


@proves(v5="4.1.0-1", seconds=2.2)
def a_session_does_not_expire_while_it_is_connected(t):
    topic = t.new_topic()
    client = t.client(session_expiry_interval=1)
    client.subscribe(topic, 1)
    client.expect_silence(2.2)
    t.client().publish(topic, b"x", 1)
    client.expect_message(topic, b"x")


@proves(v5="3.1.2-23")
def disconnect_can_change_the_expiry_interval(t):
    longer = t.client(session_expiry_interval=1)
    longer.disconnect(0, session_expiry_interval=60)
    shorter = t.client(session_expiry_interval=60)
    shorter.disconnect(0, session_expiry_interval=0)
    assert not exists(t, shorter.client_id)
    assert exists(t, longer.client_id)


@proves(v5="4.13.1-1")
def disconnect_can_not_make_a_session_last_that_was_to_end(t):
    client = t.client()
    client.send(disconnect(0, session_expiry_interval=60))
    client.expect_end(0x82)


@proves(v5="3.1.2-23", seconds=2.2)
def a_new_connection_sets_the_expiry_interval_anew(t):
    client = t.client(session_expiry_interval=1)
    client.disconnect()
    again = t.client(client.client_id, clean=False, session_expiry_interval=60)
    again.disconnect()
    time.sleep(2.2)
    assert exists(t, client.client_id)


@proves(v3="", v4="3.1.2-4 4.1.0-1", seconds=2)
def a_session_of_3_1_1_does_not_expire_soon(t):
    client = t.client(clean=False)
    topic = t.new_topic()
    client.subscribe(topic, 1)
    client.disconnect()
    time.sleep(2)
    t.client().publish(topic, b"x", 1)
    t.client(client.client_id, clean=False).expect_message(topic, b"x")


@proves(v5="3.3.2-5", seconds=2.2)
def a_message_that_expires_before_its_delivery_is_not_delivered(t):
    topic = t.new_topic()
    client, publisher = t.client(**t.keeps_session()), t.client()
    client.subscribe(topic, 2)
    client.disconnect()
    publisher.publish(topic, b"expires", 1, message_expiry_interval=1)
    publisher.publish(topic, b"expires", 2, message_expiry_interval=1)
    publisher.publish(topic, b"lasts", 1, message_expiry_interval=600)
    publisher.publish(topic, b"lasts for ever", 1)
    time.sleep(2.2)
    client = t.client(client.client_id, **t.keeps_session())
    client.expect_message(topic, b"lasts")
    client.expect_message(topic, b"lasts for ever")


@proves(v5="3.3.2-6")
def a_message_that_is_delivered_at_once_has_its_whole_interval(t):
    topic = t.new_topic()
    subscriber = t.subscriber(topic)
    t.client().publish(topic, b"x", 1, message_expiry_interval=100)
    found = subscriber.expect_message(topic, b"x").properties["message_expiry_interval"]
    assert found in (99, 100), found


@proves(v5="3.3.2-6", seconds=2.2)
def a_message_that_waited_has_the_rest_of_its_interval(t):
    topic = t.new_topic()
    client = t.client(**t.keeps_session())
    client.subscribe(topic, 1)
    client.disconnect()
    t.client().publish(topic, b"x", 1, message_expiry_interval=100)
    time.sleep(2.2)
    client = t.client(client.client_id, **t.keeps_session())
    found = client.expect_message(topic, b"x").properties["message_expiry_interval"]
    assert 95 <= found <= 98, found


@proves(v5="3.3.2-5 3.3.2-6", seconds=2.2)
def a_retained_message_expires(t):
    expires, lasts = t.new_topic(), t.new_topic()
    publisher = t.client()
    publisher.publish(expires, b"x", 1, retain=True, message_expiry_interval=1)
    publisher.publish(lasts, b"x", 1, retain=True, message_expiry_interval=100)
    time.sleep(2.2)
    t.subscriber(expires).expect_silence()
    found = t.subscriber(lasts).expect_message(lasts, b"x", retain=True).properties["message_expiry_interval"]
    assert 95 <= found <= 98, found


@proves(v5="4.3.3-7 4.4.0-1", seconds=2.2)
def a_message_that_was_sent_already_does_not_expire(t):
    topic = t.new_topic()
    client = t.client(**t.keeps_session())
    client.subscribe(topic, 2)
    t.client().publish(topic, b"x", 2, message_expiry_interval=1)
    message = client.expect_message(topic, b"x", acknowledge=False)
    client.drop()
    time.sleep(2.2)
    client = t.client(client.client_id, **t.keeps_session())
    client.expect_message(topic, b"x", packet_id=message.packet_id, dup=True)


@proves(v5="4.3.3-13", seconds=2.2)
def an_exchange_goes_to_its_end_also_where_its_message_has_expired(t):
    client = t.client()
    client.send(publish(5, t.new_topic(), b"x", 2, 5, message_expiry_interval=1))
    client.expect(PUBREC, packet_id=5)
    time.sleep(2.2)
    client.send(acknowledgement(PUBREL, 5))
    client.expect(PUBCOMP, packet_id=5, reason=0)


@proves(v5="3.3.2-6 3.1.2-8")
def a_will_can_expire_like_any_message(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    t.client(will=Will(topic, properties={"message_expiry_interval": 50})).drop()
    found = watcher.expect_message(topic, b"gone").properties["message_expiry_interval"]
    assert found in (49, 50), found
