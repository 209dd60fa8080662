"""SUBSCRIBE and UNSUBSCRIBE: answers, matching, options, overlapping subscriptions, subscription identifiers."""
from ..registry import proves
from ..wire import PUBLISH, SUBACK, UNSUBACK, publish, subscribe, unsubscribe

NO_LOCAL = 0x04
NO_SUBSCRIPTION = 0x11


@proves(v3="", v4="3.8.4-1 3.8.4-2 3.8.4-5 3.9.3-1 3.9.3-2 2.3.1-7 3.8.4-4",
        v5="3.8.4-1 3.8.4-2 3.8.4-5 3.8.4-6 3.8.4-7 3.9.3-1 3.9.3-2 2.2.1-6")
def suback_has_a_code_for_each_filter_in_their_order(t):
    client = t.client()
    filters = [(t.new_topic(), qos) for qos in (2, 0, 1, 1, 0, 2)]
    for identifier in (1, 65535):
        client.send(subscribe(t.version, identifier, *filters))
        client.expect(SUBACK, packet_id=identifier, reasons=[2, 0, 1, 1, 0, 2])


@proves(v3="", v4="3.10.4-4 3.10.4-5 2.3.1-7 3.10.4-6")
def unsuback_comes_also_where_there_was_no_subscription(t):
    client = t.client()
    client.send(unsubscribe(t.version, 65535, t.new_topic(), t.new_topic()))
    client.expect(UNSUBACK, packet_id=65535, reasons=[])


@proves(v5="3.10.4-4 3.10.4-5 3.10.4-6 3.11.3-1 3.11.3-2 2.2.1-6")
def unsuback_has_a_code_for_each_filter_in_their_order(t):
    client = t.client()
    there = t.new_topic()
    client.subscribe(there)
    client.send(unsubscribe(5, 65535, t.new_topic(), there, there))
    client.expect(UNSUBACK, packet_id=65535, reasons=[NO_SUBSCRIPTION, 0, NO_SUBSCRIPTION])


@proves(v5="3.8.4-1 3.10.4-4")
def subscribe_and_unsubscribe_may_have_user_properties(t):
    client = t.client()
    client.subscribe("a/b", user_property=[("a", "1"), ("a", "2")], subscription_identifier=268_435_455)
    client.send(unsubscribe(5, 9, "a/b", user_property=[("a", "1"), ("a", "2")]))
    client.expect(UNSUBACK, packet_id=9, reasons=[0])


@proves(v3="", v4="3.10.4-2 3.10.4-1", v5="3.10.4-2 3.10.4-1")
def after_unsubscribe_nothing_more_comes(t):
    one, two = t.new_topic(), t.new_topic()
    client, publisher = t.client(), t.client()
    client.subscribe(one)
    client.subscribe(two)
    client.unsubscribe(one)
    publisher.publish(one, b"no more")
    publisher.publish(two, b"still")
    client.expect_message(two, b"still")
    client.expect_silence()


@proves(v4="3.10.4-1 4.7.3-4", v5="3.10.4-1 4.7.3-4")
def unsubscribe_takes_the_very_filter_only(t):
    base = t.new_topic()
    client, publisher = t.client(), t.client()
    client.subscribe(base + "/+")
    client.unsubscribe(base + "/a", base + "/#", base + "/+/", base.upper() + "/+", "+/#")
    publisher.publish(base + "/a", b"x")
    client.expect_message(base + "/a", b"x")


@proves(v4="3.10.4-3", v5="3.10.4-3")
def a_delivery_that_has_begun_is_completed_after_unsubscribe(t):
    topic = t.new_topic()
    client = t.subscriber(topic, 2)
    t.client().publish(topic, b"x", 2)
    message = client.expect_message(topic, b"x", acknowledge=False)
    client.unsubscribe(topic)
    client.acknowledge(message)
    client.expect_alive()


