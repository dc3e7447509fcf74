"""Mixed load on the embedded engine: is every request answered, and does the server's memory stay?

    python benchmarks/load.py [--seconds 600] [--json results/load.json]

A server process serves a tiny random Llama (``tests/tiny_model.py``): what is measured is the server around the model.
The official SDK sends from this process, all at the same time:

* two clients train and step, overwrite a checkpoint, and sample from a snapshot now and then;
* two clients keep 16 samples each in flight, from the base model and from a checkpoint;
* one client after another comes, creates a model, trains, saves, samples, deletes what it saved and goes.

A request is lost when its future raises anything. Resident memory is read every second. The first half is warm-up: the
server keeps answers for five minutes, so that only then it holds as much as it ever will. It fails when a request is
lost.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tinker
from rich.console import Console
from rich.progress import track
from tinker import types

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from server_process import ServerProcess, running_server  # pyright: ignore[reportMissingImports]
from tiny_model import write_tiny_model  # pyright: ignore[reportMissingImports]

ADAM = types.AdamParams(learning_rate=1e-3)
WARM_UP = 0.5
IN_FLIGHT = 16


class Book:
    """Counts what was sent and answered. Several threads write in it."""

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        self.sent: Counter[str] = Counter()
        self.lost: list[str] = []
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the load goes on."""
        return time.monotonic() < self.ends

    def ask(self, kind: str, call: Callable[[], Any]) -> Any:
        """Send a request; returns a function that waits for its answer, None where it is lost."""
        with self._lock:
            self.sent[kind] += 1
        try:
            future = call()
        except Exception as error:
            return self._note(kind, error)

        def answer() -> Any:
            try:
                return future.result()
            except Exception as error:
                return self._note(kind, error)()

        return answer

    def _note(self, kind: str, error: Exception) -> Callable[[], None]:
        with self._lock:
            self.lost.append(f"{kind}: {type(error).__name__}: {error}")
        return lambda: None


def datum(generator: random.Random) -> types.Datum:
    tokens = generator.choices(range(400), k=generator.randrange(8, 120))
    targets = types.TensorData(data=tokens[1:], dtype="int64", shape=[len(tokens) - 1])
    return types.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs={"target_tokens": targets})


def prompt(generator: random.Random) -> types.ModelInput:
    return types.ModelInput.from_ints(generator.choices(range(400), k=generator.randrange(1, 60)))


def sample(book: Book, sampler: tinker.SamplingClient, generator: random.Random) -> Callable[[], Any]:
    params = types.SamplingParams(max_tokens=generator.randrange(1, 40), temperature=1.0)
    return book.ask("sample", lambda: sampler.sample(prompt(generator), num_samples=1, sampling_params=params))


def train(book: Book, client: tinker.TrainingClient, generator: random.Random) -> None:
    data = [datum(generator) for _ in range(8)]
    passed = book.ask("forward_backward", lambda: client.forward_backward(data, "cross_entropy"))
    stepped = book.ask("optim_step", lambda: client.optim_step(ADAM))
    passed()
    stepped()


def trainer(server: ServerProcess, book: Book, seed: int) -> None:
    """One long training run."""
    generator = random.Random(seed)
    with server.client() as service:
        client = service.create_lora_training_client(base_model=server.model, rank=8, seed=seed).result()
        step = 0
        while book.is_open:
            train(book, client, generator)
            step += 1
            if step % 20 == 0:
                book.ask("save_state", lambda: client.save_state("state", overwrite=True))()
            if step % 50 == 0:
                sampler = book.ask("snapshot", client.save_weights_and_get_sampling_client)()
                sample(book, sampler, generator)()


def sampler(server: ServerProcess, book: Book, seed: int) -> None:
    """A client that keeps samples in flight."""
    generator = random.Random(seed)
    with server.client() as service:
        client = service.create_lora_training_client(base_model=server.model, rank=8, seed=seed).result()
        path = client.save_weights_for_sampler("sampler").result().path
        samplers = [
            service.create_sampling_client(base_model=server.model).result(),
            service.create_sampling_client(model_path=path).result(),
        ]
        waiting: list[Callable[[], Any]] = []
        while book.is_open:
            waiting.append(sample(book, generator.choice(samplers), generator))
            if len(waiting) > IN_FLIGHT:
                waiting.pop(0)()
        for answer in waiting:
            answer()


def visitors(server: ServerProcess, book: Book, seed: int) -> None:
    """Short sessions, one after another."""
    generator = random.Random(seed)
    rest = tinker.RestClient(base_url=server.base_url, api_key=server.key)
    while book.is_open:
        with server.client() as service:
            create = service.create_lora_training_client
            client = book.ask("create_model", lambda: create(base_model=server.model, rank=4))()  # noqa: B023
            if client is None:
                continue
            train(book, client, generator)
            saved = book.ask("save_state", lambda: client.save_state("visit"))()  # noqa: B023
            snapshot = book.ask("snapshot", client.save_weights_and_get_sampling_client)()
            if snapshot is not None:
                sample(book, snapshot, generator)()
            if saved is not None:
                book.ask("delete", lambda: rest.delete_checkpoint_from_tinker_path(saved.path))()  # noqa: B023


def measure(server: ServerProcess, seconds: float) -> dict[str, Any]:
    """Put the load on a server for so long; what was asked, lost and how the memory went."""
    process = psutil.Process(server.child.pid)
    book = Book(seconds)
    workers = [(trainer, 1), (trainer, 2), (sampler, 3), (sampler, 4), (visitors, 5)]
    threads = [threading.Thread(target=work, args=(server, book, seed)) for work, seed in workers]
    for thread in threads:
        thread.start()
    started, memory = time.monotonic(), []
    for _ in track(range(int(seconds)), "Loading", console=Console(stderr=True), transient=True):
        time.sleep(1)
        memory.append((time.monotonic() - started, process.memory_info().rss / 2**20))
    for thread in threads:
        thread.join(120)
    unfinished = sum(thread.is_alive() for thread in threads)
    times, mib = np.array(memory)[int(len(memory) * WARM_UP) :].T
    slope, _ = np.polyfit(times / 60, mib, 1)
    tenth = max(1, len(mib) // 10)
    return {
        "seconds": seconds,
        "requests": sum(book.sent.values()),
        "lost": len(book.lost),
        "stuck_clients": unfinished,
        "by_kind": dict(sorted(book.sent.items())),
        "losses": book.lost[:10],
        "memory": {
            "samples": len(mib),
            "mib_after_warm_up": round(float(mib[:tenth].mean()), 1),
            "mib_at_the_end": round(float(mib[-tenth:].mean()), 1),
            "most_mib": round(float(mib.max()), 1),
            "slope_mib_per_minute": round(float(slope), 2),
            "mib_every_10_seconds": [round(value) for _, value in memory[::10]],
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    options = parser.parse_args()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        model.mkdir()
        write_tiny_model(model)
        with running_server(model, Path(folder) / "store") as server:
            found = measure(server, options.seconds)
    found["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    found["command"] = " ".join(["python", *sys.argv])
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if found["lost"] or found["stuck_clients"] else 0)


if __name__ == "__main__":
    main()
