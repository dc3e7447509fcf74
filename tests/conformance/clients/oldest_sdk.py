"""What the oldest SDK that is claimed must be able to do: train, step, save, load with its optimizer, sample."""

import sys

import tinker
from tinker import types

assert tinker._version.__version__ == "0.25.0", tinker.__file__
ADAM = types.AdamParams(learning_rate=1e-2, eps=1e-8)
TOKENS = list(range(40, 60))
DATA = [
    types.Datum(
        model_input=types.ModelInput.from_ints(TOKENS[:-1]),
        loss_fn_inputs={
            "target_tokens": types.TensorData(data=TOKENS[1:], dtype="int64", shape=[19]),
            "weights": types.TensorData(data=[1.0] * 19, dtype="float32", shape=[19]),
        },
    )
]


def train(client) -> float:
    passed, stepped = client.forward_backward(DATA, "cross_entropy"), client.optim_step(ADAM)
    stepped.result()
    return passed.result().metrics["loss:sum"]


def main() -> None:
    service = tinker.ServiceClient()
    (model,) = [model.model_name for model in service.get_server_capabilities().supported_models][:1]
    client = service.create_lora_training_client(base_model=model, rank=8, seed=3)
    assert client.get_tokenizer().decode([0]) == "<|endoftext|>"
    losses = [train(client) for _ in range(4)]
    assert losses == sorted(losses, reverse=True), losses
    path = client.save_state("old").result().path
    expected = [train(client) for _ in range(3)]

    resumed = service.create_training_client_from_state_with_optimizer(path)
    continued = [train(resumed) for _ in range(3)]
    assert all(abs(a - b) < 1e-3 for a, b in zip(expected, continued, strict=True)), (expected, continued)
    fresh = service.create_training_client_from_state(path)
    restarted = [train(fresh) for _ in range(3)]
    assert abs(restarted[0] - expected[0]) < 1e-3 < abs(restarted[2] - expected[2]), (expected, restarted)

    forward = client.forward(DATA, "cross_entropy").result().loss_fn_outputs[0]["logprobs"].tolist()
    sampler = service.create_sampling_client(model_path=client.save_weights_for_sampler("old").result().path)
    scored = sampler.compute_logprobs(types.ModelInput.from_ints(TOKENS)).result()
    assert all(abs(a - b) < 1e-3 for a, b in zip(forward, scored[1:], strict=True)), (forward, scored)
    snapshot = client.save_weights_and_get_sampling_client()
    params = types.SamplingParams(max_tokens=8, temperature=0.0)
    prompt = types.ModelInput.from_ints(TOKENS[:6])
    answers = [one.sample(prompt, 2, params).result().sequences for one in (sampler, snapshot)]
    assert [sequence.tokens for sequence in answers[0]] == [sequence.tokens for sequence in answers[1]]

    rest = service.create_rest_client()
    kinds = {point.checkpoint_id for point in rest.list_checkpoints(client.model_id).result().checkpoints}
    assert kinds == {"weights/old", "sampler_weights/old"}
    rest.delete_checkpoint_from_tinker_path(path).result()
    print("done")


if __name__ == "__main__":
    sys.exit(main())
