"""Rules in the agent: each change of an alert is one record, and so is all that is derived, whatever is killed when, and
the same that `sluice rules test` finds in the log."""
import hmac
import json
import os
import random
import time

import pytest

from conformance import wire
from conformance.client import Client
from support.agent import listener_configuration, sluice
from support.mosquitto import is_listening
from support.mqtt_clients import MosquittoClients
from support.processes import free_port, wait_until
from support.raw_clients import Device

KILLS = int(os.environ.get("SLUICE_KILLS", "20"))
BASE = 1_700_000_000_000

# Message n of a device says seq = n and was made at BASE + n ms.
RULES = """
[[rule]]
name = "wave"
stream = "telemetry"
expr = "seq - 100 * floor(seq / 100) > 60"
labels = { team = "north" }
[[rule]]
name = "mean"
stream = "telemetry"
expr = "avg(seq - 150 * floor(seq / 150), 100ms) > 80 and slope(seq, 1s) > 0/1s"
for = "10ms"
keep_firing_for = "20ms"
severity = "critical"
[[rule]]
name = "all"
stream = "telemetry"
by = ["fleet"]
expr = "count(seq, 1s) > 10"
[[rule]]
name = "quiet"
stream = "telemetry"
expr = "silence(1s)"
"""
DERIVED = """
[[derive]]
name = "each"
stream = "telemetry"
to = "copies"
hash = ["fleet"]
drop = ["ts"]
[[derive]]
name = "sums"
stream = "telemetry"
to = "means"
every = "100ms"
fields = { n = "count(seq, 100ms)", mean = "avg(seq, 100ms)", slow = "slope(seq, 1s)" }
[[derive]]
name = "mean-of-means"
stream = "means"
to = "seconds"
every = "1s"
fields = { n = "sum(n, 1s)", mean = "avg(mean, 1s)" }
[rules]
hash_key_env = "SLUICE_HASH_KEY"
"""


class Gateway:
    def __init__(self, new_agent, rules=RULES, name="agent"):
        self.port = free_port()
        self.agent = new_agent(self.configuration(rules), name)

    def configuration(self, rules):
        # The route's keys stand before the first table behind it.
        text = listener_configuration(self.port, topic="plant/{device}/telemetry")
        return text.replace('stream = "telemetry"\n', 'stream = "telemetry"\nkey = "{device}"\ntimestamp = "/ts"\n', 1) + rules

    def start(self):
        self.agent.start(wait_for=None)
        wait_until(lambda: is_listening(self.port), 20, self.agent.output)
        return self

    def publish(self, device, payload):
        MosquittoClients.publish(self.port, "5", f"plant/{device}/telemetry", json.dumps(payload), 1)

    def alerts(self):
        return [json.loads(record["value"]) for record in self.agent.records("alerts")] if self.has_alerts() else []

    def has_alerts(self):
        return (self.agent.data / "log/alerts-0").is_dir()

    def tested(self, *options, kind="id"):
        result = sluice("rules", "test", "-c", self.agent.config, "--data-dir", self.agent.data, "--json", *options)
        assert result.returncode == 0, result.stderr
        return [line for line in map(json.loads, result.stdout.splitlines()) if kind in line]

    def derived(self, stream):
        return [(record["key"], record["timestamp"], record["value"]) for record in self.agent.records(stream)]

    def expected(self, stream, source, *options):
        return [(line["key"], line["timestamp"], line["value"])
                for line in self.tested("--stream", source, *options, kind="derived") if line["derived"] == stream]

    def wait_for_alerts(self, count, timeout=15):
        return wait_until(lambda: len(self.alerts()) >= count and self.alerts(), timeout, self.alerts)


@pytest.fixture(name="gateway")
def fixture_gateway(new_agent):
    return Gateway(new_agent).start()


def states(alerts):
    return [(alert["rule"], alert["state"]) for alert in alerts]


def kill_again_and_again(gateway):
    devices = [Device(number, gateway.port, 1, KILLS * 600) for number in range(3)]
    for device in devices:
        device.start()
    chance = random.Random(7)
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.02, 0.4))
        if chance.random() < 0.2:
            gateway.agent.stop()  # goes on from a snapshot
        else:
            gateway.agent.kill()
        gateway.start()
    for device in devices:
        device.join(60 + KILLS)
        assert not device.is_alive(), f"{device.name}: {device.acknowledged}"
    time.sleep(8)  # all are silent, and that is told two seconds later; so long again for what is derived of it
    gateway.agent.stop()


