"""Several clients at once: nobody's training or samples change because of the others."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import tinker
from tinker import types
from tinker.proto.request_conv import forward_backward_request_to_proto

from tinkersql.engine import futures as futures_module
from tinkersql.engine.futures import Futures, InOrder, Reply

if TYPE_CHECKING:
    from conftest import RunningEngine

MakeData = Callable[..., list[tinker.Datum]]
ADAM = types.AdamParams(learning_rate=1e-2)
GREEDY = types.SamplingParams(max_tokens=24, temperature=0.0)
PROMPTS = [types.ModelInput.from_ints([1 + i, 7 + i % 5, 30, 12 + i]) for i in range(100)]


def training(engine: "RunningEngine", seed: int, data: list[tinker.Datum]) -> list[Any]:
    """All numbers of a short run."""
    seen: list[Any] = []
    with engine.client() as service:
        client = service.create_lora_training_client(base_model=engine.model, rank=4, seed=seed).result()
        for _ in range(6):
            passed, stepped = client.forward_backward(data, "cross_entropy"), client.optim_step(ADAM)
            seen += [passed.result().metrics, stepped.result().metrics]
        outputs = client.forward(data, "cross_entropy").result().loss_fn_outputs
        return seen + [list(output["logprobs"].data) for output in outputs]


def samples(sampler: tinker.SamplingClient, prompts: list[types.ModelInput]) -> list[list[int]]:
    sent = [sampler.sample(prompt, num_samples=1, sampling_params=GREEDY) for prompt in prompts]
    return [list(sample.result().sequences[0].tokens) for sample in sent]


@pytest.mark.slow
def test_two_runs_and_a_hundred_samples_are_as_they_are_alone(
    engine: "RunningEngine", service: tinker.ServiceClient, make_data: MakeData
) -> None:
    runs = [(seed, make_data(6, seed=seed)) for seed in (1, 2)]
    alone = [training(engine, *run) for run in runs]
    tuned = service.create_lora_training_client(base_model=engine.model, rank=4, seed=9).result()
    for _ in range(3):
        tuned.forward_backward(runs[0][1], "cross_entropy")
        tuned.optim_step(ADAM).result()
    samplers = [
        tuned.save_weights_and_get_sampling_client().result(),
        service.create_sampling_client(base_model=engine.model).result(),
    ]
    expected = [[samples(sampler, [prompt])[0] for prompt in PROMPTS[:50]] for sampler in samplers]
    assert expected[0] != expected[1]
    with ThreadPoolExecutor(4) as pool:
        training_runs = [pool.submit(training, engine, *run) for run in runs]
        sampling = [pool.submit(samples, sampler, PROMPTS[:50]) for sampler in samplers]
        assert [run.result() for run in training_runs] == alone
        assert [sampled.result() for sampled in sampling] == expected


def test_two_hundred_samples_at_once(service: tinker.ServiceClient, engine: "RunningEngine") -> None:
    sampler = service.create_sampling_client(base_model=engine.model).result()
    tokens = samples(sampler, PROMPTS * 2)
    assert len(tokens) == 200
    assert tokens[:100] == tokens[100:]


def post(engine: "RunningEngine", path: str, /, **body: Any) -> httpx.Response:
    headers = {"X-API-Key": engine.key}
    return httpx.post(f"{engine.base_url}/api/v1/{path}", json=body, headers=headers, timeout=30, trust_env=False)


def result(engine: "RunningEngine", future: dict[str, Any]) -> httpx.Response:
    """The answer of a future, however long it takes."""
    while (answer := post(engine, "retrieve_future", request_id=future["request_id"])).status_code == 408:
        pass
    return answer


def keep_busy(engine: "RunningEngine", data: list[tinker.Datum]) -> str:
    """Queue a training pass that takes about a second; returns its session."""
    session = post(engine, "create_session").json()["session_id"]
    create = {"session_id": session, "model_seq_id": 0, "base_model": engine.model, "lora_config": {"rank": 2}}
    request = types.ForwardBackwardRequest(
        forward_backward_input=types.ForwardBackwardInput(data=data, loss_fn="cross_entropy"),
        model_id=post(engine, "create_model", **create).json()["model_id"],
        seq_id=1,
    )
    body = forward_backward_request_to_proto(request).SerializeToString()
    url, headers = f"{engine.base_url}/api/v1/forward_backward", {"X-API-Key": engine.key}
    assert httpx.post(url, content=body, headers=headers, timeout=30, trust_env=False).status_code == 200
    return session


def test_short_jobs_need_not_wait_for_long_samples(start_engine: Callable[..., Any], tmp_path: Path) -> None:
    with start_engine(tmp_path / "store", poll_seconds=0.01) as engine:
        session = post(engine, "create_session").json()["session_id"]
        create = {"session_id": session, "model_seq_id": 0, "base_model": engine.model, "lora_config": {"rank": 2}}
        created = post(engine, "create_model", **create).json()
        sampler = {"session_id": session, "sampling_session_seq_id": 0, "base_model": engine.model}
        sampler_id = post(engine, "create_sampling_session", **sampler).json()["sampling_session_id"]
        body = {"sampling_session_id": sampler_id, "prompt": {"chunks": [{"tokens": [5], "type": "encoded_text"}]}}
        body |= {"num_samples": 64, "sampling_params": {"max_tokens": 500, "stop": []}}
        long = post(engine, "asample", seq_id=0, **body).json()
        for number in range(1, 11):
            step = post(engine, "optim_step", model_id=created["model_id"], seq_id=number, adam_params={}).json()
            assert "metrics" in result(engine, step).json()
        assert post(engine, "retrieve_future", request_id=long["request_id"]).status_code == 408
        assert result(engine, long).status_code == 200


def test_what_waits_for_an_ended_session_is_not_done_any_more(engine: "RunningEngine", make_data: MakeData) -> None:
    session = post(engine, "create_session").json()["session_id"]
    create = {"session_id": session, "model_seq_id": 0, "base_model": engine.model, "lora_config": {"rank": 2}}
    created = post(engine, "create_model", **create).json()
    assert "model_id" in result(engine, created).json()
    model = created["model_id"]
    busy = keep_busy(engine, make_data(20) * 40)
    saves = [
        post(engine, "save_weights", model_id=model, seq_id=number, path=f"save-{number}").json() for number in (1, 2)
    ]
    post(engine, f"sessions/{session}/finish")
    for future in saves:
        assert "session has ended" in result(engine, future).text
    create["session_id"] = busy
    last = post(engine, "create_model", **create | {"model_seq_id": 1}).json()
    assert "model_id" in result(engine, last).json()  # the queue is done
    assert list((engine.store / model.replace(":", "_")).glob("weights/*")) == []


def test_old_answers_are_forgotten_and_their_requests_never_repeated(
    start_engine: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_engine(tmp_path / "store") as engine:
        session = post(engine, "create_session").json()["session_id"]
        create = {"session_id": session, "model_seq_id": 0, "base_model": engine.model, "lora_config": {"rank": 2}}
        model = post(engine, "create_model", **create).json()["model_id"]
        step: dict[str, Any] = {"model_id": model, "seq_id": 1, "adam_params": {}}
        first = post(engine, "optim_step", **step).json()
        sampler = {"session_id": session, "sampling_session_seq_id": 0, "base_model": engine.model}
        sampler_id = post(engine, "create_sampling_session", **sampler).json()["sampling_session_id"]
        prompt = {"chunks": [{"tokens": [5], "type": "encoded_text"}]}
        body = {"sampling_session_id": sampler_id, "seq_id": 0, "prompt": prompt, "sampling_params": {"max_tokens": 2}}
        sample = post(engine, "asample", **body).json()
        for _ in range(2):  # fetched twice, and repeated
            assert "metrics" in result(engine, first).json()
            assert result(engine, sample).status_code == 200
            assert post(engine, "optim_step", **step).json() == first
            assert post(engine, "asample", **body).json() == sample
        monkeypatch.setattr(futures_module, "KEEP_BYTES", 0)
        again = post(engine, "optim_step", **step | {"seq_id": 2}).json()
        result(engine, again)
        assert result(engine, sample).status_code == 410
        assert "is gone" in result(engine, first).json()["error"]
        refused = post(engine, "optim_step", **step)
        assert (refused.status_code, "was done" in refused.json()["detail"]) == (400, True)
        third = post(engine, "optim_step", **step | {"seq_id": 3}).json()
        assert "metrics" in result(engine, third).json()


def test_futures_are_dropped_by_age_and_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[str] = []

    async def scenario() -> None:
        futures = Futures()

        async def answered(size: int) -> str:
            request_id = futures.create("sample", dropped.append)
            futures.resolve(request_id, Reply.protobuf(bytes(size)))
            return request_id

        monkeypatch.setattr(futures_module, "KEEP_BYTES", 50_000)
        ids = [await answered(10_000) for _ in range(6)]
        for request_id in ids:
            assert await futures.wait(request_id, 1) is not None
        assert dropped == ids[:2]  # the oldest
        assert await futures.wait(ids[5], 1) is not None
        monkeypatch.setattr(futures_module, "KEEP_SECONDS", 0.0)
        futures.forget_old()
        assert dropped == ids
        unfetched, waiting = await answered(1), futures.create("sample", dropped.append)
        futures.forget_old()
        assert dropped == ids
        monkeypatch.setattr(futures_module, "UNFETCHED_SECONDS", 0.0)
        futures.forget_old()
        assert dropped == [*ids, unfetched]
        assert await futures.wait(waiting, 0.01) is None  # what is not answered stays
        with pytest.raises(KeyError):
            await futures.wait(unfetched, 1)

    asyncio.run(scenario())


def test_a_number_is_past_once_it_was_released() -> None:
    order = InOrder()
    assert order.add(2, "b") == []
    assert not order.is_past(1)
    assert order.add(1, "a") == ["a", "b"]
    assert order.is_past(1)
    assert order.is_past(2)
    assert not order.is_past(3)
