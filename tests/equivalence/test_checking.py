"""check_many: does a query run on its schema, and why not?"""

import json

import psutil
import pytest
from probes import ENDLESS

from tinkersql.equivalence import Check, Problem, Verdict, check_many, compare_many

SCHEMA = "CREATE TABLE ducks (name VARCHAR, weight INTEGER)"
RUNS = "SELECT name FROM ducks WHERE weight > 2"


def check(sql: str, schema: str = SCHEMA) -> Check:
    return next(check_many([(schema, sql)]))


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT colour FROM ducks", Problem.NAME),
        ("SELECT name FROM geese", Problem.NAME),
        ("SELECT name FROM ducks WHERE", Problem.SYNTAX),
        ('SELECT name FROM ducks WHERE name = "Anna', Problem.SYNTAX),
        ("DELETE FROM ducks", Problem.SYNTAX),
        (f"{RUNS}; {RUNS}", Problem.SYNTAX),
        ("SELECT quack(name) FROM ducks", Problem.RUNTIME),
        ("SELECT d.name FROM ducks AS d JOIN ducks AS e WHERE weight > 2", Problem.RUNTIME),
        (f"{ENDLESS} SELECT COUNT(*) FROM r", Problem.OVER_BUDGET),
        ("SELECT " + "(" * 5_000, Problem.SYNTAX),
    ],
)
def test_what_is_wrong_is_named(sql, problem):
    answer = check(sql)
    assert answer.problem is problem
    assert answer.reason
    assert "\n" not in answer.reason
    assert not answer.runs


def test_a_schema_without_tables():
    assert check(RUNS, "ducks: name, weight").problem is Problem.SCHEMA


def test_functions_are_called_although_the_schema_comes_without_rows():
    assert check("SELECT json_extract(name, '$') FROM ducks").problem is Problem.RUNTIME
    assert check("SELECT SUM(weight * 9223372036854775807 * 2) FROM ducks").runs


def test_the_text_that_ran_tells_values_from_names():
    assert check('SELECT name FROM ducks WHERE name = "Anna"').sql.endswith("name = 'Anna'")
    assert check('SELECT name FROM ducks WHERE name = "weight"').sql.endswith('name = "weight"')
    assert check(f" {RUNS} ; -- done").sql == RUNS


def test_an_endless_query_leaves_the_others_alone():
    queries = [(SCHEMA, RUNS)] * 20
    queries[7] = (SCHEMA, f"{ENDLESS} SELECT COUNT(*) FROM r a JOIN r b")
    answers = list(check_many(queries, workers=2))
    assert [answer.runs for answer in answers] == [index != 7 for index in range(20)]


def test_a_worker_that_dies_is_replaced_and_every_query_answered():
    def queries():
        for number in range(100):
            if number == 50:
                for child in psutil.Process().children():
                    if "tinkersql.equivalence.worker" in child.cmdline():
                        child.kill()
            yield SCHEMA, RUNS if number % 2 else "SELECT nothing FROM ducks"

    assert [answer.runs for answer in check_many(queries())] == [bool(number % 2) for number in range(100)]


def test_no_queries_no_answers():
    assert list(check_many([])) == []


def test_answers_survive_json():
    for sql in (RUNS, "SELECT nothing FROM ducks"):
        answer = check(sql)
        assert Check.from_dict(json.loads(json.dumps(answer.to_dict()))) == answer


def test_what_runs_is_a_gold_to_the_judge_and_what_fails_is_none():
    golds = [
        RUNS,
        "SELECT TOP 1 name FROM ducks",
        "SELECT name FROM ducks LIMIT",
        "SELECT name, FROM ducks",
        "SELECT `name` FROM ducks",
        "SELECT rowid FROM ducks",
        'SELECT COUNT("x") FROM ducks',
    ]
    checks = check_many([(SCHEMA, gold) for gold in golds])
    answers = compare_many([(SCHEMA, gold, RUNS) for gold in golds])
    for gold, checked, answer in zip(golds, checks, answers, strict=True):
        assert checked.runs == (answer.verdict is not Verdict.GOLD_ERROR), gold