def test_alerts_are_those_of_the_log_whenever_the_agent_is_killed(gateway):
    kill_again_and_again(gateway)
    alerts, expected = gateway.alerts(), gateway.tested("--wait", "3s")
    # A message that is sent again may end a silence without moving its device's time: then the next has the same start.
    by_id = {}
    for alert in alerts:
        by_id.setdefault(alert["id"], []).append(alert["state"])
    for one, changes in by_id.items():
        assert changes == [("firing", "resolved")[n % 2] for n in range(len(changes))], f"{one}: a change is there twice"
    assert len(alerts) > KILLS * 3
    assert {alert["rule"] for alert in alerts} >= {"wave", "mean", "quiet"}
    same(alerts, expected)


def same(records, expected):
    differ = next((n for n, pair in enumerate(zip(records, expected)) if pair[0] != pair[1]), min(len(records), len(expected)))
    assert records == expected, f"{len(records)}, {len(expected)} expected; the first that differ: {differ}\n" + "\n".join(
        map(str, [*records[differ:differ + 2], *expected[differ:differ + 2]]))


def test_what_is_derived_is_there_once_whenever_the_agent_is_killed(new_agent, monkeypatch):
    monkeypatch.setenv("SLUICE_HASH_KEY", "secret")
    gateway = Gateway(new_agent, RULES + DERIVED).start()
    kill_again_and_again(gateway)
    copies = gateway.derived("copies")
    assert len(copies) == len(gateway.agent.records("telemetry"))
    same(copies, gateway.expected("copies", "telemetry"))
    means = gateway.derived("means")
    same(means, gateway.expected("means", "telemetry", "--wait", "3s"))
    assert sum(json.loads(value)["n"] for _, _, value in means) == len(copies), "a record counts in one interval"
    assert len({(key, start) for key, start, _ in means}) >= KILLS * 10
    same(gateway.derived("seconds"), gateway.expected("seconds", "means", "--wait", "3s"))
    same(gateway.alerts(), gateway.tested("--stream", "telemetry", "--wait", "3s"))


def test_what_must_not_leave_is_not_in_what_is_derived(new_agent, monkeypatch):
    monkeypatch.setenv("SLUICE_HASH_KEY", "secret")
    gateway = Gateway(new_agent, DERIVED).start()
    gateway.publish("pump-7", {"seq": 1, "ts": BASE, "fleet": "north"})
    MosquittoClients.publish(gateway.port, "5", "plant/pump-7/telemetry", "no JSON", 1)
    gateway.publish("pump-7", {"seq": 2, "ts": BASE + 1, "fleet": "north"})
    copies = wait_until(lambda: len(gateway.derived("copies")) == 2 and gateway.derived("copies"), 10, gateway.agent.output)
    digest = hmac.new(b"secret", b"north", "sha256").hexdigest()[:32]
    assert copies == [("pump-7", BASE, f'{{"seq":1,"fleet":"{digest}"}}'), ("pump-7", BASE + 1, f'{{"seq":2,"fleet":"{digest}"}}')]
    gateway.agent.wait_for_output("a record is no JSON object, and nothing is derived from it")
    assert "secret" not in (gateway.agent.data / "rules/telemetry.state").read_bytes().decode(errors="replace")


def test_an_alert_says_what_it_is_about(gateway):
    gateway.publish("pump-7", {"seq": 5, "ts": BASE})
    gateway.publish("pump-7", {"seq": 70, "ts": BASE + 100})
    gateway.publish("pump-7", {"seq": 71, "ts": BASE + 200})
    gateway.publish("pump-7", {"seq": 6, "ts": BASE + 300})
    fired, ended = gateway.wait_for_alerts(2)[:2]
    assert fired == {
        "id": f"wave/pump-7/{BASE + 100}", "state": "firing", "rule": "wave", "device": "pump-7", "stream": "telemetry",
        "severity": "warning", "message": "wave: pump-7: seq - 100 * floor(seq / 100) > 60, value 70",
        "start": "2023-11-14T22:13:20.100Z", "at": "2023-11-14T22:13:20.100Z", "value": 70.0, "threshold": "> 60",
        "condition": "seq - 100 * floor(seq / 100) > 60", "window": "0s", "first_offset": 1, "last_offset": 1,
        "labels": {"team": "north"},
        "observations": [{"of": "seq - 100 * floor(seq / 100)", "threshold": "> 60", "value": 70.0, "holds": True}]}
    assert (ended["id"], ended["state"], ended["reason"]) == (fired["id"], "resolved", "condition")
    record = gateway.agent.records("alerts")[0]
    assert record["key"] == "pump-7/wave"


