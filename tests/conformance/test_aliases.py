"""A model that answers to another one's name: scripts written for that name run, and their tokenizers are the local."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tinker
from tinker import types

if TYPE_CHECKING:
    from conftest import RunningEngine

ALIAS = "meta-llama/Llama-3.2-1B"
SCRIPT = Path(__file__).parent / "clients" / "public_script.py"
GREEDY = types.SamplingParams(max_tokens=4, temperature=0.0)


@pytest.fixture(scope="module")
def aliased(start_engine: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> "Iterator[RunningEngine]":
    with start_engine(tmp_path_factory.mktemp("aliased"), aliases=(ALIAS, "org/other")) as running:
        yield running


def test_every_tokenizer_comes_from_the_local_folder(
    aliased: "RunningEngine", tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with aliased.client() as service:
        client = service.create_lora_training_client(base_model=ALIAS, rank=2).result()
        snapshot = client.save_weights_and_get_sampling_client().result()
        sampler = service.create_sampling_client(model_path=client.save_weights_for_sampler("s").result().path).result()
        again = service.create_training_client_from_state(client.save_state("t").result().path).result()
        for one in (client, snapshot, sampler, client.create_sampling_client(sampler_path(aliased, client)).result()):
            assert one.get_tokenizer().name_or_path == str(tiny_model)
        assert again.get_tokenizer().decode([0]) == "<|endoftext|>"
        assert snapshot.get_base_model() == sampler.get_base_model() == str(tiny_model)
        # What a sampler says of its base model is a name that the server takes.
        base = service.create_sampling_client(base_model=snapshot.get_base_model()).result()
        assert base.sample(types.ModelInput.from_ints([5]), 1, GREEDY).result().sequences


def sampler_path(engine: "RunningEngine", client: tinker.TrainingClient) -> str:
    rest = tinker.RestClient(base_url=engine.base_url, api_key=engine.key)
    return next(point.tinker_path for point in rest.list_checkpoints(client.model_id).result().checkpoints)


def test_runs_and_adapters_name_the_model_that_really_runs(aliased: "RunningEngine") -> None:
    rest = tinker.RestClient(base_url=aliased.base_url, api_key=aliased.key)
    names = [model.model_name for model in rest.get_server_capabilities().result().supported_models]
    assert names == [aliased.model, ALIAS, "org/other"]
    with aliased.client() as service:
        client = service.create_lora_training_client(base_model=ALIAS, rank=2).result()
        path = client.save_state("named").result().path
        assert rest.get_weights_info_by_tinker_path(path).result().base_model == aliased.model
        assert rest.get_training_run(client.model_id).result().base_model == aliased.model
        assert service.create_training_client_from_state(path, base_model=ALIAS).result().model_id
        with pytest.raises(tinker.BadRequestError, match=f"serves {aliased.model}, {ALIAS}, org/other"):
            service.create_lora_training_client(base_model="meta-llama/Llama-3.2-3B").result()
    (config,) = aliased.store.glob("*/weights/named/adapter_config.json")
    assert json.loads(config.read_text())["base_model_name_or_path"] == aliased.model


def test_another_model_s_tokens_are_refused_with_that_cause(aliased: "RunningEngine") -> None:
    tokens = [128000, 9906, 1917]  # as Llama 3's own tokenizer counts
    cause = f"outside the vocabulary.*{ALIAS} and org/other are only aliases here, {aliased.model} is what runs"
    with aliased.client() as service:
        client = service.create_lora_training_client(base_model=ALIAS, rank=2).result()
        inputs = {"target_tokens": types.TensorData(data=tokens[1:], dtype="int64", shape=[2])}
        datum = types.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=inputs)
        with pytest.raises(tinker.RequestFailedError, match=cause):
            client.forward_backward([datum], "cross_entropy").result()
        sampler = service.create_sampling_client(base_model=ALIAS).result()
        with pytest.raises(tinker.RequestFailedError, match=cause):
            sampler.sample(types.ModelInput.from_ints(tokens), 1, GREEDY).result()
        assert sampler.sample(types.ModelInput.from_ints([5]), 1, GREEDY).result().sequences


@pytest.mark.slow
def test_a_public_script_of_the_exercise_runs_to_its_end(
    run_client: "Callable[..., subprocess.CompletedProcess[str]]", tmp_path: Path
) -> None:
    rows = [
        {
            "question": f"How many {thing} does customer {i} have?",
            "context": f"CREATE TABLE {thing} (id INTEGER, customer VARCHAR)",
            "answer": f'SELECT COUNT(*) FROM {thing} WHERE customer = "{i}"',
        }
        for i in range(100)
        for thing in ("orders", "employees", "names", "totals")
    ]
    (tmp_path / "sql_create_context_v4.json").write_text(json.dumps(rows))
    printed = run_client(sys.executable, SCRIPT).stdout.splitlines()
    losses = [float(line.split()[-1]) for line in printed if line.startswith("loss")]
    assert len(losses) == 2
    assert losses[-1] < losses[0]
    assert [line.split()[0] for line in printed if "accuracy" in line] == ["base", "tuned"]
    assert printed[-1].startswith("saved tinker://")
