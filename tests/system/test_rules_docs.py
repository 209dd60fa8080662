"""The tutorial of docs/rules.md does what it says: its files are written, its commands run, their output compared."""
import collections
import json
import pathlib
import re
import subprocess
from xml.etree import ElementTree

import pytest

from support.agent import SLUICE

PAGE = pathlib.Path(__file__).parents[2] / "docs/rules.md"


def blocks():
    """Indented blocks of the page, in order."""
    return [re.sub(r"^    ", "", block, flags=re.M) for block in re.findall(r"(?:^    .*\n)+", PAGE.read_text(), re.M)]


def test_the_tutorial_runs(tmp_path):
    files = commands = 0
    for block in blocks():
        first, _, rest = block.partition("\n")
        if named := re.fullmatch(r"# (\S+\.(?:toml|csv|expected))", first):
            (tmp_path / named[1]).write_text(rest)
            files += 1
        elif first.startswith("$ sluice "):
            result = subprocess.run([SLUICE, *first.split()[2:]], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                                    check=False)
            assert result.stdout == rest, first
            assert (result.returncode, result.stderr) == (0, ""), first
            commands += 1
    assert files >= 4 and commands >= 2


def test_a_difference_from_what_was_expected_is_told(tmp_path):
    (tmp_path / "rules.toml").write_text('[[rule]]\nname = "hot"\nstream = "t"\nexpr = "x > 80"\n')
    (tmp_path / "x.jsonl").write_text('{"ts": 1700000000, "device": "a b", "x": 81}\n{"ts": 1700000001, "device": "a b", "x": 1}\n')
    expected = tmp_path / "x.expected"

    def run(text):
        expected.write_text(text)
        return subprocess.run([SLUICE, "rules", "test", "-c", tmp_path / "rules.toml", "--in", tmp_path / "x.jsonl", "--expect",
                               expected], capture_output=True, text=True, timeout=60, check=False)

    assert run('hot "a b" 2023-11-14T22:13:20Z 2023-11-14T22:13:21Z  # it was\n').returncode == 0
    result = run('hot "a b" 2023-11-14T22:13:20Z -\n')
    assert result.returncode == 1
    assert result.stderr == ('not what was expected:\n'
                             f'- hot "a b" 2023-11-14T22:13:20.000Z -  ({expected}:1)\n'
                             '+ hot "a b" 2023-11-14T22:13:20.000Z 2023-11-14T22:13:21.000Z'
                             '  (not expected: hot: a b: x > 80, value 81)\n')
    result = run("hot\n")
    assert result.returncode == 1 and "x.expected:1:1: 1 words" in result.stderr


def test_a_plot_shows_curves_limits_and_firings(tmp_path):
    rule = '[[rule]]\nname = "{}"\nstream = "t"\nexpr = "{}"\nfor = "2s"\n'
    (tmp_path / "rules.toml").write_text(rule.format("hot", "avg(x, 5s) > 80 and y < 3") + rule.format("still", "silence(1h)"))
    lines = [{"ts": 1700000000 + n, "device": device, "x": 70 + (20 if 30 < n < 60 and device == "a<b" else 0), "y": n % 3}
             for n in range(100) for device in ("a<b", "c")]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    plain = [SLUICE, "rules", "test", "-c", tmp_path / "rules.toml", "--in", tmp_path / "x.jsonl"]
    without = subprocess.run(plain, capture_output=True, text=True, timeout=60, check=True).stdout
    result = subprocess.run([*plain, "--plot", tmp_path / "x.svg"], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == without
    svg = ElementTree.parse(tmp_path / "x.svg").getroot()
    by_class = collections.Counter(part.get("class") for part in svg.iter())
    texts = [part.text for part in svg.iter() if part.tag.endswith("text")]
    assert by_class["limit"] == 2 and {"avg(x, 5s) > 80", "y < 3", "hot", "still", "a<b", "c"} <= set(texts)
    assert by_class["firing f0"] == 2 and by_class["firing f1"] == 0, "the one that fired is the first, in each panel of its rule"
    assert by_class["curve d0"] == 3 and by_class["curve raw d0"] == 1
    assert (tmp_path / "x.svg").stat().st_size < 60_000


SHIPPED = sorted((pathlib.Path(__file__).parents[2] / "configs/rules").glob("*.toml"))


@pytest.mark.parametrize("rules", SHIPPED, ids=lambda path: path.stem)
def test_a_rule_that_ships_says_what_it_should_of_its_example(rules):
    example = rules.parent / "test" / rules.stem
    result = subprocess.run([SLUICE, "rules", "test", "-c", rules, "--in", f"{example}.csv", "--expect", f"{example}.expected"],
                            capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    named = re.findall(r'^name = "(.*)"', rules.read_text(), flags=re.M)
    said = example.with_suffix(".expected").read_text().split()
    assert all(name in said for name in named), "each rule fires in its example"


def test_all_rules_that_ship_can_be_taken_together(tmp_path):
    assert len(SHIPPED) >= 7
    config = tmp_path / "sluice.toml"
    config.write_text(f'[agent]\ndata_dir = "data"\n[listener.mqtt]\nbind = ["127.0.0.1:1883"]\n[[route]]\ntopic = "a/{{device}}"\n'
                      f'stream = "telemetry"\nkey = "{{device}}"\n[rules]\nfiles = ["{SHIPPED[0].parent}"]\n')
    result = subprocess.run([SLUICE, "check", "-c", config], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert "bearing-wear: " in result.stdout
