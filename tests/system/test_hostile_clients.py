"""Clients that do all they can to harm the listener, and one in their midst that has to be served as ever."""
import os
import random
import socket
import subprocess
import threading
import time

import pytest

from conformance import wire
from conformance.client import Client
from support.agent import listener_configuration
from support.mosquitto import is_listening
from support.processes import free_port, wait_until

SECONDS = 2
ATTACKERS = 4
PATIENCE = 1.0  # of the canary for one acknowledgement; a client that is starved waits for ever
MEMORY_MAX = 150 << 20


def opened(port):
    return socket.create_connection(("127.0.0.1", port), 5)


def connected(port, number, version=4):
    connection = opened(port)
    connection.sendall(wire.connect(version, f"attacker-{number}", keep_alive=5))
    return connection


def truncated(port, number, _chance):
    """Parts of packets, and then nothing."""
    with connected(port, number) as connection:
        connection.sendall(wire.publish(4, "plant/a/telemetry", b"x" * 1000, 1, 1)[:-100])
        time.sleep(0.2)


def garbage(port, _number, chance):
    with opened(port) as connection:
        connection.sendall(chance.randbytes(5000))


def oversize(port, number, _chance):
    """Says that 256 MiB are to come, and sends as much as is taken."""
    with connected(port, number) as connection:
        connection.sendall(b"\x30\xff\xff\xff\x7f")
        for _ in range(100):
            connection.sendall(b"x" * 65536)


def slow(port, number, _chance):
    """One byte at a time."""
    with opened(port) as connection:
        for byte in wire.connect(4, f"slow-{number}"):
            connection.sendall(bytes([byte]))
            time.sleep(0.02)


def half_open(port, _number, _chance):
    connections = [opened(port) for _ in range(20)]
    time.sleep(0.3)
    for connection in connections:
        connection.close()


def flood(port, number, _chance):
    """QoS 0 as fast as it goes."""
    packets = wire.publish(4, "plant/a/telemetry", b"x" * 200) * 500
    with connected(port, number) as connection:
        for _ in range(20):
            connection.sendall(packets)


def unacknowledged(port, number, _chance):
    """QoS 2 without end, and no answer is ever read or released."""
    with connected(port, number) as connection:
        for packet_id in range(1, 3000):
            connection.sendall(wire.publish(4, "plant/a/telemetry", b"x" * 100, 2, packet_id))


def deaf(port, number, _chance):
    """Subscribes to all, and reads nothing."""
    with connected(port, number) as connection:
        connection.sendall(wire.subscribe(4, 1, ("#", 1)))
        time.sleep(0.5)


def wrong_order(port, number, chance):
    packets = [wire.acknowledgement(kind, chance.randrange(65536)) for kind in (4, 5, 6, 7)]
    packets += [wire.packet(kind, b"") for kind in (2, 9, 11, 13)] + [wire.connect(4, "again")]
    with connected(port, number) as connection:
        connection.sendall(b"".join(chance.sample(packets, len(packets))))


def many_subscriptions(port, number, _chance):
    with connected(port, number) as connection:
        for packet_id in range(1, 300):
            connection.sendall(wire.subscribe(4, packet_id, ("/".join("+" * 60) + f"/{packet_id}", 2)))


def deep_topics(port, number, _chance):
    """As many levels as a topic and a filter can have, retained, subscribed to, and gone again."""
    topic = f"local/{number}" + "/" * 65000
    with connected(port, number) as connection:
        connection.settimeout(1)
        connection.sendall(wire.subscribe(4, 1, (f"local/{number}" + "/+" * 32000 + "/#", 1)))
        for payload in (b"x", b""):
            connection.sendall(wire.publish(4, topic, payload, 1, 1, retain=True))
            connection.sendall(wire.subscribe(4, 2, (f"local/{number}/#", 1)))
            connection.sendall(wire.publish(4, topic, b"y", 1, 2))
        connection.recv(1000)


def deaf_pings(port, number, _chance):
    """Asks, and never reads the answers."""
    with connected(port, number) as connection:
        connection.settimeout(1)
        for _ in range(200):
            connection.sendall(wire.packet(wire.PINGREQ) * 100_000)


