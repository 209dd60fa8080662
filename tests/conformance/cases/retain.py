"""Retained messages: stored, replaced, removed, sent to whoever subscribes."""
from ..registry import proves
from ..wire import SUBACK, subscribe

RETAIN_AS_PUBLISHED = 0x08
ONLY_IF_NEW, NEVER = 0x10, 0x20  # retain handling


@proves(v3="", v4="3.3.1-5 3.3.1-6 3.3.1-8", v5="3.3.1-5 3.3.1-9")
def the_last_retained_message_is_sent_to_a_new_subscription(t):
    publisher = t.client()
    for qos in (0, 1, 2):
        topic = t.new_topic()
        publisher.publish(topic, b"old", 1, retain=True)
        publisher.publish(topic, b"new", qos, retain=True)
        publisher.expect_alive()
        subscriber = t.subscriber(topic, 2)
        subscriber.expect_message(topic, b"new", qos=qos, retain=True, dup=False)
        subscriber.expect_silence()


@proves(v4="3.3.1-7")
def a_retained_message_of_qos_0_replaces_the_one_before(t):
    topic = t.new_topic()
    publisher = t.client()
    publisher.publish(topic, b"old", 1, retain=True)
    publisher.publish(topic, b"new", 0, retain=True)
    publisher.expect_alive()
    t.subscriber(topic, 1).expect_message(topic, b"new", qos=0, retain=True)


@proves(v3="", v4="3.3.1-6 3.8.4-6", v5="3.3.1-9 3.8.4-8")
def retained_messages_of_all_topics_that_match_are_sent(t):
    base = t.new_topic()
    publisher = t.client()
    for name in ("/a", "/b", "/c/d"):
        publisher.publish(base + name, name.encode(), 2, retain=True)
    subscriber = t.subscriber(base + "/#", 1)
    found = {}
    for _ in range(3):
        message = subscriber.expect(3, retain=True, qos=1)
        subscriber.acknowledge(message)
        found[message.topic] = message.payload
    assert found == {base + name: name.encode() for name in ("/a", "/b", "/c/d")}
    subscriber.expect_silence()


@proves(v3="", v4="3.3.1-9", v5="3.3.1-12")
def what_comes_by_a_subscription_that_was_there_is_not_marked_as_retained(t):
    topic = t.new_topic()
    subscriber = t.subscriber(topic)
    t.client().publish(topic, b"x", retain=True)
    subscriber.expect_message(topic, b"x", retain=False)


@proves(v5="3.3.1-13")
def retain_as_published_keeps_the_flag(t):
    topic = t.new_topic()
    subscriber, publisher = t.subscriber(topic, 0, RETAIN_AS_PUBLISHED), t.client()
    for retain in (True, False):
        publisher.publish(topic, b"x", retain=retain)
        subscriber.expect_message(topic, b"x", retain=retain)


@proves(v3="", v4="3.3.1-10 3.3.1-11", v5="3.3.1-6 3.3.1-7")
def an_empty_retained_message_is_delivered_and_removes_the_one_before(t):
    topic = t.new_topic()
    early, publisher = t.subscriber(topic), t.client()
    publisher.publish(topic, b"x", 1, retain=True)
    publisher.publish(topic, b"", 1, retain=True)
    early.expect_message(topic, b"x")
    early.expect_message(topic, b"", retain=False)
    t.subscriber(topic).expect_silence()


@proves(v3="", v4="3.3.1-12", v5="3.3.1-8")
def a_message_without_the_flag_neither_replaces_nor_removes_a_retained_one(t):
    topic = t.new_topic()
    publisher = t.client()
    publisher.publish(topic, b"not kept", 1)
    t.subscriber(topic).expect_silence()
    publisher.publish(topic, b"kept", 1, retain=True)
    publisher.publish(topic, b"other", 1)
    publisher.publish(topic, b"", 1)
    subscriber = t.subscriber(topic)
    subscriber.expect_message(topic, b"kept", retain=True)
    subscriber.expect_silence()


@proves(v4="3.1.2-7", v5="3.3.1-5")
def retained_messages_outlive_the_session_of_their_publisher(t):
    topic = t.new_topic()
    publisher = t.client()
    publisher.publish(topic, b"x", 1, retain=True)
    publisher.disconnect()
    t.client(publisher.client_id).disconnect()
    t.subscriber(topic).expect_message(topic, b"x", retain=True)


@proves(v3="", v4="3.8.4-3")
def a_subscription_that_is_replaced_gets_the_retained_messages_again(t):
    _again(t)


@proves(v5="3.8.4-4 3.3.1-9")
def retain_handling_0_sends_retained_messages_at_each_subscribe(t):
    _again(t)


def _again(t):
    topic = t.new_topic()
    t.client().publish(topic, b"x", 1, retain=True)
    subscriber = t.client()
    for _ in range(2):
        subscriber.subscribe(topic)
        subscriber.expect_message(topic, b"x", retain=True)


@proves(v5="3.3.1-10")
def retain_handling_1_sends_retained_messages_to_a_new_subscription_only(t):
    topic = t.new_topic()
    t.client().publish(topic, b"x", 1, retain=True)
    subscriber = t.client()
    subscriber.subscribe(topic, 0, ONLY_IF_NEW)
    subscriber.expect_message(topic, b"x", retain=True)
    subscriber.subscribe(topic, 1, ONLY_IF_NEW)
    subscriber.expect_silence()
    subscriber.unsubscribe(topic)
    subscriber.subscribe(topic, 0, ONLY_IF_NEW)
    subscriber.expect_message(topic, b"x", retain=True)


@proves(v5="3.3.1-11")
def retain_handling_2_sends_no_retained_messages(t):
    topic = t.new_topic()
    t.client().publish(topic, b"x", 1, retain=True)
    subscriber = t.client()
    subscriber.subscribe(topic, 0, NEVER)
    subscriber.expect_silence()


@proves(v5="3.3.4-3")
def a_retained_message_has_the_identifier_of_the_new_subscription(t):
    topic = t.new_topic()
    t.client().publish(topic, b"x", 1, retain=True)
    subscriber = t.client()
    subscriber.subscribe(topic, subscription_identifier=5)
    subscriber.expect_message(topic, b"x", retain=True, properties={"subscription_identifier": [5]})


@proves(v5="3.3.1-9 3.3.2-15 3.3.2-16 3.3.2-17 3.3.2-20 3.3.2-4")
def a_retained_message_keeps_its_properties(t):
    topic = t.new_topic()
    told = {"payload_format_indicator": 1, "content_type": "text/plain", "response_topic": "a/b",
            "correlation_data": b"\0\1", "user_property": [("k", "1"), ("k", "2")]}
    t.client().publish(topic, b"x", 1, retain=True, **told)
    t.subscriber(topic).expect_message(topic, b"x", retain=True, properties=told)


@proves(v4="3.3.1-6", v5="3.3.1-9")
def suback_comes_for_all_filters_and_each_gets_its_retained_messages(t):
    one, other = t.new_topic(), t.new_topic()
    publisher, subscriber = t.client(), t.client()
    publisher.publish(one, b"x", 1, retain=True)
    publisher.publish(other, b"x", 1, retain=True)
    subscriber.send(subscribe(t.version, 1, (one, 0), (other, 0)))
    found = [subscriber.receive() for _ in range(3)]
    assert sorted(each.topic for each in found) == sorted(["", one, other])
    assert [each.packet_id for each in found if each.kind == SUBACK] == [1]
