"""Whatever is accepted as "the same query" without a database must agree on databases."""

import sqlite3
from contextlib import closing
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinkersql.equivalence import Assumptions, Verdict, compare
from tinkersql.equivalence.canonical import canonical
from tinkersql.equivalence.reading import read_query
from tinkersql.equivalence.sandbox import Sandbox
from tinkersql.equivalence.schema import read_schema

SCHEMA = "CREATE TABLE t (a INTEGER, b INTEGER, c INTEGER)"
VALUES = (None, 1, 2, 3)
LEAVES = ("a = 1", "b > 1", "2 >= c", "a BETWEEN 1 AND 2", "b <> 2", "c IN (3, 1)", "a < b", "c >= 2", "c NOT IN (2)")


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
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(SCHEMA)
        every = [(a, b, c) for a in VALUES for b in VALUES for c in VALUES]
        database.executemany("INSERT INTO t VALUES (?, ?, ?)", every)
        return sorted(database.execute(query).fetchall(), key=repr)


def form(query: str, schema: str = SCHEMA, **options) -> str | None:
    tables = read_schema(schema)
    with closing(Sandbox(tables)) as sandbox:  # SQLite's heap is bounded for the whole process
        return canonical(read_query(query, tables, sandbox), **options)


PAIRS = (
    ("({x} OR {y}) AND {z}", "{x} OR {y} AND {z}"),
    ("{z} AND ({x} OR {y})", "{z} AND {x} OR {y}"),
    ("NOT ({x} AND {y})", "NOT {x} AND {y}"),
    ("NOT {x} OR {y}", "NOT ({x} OR {y})"),
    ("NOT (NOT ({x} OR {y}) AND {z})", "({x} OR {y}) OR NOT {z}"),
)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_parentheses_that_matter_are_never_lost(one: str, other: str) -> None:
    for x, y, z in product(LEAVES, LEAVES[::2], LEAVES[1::2]):
        queries = [f"SELECT a, b, c FROM t WHERE {text.format(x=x, y=y, z=z)}" for text in (one, other)]
        if form(queries[0]) == form(queries[1]):
            assert rows(queries[0]) == rows(queries[1])


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(conditions(3), st.data())
def test_conditions_of_one_form_hold_for_the_same_rows(condition: str, data: st.DataObject) -> None:
    bare = condition.replace("(", "").replace(")", "").replace("IN 3, 1", "IN (3, 1)").replace("IN 2", "IN (2)")
    others = (
        bare,
        condition.replace(" AND b", " OR b", 1),
        condition.replace("NOT", "", 1),
        f"NOT (NOT ({condition}))",
    )
    other = data.draw(st.sampled_from(others) | conditions(3))
    gold, predicted = (f"SELECT a, b, c FROM t WHERE {text}" for text in (condition, other))
    if form(gold) == form(predicted):
        assert rows(gold) == rows(predicted)


@given(conditions())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_form_of_a_form_is_itself(condition: str) -> None:
    once = form(f"SELECT a FROM t WHERE {condition}")
    again = form(once.replace('"t" AS t0', "t AS t0"))
    assert once == again


