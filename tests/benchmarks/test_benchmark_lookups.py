"""The benchmark's own wrong queries are wrong, and its paraphrases are none but paraphrases."""

from random import Random

import pytest
from lookups import Condition, Lookup, invent, read_lookup
from paraphrases import EQUAL
from truth import differ
from wrong_queries import WRONG

GOLDS = [invent(Random(number), number % 5) for number in range(60)]
SHIPS = Lookup(
    "ships",
    (("name", "VARCHAR"), ("year", "VARCHAR"), ("crew", "INTEGER")),
    "",
    "name",
    (Condition("year", "=", 1912), Condition("crew", ">", 5)),
)


@pytest.mark.parametrize("operator", WRONG, ids=lambda operator: operator.__name__)
def test_each_wrong_operator_changes_the_meaning_of_some_gold(operator) -> None:
    written = ((gold, operator(gold, Random(1))) for gold in GOLDS)
    assert any(sql is not None and differ(gold, sql, Random(2), databases=100) for gold, sql in written)


@pytest.mark.parametrize("operator", EQUAL, ids=lambda operator: operator.__name__)
def test_no_paraphrase_differs(operator) -> None:
    written = [(gold, sql) for gold in GOLDS if (sql := operator(gold, Random(1))) is not None]
    assert written
    for gold, sql in written:
        assert not differ(gold, sql, Random(2), databases=10), sql


@pytest.mark.parametrize(
    ("predicted", "different"),
    [
        ("SELECT name FROM ships WHERE year = '1912' AND crew >= 6", False),
        ("SELECT name FROM ships WHERE year = 1912 AND crew >= 5", True),
        ("SELECT DISTINCT name FROM ships WHERE year = 1912 AND crew > 5", True),
        ("SELECT name FROM ships WHERE year = 1912", True),
        ("SELECT name, year FROM ships WHERE year = 1912 AND crew > 5", True),
        ("SELECT nothing FROM ships", True),
    ],
)
def test_brute_force_finds_differences_and_invents_none(predicted: str, different: bool) -> None:
    assert differ(SHIPS, predicted, Random(3)) is different


def test_made_up_golds_are_read_back_as_they_were_made() -> None:
    for gold in GOLDS:
        assert read_lookup(gold.schema, gold.select()) == gold


def test_double_quoted_values_are_values() -> None:
    sql = 'SELECT name FROM ships WHERE 5 < crew AND year = "1912"'
    found = read_lookup(SHIPS.schema, sql)
    assert found is not None
    assert found.conditions == (Condition("crew", ">", 5), Condition("year", "=", "1912"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM ships ORDER BY crew",
        "SELECT name, year FROM ships",
        "SELECT name FROM ships WHERE crew > 5 OR crew < 2",
        "SELECT COUNT(*) FROM ships",
        "SELECT name FROM boats",
        "SELECT name FROM ships AS a JOIN ships AS b ON a.year = b.year",
        "SELECT FROM WHERE",
    ],
)
def test_other_queries_are_no_lookups(sql: str) -> None:
    assert read_lookup(SHIPS.schema, sql) is None
