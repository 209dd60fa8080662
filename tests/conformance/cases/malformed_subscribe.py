"""SUBSCRIBE and UNSUBSCRIBE packets that a server must refuse."""
from ..client import MALFORMED, PROTOCOL_ERROR
from ..malformed import BAD_TEXTS, EITHER, bad, register
from ..registry import proves
from ..wire import (DISCONNECT, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE, packet, properties, subscribe, text, two,
                    unsubscribe)

FILTER_INVALID = 0x8F
WRONG_FILTERS = [("", "4.7.3-1", "4.7.3-1")] + [
    (name, "4.7.1-2", "4.7.1-1") for name in ("a#", "a/b#", "#/a", "a/#/b", "##", "#a", "/a/#b")] + [
    (name, "4.7.1-3", "4.7.1-2") for name in ("a+", "+a", "a/+b", "a/b+/c", "++", "a/++/b", "+#", "a/+#")]
WRONG_SHARES = [("$share/", "4.8.2-1"), ("$share//a", "4.8.2-1"), ("$share/name", "4.8.2-2"),
                ("$share/name/", "4.8.2-2"), ("$share/na+me/a", "4.8.2-2"),
                ("$share/na#me/a", "4.8.2-2"), ("$share/+/a", "4.8.2-2"),
                ("$share/#/a", "4.8.2-2"), ("$share/name/a#", "4.7.1-1"), ("$share/name/+a", "4.7.1-2")]


def subscribes(v):
    for flags in (0, 1, 3, 6, 10, 15):
        yield bad(f"SUBSCRIBE with the flags {flags}", subscribe(v, 1, ("a", 0), flags=flags), MALFORMED,
                  "3.8.1-1 2.2.2-1 2.2.2-2", "3.8.1-1 2.1.3-1")
    no = properties(v)
    yield bad("SUBSCRIBE with packet identifier 0", subscribe(v, 0, ("a", 0)), EITHER, "2.3.1-1", "2.2.1-3")
    yield bad("SUBSCRIBE without a filter", subscribe(v, 1), PROTOCOL_ERROR, "3.8.3-3", "3.8.3-2")
    yield bad("SUBSCRIBE that is empty", packet(SUBSCRIBE), MALFORMED)
    yield bad("SUBSCRIBE with half a packet identifier", packet(SUBSCRIBE, b"\1"), MALFORMED)
    yield bad("SUBSCRIBE without options", packet(SUBSCRIBE, two(1) + no + text("a")), MALFORMED, "3.8.3-3", "3.8.3-2")
    yield bad("SUBSCRIBE with a filter that is cut off", packet(SUBSCRIBE, two(1) + no + two(5) + b"abc"), MALFORMED)
    yield bad("SUBSCRIBE with a second filter that is cut off",
              packet(SUBSCRIBE, two(1) + no + text("a") + b"\0" + two(9) + b"b"), MALFORMED)
    yield bad("SUBSCRIBE with QoS 3", subscribe(v, 1, ("a", 3)), EITHER, "3-8.3-4", "3.8.3-5")
    reserved = (0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFC) if v == 4 else (0x40, 0x80, 0xC0)
    for bits in reserved:
        yield bad(f"SUBSCRIBE with the reserved bits 0x{bits:02x}", subscribe(v, 1, ("a", bits)), MALFORMED, "3-8.3-4",
                  "3.8.3-5")
    yield bad("SUBSCRIBE with reserved bits of the last of three filters",
              subscribe(v, 1, ("a", 0), ("b", 0), ("c", 0x80)), MALFORMED, "3-8.3-4", "3.8.3-5")
    for name, value, ids4, ids5 in BAD_TEXTS:
        yield bad(f"SUBSCRIBE with {name} in its filter", subscribe(v, 1, (value, 0)), (*EITHER, FILTER_INVALID),
                  ids4 + " 3.8.3-1", ids5 + " 3.8.3-1")
    if v == 5:
        yield from properties_of_subscribe()


def properties_of_subscribe():
    def raw(name, data, reasons, ids=""):
        return bad(name, subscribe(5, 1, ("a", 0), raw=data), reasons, v5=ids)

    yield bad("SUBSCRIBE with retain handling 3", subscribe(5, 1, ("a", 0x30)), EITHER)
    yield bad("SUBSCRIBE with no local on a share", subscribe(5, 1, ("$share/s/a", 0x04)), PROTOCOL_ERROR, v5="3.8.3-4")
    yield raw("SUBSCRIBE with subscription identifier 0", b"\x0b\0", PROTOCOL_ERROR)
    yield raw("SUBSCRIBE with two subscription identifiers", b"\x0b\1\x0b\2", PROTOCOL_ERROR)
    yield raw("SUBSCRIBE with a subscription identifier of five bytes", b"\x0b\xff\xff\xff\xff\1", MALFORMED, "1.5.5-1")
    yield raw("SUBSCRIBE with a subscription identifier that has more bytes than it needs", b"\x0b\x81\0", MALFORMED,
              "1.5.5-1")
    yield raw("SUBSCRIBE with a topic alias", b"\x23" + two(1), EITHER)
    yield raw("SUBSCRIBE with a reason string", b"\x1f" + text("r"), EITHER)
    yield raw("SUBSCRIBE with a property that nobody knows", b"\x2b\0", MALFORMED)
    yield raw("SUBSCRIBE with a surrogate in a user property", b"\x26" + text("k") + text(b"\xed\xa0\x80"), MALFORMED,
              "1.5.7-1")
    yield bad("SUBSCRIBE without a property length", packet(SUBSCRIBE, two(1)), MALFORMED, v5="2.2.2-1")
    yield bad("SUBSCRIBE with a property length that reaches past the packet",
              packet(SUBSCRIBE, two(1) + b"\x7f" + text("a") + b"\0"), MALFORMED)


