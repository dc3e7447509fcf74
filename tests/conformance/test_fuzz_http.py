"""Bodies and paths that nobody thought of: never a 5xx, and the next request works."""

import contextlib
import itertools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
import zstandard
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from tinker import types
from tinker.proto import tinker_public_pb2 as pb
from tinker.proto.request_conv import forward_backward_request_to_proto

if TYPE_CHECKING:
    from conftest import RunningEngine

pytestmark = pytest.mark.slow

# No shrinking: an example means little without those before it.
FUZZ = settings(
    max_examples=60, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
ENDPOINTS = (
    *("client/config", "client/dynamic_config", "create_session", "session_heartbeat", "sessions/x/finish"),
    *("telemetry", "create_model", "get_info", "load_weights", "forward_backward", "optim_step", "save_weights"),
    *("save_weights_for_sampler", "save_weights_external", "create_sampling_session", "asample", "cancel_future"),
    *("weights_info", "retrieve_future"),
)
FIELDS = (
    *("session_id", "model_id", "seq_id", "model_seq_id", "sampling_session_seq_id", "sampling_session_id"),
    *("base_model", "path", "lora_config", "rank", "seed", "optimizer_config", "type", "user_metadata", "optimizer"),
    *("adam_params", "learning_rate", "overwrite", "ttl_seconds", "kind", "model_path", "num_samples", "prompt"),
    *("chunks", "tokens", "sampling_params", "stop", "temperature", "top_k", "top_p", "prompt_logprobs"),
    *("prompt_logprobs_last_n", "request_id", "topk_prompt_logprobs", "topk_sample_logprobs", "prompt_alt_tokens_k"),
    *("target_prompt_logprobs", "tinker_path", "display_name"),
)

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, -1, 2**31, 2**63, 2**64, 10**400])
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["", "x", "tinker://a/b/c", "tinker://a:train:0/weights/x", "../..", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=12,
)


