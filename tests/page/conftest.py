"""What the tests of the page share: an agent that has seen something, and a browser that looks at it."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from browser import Browser  # noqa: E402
from scene import Scene  # noqa: E402
from system.conftest import ends, the_kafka  # noqa: E402, F401


@pytest.fixture(scope="session")
def the_browser():
    chromium = Browser()
    yield chromium
    chromium.quit()


@pytest.fixture
def browser(the_browser):
    """In a state of its own; a test fails where the page said an error that it didn't expect."""
    the_browser.reset()
    yield the_browser
    assert the_browser.faults() == []


@pytest.fixture(scope="session")
def scene(tmp_path_factory, the_kafka):  # noqa: F811
    """An agent that forwards to Kafka, whose devices send, and one of whose rules fires."""
    made = Scene(tmp_path_factory.mktemp("scene"), the_kafka)
    yield made
    made.end()


@pytest.fixture
def new_scene(tmp_path, ends):  # noqa: F811
    """A function that makes an agent of the test's own, without Kafka."""
    def make(**options):
        made = Scene(tmp_path / f"scene-{len(list(tmp_path.iterdir()))}", **options)
        ends(made.end)
        return made
    return make


def pytest_configure(config):
    config.addinivalue_line("markers", "long: left out of ./dev test page --short")
