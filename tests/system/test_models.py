"""sluice detect and sluice life: on CSV files that the tests make themselves."""
import csv
import json
import random

import pytest

from support.agent import sluice


def write(path, head, rows):
    with open(path, "w", newline="") as handle:
        out = csv.writer(handle, lineterminator="\n")
        out.writerow(head)
        out.writerows(rows)
    return path


def read(path):
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))


def run(*arguments, status=0):
    result = sluice(*map(str, arguments))
    assert result.returncode == status, result.stderr
    return result.stderr if status else result.stdout


@pytest.fixture
def series(tmp_path):
    """Two days of noise, one record a minute; a spike in `vibration` at row 2000."""
    noise = random.Random(1)
    rows = [[f"2026-01-{1 + i // 1440:02}T{i // 60 % 24:02}:{i % 60:02}:00Z", noise.gauss(20, 1),
             noise.gauss(5, 1) + (30 if i == 2000 else 0)] for i in range(2880)]
    return write(tmp_path / "in.csv", ["timestamp", "temperature", "vibration"], rows)


def test_a_spike_is_scored_above_099_and_each_row_has_its_score(series, tmp_path):
    out = tmp_path / "out.csv"
    run("detect", "--in", series, "--value-column", "vibration", "--out", out)
    rows = read(out)
    assert [row["timestamp"] for row in rows] == [row["timestamp"] for row in read(series)]
    scores = [float(row["anomaly_score"]) for row in rows]
    assert all(0 <= score <= 1 for score in scores)
    assert max(range(len(scores)), key=scores.__getitem__) == 2000 and scores[2000] > 0.99


def test_scores_do_not_depend_on_later_rows(series, tmp_path):
    lines = series.read_text().splitlines(keepends=True)
    cut = tmp_path / "cut.csv"
    cut.write_text("".join(lines[:2200]))
    for columns in (["vibration"], ["vibration", "temperature"]):
        values = [part for column in columns for part in ("--value-column", column)]
        run("detect", "--in", series, *values, "--out", tmp_path / "whole-out.csv")
        run("detect", "--in", cut, *values, "--out", tmp_path / "cut-out.csv")
        assert read(tmp_path / "cut-out.csv") == read(tmp_path / "whole-out.csv")[:2199]


def test_every_method_that_is_listed_runs(series, tmp_path):
    methods = [line.split()[0] for line in run("detect", "--list").splitlines()]
    assert {"extremes", "drift", "ewma", "robust", "seasonal", "cusum", "page-hinkley"} == set(methods)
    for method in methods:
        run("detect", "--in", series, "--value-column", "vibration", "--method", method, "--out", tmp_path / "o.csv")


@pytest.mark.parametrize("arguments, status, said", [
    (["--value-column", "vibratoin"], 1, 'in.csv:1:1: no column "vibratoin" (did you mean vibration?)'),
    (["--value-column", "vibration", "--time-column", "when"], 1, "in.csv:1:1: no column \"when\""),
    (["--value-column", "vibration", "--method", "ewm"], 2, 'no method "ewm" (did you mean ewma?)'),
    (["--value-column", "vibration", "--value-column", "temperature", "--method", "ewma"], 2, "one value column"),
    ([], 2, "--value-column"),
])
def test_a_wrong_command_is_explained_and_writes_nothing(series, tmp_path, arguments, status, said):
    assert said in run("detect", "--in", series, *arguments, "--out", tmp_path / "out.csv", status=status)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]


def test_a_bad_field_is_named_with_its_place_and_the_old_result_stays(series, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("old")
    series.write_text(series.read_text() + "2026-01-03T00:00:00Z,20,broken\n")
    said = run("detect", "--in", series, "--value-column", "vibration", "--out", out, status=1)
    assert 'in.csv:2882:25: "broken" is not a number' in said
    assert out.read_text() == "old"


def fleet(path, units, cut, seed):
    """Units that wear over their last 100 cycles; the last `cut` are left out. Returns what is left of each."""
    noise = random.Random(seed)
    rows = []
    for unit in range(units):
        life = noise.randint(120, 220)
        rows += [[f"u{unit}", cycle, 500 + 10 * max(0, 1 - (life - cycle) / 100) + noise.gauss(0, 1)]
                 for cycle in range(1, life - cut + 1)]
    write(path, ["unit", "cycle", "temperature"], rows)
    return path


def test_life_is_learned_and_told(tmp_path):
    model = tmp_path / "m"
    assert "learned from 30 units" in run("life", "train", "--in", fleet(tmp_path / "t.csv", 30, 0, 1), "--model", model)
    assert model.stat().st_size < 256 * 1024
    for cut in (15, 60):
        out = tmp_path / f"left-{cut}.csv"
        run("life", "predict", "--model", model, "--in", fleet(tmp_path / "p.csv", 20, cut, 2), "--out", out)
        rows = read(out)
        assert [row["unit"] for row in rows] == [f"u{unit}" for unit in range(20)]
        assert sum(abs(float(row["rul"]) - cut) for row in rows) / 20 < 15
        assert sum(float(row["rul_low"]) <= cut <= float(row["rul_high"]) for row in rows) >= 15


def test_life_says_what_is_wrong(tmp_path):
    few, model = fleet(tmp_path / "few.csv", 3, 0, 1), tmp_path / "m"
    assert "fewer than 10 units" in run("life", "train", "--in", few, "--model", model, status=1)
    model.write_text("not a model")
    out = tmp_path / "out.csv"
    assert "not a model, or damaged" in run("life", "predict", "--model", model, "--in", few, "--out", out, status=1)
    few.write_text("unit,cycle,temperature\nu,2,1\nu,1,1\n")
    said = run("life", "train", "--in", few, "--model", model, status=1)
    assert 'few.csv:3:3: cycle 1 of unit "u" comes late (sort the rows of a unit by cycle)' in said
    assert not out.exists()


def test_a_rule_knows_what_is_left_by_a_model_and_says_which_file_is_none(tmp_path):
    run("life", "train", "--in", fleet(tmp_path / "train.csv", 30, 0, 1), "--model", tmp_path / "pump.life")
    config = tmp_path / "rules.toml"
    config.write_text('''
[rules]
models = { pump = "pump.life" }
[[rule]]
name = "nearly-done"
stream = "telemetry"
expr = "remaining(model=\'pump\') < 30"
''')
    rows = []
    for unit in read(fleet(tmp_path / "one.csv", 1, 0, 7)):
        rows.append([f"2026-01-01T{int(unit['cycle']) // 60:02}:{int(unit['cycle']) % 60:02}:00Z", unit["temperature"]])
    write(tmp_path / "unit.csv", ["timestamp", "temperature"], rows)
    said = run("rules", "test", "-c", config, "--in", tmp_path / "unit.csv", "--json")
    alerts = [line for line in map(json.loads, said.splitlines()) if "id" in line]
    firing = [alert for alert in alerts if alert["state"] == "firing"]
    assert len(firing) >= 1, said
    since = next(i for i, row in enumerate(rows) if firing[-1]["start"][:16] == row[0][:16])
    assert 5 < len(rows) - since < 60, (since, len(rows))
    (tmp_path / "pump.life").write_text("no model")
    said = run("rules", "test", "-c", config, "--in", tmp_path / "unit.csv", status=78)
    assert "rules.toml:3:" in said and "pump.life: not a model, or damaged" in said