def unsubscribes(v):
    for flags in (0, 1, 3, 6, 10, 15):
        yield bad(f"UNSUBSCRIBE with the flags {flags}", unsubscribe(v, 1, "a", flags=flags), MALFORMED,
                  "3.10.1-1 2.2.2-1 2.2.2-2", "3.10.1-1 2.1.3-1")
    no = properties(v)
    yield bad("UNSUBSCRIBE with packet identifier 0", unsubscribe(v, 0, "a"), EITHER, "2.3.1-1", "2.2.1-3")
    yield bad("UNSUBSCRIBE without a filter", unsubscribe(v, 1), PROTOCOL_ERROR, "3.10.3-2", "3.10.3-2")
    yield bad("UNSUBSCRIBE that is empty", packet(UNSUBSCRIBE), MALFORMED)
    yield bad("UNSUBSCRIBE with half a packet identifier", packet(UNSUBSCRIBE, b"\1"), MALFORMED)
    yield bad("UNSUBSCRIBE with a filter that is cut off", packet(UNSUBSCRIBE, two(1) + no + two(5) + b"abc"),
              MALFORMED)
    yield bad("UNSUBSCRIBE with half a length after its filter", packet(UNSUBSCRIBE, two(1) + no + text("a") + b"\0"),
              MALFORMED)
    for name, value, ids4, ids5 in BAD_TEXTS:
        yield bad(f"UNSUBSCRIBE with {name} in its filter", unsubscribe(v, 1, value), (*EITHER, FILTER_INVALID),
                  ids4 + " 3.10.3-1", ids5 + " 3.10.3-1")
    if v == 5:
        yield bad("UNSUBSCRIBE with a subscription identifier", unsubscribe(5, 1, "a", raw=b"\x0b\1"), EITHER)
        yield bad("UNSUBSCRIBE with a property that nobody knows", unsubscribe(5, 1, "a", raw=b"\x2b\0"), MALFORMED)
        yield bad("UNSUBSCRIBE with U+0000 in a user property", unsubscribe(5, 1, "a", raw=b"\x26" + text("\0")
                                                                            + text("")), MALFORMED, v5="1.5.7-1")
        yield bad("UNSUBSCRIBE without a property length", packet(UNSUBSCRIBE, two(1)), MALFORMED, v5="2.2.2-1")


register("malformed_subscribe", subscribes)
register("malformed_subscribe", unsubscribes)


def refuses(client, packet_in, answer):
    """The answer has FILTER_INVALID for the second of three, or the packet ends the connection."""
    client.send(packet_in)
    found = client.receive()
    if found.kind == DISCONNECT:
        assert found.reason in (*EITHER, FILTER_INVALID), found
        client.expect_closed()
    else:
        assert found.kind == answer and found.reasons[1] == FILTER_INVALID and len(found.reasons) == 3, found


@proves(v4=" ".join({ids for _, ids, _ in WRONG_FILTERS}) + " 4.8.0-1")
def a_wrong_filter_ends_the_connection(t):
    for name, _, _ in WRONG_FILTERS:
        client = t.client()
        client.send(subscribe(4, 1, (name, 0)))
        client.expect_closed()
        client = t.client()
        client.send(unsubscribe(4, 1, name))
        client.expect_closed()


@proves(v5=" ".join({ids for _, _, ids in WRONG_FILTERS}))
def a_wrong_filter_is_refused(t):
    for name, _, _ in WRONG_FILTERS:
        refuses(t.client(), subscribe(5, 1, ("a", 0), (name, 0), ("b", 0)), SUBACK)


@proves(v5=" ".join({ids for _, _, ids in WRONG_FILTERS}))
def a_wrong_filter_of_unsubscribe_is_refused(t):
    for name, _, _ in WRONG_FILTERS:
        refuses(t.client(), unsubscribe(5, 1, "a", name, "b"), UNSUBACK)


@proves(v5=" ".join({ids for _, ids in WRONG_SHARES}))
def a_wrong_share_is_refused(t):
    for name, _ in WRONG_SHARES:
        refuses(t.client(), subscribe(5, 1, ("a", 0), (name, 0), ("b", 0)), SUBACK)
