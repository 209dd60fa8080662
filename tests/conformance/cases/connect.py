"""The first packets of a connection: what is let in, what is refused and how, PING and DISCONNECT."""
from ..client import MALFORMED, PROTOCOL_ERROR
from ..registry import proves
from ..wire import (CONNACK, DISCONNECT, PINGREQ, PINGRESP, SUBACK, Will, auth, connect, disconnect, packet, publish,
                    subscribe, unsubscribe)

IDENTIFIER_REJECTED = 2  # return codes of 3.1 and 3.1.1
UNSUPPORTED_VERSION, IDENTIFIER_NOT_VALID, BAD_METHOD, NOT_AUTHORIZED = 0x84, 0x85, 0x8C, 0x87


@proves(v3="", v4="3.1.4-4 3.2.0-1 7.1.1-1 7.0.0-2", v5="3.1.4-5 3.2.0-1 3.2.2-1 3.2.2-8 4.2.0-1 2.2.2-1")
def connect_is_answered_by_one_connack_and_then_silence(t):
    client = t.open()
    assert client.connect().connack_flags == 0
    client.expect_silence()


@proves(v5="3.2.0-2")
def a_connection_gets_one_connack_only(t):
    client = t.client()
    for _ in range(3):
        client.expect_alive()


@proves(v4="3.1.0-1 3.2.0-1", v5="3.1.0-1 3.2.0-1 3.14.0-1")
def a_connection_that_begins_with_another_packet_is_closed_without_an_answer(t):
    v = t.version
    for first in (packet(PINGREQ), publish(v, t.new_topic(), b"x"), subscribe(v, 1, ("a", 0)), unsubscribe(v, 1, "a"),
                  disconnect()):
        client = t.open()
        client.send(first)
        client.expect_closed()


@proves(v5="3.14.0-1")
def auth_before_connect_is_closed_without_an_answer(t):
    client = t.open()
    client.send(auth(0x18, authentication_method="m"))
    client.expect_closed()


@proves(v3="", v4="3.1.0-2 4.8.0-1", v5="3.1.0-2 4.13.1-1")
def a_second_connect_ends_the_connection(t):
    client = t.client()
    client.send(connect(t.version, client.client_id))
    client.expect_end(0x82)


@proves(v4="3.1.2-1")
def a_protocol_name_of_another_protocol_is_refused(t):
    for name in ("mqtt", "MQTTX", "", "HTTP"):
        client = t.open()
        client.send(connect(4, client.client_id, name=name))
        client.expect_any_end()


@proves(v5="3.1.2-1")
def a_wrong_protocol_name_is_refused(t):
    client = t.open()
    client.send(connect(5, client.client_id, name="MQTZ"))
    client.expect_any_end()


@proves(v4="3.1.2-2 3.2.2-5 3.2.2-4")
def a_protocol_level_that_nobody_knows_gets_return_code_1(t):
    for level in (0, 6, 127):
        client = t.open()
        client.send(connect(4, client.client_id, level=level))
        client.expect_refused(1, UNSUPPORTED_VERSION)


@proves(v5="3.1.2-2 3.2.2-6 3.2.2-7")
def a_protocol_version_that_nobody_knows_is_refused_as_unsupported(t):
    client = t.open()
    client.version = 4  # what it gets may be in the form of any version: the first four bytes say enough
    client.send(connect(5, client.client_id, level=6))
    client.expect_refused(1, UNSUPPORTED_VERSION)


@proves(v3="")
def a_connect_of_3_1_has_its_own_protocol_name(t):
    client = t.open()
    client.send(connect(3, client.client_id, name="MQTT"))
    client.expect_any_end()


@proves(v3="")
def a_client_identifier_of_more_than_23_characters_is_rejected(t):
    client = t.open()
    client.send(connect(3, "x" * 24))
    client.expect_refused(IDENTIFIER_REJECTED)


@proves(v3="")
def an_empty_client_identifier_is_rejected(t):
    client = t.open()
    client.send(connect(3, ""))
    client.expect_refused(IDENTIFIER_REJECTED)