class Probe:
    """Raw requests, and a model in training that shows whether the next request works."""

    def __init__(self, engine: "RunningEngine") -> None:
        headers = {"X-API-Key": engine.key}
        self.http = httpx.Client(base_url=f"{engine.base_url}/api/v1/", headers=headers, trust_env=False, timeout=30)
        self.engine = engine
        self.session = self.http.post("create_session", json={}).json()["session_id"]
        body = {"session_id": self.session, "model_seq_id": 0, "base_model": engine.model, "lora_config": {"rank": 1}}
        self.model = self.http.post("create_model", json=body).json()["model_id"]
        sampler = {"session_id": self.session, "sampling_session_seq_id": 0, "base_model": engine.model}
        self.sampler = self.http.post("create_sampling_session", json=sampler).json()["sampling_session_id"]
        self.used = 0
        """Numbers of training requests that the model has seen."""
        self.sample_numbers = itertools.count()
        self.sessions = [self.session]

    def number(self) -> int:
        """The next number of a training request."""
        self.used += 1
        return self.used

    def send(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        """A request that may be refused, but must be answered sensibly."""
        answer = self.http.post(path, content=content, headers=headers)
        assert answer.status_code < 500, (path, content, answer.text)
        assert answer.status_code == 200 or answer.json()["detail"]
        return answer

    def accepted(self, path: str, body: Any) -> dict[str, Any] | None:
        """The future of a request that names whom it is for; None where its text is none, which is refused at once."""
        answer = self.send(path, encoded(body))
        if answer.status_code == 422:
            assert "surrogate" in answer.text
            return None
        return answer.json()

    def what_was_stored_can_be_read(self) -> None:
        """Nothing that a request left behind breaks the lists."""
        for path in (f"sessions/{self.session}", f"training_runs/{self.model}", f"samplers/{self.sampler}"):
            assert self.http.get(path).status_code == 200, path
        for path in ("sessions", "training_runs", "checkpoints"):
            items = self.http.get(path, params={"limit": 100_000})
            assert items.status_code == 200, (path, items.text)
        for session in self.http.get("sessions", params={"limit": 100_000}).json()["sessions"]:
            assert self.http.get(f"sessions/{session}").status_code < 500, session

    def result(self, future: dict[str, Any]) -> httpx.Response:
        """The answer of a future, which must come soon, and may blame nobody but its sender."""
        for _ in range(20):
            answer = self.http.post("retrieve_future", json={"request_id": future["request_id"]})
            if answer.status_code != 408:
                assert answer.status_code == 200
                if answer.headers["content-type"] == "application/json":
                    assert answer.json().get("category", "user") == "user", answer.text
                return answer
        raise AssertionError("a request hangs")

    def next_one_works(self) -> None:
        """Training goes on with the next number."""
        step = {"model_id": self.model, "seq_id": self.number(), "adam_params": {}}
        assert "metrics" in self.result(self.http.post("optim_step", json=step).json()).json()


@pytest.fixture
def probe(engine: "RunningEngine") -> Iterator[Probe]:
    probe = Probe(engine)
    yield probe
    probe.what_was_stored_can_be_read()
    for session in probe.sessions:
        probe.http.post(f"sessions/{session}/finish", json={})
    probe.http.close()


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()  # escapes lone surrogates


@FUZZ
@given(path=st.sampled_from(ENDPOINTS), body=anything | st.dictionaries(st.sampled_from(FIELDS), anything, min_size=3))
def test_json_that_makes_no_sense(path: str, body: Any, probe: Probe) -> None:
    answer = probe.send(path, encoded(body))
    if path == "create_session" and answer.status_code == 200:
        probe.sessions.append(answer.json()["session_id"])
    probe.next_one_works()


TEXTS = st.dictionaries(st.text(st.characters(), max_size=5), anything, max_size=3)


@FUZZ
@given(said=st.fixed_dictionaries({}, optional={"user_metadata": TEXTS, "display_name": anything}))
def test_what_clients_say_can_be_read_back(said: dict[str, Any], probe: Probe) -> None:
    created = probe.send("create_session", encoded(said))
    if created.status_code == 200:
        probe.sessions.append(created.json()["session_id"])
    own = {"session_id": probe.session, "model_seq_id": probe.number(), "base_model": probe.engine.model}
    for path, body in (
        ("create_model", {**own, "lora_config": {"rank": 1}, **said}),
        ("save_weights", {"path": f"said-{probe.used}", "model_id": probe.model, "seq_id": probe.used, **said}),
    ):
        answer = probe.send(path, encoded(body))
        if answer.status_code == 200:
            probe.result(answer.json())
        elif path == "save_weights":
            probe.used -= 1
    probe.what_was_stored_can_be_read()
    probe.next_one_works()


@FUZZ
@given(
    path=st.sampled_from(["optim_step", "save_weights", "save_weights_for_sampler", "save_weights_external"]),
    body=st.dictionaries(st.sampled_from(FIELDS), anything),
)
def test_numbers_are_used_up_whatever_else_a_body_holds(path: str, body: dict[str, Any], probe: Probe) -> None:
    future = probe.accepted(path, {**body, "model_id": probe.model, "seq_id": probe.used + 1})
    if future is not None:
        probe.used += 1
        probe.result(future)
    probe.next_one_works()


@FUZZ
@given(
    body=st.dictionaries(st.sampled_from(FIELDS), anything),
    params=st.dictionaries(st.sampled_from(FIELDS), anything),
    tokens=st.lists(st.integers(-1, 10) | st.integers(), max_size=5) | anything,
)
def test_samples_that_make_no_sense(body: dict[str, Any], params: dict[str, Any], tokens: Any, probe: Probe) -> None:
    params["max_tokens"] = 3
    prompt = {"chunks": [{"tokens": tokens, "type": "encoded_text"}]}
    own = {"sampling_session_id": probe.sampler, "seq_id": next(probe.sample_numbers)}
    for content in (
        {**body, **own},
        {"prompt": prompt, "sampling_params": params, **own, "seq_id": own["seq_id"] + 10**9},
    ):
        if (future := probe.accepted("asample", content)) is not None:
            probe.result(future)
    probe.next_one_works()


def message(probe: Probe, number: int) -> bytes:
    """A training request that makes sense."""
    inputs = {"target_tokens": types.TensorData(data=[2, 3, 4], dtype="int64", shape=[3])}
    datum = types.Datum(model_input=types.ModelInput.from_ints([1, 2, 3]), loss_fn_inputs=inputs)
    request = types.ForwardBackwardRequest(
        forward_backward_input=types.ForwardBackwardInput(data=[datum], loss_fn="cross_entropy"),
        model_id=probe.model,
        seq_id=number,
    )
    return forward_backward_request_to_proto(request).SerializeToString()


@FUZZ
@given(body=st.binary(max_size=200), zstd=st.booleans(), data=st.data())
def test_protobuf_that_is_none(body: bytes, zstd: bool, data: st.DataObject, probe: Probe) -> None:
    if data.draw(st.booleans()):
        body = zstandard.ZstdCompressor().compress(body)
    probe.send("forward_backward", body, **({"Content-Encoding": "zstd"} if zstd else {}))
    probe.next_one_works()


@FUZZ
@given(data=st.data(), zstd=st.booleans())
def test_damaged_protobuf_uses_its_number_up(data: st.DataObject, zstd: bool, probe: Probe) -> None:
    number = probe.used + 1
    whole = message(probe, number)
    # The model and the number come first, and stay as they are.
    begin = len(pb.ForwardBackwardRequest(model_id=probe.model, seq_id=number).SerializeToString())
    rest = bytearray(whole[begin:])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(rest)))
        rest[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=6))
    body = whole[:begin] + rest
    with contextlib.suppress(DecodeError):
        parsed = pb.ForwardBackwardRequest.FromString(body)
        assume((parsed.model_id, parsed.seq_id) == (probe.model, number))  # a later field may replace them
    probe.used = number
    sent = zstandard.ZstdCompressor().compress(body) if zstd else body
    answer = probe.send("forward_backward", sent, **({"Content-Encoding": "zstd"} if zstd else {}))
    probe.result(answer.json())
    probe.next_one_works()


def test_a_training_request_that_is_too_large_uses_its_number_up(probe: Probe) -> None:
    for zstd in (False, True):
        body = message(probe, probe.number()) + b"\x22\x04junk" + bytes(65 << 20)
        sent = zstandard.ZstdCompressor().compress(body) if zstd else body
        answer = probe.send("forward_backward", sent, **({"Content-Encoding": "zstd"} if zstd else {}))
        assert "larger than 64 MiB" in probe.result(answer.json()).json()["error"]
        probe.next_one_works()


@FUZZ
@given(parts=st.lists(st.text(max_size=8), min_size=1, max_size=4), query=st.text(max_size=8))
def test_paths_that_lead_nowhere(parts: list[str], query: str, probe: Probe) -> None:
    for root in ("", "sessions/", "samplers/", "training_runs/", "training_runs/a:train:0/checkpoints/weights/"):
        path = root + "/".join(quote(part, safe="") for part in parts)
        for method in ("GET", "DELETE"):
            answer = probe.http.request(method, f"{path}?limit={quote(query)}&offset={quote(query)}")
            assert answer.status_code < 500, (method, path, answer.text)
    probe.next_one_works()
