"""The program as its user meets it: stops, locks, disks, configurations, the demo."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from support.agent import SLUICE, Agent, configuration, listener_configuration, sluice
from support.audit import log_of, wait_for_ledger
from support.pace import paced
from support.processes import Process, free_port, wait_until
from test_broker import wait_for_records


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_agent_in_order_and_nothing_is_lost(number, agent, mosquitto, kafka, topic, new_fleet):
    agent.start("connected")
    fleet = new_fleet(mosquitto.port, **paced(messages=10_000, rate=3000))
    time.sleep(2)
    agent.process.signal(number)
    assert agent.process.wait(20) == 0, agent.output()
    assert "stopped" in agent.output()
    in_log = log_of(agent).records
    assert in_log > 0
    ledger = fleet.ledger()
    assert log_of(agent).records == in_log
    agent.start("connected")
    wait_for_ledger(kafka.brokers, topic, ledger, timeout=30).check(ledger, "Kafka")


def test_a_stop_waits_for_a_dead_cluster_no_longer_than_shutdown_timeout(
        new_agent, mosquitto, kafka, topic, new_fleet):
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic, agent='shutdown_timeout = "3s"'))
    agent.start("connected")
    ledger = new_fleet(mosquitto.port, messages=100).ledger()
    wait_for_ledger(kafka.brokers, topic, ledger, timeout=30)
    kafka.pause()
    new_fleet(mosquitto.port, messages=500).ledger()
    start = time.monotonic()
    agent.stop()
    assert time.monotonic() - start < 10  # with time for what comes after, on a slow machine
    kafka.resume()


def test_a_data_directory_has_one_agent(agent, mosquitto):
    agent.start("connected")
    second = sluice("run", "-c", agent.config)
    assert second.returncode == 1
    assert len(second.stderr.splitlines()) == 1 and str(agent.data) in second.stderr, second.stderr
    assert agent.process.is_running()


def unprivileged():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def test_a_data_directory_that_cannot_be_written_is_said_in_one_line(tmp_path):
    agent = Agent(tmp_path, configuration(1, None, "-").replace('"data"', '"/proc/nothing/here"'))
    result = sluice("run", "-c", agent.config)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1 and "/proc/nothing" in result.stderr, result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_a_data_directory_of_somebody_else_is_said_in_one_line(tmp_path, tmp_path_factory):
    folder = pathlib.Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    try:
        folder.chmod(0o755)
        (folder / "data").mkdir(mode=0o700)
        config = folder / "sluice.toml"
        config.write_text(configuration(1, None, "-"))
        program = folder / "sluice"
        program.write_bytes(pathlib.Path(SLUICE).read_bytes())
        program.chmod(0o755)
        process = Process([program, "run", "-c", config], tmp_path / "out", before=unprivileged)
        assert process.wait(10) == 1
        assert len(process.output().splitlines()) == 1 and "ermission denied" in process.output(), process.output()
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


@pytest.fixture
def small_disk(tmp_path, ends):
    """A file system of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True,
                             check=False)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount")
    ends(lambda: subprocess.run(["umount", "-l", str(folder)], check=True))
    return folder


