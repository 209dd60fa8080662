"""CONNECT packets that a server must refuse."""
from ..client import MALFORMED, PROTOCOL_ERROR
from ..malformed import BAD_TEXTS, EITHER, bad, register
from ..wire import CONNECT, Will, binary, connect, four, packet, properties, text, two

TOPIC_NAME_INVALID, BAD_METHOD = 0x90, 0x8C
CLOSE = ()


def connects(v):
    will = Will("a/b")
    checked = {"v4": "3.1.4-1", "v5": "3.1.4-1"}

    def flags(name, bits, ids4, ids5, **options):
        return bad(name, connect(v, "c", set_flags=bits, **options), MALFORMED, ids4 + " 3.1.4-1", ids5 + " 3.1.4-1")

    yield flags("the reserved connect flag is set", 1, "3.1.2-3", "3.1.2-3")
    yield flags("will QoS 1 without a will", 0x08, "3.1.2-13 3.1.2-11", "3.1.2-11")
    yield flags("will QoS 2 without a will", 0x10, "3.1.2-13 3.1.2-11", "3.1.2-11")
    yield flags("will retain without a will", 0x20, "3.1.2-15 3.1.2-11", "3.1.2-13")
    yield flags("will QoS 3", 0x18, "3.1.2-14", "3.1.2-12", will=will)
    yield flags("a will is said to be there, but is not", 0x04, "3.1.2-9", "3.1.2-9")
    yield flags("a user name is said to be there, but is not", 0x80, "3.1.2-19", "3.1.2-17")
    yield flags("a password is said to be there, but is not", 0x40, "3.1.2-21", "3.1.2-19", user_name="u")
    yield bad("a will that the flags don't tell", connect(v, "c", will=will, clear_flags=0x04), MALFORMED,
              "3.1.2-11 3.1.4-1", "3.1.4-1")
    yield bad("a user name that the flags don't tell", connect(v, "c", user_name="u", clear_flags=0x80), MALFORMED,
              "3.1.2-18 3.1.4-1", "3.1.2-16 3.1.4-1")
    yield bad("a password that the flags don't tell",
              connect(v, "c", user_name="u", password=b"p", clear_flags=0x40), MALFORMED, "3.1.2-20 3.1.4-1",
              "3.1.2-18 3.1.4-1")
    if v == 4:
        yield bad("a password without a user name", connect(v, "c", password=b"p"), v4="3.1.2-22 3.1.4-1")
    for bits in (1, 2, 4, 8, 15):
        yield bad(f"flags {bits} of the fixed header", connect(v, "c", flags=bits), CLOSE, "2.2.2-1 2.2.2-2",
                  "2.1.3-1")
    yield bad("bytes after the end", packet(CONNECT, connect(v, "c")[2:] + b"x"), MALFORMED, **checked)
    yield bad("no client identifier", connect(v, "c", payload=b""), MALFORMED, "3.1.3-3 3.1.4-1", "3.1.3-3 3.1.4-1")
    yield bad("a client identifier that is cut off", connect(v, "c", payload=two(5) + b"abc"), MALFORMED, **checked)
    yield bad("a will topic that is cut off", connect(v, "c", set_flags=4, payload=text("c") + properties(v) + two(9)
                                                      + b"a"), MALFORMED, **checked)
    yield bad("a will payload that is cut off",
              connect(v, "c", set_flags=4, payload=text("c") + properties(v) + text("a") + two(9) + b"a"), MALFORMED,
              **checked)
    yield bad("a user name that is cut off", connect(v, "c", set_flags=0x80, payload=text("c") + two(9) + b"a"),
              MALFORMED, **checked)
    yield bad("a password that is cut off",
              connect(v, "c", set_flags=0xC0, payload=text("c") + text("u") + two(9) + b"a"), MALFORMED, **checked)
    whole = connect(v, "c")[2:]
    for size, what in ((0, "nothing"), (1, "half a length"), (4, "half the protocol name"), (6, "the protocol name")):
        yield bad(f"{what} and then the end", packet(CONNECT, whole[:size]), CLOSE, **checked)
    for size, what in ((7, "the protocol level"), (8, "the flags"), (9, "half the keep alive")):
        yield bad(f"{what} and then the end", packet(CONNECT, whole[:size]), MALFORMED, **checked)
    for name, value, ids4, ids5 in BAD_TEXTS:
        yield bad(f"{name} in the client identifier", connect(v, value), MALFORMED, ids4 + " 3.1.3-4",
                  ids5 + " 3.1.3-4")
    for name, value, ids4, ids5 in BAD_TEXTS[:4]:
        yield bad(f"{name} in the user name", connect(v, "c", user_name=value), MALFORMED, ids4 + " 3.1.3-11",
                  ids5 + " 3.1.3-12")
        yield bad(f"{name} in the will topic", connect(v, "c", will=Will(value)), MALFORMED, ids4 + " 3.1.3-10",
                  ids5 + " 3.1.3-11")
    for topic in ("#", "a/+", "a/#", "+"):
        yield bad(f"the will topic {topic}", connect(v, "c", will=Will(topic)), (*EITHER, TOPIC_NAME_INVALID),
                  "3.3.2-2 4.7.1-1", "3.3.2-2 4.7.0-1")
    yield bad("an empty will topic", connect(v, "c", will=Will("")), (*EITHER, TOPIC_NAME_INVALID), "4.7.3-1",
              "4.7.3-1")
    if v == 5:
        yield from properties_of_connect()
        yield from properties_of_the_will()


