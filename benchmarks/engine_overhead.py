"""What server, wire and futures cost beside the tensor work, and how long everything takes to start."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from engine_sampling import ask_ours
from engine_setup import PEERS, RANK, Bench, Peer, engine, interleaved, shown, spread
from engine_training import datums, train_ours

from tinkersql.engine.loading import preferred_dtype

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from tiny_model import write_tiny_model  # pyright: ignore[reportMissingImports]

BATCH = 32
SAMPLES = 100


def measure_overhead(bench: Bench) -> dict[str, Any]:
    """Shares of a training step and milliseconds of a sample: through the SDK and directly, in turns."""
    bench.console.rule("Overhead of server, wire and futures", align="left")
    return {"training": _of_training(bench), "sample": _of_samples(bench)}


def _of_training(bench: Bench) -> dict[str, Any]:
    dtype = str(preferred_dtype()).removeprefix("torch.")
    rows = bench.rows[: len(bench.rows) // BATCH * BATCH] or bench.rows
    data, steps = datums(rows), -(-len(rows) // BATCH)
    with engine(bench, dtype) as service, _directly(bench, dtype) as peer:
        client = service.create_lora_training_client(bench.model.name, rank=RANK, seed=0, train_unembed=False).result()

        def ours() -> float:
            return train_ours(client, data, BATCH) / steps

        def direct() -> float:
            return peer.do(batch=BATCH)["seconds"] / steps

        ours(), direct()
        step = interleaved(ours, direct, bench.repetitions, digits=3)
    share = {name: round(step["ratio"][name] - 1, 4) for name in ("median", "low", "high")}
    bench.console.print(f"a step of {BATCH} examples: {shown(step['ours'])} s, directly {shown(step['peer'])} s")
    bench.console.print(f"  overhead: {share['median']:.1%} [{share['low']:.1%}, {share['high']:.1%}]")
    return {"dtype": dtype, "examples": BATCH, "step_seconds": step, "share": share}


def _of_samples(bench: Bench) -> dict[str, Any]:
    """Milliseconds a sample of one token costs more, one after another and with all in flight.

    Of a tiny random model: a real one's time varies by more than what is looked for.
    """
    tiny = write_tiny_model(bench.scratch / "tiny")
    bench = replace(bench, model=replace(bench.model, name="tiny", folder=tiny))
    prompts = [[1 + i % 300, 2 + i % 7, 3] for i in range(SAMPLES)]
    found: dict[str, Any] = {"model": "random Llama of two layers", "samples": SAMPLES}
    with engine(bench, "float32") as service, _directly(bench, "float32") as peer:
        sampler = service.create_sampling_client(base_model="tiny").result()
        server = next(child for child in psutil.Process().children() if "tinkersql.engine" in child.cmdline())

        def one_by_one() -> float:
            return sum(ask_ours(sampler, [prompt], (1, []))["seconds"] for prompt in prompts)

        def in_flight() -> float:
            return ask_ours(sampler, prompts, (1, []))["seconds"]

        for name, ours, at_once in (("one by one", one_by_one, 1), ("all in flight", in_flight, SAMPLES)):
            job = {"prompts": prompts, "max_tokens": 1, "at_once": at_once}
            ours(), peer.do(**job)
            before, times = _processor_seconds(server), []
            for _ in range(2 * bench.repetitions):
                times.append((ours(), peer.do(**job)["seconds"]))
            used = (_processor_seconds(server) - before) / len(times) / SAMPLES
            found[name] = {
                "overhead_ms": spread([(a - b) / SAMPLES * 1e3 for a, b in times], 2),
                "server_processor_ms": round(used * 1e3, 2),
            }
            bench.console.print(f"a sample, {name}: overhead {shown(found[name]['overhead_ms'])} ms")
            bench.console.print(f"  processor time of the server, tensor work included: {used * 1e3:.2f} ms")
    return found


def _processor_seconds(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


@contextmanager
def _directly(bench: Bench, dtype: str) -> Iterator[Peer]:
    """Our engine without a server."""
    with Peer("direct_engine.py", bench.scratch / "direct.log") as peer:
        opened = peer.do(model=str(bench.model.folder), dtype=dtype, threads=bench.threads, rank=RANK, rows=bench.rows)
        if "error" in opened:
            raise RuntimeError(opened["error"])
        yield peer


def measure_start(bench: Bench) -> dict[str, Any]:
    """Seconds until the first training step has ended, and of the commands that should answer at once."""
    bench.console.rule("Start", align="left")
    first = [sys.executable, str(PEERS / "first_step.py"), str(bench.scratch / "first-step")]
    outputs = [subprocess.run(first, check=True, capture_output=True, text=True) for _ in range(bench.repetitions + 1)]
    marks = [[float(word) for word in output.stdout.split()] for output in outputs][1:]
    found = {
        "first step begins": spread([begun for begun, _ in marks], 2),
        "first step of 32 examples is done": spread([ended for _, ended in marks], 2),
    }
    for name, figure in found.items():
        bench.console.print(f"{name}: {shown(figure)} s")
    commands = {
        "import tinkersql": [sys.executable, "-c", "import tinkersql"],
        "tinkersql --help": [sys.executable, "-m", "tinkersql", "--help"],
        "python alone": [sys.executable, "-c", ""],
    }
    for name, command in commands.items():
        seconds = [run(command) for _ in range(2 * bench.repetitions + 2)][1:]  # the first one fills the disk's cache
        found[name] = spread(seconds, 2)
        bench.console.print(f"{name}: {shown(found[name])} s")
    return found


def run(command: list[str]) -> float:
    """Seconds from the start of a process to its end."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    return time.perf_counter() - started
