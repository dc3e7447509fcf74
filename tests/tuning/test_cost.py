"""Estimates before a training: counted tokens, a measured speed on a real engine, and a table of prices."""

import json
import math
import os
import pty
import random
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tinker
from hypothesis import given
from hypothesis import strategies as st
from tinker import types

from tinkersql.backend import Backend
from tinkersql.errors import Interrupted, SettingsError
from tinkersql.settings import Settings
from tinkersql.tuning import cost
from tinkersql.tuning.cost import Consent, Estimate, Work, calibrate, compare, confirm, estimate, work_of
from tinkersql.tuning.loop import Training
from tinkersql.tuning.plan import Plan
from tinkersql.tuning.prices import load_prices

WORK = Work(steps=10, train_tokens=2_000_000, prefill_tokens=1_000_000, sample_tokens=500_000)


@pytest.fixture(autouse=True)
def nobody_s_prices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A configuration without prices, instead of the user's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "tinkersql" / "prices.toml"


def datum(length: int) -> tinker.Datum:
    tokens = random.Random(length).choices(range(400), k=length + 1)
    weights = types.TensorData(data=[1.0] * length, dtype="float32", shape=[length])
    targets = types.TensorData(data=tokens[1:], dtype="int64", shape=[length])
    inputs = {"target_tokens": targets, "weights": weights}
    return tinker.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=inputs)


def backend(
    kind: Any, model: str = "Qwen/Qwen3-8B", base_url: str = "http://127.0.0.1:9", key: str = "tml-x"
) -> Backend:
    return Backend(kind, base_url, key, model, {})


def hosted(work: Work = WORK, prices: Path | None = None, **options: Any) -> Estimate:
    return estimate(backend("tinker", **options), work, plan([4]), prices)


def plan(lengths: Iterable[int], batch_size: int = 1) -> Plan:
    settings = replace(Settings(), tokens=0, batch_size=batch_size, rank=8)
    return Plan([datum(length) for length in lengths], settings)


def test_reinforcement_counts_a_group_of_longest_answers_for_each_question() -> None:
    tokens = types.ModelInput.from_ints([7] * 5)
    weights = types.TensorData(data=[0.0, 0.0, 1.0, 1.0, 1.0], dtype="float32", shape=[5])  # after a prompt of three
    settings = replace(Settings(), tokens=0, objective="rl", start="run", batch_size=2, group_size=4, max_tokens=10)
    rl = Plan([tinker.Datum(model_input=tokens, loss_fn_inputs={"weights": weights})] * 3, settings)
    work = work_of(rl)
    assert work == Work(steps=2, train_tokens=4 * 3 * 13, prefill_tokens=2 * 9 + 30, sample_tokens=4 * 30)
    assert estimate(backend("embedded"), work, rl).seconds is None


def test_validations_are_counted() -> None:
    tokens = types.ModelInput.from_ints([7] * 5)
    weights = types.TensorData(data=[0.0, 0.0, 1.0, 1.0, 1.0], dtype="float32", shape=[5])  # after a prompt of three
    held_out = [tinker.Datum(model_input=tokens, loss_fn_inputs={"weights": weights})] * 4
    settings = replace(Settings(), tokens=0, batch_size=1, validate_every=3, validation_questions=2, max_tokens=10)
    seven = Plan([datum(4)] * 7, settings)  # validated after steps 3, 6 and 7
    work = work_of(seven, [9], 20, held_out)
    assert work == Work(7, 28, prefill_tokens=9 + 3 * 6, sample_tokens=20 + 3 * 20, validation_tokens=3 * 20)
    assert "60 tokens of validation" in str(hosted(work))
    assert hosted(work).usd == pytest.approx(hosted(replace(work, train_tokens=88, validation_tokens=0)).usd)
    never = replace(settings, validate_every=0)
    assert work_of(Plan([datum(4)] * 7, never), [9], 20, held_out) == work_of(seven, [9], 20)


def refusal(found: Estimate) -> str:
    with pytest.raises(SettingsError) as caught:
        confirm(found, Consent())
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(1, 8), st.lists(st.integers(1, 99)))
def test_everything_is_counted(lengths: list[int], batch_size: int, prompts: list[int]) -> None:
    work = work_of(plan(lengths, batch_size), prompts, max_tokens=150)
    assert work == Work(math.ceil(len(lengths) / batch_size), sum(lengths), sum(prompts), 150 * len(prompts))


