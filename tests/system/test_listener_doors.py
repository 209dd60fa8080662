"""How clients come to the listener: TLS, certificates, WebSocket, limits of connections; and files read again."""
import base64
import hashlib
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from conformance import wire
from support.agent import SLUICE, listener_configuration, sluice
from support.mosquitto import Certificates, is_listening
from support.processes import free_port, wait_until


class Doors:
    """An agent that listens without and with TLS, and by WebSocket."""

    def __init__(self, new_agent, certificates, more="", tls_more=""):
        self.plain, self.tls, self.ws, self.wss = (free_port() for _ in range(4))
        others = f'"tls://127.0.0.1:{self.tls}", "ws://127.0.0.1:{self.ws}", "wss://127.0.0.1:{self.wss}"'
        text = listener_configuration(self.plain, topic="plant/{device}/telemetry", listener=f"""{more}
[listener.mqtt.tls]
cert_file = "{certificates.server_cert}"
key_file = "{certificates.server_key}"
{tls_more}
""").replace("max_connections = 20000\n", "")
        self.agent = new_agent(text.replace(f'"127.0.0.1:{self.plain}"', f'"127.0.0.1:{self.plain}", {others}'))

    def start(self):
        self.agent.start(wait_for=None)
        wait_until(lambda: is_listening(self.plain), 20, self.agent.output)
        return self


@pytest.fixture(name="certificates")
def fixture_certificates(tmp_path):
    return Certificates(tmp_path / "tls")


def publish(port, *, certificates=None, client_certificate=False, websocket=False, topic="plant/p/telemetry",
            payload=b"x", version=mqtt.MQTTv5, user=None):
    """@return the reason code of CONNACK"""
    client = mqtt.Client(client_id="", transport="websockets" if websocket else "tcp", protocol=version)
    if user:
        client.username_pw_set(*user)
    if certificates:
        files = {"certfile": str(certificates.client_cert), "keyfile": str(certificates.client_key)}
        client.tls_set(str(certificates.ca), tls_version=ssl.PROTOCOL_TLS_CLIENT, **(files if client_certificate else {}))
    codes = []
    client.on_connect = lambda _client, _data, _flags, code, *_: codes.append(getattr(code, "value", code))
    client.connect("127.0.0.1", port)
    client.loop_start()
    wait_until(lambda: codes, 10, "a CONNACK")
    if codes[0] == 0:
        client.publish(topic, payload, qos=2).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()
    return codes[0]


def test_messages_come_in_by_every_door(new_agent, certificates):
    doors = Doors(new_agent, certificates).start()
    large = b"y" * 300_000
    assert publish(doors.plain, payload=b"plain") == 0
    assert publish(doors.tls, certificates=certificates, payload=b"tls") == 0
    assert publish(doors.ws, websocket=True, payload=b"ws") == 0
    assert publish(doors.wss, certificates=certificates, websocket=True, payload=b"wss") == 0
    assert publish(doors.tls, certificates=certificates, payload=large) == 0
    assert publish(doors.wss, certificates=certificates, websocket=True, payload=large, version=mqtt.MQTTv311) == 0
    doors.agent.stop()
    values = [record["value"] for record in doors.agent.records("telemetry")]
    assert values == ["plain", "tls", "ws", "wss", large.decode(), large.decode()]


@pytest.mark.parametrize("door", ["tls", "ws", "wss"])
def test_subscribers_get_much_by_every_door(new_agent, certificates, door):
    doors = Doors(new_agent, certificates, 'max_queued = 10000').start()
    received = []
    client = mqtt.Client(client_id="reader", transport="tcp" if door == "tls" else "websockets")
    if door != "ws":
        client.tls_set(str(certificates.ca), tls_version=ssl.PROTOCOL_TLS_CLIENT)
    client.on_message = lambda _client, _data, message: received.append(message.payload)
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", getattr(doors, door))
    client.loop_start()
    client.subscribe("plant/#", 1)
    assert subscribed.wait(10)
    sender = mqtt.Client(client_id="sender")
    sender.connect("127.0.0.1", doors.plain)
    sender.loop_start()
    sent = [f"{number}".encode() * 100 for number in range(2000)]
    for payload in sent:
        last = sender.publish("plant/p/telemetry", payload, qos=1)
    last.wait_for_publish(20)
    wait_until(lambda: len(received) >= len(sent), 20, lambda: f"{len(received)} messages")
    assert received == sent
    for each in (client, sender):
        each.disconnect()
        each.loop_stop()


