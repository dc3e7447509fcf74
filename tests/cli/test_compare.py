"""``tinkersql compare`` as a person or a script runs it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

SCHEMA = "CREATE TABLE orders (id INTEGER, customer VARCHAR, amount REAL)"
GOLD = "SELECT customer FROM orders WHERE amount > 5"
OTHER = "SELECT customer FROM orders WHERE amount >= 5"


PAIR = json.dumps({"schema": SCHEMA, "gold": GOLD, "predicted": OTHER}) + "\n"


def command(*arguments):
    return [sys.executable, "-c", "from tinkersql.cli import main; main()", "compare", *map(str, arguments)]


def run(*arguments, stdin=None):
    return subprocess.run(command(*arguments), input=stdin, capture_output=True, text=True, check=False)


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
    path.write_text(PAIR)
    done = run("--pairs", path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["verdict"] == "different"


def test_lines_from_a_pipe_to_a_pipe():
    done = run("--pairs", "/dev/stdin", "--out", "/dev/stdout", stdin="\n" + PAIR * 2)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["verdict"] for line in done.stdout.splitlines()] == ["different"] * 2


@pytest.mark.parametrize("name", ["pairs.jsonl", "symbolic.jsonl", "hard.jsonl"])
def test_the_pairs_are_never_overwritten(tmp_path, name):
    path = tmp_path / "pairs.jsonl"
    path.write_text(PAIR)
    (tmp_path / "symbolic.jsonl").symlink_to(path)
    (tmp_path / "hard.jsonl").hardlink_to(path)
    done = run("--pairs", path, "--out", tmp_path / name)
    assert done.returncode == 2
    assert "the same file" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert path.read_text() == PAIR


def test_a_link_is_written_through(tmp_path):
    path, old, link = tmp_path / "pairs.jsonl", tmp_path / "old.jsonl", tmp_path / "link.jsonl"
    path.write_text(PAIR)
    old.write_text("old\n")
    link.symlink_to(old)
    assert run("--pairs", path, "--out", link).returncode == 0
    assert link.is_symlink()
    assert json.loads(old.read_text())["verdict"] == "different"
    assert sorted(tmp_path.iterdir()) == [link, old, path]


def test_an_interrupted_run_leaves_the_old_result(tmp_path):
    pipe, out = tmp_path / "pipe", tmp_path / "out.jsonl"
    out.write_text("old\n")
    os.mkfifo(pipe)
    process = subprocess.Popen(command("--pairs", pipe, "--out", out), stderr=subprocess.PIPE, text=True)
    with pipe.open("w") as pairs:  # opens once the command reads
        pairs.write(PAIR + "{nonsense\n")
        pairs.flush()
        assert process.stderr is not None
        assert "line 2" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.read_text() == "old\n"
    assert sorted(tmp_path.iterdir()) == [out, pipe]


def test_control_characters_never_reach_the_terminal():
    evil = "\x1b]0;owned\x07\x9b31m[red]:heart:"
    different = run(SCHEMA, GOLD, f"SELECT 'value{evil}' AS \"name{evil}\"\nFROM orders")
    failed = run(SCHEMA, GOLD, f'SELECT "name{evil}" FROM orders')
    assert (different.returncode, failed.returncode) == (1, 1)
    for shown in (different.stdout, failed.stdout):
        assert all(character == "\n" or character.isprintable() for character in shown)
    clean = " ]0;owned  31m[red]:heart:"
    assert f"SELECT 'value{clean}' AS \"name{clean}\"\nFROM orders;  -- predicted" in different.stdout
    assert f"│ value{clean} │" in different.stdout
    assert f"┃ name{clean} " in different.stdout
    assert "]0;owned" in failed.stdout
    assert "31m[red]:heart:" in failed.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (SCHEMA, GOLD),
        ("--pairs", "no-such-file.jsonl"),
        ("no-such-file.sql", GOLD, GOLD),
        (SCHEMA, GOLD, GOLD, "--pairs", "x.jsonl"),
        (SCHEMA, GOLD, GOLD, "--out", "x.jsonl"),
        ("--pairs", "x.jsonl", "--json"),
        ("--pairs", "/dev/null", "--out", "no-such-folder/out.jsonl"),
        ("--pairs", "/dev/null", "--out", "/"),
        (SCHEMA, GOLD, GOLD, "--assumptions", "none"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "error" in done.stderr.lower()
