"""The agent's own MQTT listener: kills under load, who may come in, and what the log has in the end."""
import contextlib
import os
import random
import resource
import socket
import subprocess
import time

import paho.mqtt.client as mqtt
import pytest

from support.agent import SLUICE, listener_configuration, sluice
from support.audit import log_of
from support.mosquitto import is_listening
from support.processes import free_port, wait_until
from support.raw_clients import Device

KILLS = int(os.environ.get("SLUICE_KILLS", "15"))


def start(agent, port):
    agent.start(wait_for=None)
    wait_until(lambda: is_listening(port), 20, agent.output)


@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_acknowledged_is_in_the_log_whenever_the_agent_is_killed(new_agent, qos):
    port = free_port()
    agent = new_agent(listener_configuration(port, topic="plant/{device}/telemetry"))
    start(agent, port)
    count = KILLS * (1300 if qos == 1 else 400)
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
        device.join(60 + KILLS)
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


def test_what_is_refused_is_said_without_a_flood_and_counted(new_agent, tmp_path):
    (tmp_path / "acl").write_text("topic read $SYS/#\ntopic write plant/#\n")
    port = free_port()
    agent = new_agent(listener_configuration(port, listener=f'acl = "{tmp_path / "acl"}"'))
    start(agent, port)
    client = mqtt.Client(client_id="curious")
    seen = {}
    client.on_message = lambda _client, _data, message: seen.update({message.topic: message.payload.decode()})
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe([("$SYS/#", 0), ("office/#", 1)])
    for number in range(100):
        client.publish(f"office/{number}", "x", qos=1).wait_for_publish(10)
    wait_until(lambda: seen.get("$SYS/broker/messages/not authorized") == "101", 15, lambda: str(seen))
    client.disconnect()
    client.loop_stop()
    wait_until(lambda: "more of the kind were not said" in agent.output(), 15, agent.output)
    said = agent.output()
    assert "client curious may not subscribe to office/#" in said
    assert "may not publish on office/0" in said
    assert said.count("may not publish") < 20


def test_an_address_that_is_taken_is_one_clear_error(new_agent):
    port = free_port()
    first = new_agent(listener_configuration(port), "first")
    start(first, port)
    with socket.create_server(("127.0.0.1", 0)) as broker:
        source = f'[[source.mqtt]]\nurl = "mqtt://127.0.0.1:{broker.getsockname()[1]}"\ntopics = ["bench/#"]\n'
        second = new_agent(source + listener_configuration(port), "second")
        result = sluice("run", "-c", second.config)
        assert result.returncode == 1
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in result.stderr
        broker.settimeout(0.5)  # it has the name of one that runs: its broker would give it that one's messages
        with pytest.raises(TimeoutError):
            broker.accept()


def test_more_connections_than_files_may_be_open_don_t_end_the_agent(new_agent, ends):
    """The log needs its files whatever devices do."""
    port = free_port()
    agent = new_agent(listener_configuration(port) + 'segment_bytes = "64KiB"\n')
    agent.start("ready:", before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400)))
    assert "may open 400 files, so the listener takes" in agent.output()
    device = mqtt.Client()
    device.connect("127.0.0.1", port)
    device.loop_start()
    ends(device.loop_stop)
    for number in range(500):
        link = socket.create_connection(("127.0.0.1", port))
        ends(link.close)
        with contextlib.suppress(OSError):  # closed, as there are too many
            link.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04" + f"{number:04}".encode())
    sent = [device.publish("bench/a/telemetry", os.urandom(4000), 1) for _ in range(100)]  # some segments
    wait_until(lambda: all(message.is_published() for message in sent), 30, agent.output)
    agent.stop()
