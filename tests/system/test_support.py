"""What the other system tests rely on."""
import socket
import time

import pytest

from support import pace
from support.processes import free_port, server_ports
from support.proxy import Proxy


def test_a_port_is_given_once_and_is_no_outgoing_connections():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first, last = map(int, file.read().split())
    ports = [free_port() for _ in range(300)]
    assert len(set(ports)) == len(ports)
    if set(server_ports()) - set(range(first, last + 1)):
        assert not [port for port in ports if first <= port <= last]


def test_only_a_slow_machine_is_given_fewer_messages(monkeypatch):
    monkeypatch.setattr(pace, "sync_ms", lambda: 0.9)
    assert pace.paced(100_000, 2500) == {"messages": 100_000, "rate": 2500}
    monkeypatch.setattr(pace, "sync_ms", lambda: 8.0)
    assert pace.paced(100_000, 2500) == {"messages": 12_500, "rate": 62}


@pytest.fixture(name="link")
def fixture_link(ends):
    """A proxy, and a connected pair of sockets whose bytes go through it."""
    port, target = free_port(), free_port()
    with socket.create_server(("127.0.0.1", target)) as server:
        proxy = Proxy([(port, target)])
        ends(proxy.stop)
        here = socket.create_connection(("127.0.0.1", port), 5)
        there, _ = server.accept()
        there.settimeout(5)
        yield proxy, here, there
        here.close()
        there.close()


def test_a_link_that_is_cut_resets_its_connections_and_one_that_is_deaf_passes_one_direction(link):
    proxy, here, there = link
    proxy.set(deaf=True)
    here.sendall(b"asked")
    assert there.recv(5) == b"asked"
    there.sendall(b"answered")
    here.settimeout(0.3)
    with pytest.raises(TimeoutError):
        here.recv(1)
    proxy.cut()
    with pytest.raises(ConnectionError):
        here.settimeout(5)
        here.recv(1)
    assert "down" not in proxy.counts()


def test_a_slow_link_passes_so_many_bytes_a_second_and_a_late_one_the_same_later(link):
    proxy, here, there = link
    proxy.set(rate=100_000)
    start = time.monotonic()
    here.sendall(bytes(100_000))
    got = 0
    while got < 100_000:
        got += len(there.recv(65536))
    assert time.monotonic() - start > 0.9
    proxy.heal()
    proxy.set(delay_ms=200)
    start = time.monotonic()
    here.sendall(b"late")
    assert there.recv(4) == b"late" and time.monotonic() - start > 0.19
