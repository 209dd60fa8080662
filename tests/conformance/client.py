"""A client for tests, on a blocking socket: sends what it is told, and says what it expects of the server."""
import socket
import time

from . import wire
from .wire import CONNACK, DISCONNECT, NAMES, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK

PATIENCE = 5     # seconds that a server has for what it must do
QUIET = 0.15     # seconds without a packet that count as silence

ACCEPTED = 0
MALFORMED, PROTOCOL_ERROR = 0x81, 0x82


class Closed(Exception):
    """By the server."""


class Client:
    def __init__(self, address, version, client_id=""):
        self.version, self.client_id = version, client_id
        self.socket = socket.create_connection(address, PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.next_id = 1
        self.connack = None

    # Sending

    def send(self, *packets):
        """A server that has closed is no fault here: what is expected next says so."""
        try:
            self.socket.settimeout(PATIENCE)
            self.socket.sendall(b"".join(packets))
        except (ConnectionError, BrokenPipeError):
            pass

    def new_id(self):
        self.next_id += 1
        return self.next_id - 1

    # Receiving

    def _more(self, deadline):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self.socket.settimeout(remaining)
        try:
            part = self.socket.recv(65536)
        except ConnectionError:
            part = b""
        if not part:
            raise Closed
        self.buffer += part

    def _cut_packet(self):
        """The first whole packet of the buffer, or None."""
        size, at = 0, 1
        while at < len(self.buffer):
            digit = self.buffer[at]
            size |= (digit & 0x7F) << 7 * (at - 1)
            at += 1
            if digit < 0x80:
                if len(self.buffer) < at + size:
                    return None
                first, body = self.buffer[0], self.buffer[at:at + size]
                self.buffer = self.buffer[at + size:]
                return wire.parse(first, body, at + size, self.version)
        return None

    def receive(self, timeout=PATIENCE):
        """The next packet. Raises TimeoutError, or Closed."""
        deadline = time.monotonic() + timeout
        while True:
            found = self._cut_packet()
            if found:
                return found
            self._more(deadline)

    # Expecting

    def expect(self, kind, timeout=PATIENCE, **fields):
        """The next packet has this type and these fields."""
        wanted = NAMES[kind] + (f" with {fields}" if fields else "")
        try:
            found = self.receive(timeout)
        except TimeoutError:
            raise AssertionError(f"{wanted} was expected, but nothing came in {timeout} s") from None
        except Closed:
            raise AssertionError(f"{wanted} was expected, but the server closed") from None
        assert found.kind == kind, f"{wanted} was expected, but {found} came"
        for name, value in fields.items():
            assert getattr(found, name) == value, f"{wanted} was expected, but {found} came"
        return found

    def expect_silence(self, seconds=QUIET):
        try:
            found = self.receive(seconds)
        except TimeoutError:
            return
        except Closed:
            raise AssertionError("silence was expected, but the server closed") from None
        raise AssertionError(f"silence was expected, but {found} came")

    def expect_closed(self, timeout=PATIENCE):
        """The server closes without a further packet."""
        try:
            found = self.receive(timeout)
        except TimeoutError:
            raise AssertionError(f"the server has not closed within {timeout} s") from None
        except Closed:
            return
        raise AssertionError(f"the server was to close, but {found} came")

    def expect_end(self, *reasons, timeout=PATIENCE):
        """MQTT 5: DISCONNECT with one of the reasons, where any is given, then the end; before 5 only the end."""
        if self.version == 5:
            found = self.expect(DISCONNECT, timeout)
            assert not reasons or found.reason in reasons, (
                f"DISCONNECT with {_hex(reasons)} was expected, but it came with {_hex([found.reason])}")
        self.expect_closed(timeout)

    def expect_refused(self, *reasons):
        """The answer to CONNECT is a CONNACK with one of these reasons and without a session, then the end."""
        found = self.expect(CONNACK)
        assert found.reason in reasons, (
            f"CONNACK with {_hex(reasons)} was expected, but it came with {_hex([found.reason])}")
        assert found.connack_flags == 0, f"a refusal with a session present: {found}"
        self.expect_closed()

    def expect_any_end(self):
        """The server closes, whatever it says before: where the standard leaves it open how it refuses."""
        deadline = time.monotonic() + PATIENCE
        try:
            while True:
                found = self.receive(deadline - time.monotonic())
                assert found.kind in (CONNACK, DISCONNECT) and found.reason, f"a refusal was expected, but {found} came"
        except TimeoutError:
            raise AssertionError(f"the server has not closed within {PATIENCE} s") from None
        except Closed:
            return

    # What a client does all the time

    def connect(self, client_id=None, **options):
        """CONNECT, which is to be accepted. Returns the CONNACK."""
        self.client_id = self.client_id if client_id is None else client_id
        self.send(wire.connect(self.version, self.client_id, **options))
        self.connack = self.expect(CONNACK, reason=ACCEPTED)
        return self.connack

    def subscribe(self, topic_filter, qos=0, options=0, **props):
        """Returns the SUBACK, which grants the QoS."""
        identifier = self.new_id()
        self.send(wire.subscribe(self.version, identifier, (topic_filter, qos | options), **props))
        return self.expect(SUBACK, packet_id=identifier, reasons=[qos])

    def unsubscribe(self, *filters):
        identifier = self.new_id()
        self.send(wire.unsubscribe(self.version, identifier, *filters))
        return self.expect(UNSUBACK, packet_id=identifier)

    def publish(self, topic, payload=b"", qos=0, **options):
        """Up to the end of the exchange; returns the PUBACK or the PUBREC. Other packets must not come between."""
        identifier = self.new_id() if qos else None
        self.send(wire.publish(self.version, topic, payload, qos, identifier, **options))
        if qos == 0:
            return None
        answer = self.expect(PUBACK if qos == 1 else PUBREC, packet_id=identifier)
        if qos == 2 and answer.reason < 0x80:
            self.send(wire.acknowledgement(PUBREL, identifier))
            self.expect(PUBCOMP, packet_id=identifier)
        return answer

    def expect_message(self, topic, payload, acknowledge=True, timeout=PATIENCE, **fields):
        """The next packet is this message; the exchange is carried to its end unless `acknowledge` is false."""
        message = self.expect(PUBLISH, timeout, topic=topic, payload=payload, **fields)
        if acknowledge:
            self.acknowledge(message)
        return message

    def acknowledge(self, message):
        if message.qos == 1:
            self.send(wire.acknowledgement(PUBACK, message.packet_id))
        elif message.qos == 2:
            self.send(wire.acknowledgement(PUBREC, message.packet_id))
            self.expect(PUBREL, packet_id=message.packet_id)
            self.send(wire.acknowledgement(PUBCOMP, message.packet_id))

    def expect_alive(self):
        """The next packet is the answer to a PINGREQ: nothing was waiting, and the connection goes on."""
        self.send(wire.packet(wire.PINGREQ))
        self.expect(PINGRESP)

    def disconnect(self, reason=None, **props):
        """In order; returns when the server has closed too, so that what follows from it has begun."""
        self.send(wire.disconnect(reason, **props))
        self.expect_closed()
        self.close()

    def drop(self):
        """As a network that fails: no DISCONNECT."""
        self.close()

    def close(self):
        self.socket.close()


def _hex(numbers):
    return " or ".join(f"0x{number:02x}" for number in numbers)
