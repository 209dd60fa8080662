"""Client libraries of other languages with the agent's listener: every QoS, sessions, retained messages, and the log.

SLUICE_CLIENTS names the languages; `./dev test clients` has them all.
"""
import os

import pytest

from support.agent import listener_configuration
from support.mosquitto import is_listening
from support.other_clients import LIBRARIES
from support.processes import free_port, wait_until

LANGUAGES = os.environ.get("SLUICE_CLIENTS", "js").split()
CASES = [(language, version) for language in LANGUAGES for version in LIBRARIES[language].versions]
NUMBERS = {0: range(50, 60), 1: range(100), 2: range(100)}


@pytest.mark.parametrize("language, version", CASES)
def test_a_library_gets_all_that_it_publishes_and_the_log_has_it(new_agent, tmp_path, language, version):
    port = free_port()
    agent = new_agent(listener_configuration(port, topic="plant/{device}/value")).start(wait_for=None)
    wait_until(lambda: is_listening(port), 20, agent.output)
    arrived = [line.split(" ") for line in LIBRARIES[language].round_trip(port, version, tmp_path)]
    for qos, numbers in NUMBERS.items():
        messages = [payload for got, _retain, topic, payload in arrived if (got, topic) == (str(qos), f"plant/{qos}/value")]
        assert messages == [str(number) for number in numbers], f"QoS {qos}"
    kept = [(qos, retain) for qos, retain, topic, payload in arrived if (topic, payload) == ("plant/kept/value", "on")]
    assert kept == [("1", "0"), ("1", "1")]
    agent.kill()
    in_log = [record["value"] for record in agent.records("telemetry")]
    assert sorted(value for value in in_log if value not in ("", "on")) == sorted(
        str(number) for numbers in NUMBERS.values() for number in numbers)
