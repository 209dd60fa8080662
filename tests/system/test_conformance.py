"""The agent's own MQTT listener against the standards: each case of tests/conformance is a test."""
import pytest

from conformance import statements
from conformance.registry import Server, all_cases
from conformance.runner import run_all
from support.agent import Agent
from support.mosquitto import is_listening
from support.processes import free_port, wait_until

CASES = all_cases()


def listener(port):
    return f"""
[agent]
id = "gateway"
data_dir = "data"

[listener.mqtt]
bind = ["127.0.0.1:{port}"]
anonymous = true
local_only = ["#"]
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Of all cases, which run side by side."""
    port = free_port()
    agent = Agent(tmp_path_factory.mktemp("conformance"), listener(port))
    try:
        agent.start()
        wait_until(lambda: is_listening(port), 10, agent.output)
        found = {str(result.case): result for result in run_all(CASES, Server(("127.0.0.1", port)))}
        assert agent.process.is_running(), agent.output()[-3000:]
        return found
    finally:
        agent.end()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_listener_conforms(case, results):
    result = results[str(case)]
    if result.verdict == "not offered":
        pytest.skip(result.reason)
    assert result.verdict == "passed", result.reason


def test_every_statement_of_the_standards_has_a_case_or_a_reason():
    assert not statements.faults(CASES)
