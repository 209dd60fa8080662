"""The gateway of a chaos run: the agent, its disk, its clock, and what its log has had."""
import json
import pathlib
import signal
import struct

from chaos.disk import Disk
from support.agent import Agent, sluice
from support.processes import free_port

STREAMS = ("telemetry", "safety")

CONFIGURATION = """
[agent]
id = "gateway"
data_dir = "{data}"
shutdown_timeout = "3s"

[listener.mqtt]
bind = ["127.0.0.1:{port}"]

[[route]]
topic = "plant/{{device}}/telemetry"
stream = "telemetry"
key = "{{device}}"

[[route]]
topic = "safety/{{device}}/telemetry"
stream = "safety"
key = "{{device}}"

[stream.telemetry]
segment_bytes = "1MiB"

[stream.safety]
segment_bytes = "1MiB"

[kafka]
brokers = "{brokers}"
delivery = "{delivery}"
retry_max = "1s"
"""


class Gateway:
    def __init__(self, directory, brokers, delivery, clock_library=None, more=""):
        self.directory = pathlib.Path(directory)
        self.disk = Disk(self.directory)
        self.port = free_port()
        self.agent = Agent(self.directory, CONFIGURATION.format(
            data=self.disk.path / "data", port=self.port, brokers=brokers, delivery=delivery) + more)
        self.agent.data = self.disk.path / "data"
        self.clock = self.directory / "clock"
        self.clock.write_bytes(struct.pack("=q", 0))
        self.environment = {"PATH": "/usr/bin:/bin"}
        if clock_library:
            self.environment |= {"LD_PRELOAD": str(clock_library), "SLUICE_MOVED_CLOCK": str(self.clock)}
        self.kills = 0
        self.is_full = False
        self.ended_by_itself = []        # exit statuses
        self.seen = {stream: {} for stream in STREAMS}  # offset: (device, sequence), of records that the log has had
        self.whole = {stream: True for stream in STREAMS}  # False: the log let go of records that nobody had looked at

    def start(self):
        self.agent.start(wait_for=None, environment=self.environment)

    def look_after(self):
        """What systemd does: an agent that has ended is started again. Returns the status that it ended with, or None."""
        if self.agent.process.is_running():
            return None
        status = self.agent.process.popen.returncode
        self.ended_by_itself.append(status)
        self.start()
        return status

    def kill(self):
        self.kills += 1
        self.agent.kill()

    def stop(self):
        self.agent.process.terminate(60)

    def freeze(self):
        self.agent.process.signal(signal.SIGSTOP)

    def thaw(self):
        self.agent.process.signal(signal.SIGCONT)

    def cut_power(self):
        if self.disk.is_own:
            self.kills += 1
            self.disk.cut_power(self.agent.kill)
        else:
            self.kill()

    def remove_catalog(self):
        if self.is_full:
            return  # there would be no room for another
        for file in self.agent.data.glob("catalog.db*"):
            file.unlink()

    def fill_disk(self):
        """A full disk makes the log let go of what is forwarded: what it has is looked at before."""
        if self.disk.is_own and (self.agent.data / "catalog.db").exists():
            self.look_at_log()
            self.disk.fill()
            self.is_full = True

    def empty_disk(self):
        self.disk.empty()
        self.is_full = False

    def move_clock(self, seconds):
        with open(self.clock, "r+b") as file:
            file.write(struct.pack("=q", seconds * 1_000_000_000))

    def look_at_log(self, again=False):
        """Reads what is new in the logs; with `again`, all that is still there, and returns it as `seen` has it."""
        found = {}
        for stream, seen in self.seen.items():
            start = 0 if again else max(seen, default=-1) + 1
            result = sluice("log", "cat", stream, "--data-dir", self.agent.data, "--json", "--from", start, timeout=300)
            records = {}
            for line in result.stdout.splitlines():
                record = json.loads(line)
                value = json.loads(record["value"])
                records[record["offset"]] = (value["device"], value["seq"])
            if not again and records and seen and min(records) > start:
                self.whole[stream] = False
            seen.update(records)
            found[stream] = records
        return found

    def behind(self):
        """By how many records the forwarder's cursors are behind, as the agent's own command tells it."""
        rows = [json.loads(line) for line in sluice("log", "ls", "--data-dir", self.agent.data, "--json").stdout.splitlines()]
        return {row["stream"]: row["cursors"][0]["behind"] if row["cursors"] else row["log_end_offset"] for row in rows
                if row["stream"] in STREAMS}

    def end(self):
        self.agent.end()
        self.disk.remove()