def fill(folder, leave=0):
    """Takes all space but `leave` bytes; returns the file to delete."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as out:
        try:
            while True:
                out.write(b"\0" * 4096)
        except OSError:
            pass
    if leave:
        os.truncate(ballast, max(0, ballast.stat().st_size - leave))
    return ballast


def test_a_full_disk_at_start_is_said_in_one_line(small_disk, tmp_path):
    fill(small_disk)
    agent = Agent(tmp_path / "agent", configuration(1, None, "-").replace('"data"', f'"{small_disk}/data"'))
    result = sluice("run", "-c", agent.config)
    assert result.returncode == 1, result.stderr
    assert len(result.stderr.splitlines()) == 1 and "o space left" in result.stderr, result.stderr


def test_a_disk_that_fills_up_holds_acknowledgements_until_there_is_room(
        small_disk, new_agent, mosquitto, kafka, topic, new_fleet):
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic).replace('"data"', f'"{small_disk}/data"'))
    agent.data = small_disk / "data"
    agent.start("connected")
    kafka.stop()  # what it takes would make room
    ballast = fill(small_disk, leave=256 << 10)
    fleet = new_fleet(mosquitto.port, messages=5000, size=1000, rate=2000)
    agent.wait_for_output("o space left", 120)
    ledger = fleet.ledger()
    time.sleep(3)
    assert agent.process.is_running()
    assert agent.count("o space left") <= 2, agent.output()
    assert log_of(agent, size=1000).missing(ledger) > 0
    ballast.unlink()
    kafka.start()
    arrived = wait_for_ledger(kafka.brokers, topic, ledger, timeout=60, size=1000)
    arrived.check(ledger, "Kafka")
    agent.stop()


def test_a_full_disk_keeps_the_agent_from_neither_stopping_nor_starting(small_disk, new_agent, new_fleet):
    """Its own notes on QoS 2 find no space either."""
    port = free_port()
    config = listener_configuration(port, topic="plant/{device}/telemetry")
    agent = new_agent(config.replace('durability = "fsync"', 'on_full = "drop_newest"')
                      .replace('"data"', f'"{small_disk}/data"'))
    agent.data = small_disk / "data"
    agent.start()
    fleet = new_fleet(port, messages=20_000, rate=5000, qos=2)
    wait_for_records(agent, "telemetry", 100)  # a session that begins on a full disk waits for its CONNACK
    fill(small_disk)
    agent.wait_for_output("error stream sluice.inbound: cannot write", 60)
    fleet.stop()
    agent.stop(timeout=5)
    for _ in range(2):
        agent.start("ready:")
        agent.stop(timeout=5)


def test_no_inodes_left_keep_the_agent_from_neither_stopping_nor_starting(tmp_path, ends, new_agent, new_fleet):
    """Whatever it needs to go on, it has made before."""
    disk, port = tmp_path / "disk", free_port()
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=90", "tmpfs", str(disk)], capture_output=True,
                      check=False).returncode != 0:
        pytest.skip("needs the right to mount")
    ends(lambda: subprocess.run(["umount", "-l", str(disk)], check=True))
    agent = new_agent(listener_configuration(port).replace('"data"', f'"{disk}/data"'))
    agent.data = disk / "data"
    agent.start()
    new_fleet(port, messages=500, rate=1000, qos=2).ledger()
    with contextlib.suppress(OSError):
        for number in range(1000):
            (disk / f"taken-{number}").touch()
    assert os.statvfs(disk).f_ffree == 0
    agent.stop(timeout=10)
    for _ in range(2):
        agent.start("ready:")
        agent.stop(timeout=10)


FAULTY = """[agent]
id = "g"
data_dri = "/tmp/x"
shutdown_timeout = "ten"
[[source.mqtt]]
url = "http://broker"
topics = ["a/#/b"]
qos = "1"
[source.mqtt.tls]
ca_file = "/no/such/ca.pem"
"""


@pytest.mark.parametrize("command", ["run", "check"])
def test_all_faults_of_a_configuration_are_told_with_their_places(command, tmp_path):
    config = tmp_path / "sluice.toml"
    config.write_text(FAULTY)
    result = sluice(command, "-c", config)
    assert result.returncode == 78
    for line, said in [(3, "data_dir"), (4, "ten"), (6, "mqtt://"), (7, "a/#/b"), (8, "qos"), (10, "ca.pem")]:
        assert any(text.startswith(f"{config}:{line}:") and said in text for text in result.stderr.splitlines()), (
            f"line {line}, {said}: {result.stderr}")


def test_wrong_usage_exits_2_and_a_missing_file_says_which(tmp_path):
    assert sluice("run").returncode == 2
    assert sluice("fly").returncode == 2
    missing = sluice("run", "-c", tmp_path / "none.toml")
    assert missing.returncode == 78 and "none.toml" in missing.stderr


def processes_of(tmp_path):
    """The demo and what it has started, as their environment tells."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if f"TMPDIR={tmp_path / 'tmp'}\0" in (folder / "environ").read_text():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def demo(tmp_path, *options):
    temporary = tmp_path / "tmp"
    temporary.mkdir(exist_ok=True)
    return Process([SLUICE, "demo", *options], tmp_path / "demo.out", environment={**os.environ, "TMPDIR": str(temporary)})


