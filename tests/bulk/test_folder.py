"""``tinkersql compare --pairs FOLDER``: parts in, parts out, by the command line."""

import json
import signal
import subprocess
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bulk_command import SCHEMA, command, contents, pairs, read_lines, run, write_lines, write_table


@pytest.fixture
def folder(tmp_path):
    """Three parts of 8, 8 and 6 pairs, all readable."""
    found = tmp_path / "in"
    found.mkdir()
    write_lines(found / "a.jsonl", pairs(8))
    write_table(found / "b.parquet", pairs(8, 8), row_group_size=3)
    write_lines(found / "c.jsonl", pairs(6, 16))
    return found


def test_each_part_has_an_output_of_its_name_and_format(folder, tmp_path):
    (folder / "notes.txt").write_text("no part")
    (folder / "_hidden.jsonl").write_text("no part")
    out = tmp_path / "deep" / "out"
    done = run("--pairs", folder, "--out", out, "--json", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "pairs": 22,
        "verdicts": {"match": 11, "different": 11},
        "parts": 3,
        "unreadable_lines": {},
        "unreadable_parts": [],
    }
    assert set(contents(out)) == {"a.jsonl", "b.parquet", "c.jsonl"}
    rows = [*read_lines(out / "a.jsonl"), *pq.read_table(out / "b.parquet").to_pylist(), *read_lines(out / "c.jsonl")]
    assert [row["n"] for row in rows] == list(range(22))
    assert [row["verdict"] for row in rows] == ["match", "different"] * 11