def resets(port, number, _chance):
    """Gone without a farewell, in the middle of what is to be answered."""
    connection = connected(port, number)
    connection.sendall(wire.publish(4, "plant/a/telemetry", b"x", 1, 1) * 50)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def takeovers(port, _number, _chance):
    """All of one name."""
    with opened(port) as connection:
        connection.sendall(wire.connect(5, "one-name", clean=False, session_expiry_interval=100))
        connection.recv(100)


ATTACKS = [truncated, garbage, oversize, slow, half_open, flood, unacknowledged, deaf, wrong_order, many_subscriptions,
           deep_topics, deaf_pings, resets, takeovers]


@pytest.fixture(name="server", scope="module")
def fixture_server(tmp_path_factory):
    from support.agent import Agent
    port = free_port()
    agent = Agent(tmp_path_factory.mktemp("hostile"), listener_configuration(port, topic="plant/{device}/telemetry"))
    agent.start(wait_for=None)
    wait_until(lambda: is_listening(port), 20, agent.output)
    yield agent, port
    agent.end()


def resident_bytes(process):
    with open(f"/proc/{process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def serve(canary, end):
    """Returns the longest that the canary waited for its message and the acknowledgement, and how often it did"""
    slowest, served = 0.0, 0
    while time.monotonic() < end:
        begin = time.monotonic()
        canary.send(wire.publish(5, "canary", str(served).encode(), 1, canary.new_id()))
        packets = [canary.receive(PATIENCE), canary.receive(PATIENCE)]
        assert {packet.kind for packet in packets} == {wire.PUBLISH, wire.PUBACK}
        slowest = max(slowest, time.monotonic() - begin)
        message = next(packet for packet in packets if packet.kind == wire.PUBLISH)
        canary.send(wire.acknowledgement(wire.PUBACK, message.packet_id))
        served += 1
    return slowest, served


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_hostile_client_harms_no_other(server, attack):
    agent, port = server
    canary = Client(("127.0.0.1", port), 5, "canary")
    canary.connect()
    canary.subscribe("canary", qos=1)
    over = threading.Event()

    def run(number):
        chance = random.Random(number)
        while not over.is_set():
            try:
                attack(port, number, chance)
            except OSError:
                pass  # it was thrown out

    attackers = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(ATTACKERS)]
    for attacker in attackers:
        attacker.start()
    try:
        slowest, served = serve(canary, time.monotonic() + SECONDS)
    finally:
        over.set()
        for attacker in attackers:
            attacker.join(10)
    canary.disconnect()
    assert agent.process.is_running(), agent.output()
    assert served > 20
    assert slowest < PATIENCE
    assert resident_bytes(agent.process) < MEMORY_MAX


def test_one_who_reads_late_gets_every_answer_and_takes_no_memory_until_then(server):
    agent, port = server
    pings = 10_000_000
    before = resident_bytes(agent.process)
    with connected(port, 0) as connection:
        connection.recv(4, socket.MSG_WAITALL)  # CONNACK
        sender = threading.Thread(target=connection.sendall, args=(wire.packet(wire.PINGREQ) * pings,), daemon=True)
        sender.start()
        sender.join(SECONDS)
        assert sender.is_alive(), "nothing holds it back"
        assert resident_bytes(agent.process) - before < 8 << 20
        connection.settimeout(10)
        left = 2 * pings
        while left > 0:
            left -= len(connection.recv(1 << 20))
        sender.join(10)


def test_topics_have_no_more_levels_than_the_server_can_walk(server):
    _agent, port = server
    client = Client(("127.0.0.1", port), 5, "deep")
    client.connect()
    client.subscribe("local" + "/+" * 127, qos=1)
    client.publish("local" + "/x" * 127, b"128 levels")
    client.expect_message("local" + "/x" * 127, b"128 levels")
    client.send(wire.subscribe(5, 7, ("local" + "/+" * 128, 1)))
    client.expect(wire.SUBACK, packet_id=7, reasons=[0x8F])
    client.send(wire.publish(5, "local" + "/x" * 128, b"129 levels"))
    client.expect_end(0x90)
    late = Client(("127.0.0.1", port), 5, "deep-will")
    late.send(wire.connect(5, "deep-will", will=wire.Will("local" + "/x" * 128, b"gone")))
    late.expect_refused(0x90)
