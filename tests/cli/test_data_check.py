"""``tinkersql data check`` from the outside."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

SCHEMA = "CREATE TABLE ducks (name VARCHAR, weight INTEGER)"
ROWS = [
    {"question": "How many ducks?", "context": SCHEMA, "answer": "SELECT COUNT(*) FROM ducks"},
    {
        "question": "Who weighs over 1,200?",
        "context": SCHEMA,
        "answer": "SELECT name FROM ducks WHERE weight > 1 OFFSET 200",
    },
    {"question": "Which colours?", "context": SCHEMA, "answer": "SELECT colour FROM ducks"},
]


def check(*arguments: str, cwd: Path, columns: int = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tinkersql", "data", "check", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"COLUMNS": str(columns)},
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "data.json").write_text(json.dumps(ROWS))
    return tmp_path


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr.splitlines()[-1]


def test_the_report_names_causes_and_rows(folder) -> None:
    done = check("data.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert "row 3: no such column: colour" in lines["missing table or column"]
    assert "error" in lines["torn number"]
    assert "33.33%" in lines["torn number"]
    assert done.stdout.splitlines()[-1].startswith("3 rows in ")
    assert [path.name for path in folder.iterdir()] == ["data.json"]


@pytest.mark.parametrize("columns", [80, 60])
def test_a_narrow_terminal_costs_no_figure(folder, columns) -> None:
    long = {**ROWS[0], "question": "Which?", "answer": f"SELECT name FROM ducks WHERE name = '{'quack ' * 20}'"}
    (folder / "data.json").write_text(json.dumps([*ROWS, *[long] * 97]))
    done = check("data.json", "--examples", "2", cwd=folder, columns=columns)
    header, *lines = done.stdout.splitlines()
    assert header.split()[:4] == ["cause", "severity", "rows", "share"]
    found = {line.split("  ")[0]: line.removeprefix(line.split("  ")[0]) for line in lines}
    assert found["torn number"].split()[:3] == ["error", "1", "1.00%"]
    assert found["duplicate"].split()[:3] == ["warning", "96", "96.00%"]
    assert found["literal not in the question"].split()[:3] == ["warning", "97", "97.00%"]
    assert found["literal not in the question"].rstrip().endswith("…")
    assert all(len(line) <= columns for line in lines)


def test_json_and_a_cleaned_copy(folder) -> None:
    done = check("data.json", "--json", "--examples", "2", "--clean", "clean.jsonl", cwd=folder)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["rows"] == 3
    assert facts["seconds"] >= 0
    assert facts["causes"] == {
        "missing table or column": {
            "severity": "error",
            "rows": 1,
            "repairable": 0,
            "examples": [{"row": 3, "detail": "no such column: colour"}],
        },
        "torn number": {
            "severity": "error",
            "rows": 1,
            "repairable": 1,
            "examples": [{"row": 2, "detail": "1 OFFSET 200"}],
        },
    }
    wanted = {"path": "clean.jsonl", "log": "clean.jsonl.log.jsonl", "rows": 2, "dropped": 1, "repaired": 1}
    assert facts["clean"] == wanted
    kept = [json.loads(line) for line in (folder / "clean.jsonl").read_text().splitlines()]
    assert kept == [ROWS[0], {**ROWS[1], "answer": "SELECT name FROM ducks WHERE weight > 1200"}]


def test_sound_data(folder) -> None:
    (folder / "data.json").write_text(json.dumps(ROWS[:1]))
    assert "nothing found" in check("data.json", cwd=folder).stdout
    assert json.loads(check("data.json", "--json", cwd=folder).stdout)["causes"] == {}


def test_data_in_which_nothing_runs(folder) -> None:
    (folder / "data.json").write_text(json.dumps(ROWS[2:]))
    line = refused(check("data.json", "--clean", "clean.json", cwd=folder))
    assert line.startswith("error: none of the 1 golds runs on its schema")
    assert [path.name for path in folder.iterdir()] == ["data.json"]


@pytest.mark.parametrize(
    ("out", "complaint"),
    [
        ("clean.csv", "ends in .json or .jsonl"),
        ("nowhere/clean.json", "there is no folder nowhere"),
        ("data.json", "this is the data itself"),
        ("folder.json", "this is no file"),
        ("logged.json", "logged.json.log.jsonl: this is no file"),
    ],
)
def test_a_bad_place_is_refused_before_the_work(folder, out, complaint) -> None:
    (folder / "folder.json").mkdir()
    (folder / "logged.json.log.jsonl").mkdir()
    before = (folder / "data.json").read_bytes()
    line = refused(check("data.json", "--clean", out, cwd=folder))
    assert complaint in line
    assert (folder / "data.json").read_bytes() == before


def test_data_with_the_name_of_the_log_is_no_log(folder) -> None:
    data = (folder / "data.json").rename(folder / "clean.json.log.jsonl")
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    before = data.read_bytes()
    assert "this is the data itself" in refused(check(data.name, "--clean", "clean.json", cwd=folder))
    assert data.read_bytes() == before


def test_a_missing_file(folder) -> None:
    assert "no such file" in refused(check("nothing.json", cwd=folder))


def test_text_in_the_data_cannot_take_over_the_terminal(folder) -> None:
    bad = {**ROWS[0], "answer": "SELECT \x1b[31mred[/] FROM ducks"}
    (folder / "data.json").write_text(json.dumps([*ROWS, bad]))
    done = check("data.json", "--examples", "5", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout


def test_ctrl_c_leaves_nothing_behind(folder) -> None:
    many = [{**ROWS[0], "question": f"How many ducks of kind {number}?"} for number in range(20_000)]
    (folder / "data.json").write_text(json.dumps(many))
    command = [sys.executable, "-m", "tinkersql", "data", "check", "data.json", "--clean", "clean.json"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            while child.poll() is None and not psutil.Process(child.pid).children():
                time.sleep(0.02)
            child.send_signal(signal.SIGINT)
            out, said = child.communicate(timeout=60)
        finally:
            child.kill()
    assert child.returncode == 130
    assert "Traceback" not in said
    assert out == ""
    assert [path.name for path in folder.iterdir()] == ["data.json"]
