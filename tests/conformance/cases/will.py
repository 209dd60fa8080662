"""The will: published when a connection ends otherwise than by an orderly DISCONNECT."""
from ..registry import proves
from ..wire import Will, packet


@proves(v3="", v4="3.1.2-8 3.1.2-16", v5="3.1.2-7 3.1.2-8 3.1.2-14")
def a_will_is_published_when_the_connection_breaks(t):
    for qos in (0, 1, 2):
        topic = t.new_topic()
        watcher = t.subscriber(topic, 2)
        t.client(will=Will(topic, b"\0gone", qos)).drop()
        watcher.expect_message(topic, b"\0gone", qos=qos, retain=False)
        t.subscriber(topic).expect_silence()


@proves(v3="", v4="3.1.2-17", v5="3.1.2-15")
def a_will_can_be_retained(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    t.client(will=Will(topic, b"gone", 1, retain=True)).drop()
    watcher.expect_message(topic, b"gone", retain=False)
    t.subscriber(topic).expect_message(topic, b"gone", retain=True)


@proves(v3="", v4="3.1.2-10 3.14.4-3", v5="3.1.2-10 3.14.4-3")
def an_orderly_disconnect_discards_the_will(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    client = t.client(will=Will(topic))
    client.disconnect()
    watcher.expect_silence()


@proves(v5="3.1.2-8")
def disconnect_with_will_message_publishes_it(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    t.client(will=Will(topic)).disconnect(0x04)
    watcher.expect_message(topic, b"gone")


@proves(v5="3.1.2-8")
def disconnect_with_an_error_publishes_the_will(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    t.client(will=Will(topic)).disconnect(0x80)
    watcher.expect_message(topic, b"gone")


@proves(v4="3.1.2-8 4.8.0-1", v5="3.1.2-8 4.13.1-1")
def a_client_that_is_disconnected_for_an_error_leaves_its_will(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    client = t.client(will=Will(topic))
    client.send(packet(0))
    client.expect_end()
    watcher.expect_message(topic, b"gone")


@proves(v4="3.1.2-12 3.1.2-10", v5="3.1.2-10")
def a_connection_without_a_will_publishes_none_of_an_earlier_one(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    client = t.client(will=Will(topic), **t.keeps_session())
    client.drop()
    watcher.expect_message(topic, b"gone")
    again = t.client(client.client_id, **t.keeps_session())
    again.drop()
    watcher.expect_silence()


@proves(v4="3.1.2-9", v5="3.1.2-9")
def a_will_may_be_empty(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    t.client(will=Will(topic, b"")).drop()
    watcher.expect_message(topic, b"")


@proves(v5="3.1.3-10 3.3.2-17 3.3.2-18 3.3.2-4 3.3.2-15 3.3.2-16 3.3.2-20")
def a_will_has_its_properties(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    told = {"payload_format_indicator": 1, "content_type": "text/plain", "response_topic": "a/b",
            "correlation_data": b"\0\1", "user_property": [("k", "1"), ("j", "2"), ("k", "1")]}
    t.client(will=Will(topic, properties=told)).drop()
    watcher.expect_message(topic, b"gone", properties=told)


@proves(v5="3.1.2-8", seconds=1)
def a_will_waits_for_its_delay(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    t.client(session_expiry_interval=60, will=Will(topic, properties={"will_delay_interval": 1})).drop()
    watcher.expect_silence(0.7)
    watcher.expect_message(topic, b"gone")


@proves(v5="3.1.3-9", seconds=1.5)
def a_will_with_a_delay_is_not_published_where_the_client_comes_back(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    client = t.client(session_expiry_interval=60, will=Will(topic, properties={"will_delay_interval": 1}))
    client.drop()
    t.client(client.client_id, clean=False, session_expiry_interval=60)
    watcher.expect_silence(1.5)


@proves(v5="3.1.2-8", seconds=1)
def a_delay_ends_with_the_session(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    t.client(session_expiry_interval=1, will=Will(topic, properties={"will_delay_interval": 600})).drop()
    watcher.expect_silence(0.7)
    watcher.expect_message(topic, b"gone")


@proves(v5="3.1.2-8")
def a_delay_is_nothing_where_the_session_ends_with_the_connection(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    t.client(will=Will(topic, properties={"will_delay_interval": 600})).drop()
    watcher.expect_message(topic, b"gone", timeout=1)


@proves(v5="3.1.2-8 3.1.2-4")
def a_clean_start_ends_the_session_and_publishes_the_will_that_waits(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    client = t.client(session_expiry_interval=60, will=Will(topic, properties={"will_delay_interval": 600}))
    client.drop()
    watcher.expect_silence()
    t.client(client.client_id, clean=True)
    watcher.expect_message(topic, b"gone")


@proves(v5="3.1.2-8 3.1.3-9")
def a_will_with_a_delay_is_not_published_when_the_session_is_taken_over(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    client = t.client(session_expiry_interval=60, will=Will(topic, properties={"will_delay_interval": 600}))
    t.client(client.client_id, clean=False, session_expiry_interval=60)
    client.expect_end(0x8E)
    watcher.expect_silence()
