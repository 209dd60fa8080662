"""A log that has filled the disk in an outage: it gets room by being forwarded, and nobody has to come."""
import itertools
import json
import os
import subprocess
import time

import paho.mqtt.client as mqtt
import pytest

from support.agent import configuration, listener_configuration, sluice
from support.audit import read_topic
from support.processes import free_port, wait_until
from test_broker import publish_one
from test_process import fill

MIB = 1 << 20


@pytest.fixture
def mount(tmp_path, ends):
    """A function that mounts a file system of so many MiB."""
    def make(kind, mebibytes):
        folder = tmp_path / "disk"
        folder.mkdir()
        image = tmp_path / "image"
        how = ["-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs"]
        if kind == "ext4":
            with open(image, "wb") as file:
                file.truncate(mebibytes * MIB)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
            how = ["-o", "loop", str(image)]
        if subprocess.run(["mount", *how, str(folder)], capture_output=True, check=False).returncode != 0:
            pytest.skip("needs the right to mount")
        ends(lambda: subprocess.run(["umount", "-l", str(folder)], check=True))
        return folder
    return make


def agent_on(disk, new_agent, mosquitto, kafka, topic, stream):
    config = configuration(mosquitto.port, kafka.brokers, topic, stream=f'compression = "none"\n{stream}')
    agent = new_agent(config.replace('"data"', f'"{disk}/data"'))
    agent.data = disk / "data"
    return agent.start("connected")


def free_bytes(disk):
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def behind(agent, stream):
    """How many records the forwarder's cursor is behind."""
    rows = [json.loads(line) for line in sluice("log", "ls", "--data-dir", agent.data, "--json").stdout.splitlines()]
    row = next(row for row in rows if row["stream"] == stream)
    return row["cursors"][0]["behind"]


def given_up(kafka):
    """How many records went without a dead letter, as the events say."""
    events = [json.loads(record.value()) for record in read_topic(kafka.brokers, "sluice.events")]
    return sum(event["count"] for event in events if "no space for dead letters" in event["reason"])


@pytest.mark.parametrize("restarted", [False, True])
def test_a_log_that_filled_the_disk_is_forwarded_and_makes_room(
        restarted, mount, new_agent, mosquitto, kafka, topic, new_fleet):
    disk = mount("ext4", 24)
    agent = agent_on(disk, new_agent, mosquitto, kafka, topic, 'segment_bytes = "1MiB"')
    publish_one(mosquitto.port)
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 1, 30, agent.output)
    kafka.stop()
    ledger = new_fleet(mosquitto.port, messages=6000, rate=3000, size=4000).ledger()
    agent.wait_for_output("o space left", 60)
    if restarted:
        agent.stop()
        fill(disk)
        agent.start()  # the broker's answers come behind the messages that there is no room for
        agent.wait_for_output("o space left", 60)
    kafka.start()
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) >= 6001, 120, agent.output)
    wait_until(lambda: free_bytes(disk) > (2 if restarted else 10) * MIB, 30, agent.output)
    assert "catalog" not in agent.output() and "cleaning" not in agent.output(), agent.output()
    agent.stop()
    values = [record.value() for record in read_topic(kafka.brokers, topic)]
    assert len(values) == len(set(values)) == 1 + sum(ledger.values())


def test_an_agent_that_lost_its_power_on_a_full_disk_starts_again(mount, new_agent, mosquitto, kafka, topic):
    """Not a block is free, and what was not synced is gone: of SQLite's files the one that is made anew at each open."""
    disk = mount("ext4", 24)
    agent = agent_on(disk, new_agent, mosquitto, kafka, topic, 'segment_bytes = "1MiB"')
    publish_one(mosquitto.port)
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 1, 30, agent.output)
    agent.kill()
    shared = list(agent.data.glob("*.db-shm"))
    assert shared
    for file in [*shared, agent.data / "lock"]:
        os.truncate(file, 0)
    os.sync()
    fill(disk)
    assert free_bytes(disk) < 4096
    agent.start("connected")


