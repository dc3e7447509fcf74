"""``tinkersql data split`` from the outside."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROWS = [
    {
        "nl": f"How many in {i}?",
        "ddl": f"CREATE TABLE birds_{i % 10} (name VARCHAR, c{i} REAL)",
        "sql": [f"SELECT COUNT(name) FROM birds_{i % 10} WHERE c{i} = {i}", "SELECT 1"][: 1 + i % 2],
        "difficulty": "easy",
    }
    for i in range(40)
]
MAP = ("--map", "question=nl", "--map", "answer=sql,context=ddl")


def tinkersql(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tinkersql", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def data(tmp_path) -> Path:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(ROWS))
    return path


def test_a_split_is_three_files_that_say_what_they_are(tmp_path, data) -> None:
    command = ("data", "split", data, "parts", "--by", "table", "--test-size", 6, "--seed", 3, *MAP)
    done = tinkersql(*command, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts == json.loads((tmp_path / "parts" / "split.json").read_text())
    assert (facts["by"], facts["seed"], facts["source"]) == ("table", 3, str(data))
    assert facts["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert facts["leaks"]["table"] == 0
    train, test = (lines(tmp_path / "parts" / f"{side}.jsonl") for side in ("train", "test"))
    assert (len(train), len(test), facts["left_out"]) == (facts["train"], facts["test"], 2) == (32, 6, 2)
    assert {row["difficulty"] for row in train + test} == {"easy"}
    assert any(isinstance(row["answer"], list) for row in train)
    told = tinkersql(*command[:3], "again", *command[4:], cwd=tmp_path)
    assert "32 examples to train on, 6 to test on, split by table" in told.stdout
    assert told.stdout.splitlines()[-1].startswith("Leaks: of 6 test questions")
    for name in ("train.jsonl", "test.jsonl", "split.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_the_parts_are_data_again(tmp_path, data) -> None:
    (tmp_path / "parts").mkdir()  # an empty folder may be there
    assert tinkersql("data", "split", data, "parts", "--test-size", 5, *MAP, cwd=tmp_path).returncode == 0
    described = tinkersql("data", "stats", "parts/train.jsonl", "--json", cwd=tmp_path)
    assert json.loads(described.stdout)["examples"] == 35


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rows.json", "parts", "--by", "column", *MAP), "no split goes by 'column'"),
        (("rows.json", "parts", "--by", "table", "--test-size", 37, *MAP), "too small for a table-disjoint split"),
        (("rows.json", "parts", "--test-size", 40, *MAP), "--test-size 40 is too large"),
        (("rows.json", "parts"), "has no 'question'"),
        (("rows.json", "parts", "--map", "frage=nl"), "no such key"),
        (("rows.json", "occupied"), "not empty"),
        (("rows.json", "rows.json"), "cannot be the folder"),
        (("rows.json", "sealed/parts", "--test-size", 5, *MAP), "cannot be"),
    ],
)
@pytest.mark.usefixtures("data")
def test_a_mistake_is_one_line_and_writes_nothing(tmp_path, arguments, said) -> None:
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied" / "train.jsonl").write_text("mine")
    (tmp_path / "sealed").write_text("a file where a folder should be")
    before = sorted(os.walk(tmp_path))
    done = tinkersql("data", "split", *arguments, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "--split" not in done.stderr  # the option is --by here
    assert sorted(os.walk(tmp_path)) == before
    assert (tmp_path / "occupied" / "train.jsonl").read_text() == "mine"
