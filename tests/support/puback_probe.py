"""A broker for one client that does nothing but measure: how long after a PUBLISH its acknowledgement comes.

A real broker doesn't say when an acknowledgement arrived. MQTT 3.1.1, QoS 1, as much of it as Paho needs.
"""
import socket
import struct
import time

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP = 1, 2, 3, 4, 8, 9, 12, 13


class PubackProbe:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connection = None
        self.buffer = b""

    def wait_for_client(self):
        """Until it has subscribed."""
        self.connection, _ = self.listener.accept()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            kind, body = self._packet()
            if kind == CONNECT:
                self.connection.sendall(bytes([CONNACK << 4, 2, 0, 0]))
            elif kind == SUBSCRIBE:
                self.connection.sendall(bytes([SUBACK << 4, 3]) + body[:2] + b"\x01")
                return

    def _read(self):
        part = self.connection.recv(65536)
        if not part:
            raise ConnectionError("the client is gone")
        self.buffer += part

    def _packet(self):
        while True:
            size, shift, at = 0, 0, 1
            while at < len(self.buffer):
                size |= (self.buffer[at] & 0x7F) << shift
                shift += 7
                at += 1
                if self.buffer[at - 1] < 0x80:
                    if len(self.buffer) >= at + size:
                        packet, self.buffer = self.buffer[:at + size], self.buffer[at + size:]
                        return packet[0] >> 4, packet[at:]
                    break
            self._read()

    def measure(self, topic, payload, count, window):
        """`count` messages, at most `window` of them unacknowledged; returns (seconds, latencies in seconds)."""
        name = topic.encode()
        body = struct.pack(">H", len(name)) + name
        sent, latencies = {}, []
        number = 0
        start = time.perf_counter()
        while len(latencies) < count:
            while number < count and len(sent) < window:
                packet_id = number % 65535 + 1
                rest = body + struct.pack(">H", packet_id) + payload
                size, encoded = len(rest), b""
                while True:
                    size, digit = size >> 7, size & 0x7F
                    encoded += bytes([digit | (0x80 if size else 0)])
                    if not size:
                        break
                sent[packet_id] = time.perf_counter()
                self.connection.sendall(bytes([PUBLISH << 4 | 2]) + encoded + rest)
                number += 1
            kind, body_in = self._packet()
            if kind == PUBACK:
                latencies.append(time.perf_counter() - sent.pop(struct.unpack(">H", body_in[:2])[0]))
            elif kind == PINGREQ:
                self.connection.sendall(bytes([PINGRESP << 4, 0]))
        return time.perf_counter() - start, latencies

    def close(self):
        if self.connection:
            self.connection.close()
        self.listener.close()
