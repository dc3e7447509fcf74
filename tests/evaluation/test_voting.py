"""Votes: answers agree when the judge says that they mean the same; those that do not run have no vote."""

import pytest

from tinkersql.console import Silent
from tinkersql.evaluation.execution import errors_of
from tinkersql.evaluation.voting import Ballot, elect

SCHEMA = "CREATE TABLE ducks (name VARCHAR, weight REAL)"
HEAVY = "SELECT name FROM ducks WHERE weight > 2"
HEAVY_TOO = ["SELECT T1.name FROM ducks AS T1 WHERE 2 < T1.weight", f"```sql\n{HEAVY};\n```", HEAVY]
LIGHT = "SELECT name FROM ducks WHERE weight < 2"
WRONG = "SELECT nome FROM ducks"
ELECTIONS = {
    "the most common meaning wins": ([LIGHT, *HEAVY_TOO], Ballot(1, (3, 1))),
    "also against more answers of one text": ([LIGHT, LIGHT, *HEAVY_TOO], Ballot(2, (3, 2))),
    "what does not run has no vote": ([WRONG, WRONG, "DELETE FROM ducks", "I do not know", "", LIGHT], Ballot(5, (1,))),
    "nothing runs": ([WRONG, "nothing"], Ballot(0, ())),
    "of two the earlier": ([LIGHT, HEAVY, HEAVY_TOO[0], LIGHT], Ballot(0, (2, 2))),
    "of two single ones the earlier": ([HEAVY, LIGHT], Ballot(0, (1, 1))),
    "one answer": ([HEAVY], Ballot(0, (1,))),
    "in another order": ([HEAVY_TOO[1], WRONG, LIGHT, HEAVY, LIGHT, HEAVY_TOO[0]], Ballot(0, (3, 2))),
}
TREES = "CREATE TABLE trees (height REAL)"


@pytest.fixture(scope="module")
def ballots() -> list[Ballot]:
    answers = [given for given, _ in ELECTIONS.values()]
    return elect(
        [SCHEMA] * len(answers) + [TREES], [*answers, [HEAVY, "SELECT height FROM trees"]], 2, Silent(), "vote"
    )


@pytest.mark.parametrize("name", ELECTIONS)
def test_elections(ballots, name) -> None:
    assert ballots[list(ELECTIONS).index(name)] == ELECTIONS[name][1]


def test_a_query_runs_on_the_schema_of_its_own_question(ballots) -> None:
    assert ballots[-1] == Ballot(1, (1,))


def test_what_the_database_has_against_a_query() -> None:
    answers = [HEAVY, WRONG, "SELECT name FROM geese", "", "DROP TABLE ducks", f"Sure!\n{HEAVY}"]
    found = list(errors_of([(SCHEMA, answer) for answer in answers] + [("no schema", HEAVY)], 1))
    assert found[:3] == [None, "no such column: nome", "no such table: geese"]
    assert all(found[3:5])
    assert found[5] is None
    assert found[6]
    assert all("\n" not in error for error in found if error)
