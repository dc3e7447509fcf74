"""Sampling through the unmodified SDK over a real socket."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tinker
import torch
from tinker import types
from transformers import LlamaForCausalLM

if TYPE_CHECKING:
    from conftest import RunningEngine

NewModel = Callable[..., tinker.TrainingClient]
MakeData = Callable[..., list[tinker.Datum]]
GREEDY = types.SamplingParams(max_tokens=12, temperature=0, stop=[])
PROMPT = types.ModelInput.from_ints([5, 17, 300, 42])


def answer(sampler: tinker.SamplingClient, params: types.SamplingParams = GREEDY, **options: Any) -> list[int]:
    return sampler.sample(PROMPT, 1, params, **options).result().sequences[0].tokens


def train(client: tinker.TrainingClient, data: list[tinker.Datum]) -> None:
    client.forward_backward(data, "cross_entropy")
    client.optim_step(types.AdamParams(learning_rate=3e-2)).result()


def test_the_base_model_answers_as_transformers_does(
    service: tinker.ServiceClient, engine: "RunningEngine", tiny_model: Path
) -> None:
    sampler = service.create_sampling_client(base_model=engine.model).result()
    prompt = torch.tensor([PROMPT.to_ints()])
    reference = LlamaForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    expected = reference.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=12, do_sample=False, eos_token_id=None
    )
    result = sampler.sample(PROMPT, 1, GREEDY).result()
    assert result.sequences[0].tokens == expected[0, 4:].tolist()
    assert result.sequences[0].stop_reason == "length"
    assert len(result.sequences[0].logprobs) == 12


def test_an_untouched_adapter_is_the_base_model(
    service: tinker.ServiceClient, new_model: NewModel, engine: "RunningEngine"
) -> None:
    untouched = new_model(service).save_weights_and_get_sampling_client().result()
    assert answer(untouched) == answer(service.create_sampling_client(base_model=engine.model).result())


def test_snapshots_are_frozen_whatever_training_does_later(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    client = new_model(service)
    train(client, make_data())
    unnamed = client.save_weights_and_get_sampling_client().result()
    path = client.save_weights_for_sampler("snapshot").result().path
    before = answer(unnamed)
    for seed in range(4):
        train(client, make_data(seed=seed))
    named = service.create_sampling_client(model_path=path).result()
    after = client.save_weights_and_get_sampling_client().result()
    assert answer(unnamed) == answer(named) == before
    assert answer(after) != before


def test_compute_logprobs_equals_forward(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    client, data = new_model(service), make_data(1)
    train(client, data)
    inputs, targets = data[0].model_input.to_ints(), data[0].loss_fn_inputs["target_tokens"].data
    forward = client.forward(data, "cross_entropy").result().loss_fn_outputs[0]["logprobs"].data
    sampler = client.save_weights_and_get_sampling_client().result()
    scores = sampler.compute_logprobs(types.ModelInput.from_ints([*inputs, targets[-1]])).result()
    assert scores[0] is None
    np.testing.assert_allclose(np.asarray(scores[1:], dtype=float), np.asarray(forward), atol=1e-3)
    last = sampler.compute_logprobs(
        types.ModelInput.from_ints([*inputs, targets[-1]]), prompt_logprobs_last_n=3
    ).result()
    assert last[:-3] == [None] * (len(scores) - 3)
    np.testing.assert_allclose(np.asarray(last[-3:], dtype=float), np.asarray(scores[-3:], dtype=float), atol=1e-5)


def test_many_concurrent_requests_equal_one_by_one(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    client, data = new_model(service), make_data(30, seed=3)
    train(client, data)
    samplers = [client.save_weights_and_get_sampling_client().result()]
    train(client, data)
    samplers.append(client.save_weights_and_get_sampling_client().result())
    prompts = [datum.model_input for datum in data]
    futures = [sampler.sample(prompt, 1, GREEDY) for prompt in prompts for sampler in samplers]
    together = [future.result().sequences[0].tokens for future in futures]
    alone = [sampler.sample(p, 1, GREEDY).result().sequences[0].tokens for p in prompts for sampler in samplers]
    assert together == alone


def test_training_and_sampling_at_the_same_time(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    client, data = new_model(service), make_data(10)
    sampler = client.save_weights_and_get_sampling_client().result()
    expected = answer(sampler)
    passes = [client.forward_backward(data, "cross_entropy") for _ in range(5)]
    samples = [sampler.sample(PROMPT, 1, GREEDY) for _ in range(20)]
    assert {tuple(sample.result().sequences[0].tokens) for sample in samples} == {tuple(expected)}
    assert len({round(passed.result().metrics["loss:sum"], 6) for passed in passes}) == 1


def test_stop_strings_and_stop_tokens(service: tinker.ServiceClient, new_model: NewModel) -> None:
    path = new_model(service).save_weights_for_sampler("for-stops").result().path
    sampler = service.create_sampling_client(model_path=path).result()
    tokenizer = sampler.get_tokenizer()  # from the server's own folder: no hub needed
    free = answer(sampler)
    for stop in ([free[4]], [tokenizer.decode(free[:5])]):
        params = types.SamplingParams(max_tokens=12, temperature=0, stop=stop)
        result = sampler.sample(PROMPT, 1, params).result().sequences[0]
        assert result.stop_reason == "stop"
        assert result.tokens == free[: free.index(free[4]) + 1]
    one_string = types.SamplingParams(max_tokens=12, temperature=0, stop=tokenizer.decode(free[:3]))
    assert answer(sampler, one_string) == free[:3]


def test_without_stops_the_end_token_ends_a_text_and_an_empty_list_switches_that_off(
    service: tinker.ServiceClient, engine: "RunningEngine"
) -> None:
    sampler = service.create_sampling_client(base_model=engine.model).result()
    end = 0
    implicit, never = (
        sampler.sample(PROMPT, 64, types.SamplingParams(max_tokens=60, seed=1, stop=stop)).result().sequences
        for stop in (None, [])
    )
    assert any(sequence.stop_reason == "stop" for sequence in implicit)
    for sequence in implicit:
        assert (end in sequence.tokens) == (sequence.stop_reason == "stop") == (sequence.tokens[-1] == end)
    assert all(sequence.stop_reason == "length" and len(sequence.tokens) == 60 for sequence in never)
    assert any(end in sequence.tokens for sequence in never)


def test_num_samples_and_seeds(service: tinker.ServiceClient, engine: "RunningEngine") -> None:
    sampler = service.create_sampling_client(base_model=engine.model).result()
    params = types.SamplingParams(max_tokens=8, temperature=1.0, seed=3, top_k=50, top_p=0.95, stop=[])
    first, again = (sampler.sample(PROMPT, 4, params).result() for _ in range(2))
    drawn = [sequence.tokens for sequence in first.sequences]
    assert drawn == [sequence.tokens for sequence in again.sequences]
    assert len({tuple(tokens) for tokens in drawn}) == 4
    assert len({sequence.sequence_id for sequence in first.sequences}) == 4


def test_the_context_bounds_a_sample(service: tinker.ServiceClient, engine: "RunningEngine") -> None:
    sampler = service.create_sampling_client(base_model=engine.model).result()
    long = types.ModelInput.from_ints([7] * 500)
    result = sampler.sample(long, 1, types.SamplingParams(max_tokens=100, temperature=0, stop=[])).result()
    assert len(result.sequences[0].tokens) == 12


@pytest.mark.parametrize(
    ("prompt", "params", "options", "message"),
    [
        ([100_000], {}, {}, "outside the vocabulary"),
        ([], {}, {}, "prompt is empty"),
        ([7] * 512, {}, {}, "context only 512"),
        ([7], {"stop": ""}, {}, "stop string is empty"),
        ([7], {"temperature": -1.0}, {}, "temperature"),
        ([7], {"top_p": 0.0}, {}, "top_p"),
        ([7], {"max_tokens": 0}, {}, "max_tokens"),
        ([7], {}, {"topk_prompt_logprobs": -2}, "topk_prompt_logprobs"),
    ],
)
def test_bad_requests_fail_clearly_and_the_next_one_works(
    prompt: list[int],
    params: dict[str, Any],
    options: dict[str, Any],
    message: str,
    service: tinker.ServiceClient,
    engine: "RunningEngine",
) -> None:
    sampler = service.create_sampling_client(base_model=engine.model).result()
    wanted = types.SamplingParams(**{"max_tokens": 4, "temperature": 0} | params)
    with pytest.raises(tinker.RequestFailedError, match=message) as caught:
        sampler.sample(types.ModelInput.from_ints(prompt), 1, wanted, **options).result()
    assert caught.value.category.value == "user"
    assert len(answer(sampler)) == 12


def test_a_sampler_of_an_unknown_checkpoint_is_refused(service: tinker.ServiceClient) -> None:
    with pytest.raises(tinker.BadRequestError, match="no checkpoint"):
        service.create_sampling_client(model_path="tinker://abc:train:0/sampler_weights/x").result()


def test_a_deleted_checkpoint_fails_its_sampler_clearly(
    service: tinker.ServiceClient, new_model: NewModel, engine: "RunningEngine"
) -> None:
    client = new_model(service)
    path = client.save_weights_for_sampler("doomed").result().path
    sampler = service.create_sampling_client(model_path=path).result()
    tinker.RestClient(base_url=engine.base_url, api_key=engine.key).delete_checkpoint_from_tinker_path(path).result()
    with pytest.raises(tinker.RequestFailedError, match="deleted or replaced"):
        answer(sampler)


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_a_checkpoint_that_is_gone_is_not_sampled_from_memory(
    how: str, service: tinker.ServiceClient, new_model: NewModel, engine: "RunningEngine"
) -> None:
    path = new_model(service).save_weights_for_sampler("gone").result().path
    sampler = service.create_sampling_client(model_path=path).result()
    base = service.create_sampling_client(base_model=engine.model).result()
    assert len(answer(sampler)) == len(answer(base)) == 12
    rest = tinker.RestClient(base_url=engine.base_url, api_key=engine.key)
    if how == "deleted":
        rest.delete_checkpoint_from_tinker_path(path).result()
    else:
        rest.set_checkpoint_ttl_from_tinker_path(path, 1).result()
        time.sleep(1.1)
    with pytest.raises(tinker.RequestFailedError, match="deleted or replaced"):
        answer(sampler)
    assert len(answer(base)) == 12


def test_a_cancelled_sample_stops_and_others_go_on(service: tinker.ServiceClient, engine: "RunningEngine") -> None:
    sampler = service.create_sampling_client(base_model=engine.model).result()
    expected = answer(sampler)
    long = types.SamplingParams(max_tokens=400, temperature=1.0, stop=[])
    doomed = [sampler.sample(PROMPT, 8, long) for _ in range(4)]
    for future in doomed:
        future.future().cancel()
    assert answer(sampler) == expected


def test_a_finished_session_ends_its_samplers_but_not_its_checkpoints(
    engine: "RunningEngine", new_model: NewModel
) -> None:
    with engine.client() as ending:
        path = new_model(ending).save_weights_for_sampler("stays").result().path
        expected = answer(ending.create_sampling_client(model_path=path).result())
    with engine.client() as later:
        assert answer(later.create_sampling_client(model_path=path).result()) == expected
