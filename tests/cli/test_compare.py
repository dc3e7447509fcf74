"""``tinkersql compare`` as a person or a script runs it."""

import fcntl
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time

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


def test_values_are_shown_as_sql_and_wide_results_stay_readable():
    wide = ", ".join(f"'v{number}' AS c{number}" for number in range(40))
    done = run(SCHEMA, "SELECT NULL, 1", "SELECT 'NULL', '1'")
    assert "-+ NULL  1 " in done.stdout
    assert "| 'NULL'  '1'\n" in done.stdout
    done = run(SCHEMA, GOLD, f"SELECT {wide} FROM orders")
    results = done.stdout.partition("-- predicted\n")[2].splitlines()[1:]
    assert max(map(len, results)) < 120


@pytest.mark.parametrize("comment", [" -- all of them", " /* all of them", " /* all */"])
def test_a_comment_at_the_end_does_not_spoil_what_is_pasted(comment):
    done = run(SCHEMA, GOLD, OTHER + comment)
    assert done.returncode == 1
    script = done.stdout[done.stdout.index("CREATE TABLE") : done.stdout.index("   gold")]
    connection = sqlite3.connect(":memory:")
    connection.executescript(script)  # fails where a statement runs into the next one
    predicted = script.partition("-- predicted\n")[2].strip()
    assert predicted.startswith(OTHER)
    assert sqlite3.complete_statement(predicted)


@pytest.mark.parametrize(("predicted", "code"), [("SELECT customer FROM orders WHERE 5 < amount", 0), ("SELECT 1", 1)])
def test_agreement_comes_with_its_certificate(predicted, code):
    done = run(SCHEMA, GOLD, predicted)
    assert done.returncode == code
    last = done.stdout.splitlines()[-1]
    assert bool(re.match(r"certificate: \d+ of \d+ wrong versions of the gold told apart", last)) is (code == 0)


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


def many(count):
    """Lines of pairs, every one with a gold of its own, and one line that is none."""
    records = [
        {"schema": SCHEMA, "gold": f"SELECT id FROM orders WHERE amount > {n}", "predicted": GOLD} for n in range(count)
    ]
    return "".join(json.dumps(record) + "\n" for record in records) + "{nonsense\n"


