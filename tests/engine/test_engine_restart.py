"""The server is killed and started again: what its clients notice of it."""

import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import tinker
from tinker import types

from server_process import running_server
from tinkersql.engine import sessions as sessions_module
from tinkersql.engine.disk import Owner
from tinkersql.engine.faults import NotFound
from tinkersql.engine.sessions import Sessions

PROMPTS = [types.ModelInput.from_ints([1 + i, 7, 30 + i, 12]) for i in range(50)]
GREEDY = types.SamplingParams(max_tokens=300, temperature=0.0, stop=[])
ADAM = types.AdamParams(learning_rate=1e-2)


def datum() -> types.Datum:
    tokens = list(range(20, 40))
    targets = types.TensorData(data=tokens[1:], dtype="int64", shape=[19])
    return types.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs={"target_tokens": targets})


def train(client: tinker.TrainingClient) -> float:
    passed, stepped = client.forward_backward([datum()], "cross_entropy"), client.optim_step(ADAM)
    stepped.result()
    return passed.result().metrics["loss:sum"]


def greedy(sampler: tinker.SamplingClient, prompts: list[types.ModelInput]) -> list[Any]:
    futures = [sampler.sample(prompt, num_samples=1, sampling_params=GREEDY) for prompt in prompts]
    return [list(future.result().sequences[0].tokens) for future in futures]


@pytest.mark.slow
def test_clients_go_on_after_a_kill(tiny_model: Path, tmp_path: Path) -> None:
    with running_server(tiny_model, tmp_path / "store") as server, server.client() as service:
        rest = tinker.RestClient(base_url=server.base_url, api_key=server.key)
        client = service.create_lora_training_client(base_model=server.model, rank=4, seed=3).result()
        for _ in range(3):
            train(client)
        saved = client.save_state("saved").result().path
        named = service.create_sampling_client(
            model_path=client.save_weights_for_sampler("sampler").result().path
        ).result()
        unnamed = client.save_weights_and_get_sampling_client().result()
        base = service.create_sampling_client(base_model=server.model).result()
        samplers = (named, unnamed, base)
        expected = [greedy(sampler, PROMPTS[:5]) for sampler in samplers]
        after = train(client)  # the snapshots are older
        assert expected[0] == expected[1] != expected[2]

        in_flight = [unnamed.sample(prompt, num_samples=1, sampling_params=GREEDY) for prompt in PROMPTS]
        in_flight_base = [base.sample(prompt, num_samples=1, sampling_params=GREEDY) for prompt in PROMPTS]
        passes = [client.forward_backward([datum()] * 64, "cross_entropy") for _ in range(50)]
        passes[0].result()  # the server is in the midst of it
        server.kill()
        server.start()

        tokens = [list(future.result().sequences[0].tokens) for future in in_flight]
        assert tokens[:5] == expected[1]
        assert all(len(future.result().sequences[0].tokens) == 300 for future in in_flight_base)
        assert [greedy(sampler, PROMPTS[:5]) for sampler in samplers] == expected
        for lost in (passes[-1], client.forward_backward([datum()], "cross_entropy"), client.save_state("late")):
            with pytest.raises(Exception, match=r"server restarted.*create_training_client_from_state_with_optimizer"):
                lost.result()
        resumed = service.create_training_client_from_state_with_optimizer(saved).result()
        assert train(resumed) == pytest.approx(after, rel=1e-6)
        assert resumed.save_weights_and_get_sampling_client().result().compute_logprobs(PROMPTS[0]).result()
        session = client.model_id.split(":")[0]
        found = rest.get_session(session).result()
        assert {client.model_id, resumed.model_id} <= set(found.training_run_ids)
        assert len(found.sampler_ids) == 4
        assert [checkpoint.checkpoint_id for checkpoint in rest.list_checkpoints(client.model_id).result().checkpoints]
        assert rest.get_sampler(found.sampler_ids[0]).result().base_model == str(tiny_model)
    assert list((tmp_path / "store" / ".sessions").iterdir()) == []  # finished ones leave nothing


@pytest.mark.slow
def test_a_model_is_created_again_only_before_it_was_used(tiny_model: Path, tmp_path: Path) -> None:
    with running_server(tiny_model, tmp_path / "store") as server:
        session = server.post("create_session")["session_id"]
        create: dict[str, Any] = {"session_id": session, "base_model": server.model, "lora_config": {"rank": 2}}
        for number in (0, 1):
            server.result(server.post("create_model", model_seq_id=number, **create))
        used = f"{session}:train:1"
        step: dict[str, Any] = {"model_id": used, "adam_params": {}}
        lost = server.post("optim_step", seq_id=1, **step)
        server.result(lost)
        server.kill()
        server.start()
        assert server.http.post("session_heartbeat", json={"session_id": session}).status_code == 200
        # A request for a sample would be sent again; the client of a training request is told what it lost.
        assert server.http.post("retrieve_future", json={"request_id": "sample-gone"}).status_code == 410
        told = server.result(lost).json()
        assert (told["category"], "server restarted" in told["error"]) == ("server", True)
        unused = f"{session}:train:0"
        early = server.http.post("optim_step", json={"model_id": unused, "seq_id": 1, "adam_params": {}})
        assert (early.status_code, "server restarted: go on from" in early.json()["detail"]) == (404, True)
        again = server.post("create_model", model_seq_id=0, **create)
        assert server.result(again).json()["model_id"] == f"{session}:train:0"
        refused = server.http.post("create_model", json={**create, "model_seq_id": 1})
        assert (refused.status_code, used in refused.json()["detail"]) == (400, True)
        assert server.http.post("optim_step", json={**step, "seq_id": 2}).status_code == 404
        assert server.http.get(f"sessions/{session}").json()["training_run_ids"] == [used, f"{session}:train:0"]
        # Both ends of a session that has ended meanwhile.
        server.kill()
        server.start()
        assert server.http.post(f"sessions/{session}/finish", json={}).status_code == 200
        assert server.http.post("session_heartbeat", json={"session_id": session}).status_code == 410


