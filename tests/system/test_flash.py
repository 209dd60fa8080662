"""`sluice bench --flash`: bytes on the medium for each byte of payload, by the kernel's own counters.

They count for a device as a whole, whoever writes to it. So as root the test makes a disk of its own, in a file; else it
takes the least of some rounds, as others only add to what is counted. What the process itself has written
(/proc/PID/io) is no way out: it has neither the journal's bytes nor what the kernel writes for it."""
import json
import os

import pytest
from support.agent import sluice
from support.own_disk import own_disk

ROUNDS_MAX = 4


@pytest.fixture
def disk(tmp_path):
    with own_disk(tmp_path) as (directory, _):
        yield directory


def on_block_device(path):
    device = os.stat(path).st_dev
    return os.path.exists(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")


def measure(directory):
    run = sluice("bench", "--flash", "--dir", directory, "--seconds", "1", "--json")
    assert run.returncode == 0, run.stderr
    rows = map(json.loads, run.stdout.splitlines())
    return {(row["messages_per_second"], row["commit_interval_ms"]): row for row in rows}


def test_flash_bench_reports_what_reaches_the_medium(disk):
    if not on_block_device(disk):
        run = sluice("bench", "--flash", "--dir", disk, "--seconds", "1", "--json")
        assert run.returncode == 1
        assert "is on no block device of its own: name one on the flash" in run.stderr
        return
    seldom, often = [], []
    for _ in range(ROUNDS_MAX):
        rows = measure(disk)
        assert len(rows) == 12
        for row in rows.values():
            assert row["device_bytes"] >= row["log_bytes"] > 0
            assert row["payload_bytes"] > row["messages_per_second"] * 150
        assert rows[100, 1000]["commits"] < rows[100, 10]["commits"]
        seldom.append(rows[100, 1000]["device_bytes"])
        often.append(rows[100, 10]["device_bytes"])
        if min(seldom) < min(often):
            break
    # Each sync writes a page of its own, so fewer syncs write less.
    assert min(seldom) < min(often)
    assert os.listdir(disk) == []
