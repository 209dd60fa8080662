"""What the other system tests rely on."""
from support import pace
from support.processes import free_port, server_ports


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