def test_the_embedded_server_is_tried(engine: Any) -> None:
    small = plan(range(8, 40), 4)
    work = work_of(small)
    there = backend("embedded", engine.model, engine.base_url, engine.key)
    found = estimate(there, work, small)
    assert found.seconds is not None
    assert found.seconds > 0
    assert found.usd is None
    assert f"measured in {cost.CALIBRATION_STEPS} steps" in found.basis
    rest = tinker.RestClient(base_url=engine.base_url, api_key=engine.key)
    [run] = [
        run
        for run in rest.list_training_runs(limit=1000).result().training_runs
        if run.user_metadata == {"purpose": "calibration"}
    ]
    assert rest.list_checkpoints(run.training_run_id).result().checkpoints == [], "it leaves no checkpoint"
    confirm(found, Consent())
    assert "about 0 s of training" in str(found)


def test_minutes_bound_the_estimate(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "CALIBRATION_SECONDS", 0.0)
    small = plan([9] * 320, 4)
    small.settings = replace(small.settings, minutes=60.0)
    timed = Plan(small.datums, small.settings)
    there = backend("embedded", engine.model, engine.base_url, engine.key)
    assert estimate(there, work_of(timed), timed).work == work_of(timed), "an hour is more than enough"
    work = Work(80, 2880, validation_tokens=800)
    ended = estimate(there, work, timed, elapsed=3600.0)
    assert ended.work == Work(5, 180, validation_tokens=50), "the timed steps are taken in any case"
    most = estimate(there, Work(10**6, 10**9), timed, elapsed=3000.0)
    assert most.seconds == pytest.approx(600.0)
    assert most.work.steps < 10**6
    assert "60 minutes may end it earlier" in str(estimate(backend("tinker"), work, timed))
    assert "may end it earlier" not in str(hosted(work))
    timed.fix(80)
    assert estimate(there, work, timed, elapsed=3600.0).work == work, "the steps are known"


def test_batches_are_taken_from_all_over_the_data_and_long_trainings_are_tried_longer(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "CALIBRATION_SECONDS", math.inf)
    seen: list[int] = []
    submit = tinker.TrainingClient.forward_backward

    def forward_backward(client: Any, batch: list[tinker.Datum], loss: str) -> Any:
        seen.extend(d.model_input.length for d in batch)
        return submit(client, batch, loss)  # pyright: ignore

    monkeypatch.setattr(tinker.TrainingClient, "forward_backward", forward_backward)
    data = [datum(length) for length in range(10, 42)]  # sorted by length
    with engine.client() as service:
        client = service.create_lora_training_client(engine.model, rank=8, train_unembed=False).result()
        speed, steps = calibrate(client, data, 4, planned=70)
    assert speed > 0
    assert steps == 7
    assert len(seen) == 4 * (1 + 7 + 1)
    assert seen[:8] == [10, 18, 26, 34, 11, 19, 27, 35]


def test_fewer_examples_than_a_batch_are_enough(engine: Any) -> None:
    with engine.client() as service:
        client = service.create_lora_training_client(engine.model, rank=8, train_unembed=False).result()
        assert calibrate(client, [datum(9)], 8, planned=1)[1] == cost.CALIBRATION_STEPS


def test_hosted_tinker_is_reckoned_by_the_table() -> None:
    found = hosted()
    assert found.usd == pytest.approx(2 * 0.44 + 1 * 0.195 + 0.5 * 0.60)
    assert found.seconds is None
    assert "2026-10-07" in found.basis
    assert "https://tinker-docs.thinkingmachines.ai" in found.basis
    assert "at most $1.38" in str(found)
    assert "500,000 of answers" in str(found)
    assert "more than $1.00" in refusal(found)
    assert "--yes" in refusal(found)
    for agreed in (Consent(yes=True), Consent(usd=2.0), Consent(usd=None)):
        confirm(found, agreed)


def test_an_unknown_price_is_said_and_asked_about_where_one_is_charged(tmp_path: Path) -> None:
    found = hosted(model="meta-llama/Llama-3.2-1B")
    assert found.usd is None
    assert "price of meta-llama/Llama-3.2-1B unknown" in str(found)
    assert "an unknown sum" in refusal(found)
    own = estimate(backend("url", "my-model"), WORK, plan([4]))
    confirm(own, Consent())
    table = tmp_path / "mine.toml"
    table.write_text("[my-model]\ntrain = 1\nprefill = 0\nsample = 0\n")
    priced = estimate(backend("url", "my-model"), WORK, plan([4]), table)
    assert priced.usd == pytest.approx(2.0)
    assert str(table) in priced.basis
    assert "more than $1.00" in refusal(priced)


