"""Clients that do what MQTT asks to the letter, over any number of broken connections."""
import select
import socket
import threading
import time

from support.devices import device_name, payload


class Link(threading.Thread):
    """A persistent session of MQTT 3.1.1 that is connected again whenever it breaks, until is_done()."""

    def __init__(self, name, port):
        super().__init__(daemon=True)
        self.name, self.port = name, port

    def run(self):
        while not self.is_done():
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as self.socket:
                    self.socket.settimeout(10)
                    name = self.name.encode()
                    self.send(0x10, b"\x00\x04MQTT\x04\x00\x00\x3c" + len(name).to_bytes(2, "big") + name)
                    self.had_session = bool(self.packet()[1][0])  # CONNACK
                    self.talk()
            except OSError:
                time.sleep(0.02)

    def send(self, kind, body):
        assert len(body) < 16384
        length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) % 128 | 128, len(body) // 128])
        self.socket.sendall(bytes([kind]) + length + body)

    def packet(self):
        kind, length = self.bytes(2)
        if length > 127:
            length = length - 128 + 128 * self.bytes(1)[0]
        return kind, self.bytes(length)

    def bytes(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data


class Device(Link):
    """Publishes numbered messages in order, up to ten at a time unacknowledged; after each break it first sends again
    what was not acknowledged, as MQTT asks. (Paho may send a new message before those.)"""

    def __init__(self, number, port, qos, count):
        super().__init__(device_name(number), port)
        self.qos, self.count = qos, count
        self.topic = f"plant/{self.name}/telemetry".encode()
        self.next = self.acknowledged = 0
        self.unacknowledged = {}  # packet identifier: its number, or None where PUBREC has come
        self.id = 0

    def is_done(self):
        return self.acknowledged >= self.count

    def talk(self):
        for packet_id, number in self.unacknowledged.items():
            self.send_again(packet_id, number)
        while not self.is_done():
            while len(self.unacknowledged) < 10 and self.next < self.count:
                self.id = self.id % 65535 + 1
                self.unacknowledged[self.id] = self.next
                self.next += 1
                self.publish(self.id, self.unacknowledged[self.id], 0)
            self.take(*self.packet())

    def send_again(self, packet_id, number):
        if number is None:
            self.send(0x62, packet_id.to_bytes(2, "big"))
        else:
            self.publish(packet_id, number, 8)

    def publish(self, packet_id, number, duplicate):
        body = len(self.topic).to_bytes(2, "big") + self.topic + packet_id.to_bytes(2, "big")
        self.send(0x30 | self.qos << 1 | duplicate, body + payload(self.name, number).encode())

    def take(self, kind, body):
        packet_id = int.from_bytes(body[:2], "big")
        if kind == 0x50:  # PUBREC
            if packet_id in self.unacknowledged:
                self.unacknowledged[packet_id] = None
            self.send(0x62, body[:2])
        elif packet_id in self.unacknowledged:  # PUBACK, PUBCOMP
            del self.unacknowledged[packet_id]
            self.acknowledged += 1


class Subscriber(Link):
    """Takes the messages of a topic filter until it has those that it was told to wait for; what it keeps of QoS 2
    it keeps over reconnects."""

    def __init__(self, name, port, topic_filter, qos):
        super().__init__(name, port)
        self.filter, self.qos = topic_filter.encode(), qos
        self.subscribed = threading.Event()
        self.enough = threading.Event()
        self.received = []   # (topic, payload)
        self.unreleased = set()
        self.lost_sessions = 0

    def is_done(self):
        return self.enough.is_set()

    def talk(self):
        if self.subscribed.is_set() and not self.had_session:
            self.lost_sessions += 1
        if not self.had_session:
            self.send(0x82, b"\x00\x01" + len(self.filter).to_bytes(2, "big") + self.filter + bytes([self.qos]))
        while not self.is_done():
            if select.select([self.socket], [], [], 0.2)[0]:
                self.take(*self.packet())

    def take(self, kind, body):
        if kind == 0x90:
            self.subscribed.set()
        elif kind >> 4 == 6:  # PUBREL
            self.unreleased.discard(body[:2])
            self.send(0x70, body[:2])
        elif kind >> 4 == 3:
            self.take_message(kind >> 1 & 3, body)

    def take_message(self, qos, body):
        end = 2 + int.from_bytes(body[:2], "big")
        packet_id = body[end:end + 2] if qos else b""
        if qos < 2 or packet_id not in self.unreleased:
            self.received.append((body[2:end].decode(), body[end + len(packet_id):].decode()))
        if qos == 2:
            self.unreleased.add(packet_id)
        if qos:
            self.send(0x40 if qos == 1 else 0x50, packet_id)
