"""Which examples a step sees, and at which rate: the same in every sitting."""

from dataclasses import replace

import pytest
import tinker
from hypothesis import given
from hypothesis import strategies as st
from tinker import types

from tinkersql.settings import Settings
from tinkersql.tuning.plan import Leg, Plan, legs_of

PLAIN = replace(Settings(), tokens=0, recipe="")


def datums(count: int, length: int = 3) -> list[tinker.Datum]:
    """Datums of which each holds its own number as first token."""
    return [
        tinker.Datum(model_input=types.ModelInput.from_ints([i] + [0] * (length - 1)), loss_fn_inputs={})
        for i in range(count)
    ]


def seen(plan: Plan, steps: int) -> list[list[int]]:
    return [[datum.model_input.to_ints()[0] for datum in plan.batch(step)] for step in range(1, steps + 1)]


@given(n=st.integers(1, 40), batch=st.integers(1, 12), epochs=st.integers(1, 4), seed=st.integers(0, 3))
def test_every_pass_takes_every_example_once(n: int, batch: int, epochs: int, seed: int) -> None:
    plan = Plan(datums(n), replace(PLAIN, batch_size=batch, epochs=epochs, seed=seed))
    assert plan.steps is not None
    taken = [index for step in seen(plan, plan.steps) for index in step]
    assert plan.examples == len(taken) == n * epochs
    for epoch in range(epochs):
        assert sorted(taken[epoch * n : (epoch + 1) * n]) == list(range(n))
    assert taken[:n] == list(range(n))
    assert plan.has(plan.steps)
    assert not plan.has(plan.steps + 1)


def test_passes_differ_in_order_and_do_so_by_the_seed() -> None:
    one, two, other = (seen(Plan(datums(20), replace(PLAIN, epochs=3, seed=seed)), 8) for seed in (0, 0, 1))
    flat = [index for step in one for index in step]
    assert flat[20:40] != flat[40:60] != flat[:20]
    assert one == two != other


@pytest.mark.parametrize(
    ("budget", "examples", "steps"),
    [
        ({}, 20, 5),
        ({"examples": 6}, 6, 2),
        ({"steps": 3}, 12, 3),
        ({"steps": 3, "examples": 6}, 6, 2),
        ({"tokens": 25}, 9, 3),  # the ninth example of 3 tokens meets it
        ({"tokens": 90, "epochs": 2}, 30, 8),
        ({"examples": 30}, 20, 5),
        ({"examples": 30, "epochs": 5}, 30, 8),
    ],
)
def test_the_first_budget_that_is_met_ends_a_training(budget: dict, examples: int, steps: int) -> None:
    plan = Plan(datums(20), replace(PLAIN, batch_size=4, **budget))
    assert (plan.examples, plan.steps) == (examples, steps)


def test_the_rate_falls_so_that_the_step_after_the_last_has_none() -> None:
    plan = Plan(datums(20), replace(PLAIN, batch_size=4, learning_rate=1.0))
    assert [plan.rate(step) for step in range(1, 6)] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])
    constant = Plan(datums(20), replace(PLAIN, batch_size=4, learning_rate=1.0, schedule="constant"))
    assert {constant.rate(step) for step in range(1, 6)} == {1.0}


def test_minutes_have_no_steps_until_somebody_has_timed_some() -> None:
    plan = Plan(datums(20), replace(PLAIN, batch_size=4, learning_rate=1.0, minutes=2.0))
    assert plan.steps is None
    assert plan.rate(3) == 1.0
    plan.fix(4)
    assert (plan.steps, plan.examples, plan.rate(4)) == (4, 16, 0.25)
    plan.fix(400)
    assert (plan.steps, plan.examples) == (4, 16)  # what has been fixed is not lengthened


def test_a_further_leg_goes_on_through_the_data_with_a_schedule_of_its_own() -> None:
    settings = replace(PLAIN, batch_size=4, learning_rate=1.0, examples=10)
    plan = Plan(datums(12), settings)
    before = seen(plan, 3)
    plan.extend(2, 3)
    assert (plan.steps, plan.examples) == (5, 18)
    assert seen(plan, 3) == before == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert seen(plan, 4)[3][:2] == [10, 11]
    assert [plan.rate(step) for step in (3, 4, 5)] == pytest.approx([1 / 3, 1, 0.5])
    again = Plan(datums(12), settings, legs_of(plan.to_dict()))
    assert seen(again, 5) == seen(plan, 5)
    assert again.legs == [Leg(3, 10), Leg(2, 8)]


def test_a_leg_of_which_validation_kept_a_part_keeps_its_rates() -> None:
    plan = Plan(datums(20), replace(PLAIN, batch_size=4, learning_rate=1.0))
    plan.extend(2, 3)
    assert (plan.steps, plan.examples) == (5, 20)
    assert seen(plan, 4)[3] == [12, 13, 14, 15]
    assert [plan.rate(step) for step in range(1, 6)] == pytest.approx([1, 0.8, 0.6, 1, 0.5])
    plan.extend(1, 3)  # nothing of the second leg was kept
    assert (plan.steps, plan.has(4), plan.has(5)) == (4, True, False)
    assert seen(plan, 4)[3] == [12, 13, 14, 15]
    assert plan.rate(4) == 1.0
    assert legs_of(plan.to_dict()) == plan.legs == [Leg(5, 12, 3), Leg(2, 0, 0), Leg(1, 4)]


@pytest.mark.parametrize("document", [{}, {"legs": [{}]}, {"legs": [{"steps": "3", "examples": 1}]}, []])
def test_what_is_no_plan_is_not_read_as_one(document: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        legs_of(document)
