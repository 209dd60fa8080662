#!/usr/bin/env python3
"""Simulated devices that number their messages and keep a ledger of what the broker has acknowledged.

As a program it runs a fleet to its end and prints the ledger as JSON, {device: acknowledged}: messages 0 … n-1 of the
device were acknowledged. It is a process of its own, so that its work doesn't slow the test that watches.
"""
import argparse
import json
import pathlib
import signal
import subprocess
import sys
import threading
import time

import paho.mqtt.client as mqtt

from support.processes import end_with_parent

TIMESTAMP_BASE = 1_700_000_000_000  # ms; message n of a device says it was made n ms later
OUTSTANDING_MAX = 50                # of one device: published and not acknowledged


def device_name(number):
    return f"device-{number:02d}"


def payload(device, sequence, size=0):
    text = json.dumps({"device": device, "seq": sequence, "ts": TIMESTAMP_BASE + sequence}, separators=(",", ":"))
    return text[:-1] + ',"pad":"' + "x" * (size - len(text)) + '"}' if size > len(text) else text


class Device:
    """Its messages are acknowledged in the order of their numbers, as the broker takes them in order."""

    def __init__(self, name, port, qos, size=0):
        self.name, self.qos, self.size = name, qos, size
        self.published = 0
        self.acknowledged = 0
        self.room = threading.Semaphore(OUTSTANDING_MAX)
        self.client = mqtt.Client(client_id=name, clean_session=False)
        self.client.max_inflight_messages_set(OUTSTANDING_MAX)
        self.client.max_queued_messages_set(0)
        self.client.reconnect_delay_set(min_delay=1, max_delay=1)
        self.client.on_publish = self._acknowledge
        self.client.on_disconnect = self._disconnected
        self.settled = threading.Event()
        self.settled.set()
        self.client.connect("127.0.0.1", port, keepalive=60)
        self.client.loop_start()

    def _acknowledge(self, *_):
        self.acknowledged += 1
        self.room.release()
        if self.acknowledged == self.published:
            self.settled.set()

    def _disconnected(self, *_):
        """What is published while Paho connects again overtakes what it has to send again: none is, until that is done."""
        if self.acknowledged < self.published:
            self.settled.clear()

    def publish(self):
        self.room.acquire()
        self.settled.wait()
        self.published += 1
        text = payload(self.name, self.published - 1, self.size)
        self.client.publish(f"plant/{self.name}/telemetry", text, self.qos)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def run(port, devices, messages, rate, qos, size):
    """All messages, or those until SIGTERM, at `rate` a second over all devices; returns when the broker has acknowledged
    them."""
    enough = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: enough.set())
    fleet = [Device(device_name(i), port, qos, size) for i in range(devices)]
    start = time.monotonic()
    for sent in range(messages):
        ahead = start + sent / rate - time.monotonic()
        if ahead > 0.005:
            time.sleep(ahead)
        if enough.is_set():
            break
        fleet[sent % devices].publish()
    deadline = time.monotonic() + 60
    while any(device.acknowledged < device.published for device in fleet) and time.monotonic() < deadline:
        time.sleep(0.05)
    for device in fleet:
        assert device.acknowledged == device.published, f"the broker has not acknowledged all of {device.name}'s messages"
        device.close()
    return {device.name: device.acknowledged for device in fleet}


class Fleet:
    """The program, run beside a test."""

    def __init__(self, port, devices=20, messages=1000, rate=2000, qos=1, size=0):
        command = [sys.executable, "-m", "support.devices", "--port", port, "--devices", devices, "--messages",
                   messages, "--rate", rate, "--qos", qos, "--size", size]
        self.nominal_s = messages / rate
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True,
                                        cwd=pathlib.Path(__file__).parents[1], preexec_fn=end_with_parent)

    def is_running(self):
        return self.process.poll() is None

    def ledger(self):
        """Waits until all messages were acknowledged to the devices, for twice as long as they should take and more."""
        output, _ = self.process.communicate(timeout=2 * self.nominal_s + 120)
        assert self.process.returncode == 0, "the devices have not published all"
        return json.loads(output)

    def finish(self):
        """Publishes nothing more; the ledger is of what was published until now."""
        self.process.send_signal(signal.SIGTERM)
        return self.ledger()

    def stop(self):
        if self.is_running():
            self.process.kill()
            self.process.communicate()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"port": 1883, "devices": 20, "messages": 1000, "rate": 1000, "qos": 1, "size": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    print(json.dumps(run(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
