"""Whatever is accepted as "the same query" without a database must agree on databases."""

import sqlite3
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinkersql.equivalence import Verdict, compare, compare_many

SCHEMA = "CREATE TABLE t (a INTEGER, b INTEGER, c INTEGER)"
VALUES = (None, 1, 2, 3)
LEAVES = ("a = 1", "b > 1", "2 >= c", "a BETWEEN 1 AND 2", "b <> 2", "c IN (3, 1)", "a < b")


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> str:
    """A condition in which NOT, AND and OR are nested, with parentheses or without."""
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from(LEAVES))
    left, right = draw(conditions(depth - 1)), draw(conditions(depth - 1))
    shape = draw(
        st.sampled_from(("{} AND {}", "{} OR {}", "({}) AND {}", "{} AND ({})", "({}) OR ({})", "NOT ({})", "NOT {}"))
    )
    return shape.format(left, right)


def rows(query: str) -> list[tuple]:
    with sqlite3.connect(":memory:") as database:
        database.execute(SCHEMA)
        every = [(a, b, c) for a in VALUES for b in VALUES for c in VALUES]
        database.executemany("INSERT INTO t VALUES (?, ?, ?)", every)
        return sorted(database.execute(query).fetchall(), key=repr)


PAIRS = (
    ("({x} OR {y}) AND {z}", "{x} OR {y} AND {z}"),
    ("{z} AND ({x} OR {y})", "{z} AND {x} OR {y}"),
    ("NOT ({x} AND {y})", "NOT {x} AND {y}"),
    ("NOT {x} OR {y}", "NOT ({x} OR {y})"),
)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_parentheses_that_matter_are_never_lost(one: str, other: str) -> None:
    texts = [
        (one.format(x=x, y=y, z=z), other.format(x=x, y=y, z=z))
        for x, y, z in product(LEAVES, LEAVES[::2], LEAVES[1::2])
    ]
    queries = [(f"SELECT a, b, c FROM t WHERE {a}", f"SELECT a, b, c FROM t WHERE {b}") for a, b in texts]
    answers = compare_many(((SCHEMA, gold, predicted) for gold, predicted in queries), workers=1)
    for (gold, predicted), answer in zip(queries, answers, strict=True):
        if answer.reason.startswith("the same query"):
            assert rows(gold) == rows(predicted)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(conditions(), st.data())
def test_what_is_accepted_without_a_database_agrees_on_one(condition: str, data: st.DataObject) -> None:
    bare = condition.replace("(", "").replace(")", "").replace("IN 3, 1", "IN (3, 1)")
    other = data.draw(st.sampled_from((bare, condition.replace("AND", "OR", 1), condition)) | conditions())
    gold, predicted = (f"SELECT a, b, c FROM t WHERE {text}" for text in (condition, other))
    answer = compare(SCHEMA, gold, predicted)
    if answer.reason.startswith("the same query"):
        assert rows(gold) == rows(predicted)
    if gold == predicted:
        assert answer.verdict is Verdict.MATCH
