"""PUBLISH packets that a server must refuse, and acknowledgements."""
from ..client import MALFORMED, PROTOCOL_ERROR
from ..malformed import BAD_TEXTS, EITHER, bad, register
from ..wire import (FLAGS, NAMES, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, acknowledgement, binary, four, packet,
                    properties, publish, text, two)

TOPIC_NAME_INVALID = 0x90


def publishes(v):
    yield bad("QoS 3", publish(v, "a", b"x", 3, 1), MALFORMED, "3.3.1-4", "3.3.1-4")
    yield bad("DUP with QoS 0", publish(v, "a", b"x", dup=True), EITHER, "3.3.1-2", "3.3.1-2")
    for qos in (1, 2):
        yield bad(f"packet identifier 0 with QoS {qos}", publish(v, "a", b"x", qos, 0), EITHER, "2.3.1-1", "2.2.1-3")
        yield bad(f"no packet identifier with QoS {qos}", packet(PUBLISH, text("a"), qos << 1), MALFORMED, "2.3.1-1",
                  "2.2.1-3")
        yield bad(f"half a packet identifier with QoS {qos}", packet(PUBLISH, text("a") + b"\1", qos << 1), MALFORMED)
    yield bad("an empty packet", packet(PUBLISH), MALFORMED, "3.3.2-1", "3.3.2-1")
    yield bad("half a length of the topic", packet(PUBLISH, b"\0"), MALFORMED, "3.3.2-1", "3.3.2-1")
    yield bad("a topic that is cut off", packet(PUBLISH, two(9) + b"a"), MALFORMED, "3.3.2-1", "3.3.2-1")
    yield bad("an empty topic", publish(v, "", b"x"), (*EITHER, TOPIC_NAME_INVALID), "4.7.3-1 3.3.2-1",
              "4.7.3-1 3.3.2-1")
    for topic in ("#", "+", "a/#", "a/+", "a/+/b", "a+", "a#b", "/#"):
        yield bad(f"the topic {topic}", publish(v, topic, b"x", 1, 1), (*EITHER, TOPIC_NAME_INVALID),
                  "3.3.2-2 4.7.1-1", "3.3.2-2 4.7.0-1")
    for name, value, ids4, ids5 in BAD_TEXTS:
        yield bad(f"{name} in the topic", publish(v, value, b"x"), (*EITHER, TOPIC_NAME_INVALID), ids4 + " 3.3.2-1",
                  ids5 + " 3.3.2-1")
    if v == 5:
        yield from properties_of_publish()