def properties_of_connect():
    def raw(name, data, reasons, ids=""):
        return bad(name, connect(5, "c", raw=data), reasons, v5=ids + " 3.1.4-1")

    once = {"session expiry": b"\x11" + four(1), "receive maximum": b"\x21" + two(1),
            "maximum packet size": b"\x27" + four(1000), "topic alias maximum": b"\x22" + two(1),
            "request response information": b"\x19\1", "request problem information": b"\x17\1"}
    for name, data in once.items():
        yield raw(f"{name} twice", data * 2, PROTOCOL_ERROR)
        yield raw(f"{name} that is cut off", data[:-1], MALFORMED)
    yield raw("authentication method twice", (b"\x15" + text("m")) * 2, (PROTOCOL_ERROR, BAD_METHOD))
    yield raw("authentication data without a method", b"\x16" + binary(b"x"), PROTOCOL_ERROR)
    yield raw("receive maximum 0", b"\x21" + two(0), PROTOCOL_ERROR)
    yield raw("maximum packet size 0", b"\x27" + four(0), PROTOCOL_ERROR)
    yield raw("request response information 2", b"\x19\2", PROTOCOL_ERROR)
    yield raw("request problem information 2", b"\x17\2", PROTOCOL_ERROR)
    yield raw("a property that nobody knows", b"\x2b\0", MALFORMED)
    yield raw("property 0", b"\0\0", MALFORMED)
    yield raw("a property identifier that has more bytes than it needs", b"\xa1\0" + two(1), MALFORMED, "1.5.5-1")
    misplaced = {"payload format indicator": b"\1\1", "topic alias": b"\x23" + two(1),
                 "reason string": b"\x1f" + text("r"), "subscription identifier": b"\x0b\1",
                 "will delay": b"\x18" + four(1), "maximum QoS": b"\x24\1",
                 "server keep alive": b"\x13" + two(9), "assigned client identifier": b"\x12" + text("x")}
    for name, data in misplaced.items():
        yield raw(f"{name} among the properties of CONNECT", data, EITHER)
    yield raw("U+0000 in the key of a user property", b"\x26" + text("\0") + text("v"), MALFORMED, "1.5.7-1 1.5.4-2")
    yield raw("a surrogate in the value of a user property", b"\x26" + text("k") + text(b"\xed\xa0\x80"), MALFORMED,
              "1.5.7-1 1.5.4-1")
    yield raw("a user property without a value", b"\x26" + text("k"), MALFORMED, "1.5.7-1")
    header = text("MQTT") + b"\5\2" + two(60)
    yield bad("a property length that reaches past the packet", packet(CONNECT, header + b"\x40" + text("c")),
              MALFORMED, v5="3.1.4-1")
    yield bad("a property length of five bytes", packet(CONNECT, header + b"\x80\x80\x80\x80\1" + text("c")),
              MALFORMED, v5="1.5.5-1")
    yield bad("a property length that has more bytes than it needs", packet(CONNECT, header + b"\x80\0" + text("c")),
              MALFORMED, v5="1.5.5-1")
    yield bad("no property length", packet(CONNECT, header), MALFORMED, v5="2.2.2-1 3.1.4-1")


def properties_of_the_will():
    def will(name, data, reasons, ids=""):
        payload = text("c") + properties(raw=data) + text("a/b") + binary(b"gone")
        return bad(name, connect(5, "c", set_flags=4, payload=payload), reasons, v5=ids + " 3.1.4-1")

    yield will("will delay twice", (b"\x18" + four(1)) * 2, PROTOCOL_ERROR)
    yield will("payload format indicator 2 of a will", b"\1\2", PROTOCOL_ERROR)
    yield will("payload format indicator twice in a will", b"\1\1\1\1", PROTOCOL_ERROR)
    yield will("message expiry twice in a will", (b"\2" + four(1)) * 2, PROTOCOL_ERROR)
    yield will("response topic with a wildcard in a will", b"\x08" + text("a/+"), EITHER, "3.3.2-14")
    yield will("a topic alias in a will", b"\x23" + two(1), EITHER)
    yield will("a session expiry in a will", b"\x11" + four(1), EITHER)
    yield will("a surrogate in the content type of a will", b"\3" + text(b"\xed\xa0\x80"), MALFORMED, "3.3.2-19")


register("malformed_connect", connects, connect=True)
