import hashlib
import json
from pathlib import Path

import pytest

from tinkersql.console import Silent
from tinkersql.corpus import load
from tinkersql.corpus.reading import built_in
from tinkersql.errors import DataError

ROW = {
    "question": "How many ducks?",
    "context": "CREATE TABLE ducks (name VARCHAR)",
    "answer": "SELECT COUNT(*) FROM ducks",
}


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def test_the_exercise_s_array(tmp_path) -> None:
    file = write(tmp_path / "d.json", json.dumps([ROW, {**ROW, "question": "Wie viele Enten? 🦆", "origin": "x"}]))
    corpus = load(file, Silent())
    assert [e.question for e in corpus.examples] == ["How many ducks?", "Wie viele Enten? 🦆"]
    assert corpus.examples[0].schema == ROW["context"]
    assert corpus.examples[0].gold == ROW["answer"]
    assert corpus.source == file
    assert corpus.sha256 == hashlib.sha256(Path(file).read_bytes()).hexdigest()


def test_json_lines_with_blank_lines_and_a_byte_order_mark(tmp_path) -> None:
    file = write(tmp_path / "d.jsonl", "\ufeff" + json.dumps(ROW) + "\n\n" + json.dumps(ROW) + "\n")
    assert len(load(file, Silent()).examples) == 2


def test_a_line_separator_inside_a_text_does_not_end_a_line(tmp_path) -> None:
    file = write(tmp_path / "d.jsonl", json.dumps({**ROW, "question": "a\u2028b"}, ensure_ascii=False) + "\n")
    assert load(file, Silent()).examples[0].question == "a\u2028b"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("d.json", json.dumps(ROW), "an object"),
        ("d.json", "[]", "no rows"),
        ("d.jsonl", "\n\n", "is empty"),
        ("d.json", "", "is empty"),
        ("d.json", "[{]", "line 1, column 3"),
        ("d.json", "[" * 100_000, "cannot be read"),
        ("d.json", json.dumps([ROW, {"question": "q", "context": "c"}]), "row 2 has no 'answer'"),
        ("d.json", json.dumps([{"nl": "q", "sql": "s"}]), "its keys: nl, sql"),
        ("d.json", json.dumps([ROW, "text"]), "row 2 is a text"),
        ("d.json", json.dumps([ROW, {**ROW, "answer": 3}]), "row 2: 'answer'"),
        ("d.json", json.dumps([{**ROW, "question": "  "}]), "row 1: 'question'"),
        ("d.jsonl", json.dumps(ROW) + "\nnot json\n", "line 2 is not valid JSON"),
        ("d.json", b"\xff\xfe\x00", "not UTF-8"),
        ("d.json", "[" + "9" * 5000 + "]", "cannot be read"),
        ("d.jsonl", "9" * 5000 + "\n", "line 1 is not valid JSON"),
        ("d.json", json.dumps([ROW, {**ROW, "question": "\ud800?"}]), "row 2: 'question' holds half a character"),
    ],
)
def test_bad_data_is_one_line_that_names_file_and_place(tmp_path, name, content, said) -> None:
    file = write(tmp_path / name, content)
    with pytest.raises(DataError) as caught:
        load(file, Silent())
    message = str(caught.value)
    assert said in message
    assert file in message
    assert "\n" not in message


def test_a_missing_file_and_a_folder(tmp_path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load(str(tmp_path / "nowhere.json"), Silent())
    with pytest.raises(DataError, match="cannot be read"):
        load(str(tmp_path), Silent())


def test_a_file_may_be_called_like_the_built_in_data(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "built-in-copy.json", json.dumps([ROW]))
    assert not load("built-in-copy.json", Silent()).is_built_in


def test_the_built_in_data_is_always_the_same() -> None:
    first = load("built-in", Silent())
    built_in.cache_clear()
    second = load("built-in", Silent())
    assert first.examples == second.examples
    assert first.sha256 == second.sha256
    assert len(first.examples) >= 20_000
