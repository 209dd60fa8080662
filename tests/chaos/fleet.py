#!/usr/bin/env python3
"""Devices that number their messages, over any number of broken connections, until a line comes in.

Those with an even number publish with QoS 1 to plant/…, the others with QoS 2 to safety/…. Each second, and when they have
ended, a line tells what was acknowledged: {"device": {"qos": 1, "acknowledged": 17}, …}; message n of a device was
acknowledged where n is less. They end when all that they have published is acknowledged. A process of its own, so that its
work doesn't slow what it is checked by.
"""
import argparse
import json
import pathlib
import select
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.processes import end_with_parent  # noqa: E402
from support.raw_clients import Device  # noqa: E402

AHEAD_MAX_S = 1.0  # what could not be published for longer than this is not made up for: a fleet has no backlog


class PacedDevice(Device):
    def __init__(self, number, port, rate, enough):
        qos = 1 if number % 2 == 0 else 2
        super().__init__(number, port, qos, 0)
        self.topic = f"{'plant' if qos == 1 else 'safety'}/{self.name}/telemetry".encode()
        self.pause, self.enough = 1 / rate, enough
        self.due = time.monotonic()

    def is_done(self):
        return self.enough.is_set() and not self.unacknowledged

    def publish_what_is_due(self):
        now = time.monotonic()
        self.due = max(self.due, now - AHEAD_MAX_S)
        while self.due <= now and len(self.unacknowledged) < 10 and not self.enough.is_set():
            self.due += self.pause
            self.id = self.id % 65535 + 1
            self.unacknowledged[self.id] = self.next
            self.next += 1
            self.publish(self.id, self.unacknowledged[self.id], 0)

    def talk(self):
        for packet_id, number in list(self.unacknowledged.items()):
            self.send_again(packet_id, number)
        heard = time.monotonic()
        while not self.is_done():
            self.publish_what_is_due()
            if select.select([self.socket], [], [], min(0.1, self.pause))[0]:
                self.take(*self.packet())
                heard = time.monotonic()
            elif self.unacknowledged and time.monotonic() - heard > 10:
                raise ConnectionError  # it hangs, or somebody is to blame whom a new connection helps


def tell(devices):
    print(json.dumps({d.name: {"qos": d.qos, "acknowledged": d.acknowledged} for d in devices}), flush=True)


def run(port, count, rate):
    enough = threading.Event()
    devices = [PacedDevice(number, port, rate / count, enough) for number in range(count)]
    for device in devices:
        device.start()
    threading.Thread(target=lambda: (sys.stdin.readline(), enough.set()), daemon=True).start()
    while any(device.is_alive() for device in devices):
        time.sleep(1)
        tell(devices)


class Fleet:
    """The program, run beside a driver."""

    def __init__(self, port, count, rate):
        words = [sys.executable, __file__, "--port", port, "--count", count, "--rate", rate]
        self.process = subprocess.Popen([str(word) for word in words], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, preexec_fn=end_with_parent)
        self.ledger = {}
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        for line in self.process.stdout:
            self.ledger = json.loads(line)

    def acknowledged(self):
        return sum(device["acknowledged"] for device in self.ledger.values())

    def finish(self, timeout):
        """True when all that was published is acknowledged; `ledger` is final then."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.thread.join(timeout)
        return not self.thread.is_alive()

    def stop(self):
        self.process.kill()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"port": 1883, "count": 20, "rate": 1000}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    run(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