@proves(v3="", v4="3.1.3-5 3.1.3-3 3.1.3-4", v5="3.1.3-5 3.1.3-3 3.1.3-4")
def client_identifiers_of_1_to_23_letters_and_digits_are_allowed(t):
    letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    letters = letters[20 * (t.version - 3):] + letters[:20 * (t.version - 3)]  # other names for each version
    for name in (letters[:23], letters[23:46], letters[46:], letters[0], letters[1]):
        t.client(name).disconnect()


@proves(v4="3.1.3-4 1.5.3-1 1.5.3-3", v5="3.1.3-4 1.5.4-3")
def a_client_identifier_may_have_any_characters_also_a_byte_order_mark(t):
    name = t.new_name()
    first = t.client(name + "ä€😀", **t.keeps_session())
    first.disconnect()
    with_mark = t.open("\ufeff" + name + "ä€😀")
    assert not with_mark.connect(**t.keeps_session()).session_present, "the byte order mark was skipped"
    with_mark.disconnect()
    again = t.open(name + "ä€😀")
    assert again.connect(**t.keeps_session()).session_present


@proves(v4="3.1.3-6")
def an_empty_client_identifier_gets_one_of_its_own(t):
    first, second = t.client(""), t.client("")
    first.expect_alive()
    second.expect_alive()


@proves(v5="3.1.3-6 3.1.3-7 3.2.2-16")
def an_empty_client_identifier_gets_an_assigned_one_that_can_be_used_again(t):
    first, second = t.client("", session_expiry_interval=60), t.client("")
    name = first.connack.properties["assigned_client_identifier"]
    other = second.connack.properties["assigned_client_identifier"]
    assert name and other and name != other
    first.disconnect()
    assert t.open(name).connect(clean=False).session_present


@proves(v5="3.1.3-6")
def an_empty_client_identifier_without_clean_start_gets_one_too(t):
    client = t.open("")
    connack = client.connect(clean=False)
    assert connack.properties["assigned_client_identifier"] and not connack.session_present


@proves(v5="3.1.3-7")
def a_client_that_has_an_identifier_is_assigned_none(t):
    assert "assigned_client_identifier" not in t.client().connack.properties


@proves(v4="3.1.3-7 3.1.3-8 3.1.3-9 3.2.2-4 3.2.2-5")
def an_empty_client_identifier_with_a_session_to_keep_gets_return_code_2(t):
    client = t.open()
    client.send(connect(4, "", clean=False))
    client.expect_refused(IDENTIFIER_REJECTED)


@proves(v4="3.1.4-5 3.2.2-5", v5="3.1.4-6 3.2.2-6 3.2.2-7 4.13.2-1")
def what_follows_a_refused_connect_is_not_processed(t):
    topic = t.new_topic()
    subscriber = t.subscriber(topic)
    client = t.open()
    if t.version == 5:
        wrong = connect(5, client.client_id, raw=b"\x21\0\0")  # receive maximum 0
    else:
        wrong = connect(4, "", clean=False)
    client.send(wrong, publish(t.version, topic, b"not from me"))
    client.expect_refused(0x82 if t.version == 5 else IDENTIFIER_REJECTED)
    t.client().publish(topic, b"the next")
    subscriber.expect_message(topic, b"the next")


@proves(v4="3.1.4-4", v5="3.1.4-5")
def packets_that_come_with_connect_are_processed_after_it(t):
    client = t.open()
    client.send(connect(t.version, client.client_id), subscribe(t.version, 7, ("a/b", 1)), packet(PINGREQ))
    client.expect(CONNACK, reason=0)
    client.expect(SUBACK, packet_id=7, reasons=[1])
    client.expect(PINGRESP)


@proves(v4="3.1.4-4", v5="3.1.4-5")
def a_packet_may_arrive_byte_by_byte(t):
    client = t.open()
    for byte in connect(t.version, client.client_id) + packet(PINGREQ):
        client.send(bytes([byte]))
    client.expect(CONNACK, reason=0)
    client.expect(PINGRESP)


@proves(v3="", v4="3.12.4-1", v5="3.12.4-1")
def pingreq_is_answered_by_pingresp(t):
    client = t.client()
    client.send(packet(PINGREQ) * 3)
    for _ in range(3):
        client.expect(PINGRESP)


