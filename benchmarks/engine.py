"""How fast the engine is, beside others on the same machine, model, rows, rank and threads, in one run.

    python benchmarks/engine.py [--only training,sampling,overhead,start] [--data FILE] [--quick]
        [--json results/engine.json]

Peers: TRL's SFTTrainer with PEFT, and transformers (both in the ``dev`` extra); OpenVINO GenAI and CTranslate2, which
want an environment of their own:

    python -m venv .venv/peers
    .venv/peers/bin/pip install torch openvino-genai optimum-intel ctranslate2

Each peer runs in a process of its own, converts the model once where it must (``--scratch`` keeps that), and gets the
best of its settings that are listed in the module that drives it. Rates that are compared are taken in turns; a figure
is the median with the smallest and the largest. FILE has rows as in sql-create-context; without it they are built in.
Parts that the file of figures holds already from this machine stay in it, so that they may be measured one by one.

bfloat16 is very slow where the processor emulates it: there it is measured on a few rows only, with one setting of TRL
and without the batched engines. All helper threads sleep while they wait (OMP_WAIT_POLICY=passive), ours and the
peers', unless it is set otherwise.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")

from engine_overhead import measure_overhead, measure_start
from engine_sampling import measure_sampling
from engine_setup import Bench, load_rows, load_tokenizer, machine
from engine_training import measure_training
from figures import read_json, write
from rich.console import Console

from tinkersql import models

PARTS = {
    "training": measure_training,
    "sampling": measure_sampling,
    "overhead": measure_overhead,
    "start": measure_start,
}


def command(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """The command line that has these options; files are not named, for they lie elsewhere on another machine."""
    words = ["python benchmarks/engine.py"]
    for name, value in vars(options).items():
        if value != parser.get_default(name) and name not in ("json", "scratch", "peers"):
            words.append(f"--{name}" + ("" if value is True else f" {'FILE' if isinstance(value, Path) else value}"))
    return " ".join([*words, "--json FILE"])


def earlier(path: Path | None, about: dict[str, Any]) -> dict[str, Any]:
    """The figures that the file holds already, if they are from this machine: parts may be measured one by one."""
    if path is not None and path.is_file():
        found = read_json(path)
        same = found.get("machine", {}).get("torch_capabilities") == about["machine"]["torch_capabilities"]
        if same and found["machine"]["versions"] == about["machine"]["versions"]:
            return found | about
    return dict(about)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--data", type=Path, help="rows as in sql-create-context; the built-in ones without it")
    parser.add_argument("--rows", type=int, default=64, help="rows of one pass of training")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--quick", action="store_true", help="few rows and repetitions: to see that it works")
    parser.add_argument("--peers", type=Path, default=Path(".venv/peers/bin/python"), help="Python of the peers")
    parser.add_argument("--scratch", type=Path, help="folder for converted models and logs; else a temporary one")
    parser.add_argument("--json", type=Path, help="write the figures to this file; after each part")
    options = parser.parse_args()
    parts = options.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--only {', '.join(sorted(unknown))}: the parts are {', '.join(PARTS)}")
    if options.quick:
        options.rows, options.questions, options.repetitions = 16, 6, 2
    console = Console(highlight=False, markup=False, width=140)
    model = models.resolve()
    tokenizer = load_tokenizer(model)
    rows, questions = load_rows(options.data, tokenizer, options.rows, options.questions)
    about: dict[str, Any] = {
        "model": model.name,
        "data": "sql-create-context" if options.data else "built-in",
        "machine": machine(options.threads),
    }
    console.print(about["machine"])
    figures = earlier(options.json, about)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = (options.scratch or Path(temporary)).absolute()
        scratch.mkdir(parents=True, exist_ok=True)
        bench = Bench(
            console=console,
            model=model,
            tokenizer=tokenizer,
            rows=rows,
            questions=questions,
            threads=options.threads,
            repetitions=options.repetitions,
            quick=options.quick,
            scratch=scratch,
            peer_python=options.peers.absolute(),
        )
        for part in parts:
            started = time.perf_counter()
            figures[part] = {"command": command(parser, options)} | PARTS[part](bench)
            figures[part]["minutes"] = round((time.perf_counter() - started) / 60, 1)
            write(options.json, figures)


if __name__ == "__main__":
    main()
