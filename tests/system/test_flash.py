"""`sluice bench --flash`: bytes on the medium for each byte of payload, by the kernel's own counters."""
import json
import os

from support.agent import sluice


def on_block_device(path):
    device = os.stat(path).st_dev
    return os.path.exists(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")


def test_flash_bench_reports_what_reaches_the_medium(tmp_path):
    run = sluice("bench", "--flash", "--dir", tmp_path, "--seconds", "1", "--json")
    if not on_block_device(tmp_path):
        assert run.returncode == 1
        assert "is on no block device of its own: name one on the flash" in run.stderr
        return
    assert run.returncode == 0, run.stderr
    rows = map(json.loads, run.stdout.splitlines())
    rows = {(row["messages_per_second"], row["commit_interval_ms"]): row for row in rows}
    assert len(rows) == 12
    for row in rows.values():
        assert row["device_bytes"] >= row["log_bytes"] > 0
        assert row["payload_bytes"] > row["messages_per_second"] * 150
    # Each sync writes a page of its own, so fewer syncs write less.
    assert rows[100, 1000]["device_bytes"] < rows[100, 10]["device_bytes"]
    assert rows[100, 1000]["commits"] < rows[100, 10]["commits"]
    assert os.listdir(tmp_path) == []
