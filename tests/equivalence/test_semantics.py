"""The semantics of the judge, pair by pair: see pairs.txt."""

from pathlib import Path

import pytest

from tinkersql.equivalence import Assumptions, Verdict, compare


def read_pairs() -> list:
    pairs, schema = [], ""
    for line in (Path(__file__).parent / "pairs.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("schema: "):
            schema = line.removeprefix("schema: ")
        elif line and not line.startswith("#"):
            gold, predicted, verdict, why = (part.strip() for part in line.split(" | "))
            pairs.append(pytest.param(schema, gold, predicted, verdict, id=f"{len(pairs) + 1}: {why}"))
    return pairs


@pytest.mark.parametrize(("schema", "gold", "predicted", "expected"), read_pairs())
def test_pair(schema, gold, predicted, expected, replay):
    headline, _, strict = expected.partition("/")
    answer = compare(schema, gold, predicted)
    assert answer.verdict == headline, answer.reason
    assert (answer.witness is not None) == (answer.verdict is Verdict.DIFFERENT)
    if answer.witness:
        replay(answer)
    if strict:
        answer = compare(schema, gold, predicted, assumptions=Assumptions.OPEN_WORLD)
        assert answer.verdict == strict, answer.reason
        replay(answer)
