"""Golds that leave their result open: ties at a cut, bare columns, numbered rows."""

import pytest

from tinkersql.equivalence import Assumptions, Verdict, compare

SCHEMA = "CREATE TABLE t (a VARCHAR, b INTEGER, c VARCHAR, d INTEGER)"
RANKED = "SELECT a, b FROM (SELECT a, b, ROW_NUMBER() OVER (PARTITION BY c ORDER BY b DESC{0}) AS r FROM t) WHERE r = 1"
TOP = "SELECT a, c FROM t GROUP BY a ORDER BY COUNT(*) {0}LIMIT 1"


@pytest.mark.parametrize(
    ("gold", "predicted"),
    [
        ("SELECT a FROM t LIMIT 3", "SELECT a FROM t ORDER BY b LIMIT 3"),
        ("SELECT a, c FROM t ORDER BY b LIMIT 2", "SELECT c, a FROM t ORDER BY b, a LIMIT 2"),
        ("SELECT a FROM t ORDER BY b DESC LIMIT 1", "SELECT a FROM t WHERE b = (SELECT MAX(b) FROM t)"),
        ("SELECT DISTINCT a FROM t ORDER BY LENGTH(a)", "SELECT DISTINCT a FROM t ORDER BY LENGTH(a), a"),
        ("SELECT DISTINCT a FROM t ORDER BY b", "SELECT a FROM t GROUP BY a ORDER BY MIN(b)"),
        ("SELECT GROUP_CONCAT(a) FROM t", "SELECT GROUP_CONCAT(a) FROM (SELECT a FROM t ORDER BY b)"),
        ("SELECT a, c, COUNT(*) FROM t GROUP BY a", "SELECT a, MAX(c), COUNT(*) FROM t GROUP BY a"),
        ("SELECT * FROM t GROUP BY a", "SELECT a, MIN(b), MIN(c), MIN(d) FROM t GROUP BY a"),
        ("SELECT a FROM t GROUP BY a HAVING b > 3", "SELECT a FROM t GROUP BY a HAVING MAX(b) > 3"),
        (TOP.format("DESC "), "SELECT a, MIN(c) FROM t GROUP BY a ORDER BY COUNT(*) DESC LIMIT 1"),
        (RANKED.format(""), RANKED.format(", a DESC")),
        (
            "SELECT a FROM t WHERE d = (SELECT d FROM t ORDER BY b LIMIT 1)",
            "SELECT a FROM t WHERE d = (SELECT d FROM t ORDER BY b, d DESC LIMIT 1)",
        ),
        (
            "SELECT UPPER(a) AS u, COUNT(*) FROM t GROUP BY u HAVING COUNT(*) > 1",
            "SELECT UPPER(a), COUNT(*) FROM t GROUP BY UPPER(a) HAVING COUNT(*) >= 2",
        ),
    ],
)
def test_what_some_reading_returns_is_no_difference(gold, predicted):
    answer = compare(SCHEMA, gold, predicted)
    assert answer.verdict is Verdict.MATCH, answer.reason


@pytest.mark.parametrize(
    ("gold", "predicted"),
    [
        ("SELECT a FROM t LIMIT 3", "SELECT a FROM t LIMIT 5"),
        ("SELECT a FROM t LIMIT 3", "SELECT a FROM t"),
        ("SELECT a FROM t WHERE b > 5 LIMIT 1", "SELECT a FROM t WHERE b > 5"),
        ("SELECT a, COUNT(*) FROM t GROUP BY a LIMIT 2", "SELECT a, COUNT(*) FROM t GROUP BY a"),
        ("SELECT a FROM t LIMIT 3", "SELECT c FROM t LIMIT 3"),
        ("SELECT a FROM t ORDER BY b LIMIT 100", "SELECT a FROM t ORDER BY b LIMIT 99"),
        ("SELECT a FROM t ORDER BY b LIMIT 150", "SELECT a FROM t ORDER BY b"),
        (
            "SELECT a, COUNT(*) FROM t GROUP BY a ORDER BY COUNT(*) DESC LIMIT 10",
            "SELECT a, COUNT(*) FROM t GROUP BY a ORDER BY COUNT(*) DESC",
        ),
        ("SELECT a, c, COUNT(*) FROM t GROUP BY a", "SELECT a, c, COUNT(*) FROM t GROUP BY a, c"),
        ("SELECT a, c, COUNT(*) FROM t GROUP BY a", "SELECT a, c, SUM(b) FROM t GROUP BY a"),
        (TOP.format("DESC "), TOP.format("")),
        ("SELECT a, MAX(b) FROM t GROUP BY c", "SELECT MAX(a), MAX(b) FROM t GROUP BY c"),
        ("SELECT DISTINCT a FROM t ORDER BY a LIMIT 2", "SELECT DISTINCT a FROM t ORDER BY a LIMIT 3"),
        (
            "SELECT a FROM t UNION SELECT c FROM t ORDER BY 1 LIMIT 2",
            "SELECT a FROM t UNION SELECT c FROM t ORDER BY 1 DESC LIMIT 2",
        ),
    ],
)
def test_what_no_reading_returns_is_a_difference(gold, predicted, replay):
    answer = compare(SCHEMA, gold, predicted)
    assert answer.verdict is Verdict.DIFFERENT, answer.reason
    replay(answer)


def test_in_the_open_world_a_bare_column_is_what_sqlite_picks(replay):
    schema = "CREATE TABLE dog (dog_id INTEGER, name VARCHAR); CREATE TABLE visit (dog_id INTEGER, cost INTEGER)"
    gold = "SELECT d.name FROM dog AS d JOIN visit AS v ON d.dog_id = v.dog_id GROUP BY d.dog_id"
    predicted = gold.replace("d.name", "MAX(d.name)")
    assert compare(schema, gold, predicted).verdict is Verdict.MATCH
    answer = compare(schema, gold, predicted, assumptions=Assumptions.OPEN_WORLD)
    assert answer.verdict is Verdict.DIFFERENT, answer.reason
    replay(answer)
