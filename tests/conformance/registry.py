"""The cases, each with the statements of the standards that it proves and the versions that it runs for."""
import dataclasses
import importlib
import itertools
import pkgutil
import typing

from . import cases as topics
from .client import Client

VERSION_NAMES = {3: "3.1", 4: "3.1.1", 5: "5.0"}  # by the protocol level in CONNECT


class NotOffered(Exception):
    """The server doesn't offer what the case is about, or isn't set up for it."""


@dataclasses.dataclass(frozen=True)
class Case:
    topic: str                        # the file that it is in
    name: str
    version: int
    statements: tuple[str, ...]       # "3.1.0-2", of the standard of `version`
    run: typing.Callable[["Bench"], None]
    seconds: float = 0                # that it waits at least; the longest are started first

    def __str__(self):
        return f"{self.topic}: {self.name} (MQTT {VERSION_NAMES[self.version]})"


CASES: list[Case] = []


def add(topic, name, run, seconds=0, **versions):
    """versions: v3, v4, v5, each with the numbers of the statements that it proves, separated by spaces."""
    for version, numbers in versions.items():
        if numbers is not None:
            CASES.append(Case(topic, name, int(version[1:]), tuple(numbers.split()), run, seconds))


def proves(v3=None, v4=None, v5=None, seconds=0):
    """Registers the function as a case for the versions that are given: `v4="3.1.0-2", v5=""`."""
    def register(function):
        topic = function.__module__.rsplit(".", 1)[-1]
        add(topic, function.__name__.replace("_", " "), function, seconds, v3=v3, v4=v4, v5=v5)
        return function
    return register


def all_cases():
    for module in pkgutil.iter_modules(topics.__path__):
        importlib.import_module(f"{topics.__name__}.{module.name}")
    names = [str(case) for case in CASES]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"two cases have the same name: {twice}"
    return list(CASES)


@dataclasses.dataclass(frozen=True)
class Server:
    """What the cases run against."""
    address: tuple[str, int]
    denied_topic: str | None = None   # one that nobody may publish to


class Bench:
    """What one case works with: clients of its version, names that no other case uses."""
    counter = itertools.count(1)
    run_name = "c"  # differs from run to run, as sessions and retained messages outlive one

    def __init__(self, server, version):
        self.server, self.version = server, version
        self.name = f"{Bench.run_name}{next(Bench.counter)}"
        self.clients = []
        self.names = itertools.count(1)

    def new_name(self):
        """For a client identifier or a share."""
        return f"{self.name}n{next(self.names)}"

    def new_topic(self):
        return f"{self.name}/{next(self.names)}"

    def open(self, client_id=None, version=None):
        """A client that has not sent CONNECT yet."""
        client = Client(self.server.address, version or self.version,
                        self.new_name() if client_id is None else client_id)
        self.clients.append(client)
        return client

    def client(self, client_id=None, version=None, **options):
        """A client that is connected."""
        client = self.open(client_id, version)
        client.connect(**options)
        return client

    def subscriber(self, topic_filter, qos=0, options=0, **connect_options):
        client = self.client(**connect_options)
        client.subscribe(topic_filter, qos, options)
        return client

    def keeps_session(self):
        """Options of CONNECT for a session that outlives its connection, and goes on where there is one."""
        return {"clean": False, **({"session_expiry_interval": 120} if self.version == 5 else {})}

    def close(self):
        for client in self.clients:
            client.close()
