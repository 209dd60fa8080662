"""Exactly-once against three brokers that have a bad day: each message of the devices (QoS 2) is in Kafka once."""
import time

import pytest

from support.agent import Agent
from support.audit import TopicTail, wait_for_ledger
from support.kafka_cluster import Cluster, Node, coordinator_of
from support.mosquitto import Certificates
from support.processes import free_port, wait_until

CONFIGURATION = """
[agent]
id = "{topic}"
data_dir = "data"

[listener.mqtt]
bind = ["127.0.0.1:{port}"]

[[route]]
topic = "plant/{{device}}/telemetry"
stream = "{topic}"
key = "{{device}}"

[kafka]
brokers = "{brokers}"
delivery = "exactly-once"
retry_max = "1s"
{kafka}

[kafka.properties]
"topic.metadata.refresh.interval.ms" = 2000
{properties}
"""

SASL = """
"security.protocol" = "SASL_SSL"
"sasl.mechanism" = "PLAIN"
"ssl.ca.location" = "{ca}"
"""
RIGHTS = [("--topic", "*"), ("--transactional-id", "*")]


@pytest.fixture(scope="module", name="cluster")
def fixture_cluster(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cluster")
    cluster = Cluster(directory, certificates=Certificates(directory / "certificates"), users={"gateway": "a-secret"})
    try:
        yield cluster.start()
    finally:
        cluster.stop()


class Day:
    """An agent, and devices that publish all the while."""

    def __init__(self, cluster, topic, tmp_path, new_fleet, ends):
        self.cluster, self.topic, self.directory, self.new_fleet, self.ends = cluster, topic, tmp_path, new_fleet, ends
        cluster.create_topic(topic)

    def begin(self, messages=3000, rate=300, size=0, brokers=None, kafka="", properties=""):
        port = free_port()
        self.agent = Agent(self.directory / "agent", CONFIGURATION.format(
            port=port, topic=self.topic, brokers=brokers or self.cluster.uplink, kafka=kafka, properties=properties))
        self.ends(self.agent.end)
        self.agent.start()
        self.fleet = self.new_fleet(port, messages=messages, rate=rate, qos=2, devices=10, size=size)
        self.size = size
        self.wait_for_some(100)

    def wait_for_some(self, count):
        """Until so many records are in Kafka."""
        tail = TopicTail(self.cluster.brokers, self.topic)
        seen = []
        try:
            wait_until(lambda: seen.extend(tail.read()) or len(seen) >= count, 60, self.agent.output)
        finally:
            tail.close()

    def all_arrive_once(self, in_order=True):
        ledger = self.fleet.ledger()
        arrived = wait_for_ledger(self.cluster.brokers, self.topic, ledger, timeout=60, size=self.size)
        if arrived.missing(ledger) or arrived.duplicates:
            self.agent.describe()
        assert arrived.missing(ledger) == 0
        assert arrived.duplicates == 0
        if in_order:
            arrived.check(ledger, "Kafka")
        assert self.agent.process.is_running()


@pytest.fixture(name="day")
def fixture_day(cluster, topic, tmp_path, new_fleet, ends):
    cluster.wait_ready()
    return Day(cluster, topic, tmp_path, new_fleet, ends)


@pytest.mark.parametrize("how", [Node.kill, Node.stop, Node.pause])
def test_the_leader_of_a_partition_goes_away(how, day, cluster):
    day.begin()
    leader = cluster.leader(day.topic)
    how(leader)
    wait_until(lambda: cluster.leader(day.topic) not in (leader, None), 60, "another leader")
    day.all_arrive_once()
    leader.kill()
    leader.start(wait=False)


def test_the_brokers_are_restarted_one_after_another(day, cluster):
    day.begin(messages=9000)
    for node in cluster.nodes:
        with cluster.restarted(node, Node.stop):
            pass
    day.all_arrive_once()


def test_the_transaction_coordinator_is_killed(day, cluster):
    day.begin()
    coordinator = coordinator_of(cluster, f"sluice-{day.topic}")
    assert coordinator is not None
    with cluster.restarted(coordinator, Node.kill):
        wait_until(lambda: coordinator_of(cluster, f"sluice-{day.topic}") not in (coordinator, None), 60, "another")
    day.all_arrive_once()


def test_partitions_are_added_to_the_topic(day, cluster):
    """Keys move with it: the order of those that do is the reader's to restore."""
    day.begin(messages=4000)
    cluster.add_partitions(day.topic, 12)
    day.all_arrive_once(in_order=False)
    tail = TopicTail(cluster.brokers, day.topic)
    partitions = {record.partition() for record in tail.read()}
    tail.close()
    assert max(partitions) >= 3


def test_a_quota_slows_it_down_and_that_is_all(day, cluster):
    cluster.configure("clients", f"sluice-{day.topic}", "--add-config", "producer_byte_rate=20000")
    start = time.monotonic()
    day.begin(messages=4000, rate=1000, size=300, kafka='compression = "none"')
    day.all_arrive_once()
    assert time.monotonic() - start > 5, "there was no quota"
    # A broker that has just started may have its coordinator's state still to read.
    warnings = [line for line in day.agent.output().splitlines() if " warning " in line]
    assert all("Coordinator load in progress" in line for line in warnings), warnings


def test_rights_are_taken_away_and_given_back(day, cluster):
    for rights in RIGHTS:
        cluster.allow("gateway", "--operation", "All", *rights)
    day.begin(messages=9000, brokers=cluster.door("SASL"), kafka='username = "gateway"\npassword = "a-secret"',
              properties=SASL.format(ca=cluster.certificates.ca))
    for rights in RIGHTS:
        cluster.forbid("gateway", "--operation", "All", *rights)
        day.agent.wait_for_output("not allowed", 60)
        cluster.allow("gateway", "--operation", "All", *rights)
        day.agent.wait_for_output("again", 60)
    day.all_arrive_once()
    assert "a-secret" not in day.agent.output()
