"""Causes of wrong answers, found through the real judge."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinkersql.console import Silent
from tinkersql.corpus import Example
from tinkersql.equivalence import Comparison, Verdict, compare
from tinkersql.evaluation import Answer, Cause, diagnose, judge, summarise

SCHEMA = (
    "CREATE TABLE ducks (id INTEGER PRIMARY KEY, name VARCHAR, weight REAL, pond_id INTEGER, colour VARCHAR); "
    "CREATE TABLE ponds (id INTEGER PRIMARY KEY, name VARCHAR, town VARCHAR, depth REAL)"
)
HEAVY = "SELECT name FROM ducks WHERE weight > 2"
JOINED = "SELECT T1.name FROM ducks AS T1 JOIN ponds AS T2 ON T1.pond_id = T2.id WHERE T2.town = 'Ulm'"
BIGGEST = "SELECT name FROM ducks ORDER BY weight DESC LIMIT 1"
GROUPED = "SELECT pond_id FROM ducks GROUP BY pond_id HAVING COUNT(*) > 2"

WRONG = [
    (Cause.NOT_SQL, HEAVY, ""),
    (Cause.NOT_SQL, HEAVY, "The names of the ducks that are heavier than two kilograms."),
    (Cause.NOT_SQL, HEAVY, "SELECT name FROM ducks WHERE WHERE weight > 2"),
    (Cause.NOT_SQL, HEAVY, "DROP TABLE ducks"),
    (Cause.RUNAWAY, HEAVY, "SELECT name FROM ducks WHERE weight > 2" + " AND colour = 'red'" * 5),
    (Cause.UNKNOWN_NAME, HEAVY, "SELECT nmae FROM ducks WHERE weight > 2"),
    (Cause.UNKNOWN_NAME, HEAVY, "SELECT name FROM geese WHERE weight > 2"),
    (Cause.UNKNOWN_NAME, JOINED, "SELECT name FROM ducks JOIN ponds ON pond_id = ponds.id WHERE town = 'Ulm'"),
    (Cause.WRONG_JOIN, HEAVY, "SELECT name FROM ponds WHERE depth > 2"),
    (Cause.WRONG_JOIN, JOINED, JOINED.replace("T1.pond_id", "T1.id")),
    (Cause.WRONG_JOIN, JOINED, "SELECT name FROM ducks"),
    (Cause.WRONG_AGGREGATE, HEAVY, "SELECT COUNT(*) FROM ducks WHERE weight > 2"),
    (Cause.WRONG_AGGREGATE, "SELECT MAX(weight) FROM ducks", "SELECT MIN(weight) FROM ducks"),
    (Cause.WRONG_AGGREGATE, "SELECT COUNT(DISTINCT colour) FROM ducks", "SELECT COUNT(colour) FROM ducks"),
    (Cause.WRONG_COLUMN, HEAVY, "SELECT colour FROM ducks WHERE weight > 2"),
    (Cause.WRONG_COLUMN, HEAVY, "SELECT name, colour FROM ducks WHERE weight > 2"),
    (Cause.WRONG_COLUMN, HEAVY, "SELECT name FROM ducks WHERE id > 2"),
    (Cause.WRONG_COLUMN, "SELECT MAX(weight) FROM ducks", "SELECT MAX(id) FROM ducks"),
    (Cause.WRONG_COLUMN, GROUPED, "SELECT pond_id, COUNT(*) AS n FROM ducks GROUP BY pond_id HAVING n > 2"),
    (Cause.SPURIOUS_CONDITION, HEAVY, 'SELECT name FROM ducks WHERE weight > 2 AND colour = "white"'),
    (Cause.SPURIOUS_CONDITION, "SELECT MAX(weight) FROM ducks", "SELECT MAX(weight) FROM ducks WHERE name = 'a'"),
    (Cause.DROPPED_CONDITION, HEAVY, "SELECT name FROM ducks"),
    (Cause.DROPPED_CONDITION, "SELECT id FROM ducks WHERE colour IN ('a', 'b')",
     "SELECT id FROM ducks WHERE colour = 'a'"),
    (Cause.DROPPED_CONDITION, GROUPED, "SELECT pond_id FROM ducks GROUP BY pond_id"),
    (Cause.WRONG_OPERATOR, HEAVY, "SELECT name FROM ducks WHERE weight >= 2"),
    (Cause.WRONG_OPERATOR, HEAVY, "SELECT name FROM ducks WHERE 2 > weight"),
    (Cause.WRONG_OPERATOR, f"{HEAVY} AND colour = 'red'", f"{HEAVY} OR colour = 'red'"),
    (Cause.WRONG_OPERATOR, "SELECT id FROM ducks WHERE pond_id NOT IN (SELECT id FROM ponds WHERE depth > 2)",
     "SELECT id FROM ducks WHERE pond_id IN (SELECT id FROM ponds WHERE depth > 2)"),
    (Cause.WRONG_OPERATOR, "SELECT id FROM ducks WHERE weight > 2 INTERSECT SELECT id FROM ducks WHERE colour = 'red'",
     "SELECT id FROM ducks WHERE weight > 2 OR colour = 'red'"),
    (Cause.WRONG_LITERAL, HEAVY, "SELECT name FROM ducks WHERE weight > 3"),
    (Cause.WRONG_LITERAL, JOINED, "SELECT name FROM ducks WHERE pond_id IN (SELECT id FROM ponds WHERE town = 'Bonn')"),
    (Cause.WRONG_LITERAL, GROUPED, GROUPED.replace("2", "3")),
    (Cause.WRONG_ARRANGEMENT, BIGGEST, BIGGEST.replace(" DESC", "")),
    (Cause.WRONG_ARRANGEMENT, BIGGEST, BIGGEST.replace("1", "2")),
    (Cause.WRONG_ARRANGEMENT, "SELECT DISTINCT colour FROM ducks", "SELECT colour FROM ducks"),
    (Cause.WRONG_ARRANGEMENT, "SELECT colour, COUNT(*) FROM ducks GROUP BY colour",
     "SELECT colour, COUNT(*) FROM ducks GROUP BY pond_id"),
    (Cause.OTHER, "SELECT weight FROM ducks", "SELECT weight * 2 FROM ducks"),
]  # fmt: skip


def diagnosed(gold: str | tuple[str, ...], text: str, stop_reason: str = "stop", schema: str = SCHEMA):
    golds = (gold,) if isinstance(gold, str) else gold
    example, answer = Example("", schema, golds), Answer(text, 9, 9, stop_reason)
    return diagnose(example, answer, compare(schema, golds, text))


@pytest.mark.parametrize(("cause", "gold", "predicted"), WRONG)
def test_each_mistake_has_its_cause(cause, gold, predicted) -> None:
    assert diagnosed(gold, predicted).cause is cause


def test_every_cause_is_shown_here() -> None:
    assert {cause for cause, _, _ in WRONG} | {Cause.NOT_JUDGED} == set(Cause)


def test_a_right_answer_has_no_cause_however_it_is_written() -> None:
    assert (
        diagnosed(JOINED, "SELECT name FROM ducks WHERE pond_id IN (SELECT id FROM ponds WHERE town = 'ulm')").cause
        is None
    )
    assert diagnosed(HEAVY, "SELECT d.name FROM ducks d WHERE 2 < d.weight").cause is None


def test_a_query_that_met_the_token_limit_is_a_runaway_and_one_with_words_behind_it_is_not() -> None:
    wrong = "SELECT colour FROM ducks WHERE weight > 2"
    assert diagnosed(HEAVY, wrong, "length").cause is Cause.RUNAWAY
    assert diagnosed(HEAVY, f"{wrong};\nThis query shows the colours of the", "length").cause is Cause.WRONG_COLUMN


def test_what_the_model_cannot_help_is_not_judged() -> None:
    assert diagnosed("SELECT nothing FROM nowhere", HEAVY).cause is Cause.NOT_JUDGED
    assert diagnosed(HEAVY, "", "too_long").cause is Cause.NOT_JUDGED


def test_the_nearest_gold_counts() -> None:
    golds = ("SELECT COUNT(*) FROM ponds", "SELECT name, weight FROM ducks WHERE weight > 2", HEAVY)
    assert diagnosed(golds, "SELECT name FROM ducks WHERE weight > 5").cause is Cause.WRONG_LITERAL


def test_an_order_may_stand_for_a_maximum() -> None:
    predicted = "SELECT name FROM ducks WHERE weight = (SELECT MAX(weight) FROM ducks) AND colour = 'red'"
    assert diagnosed(BIGGEST, predicted).cause is Cause.SPURIOUS_CONDITION
    assert diagnosed(BIGGEST, "SELECT name FROM ducks WHERE weight = (SELECT MIN(weight) FROM ducks)").spurious == ()


def test_spurious_columns_are_named_even_where_the_answer_is_right() -> None:
    assert diagnosed(HEAVY, "SELECT id FROM ducks WHERE weight > 2 AND colour = 'red'").spurious == ("ducks.colour",)
    right = diagnosed(HEAVY, "SELECT name FROM ducks WHERE weight > 2 AND (colour = 'red' OR 1 = 1)")
    assert (right.cause, right.spurious) == (None, ("ducks.colour",))
    assert (
        diagnosed(JOINED, "SELECT name FROM ducks WHERE pond_id IN (SELECT id FROM ponds WHERE town = 'x')").spurious
        == ()
    )
    assert (
        diagnosed(
            (HEAVY, "SELECT name FROM ducks WHERE colour = 'x'"), "SELECT id FROM ducks WHERE colour = 'x'"
        ).spurious
        == ()
    )


def test_groups_and_nulls_are_not_spurious() -> None:
    grouped = GROUPED.replace("COUNT(*)", "COUNT(DISTINCT colour)")
    assert diagnosed(GROUPED, grouped).spurious == ()
    outer = "SELECT ducks.id FROM ducks LEFT JOIN ponds ON pond_id = ponds.id WHERE ponds.id IS NULL"
    assert diagnosed("SELECT id FROM ducks WHERE pond_id NOT IN (SELECT id FROM ponds)", outer).spurious == ()


def test_nesting_what_the_gold_joins_is_another_join() -> None:
    joined = "SELECT T2.town FROM ducks AS T1 JOIN ponds AS T2 ON T1.pond_id = T2.id"
    found = diagnosed(joined, "SELECT town FROM ponds WHERE id IN (SELECT pond_id FROM ducks)")
    assert found.cause is Cause.WRONG_JOIN


_PIECES = st.lists(
    st.sampled_from(
        ["SELECT", "name", "FROM", "ducks", "WHERE", "(", ")", ",", "*", "=", "'x'", '"weight"', "2", "AND", "OR",
         "NOT", "IN", "UNION", "GROUP BY", "ORDER BY", "LIMIT", "COUNT(*)", "AS", "n", "JOIN", "ponds", "ON", "T1.",
         "EXISTS", "WITH", "VALUES", ";", "HAVING", "USING (id)", "\x00", "`", "OVER ()", "CASE WHEN", "END", "[", "é"]
    ),
    max_size=30,
).map(" ".join)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(gold=st.one_of(st.sampled_from([HEAVY, JOINED, GROUPED]), _PIECES), predicted=st.one_of(st.text(), _PIECES))
def test_whatever_a_model_writes_gets_one_cause(gold: str, predicted: str) -> None:
    for verdict in (Verdict.DIFFERENT, Verdict.PREDICTION_ERROR, Verdict.UNDECIDED):
        comparison = Comparison(verdict, "", predicted)
        assert diagnose(Example("", SCHEMA, (gold,)), Answer(predicted, 9, 9, "stop"), comparison).cause in Cause


@pytest.mark.parametrize(
    "predicted",
    [
        "SELECT name FROM ducks WHERE " + "(" * 90 + "weight > 2" + ")" * 90,
        "SELECT name FROM ducks WHERE " + " AND ".join(f"id <> {n}" for n in range(280)),
        "SELECT name FROM ducks WHERE " + " OR ".join(f"id = {n}" for n in range(280)),
        "WITH a AS (SELECT 1 AS x), b AS (SELECT * FROM a, a AS a2), c AS (SELECT * FROM b, b AS b2), "
        "d AS (SELECT * FROM c, c AS c2), e AS (SELECT * FROM d, d AS d2), f AS (SELECT * FROM e, e AS e2), "
        "g AS (SELECT * FROM f, f AS f2), h AS (SELECT * FROM g, g AS g2) SELECT * FROM h",
        "SELECT " * 500,
    ],
)
def test_deep_and_long_queries_get_a_cause(predicted: str) -> None:
    comparison = Comparison(Verdict.DIFFERENT, "", predicted)
    assert diagnose(Example("", SCHEMA, (HEAVY,)), Answer(predicted, 9, 9, "stop"), comparison).cause in Cause


def test_a_summary_counts_causes_spurious_conditions_and_schemas() -> None:
    texts = [HEAVY, f"{HEAVY} AND colour = 'red'", "SELECT colour FROM ducks WHERE weight > 2", ""]
    examples = [Example("", SCHEMA, (HEAVY,), difficulty="hard", skills=("filter", "text"))] * 4
    predictions = judge(examples, [Answer(text, 9, 9, "stop") for text in texts], 1, Silent(), "")
    assert [p.to_dict(0)["cause"] for p in predictions] == ["", "spurious_condition", "wrong_column", "not_sql"]
    assert predictions[1].to_dict(1)["spurious"] == ["ducks.colour"]
    summary = summarise(predictions)
    assert summary["causes"] == {"not_sql": 1, "wrong_column": 1, "spurious_condition": 1}
    assert summary["spurious_conditions"] == 1
    assert summary["clustered"]["clusters"] == 1
    assert summary["by_difficulty"]["hard"]["matches"] == 1
    assert summary["by_difficulty"]["hard"]["clustered"]["clusters"] == 1
    assert {skill: each["n"] for skill, each in summary["by_skill"].items()} == {"filter": 4, "text": 4}


def test_questions_of_one_table_are_a_cluster_whichever_columns_they_list() -> None:
    schemas = [
        *("CREATE TABLE ducks (name VARCHAR)", "CREATE TABLE Ducks (weight REAL, name VARCHAR)"),
        *("CREATE TABLE table_10015132_1 (name VARCHAR)", "CREATE TABLE table_10015132_1 (name VARCHAR, no VARCHAR)"),
        *("CREATE TABLE table_name_4 (name VARCHAR)", "CREATE TABLE table_name_71 (name VARCHAR)"),
        *("CREATE TABLE table_name_4 (weight REAL, name VARCHAR)", "no table"),
    ]
    examples = [Example("", schema, ("SELECT name FROM ducks",)) for schema in schemas]
    predictions = judge(examples, [Answer("SELECT name FROM ducks", 9, 9, "stop")] * 8, 1, Silent(), "")
    assert summarise(predictions)["clustered"]["clusters"] == 5
