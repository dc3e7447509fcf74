"""What the parts of the engine's benchmark share: the machine, the rows, the server under test, peers, and ratios."""

import json
import os
import secrets
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import torch
from rich.console import Console
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tinkersql import models
from tinkersql.corpus import Corpus
from tinkersql.corpus import reading as corpus_reading
from tinkersql.prompts import Prompts, encode_prompt
from tinkersql.settings import TEMPLATE

PEERS = Path(__file__).parent / "peers"
LONGEST = 512
"""Longer rows are left out, because TRL's packing would cut them."""
RANK = 32


@dataclass(frozen=True)
class Bench:
    """What every part is given. rows: (prompt tokens, completion tokens); questions: prompt tokens."""

    console: Console
    model: models.Model
    tokenizer: PreTrainedTokenizerBase
    rows: list[tuple[list[int], list[int]]]
    questions: list[list[int]]
    threads: int
    repetitions: int
    quick: bool
    scratch: Path
    peer_python: Path

    @property
    def dtypes(self) -> tuple[str, ...]:
        """All that the engine computes in."""
        return ("float32", "bfloat16")


def load_rows(data: Path | None, tokenizer: PreTrainedTokenizerBase, rows: int, questions: int) -> tuple[list, list]:
    """Rows to train on and prompts to answer, of the built-in data or of a file, in a fixed random order."""
    corpus = Corpus(corpus_reading.read_file(data), str(data), "") if data else corpus_reading.built_in()
    prompts = Prompts(TEMPLATE)
    examples = Random(0).sample(corpus.examples, min(len(corpus.examples), 2 * rows + questions))
    encoded = [
        (
            encode_prompt(tokenizer, prompts.prompt(example)),
            tokenizer.encode(prompts.completion(example), add_special_tokens=False),
        )
        for example in examples
    ]
    short = [pair for pair in encoded if len(pair[0]) + len(pair[1]) <= LONGEST]
    return short[:rows], [prompt for prompt, _ in short[rows : rows + questions]]


def load_tokenizer(model: models.Model) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(model.folder)


def machine(threads: int) -> dict[str, Any]:
    """The processor and what of it matters to matrix products; versions of what was compared."""
    processor = _processor()
    flags = set(processor.get("flags", "").split())
    matters = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "amx_int8")
    return {
        "processor": processor.get("model name", "unknown"),
        "cores": os.cpu_count(),
        "threads": threads,
        "flags": [flag for flag in matters if flag in flags],
        "torch_capabilities": {k: v for k, v in torch.cpu.get_capabilities().items() if v not in (False, None)},
        "bfloat16_in_hardware": machine_has_bfloat16(),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {name: version(name) for name in ("torch", "transformers", "tinker", "trl", "peft")},
    }


def machine_has_bfloat16() -> bool:
    """Whether products in bfloat16 are computed in hardware; where not, they are emulated and very slow."""
    able = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))


def _processor() -> dict[str, str]:
    """The first processor in /proc/cpuinfo; nothing where there is no such file."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").split("\n\n")[0].splitlines() if path.is_file() else []
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


class Peer:
    """A process that answers JSON jobs, one line each: see ``peers/answering.py``."""

    def __init__(self, script: str, log: Path, python: Path | None = None, threads: int = 0) -> None:
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
        environment.setdefault("OMP_WAIT_POLICY", "passive")  # as our engine sets it
        if threads:
            environment["OMP_NUM_THREADS"] = str(threads)
        self._log = log.open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            [str(python or sys.executable), str(PEERS / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
        )

    def do(self, **job: Any) -> dict[str, Any]:
        """The answer to a job; ``{"error": ...}`` where it failed or the process died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return json.loads(line) if line else {"error": f"the process ended with status {self._process.wait()}"}

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


@contextmanager
def engine(bench: Bench, dtype: str) -> Iterator[Any]:
    """Our server in a process of its own; yields the SDK's client of it, whose base model is ``bench.model.name``."""
    import tinker

    key = f"tml-{secrets.token_urlsafe(24)}"
    command = [
        *(sys.executable, "-m", "tinkersql.engine", "--exit-with-parent", "--dtype", dtype),
        *("--logprobs", "weighted"),  # as `tinkersql run` starts it, and as TRL computes them
        *("--model-folder", str(bench.model.folder), "--model-name", bench.model.name),
        *("--store", str(bench.scratch / "store"), "--threads", str(bench.threads)),
    ]
    with (bench.scratch / f"engine-{dtype}.log").open("w") as log:
        environment = {**os.environ, "TINKERSQL_SERVER_KEY": key}
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            client = tinker.ServiceClient(base_url=json.loads(process.stdout.readline())["base_url"], api_key=key)
            yield client
            client.close("success").result()
        finally:
            process.stdin.close()
            process.wait(timeout=30)


def spread(values: Sequence[float], digits: int = 1) -> dict[str, Any]:
    """Median, smallest, largest and number of repetitions."""
    return {
        "median": round(statistics.median(values), digits),
        "low": round(min(values), digits),
        "high": round(max(values), digits),
        "n": len(values),
    }


def interleaved(
    ours: Callable[[], float], peer: Callable[[], float], repetitions: int, digits: int = 1
) -> dict[str, Any]:
    """Rates of both, taken in turns, and ours / peer pair by pair, so that a slow moment hits both."""
    pairs = [(ours(), peer()) for _ in range(repetitions)]
    return {
        "ours": spread([a for a, _ in pairs], digits),
        "peer": spread([b for _, b in pairs], digits),
        "ratio": spread([a / b for a, b in pairs], max(2, digits)),
    }


def shown(figure: dict[str, Any]) -> str:
    """A spread as text: ``12.3 [11.0, 13.1]``."""
    return f"{figure['median']:,} [{figure['low']:,}, {figure['high']:,}]"
