"""The real ``tinkersql train`` on a tiny model, stopped and resumed from the outside."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tinkersql.console import Advance, Silent

STEPS = 60
SCHEMA = "CREATE TABLE ducks (name VARCHAR, weight REAL, pond VARCHAR)"
ROWS = [
    {"question": f"{verb} the {kind} of pond {pond}", "context": SCHEMA, "answer": f"SELECT name FROM ducks{end}"}
    for verb in ("List", "Show", "Name")
    for kind, end in (("ducks", ""), ("names", " ORDER BY name"))
    for pond in range(8)
]


@dataclass(frozen=True)
class Trainings:
    """Starts trainings in a folder of its own."""

    folder: Path
    model: Path

    def start(self, name: str, *options: str) -> subprocess.Popen[str]:
        """A training of 60 small steps over 44 examples, in passes of different order."""
        data = self.folder / "ducks.json"
        if not data.exists():
            data.write_text(json.dumps(ROWS))
        return self._open(
            *("--data", str(data), "--model", str(self.model), "--runs", str(self.folder), "--name", name),
            *("--test-size", "4", "--recipe", "", "--batch-size", "2", "--steps", str(STEPS), "--epochs", "9"),
            *("--save-every", "7", "--rank", "4", "--learning-rate", "0.01"),
            *("--validate-every", "0", *options),
        )

    def reinforce(self, name: str, start: str, *options: str) -> subprocess.Popen[str]:
        """Reinforcement learning of 6 small steps, from the end of another training."""
        return self._open(
            *("--objective", "rl", "--from", str(self.folder / start), "--runs", str(self.folder), "--name", name),
            *("--steps", "6", "--batch-size", "2", "--group-size", "4", "--save-every", "3", "--max-tokens", "24"),
            *("--validate-every", "0", *options),
        )

    def resume(self, name: str, *options: str) -> subprocess.Popen[str]:
        """Go on with a training."""
        return self._open("--resume", str(self.folder / name), *options)

    def path(self, name: str) -> Path:
        """A training's run folder."""
        return self.folder / name

    def rows(self, name: str, file: str = "metrics") -> list[dict]:
        """The whole lines of a file of a training."""
        path = self.path(name) / f"{file}.jsonl"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def weights(self, name: str) -> bytes:
        """The adapter that a training ended with."""
        return self.checkpoint(name, -1).joinpath("adapter_model.safetensors").read_bytes()

    def checkpoint(self, name: str, index: int) -> Path:
        """The folder of a checkpoint, by its place in ``checkpoints.jsonl``."""
        run, kind, checkpoint = self.rows(name, "checkpoints")[index]["state_path"].split("/")[2:]
        return self.path(name) / "store" / run.replace(":", "_") / kind / checkpoint

    def _open(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tinkersql", "train", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


class Person(Silent):
    """Reads what is said, and ends the process, as far as a test can, when so many examples have been seen."""

    def __init__(self, dies_at: float = float("inf")) -> None:
        self.said: list[str] = []
        self.dies_at = dies_at

    def say(self, text: str) -> None:
        self.said.append(text.strip())

    @contextmanager
    def track(self, label: str, total: int | None, unit: str) -> Iterator[Advance]:  # noqa: ARG002
        seen = 0.0

        def advance(by: float = 1, note: str = "", total: int | None = None) -> None:  # noqa: ARG001
            nonlocal seen
            seen += by
            if label == "train" and seen >= self.dies_at:
                raise Death

        yield advance


class Death(BaseException):
    """Nothing catches it, so nothing is put in order."""


@pytest.fixture(scope="session")
def trainings(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Trainings:
    return Trainings(tmp_path_factory.mktemp("trainings"), tiny_model)


@pytest.fixture(scope="session")
def whole(trainings: Trainings) -> str:
    """The name of a training that nobody has disturbed."""
    ended(trainings.start("whole"))
    return "whole"


def ended(child: subprocess.Popen[str], code: int = 0) -> str:
    """What a training that ended so has said on standard error."""
    _, said = child.communicate(timeout=180)
    assert child.returncode == code, said
    assert "Traceback" not in said
    return said


def wait_until(condition: Callable[[], bool], child: subprocess.Popen[str], seconds: float = 120) -> None:
    """Wait for something to happen while a child lives."""
    deadline = time.monotonic() + seconds
    while not condition() and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def server_of(child: subprocess.Popen[str]) -> psutil.Process:
    """The embedded server that a training has started."""
    [server] = [p for p in psutil.Process(child.pid).children() if "tinkersql.engine" in p.cmdline()]
    return server


def stop_at(trainings: Trainings, name: str, child, step: int, how: str) -> str:
    """Stop a training after a step: Ctrl-C, or kill the client, the server or both; what it has said then."""
    wait_until(lambda: len(trainings.rows(name)) >= step, child)
    with suppress(ProcessLookupError, psutil.NoSuchProcess, ValueError):
        server = server_of(child)
        if how == "ctrl-c":
            child.send_signal(signal.SIGINT)
        if how in ("server", "both"):
            server.kill()
        if how in ("client", "both"):
            os.kill(child.pid, signal.SIGKILL)
    return child.communicate(timeout=120)[1]


def kill_at_random(trainings: Trainings, name: str, steps: int, rng: random.Random, *options: str) -> None:
    """Start a training, and kill and resume it at random steps and in random ways, five times or until it has ended."""
    child = trainings.start(name, *options)
    for _ in range(5):
        at = rng.randint(len(trainings.rows(name)), steps)
        stop_at(trainings, name, child, at, rng.choice(["ctrl-c", "client", "server", "both"]))
        if any(row["kind"] == "final" for row in trainings.rows(name, "checkpoints")):
            return  # it was stopped on its last lines, and nothing is left to resume
        begun = (trainings.path(name) / "plan.json").exists()
        child = trainings.resume(name) if begun else trainings.start(name, *options)
    ended(child)