def test_a_certificate_is_the_users_name_and_the_acl_knows_it(new_agent, certificates, tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("pattern write plant/%u/#\n")
    doors = Doors(new_agent, certificates, f'acl = "{acl}"', f'ca_file = "{certificates.ca}"').start()
    name = subprocess.run(["openssl", "x509", "-noout", "-subject", "-nameopt", "multiline", "-in",
                           str(certificates.client_cert)], capture_output=True, text=True, check=True)
    name = name.stdout.split("commonName")[1].split("=")[1].strip()
    for port, websocket in ((doors.tls, False), (doors.wss, True)):
        for topic in (f"plant/{name}/telemetry", "plant/another/telemetry"):
            assert publish(port, certificates=certificates, client_certificate=True, websocket=websocket, topic=topic,
                           payload=topic.encode()) == 0
    refused = subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(doors.tls), "--cafile", certificates.ca,
                              "-t", "plant/client/telemetry", "-m", "no certificate"], capture_output=True, timeout=20)
    assert refused.returncode != 0
    doors.agent.stop()
    assert [record["value"] for record in doors.agent.records("telemetry")] == [f"plant/{name}/telemetry"] * 2


def test_old_versions_of_tls_are_refused_and_1_3_may_be_all(new_agent, certificates):
    doors = Doors(new_agent, certificates, tls_more='min_version = "1.3"').start()
    for version, good in ((ssl.TLSVersion.TLSv1_2, False), (ssl.TLSVersion.TLSv1_3, True)):
        context = ssl.create_default_context(cafile=str(certificates.ca))
        context.check_hostname = False
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", doors.tls), 5) as connection:
            try:
                with context.wrap_socket(connection) as secure:
                    assert good and secure.version() == "TLSv1.3"
            except ssl.SSLError:
                assert not good


def http(port, request):
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode())
        answer = b""
        while part := connection.recv(4096):
            answer += part
            if answer.startswith(b"HTTP/1.1 101") and b"\r\n\r\n" in answer:
                break
        return answer.decode("latin-1")


