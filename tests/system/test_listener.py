"""The agent's own MQTT listener: kills under load, who may come in, and what the log has in the end."""
import random
import socket
import subprocess
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from support.agent import SLUICE, listener_configuration, sluice
from support.audit import log_of
from support.devices import device_name, payload
from support.mosquitto import is_listening
from support.processes import free_port, wait_until

KILLS = 15


def start(agent, port):
    agent.start(wait_for=None)
    wait_until(lambda: is_listening(port), 20, agent.output)


class Device(threading.Thread):
    """Publishes numbered messages in order, up to ten at a time unacknowledged; after each break it first sends again
    what was not acknowledged, as MQTT asks. (Paho may send a new message before those.)"""

    def __init__(self, number, port, qos, count):
        super().__init__(daemon=True)
        self.name, self.port, self.qos, self.count = device_name(number), port, qos, count
        self.topic = f"plant/{self.name}/telemetry".encode()
        self.next = self.acknowledged = 0
        self.unacknowledged = {}  # packet identifier: its number, or None where PUBREC has come
        self.id = 0

    def run(self):
        while self.acknowledged < self.count:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as self.socket:
                    self.socket.settimeout(10)
                    self.talk()
            except OSError:
                time.sleep(0.02)

    def talk(self):
        name = self.name.encode()
        self.send(0x10, b"\x00\x04MQTT\x04\x00\x00\x3c" + len(name).to_bytes(2, "big") + name)
        self.packet()  # CONNACK
        for packet_id, number in self.unacknowledged.items():
            self.send_again(packet_id, number)
        while self.acknowledged < self.count:
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

    def send(self, kind, body):
        assert len(body) < 16384
        length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) % 128 | 128, len(body) // 128])
        self.socket.sendall(bytes([kind]) + length + body)

    def packet(self):
        kind, length = self.bytes(2)
        return kind, self.bytes(length)

    def bytes(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data


@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_acknowledged_is_in_the_log_whenever_the_agent_is_killed(new_agent, qos):
    port = free_port()
    agent = new_agent(listener_configuration(port, topic="plant/{device}/telemetry"))
    start(agent, port)
    count = 20_000 if qos == 1 else 6000
    devices = [Device(number, port, qos, count) for number in range(5)]
    for device in devices:
        device.start()
    chance = random.Random(qos)
    kills = 0
    while any(device.is_alive() for device in devices) and kills < KILLS:
        time.sleep(chance.uniform(0.02, 0.3))
        agent.kill()
        kills += 1
        start(agent, port)
    for device in devices:
        device.join(60)
        assert not device.is_alive(), f"{device.name}: {device.acknowledged} of {count} are acknowledged"
    agent.stop()
    arrived = log_of(agent)
    arrived.check({device.name: count for device in devices}, "the log")
    assert kills > 3
    if qos == 2:
        assert arrived.duplicates == 0


def connect(port, user=None, password=None, client_id="client"):
    """@return the return code of CONNACK"""
    codes = []
    client = mqtt.Client(client_id=client_id)
    if user:
        client.username_pw_set(user, password)
    client.on_connect = lambda _client, _data, _flags, code: codes.append(code)
    client.connect("127.0.0.1", port)
    client.loop_start()
    wait_until(lambda: codes, 10, "a CONNACK")
    client.loop_stop()
    client.disconnect()
    return codes[0]


def test_users_come_in_with_their_password_and_do_what_the_acl_allows(new_agent, tmp_path):
    users, acl = tmp_path / "users", tmp_path / "acl"
    made = sluice_passwd(users, "pump-07", "secret")
    assert made.returncode == 0, made.stderr
    acl.write_text("user pump-07\ntopic write plant/pump-07/#\n")
    port = free_port()
    more = f'password_file = "{users}"\nacl = "{acl}"'
    agent = new_agent(listener_configuration(port, listener=more, topic="plant/{device}/telemetry")
                      .replace("anonymous = true", "anonymous = false"))
    start(agent, port)
    assert connect(port) == 5                        # not authorized
    assert connect(port, "pump-07", "wrong") == 4    # bad user name or password
    assert connect(port, "nobody", "secret") == 4
    assert connect(port, "pump-07", "secret") == 0
    client = mqtt.Client(client_id="pump")
    client.username_pw_set("pump-07", "secret")
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic in ("plant/pump-08/telemetry", "plant/pump-07/telemetry"):
        client.publish(topic, topic, qos=1).wait_for_publish(10)
    client.loop_stop()
    agent.stop()
    assert [record["value"] for record in agent.records("telemetry")] == ["plant/pump-07/telemetry"]
    assert agent.records("sluice.dead-letter") == []


def sluice_passwd(file, user, password):
    return subprocess.run([SLUICE, "passwd", str(file), user, "--password-stdin"], input=password + "\n",
                          capture_output=True, text=True, timeout=60, check=False)


def test_an_address_that_is_taken_is_one_clear_error(new_agent):
    port = free_port()
    first = new_agent(listener_configuration(port), "first")
    start(first, port)
    second = new_agent(listener_configuration(port), "second")
    result = sluice("run", "-c", second.config)
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in result.stderr
