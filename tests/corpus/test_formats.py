import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinkersql.console import Silent
from tinkersql.corpus import Example, load
from tinkersql.corpus.reading import built_in, parse_mapping, read_file, to_record
from tinkersql.errors import DataError, SettingsError

HEADER = "question,context,answer\n"
ROW = {"question": "How many?", "context": "CREATE TABLE ducks (name VARCHAR)", "answer": "SELECT COUNT(*) FROM ducks"}
EXAMPLE = Example(ROW["question"], ROW["context"], (ROW["answer"],))
CELLS = ",".join(ROW.values()) + "\n"
MAP = "question=nl, answer=sql,context=ddl"
MAPPED = {"nl": ROW["question"], "ddl": ROW["context"], "sql": ROW["answer"]}


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def table(path: Path, rows: list[dict]) -> str:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


def refusal(file: str, mapping: str = "") -> str:
    with pytest.raises((DataError, SettingsError)) as caught:
        load(file, Silent(), mapping)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_csv_with_a_byte_order_mark_quotes_line_breaks_and_blank_lines(tmp_path) -> None:
    content = '\ufeffid,question,context,answer\r\n1,"Who, ""exactly""\r\n?",c,"SELECT 1"\r\n\r\n2,q,c,a\r\n'
    examples = load(write(tmp_path / "d.CSV", content), Silent()).examples
    assert [e.question for e in examples] == ['Who, "exactly"\n?', "q"]
    assert examples[0].gold == "SELECT 1"


def test_tsv(tmp_path) -> None:
    file = write(tmp_path / "d.tsv", "\t".join(ROW) + "\n" + "\t".join(ROW.values()) + "\n")
    assert load(file, Silent()).examples == (EXAMPLE,)


def test_parquet_reads_what_it_needs(tmp_path) -> None:
    file = table(tmp_path / "d.parquet", [{**ROW, "vector": [0.5] * 3, "skills": ["join"]}] * 3000)
    examples = load(file, Silent()).examples
    assert len(examples) == 3000
    assert examples[0] == replace(EXAMPLE, skills=("join",))


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet"])
def test_columns_of_other_names_are_mapped(tmp_path, ending) -> None:
    path = tmp_path / f"d.{ending}"
    if ending == "parquet":
        table(path, [MAPPED])
    elif ending == "csv":
        write(path, ",".join(MAPPED) + "\n" + ",".join(MAPPED.values()))
    else:
        write(path, json.dumps([MAPPED] if ending == "json" else MAPPED))
    [example] = load(str(path), Silent(), MAP).examples
    assert (example.question, example.schema, example.gold) == tuple(ROW.values())
    message = refusal(str(path))
    assert "'question'" in message
    assert "nl, ddl, sql" in message


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("query=sql", "no such key; choose one of question, context, answer"),
        ("question", "write KEY=NAME"),
        ("question=", "write KEY=NAME"),
        ("question=a,question=b", "'question' is mapped twice"),
        ("question=a,answer=a", "'a' would be both question and answer"),
        ("question=answer", "'answer' would be both question and answer"),
        ("question=answer,answer=context", "'context' would be both context and answer"),
    ],
)
def test_a_senseless_mapping(mapping, said) -> None:
    with pytest.raises(SettingsError, match="--map") as caught:
        parse_mapping(mapping)
    assert said in str(caught.value)


def test_a_mapping_may_exchange_columns(tmp_path) -> None:
    file = write(tmp_path / "d.csv", HEADER + CELLS)
    [example] = load(file, Silent(), "question=answer,answer=question").examples
    assert (example.question, example.gold) == (ROW["answer"], ROW["question"])


