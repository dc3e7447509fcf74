"""Training through the unmodified SDK over a real socket."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import tinker
import torch
from tinker import types

from tinkersql.engine.futures import Futures, Reply
from tinkersql.engine.training import Trainer

if TYPE_CHECKING:
    from conftest import RunningEngine

NewModel = Callable[..., tinker.TrainingClient]
MakeData = Callable[..., list[tinker.Datum]]
ADAM = types.AdamParams(learning_rate=1e-2, eps=1e-8)


def train(client: tinker.TrainingClient, data: list[tinker.Datum]) -> float:
    passed, stepped = client.forward_backward(data, "cross_entropy"), client.optim_step(ADAM)
    assert stepped.result().metrics is not None
    return passed.result().metrics["loss:sum"]


def logprobs(client: tinker.TrainingClient, data: list[tinker.Datum]) -> np.ndarray:
    """A fingerprint of the weights: log-probabilities of some data."""
    outputs = client.forward(data, "cross_entropy").result().loss_fn_outputs
    return np.concatenate([np.asarray(output["logprobs"].data) for output in outputs])


def same(first: np.ndarray, second: np.ndarray) -> None:
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4)


def test_training_lowers_the_loss(service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData) -> None:
    client, data = new_model(service), make_data()
    losses = [train(client, data) for _ in range(8)]
    assert losses[-1] < 0.6 * losses[0]


def test_the_tokenizer_comes_from_the_server(
    service: tinker.ServiceClient, new_model: NewModel, engine: "RunningEngine"
) -> None:
    client = new_model(service)
    assert client.get_tokenizer().decode([0]) == "<|endoftext|>"
    assert client.get_info().model_name == engine.model
    models = service.get_server_capabilities().supported_models
    assert [(model.model_name, model.max_context_length) for model in models] == [(engine.model, 512)]


def test_calls_accumulate_until_the_step(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    first, second, data = new_model(service), new_model(service), make_data(8)
    whole = first.forward_backward(data, "cross_entropy").result()
    first.optim_step(ADAM).result()
    parts = [second.forward_backward(part, "cross_entropy") for part in (data[:3], data[3:])]
    second.optim_step(ADAM).result()
    assert sum(part.result().metrics["loss:sum"] for part in parts) == pytest.approx(
        whole.metrics["loss:sum"], rel=1e-5
    )
    same(logprobs(first, data), logprobs(second, data))


def test_chunks_that_arrive_out_of_order_give_the_same_result(
    start_engine: Callable[..., Any],
    service: tinker.ServiceClient,
    new_model: NewModel,
    make_data: MakeData,
    tmp_path: Path,
) -> None:
    data = make_data(7)
    reference = new_model(service)
    expected = reference.forward_backward(data, "cross_entropy").result()
    reference.optim_step(ADAM).result()
    # Chunks of one datum are sent in parallel, and the first of them deliberately last.
    with start_engine(tmp_path / "store", max_chunk_len=1) as other, other.client() as chunked_service:
        chunked = new_model(chunked_service)
        result = chunked.forward_backward(data, "cross_entropy")
        stepped = chunked.optim_step(ADAM)
        assert result.result().metrics["loss:sum"] == pytest.approx(expected.metrics["loss:sum"], rel=1e-5)
        stepped.result()
        for ours, theirs in zip(result.result().loss_fn_outputs, expected.loss_fn_outputs, strict=True):
            same(np.asarray(ours["logprobs"].data), np.asarray(theirs["logprobs"].data))
        same(logprobs(chunked, data), logprobs(reference, data))


def test_passes_return_log_probabilities_also_where_the_weight_is_zero(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    client, data = new_model(service), make_data(3)
    trained = client.forward_backward(data, "cross_entropy").result()
    full = client.forward(data, "cross_entropy").result()
    for some, every in zip(trained.loss_fn_outputs, full.loss_fn_outputs, strict=True):
        same(np.asarray(some["logprobs"].data), np.asarray(every["logprobs"].data))
        assert (np.asarray(every["logprobs"].data) < 0).all()


def test_a_server_may_leave_them_out_in_training_where_the_weight_is_zero(
    start_engine: Callable[..., Any], new_model: NewModel, make_data: MakeData, tmp_path: Path
) -> None:
    with start_engine(tmp_path / "store", every_logprob=False) as quick, quick.client() as service:
        client, data = new_model(service), make_data(3)
        trained = client.forward_backward(data, "cross_entropy").result()
        full = client.forward(data, "cross_entropy").result()
        for datum, some, every in zip(data, trained.loss_fn_outputs, full.loss_fn_outputs, strict=True):
            weighted = np.asarray(datum.loss_fn_inputs["weights"].data) > 0
            some, every = np.asarray(some["logprobs"].data), np.asarray(every["logprobs"].data)
            same(some[weighted], every[weighted])
            assert (some[~weighted] == 0).all()
            assert (every < 0).all()


def test_a_custom_loss_equals_cross_entropy(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    first, second, data = new_model(service), new_model(service), make_data(4)

    def negative_logprobs(_: list[tinker.Datum], values: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        return -torch.cat(values).sum(), {"mine": 1.0}

    custom = first.forward_backward_custom(data, negative_logprobs)
    first.optim_step(ADAM).result()
    ones = [
        types.Datum(model_input=d.model_input, loss_fn_inputs={"target_tokens": d.loss_fn_inputs["target_tokens"]})
        for d in data
    ]
    plain = second.forward_backward(ones, "cross_entropy")
    second.optim_step(ADAM).result()
    assert custom.result().metrics["mine"] == 1.0
    assert plain.result().metrics["loss:sum"] > 0
    same(logprobs(first, data), logprobs(second, data))


def test_a_training_run_continues_from_its_checkpoint_as_if_never_interrupted(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData, engine: "RunningEngine"
) -> None:
    first = new_model(service)
    for seed in range(3):
        train(first, make_data(seed=seed))
    path = first.save_state("half-way").result().path
    for seed in range(3, 5):
        train(first, make_data(seed=seed))
    with engine.client() as later:
        resumed = later.create_training_client_from_state_with_optimizer(path).result()
        fresh_moments = later.create_training_client_from_state(path).result()
        for seed in range(3, 5):
            train(resumed, make_data(seed=seed))
            train(fresh_moments, make_data(seed=seed))
        probe = make_data(seed=99)
        np.testing.assert_array_equal(logprobs(resumed, probe), logprobs(first, probe))
        assert np.abs(logprobs(fresh_moments, probe) - logprobs(first, probe)).max() > 1e-3
        assert resumed.get_info().lora_rank == 8


def test_a_deprecated_load_into_an_existing_model_works(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    client, probe = new_model(service), make_data(seed=50)
    train(client, make_data())
    path = client.save_state("point").result().path
    expected = logprobs(client, probe)
    train(client, make_data(seed=1))
    with pytest.warns(FutureWarning):
        client.load_state(path).result()
    same(logprobs(client, probe), expected)


def test_a_deprecated_load_of_what_is_no_such_model_is_refused(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData, engine: "RunningEngine"
) -> None:
    client, larger = new_model(service), new_model(service, train_unembed=True)
    train(client, make_data())
    expected = logprobs(client, make_data(seed=50))
    more = larger.save_state("more").result().path
    other = new_model(service).save_state("other").result().path
    run = engine.store / other.removeprefix("tinker://").split("/")[0].replace(":", "_") / "run.json"
    run.write_text(run.read_text().replace(engine.model, "org/of-equal-shape"))
    for path, message in ((more, "other LoRA settings"), (other, "unknown base model 'org/of-equal-shape'")):
        with pytest.warns(FutureWarning), pytest.raises(tinker.RequestFailedError, match=message) as caught:
            client.load_state(path).result()
        assert caught.value.category.value == "user"
    same(logprobs(client, make_data(seed=50)), expected)


def test_two_runs_do_not_disturb_each_other(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    alone = new_model(service)
    expected = [train(alone, make_data(seed=seed)) for seed in range(3)]
    first, second = new_model(service), new_model(service, seed=77)
    futures = []
    for seed in range(3):
        for client, shift in ((first, 0), (second, 100)):
            futures.append((client, client.forward_backward(make_data(seed=seed + shift), "cross_entropy")))
            client.optim_step(ADAM)
    assert [future.result().metrics["loss:sum"] for client, future in futures if client is first] == expected


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda tokens, inputs: ([*tokens[:-1], 100_000], inputs), "outside the vocabulary of"),
        (lambda tokens, inputs: ([*tokens[:-1], -1], inputs), "token -1 at position"),
        (
            lambda tokens, inputs: (tokens, inputs | {"target_tokens": [*tokens[:-1], 500_000]}),
            "datum 1: target_tokens",
        ),
        (lambda tokens, inputs: (tokens, inputs | {"weights": [1.0] * (len(tokens) - 1)}), "must agree"),
        (lambda tokens, inputs: (tokens, inputs | {"weights": [float("nan")] * len(tokens)}), "not finite"),
        (lambda tokens, inputs: (tokens, {"weights": inputs["weights"]}), "lacks target_tokens"),
        (lambda tokens, _: (tokens * 60, {"target_tokens": tokens * 60}), "allowed are 1 to 512"),
        (lambda _, __: ([], {"target_tokens": []}), "has 0 tokens"),
    ],
)
def test_bad_data_fails_its_future_and_the_next_request_works(
    spoil: Callable[..., tuple[list[int], dict[str, Any]]],
    message: str,
    service: tinker.ServiceClient,
    new_model: NewModel,
    make_data: MakeData,
) -> None:
    client = new_model(service)
    tokens = list(range(10))
    inputs, raw = {}, spoil(tokens, {"target_tokens": tokens, "weights": [1.0] * 10})
    for name, values in raw[1].items():
        dtype = "float32" if name == "weights" else "int64"
        inputs[name] = types.TensorData(data=values, dtype=dtype, shape=[len(values)])
    bad = types.Datum(model_input=types.ModelInput.from_ints(raw[0]), loss_fn_inputs=inputs)
    good = make_data(2)
    failing = client.forward_backward([good[0], bad], "cross_entropy")
    following = client.forward_backward(good, "cross_entropy")
    with pytest.raises(tinker.RequestFailedError, match=message) as caught:
        failing.result()
    assert caught.value.category.value == "user"
    assert following.result().metrics["loss:sum"] > 0
    # The failed call left nothing in the gradient.
    other = new_model(service)
    train(other, good)
    client.optim_step(ADAM).result()
    same(logprobs(client, good), logprobs(other, good))


def test_unsupported_requests_fail_clearly_and_use_their_number_up(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData
) -> None:
    client, data = new_model(service), make_data(2)
    with pytest.raises(tinker.RequestFailedError, match="loss_fn 'gspo' is not supported"):
        client.forward_backward(data, "gspo").result()
    with pytest.raises(tinker.RequestFailedError, match="has weights, which the loss does not take"):
        client.forward_backward(data, "ppo").result()
    with pytest.raises(tinker.RequestFailedError, match="learning_rate"):
        client.optim_step(types.AdamParams(learning_rate=-1.0)).result()
    with pytest.raises(tinker.RequestFailedError, match="is unusable"):
        client.save_state("../escape").result()
    client.save_state("taken").result()
    with pytest.raises(tinker.RequestFailedError, match="exists already"):
        client.save_state("taken").result()
    client.save_state("taken", overwrite=True).result()
    assert train(client, data) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0}, "rank = 0"),
        ({"rank": 4096}, "rank = 4096"),
    ],
)
def test_impossible_models_are_refused_at_once(
    options: dict[str, Any], message: str, service: tinker.ServiceClient, new_model: NewModel
) -> None:
    with pytest.raises(tinker.BadRequestError, match=message):
        new_model(service, **options)


def test_unknown_models_and_checkpoints_are_refused_at_once(service: tinker.ServiceClient) -> None:
    with pytest.raises(tinker.BadRequestError, match="this server serves test/tiny-llama"):
        service.create_lora_training_client(base_model="meta-llama/Llama-3.2-1B").result()
    for path in ("tinker://nowhere:train:0/weights/x", "tinker://a/b/c", "tinker://../weights/../x"):
        with pytest.raises((tinker.BadRequestError, tinker.NotFoundError)):
            service.create_training_client_from_state(path).result()


def test_a_slow_job_survives_short_polls(
    start_engine: Callable[..., Any],
    new_model: NewModel,
    make_data: MakeData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: Counter[str] = Counter()
    """How often the polls for each result were answered "not yet"."""
    told_thrice = threading.Event()
    wait, forward_backward = Futures.wait, Trainer.forward_backward

    async def counted(futures: Futures, request_id: str, seconds: float) -> Reply | None:
        reply = await wait(futures, request_id, seconds)
        told[request_id] += reply is None
        if told[request_id] >= 3:
            told_thrice.set()
        return reply

    def slow_pass(*arguments: Any, **options: Any) -> Any:
        assert told_thrice.wait(60)
        return forward_backward(*arguments, **options)

    with start_engine(tmp_path / "store", poll_seconds=0.02) as slow, slow.client() as service:
        client = new_model(service)
        monkeypatch.setattr(Futures, "wait", counted)
        monkeypatch.setattr(Trainer, "forward_backward", slow_pass)
        futures = [client.forward_backward(make_data(4, seed=i), "cross_entropy") for i in range(10)]
        assert all(future.result().metrics["loss:sum"] > 0 for future in futures)


def raw_post(engine: "RunningEngine", path: str, **body: Any) -> httpx.Response:
    with httpx.Client(trust_env=False, headers={"X-API-Key": engine.key}) as client:
        return client.post(f"{engine.base_url}/api/v1/{path}", timeout=20, **body)


def test_a_replayed_request_is_done_once(
    service: tinker.ServiceClient, new_model: NewModel, make_data: MakeData, engine: "RunningEngine"
) -> None:
    from tinker.proto.request_conv import forward_backward_request_to_proto

    replayed, once, data = new_model(service), new_model(service), make_data(4)
    request = types.ForwardBackwardRequest(
        forward_backward_input=types.ForwardBackwardInput(data=data, loss_fn="cross_entropy"),
        model_id=replayed.model_id,
        seq_id=1,
    )
    body = forward_backward_request_to_proto(request).SerializeToString()
    answers = [raw_post(engine, "forward_backward", content=body).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    step = {"model_id": replayed.model_id, "seq_id": 2, "adam_params": ADAM.model_dump()}
    steps = [raw_post(engine, "optim_step", json=step).json() for _ in range(3)]
    assert steps[0] == steps[1] == steps[2]
    path = {"model_id": replayed.model_id, "seq_id": 3, "path": "replayed"}
    saved = raw_post(engine, "save_weights", json=path).json()
    assert raw_post(engine, "retrieve_future", json={"request_id": saved["request_id"]}).status_code == 200
    train(once, data)
    loaded = service.create_training_client_from_state(f"tinker://{replayed.model_id}/weights/replayed").result()
    same(logprobs(loaded, data), logprobs(once, data))


def test_requests_wait_for_the_number_before_them(
    service: tinker.ServiceClient, new_model: NewModel, engine: "RunningEngine"
) -> None:
    client = new_model(service)
    step = {"model_id": client.model_id, "adam_params": ADAM.model_dump()}
    second = raw_post(engine, "optim_step", json=step | {"seq_id": 2}).json()["request_id"]
    waiting = raw_post(engine, "retrieve_future", json={"request_id": second})
    assert (waiting.status_code, waiting.json()["type"]) == (408, "try_again")
    # A first request that makes no sense is answered with a failed future and releases the second.
    first = raw_post(engine, "save_weights", json={"model_id": client.model_id, "seq_id": 1, "path": 5}).json()
    failed = raw_post(engine, "retrieve_future", json={"request_id": first["request_id"]}).json()
    assert (failed["category"], "path" in failed["error"]) == ("user", True)
    assert raw_post(engine, "retrieve_future", json={"request_id": second}).status_code == 200


def test_repeated_creations_make_one_model_and_one_sampler(engine: "RunningEngine") -> None:
    session = raw_post(engine, "create_session", json={}).json()["session_id"]
    create = {"session_id": session, "model_seq_id": 0, "base_model": engine.model, "lora_config": {"rank": 2}}
    assert raw_post(engine, "create_model", json=create).json() == raw_post(engine, "create_model", json=create).json()
    sampler = {"session_id": session, "sampling_session_seq_id": 0, "base_model": engine.model}
    answers = [raw_post(engine, "create_sampling_session", json=sampler).json() for _ in range(2)]
    assert answers[0] == answers[1]
    sample = {
        "sampling_session_id": answers[0]["sampling_session_id"],
        "seq_id": 0,
        "prompt": {"chunks": [{"tokens": [1], "type": "encoded_text"}]},
        "sampling_params": {"max_tokens": 2},
    }
    assert raw_post(engine, "asample", json=sample).json() == raw_post(engine, "asample", json=sample).json()
