"""sluice log ls, cat and verify: on a running agent's directory, a stopped one's and a damaged one's."""
import json

import pytest

from support.agent import configuration, sluice
from support.processes import wait_until
from test_broker import publish_one, wait_for_records


@pytest.fixture
def filled(new_agent, mosquitto):
    """An agent with 30 records of three devices, in small segments."""
    agent = new_agent(configuration(mosquitto.port, None, "-", stream='segment_bytes = "1KiB"')).start("connected")
    for number in range(30):
        publish_one(mosquitto.port, device=f"device-{number % 3}", payload=f'{{"n":{number}}}')
    wait_for_records(agent, "telemetry", 30)
    return agent


def log(command, agent, *arguments):
    return sluice("log", command, *arguments, "--data-dir", agent.data)


@pytest.mark.parametrize("running", [True, False])
def test_log_ls_shows_offsets_and_segments(running, filled):
    if not running:
        filled.stop()
    result = log("ls", filled)
    assert result.returncode == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if line.startswith("telemetry")).split()
    assert line[3:5] == ["0", "30"] and int(line[2]) > 1, line


def test_log_cat_selects_by_offset_key_and_count(filled):
    def offsets(*options):
        return [record["offset"] for record in filled.records("telemetry", *options)]
    assert offsets() == list(range(30))
    assert offsets("--from", "10", "--to", "12") == [10, 11, 12]
    assert offsets("--key", "device-1", "--limit", "3") == [1, 4, 7]
    assert offsets("--from", "28") == [28, 29]
    assert offsets("--from", "99") == []
    beyond = log("cat", filled, "telemetry", "--from", "1764288000000")
    assert beyond.returncode == 0 and "a time is written" in beyond.stderr
    text = log("cat", filled, "telemetry", "--limit", "1").stdout
    assert text.count("\n") == 1 and '{"n":0}' in text and "device-0" in text


def test_log_verify_is_content_with_a_good_log_and_names_a_damaged_batch(filled):
    assert log("verify", filled).returncode == 0
    filled.stop()
    assert log("verify", filled).returncode == 0
    segment = next(path for path in filled.segments() if path.parent.name == "telemetry-0")
    content = bytearray(segment.read_bytes())
    content[100] ^= 1
    segment.write_bytes(content)
    result = log("verify", filled)
    assert result.returncode == 1
    assert segment.name in result.stdout + result.stderr
    lines = [json.loads(line) for line in log("verify", filled, "--json").stdout.splitlines()]
    fault, = [line for line in lines if line["kind"] == "fault"]
    assert (fault["stream"], fault["path"], fault["position"]) == ("telemetry", str(segment), 0)
    assert {line["stream"]: line["faults"] for line in lines if line["kind"] == "summary"}["telemetry"] == 1

    # cat serves the rest, and says what it left out.
    result = log("cat", filled, "telemetry", "--json")
    assert "are damaged (skipped)" in result.stderr
    assert "offsets 0 to 0: were in these bytes (skipped)" in result.stderr
    assert len([json.loads(line) for line in result.stdout.splitlines()]) == 29


def test_the_agent_serves_what_is_left_of_a_damaged_log_and_reports_the_gap(filled, mosquitto):
    filled.stop()
    segment = [path for path in filled.segments() if path.parent.name == "telemetry-0"][-1]
    content = bytearray(segment.read_bytes())
    content[70] ^= 1
    segment.write_bytes(content)
    filled.start("connected")
    event, = wait_for_records(filled, "sluice.events", 1)
    said = json.loads(event["value"])
    assert said["event"] == "gap" and said["stream"] == "telemetry"
    publish_one(mosquitto.port, payload="after")
    assert wait_for_records(filled, "telemetry", 30)[-1]["value"] == "after"


def test_a_last_segment_that_is_gone_after_a_kill_is_a_gap_and_its_offsets_are_not_used_again(filled, mosquitto):
    filled.kill()
    segment = [path for path in filled.segments() if path.parent.name == "telemetry-0"][-1]
    first = int(segment.stem)
    segment.unlink()
    said = log("verify", filled)
    assert said.returncode == 1 and f"{segment}: is missing: the agent has written to it" in said.stdout
    filled.start("connected")
    event, = wait_for_records(filled, "sluice.events", 1)
    gap = json.loads(event["value"])
    assert (gap["event"], gap["first_offset"], gap["count"]) == ("gap", first, None)
    publish_one(mosquitto.port, payload="after")
    after = wait_for_records(filled, "telemetry", first + 1)[-1]
    assert (after["value"], after["offset"]) == ("after", gap["next_offset"])
    assert log("verify", filled).returncode == 0


def test_what_is_not_there_is_said(filled, tmp_path):
    missing = log("cat", filled, "telemetri")
    assert missing.returncode == 1 and "telemetri" in missing.stderr and len(missing.stderr.splitlines()) == 1
    nowhere = sluice("log", "ls", "--data-dir", tmp_path / "nowhere")
    assert nowhere.returncode == 1 and "nowhere" in nowhere.stderr


