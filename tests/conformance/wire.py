"""MQTT on the wire, byte by byte: builds packets, also wrong ones, and takes apart what a server sends.

A builder takes what a correct packet has and whatever a test wants to have wrong: `flags` of the fixed header, raw
bytes for properties, a body cut off. Sources: MQTT 3.1.1 and 5.0, chapters 2 and 3; MQTT 3.1.
"""
import dataclasses
import struct

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = 8, 9, 10, 11, 12, 13, 14, 15
NAMES = ["reserved", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK",
         "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"]
FLAGS = {PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}  # of the fixed header; the others have 0, PUBLISH what it says

PROPERTIES = {
    "payload_format_indicator": (0x01, "byte"), "message_expiry_interval": (0x02, "four"),
    "content_type": (0x03, "text"), "response_topic": (0x08, "text"), "correlation_data": (0x09, "binary"),
    "subscription_identifier": (0x0B, "varint"), "session_expiry_interval": (0x11, "four"),
    "assigned_client_identifier": (0x12, "text"), "server_keep_alive": (0x13, "two"),
    "authentication_method": (0x15, "text"), "authentication_data": (0x16, "binary"),
    "request_problem_information": (0x17, "byte"), "will_delay_interval": (0x18, "four"),
    "request_response_information": (0x19, "byte"), "response_information": (0x1A, "text"),
    "server_reference": (0x1C, "text"), "reason_string": (0x1F, "text"), "receive_maximum": (0x21, "two"),
    "topic_alias_maximum": (0x22, "two"), "topic_alias": (0x23, "two"), "maximum_qos": (0x24, "byte"),
    "retain_available": (0x25, "byte"), "user_property": (0x26, "pair"), "maximum_packet_size": (0x27, "four"),
    "wildcard_subscription_available": (0x28, "byte"), "subscription_identifier_available": (0x29, "byte"),
    "shared_subscription_available": (0x2A, "byte"),
}
PROPERTY_NAMES = {number: (name, kind) for name, (number, kind) in PROPERTIES.items()}
REPEATED = ("user_property", "subscription_identifier")  # their values are lists


# Building

def two(number):
    return struct.pack(">H", number)


def four(number):
    return struct.pack(">I", number)


def varint(number, width=1):
    """`width`: at least so many bytes, which is more than allowed where fewer would do."""
    out = bytearray()
    while True:
        number, digit = number >> 7, number & 0x7F
        more = number > 0 or len(out) + 1 < width
        out.append(digit | (0x80 if more else 0))
        if not more:
            return bytes(out)


def binary(value):
    return two(len(value)) + value


def text(value):
    """Bytes are taken as they are, so that they can be wrong."""
    return binary(value.encode() if isinstance(value, str) else value)


ENCODERS = {"byte": lambda value: bytes([value]), "two": two, "four": four, "varint": varint, "text": text,
            "binary": binary, "pair": lambda value: text(value[0]) + text(value[1])}


def one_property(name, value):
    number, kind = PROPERTIES[name]
    return varint(number) + ENCODERS[kind](value)


def properties(version=5, raw=b"", **values):
    """The length and then the properties, `raw` first. Nothing for the versions that have none."""
    if version != 5:
        return b""
    body = raw
    for name, value in values.items():
        for each in value if name in REPEATED and isinstance(value, list) else [value]:
            body += one_property(name, each)
    return varint(len(body)) + body


def packet(kind, body=b"", flags=None, length=None):
    """`length`: the remaining length as bytes, where it is not the body's."""
    first = kind << 4 | (FLAGS.get(kind, 0) if flags is None else flags)
    return bytes([first]) + (varint(len(body)) if length is None else length) + body


@dataclasses.dataclass
class Will:
    topic: str | bytes
    payload: bytes = b"gone"
    qos: int = 0
    retain: bool = False
    properties: dict = dataclasses.field(default_factory=dict)


def connect(version, client_id, clean=True, keep_alive=60, will=None, user_name=None, password=None, name=None,
            level=None, set_flags=0, clear_flags=0, payload=None, flags=None, raw=b"", **props):
    """`set_flags`, `clear_flags`: bits of the connect flags against what is there; `payload`: instead of all of it."""
    bits = 0x02 if clean else 0
    body = text(client_id)
    if will:
        bits |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
        body += properties(version, **will.properties) + text(will.topic) + binary(will.payload)
    if user_name is not None:
        bits |= 0x80
        body += text(user_name)
    if password is not None:
        bits |= 0x40
        body += binary(password)
    name = ("MQIsdp" if version == 3 else "MQTT") if name is None else name
    header = text(name) + bytes([version if level is None else level])
    header += bytes([(bits | set_flags) & ~clear_flags]) + two(keep_alive) + properties(version, raw=raw, **props)
    return packet(CONNECT, header + (body if payload is None else payload), flags)


def publish(version, topic, payload=b"", qos=0, packet_id=None, retain=False, dup=False, raw=b"", **props):
    flags = qos << 1 | (8 if dup else 0) | (1 if retain else 0)
    identifier = b"" if packet_id is None else two(packet_id)
    return packet(PUBLISH, text(topic) + identifier + properties(version, raw=raw, **props) + payload, flags)


