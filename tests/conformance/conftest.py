"""Fixtures of the conformance tests: unmodified clients talk to an engine over a real socket."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import tinker

    from conftest import RunningEngine


@pytest.fixture
def service(engine: "RunningEngine") -> "Iterator[tinker.ServiceClient]":
    """A session with the shared engine."""
    with engine.client() as client:
        yield client


@pytest.fixture
def new_model(engine: "RunningEngine") -> "Callable[..., tinker.TrainingClient]":
    """Create a LoRA model in a session; every call with the same arguments creates the same model."""

    def create(service: "tinker.ServiceClient", **options: object) -> "tinker.TrainingClient":
        settings = {"rank": 8, "seed": 5, "train_unembed": False, **options}
        return service.create_lora_training_client(base_model=engine.model, **settings).result()

    return create


@pytest.fixture(scope="session")
def make_data() -> "Callable[..., list[tinker.Datum]]":
    """Random training data, the same for the same seed; a third of the weights are zero."""
    from tinker import types

    def make(count: int = 6, seed: int = 0, vocabulary: int = 400) -> "list[tinker.Datum]":
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


@pytest.fixture
def run_client(served: "RunningEngine", tmp_path: Path) -> "Callable[..., subprocess.CompletedProcess[str]]":
    """Run a client program to its end, with no more than the address and the key: ``run_client(*command)``.

    beside: a folder next to the installed packages, whose packages come first. Fails where the program fails, unless
    `fails` says that it shall.
    """

    def run(*command: str | Path, beside: str | None = None, fails: bool = False) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "TINKER_BASE_URL": served.base_url, "TINKER_API_KEY": served.key}
        environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub"), "COLUMNS": "200"}
        if beside is not None:
            folder = Path(sys.prefix) / beside
            assert (folder / "installed").is_file(), f"{folder} is missing: `make test-slow` installs it"
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
        done = subprocess.run(
            [str(part) for part in command], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert (done.returncode != 0) == fails, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    return run
