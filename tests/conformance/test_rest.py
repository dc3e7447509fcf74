"""The REST surface through the unmodified SDK: listing, keeping, publishing and downloading checkpoints."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import tinker
from safetensors.torch import load_file
from tinker import types

from tinkersql.engine import links, server
from tinkersql.engine.rest import REFUSED
from tinkersql.engine.store import Store

if TYPE_CHECKING:
    from conftest import RunningEngine

NewModel = Callable[..., tinker.TrainingClient]


@pytest.fixture
def rest(engine: "RunningEngine") -> tinker.RestClient:
    return tinker.RestClient(base_url=engine.base_url, api_key=engine.key)


@pytest.fixture
def http(engine: "RunningEngine") -> Iterator[httpx.Client]:
    base = f"{engine.base_url}/api/v1/"
    with httpx.Client(base_url=base, headers={"X-API-Key": engine.key}, trust_env=False) as client:
        yield client


def status(url: str) -> int:
    answer = httpx.get(url, trust_env=False)
    assert answer.status_code == 200 or answer.json()["detail"]
    return answer.status_code


def content(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as response:  # as the ``tinker`` CLI does it: without the key
        return response.read()


def test_external_weights_are_downloaded_without_the_key(
    service: tinker.ServiceClient,
    new_model: NewModel,
    rest: tinker.RestClient,
    http: httpx.Client,
    engine: "RunningEngine",
    tmp_path: Path,
) -> None:
    client = new_model(service, train_unembed=True)
    path = client.save_weights_external("out", ttl_seconds=3600).result().path
    assert path == f"tinker://{client.model_id}/external_weights/out"
    (listed,) = rest.list_checkpoints(client.model_id).result().checkpoints
    assert (listed.checkpoint_type, listed.checkpoint_id) == ("external", "external_weights/out")
    answer = rest.get_external_weights_urls(path).result()
    assert 3000 < (answer.expires - datetime.now(UTC)).total_seconds() <= 3600
    assert sorted(answer.urls) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads(content(answer.urls["adapter_config.json"]))
    assert (config["r"], config["lora_alpha"], config["base_model_name_or_path"]) == (8, 32, engine.model)
    (tmp_path / "adapter").write_bytes(content(answer.urls["adapter_model.safetensors"]))
    names = load_file(tmp_path / "adapter").keys()
    assert "base_model.model.model.unembed_tokens.lora_B.weight" in names
    assert "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" in names
    with pytest.raises(tinker.RequestFailedError, match="exists already"):
        client.save_weights_external("out").result()
    rest.delete_checkpoint_from_tinker_path(path).result()
    assert status(answer.urls["adapter_config.json"]) == 404
    assert http.get(f"training_runs/{client.model_id}/checkpoints/external_weights/out").status_code in (404, 405)


def test_a_link_opens_one_file_for_an_hour_and_nothing_else(
    service: tinker.ServiceClient, new_model: NewModel, rest: tinker.RestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = new_model(service)
    client.save_weights_external("other").result()
    urls = rest.get_external_weights_urls(client.save_weights_external("mine").result().path).result().urls
    url = urls["adapter_config.json"]
    assert status(url) == 200
    query = parse_qs(urlsplit(url).query)
    (token,), (expires,) = query["token"], query["expires"]
    for wrong in (
        url.replace("adapter_config.json", "adapter_model.safetensors"),
        url.replace("adapter_config.json", "checkpoint.json"),
        url.replace("/mine/", "/other/"),
        url.replace(expires, str(int(expires) + 1)),
        url.replace(expires, "never"),
        url.replace(token, token[:-1]),
        url.replace(token, "%FF" * 64),
        url.split("?")[0],
        url.replace("/mine/", "/mine/..%2Fmine%2F"),
        url.replace("/mine/", "/mine/../../../weights/mine/"),
    ):
        assert status(wrong) in (401, 403, 404), wrong
    assert status(url) == 200
    monkeypatch.setattr(links, "LIFETIME_SECONDS", -1)
    ended = rest.get_external_weights_urls(f"tinker://{client.model_id}/external_weights/mine").result().urls
    assert {status(link) for link in ended.values()} == {403}


def test_what_a_client_says_of_its_session_is_kept_over_a_restart(
    start_engine: Callable[..., Any], tmp_path: Path
) -> None:
    with start_engine(tmp_path / "store") as first:
        said = {"user_metadata": {"who": "me"}, "display_name": "nightly"}
        service = tinker.ServiceClient(base_url=first.base_url, api_key=first.key, **said)
        session = service.holder.get_session_id()
        service.create_sampling_client(base_model=first.model).result()
        service.holder.close()  # no more heartbeats, but the session has not ended
    with start_engine(tmp_path / "store") as second:
        rest = tinker.RestClient(base_url=second.base_url, api_key=second.key)
        found = rest.get_session(session).result()
        assert (found.user_metadata, found.display_name) == ({"who": "me"}, "nightly")
        assert found.sampler_ids == [f"{session}:sample:0"]


def test_every_kind_of_checkpoint_can_be_trained_on_and_sampled_from(
    service: tinker.ServiceClient, new_model: NewModel, make_data: Callable[..., list[tinker.Datum]]
) -> None:
    client, data = new_model(service), make_data(2)
    for _ in range(2):
        client.forward_backward(data, "cross_entropy").result()
        client.optim_step(types.AdamParams(learning_rate=1e-2)).result()
    expected = client.forward(data, "cross_entropy").result().metrics["loss:sum"]
    saves = (client.save_state, client.save_weights_for_sampler, client.save_weights_external)
    prompt = types.ModelInput.from_ints([5, 6, 7])
    scored = []
    for save in saves:
        path = save("same").result().path
        loaded = service.create_training_client_from_state(path).result()
        assert loaded.forward(data, "cross_entropy").result().metrics["loss:sum"] == pytest.approx(expected, rel=1e-6)
        scored.append(service.create_sampling_client(model_path=path).result().compute_logprobs(prompt).result()[1:])
        if save != client.save_state:
            with pytest.raises(tinker.RequestFailedError, match="no optimizer state"):
                service.create_training_client_from_state_with_optimizer(path).result()
    assert scored[0] == scored[1] == scored[2]


def test_age_encryption_is_refused_and_the_next_request_works(
    service: tinker.ServiceClient, new_model: NewModel
) -> None:
    client = new_model(service)
    with pytest.raises(tinker.RequestFailedError, match="leave age_encryption_recipients out"):
        client.save_weights_external("secret", age_encryption_recipients=["age1xyz"]).result()
    assert client.save_weights_external("open").result().path.endswith("/open")


def test_publishing_is_noted(service: tinker.ServiceClient, new_model: NewModel, rest: tinker.RestClient) -> None:
    client = new_model(service)
    path = client.save_state("p", user_metadata={"a": "b"}).result().path

    def listed() -> tinker.types.Checkpoint:
        (checkpoint,) = rest.list_checkpoints(client.model_id).result().checkpoints
        return checkpoint

    before = listed()
    assert not before.public
    rest.publish_checkpoint_from_tinker_path(path).result()
    assert listed().public
    rest.unpublish_checkpoint_from_tinker_path(path).result()
    assert listed() == before
    with pytest.raises(tinker.NotFoundError, match="no checkpoint"):
        rest.publish_checkpoint_from_tinker_path(path.replace("/p", "/q")).result()


def test_a_time_to_live_can_be_changed_and_ends_a_checkpoint(
    start_engine: Callable[..., Any], new_model: NewModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SWEEP_SECONDS", 3600.0)
    with start_engine(tmp_path / "store") as running, running.client() as service:
        rest = tinker.RestClient(base_url=running.base_url, api_key=running.key)
        client = new_model(service)
        kept, short = (
            client.save_state("kept", ttl_seconds=3600).result().path,
            client.save_state("short").result().path,
        )
        sampled = client.save_weights_for_sampler("sampled").result().path
        by_name = {point.tinker_path: point for point in rest.list_user_checkpoints().result().checkpoints}
        assert by_name[kept].expires_at is not None
        assert by_name[short].expires_at is None
        rest.set_checkpoint_ttl_from_tinker_path(kept, None).result()
        for path in (short, sampled):
            rest.set_checkpoint_ttl_from_tinker_path(path, 1).result()
        for ttl in (0, -1, 2**40):
            with pytest.raises(tinker.BadRequestError, match="ttl_seconds"):
                rest.set_checkpoint_ttl_from_tinker_path(kept, ttl).result()
        time.sleep(1.1)
        (left,) = rest.list_checkpoints(client.model_id).result().checkpoints
        assert (left.tinker_path, left.expires_at) == (kept, None)
        for refused in (
            lambda: rest.get_weights_info_by_tinker_path(short).result(),
            lambda: service.create_training_client_from_state(short).result(),
            lambda: service.create_sampling_client(model_path=sampled).result(),
            lambda: rest.delete_checkpoint_from_tinker_path(short).result(),
            lambda: rest.set_checkpoint_ttl_from_tinker_path(short, 60).result(),
        ):
            with pytest.raises((tinker.NotFoundError, tinker.BadRequestError), match="has expired"):
                refused()
        assert client.save_state("short").result().path == short, "the name is free again"
        assert len(list((tmp_path / "store").glob("*/*/*/checkpoint.json"))) == 3
    with start_engine(tmp_path / "store"):
        assert len(list((tmp_path / "store").glob("*/*/*/checkpoint.json"))) == 2, "the expired one is deleted"


def test_the_sweep_deletes_what_has_expired(
    start_engine: Callable[..., Any], new_model: NewModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SWEEP_SECONDS", 0.1)
    with start_engine(tmp_path / "store") as running, running.client() as service:
        new_model(service).save_state("gone", ttl_seconds=1).result()
        deadline = time.monotonic() + 20
        while list((tmp_path / "store").glob("*/weights/gone")):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_sweep_that_fails_is_logged_and_not_the_last(
    start_engine: Callable[..., Any],
    new_model: NewModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(server, "SWEEP_SECONDS", 0.1)
    delete_expired, failed = Store.delete_expired, threading.Event()

    def fail_once(store: Store) -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("not this time")
        delete_expired(store)

    with start_engine(tmp_path / "store") as running, running.client() as service:
        monkeypatch.setattr(Store, "delete_expired", fail_once)
        new_model(service).save_state("gone", ttl_seconds=1).result()
        assert failed.wait(60)
        deadline = time.monotonic() + 60
        while list((tmp_path / "store").glob("*/weights/gone")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert "tidying up failed" in caplog.text
    assert "not this time" in caplog.text


def test_what_only_the_hosted_service_has_is_refused_with_a_reason(
    service: tinker.ServiceClient, rest: tinker.RestClient, engine: "RunningEngine"
) -> None:
    admin = tinker.AdminClient(base_url=engine.base_url, api_key=engine.key)
    session = "any"
    for call, reason in (
        (lambda: rest.copy_weights("tinker://a/weights/b", "project").result(), "no projects"),
        (lambda: rest.assign_session_project(session, "project").result(), "no projects"),
        (lambda: rest.list_training_runs(project_id="project").result(), "leave project_id out"),
        (lambda: rest.export_session_trace(session).result(), "no traces"),
        (lambda: rest.search_sessions(tinker.types.SessionSearchRequest()).result(), "list_sessions"),
        (lambda: admin.get_audit_log().result(), "no audit log"),
        (lambda: admin.get_billing_usage("2026-01-01", "2026-02-01").result(), "bills nothing"),
        (lambda: admin.get_current_checkpoint_storage_usage().result(), "list_user_checkpoints"),
    ):
        with pytest.raises(tinker.BadRequestError, match=reason):
            call()
    with pytest.raises(RuntimeError, match="requires JWT auth"):
        rest.whoami().result()
    assert service.create_sampling_client(base_model=engine.model).result().get_base_model() == engine.model


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_every_refusal_is_json_and_final(method: str, path: str, http: httpx.Client) -> None:
    answer = http.request(method, path, json={} if method != "GET" else None)
    assert answer.status_code == 400
    assert answer.json() == {"detail": REFUSED[method, path]}


def test_runs_samplers_and_sessions_are_described(
    service: tinker.ServiceClient, new_model: NewModel, rest: tinker.RestClient, engine: "RunningEngine"
) -> None:
    client = new_model(service, user_metadata={"who": "me"})
    path = client.save_weights_for_sampler("s").result().path
    run = rest.get_training_run_by_tinker_path(path).result()
    assert (run.training_run_id, run.base_model, run.lora_rank) == (client.model_id, engine.model, 8)
    assert run.last_sampler_checkpoint is not None
    assert run.last_sampler_checkpoint.tinker_path == path
    info = rest.get_weights_info_by_tinker_path(path).result()
    assert (info.base_model, info.lora_rank, info.train_unembed) == (engine.model, 8, False)
    sampler = service.create_sampling_client(model_path=path).result()
    session = client.model_id.split(":")[0]
    found = rest.get_session(session).result()
    assert found.training_run_ids == [client.model_id]
    described = rest.get_sampler(found.sampler_ids[0]).result()
    assert (described.model_path, described.base_model) == (path, sampler.get_base_model())
    assert session in rest.list_sessions(limit=1000).result().sessions


@pytest.mark.parametrize("name", ["..", "../../x", "%2e%2e", "..%2f..%2frun.json", "a%00b", ".hidden", "x" * 200])
def test_names_in_urls_cannot_leave_the_store(name: str, http: httpx.Client, engine: "RunningEngine") -> None:
    before = sorted(engine.store.rglob("*"))
    for run in ("x:train:0", "..", "%2e%2e"):
        one = f"training_runs/{run}/checkpoints/weights/{name}"
        for method, path in (
            ("DELETE", one),
            ("PUT", f"{one}/ttl"),
            ("POST", f"{one}/publish"),
            ("GET", f"{one.replace('/weights/', '/external_weights/')}/external_weights_urls"),
        ):
            answer = http.request(method, path, json={"ttl_seconds": 1} if method == "PUT" else None)
            assert answer.status_code in (404, 405), (method, path, answer.text)
    assert sorted(engine.store.rglob("*")) == before