def subscribe(version, packet_id, *filters, flags=None, raw=b"", **props):
    """Each of `filters`: (topic filter, options byte)."""
    body = b"".join(text(name) + bytes([options]) for name, options in filters)
    return packet(SUBSCRIBE, two(packet_id) + properties(version, raw=raw, **props) + body, flags)


def unsubscribe(version, packet_id, *filters, flags=None, raw=b"", **props):
    body = b"".join(text(name) for name in filters)
    return packet(UNSUBSCRIBE, two(packet_id) + properties(version, raw=raw, **props) + body, flags)


def acknowledgement(kind, packet_id, reason=None, flags=None, **props):
    """PUBACK, PUBREC, PUBREL or PUBCOMP; without `reason` the short form, which all versions have."""
    more = b"" if reason is None else bytes([reason]) + (properties(**props) if props else b"")
    return packet(kind, two(packet_id) + more, flags)


def disconnect(reason=None, flags=None, raw=b"", **props):
    more = b"" if reason is None else bytes([reason]) + (properties(raw=raw, **props) if props or raw else b"")
    return packet(DISCONNECT, more, flags)


def auth(reason=None, flags=None, **props):
    return packet(AUTH, b"" if reason is None else bytes([reason]) + properties(**props), flags)


# Taking apart

class Broken(AssertionError):
    """The server sent what is no packet of MQTT."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise Broken(f"a packet of the server's is cut off: {self.data.hex()}")
        self.at += size
        return self.data[self.at - size:self.at]

    def rest(self):
        return self.take(len(self.data) - self.at)

    def empty(self):
        return self.at == len(self.data)

    def byte(self):
        return self.take(1)[0]

    def two(self):
        return struct.unpack(">H", self.take(2))[0]

    def four(self):
        return struct.unpack(">I", self.take(4))[0]

    def binary(self):
        return self.take(self.two())

    def text(self):
        return self.binary().decode()

    def pair(self):
        return self.text(), self.text()

    def varint(self):
        value = 0
        for shift in (0, 7, 14, 21):
            digit = self.byte()
            value |= (digit & 0x7F) << shift
            if digit < 0x80:
                if digit == 0 and shift:
                    raise Broken("a variable byte integer of the server's has more bytes than it needs [MQTT-1.5.5-1]")
                return value
        raise Broken("a variable byte integer of the server's has more than four bytes")

    def properties(self):
        found = {}
        inner = Reader(self.take(self.varint()))
        while not inner.empty():
            number = inner.varint()
            if number not in PROPERTY_NAMES:
                raise Broken(f"the server sent the unknown property {number}")
            name, kind = PROPERTY_NAMES[number]
            value = getattr(inner, kind)()
            if name in REPEATED:
                found.setdefault(name, []).append(value)
            elif name in found:
                raise Broken(f"the server sent {name} twice")
            else:
                found[name] = value
        return found


@dataclasses.dataclass
class Packet:
    """What a server sent. Fields that its type doesn't have keep their defaults."""
    kind: int
    flags: int
    size: int                  # with the fixed header
    properties: dict = dataclasses.field(default_factory=dict)
    packet_id: int | None = None
    reason: int = 0            # CONNACK, the four acknowledgements, DISCONNECT, AUTH
    reasons: list = dataclasses.field(default_factory=list)  # SUBACK, UNSUBACK
    connack_flags: int = 0
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    dup: bool = False
    retain: bool = False

    @property
    def session_present(self):
        return bool(self.connack_flags & 1)

    def __str__(self):
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)[3:]}
        nothing = (None, 0, b"", "", [], {})
        told = ", ".join(f"{name}={value!r}" for name, value in plain.items() if value not in nothing)
        return f"{NAMES[self.kind]}({told[:200]})"


def parse(first, body, size, version):
    """One packet of a server's, as `version` has it. Raises Broken where it isn't one."""
    packet_in = Packet(first >> 4, first & 15, size)
    kind, data = packet_in.kind, Reader(body)
    if kind == PUBLISH:
        packet_in.qos, packet_in.dup, packet_in.retain = first >> 1 & 3, bool(first & 8), bool(first & 1)
        packet_in.topic = data.text()
        if packet_in.qos:
            packet_in.packet_id = data.two()
        if version == 5:
            packet_in.properties = data.properties()
        packet_in.payload = data.rest()
    elif packet_in.flags != FLAGS.get(kind, 0):
        raise Broken(f"{NAMES[kind]} of the server's has the flags {packet_in.flags}")
    elif kind == CONNACK:
        packet_in.connack_flags, packet_in.reason = data.byte(), data.byte()
        if version == 5:
            packet_in.properties = data.properties()
    elif kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
        packet_in.packet_id = data.two()
        _reason_and_properties(packet_in, data, version)
    elif kind in (SUBACK, UNSUBACK):
        packet_in.packet_id = data.two()
        if version == 5:
            packet_in.properties = data.properties()
        packet_in.reasons = list(data.rest())
    elif kind in (DISCONNECT, AUTH):
        _reason_and_properties(packet_in, data, version)
    elif kind != PINGRESP:
        raise Broken(f"a server doesn't send {NAMES[kind]}")
    if not data.empty():
        raise Broken(f"{NAMES[kind]} of the server's goes on after its end: {body.hex()}")
    return packet_in


def _reason_and_properties(packet_in, data, version):
    if version == 5 and not data.empty():
        packet_in.reason = data.byte()
        if not data.empty():
            packet_in.properties = data.properties()
