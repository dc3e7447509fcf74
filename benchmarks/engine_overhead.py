"""What server, wire and futures cost beside the tensor work, and how long everything takes to start."""

import os
import subprocess
import sys
import time
from typing import Any

from engine_sampling import ask_ours
from engine_setup import PEERS, RANK, Bench, Peer, engine, interleaved, shown, spread
from engine_training import datums, train_ours

from tinkersql.engine.loading import preferred_dtype

BATCH = 32


def measure_overhead(bench: Bench) -> dict[str, Any]:
    """Seconds of a training step and milliseconds of a one-token sample, through the SDK and directly, in turns."""
    bench.console.rule("Overhead of server, wire and futures", align="left")
    dtype = str(preferred_dtype()).removeprefix("torch.")
    rows = bench.rows[: len(bench.rows) // BATCH * BATCH] or bench.rows
    data, steps = datums(rows), -(-len(rows) // BATCH)
    prompts = bench.questions[:20]
    with engine(bench, dtype) as service, Peer("direct_engine.py", bench.scratch / "direct.log") as peer:
        opened = peer.do(model=str(bench.model.folder), dtype=dtype, threads=bench.threads, rank=RANK, rows=rows)
        if "error" in opened:
            raise RuntimeError(opened["error"])
        client = service.create_lora_training_client(bench.model.name, rank=RANK, seed=0, train_unembed=False).result()
        sampler = service.create_sampling_client(base_model=bench.model.name).result()

        def ours_per_step() -> float:
            return train_ours(client, data, BATCH) / steps

        def direct_per_step() -> float:
            return peer.do(batch=BATCH)["seconds"] / steps

        def ours_per_sample() -> float:
            return sum(ask_ours(sampler, [prompt], (1, []))["seconds"] for prompt in prompts) / len(prompts) * 1e3

        def direct_per_sample() -> float:
            return peer.do(prompts=prompts, max_tokens=1)["seconds"] / len(prompts) * 1e3

        for warm_up in (ours_per_step, direct_per_step, ours_per_sample, direct_per_sample):
            warm_up()
        step = interleaved(ours_per_step, direct_per_step, bench.repetitions, digits=3)
        sample_pairs = [(ours_per_sample(), direct_per_sample()) for _ in range(2 * bench.repetitions)]
    share = {name: round(step["ratio"][name] - 1, 4) for name in ("median", "low", "high")}
    sample = {
        "through_the_sdk_ms": spread([a for a, _ in sample_pairs], 2),
        "direct_ms": spread([b for _, b in sample_pairs], 2),
        "overhead_ms": spread([a - b for a, b in sample_pairs], 2),
    }
    bench.console.print(f"a step of {BATCH} examples: {shown(step['ours'])} s, directly {shown(step['peer'])} s")
    bench.console.print(f"  overhead: {share['median']:.1%} [{share['low']:.1%}, {share['high']:.1%}]")
    bench.console.print(f"a sample of one token: overhead {shown(sample['overhead_ms'])} ms")
    return {"dtype": dtype, "examples": BATCH, "step_seconds": step, "step_overhead": share, "sample": sample}


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
