import os
import random
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinkersql.corpus import SPLITS, Corpus, Example, count_kinds, kind_of, split
from tinkersql.corpus.generate import generate
from tinkersql.corpus.templates import template_of
from tinkersql.corpus.traits import traits_of
from tinkersql.errors import SettingsError

GENERATED = Corpus(tuple(generate(1500)), "generated", "0" * 64, is_built_in=True)


def corpus(n: int) -> Corpus:
    rows = tuple(
        Example(f"question {i}", "CREATE TABLE t (a VARCHAR)", (f"SELECT a FROM t WHERE a = '{i}'",)) for i in range(n)
    )
    return Corpus(rows, "rows.json", "0" * 64)


def test_rows_are_shuffled_by_the_seed_and_parted_without_overlap() -> None:
    data = corpus(50)
    first, again, other = split(data, 10, seed=1), split(data, 10, seed=1), split(data, 10, seed=2)
    assert first == again
    assert first.test != other.test
    assert len(first.test) == 10
    assert sorted(first.train + first.test, key=lambda e: e.question) == sorted(data.examples, key=lambda e: e.question)


def test_the_row_split_is_the_exercise_s_shuffle() -> None:
    data = corpus(20)
    rows = list(data.examples)
    random.Random(3).shuffle(rows)
    parts = split(data, 5, seed=3)
    assert parts.test == tuple(rows[:5])
    assert parts.train == tuple(rows[5:])
    assert parts.left_out == ()


def test_the_leaks_are_the_last_note() -> None:
    parts = split(corpus(20), 5, seed=0)
    assert parts.notes == (parts.leaks.line,)
    assert split(GENERATED, 5, seed=0).notes[-1].startswith("Leaks: of 5 test questions")


@pytest.mark.parametrize("size", [20, 21, 1000])
def test_a_test_set_as_large_as_the_data_is_refused(size) -> None:
    with pytest.raises(SettingsError, match="--test-size"):
        split(corpus(20), size, seed=0)


@pytest.mark.parametrize("by", SPLITS)
def test_data_that_nothing_can_be_set_aside_of_is_too_small(by) -> None:
    with pytest.raises(SettingsError, match=r"rows\.json is too small to split") as caught:
        split(corpus(1), 1, seed=0, by=by)
    assert "at most" not in str(caught.value)


def test_the_built_in_test_set_shares_neither_domain_nor_pattern_with_training() -> None:
    parts = split(GENERATED, 200, seed=0)
    assert len(parts.test) == 200
    assert not {e.domain for e in parts.test} & {e.domain for e in parts.train}
    assert not {e.pattern for e in parts.test} & {e.pattern for e in parts.train}
    with pytest.raises(SettingsError, match="at most"):
        split(GENERATED, 100_000, seed=0)


def about(table: str, *columns: str, value: int = 0, operator: str = "=") -> Example:
    """An example that asks a table for its first column."""
    schema = f"CREATE TABLE {table} ({', '.join(f'{column} VARCHAR' for column in columns)})"
    gold = f"SELECT {columns[0]} FROM {table} WHERE {columns[-1]} {operator} {value}"
    return Example(f"which {columns[0]} of {table} with {columns} {operator} {value}?", schema, (gold,))


def file(*examples: Example) -> Corpus:
    return Corpus(examples, "rows.json", "0" * 64)


_names = st.sampled_from(["ducks", "swans", "geese", "table_name_1", "table_name_2", "table_3"])
_columns = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True)
_examples = st.builds(
    lambda table, columns, value, operator: about(table, *columns, value=value, operator=operator),
    *(_names, _columns, st.integers(0, 3), st.sampled_from(["=", ">", "IN"])),
)


def group_of(example: Example, by: str, data: Corpus) -> object:
    traits = traits_of(data.examples)[example]
    return {"table": traits.table, "schema": traits.columns, "template": template_of(example.gold)}[by]


@given(st.lists(_examples, min_size=2, max_size=30), st.integers(1, 8), st.integers(0, 5), st.sampled_from(SPLITS))
def test_every_row_has_one_place_and_no_group_stands_on_both_sides(rows, size, seed, by) -> None:
    data = file(*rows)
    try:
        parts = split(data, size, seed, by)
    except SettingsError:
        return
    assert parts == split(data, size, seed, by)
    assert len(parts.test) == size
    assert parts.train
    assert Counter(rows) == Counter(parts.train) + Counter(parts.test) + Counter(parts.left_out)
    if by != "row":
        assert not {group_of(e, by, data) for e in parts.train} & {group_of(e, by, data) for e in parts.test}
        assert getattr(parts.leaks, {"schema": "columns"}.get(by, by)) == 0
        assert parts.leaks.verbatim == 0


