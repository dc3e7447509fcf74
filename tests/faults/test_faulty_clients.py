"""All that a client can ask for, over a bad network, gives what it gives over a good one, to the last bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tinker
from faulty_proxy import FAULTS, faulty_proxy, seeded
from tinker import types

ADAM = types.AdamParams(learning_rate=1e-2)
GREEDY = types.SamplingParams(max_tokens=20, temperature=0.0)
STEPS = 12


def a_run(base_url: str, key: str, model: str, make_data: Callable[..., list[tinker.Datum]]) -> list[Any]:
    """Everything that a client sees of a run with saves, loads and samples."""
    seen: list[Any] = []
    with tinker.ServiceClient(base_url=base_url, api_key=key) as service:
        client = service.create_lora_training_client(base_model=model, rank=4, seed=11).result()
        for step in range(STEPS):
            data = make_data(5, seed=step)
            passed = client.forward_backward(data, "cross_entropy")
            stepped = client.optim_step(ADAM)
            scored = client.forward(data, "cross_entropy")
            saved = client.save_state("state", overwrite=True)
            named = client.save_weights_for_sampler(f"step-{step}")
            for result in (passed.result(), scored.result()):
                seen.append(result.metrics["loss:sum"])
                seen += [list(output["logprobs"].data) for output in result.loss_fn_outputs]
            seen.append(stepped.result().metrics)
            sampler = service.create_sampling_client(model_path=named.result().path).result()
            samples = [sampler.sample(datum.model_input, num_samples=1, sampling_params=GREEDY) for datum in data]
            for sample in samples:
                sequence = sample.result().sequences[0]
                seen.append((list(sequence.tokens), sequence.stop_reason))
            if step % 4 == 3:
                path = saved.result().path
                client = service.create_training_client_from_state_with_optimizer(path).result()
                unnamed = client.save_weights_and_get_sampling_client().result()
                seen.append(unnamed.compute_logprobs(data[0].model_input).result())
    return seen


@pytest.mark.slow
def test_faults_change_nothing(
    start_engine: Callable[..., Any], make_data: Callable[..., list[tinker.Datum]], tmp_path: Path
) -> None:
    with start_engine(tmp_path / "good", max_chunk_len=2) as engine:
        expected = a_run(engine.base_url, engine.key, engine.model, make_data)
    with (
        start_engine(tmp_path / "bad", max_chunk_len=2) as engine,
        faulty_proxy(engine.base_url, seeded(4, 0.25)) as running,
    ):
        seen = a_run(running.base_url, engine.key, engine.model, make_data)
    assert seen == expected
    assert all(running.proxy.done[fault] for fault in FAULTS.values()), running.proxy.done
