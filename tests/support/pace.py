"""How fast the disk of this machine syncs, and how much a test may ask of it.

A message from a broker costs a sync. What is asked of an ordinary machine takes a gateway's eMMC, or a CI machine with a
slow disk, many minutes: there the same test runs with fewer messages.
"""
import functools
import os
import tempfile
import time

ORDINARY_MS = 1.0  # up to here a machine gets all of it
SAMPLES = 50


@functools.cache
def sync_ms():
    """The time of an fdatasync of 4 KiB where the tests keep their files. Measured once.

    Of the quickest tenth: others that keep the processors busy now make some of them slow, a slow disk all.
    """
    times = []
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(bytes(4096 * SAMPLES))  # a log is preallocated too: a sync writes no metadata
        os.fsync(file.fileno())
        file.seek(0)
        for _ in range(SAMPLES):
            file.write(b"\1" * 4096)
            start = time.monotonic()
            os.fdatasync(file.fileno())
            times.append((time.monotonic() - start) * 1000)
    return sorted(times)[SAMPLES // 10]


def slowness():
    """1 on an ordinary machine, more on one whose syncs take longer."""
    return max(1.0, sync_ms() / ORDINARY_MS)


def paced(messages, rate):
    """What a fleet is given: this many messages at this rate, or as many fewer as this machine is slower, at a rate that
    the agent keeps up with."""
    if slowness() > 1:
        rate = min(rate / slowness(), 500 / sync_ms())  # a message of QoS 2 costs two syncs
        print(f"{round(messages / slowness())} of {messages} messages, {rate:.0f}/s, as a sync takes {sync_ms():.2f} ms")
    else:
        print(f"{messages} messages, as a sync takes {sync_ms():.2f} ms")
    return {"messages": round(messages / slowness()), "rate": max(1, round(rate))}
