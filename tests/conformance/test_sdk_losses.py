"""The losses of reinforcement learning and of distillation, through the unmodified SDK."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tinker
import torch
from tinker import types

NewModel = Callable[..., tinker.TrainingClient]
MakeData = Callable[..., list[tinker.Datum]]


def tensor(values: Any, dtype: str = "float32") -> types.TensorData:
    return types.TensorData.from_torch(torch.as_tensor(values, dtype=getattr(torch, dtype)))


def rollouts(client: tinker.TrainingClient, data: list[tinker.Datum]) -> list[tinker.Datum]:
    """The same tokens with the log-probabilities of now, shifted, and advantages; none on the prompt."""
    now = client.forward(data, "cross_entropy").result().loss_fn_outputs
    made = []
    for datum, output in zip(data, now, strict=True):
        weights = np.asarray(datum.loss_fn_inputs["weights"].data)
        logprobs = np.asarray(output["logprobs"].data) + 0.3 * np.sin(np.arange(len(weights)))
        inputs = {
            "target_tokens": datum.loss_fn_inputs["target_tokens"],
            "logprobs": tensor(logprobs * weights),
            "advantages": tensor(weights * np.cos(np.arange(len(weights)))),
        }
        made.append(types.Datum(model_input=datum.model_input, loss_fn_inputs=inputs))
    return made


@pytest.mark.parametrize("loss", ["importance_sampling", "ppo", "cispo", "dro"])
def test_policy_losses_make_tokens_with_an_advantage_likelier(
    loss: str, service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    client, plain = new_model(service), make_data(3)
    data = rollouts(client, plain)
    before = client.forward_backward(data, loss).result()
    client.optim_step(types.AdamParams(learning_rate=3e-3)).result()
    after = client.forward(data, loss).result()
    gain = 0.0
    for datum, old, new in zip(data, before.loss_fn_outputs, after.loss_fn_outputs, strict=True):
        advantages = np.asarray(datum.loss_fn_inputs["advantages"].data)
        gain += float(advantages @ (np.asarray(new["logprobs"].data) - np.asarray(old["logprobs"].data)))
    assert gain > 0.1
    # Log-probabilities are those of the model, at every position.
    again = client.forward(plain, "cross_entropy").result()
    for one, other in zip(after.loss_fn_outputs, again.loss_fn_outputs, strict=True):
        np.testing.assert_allclose(one["logprobs"].data, other["logprobs"].data, atol=1e-5)


@pytest.mark.parametrize("loss", ["importance_sampling", "ppo", "cispo"])
def test_a_batch_without_any_advantage_changes_nothing(
    loss: str, service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    client = new_model(service)
    data = rollouts(client, make_data(2))
    expected = client.forward(data, loss).result()
    for datum in data:
        datum.loss_fn_inputs["advantages"] = tensor(np.zeros(datum.model_input.length))
    result = client.forward_backward(data, loss).result()
    assert result.metrics["loss:sum"] == 0
    for one, other in zip(result.loss_fn_outputs, expected.loss_fn_outputs, strict=True):
        np.testing.assert_allclose(one["logprobs"].data, other["logprobs"].data, atol=1e-5)
    stepped = client.optim_step(types.AdamParams(learning_rate=1e-2)).result()
    assert stepped.metrics == {"grad_norm:mean": 0}


def test_the_loss_is_that_of_the_formula_with_its_options(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    client = new_model(service)
    data = rollouts(client, make_data(3))
    config = {"clip_low_threshold": 0.9, "clip_high_threshold": 1.05}
    result = client.forward(data, "ppo", config).result()
    expected = 0.0
    for datum, output in zip(data, result.loss_fn_outputs, strict=True):
        q, advantages = (np.asarray(datum.loss_fn_inputs[name].data) for name in ("logprobs", "advantages"))
        ratio = np.exp(np.asarray(output["logprobs"].data) - q)
        expected -= np.minimum(ratio * advantages, np.clip(ratio, 0.9, 1.05) * advantages).sum()
    assert result.metrics["loss:sum"] == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_soft_targets_dense_or_sparse(service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData) -> None:
    client, (datum,) = new_model(service), make_data(1)
    length = datum.model_input.length
    targets = torch.arange(3 * length).view(length, 3) % 400
    weights = torch.zeros(length, 3)
    weights[-2:] = torch.tensor([0.5, 0.3, 0.2])
    results = []
    for make in (types.TensorData.from_torch, types.TensorData.from_torch_sparse):
        inputs = {"target_tokens": types.TensorData.from_torch(targets), "weights": make(weights)}
        soft = types.Datum(model_input=datum.model_input, loss_fn_inputs=inputs)
        results.append(client.forward_backward([soft], "cross_entropy").result())
    dense, sparse = results
    assert dense.metrics == sparse.metrics
    logprobs = dense.loss_fn_outputs[0]["logprobs"].to_torch()
    assert logprobs.shape == (length, 3)
    assert dense.metrics["loss:sum"] == pytest.approx(-float((weights * logprobs).sum()), rel=1e-4)


def test_what_the_model_thinks_of_a_prompt(service: tinker.ServiceClient, new_model: NewModel) -> None:
    sampler = new_model(service).save_weights_and_get_sampling_client().result()
    prompt = [5, 17, 300, 42, 8, 9]
    targets = torch.full((5, 2), -1, dtype=torch.int64)
    targets[2] = torch.tensor([42, 7])
    result = sampler.sample(
        types.ModelInput.from_ints(prompt),
        1,
        types.SamplingParams(max_tokens=2, temperature=1.0, seed=3, stop=[]),
        include_prompt_logprobs=True,
        topk_prompt_logprobs=3,
        topk_sample_logprobs=2,
        target_prompt_logprobs=types.TensorData.from_torch_sparse(targets, pad_value=-1),
        prompt_alt_tokens_k=4,
    ).result()
    top, scores = result.topk_prompt_logprobs, result.prompt_logprobs
    assert top[0] is None
    assert scores[0] is None
    assert [len(row) for row in top[1:]] == [3] * 5
    for row, score in zip(top[1:], scores[1:], strict=True):
        assert row[0][1] >= row[1][1] >= row[2][1]
        assert score <= row[0][1] + 1e-5
    found = result.target_prompt_logprobs.to_torch()
    assert found[2, 0] == pytest.approx(scores[3], abs=1e-5)
    assert int((found != 0).sum()) == 2
    alternatives = result.prompt_alt_tokens
    assert alternatives.tokens.to_torch().shape == alternatives.logprobs.to_torch().shape == (5, 4)
    assert result.sequences[0].topk_logprobs_np.token_ids.shape == (2, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"topk_prompt_logprobs": 100_000}, "topk_prompt_logprobs = 100000"),
        ({"topk_sample_logprobs": 100_000}, "topk_sample_logprobs = 100000"),
        ({"target_prompt_logprobs": types.TensorData.from_torch(torch.zeros(9, 1, dtype=torch.int64))}, "needs 3 rows"),
        (
            {"target_prompt_logprobs": types.TensorData.from_torch(torch.full((3, 1), 99_999))},
            "target_prompt_logprobs: token 99999",
        ),
    ],
)
def test_impossible_questions_about_a_prompt(
    options: dict[str, Any], message: str, service: tinker.ServiceClient, new_model: NewModel
) -> None:
    sampler = new_model(service).save_weights_and_get_sampling_client().result()
    prompt, params = types.ModelInput.from_ints([1, 2, 3, 4]), types.SamplingParams(max_tokens=1)
    with pytest.raises(tinker.RequestFailedError, match=message):
        sampler.sample(prompt, 1, params, **options).result()
    assert sampler.sample(prompt, 1, params).result().sequences