def test_parquet_keeps_columns_and_types_and_adds_text(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    golds = [[record["gold"], "SELECT 1"] for record in pairs(2)]
    table = pa.table(
        {
            "when": pa.array([0, 1], pa.timestamp("us")),
            "schema": pa.array([SCHEMA] * 2).dictionary_encode(),
            "gold": pa.array(golds, pa.large_list(pa.string())),
            "predicted": pa.array(["select 1", "?"], pa.large_string()),
            "verdict": pa.array([1, 2]),
        }
    )
    pq.write_table(table, folder / "x.parquet")
    assert run("--pairs", folder, "--out", out).returncode == 0
    found = pq.read_table(out / "x.parquet")
    for name in ("when", "schema", "gold", "predicted"):
        assert found.column(name).to_pylist() == table.column(name).to_pylist()
        assert found.schema.field(name).type == table.schema.field(name).type
    assert found.column("verdict").to_pylist() == ["match", "prediction_error"]
    assert found.column("witness").to_pylist() == [None, None]
    assert [json.loads(notes) for notes in found.column("notes").to_pylist()]


def test_parquet_and_lines_get_the_same_answers(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    write_lines(folder / "x.jsonl", pairs(6))
    write_table(folder / "x.parquet", pairs(6))
    assert run("--pairs", folder, "--out", out).returncode == 0
    lines, rows = read_lines(out / "x.jsonl"), pq.read_table(out / "x.parquet").to_pylist()
    texts = [
        {key: json.dumps(value) if isinstance(value, list | dict) else value for key, value in line.items()}
        for line in lines
    ]
    assert rows == texts


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(folder, tmp_path):
    out = tmp_path / "out"
    with (folder / "a.jsonl").open("a") as lines:
        lines.write("{nonsense\n\n[1]\n")
    records = [{**record, "predicted": None if record["n"] == 1 else record["predicted"]} for record in pairs(3)]
    write_table(folder / "d.parquet", records)
    not_text = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe"))
    bad = pa.table({"schema": [SCHEMA], "gold": not_text, "predicted": ["SELECT 1"]})
    pq.write_table(bad, folder / "e.parquet")
    (folder / "f.parquet").write_bytes(b"PAR1 and nothing more")
    write_table(folder / "g.parquet", [{"schema": SCHEMA, "gold": "SELECT 1"}])
    (folder / "h.jsonl").mkdir()
    for _ in range(2):  # the second time from what the first one left
        done = run("--pairs", folder, "--out", out, "--json")
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        for said in ("a.jsonl, line 9: not JSON", "a.jsonl, line 11: not a JSON object", "d.parquet, row 2: "):
            assert done.stderr.count(said) == 1
        for part in ("f.parquet", "g.parquet", "h.jsonl"):
            assert part in done.stderr
        summary = json.loads(done.stdout)
        assert summary["unreadable_lines"] == {"a.jsonl": [9, 11], "d.parquet": [2], "e.parquet": [1]}
        assert summary["unreadable_parts"] == ["f.parquet", "g.parquet", "h.jsonl"]
        assert summary["pairs"] == 24
    assert pq.read_table(out / "d.parquet").column("n").to_pylist() == [0, 2]
    assert pq.read_table(out / "e.parquet").num_rows == 0


def test_finished_parts_are_left_out_and_changed_ones_are_not(folder, tmp_path):
    out = tmp_path / "out"
    assert run("--pairs", folder, "--out", out).returncode == 0
    whole = contents(out)
    for path in out.iterdir():
        if path.is_file():
            path.write_text("not judged again")
    write_lines(folder / "c.jsonl", pairs(2))
    (out / "b.parquet").unlink()
    done = run("--pairs", folder, "--out", out, "--json")
    assert (done.returncode, json.loads(done.stdout)["pairs"]) == (0, 18)
    assert "1 of 3 parts are finished already" in done.stderr
    assert "10/10" in done.stderr  # the bar, and so its rate, counts what this run judges
    assert (out / "a.jsonl").read_text() == "not judged again"
    assert (out / "b.parquet").read_bytes() == whole["b.parquet"]
    assert [line["n"] for line in read_lines(out / "c.jsonl")] == [0, 1]
    assert run("--pairs", folder, "--out", out, "--assumptions", "open_world").returncode == 0
    assert {line["assumptions"] for line in read_lines(out / "a.jsonl")} == {"open_world"}


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_killed_run_goes_on_inside_a_part(tmp_path, suffix):
    folder, out, whole = tmp_path / "in", tmp_path / "out", tmp_path / "whole"
    folder.mkdir()
    write = write_lines if suffix == "jsonl" else write_table
    write(folder / f"a.{suffix}", pairs(4))
    write(folder / f"b.{suffix}", pairs(300))
    partial = out / f"b.{suffix}.partial"
    process = subprocess.Popen(command("--pairs", folder, "--out", out), stderr=subprocess.DEVNULL)
    while process.poll() is None and not (partial.exists() and partial.stat().st_size > 5_000):
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    header, first, *rest = partial.read_text().splitlines(keepends=True)
    marked = json.dumps({**json.loads(first), "reason": "from the first run"}) + "\n"
    partial.write_text("".join([header, marked, *rest]))
    done = run("--pairs", folder, "--out", out, "--json")
    assert json.loads(done.stdout)["verdicts"] == {"match": 152, "different": 152}
    assert run("--pairs", folder, "--out", whole).returncode == 0
    assert set(contents(out)) == set(contents(whole))
    rows = [
        read_lines(place / f"b.{suffix}") if suffix == "jsonl" else pq.read_table(place / f"b.{suffix}").to_pylist()
        for place in (out, whole)
    ]
    assert rows[0][0]["reason"] == "from the first run"
    assert rows[0][1:] == rows[1][1:]


@pytest.mark.parametrize(("missing", "extra"), [("pyarrow", "parquet"), ("ray", "ray")])
def test_a_missing_package_is_one_line_with_the_command(folder, tmp_path, missing, extra):
    ray = ["--ray", "local"] if missing == "ray" else []
    before = f"import sys; sys.modules[{missing!r}] = None"
    done = run("--pairs", folder, "--out", tmp_path / "out", *ray, before=before)
    assert done.returncode == 2
    assert f"pip install 'tinkersql[{extra}]'" in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--pairs", "in"),
        ("--pairs", "in", "--out", "in"),
        ("--pairs", "in", "--out", "in/a.jsonl"),
        ("--pairs", "empty", "--out", "out"),
        ("--pairs", "in/a.jsonl", "--out", "out.jsonl", "--ray", "local"),
        ("--pairs", "in/b.parquet"),
        ("--pairs", "in/b.parquet", "--out", "out.jsonl"),
        ("--pairs", "in/a.jsonl", "--out", "out.parquet"),
        ("--pairs", "in", "--out", "out", "--ray", "nonsense"),
        ("--pairs", "in", "--out", "out", "--ray", "127.0.0.1:1"),
        ("--pairs", "in", "--out", "out", "--ray", "127.0.0.1:99999"),
        ("--pairs", "in", "--out", "out", "--ray", "ray://127.0.0.1:1"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(folder, monkeypatch, arguments):
    monkeypatch.chdir(folder.parent)
    (folder.parent / "empty").mkdir()
    before = contents(folder)
    done = run(*arguments)
    assert done.returncode == 2
    assert len([line for line in done.stderr.splitlines() if "error:" in line]) == 1
    assert "Traceback" not in done.stderr
    assert contents(folder) == before


def test_a_parquet_file_alone(folder, tmp_path):
    out = tmp_path / "out.parquet"
    done = run("--pairs", folder / "b.parquet", "--out", out, "--json")
    assert json.loads(done.stdout) == {
        "pairs": 8,
        "verdicts": {"match": 4, "different": 4},
        "unreadable_lines": [],
    }
    assert pq.read_table(out).column("n").to_pylist() == list(range(8, 16))