def test_the_newest_alert_of_a_device_is_a_retained_message_over_a_kill(gateway, tmp_path):
    gateway.publish("pump-7", {"seq": 70, "ts": BASE})
    gateway.wait_for_alerts(1)
    for _ in range(2):
        subscriber = MosquittoClients.subscriber(gateway.port, "5", "sluice/alerts/pump-7/wave", 1, tmp_path)
        message = wait_until(subscriber.received, 10, "the retained alert")[0]
        assert json.loads(message.payload)["state"] == "firing"
        subscriber.close()
        gateway.agent.kill()
        gateway.start()


def test_a_rule_that_is_new_begins_at_the_end_and_one_that_is_gone_ends_its_alerts(new_agent):
    rule = '[[rule]]\nname = "{0}"\nstream = "telemetry"\nexpr = "{1}"\n'
    gateway = Gateway(new_agent, rule.format("a", "seq > 10") + rule.format("b", "seq > 20")).start()
    gateway.publish("pump-7", {"seq": 70, "ts": BASE})
    assert states(gateway.wait_for_alerts(2)) == [("a", "firing"), ("b", "firing")]
    gateway.agent.kill()
    gateway.agent.config.write_text(gateway.configuration(rule.format("a", "seq > 10") + rule.format("c", "seq > 30")))
    gateway.start()
    alerts = gateway.wait_for_alerts(3)
    assert states(alerts[2:]) == [("b", "resolved")]
    assert alerts[2]["reason"] == "rule_removed"
    for _ in range(2):  # the end of b is told once
        gateway.agent.kill()
        gateway.start()
    gateway.publish("pump-7", {"seq": 71, "ts": BASE + 1})
    gateway.publish("pump-7", {"seq": 1, "ts": BASE + 2})
    alerts = gateway.wait_for_alerts(6)
    assert sorted(states(alerts[3:])) == [("a", "resolved"), ("c", "firing"), ("c", "resolved")]


def test_without_its_snapshot_a_rule_goes_on_where_its_alerts_end(gateway):
    gateway.publish("pump-7", {"seq": 70, "ts": BASE})
    gateway.wait_for_alerts(1)
    gateway.agent.kill()
    (gateway.agent.data / "rules/telemetry.state").write_bytes(b"damaged")
    gateway.start()
    alerts = gateway.wait_for_alerts(2)
    first = [alert for alert in alerts if alert["rule"] == "wave"]
    assert states(first) == [("wave", "firing"), ("wave", "resolved")]
    assert first[1]["reason"] == "state_lost"
    gateway.publish("pump-7", {"seq": 170, "ts": BASE + 1})
    wait_until(lambda: states(gateway.alerts()).count(("wave", "firing")) == 2, 10, gateway.alerts)


def told(gateway, *options):
    result = sluice("alerts", "--data-dir", gateway.agent.data, *options)
    assert result.returncode == 0, result.stderr
    return result


