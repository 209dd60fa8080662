#!/usr/bin/env python3
"""Shows that the chaos run finds bugs: builds the agent with one bug at a time, and expects a bad verdict for a reason.

    planted_agent_bugs.py BUILD_DIR [--only NAME]

Each bug has a plan of faults in which it can't hide, so that a run takes seconds: the seeds of ./dev chaos get there too.
As in planted_bugs.py, a piece that is not found fails, and nothing in BUILD_DIR or in the source changes. The agent as it is
goes through all plans as well, with a good verdict.
"""
import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from chaos.planted import mutant_object  # noqa: E402

# While nothing can be sent the agent takes messages; then it is killed, or the power goes, once and again.
KILLED_OFFLINE = [[2, "link", "down", 6, None], [5, "agent", "kill", 0.3, None], [7, "agent", "kill", 0.3, None]]
POWER_OFFLINE = [[2, "link", "down", 6, None], [5, "agent", "power cut", 0.3, None], [7, "agent", "power cut", 0.3, None]]

# On a slow link most of the time something is on its way.
KILLED_ON_A_SLOW_LINK = [[2, "link", "late", 36, 60], *([at, "agent", "kill", 0.1, None] for at in (8, 15, 22, 29, 36))]

# name: delivery, file, piece, what takes its place, what goes wrong, the plan, which promise the checker finds broken
BUGS = {
    "acknowledge-before-the-sync": (
        "at-least-once", "storage/segment_writer.cpp",
        "    if (auto done = file_->sync_data(); !done) return done;\n    if (bytes_since_index()",
        "    if (bytes_since_index()",
        "a device is told that its message is safe before it is on the disk", POWER_OFFLINE, "lost"),
    "move-the-cursor-before-the-report": (
        "at-least-once", "bridge/kafka/stream_window.cpp",
        "    cursor_ = entries_.empty() ? next_new_ : entries_.front().offset;",
        "    cursor_ = next_new_;",
        "the cursor passes what is sent and not acknowledged by Kafka", KILLED_OFFLINE, "lost"),
    "commit-the-position-outside-the-transaction": (
        "exactly-once", "bridge/kafka/transactions.cpp",
        "        if (send(producer, key, position_value(stream->position()))) continue;",
        "        auto alone = options_;\n        alone.delivery = Delivery::at_least_once;\n"
        "        const auto value = position_value(stream->position());\n"
        "        storage::RecordView record;\n        record.key = key;\n        record.value = value;\n"
        "        if (auto other = make_idempotent_producer(alone, report_)) {\n"
        "            static_cast<void>((*other)->send(options_.position_topic, record, nullptr));\n"
        "            rd_kafka_flush(dynamic_cast<IdempotentProducer&>(**other).handle(), 5000);\n"
        "            continue;\n        }",
        "a position is there for good while the records before it are not", KILLED_ON_A_SLOW_LINK, "lost"),
}


def agent_with(build, mutant, program):
    """Links the agent again, with this object in front of the libraries that hold the good one."""
    commands = subprocess.run(["ninja", "-C", str(build), "-t", "commands", "sluice"], check=True, capture_output=True,
                              text=True).stdout.splitlines()
    words = shlex.split(next(line for line in reversed(commands) if " -o sluice " in line).split("&&")[1])
    words[words.index("-o") + 1] = str(program)
    words.insert(words.index("-o"), str(mutant))
    subprocess.run(words, cwd=build, check=True)


def run(program, build, scratch, delivery, plan):
    """What the chaos run printed."""
    file = scratch / "plan.json"
    file.write_text(json.dumps(plan))
    words = [sys.executable, pathlib.Path(__file__).with_name("chaos.py"), "--seed", "1", "--delivery", delivery,
             "--plan", file, "--clock", build / "tests/libmoved_clock.so"]
    return subprocess.run([str(word) for word in words], env=os.environ | {"SLUICE_BIN": str(program)}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout


def finds(build, scratch, name):
    delivery, *source, _, plan, promise = BUGS[name]
    mutant = mutant_object(build, scratch, name, *source)
    if mutant is None:
        return False
    agent_with(build, mutant, scratch / name)
    said = run(scratch / name, build, scratch, delivery, plan)
    found = "verdict: bad" in said and f"\n  {promise}: " in said
    print(f"{name}: {'found: ' + said.split(promise + ': ')[1].splitlines()[0][:160] if found else 'NOT FOUND: ' + said}",
          flush=True)
    return found


def passes(build, scratch, delivery):
    plans = {json.dumps(bug[5]): bug[5] for bug in BUGS.values() if bug[0] == delivery}
    said = [run(build / "sluice", build, scratch, delivery, plan) for plan in plans.values()]
    good = all("verdict: good" in text for text in said)
    print(f"the agent as it is, {delivery}: " + ("good" if good else "\n".join(said)), flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    names = [arguments.only] if arguments.only else list(BUGS)
    with tempfile.TemporaryDirectory() as scratch:
        results = [finds(build, pathlib.Path(scratch), name) for name in names]
        if not arguments.only:
            results += [passes(build, pathlib.Path(scratch), delivery) for delivery in sorted({b[0] for b in BUGS.values()})]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
