"""The agent as systemd sees it: readiness, status, watchdog, reload, exit codes; and the unit."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import paho.mqtt.client as mqtt
import pytest

from support.agent import listener_configuration, sluice
from support.own_disk import own_disk
from support.processes import free_port, wait_until

UNIT = pathlib.Path(__file__).parents[2] / "configs/systemd/sluice.service"


class Manager:
    """A NOTIFY_SOCKET, and what was said there."""

    def __init__(self):
        # Of the abstract namespace: no path, so none that is too long.
        self.name = f"\0sluice-test-{os.getpid()}-{free_port()}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.name)
        self.socket.setblocking(False)
        self.said = []

    def listen(self):
        try:
            while True:
                self.said += self.socket.recv(65536).decode().splitlines()
        except BlockingIOError:
            return self.said

    def environment(self, **more):
        return {**os.environ, "NOTIFY_SOCKET": "@" + self.name[1:], **more}

    def wait_for(self, text, count=1, timeout=20):
        wait_until(lambda: sum(line.startswith(text) for line in self.listen()) >= count, timeout,
                   lambda: f"{count} of {text!r} in {self.said}")


def test_the_manager_hears_of_start_progress_reload_and_stop(new_agent, ends):
    agent = new_agent(listener_configuration(free_port()) + '\n[admin]\nbind = "off"\n')
    manager = Manager()
    ends(manager.socket.close)
    agent.start(environment=manager.environment(WATCHDOG_USEC="2000000"))
    manager.wait_for("READY=1")
    assert any(re.match(r"STATUS=0 messages accepted, 0 forwarded, backlog 0", line) for line in manager.listen())
    manager.wait_for("WATCHDOG=1", count=4)  # one each half second
    agent.process.signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1")
    manager.wait_for("MONOTONIC_USEC=")
    manager.wait_for("READY=1", count=2)
    agent.stop()
    manager.wait_for("STOPPING=1")


def test_a_log_thread_that_is_stuck_in_the_disk_is_not_fed_for(new_agent, tmp_path, ends):
    with own_disk(tmp_path) as (directory, made):
        if not made:
            pytest.skip("only root can freeze a file system, and only one of its own")
        port = free_port()
        agent = new_agent(listener_configuration(port).replace('"data"', f'"{directory}/data"') +
                          '\n[admin]\nbind = "off"\n')
        manager = Manager()
        ends(manager.socket.close)
        agent.start(environment=manager.environment(WATCHDOG_USEC="2000000"))
        manager.wait_for("WATCHDOG=1", count=2)
        subprocess.run(["fsfreeze", "--freeze", directory.parent], check=True)
        try:
            client = mqtt.Client(client_id="stuck")
            client.connect("127.0.0.1", port)
            client.loop_start()
            message = client.publish("bench/d/telemetry", b"x", qos=1)
            # Writes and syncs to the disk don't return now: the rest of the agent goes on.
            agent.wait_for_output('the thread "log" is stuck')
            fed = sum(line == "WATCHDOG=1" for line in manager.listen())
            time.sleep(3)
            assert sum(line == "WATCHDOG=1" for line in manager.listen()) == fed
            assert not message.is_published()
        finally:
            subprocess.run(["fsfreeze", "--unfreeze", directory.parent], check=True)
        message.wait_for_publish(20)
        assert message.is_published()
        manager.wait_for("WATCHDOG=1", count=fed + 2)
        client.loop_stop()
        agent.stop()


def test_a_bad_configuration_and_an_id_that_another_has_are_not_started_again(tmp_path):
    config = tmp_path / "s.toml"
    config.write_text("[agent]\nnonsense = 1\n")
    status = sluice("run", "-c", config).returncode
    unit = UNIT.read_text()
    prevented = re.search(r"^RestartPreventExitStatus=(.*)$", unit, re.M).group(1).split()
    assert status == 78 and str(status) in prevented
    assert "77" in prevented  # test_exactly_once.py has two agents with one id
    assert "74" not in prevented


def test_the_unit_is_hardened_and_systemd_understands_all_of_it(tmp_path):
    result = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", str(UNIT)],
                            capture_output=True, text=True, timeout=60, check=False)
    level = float(re.search(r"Overall exposure level for \S+ ([0-9.]+)", result.stdout.replace(":", "")).group(1))
    assert result.returncode == 0 and level < 2.0, result.stdout[-300:]
    # ExecStart's program isn't installed here.
    copy = tmp_path / "sluice.service"
    copy.write_text(UNIT.read_text().replace("/usr/bin/sluice", "/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True,
                              timeout=60, check=False)
    ours = [line for line in verified.stderr.splitlines() if "sluice.service" in line]
    assert not ours, ours