@pytest.mark.parametrize("agrees", [True, False])
def test_a_person_decides(agrees: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    outside, inside = pty.openpty()
    with os.fdopen(inside) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        os.write(outside, b"y\n" if agrees else b"n\n")
        if agrees:
            confirm(hosted(), Consent())
        else:
            with pytest.raises(Interrupted):
                confirm(hosted(), Consent())
    os.close(outside)
    assert "more than $1.00: 2,000,000 training tokens in 10 steps" in capsys.readouterr().err


def test_the_user_s_tables_come_over_the_packaged_one(nobody_s_prices: Path, tmp_path: Path) -> None:
    packaged = load_prices()
    nobody_s_prices.parent.mkdir(parents=True)
    nobody_s_prices.write_text(
        'source = "my contract"\n["Qwen/Qwen3-8B"]\ntrain = 1\nprefill = 2\nsample = 3.5\ndate = 2030-01-31\n'
        '["mine"]\ntrain = 1\nprefill = 1\nsample = 1\n'
    )
    own = load_prices()
    assert own == packaged | {name: own[name] for name in ("Qwen/Qwen3-8B", "mine")}
    assert (own["Qwen/Qwen3-8B"].train, own["Qwen/Qwen3-8B"].sample) == (1.0, 3.5)
    assert own["Qwen/Qwen3-8B"].origin == "my contract, 2030-01-31"
    given = tmp_path / "given.toml"
    given.write_text("[mine]\ntrain = 9\nprefill = 9\nsample = 9\n")
    assert load_prices(given)["mine"].train == 9
    assert load_prices(given)["Qwen/Qwen3-8B"] == own["Qwen/Qwen3-8B"]


def test_every_packaged_price_names_its_source_and_its_day() -> None:
    prices = load_prices()
    assert prices
    for price in prices.values():
        assert price.origin.startswith("https://tinker-docs.thinkingmachines.ai/tinker/models/, 2026-")
        assert 0 < price.prefill < price.train < 10
        assert 0 < price.sample < 10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a/b]\ntrain = 1", "needs quotes"),
        ("a = 1", "'a': a model is a table"),
        ("source = 1", "source: give the text"),
        ("[a]\ntrain = 1\nsample = 1", "'a': prefill is missing"),
        ("[a]\ntrain = '1'\nprefill = 1\nsample = 1", "'a': train is '1'"),
        ("[a]\ntrain = -1\nprefill = 1\nsample = 1", "'a': train is -1"),
        ("[a]\ntrain = nan\nprefill = 1\nsample = 1", "'a': train is nan"),
        ("[a]\ntrain = inf\nprefill = 1\nsample = 1", "'a': train is inf"),
        ("[a]\ntrain = true\nprefill = 1\nsample = 1", "'a': train is True"),
        ("[a]\ntrain = 1\nprefill = 1\nsample = 1\ntrian = 1", "'a': trian: no such key"),
        ("[a]\ntrain = 1\nprefill = 1\nsample = 1\ndate = 'today'", "'a': date is 'today'"),
        (None, "cannot be read"),
    ],
)
def test_a_table_with_a_mistake(text: str | None, said: str, tmp_path: Path) -> None:
    table = tmp_path / "mine.toml"
    if text is not None:
        table.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_prices(table)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(table))
    assert "\n" not in str(caught.value)


def took(seconds: float, tokens: int) -> Training:
    return Training(8, 2, 1.0, 0.5, seconds, tokens, 4, tokens / seconds)


def test_the_truth_is_put_beside_the_estimate() -> None:
    record = compare(Estimate("embedded", WORK, 720.0, None, "measured"), took(780.0, 2_000_000))
    assert record["summary"] == "estimated 12 min, took 13 min: 8% more"
    assert record["error"] == pytest.approx(1 / 12)
    assert json.loads(json.dumps(record)) == record
    assert "5% less" in compare(Estimate("embedded", WORK, 100.0, None, ""), took(95.0, 1))["summary"]
    assert compare(hosted(), took(50.0, 1_999))["summary"] == "estimated 2,000,000 training tokens, took 1,999"


def test_what_is_done_is_neither_estimated_nor_compared() -> None:
    small, held_out = plan([5, 6, 7, 8]), [datum(3)]
    small.settings = replace(small.settings, validate_every=2)
    assert [work_of(small, done=done).train_tokens for done in range(5)] == [26, 21, 15, 8, 0]
    assert [work_of(small, done=done).steps for done in range(5)] == [4, 3, 2, 1, 0]
    assert [work_of(small, held_out=held_out, done=done).validation_tokens for done in range(5)] == [6, 6, 3, 3, 0]
    done = [{"tokens": 300, "elapsed": 4.0}, {"tokens": 700, "elapsed": 30.0}]
    record = compare(Estimate("embedded", WORK, 10.0, None, ""), took(40.0, 2_000), done)
    assert (record["seconds"], record["tokens"], record["error"]) == (10.0, 1_000, 0.0)


def test_nothing_left_to_train_is_compared_without_an_error() -> None:
    record = compare(Estimate("embedded", WORK, 0.0, None, ""), took(30.0, 700), [{"tokens": 700, "elapsed": 30.0}])
    assert (record["seconds"], record["tokens"], record["error"]) == (0.0, 0, None)
