"""Topic aliases, both ways."""
from ..registry import NotOffered, proves
from ..wire import PUBACK, PUBLISH, publish


def client_with_aliases(t):
    client = t.client()
    limit = client.connack.properties.get("topic_alias_maximum", 0)
    if limit == 0:
        raise NotOffered("the server takes no topic aliases")
    return client, limit


@proves(v5="3.3.2-12 3.2.2-17")
def every_alias_up_to_the_maximum_of_the_server_is_taken(t):
    client, limit = client_with_aliases(t)
    base = t.new_topic()
    subscriber = t.subscriber(base + "/#", 1)
    for alias in {1, 2, limit}:
        client.publish(f"{base}/{alias}", b"first", 1, topic_alias=alias)
        subscriber.expect_message(f"{base}/{alias}", b"first", properties={})
    for alias in {1, 2, limit}:
        client.publish("", b"by alias", 1, topic_alias=alias)
        subscriber.expect_message(f"{base}/{alias}", b"by alias", properties={})


@proves(v5="3.3.2-12")
def an_alias_can_be_given_to_another_topic(t):
    client, _ = client_with_aliases(t)
    base = t.new_topic()
    subscriber = t.subscriber(base + "/#")
    for name in ("a", "b"):
        client.publish(f"{base}/{name}", b"x", topic_alias=1)
        client.publish("", b"y", topic_alias=1)
        subscriber.expect_message(f"{base}/{name}", b"x")
        subscriber.expect_message(f"{base}/{name}", b"y")


@proves(v5="3.3.2-9 3.2.2-17 3.2.2-18 4.13.1-1")
def an_alias_above_the_maximum_of_the_server_ends_the_connection(t):
    client = t.client()
    limit = client.connack.properties.get("topic_alias_maximum", 0)
    if limit == 65535:
        raise NotOffered("the server takes every alias")
    client.send(publish(5, t.new_topic(), b"x", 1, 1, topic_alias=limit + 1))
    client.expect_end(0x94)


@proves(v5="3.3.2-8 4.13.1-1")
def an_alias_of_0_ends_the_connection(t):
    client = t.client()
    client.send(publish(5, t.new_topic(), b"x", 1, 1, topic_alias=0))
    client.expect_end(0x94)


@proves(v5="3.3.2-7 4.13.1-1")
def an_alias_that_stands_for_nothing_yet_ends_the_connection(t):
    client, _ = client_with_aliases(t)
    client.send(publish(5, "", b"x", 1, 1, topic_alias=1))
    client.expect_end(0x82, 0x94)


@proves(v5="3.3.2-7")
def aliases_end_with_the_connection_also_where_the_session_goes_on(t):
    client, _ = client_with_aliases(t)
    name = t.new_name()
    client = t.client(name, **t.keeps_session())
    client.publish(t.new_topic(), b"x", 1, topic_alias=1)
    client.disconnect()
    client = t.client(name, **t.keeps_session())
    client.send(publish(5, "", b"x", 1, 1, topic_alias=1))
    client.expect_end(0x82, 0x94)


@proves(v5="3.3.2-7")
def each_client_has_aliases_of_its_own(t):
    one, _ = client_with_aliases(t)
    other = t.client()
    base = t.new_topic()
    subscriber = t.subscriber(base + "/#")
    one.publish(base + "/one", b"x", 1, topic_alias=1)
    other.publish(base + "/other", b"x", 1, topic_alias=1)
    one.publish("", b"of one", 1, topic_alias=1)
    for topic, payload in (("/one", b"x"), ("/other", b"x"), ("/one", b"of one")):
        subscriber.expect_message(base + topic, payload)


@proves(v5="3.1.2-27 3.3.2-11")
def a_client_that_takes_no_aliases_gets_none(t):
    topic = t.new_topic()
    publisher = t.client()
    for options in ({}, {"topic_alias_maximum": 0}):
        subscriber = t.client(**options)
        subscriber.subscribe(topic)
        for _ in range(3):
            publisher.publish(topic, b"x")
            subscriber.expect_message(topic, b"x", properties={})


@proves(v5="3.1.2-26 3.3.2-11 3.3.2-8 3.3.2-7")
def a_client_gets_no_alias_above_its_maximum_and_none_that_stands_for_nothing(t):
    base = t.new_topic()
    subscriber, publisher = t.client(topic_alias_maximum=2), t.client()
    subscriber.subscribe(base + "/#")
    known = {}
    for number in range(12):
        topic = f"{base}/{number % 4}"
        publisher.publish(topic, b"%d" % number)
        message = subscriber.expect(PUBLISH, payload=b"%d" % number)
        alias = message.properties.get("topic_alias")
        assert alias is None or 1 <= alias <= 2, message
        if alias and message.topic:
            known[alias] = message.topic
        assert (message.topic or known[alias]) == topic, message


@proves(v5="3.3.2-12")
def an_alias_works_for_every_quality_and_for_retained_messages(t):
    client, _ = client_with_aliases(t)
    topic = t.new_topic()
    client.publish(topic, b"0", 0, topic_alias=1)
    client.publish("", b"2", 2, topic_alias=1)
    client.send(publish(5, "", b"1", 1, 9, retain=True, topic_alias=1))
    client.expect(PUBACK, packet_id=9)
    t.subscriber(topic).expect_message(topic, b"1", retain=True)