def test_a_handshake_that_fails_is_said(new_agent, certificates):
    doors = Doors(new_agent, certificates).start()
    with socket.create_connection(("127.0.0.1", doors.tls), 5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        connection.recv(1000)
    wait_until(lambda: "a client at 127.0.0.1:" in doors.agent.output(), 5, doors.agent.output)
    assert "http request" in doors.agent.output()


def test_a_websocket_says_mqtt_and_others_are_told_what_is_here(new_agent, certificates):
    doors = Doors(new_agent, certificates).start()
    answer = http(doors.ws, "GET / HTTP/1.1\nHost: x\nConnection: close\n\n")
    assert answer.startswith("HTTP/1.1 400") and "MQTT over WebSocket" in answer
    key = base64.b64encode(b"0123456789abcdef").decode()
    upgrade = ("GET /mqtt HTTP/1.1\nHost: x\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"
               f"Sec-WebSocket-Key: {key}\n")
    assert http(doors.ws, upgrade + "\n").startswith("HTTP/1.1 400")
    assert http(doors.ws, upgrade + "Sec-WebSocket-Protocol: chat\n\n").startswith("HTTP/1.1 400")
    answer = http(doors.ws, upgrade + "Sec-WebSocket-Protocol: chat, mqtt\n\n")
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    assert answer.startswith("HTTP/1.1 101") and f"Sec-WebSocket-Accept: {accept}" in answer
    assert "Sec-WebSocket-Protocol: mqtt\r\n" in answer
    # text frames are no MQTT [MQTT-6.0.0-1]
    with socket.create_connection(("127.0.0.1", doors.ws), 5) as connection:
        connection.sendall((upgrade + "Sec-WebSocket-Protocol: mqtt\n\n").replace("\n", "\r\n").encode())
        connection.recv(4096)
        packet = wire.connect(4, "text")
        connection.sendall(bytes([0x81, 0x80 | len(packet), 0, 0, 0, 0]) + packet)
        connection.settimeout(5)
        assert connection.recv(100)[:1] in (b"", b"\x88")


def test_one_who_never_ends_the_handshake_is_closed_and_hurts_nobody(new_agent, certificates):
    doors = Doors(new_agent, certificates, "max_connections_per_address = 3").start()
    silent = [socket.create_connection(("127.0.0.1", port), 30) for port in (doors.tls, doors.ws, doors.wss)]
    with socket.create_connection(("127.0.0.1", doors.plain), 5) as fourth:
        assert fourth.recv(1) == b""  # more than three from one address
    begin = time.monotonic()
    for connection in silent:
        try:
            assert connection.recv(1) == b""
        except ConnectionError:
            pass
    assert 5 < time.monotonic() - begin < 25
    assert publish(doors.plain) == 0


def test_one_who_does_not_listen_does_not_hold_up_the_stop(new_agent, certificates):
    doors = Doors(new_agent, certificates).start()
    silent = [socket.create_connection(("127.0.0.1", port), 30) for port in (doors.tls, doors.ws, doors.wss)]
    with socket.create_connection(("127.0.0.1", doors.plain), 5) as deaf:
        deaf.sendall(wire.connect(4, "deaf") + wire.subscribe(4, 1, ("#", 0)))
        for _ in range(40):
            assert publish(doors.plain, payload=b"x" * 200_000) == 0
        begin = time.monotonic()
        doors.agent.stop()
        assert time.monotonic() - begin < 5  # shutdown_timeout is 10 s
    for connection in silent:
        connection.close()


def test_a_client_beyond_its_rate_waits_and_loses_nothing(new_agent):
    port = free_port()
    agent = new_agent(listener_configuration(port, topic="plant/{device}/telemetry", listener="max_message_rate = 200"))
    agent.start(wait_for=None)
    wait_until(lambda: is_listening(port), 20, agent.output)
    client = mqtt.Client(client_id="eager")
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    begin = time.monotonic()
    messages = [client.publish("plant/p/telemetry", str(number), qos=1) for number in range(800)]
    messages[-1].wait_for_publish(30)
    assert time.monotonic() - begin > 2  # 200 at once, and 600 at 200 a second
    client.disconnect()
    client.loop_stop()
    agent.stop()
    assert [record["value"] for record in agent.records("telemetry")] == [str(number) for number in range(800)]


def passwd(file, *arguments, password="secret"):
    subprocess.run([SLUICE, "passwd", str(file), *arguments], input=password + "\n", text=True, check=True, timeout=60,
                   capture_output=True)


def test_sighup_reads_users_rules_and_certificates_again(new_agent, certificates, tmp_path):
    users, acl = tmp_path / "users", tmp_path / "acl"
    passwd(users, "old", "--password-stdin")
    acl.write_text("topic write #\nuser old\ntopic write #\nuser new\ntopic write #\n")
    doors = Doors(new_agent, certificates, f'password_file = "{users}"\nacl = "{acl}"').start()
    agent = doors.agent
    gone = threading.Event()
    client = mqtt.Client(client_id="old")
    client.username_pw_set("old", "secret")
    client.on_disconnect = lambda *_: gone.set()
    client.connect("127.0.0.1", doors.plain)
    client.loop_start()
    wait_until(client.is_connected, 10, "a connection")
    # a broken file changes nothing
    acl.write_text("nonsense\n")
    os.kill(agent.process.pid, signal.SIGHUP)
    agent.wait_for_output("nothing is changed: ")
    assert f"{acl}:1" in agent.output()
    assert publish(doors.plain, user=("old", "secret")) == 0
    # a good one does
    acl.write_text("user new\ntopic write plant/new/#\n")
    passwd(users, "new", "--password-stdin")
    passwd(users, "old", "--delete")
    other = Certificates(tmp_path / "other-tls")
    for name in ("server_cert", "server_key"):
        getattr(certificates, name).write_bytes(getattr(other, name).read_bytes())
    os.kill(agent.process.pid, signal.SIGHUP)
    agent.wait_for_output("read again")
    assert gone.wait(10)
    client.loop_stop()
    assert publish(doors.plain, user=("old", "secret")) != 0
    assert publish(doors.tls, certificates=other, user=("new", "secret"), topic="plant/new/telemetry") == 0
    agent.stop()


def test_faults_of_the_tls_keys_are_told_by_check(tmp_path, certificates):
    def check(text):
        (tmp_path / "agent.toml").write_text('[agent]\nid = "g"\ndata_dir = "data"\n' + text)
        return sluice("check", "-c", tmp_path / "agent.toml")

    missing = check('[listener.mqtt]\nbind = ["tls://127.0.0.1:8883"]\n')
    assert missing.returncode == 78 and "there is no certificate" in missing.stderr + missing.stdout
    unreadable = check('[listener.mqtt]\nbind = ["tls://127.0.0.1:8883"]\n[listener.mqtt.tls]\ncert_file = "/no/such.pem"\n'
                       f'key_file = "{certificates.server_key}"\n')
    assert unreadable.returncode == 78 and "/no/such.pem" in unreadable.stderr + unreadable.stdout
    wrong = check('[listener.mqtt]\nbind = ["http://127.0.0.1:80"]\n')
    assert wrong.returncode == 78 and "is not an address to listen on" in wrong.stderr + wrong.stdout
