"""What the system tests share: a Kafka for all of them, and a broker, an agent and devices that end with each."""
import pathlib
import shutil
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from support.agent import Agent, configuration  # noqa: E402
from support.devices import Fleet  # noqa: E402
from support.kafka import Kafka  # noqa: E402
from support.mosquitto import Mosquitto  # noqa: E402
from support.pace import slowness, sync_ms  # noqa: E402


def pytest_terminal_summary(terminalreporter):
    if slowness() > 1:
        terminalreporter.write_line(f"a sync takes {sync_ms():.1f} ms here: the tests with very many messages had "
                                    f"1/{slowness():.1f} of them")


@pytest.fixture(scope="session")
def the_kafka(tmp_path_factory):
    broker = Kafka(tmp_path_factory.mktemp("kafka")).start()
    yield broker
    broker.stop()


@pytest.fixture
def kafka(the_kafka):
    """One node without automatic topics; it runs when a test starts, whatever the test before has done to it."""
    the_kafka.resume()
    if not the_kafka.process.is_running():
        the_kafka.start()
    return the_kafka


@pytest.fixture
def topic():
    """A name that no other test uses."""
    return f"t-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def ends():
    """Collects what is to be ended after the test, the last first."""
    calls = []
    yield calls.append
    for call in reversed(calls):
        call()


@pytest.fixture
def mosquitto(tmp_path, ends):
    broker = Mosquitto(tmp_path / "mosquitto").start()
    ends(broker.stop)
    return broker


@pytest.fixture
def new_agent(tmp_path, ends):
    """A function that makes an agent from its configuration; what the agent kept is removed after a good test."""
    def make(config, name="agent"):
        agent = Agent(tmp_path / name, config)
        ends(lambda: shutil.rmtree(agent.data, ignore_errors=True))
        ends(agent.end)
        return agent
    return make


@pytest.fixture
def agent(new_agent, mosquitto, kafka, topic):
    """Subscribed to `mosquitto`, forwards to `topic` of `kafka`. Not started."""
    return new_agent(configuration(mosquitto.port, kafka.brokers, topic))


def pytest_collection_modifyitems(items):
    """What takes longest begins first, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: "test_delivery.py" not in item.nodeid)


@pytest.fixture
def new_fleet(ends):
    def make(*arguments, **options):
        fleet = Fleet(*arguments, **options)
        ends(fleet.stop)
        return fleet
    return make
