"""What is wrong whatever the packet: its type, its length; PINGREQ, DISCONNECT, AUTH and the packets of a server."""
from ..client import MALFORMED, PROTOCOL_ERROR
from ..malformed import EITHER, bad, register
from ..registry import proves
from ..wire import (AUTH, CONNACK, DISCONNECT, PINGREQ, PINGRESP, PUBLISH, SUBACK, UNSUBACK, Will, auth, binary,
                    disconnect, four, packet, properties, text, two, varint)


def frames(v):
    yield bad("packet type 0", packet(0), EITHER, "4.8.0-1", "4.13.1-1")
    yield bad("a remaining length of five bytes", bytes([PUBLISH << 4]) + b"\xff\xff\xff\xff\1", MALFORMED, "4.8.0-1",
              "1.5.5-1")
    yield bad("a remaining length of four bytes that all say that more follow",
              packet(PINGREQ, length=b"\x80" * 4 + b"\0"), MALFORMED, "4.8.0-1", "1.5.5-1")
    yield bad("a remaining length that has more bytes than it needs", packet(PINGREQ, length=b"\x80\0"), MALFORMED,
              "4.8.0-1", "1.5.5-1")
    body = text("a") + properties(v)
    yield bad("a remaining length of PUBLISH that has more bytes than it needs",
              packet(PUBLISH, body, length=varint(len(body), 4)), MALFORMED, "4.8.0-1", "1.5.5-1")
    for flags in (1, 2, 4, 8, 15):
        yield bad(f"PINGREQ with the flags {flags}", packet(PINGREQ, flags=flags), MALFORMED, "2.2.2-1 2.2.2-2",
                  "2.1.3-1")
        yield bad(f"DISCONNECT with the flags {flags}", packet(DISCONNECT, flags=flags), MALFORMED,
                  "3.14.1-1 2.2.2-1 2.2.2-2", "3.14.1-1 2.1.3-1")
    yield bad("PINGREQ with a body", packet(PINGREQ, b"x"), MALFORMED)
    from_server = {"CONNACK": packet(CONNACK, b"\0\0" + properties(v)), "PINGRESP": packet(PINGRESP),
                   "SUBACK": packet(SUBACK, two(1) + properties(v) + b"\0"),
                   "UNSUBACK": packet(UNSUBACK, two(1) + (properties(v) + b"\0" if v == 5 else b""))}
    for name, data in from_server.items():
        yield bad(f"{name}, which only a server sends", data, EITHER)
    if v == 4:
        yield bad("packet type 15", packet(AUTH), v4="4.8.0-1")
        yield bad("DISCONNECT with a body", packet(DISCONNECT, b"\0"), v4="4.8.0-1")
        return
    yield from disconnects()
    for flags in (1, 2, 4, 8, 15):
        yield bad(f"AUTH with the flags {flags}", auth(0x18, flags=flags, authentication_method="m"), MALFORMED,
                  v5="3.15.1-1 2.1.3-1")
    yield bad("AUTH with a reason code that nobody knows", auth(0x01, authentication_method="m"), EITHER, v5="3.15.2-1")
    yield bad("AUTH with authentication data twice",
              packet(AUTH, b"\x18" + properties(raw=b"\x15" + text("m") + (b"\x16" + binary(b"d")) * 2)),
              PROTOCOL_ERROR)
    yield bad("AUTH with a topic alias", packet(AUTH, b"\x18" + properties(raw=b"\x23" + two(1))), EITHER)


def disconnects():
    for reason in (0x01, 0x03, 0x7F, 0x84, 0xFF):
        yield bad(f"DISCONNECT with the reason code 0x{reason:02x}", disconnect(reason), EITHER, v5="3.14.2-1")
    for reason in (0x87, 0x8B, 0x8D, 0x8E, 0x9C):
        yield bad(f"DISCONNECT with the reason code 0x{reason:02x}, which only a server gives", disconnect(reason),
                  EITHER, v5="3.14.2-1")
    wrong = {"session expiry twice": ((b"\x11" + four(0)) * 2, PROTOCOL_ERROR),
             "reason string twice": ((b"\x1f" + text("r")) * 2, PROTOCOL_ERROR),
             "a server reference": (b"\x1c" + text("s"), EITHER),
             "a topic alias": (b"\x23" + two(1), EITHER),
             "a property that nobody knows": (b"\x2b\0", MALFORMED),
             "a session expiry that is cut off": (b"\x11\0\0", MALFORMED),
             "a surrogate in its reason string": (b"\x1f" + text(b"\xed\xa0\x80"), MALFORMED)}
    for name, (raw, reasons) in wrong.items():
        yield bad(f"DISCONNECT with {name}", packet(DISCONNECT, b"\0" + properties(raw=raw)), reasons)
    yield bad("DISCONNECT with a byte after its properties", packet(DISCONNECT, b"\0\0\0"), MALFORMED)
    yield bad("DISCONNECT with properties that are cut off", packet(DISCONNECT, b"\0\x09"), MALFORMED)


register("malformed_other", frames)


@proves(v4="4.8.0-1", v5="4.13.1-1")
def a_wrong_packet_behind_right_ones_does_not_undo_them(t):
    topic = t.new_topic()
    subscriber, client = t.subscriber(topic), t.client()
    right = packet(PUBLISH, text(topic) + properties(t.version) + b"right")
    client.send(right + packet(0) + right)
    client.expect_end(*EITHER)
    subscriber.expect_message(topic, b"right")
    subscriber.expect_silence()


@proves(v5="3.14.1-1")
def a_disconnect_that_is_wrong_leaves_the_will(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    client = t.client(will=Will(topic))
    client.send(packet(DISCONNECT, flags=1))
    client.expect_end(MALFORMED)
    watcher.expect_message(topic, b"gone")
