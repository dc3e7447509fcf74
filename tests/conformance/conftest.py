"""Fixtures of the conformance tests: unmodified clients talk to an engine over a real socket."""

import os
import signal
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
        succeeded = done.returncode == 0 or _aborted_at_exit(done)
        assert succeeded != fails, f"{done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    return run


def _aborted_at_exit(done: "subprocess.CompletedProcess[str]") -> bool:
    """Whether the SDK's transport ended a program whose work was done: silently, and with SIGABRT.

    Before Python 3.14 a thread of pyqwest that hands over the end of an answer aborts the process when the interpreter
    is just closing down (https://github.com/curioswitch/pyqwest/issues/164). What the program did is checked anyway.
    """
    return sys.version_info < (3, 14) and done.returncode == -signal.SIGABRT and not done.stderr
