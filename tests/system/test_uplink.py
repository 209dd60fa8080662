"""The uplink to a real Kafka: its rate as a proxy counts it, a pause over kill -9, and the newest before the backlog."""
import time

import pytest

from support.agent import configuration, sluice
from support.audit import read_topic, wait_for_ledger
from support.kafka import Kafka
from support.processes import free_port, wait_until
from support.proxy import Proxy

EXACTLY_ONCE = 'delivery = "exactly-once"\ntransaction_interval = "200ms"\n'


class KafkaBehindProxy(Kafka):
    """Clients reach it through a proxy only, which counts the bytes."""

    proxy_port = None

    def _properties(self):
        properties = super()._properties()
        listeners = properties["advertised.listeners"].replace(f":{self.port},", f":{self.proxy_port},")
        return properties | {"advertised.listeners": listeners}

    @property
    def brokers(self):
        return f"127.0.0.1:{self.proxy_port or self.port}"


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory):
    broker = KafkaBehindProxy(tmp_path_factory.mktemp("behind-proxy"))
    broker.proxy_port = free_port()
    proxy = Proxy([(broker.proxy_port, broker.port)])
    broker.start()
    yield broker, proxy
    broker.stop()
    proxy.stop()


@pytest.mark.parametrize("delivery", ["", EXACTLY_ONCE], ids=["at-least-once", "exactly-once"])
def test_no_more_than_the_rate_goes_over_the_wire(new_agent, mosquitto, behind_proxy, topic, new_fleet, delivery):
    kafka, proxy = behind_proxy
    rate, seconds = 100_000, 15
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic, kafka=delivery + 'compression = "none"\n',
                                    source="qos = 2\n", more=f'[uplink]\nrate = "{rate}B"\n'))
    agent.start("connected")
    fleet = new_fleet(mosquitto.port, messages=3000, rate=2000, qos=2, size=1000)
    wait_until(lambda: proxy.counts().get("up", 0) > 4 * rate, 60, "more than the burst")
    begin, before = time.monotonic(), proxy.counts()["up"]
    time.sleep(seconds)
    share = (proxy.counts()["up"] - before) / (time.monotonic() - begin) / rate
    print(f"{share:.3f} of the rate")
    assert 0.7 < share < 1.1
    arrived = wait_for_ledger(kafka.brokers, topic, ledger := fleet.ledger(), 60, size=1000)
    arrived.check(ledger, "Kafka")
    assert arrived.duplicates == 0


def uplink(agent, what):
    done = sluice("uplink", what, "--data-dir", agent.data)
    assert done.returncode == 0, done.stderr


def test_a_pause_outlasts_kills(new_agent, mosquitto, kafka, topic, new_fleet):
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic, source="qos = 2\n",
                                    kafka=EXACTLY_ONCE + f'position_topic = "positions-{topic}"\n'))
    agent.start("connected")
    new_fleet(mosquitto.port, messages=100, rate=500, qos=2).ledger()
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 100, 30, "all that was sent before")
    uplink(agent, "pause")
    agent.kill()
    for _ in range(2):
        agent.start("the uplink is paused: by command")
        time.sleep(2)
        agent.kill()
    agent.start("the uplink is paused: by command")
    agent.wait_for_output("connected")
    fleet = new_fleet(mosquitto.port, messages=200, rate=500, qos=2, devices=1)
    time.sleep(3)
    assert len(read_topic(kafka.brokers, topic)) == 100
    assert "PAUSED" in sluice("status", "--data-dir", agent.data).stdout
    uplink(agent, "resume")
    fleet.ledger()
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) == 300, 30, "what had waited")


def lane(record):
    return dict(record.headers() or []).get("sluice-lane", b"").decode()


def sequence(record):
    _, _, number = record.value().decode().partition('"seq":')
    return record.key().decode(), int(number.split(",")[0])


def test_after_an_outage_the_newest_come_first_and_each_record_once(new_agent, mosquitto, kafka, topic, new_fleet):
    """Ten seconds without Kafka, an uplink that takes twice what arrives, and kill -9 while the backlog is on its way."""
    lines = EXACTLY_ONCE + f'position_topic = "positions-{topic}"\ncompression = "none"\n'
    agent = new_agent(configuration(mosquitto.port, kafka.brokers, topic, source="qos = 2\n", kafka=lines,
                                    stream='order = "live_first"\n', more='[uplink]\nrate = "100KB"\nburst = "50KB"\n'))
    agent.start("connected")
    fleet = new_fleet(mosquitto.port, messages=60_000, rate=300, qos=2)
    time.sleep(3)
    kafka.stop()
    time.sleep(10)
    kafka.start()
    wait_until(lambda: any(lane(record) == "backlog" for record in read_topic(kafka.brokers, topic)), 60, "a backlog's record")
    agent.kill()
    agent.start("ready:")
    time.sleep(5)
    ledger = fleet.finish()
    wait_until(lambda: len(read_topic(kafka.brokers, topic)) >= sum(ledger.values()), 120, "all records")
    time.sleep(1)
    records = read_topic(kafka.brokers, topic)
    expected = {(device, number) for device, count in ledger.items() for number in range(count)}
    assert len(records) == len(expected), "duplicates"
    assert {sequence(record) for record in records} == expected
    lanes = {"live": {}, "backlog": {}}
    overtaken = 0
    newest = {}
    for record in records:
        device, number = sequence(record)
        seen = lanes[lane(record)].setdefault(device, [])
        assert not seen or seen[-1] < number, f"out of order in the lane {lane(record)}: {device}"
        seen.append(number)
        overtaken += number < newest.get(device, -1)
        newest[device] = max(number, newest.get(device, -1))
    backlog = sum(len(numbers) for numbers in lanes["backlog"].values())
    print(f"{backlog} of {len(records)} records were the backlog's, {overtaken} were overtaken")
    assert overtaken > 500