MATCHING = [  # the filter and the topics behind a common beginning: those that match, those that don't
    ("/a", ["/a"], ["", "/a/", "/a/b", "/A", "//a"]),
    ("/+", ["/a", "/"], ["", "/a/b", "/a/"]),
    ("/+/", ["/a/", "//"], ["/a", "/a/b"]),
    ("/+/b", ["/a/b", "//b"], ["/a/c", "/b", "/a/b/c"]),
    ("/+/+", ["/a/b", "//"], ["/a", "/a/b/c"]),
    ("/#", ["", "/", "/a", "/a/b/c", "/$a", "/a/"], []),
    ("/a/#", ["/a", "/a/", "/a/b"], ["/ab", "/b/a"]),
    ("/+/b/#", ["/a/b", "/a/b/c", "//b"], ["/b", "/a/c/b"]),
    ("/a//b", ["/a//b"], ["/a/b"]),
    ("/+/+/c", ["/a/b/c"], ["/a/c", "/a/b/d"]),
]


@proves(v3="", v4="3.3.2-3 4.7.1-2 4.7.1-3 4.7.3-4 4.7.1-1", v5="3.3.2-3 4.7.1-1 4.7.1-2 4.7.3-4 4.7.0-1")
def filters_match_as_the_standard_says(t):
    publisher = t.client()
    for ending, matching, others in MATCHING:
        base = t.new_topic()
        client = t.client()
        client.subscribe(base + ending)
        client.subscribe(base + "/the/end/of/it")
        for name in others + matching:
            publisher.publish(base + name, name.encode())
        publisher.publish(base + "/the/end/of/it", b"end")
        found = []
        while not found or found[-1] != base + "/the/end/of/it":
            found.append(client.expect(PUBLISH).topic)
        wanted = [base + name for name in matching] + [base + "/the/end/of/it"]
        assert found == wanted, f"{ending} got {found}, not {wanted}"


@proves(v4="4.7.2-1", v5="4.7.2-1")
def a_filter_that_begins_with_a_wildcard_gets_no_topic_that_begins_with_a_dollar(t):
    name = t.new_name()
    client, publisher, other = t.client(), t.client(), t.client()
    client.subscribe(f"+/{name}/#")
    other.subscribe(f"$x/{name}")
    publisher.publish(f"$x/{name}", b"hidden")
    publisher.publish(f"x/{name}", b"seen")
    client.expect_message(f"x/{name}", b"seen")
    found = []
    try:
        found = [other.receive(0.3)]
    except TimeoutError:
        pass  # a server may forbid such topics
    assert all(message.topic == f"$x/{name}" for message in found)


@proves(v4="4.7.2-1", v5="4.7.2-1")
def the_filter_that_matches_everything_gets_no_topic_that_begins_with_a_dollar(t):
    name = t.new_name()
    client, publisher = t.client(), t.client()
    client.subscribe("#")
    publisher.publish(f"$x/{name}", b"hidden")
    publisher.publish(f"x/{name}", b"seen")
    while True:  # the messages of other cases come too
        topic = client.expect(PUBLISH).topic
        assert not topic.startswith("$"), topic
        if topic == f"x/{name}":
            return


@proves(v3="", v4="3.8.4-3", v5="3.8.4-3")
def the_same_filter_again_replaces_the_subscription(t):
    topic = t.new_topic()
    client, publisher = t.client(), t.client()
    client.subscribe(topic, 2)
    client.subscribe(topic, 0)
    publisher.publish(topic, b"x", 1)
    client.expect_message(topic, b"x", qos=0)
    client.expect_silence()


@proves(v5="3.8.4-3 3.3.4-3")
def the_same_filter_again_replaces_its_options_and_identifier(t):
    topic = t.new_topic()
    client = t.client()
    client.subscribe(topic, 1, NO_LOCAL, subscription_identifier=1)
    client.subscribe(topic, 1, subscription_identifier=2)
    client.send(publish(5, topic, b"x"))
    client.expect_message(topic, b"x", properties={"subscription_identifier": [2]})
    client.subscribe(topic, 1)
    client.send(publish(5, topic, b"y"))
    client.expect_message(topic, b"y", properties={})


