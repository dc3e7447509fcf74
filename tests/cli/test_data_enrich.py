import json
import subprocess
import sys
from pathlib import Path

import pytest

ROWS = [
    {
        "question": f"Which keeper feeds the Heron at pond {n}?",
        "context": "CREATE TABLE table_name_7 (keeper VARCHAR, bird VARCHAR, pond VARCHAR)",
        "answer": f'SELECT keeper FROM table_name_7 WHERE bird = "heron" AND pond = {n}',
    }
    for n in range(30)
]


def enrich(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tinkersql", "data", "enrich", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "rows.json").write_text(json.dumps(ROWS))
    return tmp_path


@pytest.mark.parametrize("out", ["out.json", "out.jsonl", "out.ndjson"])
def test_rows_are_written_and_the_changes_counted(folder, out) -> None:
    done = enrich("rows.json", out, "--recipe", "full-schemas,value-case,mix-generated", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    text = (folder / out).read_text(encoding="utf-8")
    rows = json.loads(text) if out == "out.json" else [json.loads(line) for line in text.splitlines()]
    assert summary["rows"] == 30
    assert summary["examples"] == len(rows) == 60
    assert summary["counts"]["mix-generated"] == sum("pattern" in row for row in rows) == 30
    assert summary["counts"]["value-case"] == sum('"Heron"' in row["answer"] for row in rows) > 0
    assert [row["question"] for row in rows if "pattern" not in row] == [row["question"] for row in ROWS]


def test_a_person_sees_counts_and_two_rows_before_and_after(folder) -> None:
    done = enrich("rows.json", "out.json", "--recipe", "distractor-columns=1,shuffle-columns=1", cwd=folder)
    assert "30 rows became 30 examples in out.json" in done.stdout
    assert "distractor-columns=1: adds columns" in done.stdout
    assert done.stdout.count("before") == done.stdout.count("after ") == 2


def test_the_seed_decides(folder) -> None:
    for seed in ("1", "2"):
        done = enrich("rows.json", f"{seed}.json", "--recipe", "full-schemas", "--seed", seed, cwd=folder)
        assert done.returncode == 0, done.stderr
    assert (folder / "1.json").read_text() != (folder / "2.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rows.json", "out.json", "--recipe", "magic"), "no such recipe"),
        (("rows.json", "out.json", "--recipe", ""), "at least one is needed"),
        (("rows.json", "out.csv", "--recipe", "full-schemas"), "ends in .json or .jsonl"),
        (("none.json", "out.json", "--recipe", "full-schemas"), "no such file"),
        (("built-in", "out.json", "--recipe", "mix-generated"), "generated already"),
        (
            ("none.json", "missing/out.json", "--recipe", "full-schemas"),
            "there is no folder missing",
        ),  # before the work
        (("rows.json", "rows.json", "--recipe", "full-schemas"), "this is the data itself"),
        (("rows.json", "../{0}/rows.json", "--recipe", "full-schemas"), "this is the data itself"),
    ],
)
def test_a_mistake_costs_one_line_and_leaves_nothing_behind(folder, arguments, message) -> None:
    done = enrich(*(argument.format(folder.name) for argument in arguments), cwd=folder)
    assert done.returncode != 0
    assert message in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert [path.name for path in folder.iterdir()] == ["rows.json"]
    assert json.loads((folder / "rows.json").read_text()) == ROWS


def test_all_golds_and_what_is_known_of_a_row_are_written(folder) -> None:
    other = "SELECT keeper FROM table_name_7 AS t WHERE bird = 'heron'"
    known = {"difficulty": "hard", "skills": ["filter"], "domain": "birds"}
    rows = [{**row, **known, "answer": [row["answer"], other]} for row in ROWS]
    (folder / "rows.json").write_text(json.dumps(rows))
    done = enrich("rows.json", "out.json", "--recipe", "shuffle-columns=1,value-case", cwd=folder)
    assert done.returncode == 0, done.stderr
    for row in json.loads((folder / "out.json").read_text()):
        assert row.items() >= known.items()
        assert len(row["answer"]) == 2
        assert row["answer"][1] == other.replace("heron", "Heron")


def test_columns_of_other_names_are_mapped(folder) -> None:
    (folder / "rows.csv").write_text(
        "nl,ddl,sql\nWhich birds?,CREATE TABLE birds (name VARCHAR),SELECT name FROM birds\n"
    )
    done = enrich(
        *("rows.csv", "out.jsonl", "--recipe", "declared-keys=1", "--map", "question=nl,context=ddl,answer=sql"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    row = json.loads((folder / "out.jsonl").read_text())
    assert row["question"] == "Which birds?"
    assert "PRIMARY KEY" in row["context"]
