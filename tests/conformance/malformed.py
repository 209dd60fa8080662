"""Tables of packets that a server must not take, and how it says so.

A table is a function that yields `bad(...)` for a version. In 3.1.1 the server closes; in 5 it says the reason first.
Where the standard doesn't say which of two reasons it is, both are right.
"""
import dataclasses

from .client import MALFORMED, PROTOCOL_ERROR
from .registry import add

EITHER = (MALFORMED, PROTOCOL_ERROR)


@dataclasses.dataclass(frozen=True)
class Bad:
    name: str
    data: bytes
    reasons: tuple[int, ...]  # of MQTT 5; none: the server may close without a word
    v4: str
    v5: str


def bad(name, data, reasons=EITHER, v4="", v5=""):
    return Bad(name, data, (reasons,) if isinstance(reasons, int) else tuple(reasons), v4, v5)


# Texts that are no UTF-8, or that MQTT forbids; the statements of 3.1.1 and 5 about them.
BAD_TEXTS = [
    ("U+0000", b"a\0b", "1.5.3-2 4.7.3-2", "1.5.4-2 4.7.3-2"),
    ("the surrogate U+D800", b"\xed\xa0\x80", "1.5.3-1", "1.5.4-1"),
    ("the surrogate U+DFFF", b"\xed\xbf\xbf", "1.5.3-1", "1.5.4-1"),
    ("an overlong slash", b"\xc0\xaf", "1.5.3-1", "1.5.4-1"),
    ("an overlong U+0000", b"\xc0\x80", "1.5.3-1", "1.5.4-1"),
    ("an overlong character of three bytes", b"\xe0\x80\xaf", "1.5.3-1", "1.5.4-1"),
    ("a character above U+10FFFF", b"\xf4\x90\x80\x80", "1.5.3-1", "1.5.4-1"),
    ("a byte that UTF-8 doesn't have", b"a\xff", "1.5.3-1", "1.5.4-1"),
    ("a continuation byte alone", b"\x80", "1.5.3-1", "1.5.4-1"),
    ("a character that is cut off", b"a\xe2\x82", "1.5.3-1", "1.5.4-1"),
]


def _connected(row):
    def run(t):
        client = t.client()
        client.send(row.data)
        client.expect_end(*row.reasons)
        t.client().expect_alive()  # and the others go on
    return run


def _as_connect(row):
    def run(t):
        client = t.open()
        client.send(row.data)
        if t.version == 5 and row.reasons:
            client.expect_refused(*row.reasons)
        elif t.version == 5:
            client.expect_any_end()
        else:
            client.expect_closed()
    return run


def register(topic, table, connect=False):
    """Makes a case of each row and version. `connect`: the packet is the first of its connection."""
    run = _as_connect if connect else _connected
    for version in (4, 5):
        for row in table(version):
            proved = {"v4": row.v4 + " 4.8.0-1"} if version == 4 else {"v5": row.v5 + " 4.13.1-1"}
            add(topic, row.name, run(row), **proved)