@proves(v3="", v4="3.3.5-1", v5="3.3.4-2")
def overlapping_subscriptions_get_one_message_with_the_highest_qos(t):
    topic = t.new_topic()
    client, publisher = t.client(), t.client()
    client.subscribe(topic + "/#", 0)
    client.subscribe(topic + "/+", 2)
    client.subscribe(topic + "/a", 1)
    publisher.publish(topic + "/a", b"x", 2)
    client.expect_message(topic + "/a", b"x", qos=2)
    client.expect_silence()


@proves(v5="3.3.4-3 3.3.4-4 3.3.4-2")
def one_message_has_the_identifiers_of_all_subscriptions_that_match(t):
    topic = t.new_topic()
    client, publisher = t.client(), t.client()
    client.subscribe(topic + "/#", 0, subscription_identifier=1)
    client.subscribe(topic + "/+", 1, subscription_identifier=268_435_455)
    client.subscribe(topic + "/a", 0)
    client.subscribe(topic + "/b", 0, subscription_identifier=3)
    publisher.publish(topic + "/a", b"x", 1)
    message = client.expect_message(topic + "/a", b"x", qos=1)
    assert sorted(message.properties["subscription_identifier"]) == [1, 268_435_455], message
    client.expect_silence()


@proves(v5="3.3.4-3")
def subscriptions_of_one_packet_share_its_identifier(t):
    base = t.new_topic()
    client, publisher = t.client(), t.client()
    client.send(subscribe(5, 1, (base + "/a", 0), (base + "/b", 0), subscription_identifier=128))
    client.expect(SUBACK)
    for name in ("/a", "/b"):
        publisher.publish(base + name, b"x")
        client.expect_message(base + name, b"x", properties={"subscription_identifier": [128]})


@proves(v5="3.8.3-3")
def no_local_keeps_ones_own_messages_away(t):
    topic = t.new_topic()
    client, other = t.client(), t.client()
    client.subscribe(topic, 1, NO_LOCAL)
    client.publish(topic, b"my own", 1)
    other.publish(topic, b"of another", 1)
    client.expect_message(topic, b"of another")
    client.expect_alive()


@proves(v3="", v4="4.5.0-1", v5="4.5.0-1")
def without_no_local_ones_own_messages_come_back(t):
    topic = t.new_topic()
    client = t.subscriber(topic)
    client.send(publish(t.version, topic, b"my own"))
    client.expect_message(topic, b"my own")


@proves(v4="3.8.3-2 3.8.4-5")
def filters_with_wildcards_are_supported(t):
    client = t.client()
    client.send(subscribe(4, 1, ("#", 0), ("+", 1), ("/", 2), ("a/+/#", 0), ("$SYS/+", 0)))
    client.expect(SUBACK, packet_id=1, reasons=[0, 1, 2, 0, 0])


@proves(v3="", v4="3.8.4-4", v5="3.8.4-5")
def a_hundred_filters_in_one_packet_are_as_many_subscriptions(t):
    base = t.new_topic()
    client, publisher = t.client(), t.client()
    client.send(subscribe(t.version, 1, *[(f"{base}/{i}", 1) for i in range(100)]))
    client.expect(SUBACK, packet_id=1, reasons=[1] * 100)
    for i in (0, 50, 99):
        publisher.publish(f"{base}/{i}", b"x", 1)
        client.expect_message(f"{base}/{i}", b"x", qos=1)
    client.send(unsubscribe(t.version, 2, *[f"{base}/{i}" for i in range(100)]))
    client.expect(UNSUBACK, packet_id=2)
    publisher.publish(f"{base}/50", b"x", 1)
    client.expect_silence()