def test_tables_that_one_query_joins_stay_together() -> None:
    joined = Example(
        "both",
        "CREATE TABLE ducks (a VARCHAR); CREATE TABLE ponds (b VARCHAR)",
        ("SELECT a FROM ducks JOIN ponds",),
    )
    rows = [about("ducks", "a"), joined, about("ponds", "b"), *(about(f"t{i}", "a", "b") for i in range(4))]
    traits = traits_of(rows)
    assert len({traits[row].table for row in rows[:3]}) == 1
    assert len({traits[row].table for row in rows}) == 5


def test_tables_without_names_of_their_own_are_told_by_rare_columns() -> None:
    common = [about(f"table_name_{i}", "date", "score", value=i) for i in range(30)]
    rare, again = about("table_name_1", "date", "attendance"), about("table_name_2", "attendance", "score")
    other = about("table_name_1", "date", "surface")
    traits = traits_of([*common, rare, again, other])
    assert traits[rare].table == traits[again].table
    assert traits[rare].table != traits[other].table  # though the placeholder is the same
    assert len({traits[row].table for row in common}) == 1  # with common columns only: by all of them
    assert not traits[rare].has_name


def test_a_table_split_tests_on_tables_with_names_and_says_so() -> None:
    named = [about(f"birds_{i}", "name") for i in range(5)]
    unnamed = [about(f"table_name_{i}", f"c{i}", "date") for i in range(20)]
    parts = split(file(*unnamed, *named), 4, seed=0, by="table")
    assert set(parts.test) < set(named)
    assert "The tables of 20 training examples have no names of their own" in parts.notes[0]
    with pytest.raises(SettingsError, match=r"too small for a table-disjoint split with --test-size 6; use at most 5"):
        split(file(*unnamed, *named), 6, seed=0, by="table")
    with pytest.raises(SettingsError, match="no table has a name of its own"):
        split(file(*unnamed), 1, seed=0, by="table")


def test_a_group_of_more_than_half_the_rows_is_trained_on() -> None:
    giant = [about("giant", "a", value=i) for i in range(60)]
    small = [about(f"small{i}", "a") for i in range(40)]
    parts = split(file(*giant, *small), 40, seed=0, by="table")
    assert set(parts.train) == set(giant)
    with pytest.raises(SettingsError, match="use at most 40"):
        split(file(*giant, *small), 41, seed=0, by="table")


def test_what_the_test_takes_no_more_of_a_group_is_left_out() -> None:
    rows = [about(f"t{i % 4}", "a", value=i) for i in range(40)]
    parts = split(file(*rows), 15, seed=0, by="table")
    assert (len(parts.train), len(parts.test), len(parts.left_out)) == (20, 15, 5)
    assert parts.notes[0].startswith("5 examples are left out")


def test_a_large_group_does_not_fill_the_test_while_there_are_small_ones() -> None:
    rows = [about("large", "a", value=i) for i in range(40)] + [about(f"t{i}", "a") for i in range(100)]
    for seed in range(5):
        assert not {row.schema for row in split(file(*rows), 50, seed, "table").test} & {rows[0].schema}


def test_groups_of_the_built_in_data() -> None:
    parts = split(GENERATED, 200, seed=0, by="template")
    assert parts.leaks.template == 0
    assert len(parts.test) == 200


def test_an_unknown_split() -> None:
    with pytest.raises(SettingsError, match="no split goes by 'column': choose one of row, table"):
        split(corpus(20), 5, seed=0, by="column")


def test_the_split_does_not_depend_on_hash_randomisation() -> None:
    code = (
        "from tinkersql.corpus import Corpus, split; from tinkersql.corpus.generate import generate\n"
        "corpus = Corpus(tuple(generate(600)), 'generated', '')\n"
        "for by in ('table', 'schema', 'template'): print([e.question for e in split(corpus, 50, 1, by).test])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT a FROM t", "plain list"),
        ("SELECT a FROM t WHERE b = 'rock and roll'", "one condition"),
        ('SELECT a FROM t WHERE b = "say ""or"" not"', "one condition"),
        ("SELECT a FROM t WHERE b = 1 AND c = 2", "several conditions"),
        ("SELECT COUNT(*) FROM t WHERE b = 1 AND c = 2", "aggregate"),
        ("SELECT a FROM t ORDER BY COUNT(b) DESC LIMIT 1", "ordering"),
        ("select a, count(*)\nfrom t\ngroup   by a order by 1", "grouping"),
        ("SELECT T1.a FROM t AS T1 JOIN u AS T2 ON T1.i = T2.i GROUP BY T1.a", "join"),
        ("SELECT x FROM t, u WHERE t.i = u.i", "join"),
        ("SELECT a FROM t WHERE b = (SELECT MAX(b) FROM t)", "nested"),
        ("SELECT a FROM t EXCEPT SELECT a FROM u", "set operation"),
        ("SELECT a FROM t WHERE b = 'SELECT one, UNION two'", "one condition"),
    ],
)
def test_kinds(sql, kind) -> None:
    assert kind_of(sql) == kind


def test_counting_kinds_leaves_nothing_out() -> None:
    assert sum(count_kinds(corpus(7).examples).values()) == 7
