"""The agent under test: the real program with a configuration of the test's."""
import json
import os
import pathlib
import signal
import subprocess

from support.processes import Process, wait_until

SLUICE = os.environ.get("SLUICE_BIN") or str(pathlib.Path(__file__).parents[2] / "build/release/sluice")


def configuration(broker_port, kafka_brokers, topic, *, agent="", source="", route="", stream="", kafka="", more=""):
    """From devices' topics to the stream `telemetry` and the Kafka topic `topic`; the rest is added to its section."""
    forward = f"""
[kafka]
brokers = "{kafka_brokers}"
retry_max = "1s"
{kafka}
"""
    return f"""
[agent]
id = "gateway"
data_dir = "data"
{agent}

[[source.mqtt]]
name = "plant"
url = "mqtt://127.0.0.1:{broker_port}"
topics = ["plant/#"]
reconnect_max = "1s"
{source}

[[route]]
topic = "plant/{{device}}/telemetry"
stream = "telemetry"
key = "{{device}}"
{route}

[stream.telemetry]
kafka_topic = "{topic}"
{stream}
{forward if kafka_brokers else ""}
{more}
"""


def listener_configuration(port, *, listener="", topic="bench/{device}/telemetry"):
    """Devices publish to the agent itself, into the stream `telemetry`; nothing goes to Kafka."""
    return f"""
[agent]
id = "gateway"
data_dir = "data"

[listener.mqtt]
bind = ["127.0.0.1:{port}"]
anonymous = true
max_connections = 20000
{listener}

[[route]]
topic = "{topic}"
stream = "telemetry"

[stream.telemetry]
durability = "fsync"
"""


def sluice(*arguments, timeout=60, environment=None):
    """Runs one command to its end."""
    return subprocess.run([SLUICE, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False, env=environment, errors="replace")


class Agent:
    def __init__(self, directory, config):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config = self.directory / "sluice.toml"
        self.config.write_text(config)
        self.data = self.directory / "data"
        self.process = None
        self.runs = 0

    def start(self, wait_for="ready:", environment=None, before=None):
        """Returns once the agent's output has the text; "subscribed" is when a broker delivers to it."""
        self.runs += 1
        # Several agents run at a time, and only one can have the port.
        admin = [] if "[admin]" in self.config.read_text() else ["--set", "admin.bind=off"]
        self.process = Process([SLUICE, "run", "-c", self.config, *admin], self.directory / f"agent-{self.runs}.log",
                               environment=environment, before=before)
        if wait_for:
            self.wait_for_output(wait_for, 20)
        return self

    def output(self):
        return self.process.output()

    def count(self, text):
        return self.output().count(text)

    def wait_for_output(self, text, timeout=20):
        wait_until(lambda: text in self.output() or not self.process.is_running(), timeout,
                   lambda: f"{text!r} in the agent's output:\n{self.output()[-3000:]}")
        assert text in self.output(), f"the agent ended before {text!r}:\n{self.output()[-3000:]}"

    def kill(self):
        self.process.kill()

    def stop(self, timeout=30):
        """An orderly stop, which must succeed."""
        status = self.process.terminate(timeout)
        assert status == 0, f"exit {status}; output:\n{self.output()[-3000:]}"

    def end(self):
        """Whatever state it is in: called when the test is over."""
        if self.process and self.process.is_running():
            self.process.signal(signal.SIGCONT)
            self.process.kill()

    def records(self, stream, *options):
        """What the stream's log has, as `sluice log cat --json` tells it."""
        result = sluice("log", "cat", stream, "--data-dir", self.data, "--json", *options, timeout=120)
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    def describe(self):
        """Prints what the agent has and what it said, for whoever looks into a failure."""
        print(sluice("log", "ls", "--data-dir", self.data).stdout)
        for run in range(1, self.runs + 1):
            print(f"--- run {run}\n" + (self.directory / f"agent-{run}.log").read_text(errors="replace")[-4000:])

    def segments(self):
        return sorted((self.data / "log").glob("*/*.log"))
