"""What the judge's verdicts are worth, and what a group of answers teaches."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinkersql.equivalence import compare
from tinkersql.errors import SettingsError
from tinkersql.tuning.reinforce import REWARDS, Attempt, Group, figures, kl_estimate
from tinkersql.tuning.rewards import Outcome, Rewards, outcome_of

SCHEMA = "CREATE TABLE ducks (name VARCHAR, weight REAL)"
GOLD = "SELECT name FROM ducks WHERE weight > 2"

numbers = st.floats(-10, 10)
logprobs = st.lists(st.floats(-20, 0), min_size=1, max_size=8)


def attempt(reward: float, tokens: int = 3) -> Attempt:
    return Attempt(list(range(5, 5 + tokens)), [-0.5] * tokens, Outcome.RUNS, False, reward)


@given(values=st.lists(numbers, min_size=4, max_size=4))
def test_rewards_never_fall_with_the_outcome_and_a_match_earns_most(values: list[float]) -> None:
    error, compiles, runs, match = values
    if not error <= compiles <= runs < match:
        with pytest.raises(SettingsError, match="error <= compiles <= runs < match"):
            Rewards(match, runs, compiles, error)
        return
    rewards = Rewards(match, runs, compiles, error)
    earned = [rewards.of(outcome) for outcome in Outcome]
    assert earned == sorted(earned)
    assert earned[-1] > max(earned[:-1])
    assert {rewards.of(outcome, cut_off=True) for outcome in Outcome} == {error}


def test_the_default_rewards_tell_all_outcomes_apart() -> None:
    earned = [REWARDS.of(outcome) for outcome in (Outcome.NOT_SQL, Outcome.COMPILES, Outcome.RUNS, Outcome.MATCH)]
    assert earned == sorted(set(earned))


@pytest.mark.parametrize(
    ("gold", "answer", "outcome"),
    [
        (GOLD, " SELECT name FROM ducks WHERE 2 < weight\n\n", Outcome.MATCH),
        (GOLD, "SELECT name FROM ducks", Outcome.RUNS),
        (GOLD, "SELECT 1", Outcome.RUNS),
        (GOLD, "SELECT name FROM geese", Outcome.COMPILES),
        (GOLD, "SELECT FROM WHERE", Outcome.NOT_SQL),
        (GOLD, "The heavy ones.", Outcome.NOT_SQL),
        (GOLD, "", Outcome.NOT_SQL),
        ("SELECT name FROM geese", "SELECT name FROM ducks", None),
    ],
)
def test_the_judge_s_verdict_is_an_outcome(gold: str, answer: str, outcome: Outcome | None) -> None:
    assert outcome_of(compare(SCHEMA, gold, answer)) is outcome


@settings(deadline=None)  # the first Datum imports the SDK
@given(rewards=st.lists(st.sampled_from([0.0, 0.05, 0.1, 1.0]), max_size=8))
def test_advantages_are_relative_to_the_group(rewards: list[float]) -> None:
    group = Group([1, 2], [attempt(reward) for reward in rewards])
    if len(set(rewards)) < 2:
        assert group.advantages == group.datums() == []
        return
    assert sum(group.advantages) == pytest.approx(0)
    assert sorted(rewards) == [reward for _, reward in sorted(zip(group.advantages, rewards, strict=True))]
    assert len(group.datums()) == len(rewards)


def test_a_datum_has_advantages_and_log_probabilities_on_the_answer_only() -> None:
    datum, _ = Group([1, 2, 3], [attempt(1.0, tokens=2), attempt(0.0)]).datums()
    inputs = {name: tensor.to_numpy().tolist() for name, tensor in datum.loss_fn_inputs.items()}
    assert datum.model_input.to_ints() == [1, 2, 3, 5]
    assert inputs["target_tokens"] == [2, 3, 5, 6]
    assert inputs["advantages"] == [0, 0, 0.5, 0.5]
    assert inputs["logprobs"] == [0, 0, -0.5, -0.5]


@given(policy=logprobs, data=st.data())
def test_the_distance_to_the_start_is_never_negative(policy: list[float], data: st.DataObject) -> None:
    start = data.draw(st.lists(st.floats(-20, 0), min_size=len(policy), max_size=len(policy)))
    assert kl_estimate(policy, start) >= -1e-12
    assert kl_estimate(policy, policy) == 0


def test_figures_leave_out_questions_whose_gold_cannot_be_used() -> None:
    right = Attempt([7], [-1.0], Outcome.MATCH, False, 1.0)
    cut = Attempt([7, 8, 9], [-1.0, -2.0, -1.0], Outcome.COMPILES, True, 0.0)
    found = figures([Group([1], [right, cut]), Group([1], []), Group([1], [right, right]), Group([1], [right])])
    assert (found["answers"], found["groups_with_signal"]) == (5, 0.25)
    assert (found["reward"], found["match"], found["runs"], found["compiles"], found["cut_off"]) == (
        *(0.8, 0.8, 0.8, 1.0),
        0.2,
    )
    assert (found["answer_tokens"], found["entropy"]) == (7 / 5, 8 / 7)