@proves(v3="", v4="3.14.4-1 3.14.4-2", v5="3.14.4-1 3.14.4-2")
def after_disconnect_the_server_closes_and_takes_nothing_more(t):
    topic = t.new_topic()
    subscriber, client = t.subscriber(topic), t.client()
    client.send(disconnect(), publish(t.version, topic, b"too late"))
    client.expect_closed()
    t.client().publish(topic, b"the next")
    subscriber.expect_message(topic, b"the next")


@proves(v5="3.14.2-1 3.14.1-1")
def disconnect_may_have_every_reason_that_a_client_can_give(t):
    for reason in (0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99):
        client = t.client()
        client.disconnect(reason, reason_string="why", user_property=[("a", "b")])


@proves(v3="", v4="3.1.2-18 3.1.2-19 3.1.2-20 3.1.2-21 3.1.3-1 3.1.3-11 3.1.2-9 3.1.2-14",
        v5="3.1.2-16 3.1.2-17 3.1.2-18 3.1.2-19 3.1.3-1 3.1.3-11 3.1.3-12 3.1.2-9 3.1.2-12")
def connect_may_have_every_field(t):
    for qos in (0, 1, 2):
        will = Will(t.new_topic(), b"\0\xff", qos, retain=qos == 1)
        t.client(will=will, user_name="u", password=b"\0\xff").disconnect()
        t.client(will=will, user_name="u").disconnect()


@proves(v5="3.1.2-19")
def a_password_without_a_user_name_is_allowed(t):
    t.client(password=b"secret").disconnect()


@proves(v5="3.1.2-28")
def response_information_is_not_sent_unless_it_is_asked_for(t):
    assert "response_information" not in t.client(request_response_information=0).connack.properties
    assert "response_information" not in t.client().connack.properties


@proves(v5="3.1.4-5")
def connect_may_have_every_property(t):
    t.client(session_expiry_interval=1, receive_maximum=1, maximum_packet_size=1000, topic_alias_maximum=3,
             request_response_information=1, request_problem_information=1,
             user_property=[("a", "b"), ("a", "b")]).disconnect()


@proves(v5="4.12.0-1 4.12.0-4 3.2.2-7")
def an_authentication_method_that_is_not_supported_is_refused(t):
    client = t.open()
    client.send(connect(5, client.client_id, authentication_method="SCRAM-SHA-256", authentication_data=b"x"))
    client.expect_refused(BAD_METHOD, NOT_AUTHORIZED)


@proves(v5="4.12.0-6")
def without_an_authentication_method_connack_has_none_either(t):
    assert "authentication_method" not in t.client().connack.properties


@proves(v5="4.12.0-7 4.13.1-1")
def auth_without_an_authentication_method_is_a_protocol_error(t):
    for packet_in in (auth(0x18, authentication_method="m"), auth(0x19, authentication_method="m"), auth()):
        client = t.client()
        client.send(packet_in)
        client.expect_end(0x82)


@proves(v5="3.2.2-9 3.2.2-10")
def qos_2_is_offered(t):
    assert t.client().connack.properties.get("maximum_qos", 2) == 2
    t.subscriber(t.new_topic(), 2)


@proves(v5="")
def all_optional_features_are_offered(t):
    told = t.client().connack.properties
    for name in ("retain_available", "wildcard_subscription_available", "subscription_identifier_available",
                 "shared_subscription_available"):
        assert told.get(name, 1) == 1, name


@proves(v5="3.2.2-22")
def the_keep_alive_of_the_client_holds_unless_the_server_says_another(t):
    assert t.client(keep_alive=30).connack.properties.get("server_keep_alive", 30) == 30


@proves(v5="3.2.2-19 3.2.2-20 3.1.2-24")
def connack_fits_the_maximum_packet_size_of_the_client(t):
    small = t.open()
    small.send(connect(5, small.client_id, maximum_packet_size=60))
    assert small.expect(CONNACK).size <= 60


@proves(v5="3.14.2-2 3.14.2-3 3.14.2-4")
def disconnect_of_the_server_fits_the_maximum_packet_size_and_has_no_session_expiry(t):
    small = t.client(maximum_packet_size=60)
    small.send(packet(0))
    found = small.expect(DISCONNECT)
    assert found.reason in (MALFORMED, PROTOCOL_ERROR) and found.size <= 60
    assert "session_expiry_interval" not in found.properties
    small.expect_closed()
