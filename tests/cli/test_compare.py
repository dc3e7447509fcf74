"""``tinkersql compare`` as a person or a script runs it."""

import json
import sqlite3
import subprocess
import sys

import pytest

SCHEMA = "CREATE TABLE orders (id INTEGER, customer VARCHAR, amount REAL)"
GOLD = "SELECT customer FROM orders WHERE amount > 5"
OTHER = "SELECT customer FROM orders WHERE amount >= 5"


def run(*arguments):
    command = [sys.executable, "-c", "from tinkersql.cli import main; main()", "compare", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_match():
    done = run(SCHEMA, GOLD, "```sql\nselect customer from orders where not amount <= 5```")
    assert done.returncode == 0
    assert done.stdout.startswith("match:")


def test_a_difference_shows_a_database_that_can_be_pasted():
    done = run(SCHEMA, GOLD, OTHER)
    assert done.returncode == 1
    assert done.stdout.startswith("different:")
    script = done.stdout[done.stdout.index("CREATE TABLE") : done.stdout.index("SELECT")]
    connection = sqlite3.connect(":memory:")
    connection.executescript(script)
    assert connection.execute(GOLD).fetchall() != connection.execute(OTHER).fetchall()


def test_json_and_a_schema_file(tmp_path):
    path = tmp_path / "shop.sql"
    path.write_text(SCHEMA)
    done = run(path, GOLD, OTHER, "--json", "--assumptions", "open_world")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert (answer["verdict"], answer["assumptions"]) == ("different", "open_world")
    assert answer["witness"]["predicted_result"]["rows"]


def test_lines_pass_through_and_bad_ones_are_named(tmp_path):
    path, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    good = {"schema": SCHEMA, "gold": [OTHER, GOLD], "predicted": GOLD, "question": "Who?", "n": 7}
    lines = [json.dumps(good), "{nonsense", "", '{"schema": "x"}', "[1]", json.dumps({**good, "predicted": "?"})]
    lines.append(json.dumps({**good, "gold": 3}))
    path.write_text("\n".join(lines))
    done = run("--pairs", path, "--out", out, "--workers", "2")
    assert done.returncode == 2
    for number in (2, 4, 5, 7):
        assert f"line {number}:" in done.stderr
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["verdict"] for line in written] == ["match", "prediction_error"]
    assert written[0].items() >= good.items()
    assert {"reason", "witness", "assumptions", "adequacy", "notes"} <= set(written[0])


def test_good_lines_go_to_stdout(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"schema": SCHEMA, "gold": GOLD, "predicted": OTHER}) + "\n")
    done = run("--pairs", path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["verdict"] == "different"


@pytest.mark.parametrize(
    "arguments",
    [
        (SCHEMA, GOLD),
        ("--pairs", "no-such-file.jsonl"),
        ("no-such-file.sql", GOLD, GOLD),
        (SCHEMA, GOLD, GOLD, "--pairs", "x.jsonl"),
        (SCHEMA, GOLD, GOLD, "--out", "x.jsonl"),
        ("--pairs", "x.jsonl", "--json"),
        (SCHEMA, GOLD, GOLD, "--assumptions", "none"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "error" in done.stderr.lower()
