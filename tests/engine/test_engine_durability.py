"""No finished checkpoint is ever lost: the server is killed at random moments, its disk is full, its memory ends."""

from __future__ import annotations

import random
import resource
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import tinker
from tinker import types
from tinker.proto import tinker_public_pb2 as pb
from tinker.proto.request_conv import forward_backward_request_to_proto

from server_process import ServerProcess, running_server

KILLS = 50
TOKENS = list(range(20, 52))
NAMES = ("a", "b", "c")


def datum() -> types.Datum:
    targets = types.TensorData(data=TOKENS[1:], dtype="int64", shape=[len(TOKENS) - 1])
    return types.Datum(model_input=types.ModelInput.from_ints(TOKENS[:-1]), loss_fn_inputs={"target_tokens": targets})


@dataclass
class Model:
    """A model in training through raw requests, which fail at once when the server dies."""

    server: ServerProcess
    model_id: str
    number: int = 0

    @classmethod
    def create(cls, server: ServerProcess, path: str | None = None) -> Model:
        session = server.post("create_session")["session_id"]
        start = {"session_id": session, "model_seq_id": 0}
        if path is None:
            future = server.post("create_model", base_model=server.model, lora_config={"rank": 2, "seed": 1}, **start)
        else:
            future = server.post("load_weights", path=path, optimizer="/weights/" in path, **start)
        return cls(server, server.result(future).raise_for_status().json()["model_id"])

    def call(self, endpoint: str, /, **body: Any) -> Any:
        self.number += 1
        future = self.server.post(endpoint, model_id=self.model_id, seq_id=self.number, **body)
        answer = self.server.result(future).json()
        assert "error" not in answer, answer
        return answer

    def run(self, *, forward_only: bool) -> bytes:
        """Log-probabilities of some text: which weights these are, to the last bit."""
        self.number += 1
        request = types.ForwardBackwardRequest(
            forward_backward_input=types.ForwardBackwardInput(data=[datum()], loss_fn="cross_entropy"),
            model_id=self.model_id,
            seq_id=self.number,
        )
        message = forward_backward_request_to_proto(request)
        message.forward_only = forward_only
        answer = self.server.http.post("forward_backward", content=message.SerializeToString())
        output = pb.ForwardBackwardOutput.FromString(self.server.result(answer.json()).content)
        return output.loss_fn_outputs[0].fields["logprobs"].data

    def train(self) -> bytes:
        self.run(forward_only=False)
        self.call("optim_step", adam_params={"learning_rate": 0.01})
        return self.run(forward_only=True)


@dataclass
class Work:
    """Saves, overwrites, trains and deletes until the server dies, and keeps book of what was acknowledged."""

    server: ServerProcess
    random: random.Random
    known: dict[str, bytes] = field(default_factory=dict)
    """Path of each checkpoint that must exist -> the weights it must hold."""
    in_flight: tuple[str, bytes | None] | None = None
    """The path at work, and the weights it will hold; None = it is being deleted."""
    acts: int = 0
    seconds: float = 0.0
    """What the last act took."""
    started: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        try:
            path = self.random.choice([None, *self.known])
            model = Model.create(self.server, path)
            weights = model.run(forward_only=True)
            assert path is None or weights == self.known[path]
            self.started.set()
            while True:
                began = time.monotonic()
                weights = self._act(model, weights)
                self.seconds = time.monotonic() - began
                self.acts += 1
        except httpx.TransportError:
            self.started.set()

    def _act(self, model: Model, weights: bytes) -> bytes:
        kind, name = self.random.choice(("weights", "sampler_weights")), self.random.choice(NAMES)
        path = f"tinker://{model.model_id}/{kind}/{name}"
        act = self.random.choice(("train", "save", "save", "save", "delete"))
        if act == "train":
            return model.train()
        if act == "delete" and self.known:
            path = self.random.choice(list(self.known))
            self.in_flight = (path, None)
            run, kind, name = path.removeprefix("tinker://").split("/")
            self.server.http.delete(f"training_runs/{run}/checkpoints/{kind}/{name}").raise_for_status()
            del self.known[path]
        elif act == "save" and (kind == "weights" or path not in self.known):
            self.in_flight = (path, weights)
            endpoint = "save_weights" if kind == "weights" else "save_weights_for_sampler"
            assert model.call(endpoint, path=name, **({"overwrite": True} if kind == "weights" else {}))["path"] == path
            self.known[path] = weights
        self.in_flight = None
        return weights


def sampled_from(server: ServerProcess, sampler: str) -> None:
    prompt = {"chunks": [{"tokens": TOKENS, "type": "encoded_text"}]}
    body = {
        "sampling_session_id": sampler,
        "seq_id": 0,
        "prompt": prompt,
        "sampling_params": {"max_tokens": 4, "stop": []},
    }
    answer = server.result(server.post("asample", **body))
    assert len(pb.SampleResponse.FromString(answer.content).sequences[0].tokens) == 4 * 4  # int32