def test_alerts_are_told_with_and_without_an_agent(gateway):
    gateway.publish("pump-7", {"seq": 70, "ts": BASE})
    gateway.publish("pump-8", {"seq": 70, "ts": BASE})
    gateway.publish("pump-8", {"seq": 1, "ts": BASE + 1})
    gateway.wait_for_alerts(3)
    wait_until(lambda: "pump-7" in told(gateway).stdout, 5, told(gateway))
    running = {option: told(gateway, *option).stdout for option in [(), ("--json",), ("--all", "--json")]}
    assert "wave" in running[()] and "pump-8" not in [line.split()[-1] for line in running[()].splitlines() if "wave " in line]
    assert all(len(line) <= 80 for line in running[()].splitlines())
    firing = [alert for alert in gateway.alerts() if alert["rule"] == "wave" and alert["device"] == "pump-7"]
    assert firing[0] in [json.loads(line) for line in running[("--json",)].splitlines()]
    assert [json.loads(line) for line in running[("--all", "--json")].splitlines()][:3] == gateway.alerts()[:3]
    status = json.loads(sluice("status", "--data-dir", gateway.agent.data, "--json").stdout)
    assert status["rules"]["firing_by_rule"]["wave"] == 1
    gateway.agent.kill()
    gateway.start()
    assert firing[0] in [json.loads(line) for line in told(gateway, "--json").stdout.splitlines()]
    gateway.agent.kill()
    result = told(gateway, "--json")
    assert "no agent runs" in result.stderr
    assert firing[0] in [json.loads(line) for line in result.stdout.splitlines()]


# Each record costs many transforms: milliseconds.
SLOW = "".join(f'[[rule]]\nname = "slow-{n}"\nstream = "telemetry"\nexpr = """' + " + ".join(
    f"spectrum(samples, 'band_rms', rate=1000, low={10 * n + m}, high={400 + m})" for m in range(8)) + ' < 0"""\n'
               for n in range(8))
LAST = '[[rule]]\nname = "last"\nstream = "telemetry"\nexpr = "seq >= 149"\n'


def acknowledged_within(gateway):
    """Seconds until 150 large messages of one device were acknowledged, each after the one before."""
    client = Client(("127.0.0.1", gateway.port), 5, "device")
    client.connect()
    samples = [k % 97 / 10 for k in range(4096)]
    texts = [json.dumps({"seq": seq, "ts": BASE + seq, "samples": samples}) for seq in range(150)]
    start = time.monotonic()
    for seq, text in enumerate(texts):
        client.send(wire.publish(5, "plant/pump-7/telemetry", text.encode(), 1, 1 + seq))
        assert client.receive().kind == wire.PUBACK
    return time.monotonic() - start


def test_a_slow_rule_holds_up_nobody_but_itself(new_agent):
    plain = Gateway(new_agent, LAST).start()
    without = acknowledged_within(plain)
    plain.agent.stop()
    slow = Gateway(new_agent, SLOW + LAST, "slow").start()
    with_slow = acknowledged_within(slow)
    assert not slow.alerts(), "the rules are not slow: nothing is shown"
    print(f"{with_slow:.2f} s, and {without:.2f} s without the rules")
    assert with_slow < 3 * without + 2, f"{with_slow:.1f} s, and {without:.1f} s without the rules"
    slow.agent.kill()  # far behind, and nothing is left out
    slow.start()
    assert states(slow.wait_for_alerts(1, 120)) == [("last", "firing")]
    assert slow.alerts() == slow.tested()


def test_what_was_deleted_before_the_rules_saw_it_is_told(new_agent):
    gateway = Gateway(new_agent)
    small = gateway.configuration(RULES).replace('durability = "fsync"\n', 'durability = "fsync"\nsegment_bytes = "1KiB"\n')
    gateway.agent.config.write_text(small)
    gateway.start()
    gateway.publish("pump-7", {"seq": 1, "ts": BASE})
    gateway.agent.kill()
    # While there are no rules, all but the last segments go.
    gateway.agent.config.write_text(small.replace(RULES, 'retention = "1s"\n[storage]\ncleaner_interval = "1s"\n'))
    gateway.start()
    for seq in range(60):
        gateway.publish("pump-7", {"seq": 1, "ts": BASE + seq, "pad": "x" * 200})
    wait_until(lambda: gateway.agent.records("telemetry", "--limit", "1")[0]["offset"] > 10, 20, "old segments are deleted")
    gateway.agent.stop()
    gateway.agent.config.write_text(small)
    gateway.start()
    wait_until(lambda: any("rules-gap" in record["value"] for record in gateway.agent.records("sluice.events")), 10,
               gateway.agent.output)
    event = json.loads(gateway.agent.records("sluice.events")[-1]["value"])
    assert (event["event"], event["stream"], event["first_offset"]) == ("rules-gap", "telemetry", 0)
    assert event["count"] == event["next_offset"] > 10
