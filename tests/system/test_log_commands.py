"""sluice log ls, cat and verify: on a running agent's directory, a stopped one's and a damaged one's."""
import json

import pytest

from support.agent import configuration, sluice
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

    # cat serves the rest, and says what it left out.
    result = log("cat", filled, "telemetry", "--json")
    assert "skipped" in result.stderr
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


def test_what_is_not_there_is_said(filled, tmp_path):
    missing = log("cat", filled, "telemetri")
    assert missing.returncode == 1 and "telemetri" in missing.stderr and len(missing.stderr.splitlines()) == 1
    nowhere = sluice("log", "ls", "--data-dir", tmp_path / "nowhere")
    assert nowhere.returncode == 1 and "nowhere" in nowhere.stderr