def test_the_same_command_goes_on_after_an_interruption(tmp_path):
    path, out, partial = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    path.write_text(many(150))
    out.write_text("old\n")
    process = subprocess.Popen(command("--pairs", path, "--out", out), stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (partial.exists() and partial.stat().st_size > 5_000):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"answers are kept in {partial}, and the same command goes on" in stderr
    assert out.read_text() == "old\n"
    assert sorted(tmp_path.iterdir()) == [out, partial, path]

    header, first, *rest = partial.read_text().splitlines(keepends=True)
    marked = json.dumps({**json.loads(first), "reason": "from the first run"}) + "\n"
    partial.write_text("".join([header, marked, *rest, '{"verdict": "mat']))  # cut off, as by a power failure
    done = run("--pairs", path, "--out", out, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout) == {"pairs": 150, "verdicts": {"different": 150}, "unreadable_lines": [151]}
    whole = tmp_path / "whole.jsonl"
    assert run("--pairs", path, "--out", whole).returncode == 2
    found, expected = out.read_text().splitlines(), whole.read_text().splitlines()
    assert json.loads(found[0])["reason"] == "from the first run"
    assert found[1:] == expected[1:]
    assert not partial.exists()


def test_a_partial_result_of_something_else_is_not_touched(tmp_path):
    path, out, partial = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    path.write_text(PAIR)
    partial.write_text('{"answers to": "something else"}\n{"verdict": "match"}\n')
    before = partial.read_text()
    done = run("--pairs", path, "--out", out)
    assert done.returncode == 2
    assert "was begun with another input" in done.stderr
    assert partial.read_text() == before
    partial.unlink()
    assert run("--pairs", path, "--out", out).returncode == 0


def test_messages_are_one_line_each_and_name_what_is_wrong(tmp_path):
    path, missing = tmp_path / "pairs.jsonl", tmp_path / ("no_such_folder" * 10)
    path.write_text(PAIR)
    done = run("--pairs", path, "--out", missing / "out.jsonl")
    assert done.returncode == 2
    assert re.fullmatch(f"error: .*there is no folder {missing};.*\n", done.stderr)
    folder, name = tmp_path / "parts", f"{'part ' * 30}.jsonl"
    folder.mkdir()
    (folder / name).write_text("[1]\n" + PAIR)
    done = run("--pairs", folder, "--out", tmp_path / "out")
    assert f"{name}, line 1: not a JSON object\n" in done.stderr
    for name in ("pairs.csv", "pairs.xlsx", "pairs.jsonl.gz"):
        (tmp_path / name).write_text(PAIR)
        done = run("--pairs", tmp_path / name)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{name}: give JSON lines" in done.stderr


def test_two_runs_never_write_one_output(tmp_path):
    path, out, partial = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    path.write_text(PAIR)
    with partial.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = run("--pairs", path, "--out", out)
    assert done.returncode == 1
    assert "another run" in done.stderr
    assert not out.exists()


def test_every_strange_line_gets_a_verdict_or_a_name(tmp_path):
    path, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    base = {"schema": SCHEMA, "gold": GOLD, "predicted": GOLD}
    padding = " OR amount = 7" * 80_000
    judged = {
        "a lone surrogate": ({**base, "predicted": "SELECT '\ud800'", "note": "\udcff"}, None),
        "a surrogate in the gold": ({**base, "gold": "SELECT '\ud800'"}, None),
        "a NUL": ({**base, "predicted": GOLD + "\0"}, None),
        "a NUL in the schema": ({**base, "schema": SCHEMA + "\0"}, None),
        "no table": ({**base, "schema": "no tables here"}, "gold_error"),
        "no schema": ({**base, "schema": ""}, "gold_error"),
        "gold of another schema": ({**base, "gold": "SELECT name FROM singer"}, "gold_error"),
        "a megabyte": ({**base, "predicted": GOLD + padding}, None),
        "a megabyte of gold": ({**base, "gold": GOLD + padding}, None),
        "a megabyte of schema": ({**base, "schema": SCHEMA + "; -- " + padding}, "gold_error"),
    }
    named = {
        "cut off": b'{"schema": "CREATE',
        "bytes": b'{"schema": "\xff\xfe", "gold": "", "predicted": ""}',
        "a bare NUL": b'{"schema": "\0", "gold": "", "predicted": ""}',
        "deep": b"[" * 100_000,
        "digits": b"9" * 10_000,
        "no gold": json.dumps({**base, "gold": []}).encode(),
        "gold that is none": json.dumps({**base, "gold": [GOLD, None]}).encode(),
        "no schema": json.dumps({**base, "schema": None}).encode(),
    }
    lines = [json.dumps(record).encode() for record, _ in judged.values()] + list(named.values())
    path.write_bytes("\ufeff".encode() + b"\r\n".join([*lines, json.dumps(base).encode()]))
    done = run("--pairs", path, "--out", out, "--json", "--workers", "2")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    first = len(judged) + 1
    assert json.loads(done.stdout)["unreadable_lines"] == list(range(first, first + len(named)))
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(found) == len(judged) + 1
    for (what, (record, verdict)), line in zip(judged.items(), found, strict=False):
        assert line.items() >= record.items(), what
        assert verdict in (None, line["verdict"]), what
    assert found[-1]["verdict"] == "match"


def peak(*arguments):
    """The most memory that the command's own process had, in MiB, and its exit code and messages."""
    program = (
        "import re, sys\n"
        "from pathlib import Path\n"
        "from tinkersql.cli import main\n"
        "try: main()\n"
        # Not getrusage, whose maximum a process inherits from the one that started it.
        "finally: print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1], file=sys.stderr)"
    )
    arguments = [sys.executable, "-c", program, "compare", *map(str, arguments)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    return int(done.stderr.split()[-1]) / 1024, done.returncode, done.stderr


def test_a_line_that_is_too_long_is_named_and_not_held_in_memory(tmp_path):
    path, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    path.write_text(PAIR)
    usual, _, _ = peak("--pairs", path, "--out", out)
    with path.open("ab") as file:
        file.truncate(300 * 2**20)  # NULs, that take no room on the disk
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + PAIR.encode())
    memory, code, messages = peak("--pairs", path, "--out", out)
    assert code == 2
    assert "line 2: longer than 16 MiB" in messages
    assert len(out.read_text().splitlines()) == 2
    assert memory < usual + 64


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pairs(tmp_path):
    peaks = []
    for count in (2_000, 40_000):
        path = tmp_path / f"{count}.jsonl"
        record = {"schema": SCHEMA, "gold": GOLD, "predicted": "none", "question": "?" * 1_000}
        path.write_text((json.dumps(record) + "\n") * count)
        memory, code, _ = peak("--pairs", path, "--out", tmp_path / "out.jsonl", "--workers", "2")
        assert code == 0
        peaks.append(memory)
    assert peaks[1] < peaks[0] + 16


def test_control_characters_never_reach_the_terminal():
    evil = "\x1b]0;owned\x07\x9b31m[red]:heart:"
    different = run(SCHEMA, GOLD, f"SELECT 'value{evil}' AS \"name{evil}\"\nFROM orders")
    failed = run(SCHEMA, GOLD, f'SELECT "name{evil}" FROM orders')
    assert (different.returncode, failed.returncode) == (1, 1)
    for shown in (different.stdout, failed.stdout):
        assert all(character == "\n" or character.isprintable() for character in shown)
    assert "]0;owned��31m[red]:heart:' AS" in different.stdout
    assert "'value\\x1b]0;owned" in different.stdout
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
        (SCHEMA, GOLD, GOLD, "--workers", "2"),
        (SCHEMA, GOLD, GOLD, "--ray", "local"),
        ("--pairs", "x.jsonl", "--json"),
        ("--pairs", "/dev/null", "--out", "no-such-folder/out.jsonl"),
        ("--pairs", "/dev/null", "--out", "/"),
        (SCHEMA, GOLD, GOLD, "--assumptions", "none"),
        ("--pairs", "/dev/null", "--workers", "0"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch("error: .+\n", done.stderr)


def test_a_file_in_place_of_a_query_is_named(tmp_path):
    path = tmp_path / "gold.sql"
    assert "error" not in run(SCHEMA, GOLD, path).stderr  # no such file: SQL that does not run
    path.write_text(GOLD)
    for arguments, name in (((path, GOLD), "GOLD"), ((GOLD, path), "PREDICTED")):
        done = run(SCHEMA, *arguments)
        assert done.returncode == 2
        assert f"{name} is a query, not a file" in done.stderr