def test_a_sampler_of_a_replaced_checkpoint_says_so_after_a_restart(
    start_engine: Callable[..., Any], tmp_path: Path
) -> None:
    def post(engine: Any, path: str, **body: Any) -> Any:
        headers = {"X-API-Key": engine.key}
        return httpx.post(f"{engine.base_url}/api/v1/{path}", json=body, headers=headers, trust_env=False).json()

    store = tmp_path / "store"
    with start_engine(store) as engine:
        service = tinker.ServiceClient(base_url=engine.base_url, api_key=engine.key)
        client = service.create_lora_training_client(base_model=engine.model, rank=2).result()
        path = client.save_weights_for_sampler("s").result().path
        session = client.model_id.split(":")[0]
        body = {"session_id": session, "model_path": path, "sampling_session_seq_id": 7}
        sampler = post(engine, "create_sampling_session", **body)["sampling_session_id"]
        tinker.RestClient(base_url=engine.base_url, api_key=engine.key).delete_checkpoint_from_tinker_path(
            path
        ).result()
        service.holder.close()  # no more heartbeats, but the session has not ended
    with start_engine(store) as engine:
        prompt = {"chunks": [{"tokens": [1], "type": "encoded_text"}]}
        sample = post(engine, "asample", sampling_session_id=sampler, seq_id=0, prompt=prompt)
        failed = post(engine, "retrieve_future", request_id=sample["request_id"])
        assert "deleted or replaced" in failed["error"]
        assert failed["category"] == "user"
        assert "has ended" in post(engine, "asample", sampling_session_id=f"{session}:sample:8", seq_id=0)["detail"]


def test_an_unnamed_snapshot_is_on_disk_before_its_sampler_is_recorded(
    start_engine: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", noted)
    with start_engine(tmp_path / "store") as engine, engine.client() as service:
        client = service.create_lora_training_client(base_model=engine.model, rank=2).result()
        client.save_weights_and_get_sampling_client().result()
    recorded = next(i for i, name in enumerate(synced) if "~sampler-" in name)
    snapshot = next(name for name in synced if name.startswith("snapshot-"))
    assert {"adapter_config.json", "adapter_model.safetensors", snapshot} <= set(synced[:recorded])


@pytest.fixture
def server_of(tmp_path: Path) -> Callable[[], Sessions]:
    """The sessions of another server over the same store."""
    return lambda: Sessions(tmp_path, Owner(tmp_path), "model")


def test_what_dead_servers_left_goes_once_it_is_old(
    server_of: Callable[[], Sessions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead_owner = Owner(tmp_path)
    dead, living, ours = Sessions(tmp_path, dead_owner, "model"), server_of(), server_of()
    old, young, theirs, mine = dead.create(), dead.create(), living.create(), ours.create()
    dead_owner.close()
    for session in (old, theirs, mine):
        os.utime(session.folder / "session.json", (0, 0))
    (old.folder / "snapshot-3").mkdir()
    half = tmp_path / ".sessions" / str(uuid.uuid4())  # killed while it created a session
    half.mkdir()
    os.utime(half, (0, 0))
    assert ours.idle() == []
    left = {path.name for path in (tmp_path / ".sessions").iterdir()}
    assert left == {session.session_id for session in (young, theirs, mine)}
    assert time.time() - (mine.folder / "session.json").stat().st_mtime < 60  # noted as alive
    with pytest.raises(NotFound):
        ours.get(theirs.session_id)  # another server has it
    assert ours.end(theirs.session_id) is None
    assert theirs.folder.exists()
    with pytest.raises(NotFound):
        Sessions(tmp_path, Owner(tmp_path), "another model").get(young.session_id)
    assert ours.get(young.session_id).session_id == young.session_id
    monkeypatch.setattr(sessions_module, "IDLE_SECONDS", -1.0)
    assert {session.session_id for session in ours.idle()} == {young.session_id, mine.session_id}


@pytest.mark.parametrize("name", ["", ".", "..", "../..", "/etc", "x" * 36, "a/b", "\0"])
def test_names_of_sessions_do_not_lead_anywhere_else(
    name: str, server_of: Callable[[], Sessions], tmp_path: Path
) -> None:
    sessions = server_of()
    (tmp_path / "session.json").write_text(json.dumps({"owner": ""}))
    sessions.create()
    with pytest.raises(NotFound):
        sessions.get(name)
    assert sessions.end(name) is None
    assert (tmp_path / "session.json").exists()
    assert len(list((tmp_path / ".sessions").iterdir())) == 1


def test_a_server_that_cannot_record_sessions_serves_them_all_the_same(tmp_path: Path) -> None:
    (tmp_path / ".sessions").write_text("")  # no folder can be made here
    sessions = Sessions(tmp_path, Owner(tmp_path), "model")
    session = sessions.create()
    assert sessions.get(session.session_id) is session
    assert sessions.end(session.session_id) is session