def test_the_demo_ends_with_a_good_verdict(tmp_path):
    process = demo(tmp_path, "--seconds", "9")
    assert process.wait(90) == 0, process.output()
    last = process.output().splitlines()[-1]
    assert "lost 0, duplicates 0: good" in last, process.output()
    assert not list((tmp_path / "tmp").iterdir())


def test_the_demo_shows_its_page_until_it_is_interrupted(tmp_path):
    process = demo(tmp_path, "--seconds", "6", "--open")
    wait_until(lambda: "page:" in process.output(), 20, process.output)
    url = next(line.split()[1] for line in process.output().splitlines() if line.startswith("page:"))
    with urllib.request.urlopen(url) as page:
        assert page.status == 200
    wait_until(lambda: "until Ctrl-C" in process.output(), 60, process.output)
    assert "lost 0, duplicates 0: good" in process.output()
    with urllib.request.urlopen(url + "api/v1/alerts") as answer:
        assert [alert["device"] for alert in json.load(answer)["firing"]] == ["pump-07"]
    process.signal(signal.SIGINT)
    assert process.wait(10) == 0
    wait_until(lambda: not processes_of(tmp_path), 5, lambda: "a process of the demo is left")


def test_a_demo_without_a_place_for_its_files_says_so(tmp_path):
    result = sluice("demo", "--seconds", "3", environment={**os.environ, "TMPDIR": str(tmp_path / "none")})
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1 and "TMPDIR" in result.stderr, result.stderr


@pytest.mark.parametrize("after", [0.3, 2, 6])
def test_an_interrupted_demo_leaves_nothing_behind(after, tmp_path):
    process = demo(tmp_path, "--seconds", "12")
    time.sleep(after)
    process.signal(signal.SIGINT)
    assert process.wait(5) == 130, process.output()
    assert not list((tmp_path / "tmp").iterdir())
    wait_until(lambda: not processes_of(tmp_path), 5, "a process of the demo is left")


KAFKA_COMMAND = f"{sys.executable} {pathlib.Path(__file__).parents[1] / 'support/kafka.py'} run"


@pytest.mark.parametrize("at", ["starts", "comes back"])
def test_a_demo_that_waits_for_its_kafka_can_be_interrupted(at, tmp_path):
    process = demo(tmp_path, "--seconds", "6", "--kafka-command", KAFKA_COMMAND)
    if at == "starts":
        wait_until(lambda: len(processes_of(tmp_path)) > 2, 10, "Kafka is being started")
    else:
        wait_until(lambda: "comes back" in process.output(), 60, process.output)
    process.signal(signal.SIGINT)
    assert process.wait(4) == 130, process.output()
    assert not list((tmp_path / "tmp").iterdir())
    wait_until(lambda: not processes_of(tmp_path), 5, "a process of the demo is left")


def test_a_demo_whose_kafka_does_not_come_back_says_so(tmp_path):
    once = tmp_path / "once"
    once.write_text(f'#!/bin/sh\n[ -e "$0.ran" ] && exit 1\ntouch "$0.ran"\nexec {KAFKA_COMMAND} "$@"\n')
    once.chmod(0o755)
    process = demo(tmp_path, "--seconds", "6", "--kafka-command", str(once))
    assert process.wait(90) == 1, process.output()
    assert "Kafka does not start" in process.output()


def test_a_killed_demo_leaves_no_process(tmp_path):
    process = demo(tmp_path, "--seconds", "12")
    wait_until(lambda: len(processes_of(tmp_path)) > 1, 10, "the demo's devices")
    process.kill()
    wait_until(lambda: not processes_of(tmp_path), 5, "a process of the demo is left")


@pytest.mark.parametrize("asked", ["version", "--version"])
def test_the_version_is_told_however_one_asks(asked):
    result = sluice(asked)
    assert result.returncode == 0
    assert result.stdout.startswith("sluice 0.")
