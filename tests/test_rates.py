import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinkersql import models
from tinkersql.rates import ANCHORS, BASE, LORA, config_of, default_rate
from tinkersql.settings import PRESETS, resolve

LLAMA, QWEN = {"model_type": "llama"}, {"model_type": "qwen3"}


def test_the_presets_pairs_are_the_rates_of_their_models() -> None:
    for preset, model in (("cpu", models.DEFAULT), ("exercise", "meta-llama/Llama-3.2-1B")):
        settings = PRESETS[preset]
        assert default_rate(model, settings.batch_size).value == settings.learning_rate
        assert "rescaled" not in default_rate(model, settings.batch_size).origin


def test_another_batch_size_rescales_a_known_pair_by_the_square_root() -> None:
    rate = default_rate("HuggingFaceTB/SmolLM2-135M-Instruct", 16)
    assert rate.value == pytest.approx(4e-3)
    assert "√(16/4)" in rate.origin
    assert "results/generalisation.json" in rate.origin


@pytest.mark.parametrize(
    ("model", "config", "expected"),
    [
        ("meta-llama/Llama-3.1-8B", None, 5e-4 * (2000 / 4096) ** 0.781),
        ("Qwen/Qwen3-8B", None, 5e-4 * (2000 / 4096) ** 0.0775),
        ("Qwen/Qwen3-8B:peft:131072", None, 5e-4 * (2000 / 4096) ** 0.0775),
        ("HuggingFaceTB/SmolLM2-360M", None, 5e-4 * (2000 / 960) ** 0.781),
        ("my/own", LLAMA | {"hidden_size": 1000}, 5e-4 * 2**0.781),
        ("my/own", QWEN | {"text_config": {"hidden_size": 1000}}, 5e-4 * 2**0.0775),
        ("a-qwen-by-name", LLAMA | {"hidden_size": 1000}, 5e-4 * 2**0.781),
    ],
)
def test_other_models_have_the_cookbook_s_rate(model, config, expected) -> None:
    small, large = (default_rate(model, batch_size, config) for batch_size in (8, 256))
    assert small == large
    assert small.value == pytest.approx(expected)
    assert "tinker-cookbook" in small.origin


@pytest.mark.parametrize("config", [None, {}, LLAMA, {"hidden_size": 64}, LLAMA | {"hidden_size": "64"}])
def test_what_is_not_known_is_said(config) -> None:
    rate = default_rate("somebody/something", 8, config)
    assert rate.value == pytest.approx(5e-4)
    assert "somebody/something" in rate.origin
    assert "not known" in rate.origin


@given(st.integers(1, 2**20), st.integers(1, 2**20), st.sampled_from([LLAMA, QWEN]))
def test_wider_models_never_get_a_higher_rate(one, other, family) -> None:
    narrow, wide = (default_rate("m", 8, family | {"hidden_size": width}).value for width in sorted((one, other)))
    assert 0 < wide <= narrow < math.inf


def test_the_rule_comes_near_what_is_known_to_work() -> None:
    widths = {"SmolLM2-135M-Instruct": 576, "Llama-3.2-1B": 2048}
    for name, anchor in ANCHORS.items():
        rule = default_rate("m", anchor.batch_size, LLAMA | {"hidden_size": widths[name]}).value
        assert rule == pytest.approx(anchor.rate, rel=0.4)


def test_a_folder_s_configuration_is_read(tiny_model, tmp_path) -> None:
    config = config_of(str(tiny_model))
    assert config == json.loads((tiny_model / "config.json").read_text())
    assert default_rate(str(tiny_model), 8, config).value == pytest.approx(5e-4 * (2000 / 64) ** 0.781)
    (tmp_path / "config.json").write_text("{")
    for nothing in (tmp_path, tmp_path / "nowhere"):
        assert config_of(str(nothing)) is None


@pytest.mark.usefixtures("hub")
def test_a_model_of_the_hub_is_read_from_its_cache(tmp_path) -> None:
    assert config_of("org/model") is None
    snapshot = tmp_path / "hub" / "hub" / "models--org--model" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text('{"hidden_size": 8}')
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("abc")
    assert config_of("org/model") == {"hidden_size": 8}


def test_the_rate_is_the_same_before_and_after_the_model_was_downloaded(hub) -> None:
    config = LLAMA | {"hidden_size": 1000}
    hub.repositories["org/model"] = {"config.json": json.dumps(config).encode(), "model.safetensors": b"large"}
    first = resolve("cpu", {"model": "org/model"})
    assert first.settings.learning_rate == default_rate("org/model", 4, config).value != BASE * LORA
    assert not any("safetensors" in request for request in hub.requests)
    asked = len(hub.requests)
    assert resolve("cpu", {"model": "org/model"}) == first
    assert len(hub.requests) == asked


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "org/model", "learning_rate": 0.1},
        {"model": "org/model", "base_url": "http://127.0.0.1:9"},
        {"model": "org/model", "backend": "tinker"},
        {"model": "org/Llama-3.2-1B"},
        {"model": "no-name-of-the-hub"},
        {"model": "./no/folder"},
    ],
)
def test_the_hub_is_not_asked_in_vain(hub, changes) -> None:
    resolve("cpu", changes)
    assert hub.requests == []


def test_where_the_hub_does_not_answer_the_rate_is_a_guess(hub, monkeypatch) -> None:
    hub.failure = 503
    resolved = resolve("cpu", {"model": "org/model"})
    assert resolved.settings.learning_rate == BASE * LORA
    assert "not known" in resolved.sources["learning_rate"]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.requests.clear()
    assert resolve("cpu", {"model": "org/model"}) == resolved
    assert hub.requests == []
