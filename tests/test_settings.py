import math

import pytest

from tinkersql.errors import SettingsError
from tinkersql.settings import PRESETS, resolve


def test_the_exercise_preset_holds_the_exercise_values() -> None:
    s = resolve("exercise", {}).settings
    assert (s.test_size, s.batch_size, s.learning_rate, s.rank, s.max_tokens) == (200, 256, 5e-4, 32, 150)
    assert (s.examples, s.tokens) == (0, 0)
    assert s.stops == ("\n\n", "Question:")
    assert s.template.format(schema="S", question="Q") == "Table schema:\nS\nQuestion: Q\nSQL: "


@pytest.mark.parametrize(("preset", "batch"), [("cpu", 16), ("exercise", 64), ("cpu", 128)])
def test_a_changed_batch_size_rescales_the_preset_s_own_rate_and_says_so(preset, batch) -> None:
    own = PRESETS[preset]
    resolved = resolve(preset, {"batch_size": batch})
    assert resolved.settings.learning_rate == pytest.approx(own.learning_rate * math.sqrt(batch / own.batch_size))
    assert "rescaled" in resolved.sources["learning_rate"]
    assert f"√({batch}/{own.batch_size})" in resolved.sources["learning_rate"]


def test_a_budget_in_examples_takes_the_place_of_the_preset_s_tokens() -> None:
    resolved = resolve("cpu", {"examples": 100})
    assert (resolved.settings.tokens, resolved.sources["tokens"]) == (0, "--examples is the budget")
    assert resolve("cpu", {"examples": 100, "tokens": 5000}).settings.tokens == 5000


def test_built_in_data_needs_no_recipe() -> None:
    assert resolve("cpu", {"data": "built-in"}).settings.recipe == ""
    assert resolve("cpu", {}).settings.recipe == PRESETS["cpu"].recipe != ""
    assert resolve("exercise", {}).settings.recipe == ""


def test_an_unknown_preset() -> None:
    with pytest.raises(SettingsError, match="--preset gpu"):
        resolve("gpu", {})


def test_a_given_rate_is_not_rescaled() -> None:
    resolved = resolve("cpu", {"batch_size": 8, "learning_rate": 0.002})
    assert resolved.settings.learning_rate == 0.002
    assert resolved.sources["learning_rate"] == "--learning-rate"


def test_every_value_has_a_source() -> None:
    rows = resolve("cpu", {"seed": 7, "stops": ("\n",), "rank": None}).to_dict()
    assert rows["seed"] == {"value": 7, "source": "--seed"}
    assert rows["stops"]["source"] == "--stop"
    assert rows["rank"] == {"value": 32, "source": "preset cpu"}


def test_a_base_url_chooses_the_backend() -> None:
    assert resolve("cpu", {"base_url": "http://127.0.0.1:1"}).settings.backend == "url"


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"test_size": 0}, "--test-size"),
        ({"batch_size": 0}, "--batch-size"),
        ({"rank": -1}, "--rank"),
        ({"examples": -5}, "--examples"),
        ({"learning_rate": 0.0}, "--learning-rate"),
        ({"learning_rate": math.nan}, "--learning-rate"),
        ({"schedule": "cosine"}, "--schedule"),
        ({"split": "column"}, "--split"),
        ({"backend": "cloud"}, "--backend"),
        ({"backend": "tinker", "base_url": "http://x"}, "--base-url"),
        ({"recipe": "magic"}, "--recipe"),
        ({"stops": ("",)}, "--stop"),
        ({"template": "{question}"}, "--template"),
        ({"template": "{schema} {question} {other}"}, "--template"),
        ({"template": "{schema} {question} {"}, "--template"),
        ({"template": "{schema[a]} {question}"}, "--template"),
    ],
)
def test_a_senseless_value_is_one_line_that_names_the_option(changes, option) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve("cpu", changes)
    assert option in str(caught.value)
    assert "\n" not in str(caught.value)