def test_records_that_kafka_refuses_don_t_keep_a_full_disk_full(mount, new_agent, mosquitto, kafka, topic):
    """There is no room for dead letters before a segment goes, and none goes before there are dead letters."""
    disk = mount("tmpfs", 20)
    agent = agent_on(disk, new_agent, mosquitto, kafka, topic, 'segment_bytes = "4MiB"')
    publish_one(mosquitto.port, payload=b"first")
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 1, 30, agent.output)
    kafka.stop()
    refused = 8
    for _ in range(refused):
        publish_one(mosquitto.port, payload=os.urandom(1_500_000))
    publish_one(mosquitto.port, payload=b"after")
    wait_until(lambda: len(agent.records("telemetry", "--limit", "20")) == refused + 2, 30, agent.output)
    fill(disk)
    kafka.start()
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 2, 60, agent.output)
    wait_until(lambda: behind(agent, "telemetry") == 0, 60, agent.output)
    # Where the first dead letters were kept before the disk was filled, their segment has made room for the others.
    wait_until(lambda: given_up(kafka) > 0 or agent.count("sluice.dead-letter: there is space again"), 30, agent.output)
    agent.stop(10)
    assert agent.count("goes to sluice.dead-letter") == refused
    assert given_up(kafka) < refused, "only a segment is given up at a time, to have room for the others"


def acknowledged(port, topics, payload_bytes, count, within=120):
    """Publishes round the topics with QoS 1, and returns when all is acknowledged."""
    client = mqtt.Client()
    client.max_inflight_messages_set(20)
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent = [client.publish(topics[i % len(topics)], os.urandom(payload_bytes), 1) for i in range(count)]
    wait_until(lambda: all(message.is_published() for message in sent), within,
               lambda: f"{sum(m.is_published() for m in sent)} of {count} are acknowledged")
    client.loop_stop()  # not before: it would wait for what is to be sent


def test_a_table_goes_on_by_compaction_where_it_has_filled_the_disk(mount, new_agent):
    """Without a quota, and to the last byte: what is left of it has to be written before the rest can go."""
    disk, port = mount("tmpfs", 12), free_port()
    config = listener_configuration(port).replace('"data"', f'"{disk}/data"').replace(
        'stream = "telemetry"', 'stream = "telemetry"\nkey = "{device}"', 1)
    agent = new_agent(config + 'cleanup = "compact"\non_full = "compact"\nsegment_bytes = "1MiB"\n')
    agent.start()
    topics = [f"bench/device-{number}/telemetry" for number in range(7)]
    acknowledged(port, topics, 1000, 7)
    fill(disk, leave=3 * MIB)
    acknowledged(port, topics, 5000, 4000)


def test_a_table_that_has_used_up_its_quota_is_compacted_at_once(new_agent):
    """Not when the state of QoS 2 is noted the next time, which is every ten seconds."""
    port = free_port()
    config = listener_configuration(port).replace('stream = "telemetry"', 'stream = "telemetry"\nkey = "{device}"', 1)
    agent = new_agent(config + 'cleanup = "compact"\non_full = "compact"\nsegment_bytes = "128KiB"\n[storage]\nquota = "1MiB"\n')
    agent.start()
    times = []
    client = mqtt.Client(protocol=mqtt.MQTTv5)
    client.on_publish = lambda *_: times.append(time.monotonic())
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for number in range(12_000):
        client.publish(f"bench/device-{number % 20}/telemetry", os.urandom(250), 1)
    wait_until(lambda: len(times) == 12_000, 90, lambda: f"{len(times)} of 12000 are acknowledged")
    client.loop_stop()
    longest = max(later - earlier for earlier, later in itertools.pairwise(times))
    print(f"the longest wait for an acknowledgement was {longest:.2f} s")
    assert longest < 5


def test_a_stream_that_gives_way_and_finds_no_room_all_the_same_says_so(new_agent):
    """Another stream, of a higher priority, has the quota."""
    port = free_port()
    agent = new_agent(listener_configuration(port) + """on_full = "drop_oldest"
[[route]]
topic = "first/#"
stream = "first"
[stream.first]
priority = 10
segment_bytes = "256KiB"
[storage]
quota = "2MiB"
""")
    agent.start()
    with pytest.raises(AssertionError):
        acknowledged(port, ["first/a"], 1000, 2500, within=5)
    with pytest.raises(AssertionError):
        acknowledged(port, ["bench/a/telemetry"], 1000, 300, within=5)
    agent.wait_for_output("stream telemetry: the quota is used up (nothing is acknowledged to devices", 30)
