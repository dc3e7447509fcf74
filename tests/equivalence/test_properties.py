"""What must hold for every query, tried on many."""

import json
import subprocess
import sys

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinkersql.equivalence import Assumptions, Verdict, compare, compare_many, extract_sql

SCHEMA = (
    "CREATE TABLE teams (id INTEGER, name VARCHAR, town VARCHAR); "
    "CREATE TABLE games (id INTEGER, team_id INTEGER, score INTEGER, ground VARCHAR)"
)
QUICK = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

conditions = st.lists(
    st.sampled_from(
        [
            *(
                "{g}score > 3",
                "{g}score <= 3",
                "{g}score BETWEEN 2 AND 5",
                "{g}ground = 'North'",
                "{g}ground LIKE 'N%'",
            ),
            *("{g}score IN (1, 2)", "{g}ground <> 'South'", "({g}score = 7 OR {g}ground = 'East')", "NOT {g}score = 4"),
        ]
    ),
    max_size=3,
    unique=True,
)
outputs = st.sampled_from(
    [
        "{g}ground",
        "{g}score, {g}ground",
        "COUNT(*)",
        "MAX({g}score)",
        "SUM({g}score)",
        "COUNT(DISTINCT {g}ground)",
        "{g}id",
    ]
)
grouped = st.sampled_from(["", " GROUP BY {g}ground", " GROUP BY {g}ground HAVING COUNT(*) > 1"])
endings = st.sampled_from(["", " ORDER BY {g}id", " ORDER BY {g}id DESC LIMIT 2"])


@st.composite
def queries(draw):
    """A query over games with a place for an alias; grouped queries return the group and end without an order."""
    group = draw(grouped)
    output = "{g}ground, COUNT(*)" if group else draw(outputs)
    where = " AND ".join(draw(conditions))
    ending = "" if group or "(" in output else draw(endings)
    return f"SELECT {output} FROM games{{a}}" + (f" WHERE {where}" if where else "") + group + ending


def plain(query):
    return query.format(g="", a="")


@QUICK
@given(queries())
def test_a_query_matches_itself_under_any_alias(query):
    for renamed in (
        query.format(g="x.", a=" AS x"),
        query.format(g="games.", a=""),
        plain(query).replace("FROM", "\nfrom "),
    ):
        assert compare(SCHEMA, plain(query), renamed).verdict is Verdict.MATCH


@QUICK
@given(queries(), queries(), st.sampled_from(list(Assumptions)))
def test_differences_replay_and_verdicts_do_not_depend_on_aliases(replay, gold, predicted, assumptions):
    answer = compare(SCHEMA, plain(gold), plain(predicted), assumptions=assumptions)
    assert answer.verdict in (Verdict.MATCH, Verdict.DIFFERENT)
    assert answer.assumptions is assumptions
    if answer.verdict is Verdict.DIFFERENT:
        replay(answer)
    renamed = compare(SCHEMA, plain(gold), predicted.format(g="x.", a=" AS x"), assumptions=assumptions)
    assert renamed.verdict is answer.verdict


@QUICK
@given(queries(), queries())
def test_the_ladder_only_ever_forgives(gold, predicted):
    """A match where more is possible is a match where less is."""
    steps = [compare(SCHEMA, plain(gold), plain(predicted), assumptions=step).matches for step in Assumptions]
    assert steps == sorted(steps)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=200))
def test_no_text_makes_the_judge_fail(text):
    extracted = extract_sql(text)
    assert extracted in text
    for answer in (compare(SCHEMA, "SELECT id FROM teams", text), compare(SCHEMA, text, "SELECT id FROM teams")):
        assert answer.verdict is not Verdict.MATCH
        assert "judge failed" not in answer.reason
    assert "judge failed" not in compare(text, "SELECT id FROM teams", "SELECT id FROM teams").reason


words = st.sampled_from(
    """SELECT FROM WHERE games teams id score ground name ( ) , . * = < > 'a' "b" 3 -1 AND OR NOT IN LIKE BETWEEN JOIN
    ON LEFT GROUP BY ORDER HAVING
    LIMIT UNION INTERSECT EXCEPT COUNT SUM MAX AS x DISTINCT NULL IS CASE WHEN THEN END WITH
    EXISTS OVER PARTITION OFFSET ; -- /* VALUES CAST || %""".split()  # noqa: SIM905
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(words, max_size=25))
def test_no_heap_of_sql_words_makes_the_judge_fail(heap):
    text = "SELECT " + " ".join(heap)
    for gold, predicted in (("SELECT id FROM teams", text), (text, "SELECT id FROM teams"), (text, text)):
        assert "judge failed" not in compare(SCHEMA, gold, predicted).reason


def test_the_same_answers_in_any_process_and_any_number_of_them():
    gold = "SELECT t.name FROM teams AS t JOIN games AS g ON g.team_id = t.id WHERE g.score > 3 GROUP BY t.id"
    others = [gold.replace(old, new) for old, new in (("> 3", ">= 3"), ("t.id", "t.name"), (" WHERE g.score > 3", ""))]
    pairs = [(SCHEMA, gold, other) for other in [*others, gold, "SELECT 1", "nonsense"]] * 2
    expected = list(compare_many(pairs, workers=1))
    assert list(compare_many(pairs, workers=2)) == expected
    script = (
        "import json, sys\nfrom tinkersql.equivalence import compare\n"
        "print(json.dumps([compare(*pair).to_dict() for pair in json.load(sys.stdin)]))"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=json.dumps(pairs),
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        )
        assert json.loads(done.stdout) == [answer.to_dict() for answer in expected]
