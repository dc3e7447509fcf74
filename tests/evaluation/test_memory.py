"""Memorised or learned: templates seen in training, copies, and tables and columns under other names."""

import re

import pytest

from tinkersql.console import Silent
from tinkersql.corpus import Example, reading
from tinkersql.equivalence import compare
from tinkersql.equivalence.schema import read_schema
from tinkersql.evaluation import Answer, judge, memory, renamed

DUCKS = "CREATE TABLE ducks (name VARCHAR, weight REAL, pond_name VARCHAR)"


def answered(*rows: tuple[str, str]):
    """Judged predictions from (gold, answer)."""
    examples = [Example("", DUCKS, (gold,)) for gold, _ in rows]
    return judge(examples, [Answer(text, 9, 9, "stop") for _, text in rows], 1, Silent(), "")


def test_seen_and_unseen_templates_and_copies_are_told_apart() -> None:
    train = [
        Example("", "CREATE TABLE geese (age INTEGER, colour VARCHAR)", ("SELECT colour FROM geese WHERE age > 3",)),
        Example("", DUCKS, ("SELECT  name FROM ducks;",)),
    ]
    found = memory(
        train,
        answered(
            ("SELECT name FROM ducks WHERE weight > 2", "SELECT name FROM ducks WHERE weight > 2"),
            ("SELECT weight FROM ducks", "SELECT name FROM ducks"),
            ("SELECT name FROM ducks", "SELECT name\nFROM ducks"),
            ("SELECT COUNT(*) FROM ducks", "SELECT COUNT(*) FROM ducks"),
        ),
    )
    assert (found["seen"]["n"], found["seen"]["matches"]) == (3, 2)
    assert (found["unseen"]["n"], found["unseen"]["matches"]) == (1, 1)
    assert (found["copies"]["n"], found["copies"]["matches"]) == (2, 1)
    assert (found["copied"]["n"], found["copied"]["matches"]) == (4, 2)
    assert 0 < found["copied"]["low"] < found["copied"]["rate"] == 0.5 < found["copied"]["high"] < 1
    assert found["golds_in_training"] == 1
    assert found["renamed"] is None


def test_the_same_questions_are_compared_under_other_names() -> None:
    right, wrong = (
        ("SELECT name FROM ducks", "SELECT name FROM ducks"),
        ("SELECT name FROM ducks", "SELECT weight FROM ducks"),
    )
    found = memory([], answered(right, right, wrong), answered(wrong, right))["renamed"]
    assert (found["original"]["matches"], found["renamed"]["matches"], found["renamed"]["n"]) == (2, 1, 2)
    assert found["comparison"]["difference"] == pytest.approx(-0.5)


def test_names_change_consistently_and_nothing_else_does() -> None:
    example = Example(
        "Which ducks?",
        'CREATE TABLE ducks (name VARCHAR, date DATE, "pond id" INTEGER, `key` TEXT, pond_name DECIMAL(10, 2), '
        "PRIMARY KEY (name), FOREIGN KEY (date) REFERENCES ponds (date)); CREATE TABLE ponds (date DATE, count REAL)",
        ("SELECT T1.name, COUNT(*) FROM ducks AS T1 JOIN ponds ON T1.date = ponds.date WHERE \"pond id\" = 'name'",
         'SELECT name FROM ducks WHERE `key` = "date of name"'),
    )  # fmt: skip
    other = renamed(example, 7)
    assert other.question == example.question
    assert renamed(example, 7) == other
    before, after = read_schema(example.schema), read_schema(other.schema)
    for old, new in zip(before.tables.values(), after.tables.values(), strict=True):
        assert old.name != new.name
        assert [column.type for column in old.columns] == [column.type for column in new.columns]
        for one, two in zip(old.columns, new.columns, strict=True):
            assert (one.name == two.name) == (one.name in ("pond id", "key"))
    [duck, _] = after.tables.values()
    assert duck.foreign_keys
    assert duck.primary_key
    assert "'name'" in other.golds[0]
    assert '"date of name"' in other.golds[1]
    assert "COUNT(*)" in other.golds[0]
    assert f"T1.{duck.columns[0].name}" in other.golds[0]


def test_a_schema_that_cannot_be_read_stays_as_it_is() -> None:
    example = Example("", "no table", ("SELECT 1",))
    assert renamed(example, 0) == example


def test_the_judge_finds_renamed_golds_to_run_and_to_match_the_renamed_prediction() -> None:
    examples = reading.built_in().examples[::400]
    for number, example in enumerate(examples):
        other = renamed(example, number)
        assert other.schema != example.schema
        assert not set(map(str.lower, re.findall(r"TABLE (\w+)", other.schema))) & set(
            read_schema(example.schema).tables
        )
        verdict = compare(other.schema, other.golds, other.gold)
        assert verdict.verdict == compare(example.schema, example.golds, example.gold).verdict, other
