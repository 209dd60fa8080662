"""Who is silent for one and a half times his keep alive is disconnected."""
import time

from ..registry import proves
from ..wire import PINGREQ, PINGRESP, Will, packet, publish


def seconds_until_the_end(client):
    start = time.monotonic()
    client.expect_end(0x8D, timeout=10)
    return time.monotonic() - start


@proves(v3="", v4="3.1.2-24", v5="3.1.2-22", seconds=3)
def a_silent_client_is_disconnected_after_one_and_a_half_times_its_keep_alive(t):
    took = seconds_until_the_end(t.client(keep_alive=2))
    assert 2.9 <= took <= 6, f"after {took:.1f} s of a keep alive of 2 s"


@proves(v4="3.1.2-24 3.1.2-8", v5="3.1.2-22 3.1.2-8", seconds=1.5)
def a_silent_client_is_gone_as_if_the_network_had_failed(t):
    topic = t.new_topic()
    watcher = t.subscriber(topic)
    t.client(keep_alive=1, will=Will(topic, b"silent"))
    watcher.expect_message(topic, b"silent")


@proves(v4="3.1.2-24", v5="3.1.2-22", seconds=4)
def every_packet_counts_not_only_pingreq(t):
    client = t.client(keep_alive=1)
    for round_number in range(5):
        time.sleep(0.8)
        if round_number % 2:
            client.expect_alive()
        else:
            client.send(publish(t.version, t.new_topic(), b"alive"))
    client.send(packet(PINGREQ))
    client.expect(PINGRESP)


@proves(v4="3.1.2-24", v5="3.1.2-22", seconds=3)
def a_keep_alive_of_0_never_ends(t):
    client = t.client(keep_alive=0)
    if t.version == 5 and "server_keep_alive" in client.connack.properties:
        return  # the server's own holds instead
    client.expect_silence(3)
    client.expect_alive()


@proves(v4="3.1.2-24", v5="3.1.2-22", seconds=3.5)
def packets_from_the_server_do_not_keep_a_client_alive(t):
    topic = t.new_topic()
    client, other = t.client(keep_alive=1), t.client()
    client.subscribe(topic)
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        other.publish(topic, b"x")
        time.sleep(0.3)
        client.socket.settimeout(0.01)
        try:
            if not client.socket.recv(65536):
                return
        except TimeoutError:
            pass
        except ConnectionError:
            return
    raise AssertionError("a silent client was not disconnected within 6 s of a keep alive of 1 s")