JOINED = "CREATE TABLE p (id INTEGER PRIMARY KEY, n VARCHAR); CREATE TABLE q (id INTEGER, p_id INTEGER, m INTEGER)"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t WHERE NOT a <> 3", "SELECT a FROM t WHERE a = 3"),
        ("SELECT a FROM t WHERE a IN (3)", "SELECT a FROM t WHERE 3 = a"),
        ("SELECT a FROM t WHERE a IN (3, 1)", "SELECT a FROM t WHERE a = 1 OR (a = 3)"),
        ("SELECT a FROM t WHERE b = 1 AND a IN (3, 1)", "SELECT a FROM t WHERE (a = 1 OR a = 3) AND b = 1"),
        ("SELECT a FROM t WHERE a BETWEEN 2 AND 2", "SELECT a FROM t WHERE a = 2"),
        ("SELECT a FROM t WHERE a >= 2 AND a <= 2", "SELECT a FROM t WHERE a = 2"),
        ("SELECT a FROM t WHERE a NOT BETWEEN 1 AND 2", "SELECT a FROM t WHERE a < 1 OR a > 2"),
        ("SELECT a FROM t WHERE NOT (a <= 1 OR b <> 2)", "SELECT a FROM t WHERE a > 1 AND b = 2"),
        ("SELECT COUNT(1) FROM t", "SELECT COUNT(*) FROM t"),
        ("SELECT a AS x FROM t ORDER BY x", "SELECT t.a FROM t ORDER BY a ASC"),
    ],
)
def test_one_form_for_what_is_written_differently(one: str, other: str) -> None:
    assert form(one) == form(other) is not None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("SELECT n FROM p JOIN q ON p.id = q.p_id", "SELECT n FROM q JOIN p ON q.p_id = p.id", True),
        ("SELECT n FROM p JOIN q ON p.id = q.p_id", "SELECT n FROM p, q WHERE q.p_id = p.id", True),
        ("SELECT n FROM p JOIN q ON p.id = p_id AND m > 1", "SELECT n FROM q, p WHERE m > 1 AND p_id = p.id", True),
        ("SELECT n FROM p JOIN q ON p.id = q.p_id", "SELECT n FROM p LEFT JOIN q ON p.id = q.p_id", False),
        ("SELECT n FROM p LEFT JOIN q ON p.id = p_id", "SELECT n FROM q LEFT JOIN p ON p.id = p_id", False),
        ("SELECT * FROM p JOIN q ON p.id = q.p_id", "SELECT * FROM q JOIN p ON p.id = q.p_id", False),
        ("SELECT n FROM p JOIN q ON m = 2 OR m > 1 WHERE m < 5", "SELECT n FROM p, q WHERE m = 2 OR m < 5", False),
        ("SELECT x.m FROM q x JOIN q y ON x.id = y.p_id", "SELECT y.m FROM q x JOIN q y ON x.id = y.p_id", False),
    ],
)  # fmt: skip
def test_inner_joins_have_one_order(one: str, other: str, same: bool) -> None:
    assert (form(one, JOINED) == form(other, JOINED)) is same


def test_counting_a_column_is_counting_rows_only_where_it_holds_no_null() -> None:
    one, other = "SELECT COUNT(m) FROM q", "SELECT COUNT(*) FROM q"
    assert form(one, JOINED) != form(other, JOINED)
    assert form(one, JOINED, never_null=lambda table, column: (table, column) == ("q", "m")) == form(other, JOINED)
    outer = "SELECT COUNT(m) FROM p LEFT JOIN q ON p.id = p_id"
    assert "COUNT(*)" not in form(outer, JOINED, never_null=lambda table, column: True)
    assert compare(JOINED, one, other).reason.startswith("the same query")
    assert compare(JOINED, one, other, assumptions=Assumptions.OPEN_WORLD).verdict is Verdict.DIFFERENT
    asked = f"{one} WHERE m IS NULL"
    assert compare(JOINED, asked, f"{other} WHERE m IS NULL").verdict is Verdict.DIFFERENT


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a AS x, b AS y FROM t WHERE x > 1", "SELECT a AS y, b AS x FROM t WHERE x > 1"),
        ("SELECT a AS x, b AS y FROM t ORDER BY x + 0", "SELECT a AS y, b AS x FROM t ORDER BY x + 0"),
        ("SELECT a, b FROM t ORDER BY b", "SELECT a AS b, b AS a FROM t ORDER BY (b)"),
        ("SELECT a FROM t WHERE a COLLATE NOCASE = b", "SELECT a FROM t WHERE b = a COLLATE NOCASE"),
        ("SELECT a AND a FROM t", "SELECT a FROM t"),
        ("SELECT a FROM t WHERE (b AND b) = 1", "SELECT a FROM t WHERE b = 1"),
        ("SELECT a FROM t WHERE a = b IN (0, 1)", "SELECT a FROM t WHERE b IN (0, 1) = a"),
        ("SELECT NOT a FROM t", "SELECT a = 0 OR a IS NULL FROM t"),
    ],
)
def test_what_may_differ_has_no_form_in_common(one: str, other: str) -> None:
    assert form(one) is None or form(one) != form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT x.* FROM p AS x JOIN q AS y ON x.id = p_id", "SELECT x.* FROM p AS y JOIN q AS x ON y.id = p_id"),
        ("SELECT q.id FROM p FULL JOIN q USING (id)", "SELECT id FROM p FULL JOIN q USING (id)"),
    ],
)
def test_joins_that_may_differ_have_no_form_in_common(one: str, other: str) -> None:
    assert form(one, JOINED) is None or form(one, JOINED) != form(other, JOINED)