def test_log_cat_selects_by_time_and_shows_headers_on_demand(filled):
    records = filled.records("telemetry")
    middle = records[15]["time"]
    chosen = filled.records("telemetry", "--from", middle)
    assert [record["offset"] for record in chosen] == [r["offset"] for r in records if r["time"] >= middle]
    chosen = filled.records("telemetry", "--to", middle)
    assert [record["offset"] for record in chosen] == [r["offset"] for r in records if r["time"] <= middle]
    assert "mqtt.topic" not in log("cat", filled, "telemetry", "--limit", "1").stdout
    assert "mqtt.topic=plant/device-0/telemetry" in log("cat", filled, "telemetry", "--limit", "1", "--headers").stdout
    wrong = log("cat", filled, "telemetry", "--from", "yesterday")
    assert wrong.returncode == 2 and "yesterday" in wrong.stderr


def test_log_verify_repairs_a_damaged_log_at_rest_and_refuses_beside_an_agent(filled):
    refused = log("verify", filled, "--repair")
    assert refused.returncode == 1 and "another sluice" in refused.stderr
    filled.stop()
    segment = next(path for path in filled.segments() if path.parent.name == "telemetry-0")
    content = bytearray(segment.read_bytes())
    content[100] ^= 1
    segment.write_bytes(content)
    segment.with_suffix(".index").write_bytes(b"nonsense")
    assert log("verify", filled).returncode == 1
    repaired = log("verify", filled, "--repair")
    assert repaired.returncode == 0 and "are lost" in repaired.stdout, repaired.stdout
    assert log("verify", filled).returncode == 0
    assert len(filled.records("telemetry")) == 29
    assert list(segment.parent.glob("*.damaged-*"))


@pytest.mark.parametrize("damaged", [False, True])
def test_log_clean_compacts_a_log_at_rest_and_refuses_beside_an_agent(damaged, new_agent, mosquitto):
    """Damage is set aside and told."""
    agent = new_agent(configuration(mosquitto.port, None, "-", stream='segment_bytes = "1KiB"\ncleanup = "compact"'))
    agent.start("connected")
    for number in range(30):
        publish_one(mosquitto.port, device=f"device-{number % 3}", payload=f'{{"n":{number}}}')
    wait_for_records(agent, "telemetry", 30)
    refused = sluice("log", "clean", "-c", agent.config)
    assert refused.returncode == 1 and "another sluice" in refused.stderr
    agent.stop()
    if damaged:
        segment = next(path for path in agent.segments() if path.parent.name == "telemetry-0")
        content = bytearray(segment.read_bytes())
        content[70] ^= 1
        segment.write_bytes(content)
    cleaned = sluice("log", "clean", "-c", agent.config)
    assert cleaned.returncode == 0 and "compacted away" in cleaned.stdout, cleaned.stderr
    assert ("damage" in cleaned.stdout) == damaged, cleaned.stdout
    left = agent.records("telemetry")
    assert 3 <= len(left) < 12 and [r["value"] for r in left][-3:] == ['{"n":27}', '{"n":28}', '{"n":29}']
    assert log("verify", agent).returncode == 0


def test_log_clean_makes_no_data_directory_where_there_is_none(filled, tmp_path):
    filled.stop()
    wrong = tmp_path / "typo"
    result = sluice("log", "clean", "-c", filled.config, "--data-dir", wrong)
    assert result.returncode == 1 and "no log to clean" in result.stderr and not wrong.exists()


def test_a_stream_that_cant_be_read_hides_no_other_from_ls_and_verify(filled):
    filled.stop()
    segment = next(path for path in filled.segments() if path.parent.name == "sluice.events-0")
    segment.unlink()
    segment.mkdir()
    listed = log("ls", filled)
    assert listed.returncode == 1 and "sluice.events" in listed.stderr, listed.stderr
    assert any(line.startswith("telemetry") for line in listed.stdout.splitlines())
    verified = log("verify", filled)
    assert verified.returncode == 1 and "\ntelemetry: " in verified.stdout, verified.stdout


def test_a_quota_is_kept_by_giving_up_the_oldest_and_told_as_an_event(new_agent, mosquitto):
    agent = new_agent(configuration(
        mosquitto.port, None, "-", more='[storage]\nquota = "1MiB"',
        stream='segment_bytes = "64KiB"\ncompression = "none"\non_full = "drop_oldest"')).start("connected")
    for number in range(60):
        publish_one(mosquitto.port, payload=f"{number:04}" + "x" * 40_000)
    wait_until(lambda: agent.records("telemetry")[-1]["value"].startswith("0059"), 20, "the last message")
    event = json.loads(wait_for_records(agent, "sluice.events", 1)[0]["value"])
    assert event["event"] == "gap" and event["stream"] == "telemetry" and event["count"] > 0
    assert "drop_oldest" in event["reason"]
    assert agent.records("telemetry")[0]["offset"] > 0
    used = sum(path.stat().st_size for path in (agent.data / "log" / "telemetry-0").glob("*.log"))
    assert used <= 1 << 20