def check(work: Work, rest: tinker.RestClient) -> None:
    """The listed checkpoints are the acknowledged ones, give or take the one in flight; and each of them works."""
    server = work.server
    listed = {checkpoint.tinker_path for checkpoint in rest.list_user_checkpoints(limit=1000).result().checkpoints}
    if work.in_flight is None:
        assert listed == set(work.known)
    else:
        path, _ = work.in_flight
        assert listed - {path} == set(work.known) - {path}
        assert path in listed or path not in work.known or work.in_flight[1] is None
    session = server.post("create_session")["session_id"]
    for number, path in enumerate(sorted(listed)):
        allowed = {work.known.get(path)}
        if work.in_flight is not None and work.in_flight[0] == path:
            allowed.add(work.in_flight[1])
        model = Model.create(server, path)
        found = model.run(forward_only=True)
        assert found in allowed
        work.known[path] = found
        assert model.train() != found
        sampler = {"session_id": session, "sampling_session_seq_id": number, "model_path": path}
        sampled_from(server, server.post("create_sampling_session", **sampler)["sampling_session_id"])
    work.known = {path: weights for path, weights in work.known.items() if path in listed}
    for ended in {session, *(model_id.split(":")[0] for model_id in listed)}:
        server.http.post(f"sessions/{ended}/finish", json={})


@pytest.mark.slow
def test_no_kill_loses_a_finished_checkpoint(tiny_model: Path, tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    generator = random.Random(seed)
    acts = unsure = 0
    with running_server(tiny_model, tmp_path / "store") as server:
        rest = tinker.RestClient(base_url=server.base_url, api_key=server.key)  # the same through all restarts
        work = Work(server, generator)
        for i in range(KILLS):
            thread = threading.Thread(target=work.run)
            work.started.clear()
            thread.start()
            assert work.started.wait(60)
            wanted = generator.randrange(6)
            while work.acts < wanted and thread.is_alive():
                time.sleep(0.001)
            time.sleep(generator.uniform(0, work.seconds))  # somewhere within an act, however fast the machine is
            server.kill()
            thread.join(60)
            assert not thread.is_alive(), f"seed {seed}, kill {i}"
            unsure += work.in_flight is not None
            server.start()
            check(work, rest)
            work.in_flight = None
            acts += work.acts
            work.acts = 0
            while len(work.known) > 8:
                path = next(iter(work.known))
                rest.delete_checkpoint_from_tinker_path(path).result()
                del work.known[path]
        left = list(server.store.rglob(".*~*"))
    assert left == [], f"seed {seed}"
    assert acts > KILLS
    assert unsure > KILLS / 10  # kills that came while a checkpoint was written or deleted


@pytest.mark.slow
def test_a_full_disk_fails_the_save_and_nothing_else(tiny_model: Path, tmp_path: Path) -> None:
    with running_server(tiny_model, tmp_path / "store") as server:
        model = Model.create(server)
        before = model.train()
        path = model.call("save_weights", path="kept")["path"]
        trained = model.train()
        files = sorted(server.store.rglob("*"))
        saves = [("save_weights", {"path": "new"}), ("save_weights", {"path": "kept", "overwrite": True})]
        saves += [("save_weights_for_sampler", {"path": "new"})]
        saves += [("save_weights_for_sampler", {"sampling_session_seq_id": 1})]
        for limit in (0, 100, 4096, 20_000):  # fails at the first file, or in the middle of a later one
            with server.limited(resource.RLIMIT_FSIZE, limit):
                for endpoint, body in saves:
                    model.number += 1
                    future = server.post(endpoint, model_id=model.model_id, seq_id=model.number, **body)
                    failed = server.result(future).json()
                    assert (failed["category"], "could not use its disk" in failed["error"]) == ("server", True)
                    assert failed["error"].count("\n") == 0
                assert model.run(forward_only=True) == trained
                assert server.http.get("healthz").status_code == 200
            assert [file for file in sorted(server.store.rglob("*")) if file.suffix == ".safetensors"] == [
                file for file in files if file.suffix == ".safetensors"
            ]
            assert list(server.store.rglob(".*~*")) == []
        with server.limited(resource.RLIMIT_FSIZE, 0):
            # A new session and its sampler cannot be recorded, and work all the same.
            session = server.post("create_session")["session_id"]
            sampler = {"session_id": session, "sampling_session_seq_id": 0, "model_path": path}
            sampled_from(server, server.post("create_sampling_session", **sampler)["sampling_session_id"])
        listed = server.http.get("checkpoints").json()["checkpoints"]
        assert [checkpoint["tinker_path"] for checkpoint in listed] == [path]
        assert Model.create(server, path).run(forward_only=True) == before
        model.call("save_weights", path="kept", overwrite=True)
        assert Model.create(server, path).run(forward_only=True) == trained


@pytest.mark.slow
def test_an_end_of_memory_fails_its_request_and_the_next_one_works(tiny_model: Path, tmp_path: Path) -> None:
    with running_server(tiny_model, tmp_path / "store") as server:
        model = Model.create(server)
        before = model.train()
        session = server.post("create_session")["session_id"]
        sampler = {"session_id": session, "sampling_session_seq_id": 0, "base_model": server.model}
        sampler_id = server.post("create_sampling_session", **sampler)["sampling_session_id"]
        sampled_from(server, sampler_id)
        used = psutil.Process(server.child.pid).memory_info().vms
        prompt = {"chunks": [{"tokens": TOKENS * 8, "type": "encoded_text"}]}
        many = {"sampling_session_id": sampler_id, "seq_id": 1, "prompt": prompt, "num_samples": 1024}
        many["sampling_params"] = {"max_tokens": 200, "stop": []}
        with server.limited(resource.RLIMIT_AS, used + (4 << 20)):
            failed = server.result(server.post("asample", **many)).json()
            assert (failed["category"], "ran out of memory" in failed["error"]) == ("server", True), failed
            assert server.http.get("healthz").status_code == 200
            sampled_from(server, sampler_id)
        assert model.run(forward_only=True) == before
        assert model.train() != before
