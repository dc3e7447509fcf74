"""What the SDK never sends: wrong keys, wrong bodies, wrong paths."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
import tinker
import zstandard

from server_process import running_server
from tinkersql.engine import bodies, protocol, samplers, server, sessions
from tinkersql.engine.rest import REFUSED
from tinkersql.engine.worker import Worker

if TYPE_CHECKING:
    from conftest import RunningEngine

POSTS = """
client/config client/dynamic_config create_session session_heartbeat sessions/x/finish telemetry create_model get_info
load_weights forward_backward optim_step save_weights save_weights_for_sampler save_weights_external
create_sampling_session asample retrieve_future cancel_future weights_info no_such_endpoint
"""
GETS = """
healthz get_server_capabilities sessions sessions/x samplers/x training_runs training_runs/x training_runs/x/checkpoints
checkpoints
"""
CHANGES = (
    ("DELETE", ""),
    ("PUT", "/ttl"),
    ("POST", "/publish"),
    ("DELETE", "/publish"),
    ("GET", "/external_weights_urls"),
)
ENDPOINTS = [("POST", path) for path in POSTS.split()] + [("GET", path) for path in GETS.split()]
ENDPOINTS += [(method, f"training_runs/x/checkpoints/weights/y{end}") for method, end in CHANGES]
ENDPOINTS += REFUSED


PROMPT = {"chunks": [{"tokens": [5, 6, 7], "type": "encoded_text"}]}


def client_of(engine: "RunningEngine") -> httpx.Client:
    base = f"{engine.base_url}/api/v1/"
    return httpx.Client(base_url=base, headers={"X-API-Key": engine.key}, trust_env=False, timeout=60)


@pytest.fixture
def http(engine: "RunningEngine") -> Iterator[httpx.Client]:
    with client_of(engine) as client:
        yield client


@pytest.fixture
def sampler(http: httpx.Client, engine: "RunningEngine") -> Iterator[str]:
    """The id of a sampler of the base model, in a session of its own."""
    session = http.post("create_session", json={}).json()["session_id"]
    body = {"session_id": session, "sampling_session_seq_id": 0, "base_model": engine.model}
    yield http.post("create_sampling_session", json=body).json()["sampling_session_id"]
    http.post(f"sessions/{session}/finish", json={})


def answer_of(http: httpx.Client, future: dict[str, Any]) -> httpx.Response:
    """The answer of a future, however long it takes."""
    while (answer := http.post("retrieve_future", json={"request_id": future["request_id"]})).status_code == 408:
        pass
    return answer


def result(http: httpx.Client, future: dict[str, Any]) -> dict[str, Any]:
    """The JSON answer of a future."""
    return answer_of(http, future).json()


@pytest.mark.parametrize("key", [None, "", "tml-", "tml-test-key2", "TML-TEST-KEY", "ÿ".encode("latin-1")])
def test_every_endpoint_requires_the_key(key: str | bytes | None, engine: "RunningEngine") -> None:
    headers = {} if key is None else {b"X-API-Key": key if isinstance(key, bytes) else key.encode()}
    with httpx.Client(base_url=f"{engine.base_url}/api/v1/", headers=headers, trust_env=False) as client:
        for method, path in ENDPOINTS if key is None else ENDPOINTS[::7]:
            refused = client.request(method, path, content=b"{}" if method == "POST" else None)
            assert refused.status_code == 401, path
            assert "X-API-Key" in refused.json()["detail"]


def test_healthz_answers_who_has_the_key(http: httpx.Client) -> None:
    assert http.get("healthz").json() == {"status": "ok"}


def test_the_sdk_says_that_its_key_is_wrong(engine: "RunningEngine") -> None:
    with pytest.raises(tinker.AuthenticationError, match="missing or wrong"):
        tinker.RestClient(base_url=engine.base_url, api_key="tml-wrong").get_server_capabilities().result()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"{}", b"\xff\xfe", b"[" * 100_000, b"NaN"])
def test_bodies_that_make_no_sense_are_refused_with_json(body: bytes, http: httpx.Client) -> None:
    for method, path in ENDPOINTS:
        if method == "POST":
            answer = http.post(path, content=body)
            assert answer.status_code < 500, (path, answer.text)
            if answer.status_code >= 400:
                assert answer.json()["detail"]
    assert http.get("healthz").status_code == 200


@pytest.mark.parametrize("half", [b"\\ud800", b"\xed\xa0\x80"])
def test_half_of_a_surrogate_pair_is_refused_before_it_is_stored(half: bytes, http: httpx.Client, sampler: str) -> None:
    session = sampler.split(":")[0]
    model = {"session_id": session, "model_seq_id": 0, "base_model": "test/tiny-llama", "lora_config": {"rank": 1}}
    model_id = http.post("create_model", json=model).json()["model_id"]
    save: dict[str, Any] = {"model_id": model_id, "seq_id": 1, "path": "x"}
    sample = {"sampling_session_id": sampler, "seq_id": 0, "prompt": PROMPT}
    for path, body in (
        ("create_session", {"display_name": "HALF"}),
        ("create_session", {"user_metadata": {"HALF": "x"}}),
        ("create_model", {**model, "model_seq_id": 1, "user_metadata": {"a": {"b": ["HALF"]}}}),
        ("save_weights", {**save, "user_metadata": {"a": "HALF"}}),
        ("asample", {**sample, "sampling_params": {"stop": ["HALF"]}}),
    ):
        refused = http.post(path, content=json.dumps(body).encode().replace(b"HALF", half))
        assert refused.status_code == 422, path
        assert "\n" not in refused.json()["detail"]
    assert http.get("training_runs").status_code == http.get("sessions").status_code == 200
    whole = {**save, "user_metadata": {"a": "\U0001f600"}}  # a pair, and its number is still free
    assert "path" in result(http, http.post("save_weights", json=whole).json())
    assert http.get(f"training_runs/{model_id}/checkpoints").json()["checkpoints"][0]["user_metadata"] == {
        "a": "\U0001f600"
    }


def test_an_unforeseen_failure_to_read_a_sample_is_its_answer(
    http: httpx.Client, sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    sample = {"sampling_session_id": sampler, "prompt": PROMPT, "sampling_params": {"max_tokens": 2}}
    with monkeypatch.context() as patched:
        patched.setattr(protocol.Sample, "request", fail)
        failed = result(http, http.post("asample", json={**sample, "seq_id": 0}).json())
    assert (failed["category"], "ran out of memory" in failed["error"]) == ("server", True)
    next_one = http.post("asample", json={**sample, "seq_id": 1}).json()
    assert answer_of(http, next_one).headers["content-type"] == "application/x-protobuf"


def test_samples_in_flight_are_counted_not_requests(
    http: httpx.Client, sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samplers, "MAX_WAITING_SAMPLES", 8)
    monkeypatch.setattr(Worker, "sample", lambda *_: None)  # they wait for ever

    def sample(number: int, count: int) -> httpx.Response:
        body = {"sampling_session_id": sampler, "seq_id": number, "prompt": PROMPT, "num_samples": count}
        return http.post("asample", json=body)

    first, second = sample(0, 4), sample(1, 4)
    assert (first.status_code, second.status_code) == (200, 200)
    assert sample(2, 1).status_code == 429
    http.post("cancel_future", json={"request_id": first.json()["request_id"]})
    assert sample(2, 1).status_code == 200
    assert sample(3, 3).status_code == 200
    assert sample(4, 1).status_code == 429


def test_reading_does_not_keep_a_session_alive(
    start_engine: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SWEEP_SECONDS", 0.1)
    monkeypatch.setattr(sessions, "IDLE_SECONDS", 1.0)
    with start_engine(tmp_path / "store") as engine, client_of(engine) as http:
        read, living = (http.post("create_session", json={}).json()["session_id"] for _ in range(2))
        body = {"session_id": read, "sampling_session_seq_id": 0, "base_model": engine.model}
        sampler = http.post("create_sampling_session", json=body).json()["sampling_session_id"]
        deadline = time.monotonic() + 60
        while {http.get(f"sessions/{read}").status_code, http.get(f"samplers/{sampler}").status_code} == {200}:
            http.post("session_heartbeat", json={"session_id": living})
            assert time.monotonic() < deadline
        assert http.get(f"sessions/{read}").status_code == 404


def test_unknown_paths_and_methods_are_json_too(http: httpx.Client) -> None:
    assert http.get("nothing/here").json() == {"detail": "Not Found"}
    assert http.get("asample").status_code == 405


def test_unknown_ids_are_named(http: httpx.Client) -> None:
    assert http.post("retrieve_future", json={"request_id": "gone"}).status_code == 410
    assert http.post("session_heartbeat", json={"session_id": "gone"}).status_code == 410
    assert http.post("optim_step", json={"model_id": "gone", "seq_id": 1}).status_code == 404
    assert "gone" in http.get("samplers/gone").json()["detail"]
    assert http.get("training_runs/gone").status_code == 404
    assert http.post("sessions/gone/finish", json={}).status_code == 200


def test_a_body_that_is_too_large_is_refused(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 1 << 20)
    assert http.post("telemetry", content=b"x" * (1 << 20)).status_code == 200
    assert http.post("telemetry", content=b"x" * ((1 << 20) + 1)).status_code == 413
    chunks = (b"x" * 65_536 for _ in range(17))  # no Content-Length
    assert http.post("telemetry", content=chunks).status_code == 413


def zstd(content: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(content)


def test_compressed_bodies_are_read(http: httpx.Client) -> None:
    headers = {"Content-Encoding": "zstd"}
    body = zstd(json.dumps({"session_id": "gone"}).encode())
    assert http.post("session_heartbeat", content=body, headers=headers).status_code == 410
    for damaged in (b"", b"x" * 100, body[:-1], body + body, body[:9] + b"\xff" + body[10:]):
        refused = http.post("session_heartbeat", content=damaged, headers=headers)
        assert refused.status_code in (400, 422), damaged
        assert refused.json()["detail"]
    gzipped = http.post("session_heartbeat", content=b"x", headers={"Content-Encoding": "gzip"})
    assert (gzipped.status_code, "'gzip'" in gzipped.json()["detail"]) == (415, True)


@pytest.mark.slow
def test_a_bomb_is_refused_before_it_grows(tiny_model: Path, tmp_path: Path) -> None:
    piece = bytes(1 << 20)
    compressor = zstandard.ZstdCompressor().compressobj()
    bomb = b"".join(compressor.compress(piece) for _ in range(4 << 10)) + compressor.flush()  # 4 GiB
    wide = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    ).compressobj()
    wide_window = wide.compress(bytes(1000)) + wide.flush()
    assert len(bomb) < 1 << 20
    with running_server(tiny_model, tmp_path / "store") as server:
        process = psutil.Process(server.child.pid)
        before = process.memory_info().rss
        for _ in range(3):
            answer = server.http.post("telemetry", content=bomb, headers={"Content-Encoding": "zstd"})
            assert (answer.status_code, "64 MiB" in answer.json()["detail"]) == (413, True)
        answer = server.http.post("telemetry", content=wide_window, headers={"Content-Encoding": "zstd"})
        assert answer.status_code == 400
        peak = int(re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())[1]) << 10
        assert peak - before < 256 << 20
        assert server.http.get("healthz").status_code == 200


def test_a_client_that_vanishes_in_the_middle_of_a_request_does_no_harm(
    engine: "RunningEngine", http: httpx.Client
) -> None:
    host, port = engine.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(
            b"POST /api/v1/asample HTTP/1.1\r\nHost: x\r\nX-API-Key: tml-test-key\r\nContent-Length: 999\r\n\r\n{"
        )
    assert http.get("healthz").status_code == 200


def test_lists_come_in_pages(engine: "RunningEngine", http: httpx.Client) -> None:
    with engine.client() as service:
        client = service.create_lora_training_client(
            base_model=engine.model, rank=2, seed=1, user_metadata={"renderer_name": "role_colon"}
        ).result()
        for name in ("a", "b", "c"):
            client.save_state(name).result()
        client.save_weights_for_sampler("a").result()
        run = http.get(f"training_runs/{client.model_id}").json()
        assert run["user_metadata"] == {"renderer_name": "role_colon"}
        assert run["last_checkpoint"]["checkpoint_id"] == "weights/c"
        assert run["last_sampler_checkpoint"]["checkpoint_id"] == "sampler_weights/a"
        rest = tinker.RestClient(base_url=engine.base_url, api_key=engine.key)
        assert len(rest.list_checkpoints(client.model_id).result().checkpoints) == 4
        assert client.model_id in [
            found.training_run_id for found in rest.list_training_runs(limit=100).result().training_runs
        ]
        info = http.post("weights_info", json={"tinker_path": f"tinker://{client.model_id}/weights/a"}).json()
        assert (info["lora_rank"], info["train_unembed"]) == (2, True)
        session = client.model_id.split(":")[0]
        assert http.get(f"sessions/{session}").json()["training_run_ids"] == [client.model_id]
    page = http.get("checkpoints", params={"limit": 2, "offset": 1}).json()
    assert len(page["checkpoints"]) == 2
    assert page["cursor"]["total_count"] >= 4
    assert http.get("checkpoints", params={"limit": "many"}).status_code == 422
    assert session not in json.dumps(http.get("sessions", params={"limit": 1000}).json())
