"""sluice sql: on a running agent's directory, a killed one's; its formats, errors and prompt."""
import csv
import fcntl
import io
import json
import os
import re
import subprocess
import termios
import threading
import time

import pytest

from support.agent import SLUICE, configuration, sluice
from support.devices import Fleet
from support.processes import wait_until
from test_broker import publish_one, wait_for_records
from test_log_commands import filled  # noqa: F401, a fixture


def sql(agent, query, *options):
    return sluice("sql", query, "--data-dir", agent.data, *options)


def rows(agent, query):
    result = sql(agent, query, "--format", "jsonl")
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def files_of(agent):
    """What is there, and when it was changed."""
    return {path: path.stat().st_mtime_ns for path in agent.data.rglob("*") if path.suffix != ".db-shm"}


@pytest.mark.parametrize("running", [True, False])
def test_sql_gives_the_records_of_a_running_agent_and_of_a_killed_one(running, filled):
    if not running:
        filled.kill()
        before = files_of(filled)
    query = "select key, count(*) as n, sum(value ->> '$.n') as total from telemetry group by key"
    assert rows(filled, query) == [{"key": f"device-{i}", "n": 10, "total": 135 + 10 * i} for i in range(3)]
    assert rows(filled, "select offset from telemetry where key = 'device-1' order by offset desc limit 2") == [
        {"offset": 28}, {"offset": 25}]
    assert rows(filled, "select count(*) as n from telemetry where timestamp > now('-1 hour')") == [{"n": 30}]
    assert {row["stream"]: row["log_end_offset"] for row in rows(filled, "select * from streams")}["telemetry"] == 30
    if running:
        assert {row["key"] for row in rows(filled, "select key from devices")} == {f"device-{i}" for i in range(3)}
    else:
        assert files_of(filled) == before


def test_sql_prints_tables_csv_and_json(filled):
    query = "select offset, key, null as absent from telemetry limit 2"
    table = sql(filled, query).stdout.splitlines()
    assert table[0].split() == ["offset", "key", "absent"] and table[2].split() == ["0", "device-0", "null"]
    assert list(csv.reader(io.StringIO(sql(filled, query, "--format", "csv").stdout))) == [
        ["offset", "key", "absent"], ["0", "device-0", ""], ["1", "device-1", ""]]
    assert json.loads(sql(filled, query, "--format", "json").stdout)[1] == {
        "offset": 1, "key": "device-1", "absent": None}
    assert json.loads(sql(filled, "select 1 where 0", "--format", "json").stdout) == []
    piped = subprocess.run([SLUICE, "sql", "--data-dir", filled.data, "--format", "csv"], capture_output=True, text=True,
                           input="select 1 as a; select 2 as b;", check=False, timeout=30)
    assert piped.stdout == "a\n1\nb\n2\n"


def test_sql_says_what_is_wrong_and_where(filled):
    result = sql(filled, "select offset,\n  kei from telemetry")
    assert result.returncode == 1
    assert result.stderr == "query:2:3: no such column: kei\n    kei from telemetry\n    ^\n"
    result = sql(filled, "delete from telemetry")
    assert result.returncode == 1 and "telemetry may not be modified" in result.stderr
    assert "only SELECT" in sql(filled, "attach 'x.db' as x").stderr
    assert sluice("sql", "select 1", "--data-dir", filled.data, "--format", "xml").returncode == 2
    assert sluice("sql", "select 1", "--data-dir", "/nowhere").returncode == 1


def test_sql_reads_while_devices_send_and_the_agent_is_killed(new_agent, mosquitto):
    """Every answer is a whole beginning of the log: offsets without a hole, never fewer than what was accepted."""
    agent = new_agent(configuration(mosquitto.port, None, "-", stream='segment_bytes = "16KiB"')).start("connected")
    fleet = Fleet(mosquitto.port, messages=300, rate=2000)
    answers, over = [], threading.Event()

    def ask():
        while not over.is_set():
            answers.append(rows(agent, "select count(*) as n, min(offset) as first, max(offset) as last from telemetry")[0])

    # The stream is there once something was committed.
    wait_until(lambda: sql(agent, "select 1 from telemetry").returncode == 0, 20, "a table for the stream")
    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(3):
        agent.kill()
        agent.start("connected")
    ledger = fleet.ledger()
    distinct = "select key, count(distinct value ->> '$.seq') as n from telemetry group by key"
    wait_until(lambda: {row["key"]: row["n"] for row in rows(agent, distinct)} == ledger, 60, "all that was sent")
    over.set()
    asking.join()
    assert len(answers) > 5
    for answer in answers:
        assert answer["n"] == 0 or (answer["first"], answer["last"]) == (0, answer["n"] - 1)


class Prompt:
    """`sluice sql` on a terminal."""

    def __init__(self, agent, home):
        self.fd, other_end = os.openpty()
        self.process = subprocess.Popen([SLUICE, "sql", "--data-dir", agent.data], stdin=other_end, stdout=other_end,
                                        stderr=other_end, start_new_session=True, preexec_fn=self.own_terminal,
                                        env={**os.environ, "HOME": str(home), "TERM": "dumb"})
        os.close(other_end)
        self.text = ""
        threading.Thread(target=self.read, daemon=True).start()
        self.wait_for("sluice> ")

    @staticmethod
    def own_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read(self):
        try:
            while data := os.read(self.fd, 4096):
                self.text += data.decode(errors="replace")
        except OSError:
            pass

    def type(self, text):
        self.text = ""
        os.write(self.fd, text.encode())

    def wait_for(self, text):
        wait_until(lambda: text in self.text, 30, lambda: f"{text!r} in {self.text!r}")

    def end(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def prompt(filled, tmp_path, ends):
    made = Prompt(filled, tmp_path)
    ends(made.end)
    return made


def test_sql_prompt_answers_completes_and_remembers(prompt, tmp_path):
    prompt.type("select count(*)\nfrom tele\t;\n")
    prompt.wait_for("telemetry")
    prompt.wait_for("30")
    prompt.type(".tables\n")
    prompt.wait_for("telemetry\r\n")
    prompt.type(".schema telemetry\n")
    prompt.wait_for("telemetry (offset, timestamp, key, value, headers, size)")
    prompt.type("select kei from telemetry;\n")
    prompt.wait_for("query:1:8: no such column: kei")
    prompt.type(".quit\n")
    assert prompt.process.wait(timeout=20) == 0
    assert "select\\040count(*)" in (tmp_path / ".sluice_sql_history").read_text()


def test_sql_prompt_survives_the_interrupt_that_stops_its_query(prompt):
    prompt.type("with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n;\n")
    prompt.wait_for("max(i) from n")
    time.sleep(0.5)  # the query never ends: any moment is in the middle of it
    prompt.type("\x03")
    prompt.wait_for("cancelled")
    prompt.type("select 6 * 7 as answer;\n")
    prompt.wait_for("42")


def test_sql_lets_no_device_steer_the_terminal(prompt, mosquitto, filled):
    publish_one(mosquitto.port, device="device-0", payload='{"n":"\x1b]0;owned\x07\u202e"}')
    wait_for_records(filled, "telemetry", 31)
    prompt.type("select value from telemetry order by offset desc limit 1;\n")
    prompt.wait_for("\\x1b]0;owned\\x07\\u202e")
    assert not re.search("\x1b\\]0;owned", prompt.text)
