"""Properties of a PUBLISH that pass from the publisher to the subscribers."""
from ..registry import proves
from ..wire import PUBACK, publish


def passed_on(t, **told):
    topic = t.new_topic()
    subscriber = t.subscriber(topic, 2)
    t.client().publish(topic, b"x", 1, **told)
    subscriber.expect_message(topic, b"x", properties=told)


@proves(v5="3.3.2-4")
def the_payload_format_indicator_is_passed_on(t):
    passed_on(t, payload_format_indicator=1)
    passed_on(t, payload_format_indicator=0)


@proves(v5="3.3.2-13 3.3.2-15 3.3.2-16")
def response_topic_and_correlation_data_are_passed_on(t):
    passed_on(t, response_topic="answers/ä/" + t.new_name(), correlation_data=bytes(range(256)))
    passed_on(t, response_topic="/", correlation_data=b"")


@proves(v5="3.3.2-19 3.3.2-20")
def the_content_type_is_passed_on(t):
    passed_on(t, content_type="application/senml+json; ä")
    passed_on(t, content_type="")


@proves(v5="3.3.2-17 3.3.2-18 1.5.7-1")
def user_properties_are_passed_on_in_their_order(t):
    passed_on(t, user_property=[("b", "2"), ("a", "1"), ("b", "1"), ("a", "1"), ("", ""), ("ä", "\ufeff😀")])
    passed_on(t, user_property=[(f"k{i % 7}", str(i)) for i in range(200)])


@proves(v5="2.2.2-1 3.3.2-17")
def a_message_without_properties_comes_without_properties(t):
    passed_on(t)


@proves(v5="3.3.2-17")
def properties_reach_subscribers_of_every_quality(t):
    told = {"content_type": "c", "user_property": [("a", "b")], "correlation_data": b"\0"}
    topic = t.new_topic()
    subscribers = [t.subscriber(topic, qos) for qos in (0, 1, 2)]
    publisher = t.client()
    for qos in (0, 1, 2):
        publisher.publish(topic, b"x", qos, **told)
        for granted, subscriber in enumerate(subscribers):
            subscriber.expect_message(topic, b"x", qos=min(qos, granted), properties=told)


@proves(v5="3.3.2-15 3.3.2-16 3.3.2-17 3.3.2-20")
def properties_outlive_a_wait_in_the_session(t):
    told = {"payload_format_indicator": 1, "content_type": "c", "response_topic": "r", "correlation_data": b"\0",
            "user_property": [("a", "b"), ("a", "a")]}
    topic = t.new_topic()
    client = t.client(**t.keeps_session())
    client.subscribe(topic, 1)
    client.disconnect()
    t.client().publish(topic, b"x", 1, **told)
    t.client(client.client_id, **t.keeps_session()).expect_message(topic, b"x", properties=told)


@proves(v5="3.3.2-3")
def a_subscriber_of_3_1_1_gets_the_message_without_its_properties(t):
    topic = t.new_topic()
    subscriber = t.client(version=4)
    subscriber.subscribe(topic, 1)
    t.client().publish(topic, b"x", 1, user_property=[("a", "b")], content_type="c", message_expiry_interval=60)
    subscriber.expect_message(topic, b"x", qos=1)


@proves(v4="3.3.2-3")
def a_subscriber_of_5_gets_a_message_of_3_1_1_without_properties(t):
    topic = t.new_topic()
    subscriber = t.client(version=5)
    subscriber.subscribe(topic, 1)
    t.client().publish(topic, b"x", 1)
    subscriber.expect_message(topic, b"x", qos=1, properties={})


@proves(v5="3.4.2-1")
def a_payload_that_is_not_the_text_that_it_says_is_passed_on_or_refused(t):
    publisher = t.client()
    publisher.send(publish(5, t.new_topic(), b"\xff\xfe", 1, 1, payload_format_indicator=1))
    assert publisher.expect(PUBACK).reason in (0x00, 0x10, 0x99)
