"""Fixtures that several rooms share: a hub, a tiny random Llama, and a running engine that serves it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub_server import running_hub
from tinkersql.engine import tame_torch
from tiny_model import write_tiny_model

if TYPE_CHECKING:
    import tinker

tame_torch()

# A shell that starts the tests in the background lets them ignore Ctrl-C, which some of them press.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Both HTTP transports of the SDK honour proxies, also for loopback.
for _name in ("NO_PROXY", "no_proxy"):
    os.environ[_name] = "127.0.0.1,localhost"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest --device cuda`` runs the engine's tests on a GPU."""
    parser.addoption("--device", default="cpu", choices=("cpu", "cuda"), help="where the engine computes")


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> str:
    """Where the engine under test computes."""
    return request.config.getoption("--device")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hugging Face hub on a loopback port with an empty cache; ``HF_ENDPOINT`` points to it."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    with running_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a 2-layer random Llama (hidden 64, tied embeddings, about 450 tokens, one of them `END_OF_TEXT`)."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@dataclass(frozen=True)
class RunningEngine:
    """An engine that answers on a loopback port."""

    base_url: str
    key: str
    model: str
    store: Path

    @contextlib.contextmanager
    def client(self) -> Iterator[tinker.ServiceClient]:
        """The unmodified SDK's client of this engine."""
        import tinker

        with tinker.ServiceClient(base_url=self.base_url, api_key=self.key) as client:
            yield client


@pytest.fixture(scope="session")
def start_engine(tiny_model: Path, device: str) -> Callable[..., contextlib.AbstractContextManager[RunningEngine]]:
    """Start an engine in this process: ``with start_engine(store, **options) as engine``."""
    from tinkersql.engine.server import EngineServer, Options

    @contextlib.contextmanager
    def start(store: Path, aliases: tuple[str, ...] = (), **options: Any) -> Iterator[RunningEngine]:
        key, model = "tml-test-key", "test/tiny-llama"
        defaults: dict[str, Any] = {"device": device, "dtype": "float32", "threads": 1, "poll_seconds": 1.0}
        server = EngineServer(
            Options(model_folder=tiny_model, names=(model, *aliases), store=store, key=key, **defaults | options)
        )
        ready = threading.Event()
        thread = threading.Thread(target=server.run, args=(ready.set,), daemon=True)
        thread.start()
        assert ready.wait(30)
        try:
            yield RunningEngine(server.base_url, key, model, store)
        finally:
            server.stop()
            thread.join(30)
            assert not thread.is_alive()

    return start


@pytest.fixture(scope="session")
def engine(
    start_engine: Callable[..., contextlib.AbstractContextManager[RunningEngine]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningEngine]:
    """One engine for all tests that need no options of their own; it serves `tiny_model` in float32."""
    with start_engine(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="session")
def make_data() -> Callable[..., list[tinker.Datum]]:
    """Random training data, the same for the same seed; a third of the weights are zero."""
    from tinker import types

    def make(count: int = 6, seed: int = 0, vocabulary: int = 400) -> list[tinker.Datum]:
        generator = random.Random(seed)
        data = []
        for _ in range(count):
            length = generator.randrange(8, 40)
            tokens = generator.choices(range(vocabulary), k=length + 1)
            weights = [0.0 if i < length // 3 else 1.0 for i in range(length)]
            inputs = {
                "target_tokens": types.TensorData(data=tokens[1:], dtype="int64", shape=[length]),
                "weights": types.TensorData(data=weights, dtype="float32", shape=[length]),
            }
            data.append(types.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=inputs))
        return data

    return make


ALIAS = "meta-llama/Llama-3.2-1B"


@pytest.fixture(scope="session")
def served(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """``tinkersql serve`` as a process of its own; its model answers to `ALIAS`, too."""
    store = tmp_path_factory.mktemp("served") / "store"
    command = [
        *(sys.executable, "-m", "tinkersql", "serve", "--json", "--port", "0", "--threads", "1", "--dtype", "float32"),
        *("--model", str(tiny_model), "--alias", ALIAS, "--store", str(store)),
    ]
    with (
        (store.parent / "log").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as child,
    ):
        try:
            assert child.stdout is not None
            ready = json.loads(child.stdout.readline())
            assert ready["aliases"] == [ALIAS]
            yield RunningEngine(ready["base_url"], ready["key"], ready["model"], store)
        finally:
            child.terminate()
            child.wait(30)
