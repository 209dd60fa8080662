"""A client identifier that is connected twice."""
from ..registry import proves
from ..wire import Will


@proves(v3="", v4="3.1.4-2 3.1.3-2", v5="3.1.4-3 3.1.3-2 3.14.4-2")
def the_connection_before_is_ended(t):
    first = t.client()
    second = t.client(first.client_id)
    first.expect_end(0x8E)
    second.expect_alive()


@proves(v4="3.1.4-3 3.2.2-2", v5="3.1.4-4 3.2.2-3")
def the_session_goes_on_at_the_new_connection(t):
    topic = t.new_topic()
    first = t.client(**t.keeps_session())
    first.subscribe(topic, 1)
    second = t.open(first.client_id)
    assert second.connect(**t.keeps_session()).session_present
    first.expect_end(0x8E)
    t.client().publish(topic, b"to the new one", 1)
    second.expect_message(topic, b"to the new one", qos=1)


@proves(v4="3.1.4-3 3.2.2-1", v5="3.1.4-4 3.1.2-4")
def a_clean_start_takes_nothing_over(t):
    topic = t.new_topic()
    first = t.client(**t.keeps_session())
    first.subscribe(topic, 1)
    second = t.open(first.client_id)
    assert not second.connect().session_present
    first.expect_end(0x8E)
    t.client().publish(topic, b"to nobody", 1)
    second.expect_silence()


@proves(v4="3.1.2-8 3.1.4-2", v5="3.1.2-8 3.1.4-3")
def the_will_of_the_connection_before_is_published(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    first = t.client(will=Will(topic, b"taken over"))
    t.client(first.client_id)
    watcher.expect_message(topic, b"taken over")


@proves(v4="4.4.0-1", v5="4.4.0-1")
def what_the_connection_before_has_not_acknowledged_is_sent_again(t):
    topic = t.new_topic()
    first = t.client(**t.keeps_session())
    first.subscribe(topic, 1)
    t.client().publish(topic, b"m", 1)
    message = first.expect_message(topic, b"m", acknowledge=False, dup=False)
    second = t.open(first.client_id)
    assert second.connect(**t.keeps_session()).session_present
    second.expect_message(topic, b"m", qos=1, dup=True, packet_id=message.packet_id)


@proves(v4="3.1.4-2", v5="3.1.4-3")
def an_identifier_may_be_taken_over_by_another_version(t):
    first = t.client()
    second = t.client(first.client_id, version=4 if t.version == 5 else 5)
    first.expect_end(0x8E)
    second.expect_alive()


@proves(v4="3.1.4-2", v5="3.1.4-3")
def one_identifier_that_is_fought_over_leaves_the_last_connection(t):
    name = t.new_name()
    clients = [t.client(name) for _ in range(10)]
    for client in clients[:-1]:
        client.expect_end(0x8E)
    clients[-1].expect_alive()