def properties_of_publish():
    def raw(name, data, reasons, ids=""):
        return bad(name, publish(5, "a", b"x", 1, 1, raw=data), reasons, v5=ids)

    once = {"payload format indicator": b"\1\1", "message expiry": b"\2" + four(1), "content type": b"\3" + text("c"),
            "response topic": b"\x08" + text("r"), "correlation data": b"\x09" + binary(b"d"),
            "topic alias": b"\x23" + two(1)}
    for name, data in once.items():
        yield raw(f"{name} twice", data * 2, PROTOCOL_ERROR)
        # as the last thing in the packet, so that no byte of the payload can be taken for it
        yield bad(f"{name} that is cut off", packet(PUBLISH, text("a") + properties(raw=data[:-1])), MALFORMED)
    yield raw("payload format indicator 2", b"\1\2", EITHER)
    yield raw("a response topic with +", b"\x08" + text("a/+"), (*EITHER, TOPIC_NAME_INVALID), "3.3.2-14")
    yield raw("a response topic with #", b"\x08" + text("#"), (*EITHER, TOPIC_NAME_INVALID), "3.3.2-14")
    yield raw("a surrogate in the response topic", b"\x08" + text(b"\xed\xa0\x80"), MALFORMED, "3.3.2-13 1.5.4-1")
    yield raw("a surrogate in the content type", b"\3" + text(b"\xed\xa0\x80"), MALFORMED, "3.3.2-19 1.5.4-1")
    yield raw("U+0000 in the content type", b"\3" + text("\0"), MALFORMED, "3.3.2-19 1.5.4-2")
    yield raw("a subscription identifier", b"\x0b\1", EITHER, "3.3.4-6")
    yield raw("U+0000 in the key of a user property", b"\x26" + text("\0") + text("v"), MALFORMED, "1.5.7-1 1.5.4-2")
    yield raw("an overlong slash in the value of a user property", b"\x26" + text("k") + text(b"\xc0\xaf"), MALFORMED,
              "1.5.7-1 1.5.4-1")
    yield raw("a property that nobody knows", b"\x7f\0", MALFORMED)
    yield raw("property 0", b"\0", MALFORMED)
    misplaced = {"session expiry": b"\x11" + four(1), "receive maximum": b"\x21" + two(1),
                 "reason string": b"\x1f" + text("r"), "will delay": b"\x18" + four(1), "maximum QoS": b"\x24\1",
                 "authentication method": b"\x15" + text("m"), "server reference": b"\x1c" + text("s")}
    for name, data in misplaced.items():
        yield raw(f"{name}, which PUBLISH doesn't have", data, EITHER)
    yield bad("no property length", packet(PUBLISH, text("a")), MALFORMED, v5="2.2.2-1")
    yield bad("a property length that reaches past the packet", packet(PUBLISH, text("a") + b"\x09x"), MALFORMED)
    yield bad("a property length of five bytes", packet(PUBLISH, text("a") + b"\x80\x80\x80\x80\1x"), MALFORMED,
              v5="1.5.5-1")
    yield bad("a property length that has more bytes than it needs", packet(PUBLISH, text("a") + b"\x80\0x"), MALFORMED,
              v5="1.5.5-1")
    yield bad("an empty topic without an alias", publish(5, "", b"x", 1, 1), EITHER, v5="3.3.2-1 4.7.3-1")


def acknowledgements(v):
    for kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
        name = NAMES[kind]
        own = {PUBREL: "3.6.1-1"}.get(kind, "")
        for flags in {0, 1, 2, 3, 4, 8, 10, 15} - {FLAGS.get(kind, 0)}:
            yield bad(f"{name} with the flags {flags}", acknowledgement(kind, 1, flags=flags), MALFORMED,
                      f"2.2.2-1 2.2.2-2 {own}", f"2.1.3-1 {own}")
        yield bad(f"{name} with packet identifier 0", acknowledgement(kind, 0), EITHER)
        yield bad(f"{name} without a packet identifier", packet(kind), MALFORMED)
        yield bad(f"{name} with half a packet identifier", packet(kind, b"\1"), MALFORMED)
        if v == 4:
            yield bad(f"{name} with a byte after its end", packet(kind, two(1) + b"\0"))
            continue
        reason_id = {PUBACK: "3.4.2-1", PUBREC: "3.5.2-1", PUBREL: "3.6.2-1", PUBCOMP: "3.7.2-1"}[kind]
        for reason in (0x01, 0x7F, 0x93, 0xFF, 0x92 if kind in (PUBACK, PUBREC) else 0x80):
            yield bad(f"{name} with the reason code 0x{reason:02x}", acknowledgement(kind, 1, reason), EITHER,
                      v5=reason_id)
        head = two(1) + b"\0"
        yield bad(f"{name} with a reason string twice", packet(kind, head + properties(raw=(b"\x1f" + text("r")) * 2)),
                  PROTOCOL_ERROR)
        yield bad(f"{name} with a topic alias", packet(kind, head + properties(raw=b"\x23" + two(1))), EITHER)
        yield bad(f"{name} with a property that nobody knows", packet(kind, head + properties(raw=b"\x2b\0")),
                  MALFORMED)
        yield bad(f"{name} with properties that are cut off", packet(kind, head + b"\x09\x1f"), MALFORMED)
        yield bad(f"{name} with a byte after its properties", packet(kind, head + b"\0\0"), MALFORMED)
        yield bad(f"{name} with a surrogate in its reason string",
                  packet(kind, head + properties(raw=b"\x1f" + text(b"\xed\xa0\x80"))), MALFORMED, v5="1.5.4-1")


register("malformed_publish", publishes)
register("malformed_acknowledgement", acknowledgements)
