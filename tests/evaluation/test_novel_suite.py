"""The novel-schema suite: its golds give the answers worked out by hand, and the judge can probe every one of them."""

import re
import sqlite3
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tinkersql.corpus.generate.domains import DOMAINS
from tinkersql.equivalence import compare
from tinkersql.equivalence.schema import read_schema
from tinkersql.errors import SettingsError
from tinkersql.evaluation.suites import EXERCISE, SUITES, novel, suite

SCHEMAS: list[dict[str, Any]] = [
    schema
    for theme in sorted(Path(novel.__file__).parent.glob("*.toml"))
    for schema in tomllib.loads(theme.read_text(encoding="utf-8"))["schema"]
]
DATE = re.compile(r"\d{4}(-\d\d){1,2}[-%]*")

each_schema = pytest.mark.parametrize("schema", SCHEMAS, ids=[schema["name"] for schema in SCHEMAS])


def plain(rows: list[Any]) -> list[tuple[Any, ...]]:
    """Rows of a file or of SQLite: NULL is None, and the last digits of an average do not count."""
    return [
        tuple(None if value == "<NULL>" else round(value, 6) if isinstance(value, float) else value for value in row)
        for row in rows
    ]


def golds_of(schema: dict[str, Any]) -> list[tuple[str, str]]:
    return [(asked["question"], gold) for asked in schema["questions"] for gold in asked["golds"]]


def test_the_suite_is_large_and_asks_nothing_twice():
    questions = [example.question for example in novel.NOVEL]
    assert questions == [asked["question"] for schema in SCHEMAS for asked in schema["questions"]]
    assert len(questions) >= 160
    assert len(SCHEMAS) >= 32
    assert len({question.lower() for question in questions}) == len(questions)
    assert len({schema["name"] for schema in SCHEMAS}) == len(SCHEMAS)
    assert len({schema["ddl"] for schema in SCHEMAS} | {example.schema for example in EXERCISE}) == len(SCHEMAS) + 5


def test_tags_come_from_the_closed_lists_and_every_skill_is_asked_for():
    assert {example.difficulty for example in novel.NOVEL} == {"easy", "medium", "hard"}
    assert all(example.skills for example in novel.NOVEL)
    assert {skill for example in novel.NOVEL for skill in example.skills} == set(novel.SKILLS)


@each_schema
def test_every_gold_gives_the_answer_worked_out_by_hand(schema):
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema["ddl"])
    for table, rows in schema["rows"].items():
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", plain(rows))
    for asked in schema["questions"]:
        for gold, answer in zip(asked["golds"], asked["answers"], strict=True):
            in_order = list if "ORDER BY" in gold else Counter
            assert answer, asked["question"]
            assert in_order(plain(connection.execute(gold).fetchall())) == in_order(plain(answer)), gold


@each_schema
def test_the_judge_accepts_every_gold_and_its_databases_probe_it(schema):
    for _, gold in golds_of(schema):
        answer = compare(schema["ddl"], gold, gold)
        assert answer.matches, gold
        assert answer.adequacy is not None
        assert answer.adequacy.sufficient, gold


@each_schema
def test_every_literal_of_a_gold_stands_in_its_question(schema):
    for question, gold in golds_of(schema):
        patterns = re.findall(r'LIKE "([^"]*)"', gold)
        literals = [part for text in patterns for part in text.split("%")]
        literals += [text for text in re.findall(r'"([^"]*)"', gold) if text not in patterns]
        for literal in literals:
            assert DATE.fullmatch(literal) or literal.lower() in question.lower(), gold


def test_a_suite_is_found_by_its_name():
    assert SUITES == ("exercise", "novel")
    assert suite("exercise") == EXERCISE
    assert suite("novel") == novel.NOVEL


def test_an_unknown_suite_is_refused_with_the_names_that_exist():
    with pytest.raises(SettingsError, match=r"suite spider: .*exercise, novel"):
        suite("spider")


def letters(name: str) -> str:
    return name.lower().replace("_", "")


def test_the_generator_knows_none_of_its_schemas() -> None:
    told = " ".join((Path(__file__).parents[2] / "docs/novel-suite.md").read_text("utf-8").split())
    known: dict[str, set[str]] = {}
    for domain in DOMAINS:
        for table in domain.tables:
            columns = {letters(column.name) for column in table.columns}
            known.setdefault(table.name.lower().rstrip("s"), set()).update(columns)
    shown = 0
    for example in suite("novel"):
        tables = read_schema(example.schema).tables
        for name, table in tables.items():
            columns = {letters(column.name) for column in table.columns}
            shared = columns & known.get(name.lower().rstrip("s"), set()) - {"id", "name"}
            assert len(shared) <= 2, (name, shared)
        shown += any(name.lower().rstrip("s") in known for name in tables)
    assert f"{shown} of the 160 questions are about a schema with such a table" in told