def test_a_mapping_is_for_files() -> None:
    assert "--map belongs to a data file" in refusal("built-in", "question=nl")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("d.csv", "", "is empty"),
        ("d.csv", HEADER, "no rows"),
        ("d.csv", "question,answer\nq,a\n", "has no column 'context' (its columns: question, answer); --map"),
        ("d.csv", "question;context;answer\nq;c;a\n", "its columns: question;context;answer"),
        ("d.csv", "question,question,context,answer\n1,2,3,4\n", "has 2 columns 'question'"),
        ("d.csv", "skills,skills,question,context,answer\n1,2,3,4,5\n", "has 2 columns 'skills'"),
        ("d.csv", HEADER + CELLS + "q,c\n", "line 3 has 2 cells, and the header 3"),
        ("d.csv", HEADER + '"two\nlines",c,a\nq,c,a,b\n', "line 4 has 4 cells"),
        ("d.csv", HEADER + CELLS + 'q,c,"open\n' + CELLS, "line 3 is no row of cells"),
        ("d.csv", HEADER + 'q,c,"a"b\n', "line 2 is no row of cells"),
        ("d.csv", HEADER + CELLS + "q,c,a\0b\n", "line 3 holds a NUL byte"),
        ("d.csv", HEADER + "q,c," + "a" * 200_000 + "\n", "line 2 is no row of cells (field larger than field limit"),
        ("d.csv", (HEADER + CELLS).encode("utf-16"), "not UTF-8"),
        ("d.csv", HEADER.encode() + b"\xe9,c,a\n", "not UTF-8 text (byte 24)"),
        ("d.csv", HEADER + "q, ,a\n", "line 2: 'context' must be a non-empty text"),
        ("d.parquet", b"", "not a Parquet file"),
        ("d.parquet", b"PAR1" + bytes(100) + b"PAR1", "not a Parquet file, or damaged"),
        ("d.json", json.dumps([{**ROW, "question": "a\0"}]), "row 1: 'question' holds a NUL"),
        ("d.json", json.dumps([{**ROW, "answer": []}]), "row 1: 'answer' must be a non-empty text"),
        ("d.json", json.dumps([{**ROW, "answer": ["a", 1]}]), "row 1: 'answer' must be a non-empty text"),
        ("d.json", json.dumps([{**ROW, "question": ["a"]}]), "row 1: 'question' must be a non-empty text"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it_and_the_place(tmp_path, name, content, said) -> None:
    file = write(tmp_path / name, content)
    message = refusal(file)
    assert said in message
    assert file in message


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"question": "q", "answer": "a"}], "has no column 'context' (its columns: question, answer)"),
        ([ROW, {**ROW, "answer": None}], "row 2: 'answer' must be a non-empty text"),
        ([{**ROW, "answer": 3}], "row 1: 'answer' must be a non-empty text"),
        ([{**ROW, "answer": ["a", None]}], "row 1: 'answer' must be a non-empty text"),
    ],
)
def test_a_bad_table_is_one_line_too(tmp_path, rows, said) -> None:
    assert said in refusal(table(tmp_path / "d.parquet", rows))


def test_damaged_pages_and_texts_of_another_encoding(tmp_path) -> None:
    path = tmp_path / "d.parquet"
    latin = pa.Array.from_buffers(pa.string(), 1, pa.array([b"caf\xe9"], pa.binary()).buffers())
    pq.write_table(pa.table({"question": latin, "context": ["c"], "answer": ["a"]}), path)
    assert "is not UTF-8" in refusal(str(path))
    table(path, [ROW] * 1000)
    content = bytearray(path.read_bytes())
    content[8:40] = bytes(32)
    assert "not a Parquet file, or damaged" in refusal(write(path, bytes(content)))


def test_several_golds_and_further_facts_come_back_as_they_were(tmp_path) -> None:
    several = [e for e in built_in().examples if len(e.golds) > 1][:20]
    hand_written = Example("q", "s", ("a", "b"), "birds", "count/1", "hard", ("join", "grouping"))
    file = tmp_path / "d.jsonl"
    file.write_text("".join(json.dumps(to_record(e)) + "\n" for e in [*several, hand_written]))
    assert read_file(file) == (*several, hand_written)


def test_facts_of_another_kind_are_passed_over(tmp_path) -> None:
    row = {**ROW, "difficulty": 3, "skills": "join", "domain": "", "pattern": None}
    [example] = read_file(Path(write(tmp_path / "d.json", json.dumps([row]))))
    assert example == EXAMPLE


_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")).filter(str.strip)


@given(st.lists(st.builds(Example, _text, _text, st.lists(_text, min_size=1, max_size=3).map(tuple)), min_size=1))
def test_what_is_written_is_read_back(tmp_path_factory, examples) -> None:
    file = tmp_path_factory.mktemp("data") / "d.jsonl"
    file.write_text("".join(json.dumps(to_record(e), ensure_ascii=False) + "\n" for e in examples), encoding="utf-8")
    assert read_file(file) == tuple(examples)


def test_parquet_without_pyarrow_is_one_line_with_the_command(tmp_path) -> None:
    file = table(tmp_path / "d.parquet", [ROW])
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        f"sys.argv = ['tinkersql', 'data', 'stats', {file!r}]\n"
        "from tinkersql.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "error: Parquet files need pyarrow, which is not installed; install it with: pip install 'tinkersql[parquet]'\n"
    )
