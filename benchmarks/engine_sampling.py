"""Answering questions greedily: ours through the SDK, beside transformers one by one and beside batched engines.

All get the same prompts and the same tokens at which to stop: those whose text holds a blank line, and the end token.
Then all write a fixed number of tokens, so that early stops cannot flatter anybody.
"""

import time
from collections.abc import Callable
from typing import Any

import tinker
from engine_setup import RANK, Bench, Peer, engine, interleaved, machine_has_bfloat16, shown
from rich.table import Table
from tinker import types

from tinkersql.engine.loading import preferred_dtype

MOST_TOKENS = 150
FIXED_TOKENS = 64
SIXTEEN_BITS = ("float32", "bfloat16")
"""Computing types of the batched engines: the comparison asks for 16 bits at least."""
SCRIPTS = {"OpenVINO GenAI": "sample_openvino.py", "CTranslate2": "sample_ctranslate2.py"}
BATCHES = (64, 128)
SCAN_QUESTIONS = 100
"""On so many questions the settings of the batched engines are compared; the best one then gets all of them."""

Measure = tuple[int, list[int]]
"""(tokens at most, tokens at which to stop)."""


def stop_ids(bench: Bench) -> list[int]:
    """All tokens whose text holds a blank line, and the end token."""
    texts = bench.tokenizer.batch_decode([[i] for i in range(len(bench.tokenizer))])
    blank = [i for i, text in enumerate(texts) if "\n\n" in text]
    return [*blank, int(bench.tokenizer.eos_token_id)]  # pyright: ignore[reportArgumentType]


def ask_ours(sampler: tinker.SamplingClient, questions: list[list[int]], measure: Measure) -> dict[str, Any]:
    """All questions in flight at once."""
    most, stops = measure
    params = types.SamplingParams(max_tokens=most, temperature=0.0, stop=stops)
    started = time.perf_counter()
    futures = [sampler.sample(types.ModelInput.from_ints(tokens), 1, params) for tokens in questions]
    answers = [list(future.result().sequences[0].tokens) for future in futures]
    return {"answers": answers, "seconds": time.perf_counter() - started}


def rates(answer: dict[str, Any]) -> dict[str, float]:
    """Questions and generated tokens per second."""
    tokens = sum(map(len, answer["answers"]))
    return {
        "questions_per_second": round(len(answer["answers"]) / answer["seconds"], 2),
        "tokens_per_second": round(tokens / answer["seconds"], 1),
        "tokens": tokens,
    }


def open_peer(bench: Bench, peer: Peer, dtype: str, batch: int) -> dict[str, Any]:
    """Load a peer with one setting."""
    converted = str(bench.scratch / "converted")
    return peer.do(model=str(bench.model.folder), converted=converted, dtype=dtype, batch=batch, threads=bench.threads)


def scan(bench: Bench, measure: Measure) -> list[dict[str, Any]]:
    """Every setting of the batched engines once."""
    most, stops = measure
    job = {"prompts": bench.questions[:SCAN_QUESTIONS], "max_tokens": most, "stop_ids": stops}
    found = []
    for name, script in SCRIPTS.items():
        for dtype in SIXTEEN_BITS:
            if dtype == "bfloat16" and not machine_has_bfloat16():
                continue
            for batch in BATCHES[:1] if bench.quick else BATCHES:
                entry: dict[str, Any] = {"engine": name, "dtype": dtype, "batch": batch}
                log = bench.scratch / f"{script}.log"
                with Peer(script, log, python=bench.peer_python, threads=bench.threads) as peer:
                    answer = open_peer(bench, peer, dtype, batch)
                    if "error" not in answer:
                        peer.do(prompts=bench.questions[:4], max_tokens=8, stop_ids=stops)
                        answer = peer.do(**job)
                    entry |= answer if "error" in answer else rates(answer)
                found.append(entry)
                bench.console.print(f"  {entry}")
                if "error" in entry:
                    break
    return found


def one_by_one(bench: Bench, measure: Measure, dtype: str, count: int) -> dict[str, Any]:
    """``transformers.generate`` on the first questions only: the others would take as long each."""
    with Peer("sample_transformers.py", bench.scratch / "generate.log", threads=bench.threads) as peer:
        open_peer(bench, peer, dtype, 1)
        peer.do(prompts=bench.questions[:1], max_tokens=4, stop_ids=[])
        answer = peer.do(prompts=bench.questions[:count], max_tokens=measure[0], stop_ids=measure[1])
    return answer if "error" in answer else {"dtype": dtype, "questions": count, **rates(answer)}


def with_samplers(bench: Bench, dtype: str, use: Callable[[tinker.SamplingClient, tinker.SamplingClient], Any]) -> Any:
    """Call ``use`` with our samplers of the base model and of a fresh adapter."""
    with engine(bench, dtype) as service:
        base = service.create_sampling_client(base_model=bench.model.name).result()
        trainer = service.create_lora_training_client(bench.model.name, rank=RANK, train_unembed=False).result()
        adapted = trainer.save_weights_and_get_sampling_client().result()
        for sampler in (base, adapted):
            ask_ours(sampler, bench.questions[:4], (8, []))
        return use(base, adapted)


def measure_sampling(bench: Bench) -> dict[str, Any]:
    """Both measures: up to a blank line, and a fixed number of tokens."""
    bench.console.rule("Sampling", align="left")
    stops = stop_ids(bench)
    found: dict[str, Any] = {"questions": len(bench.questions), "stop_tokens": len(stops)}
    bench.console.print(f"{FIXED_TOKENS} tokens each")
    batched = scan(bench, (FIXED_TOKENS, []))
    found["fixed length"] = one_measure(bench, (FIXED_TOKENS, []), batched)
    bench.console.print(f"up to a blank line, {MOST_TOKENS} tokens at most")
    found["up to a blank line"] = one_measure(bench, (MOST_TOKENS, stops), batched)
    return found


def one_measure(bench: Bench, measure: Measure, batched: list[dict[str, Any]]) -> dict[str, Any]:
    """Ours in every dtype, transformers, and ours in turns with the fastest of ``batched`` at 16 bits or more."""
    auto = str(preferred_dtype()).removeprefix("torch.")
    count = 4 if bench.quick else 10
    ours: dict[str, Any] = {}
    for dtype in bench.dtypes:
        few = 50 if dtype == "float32" or machine_has_bfloat16() else 4
        subset = bench.questions if dtype == auto else bench.questions[:few]
        ours[dtype] = with_samplers(
            bench,
            dtype,
            lambda base, adapted, subset=subset: {
                "base": rates(ask_ours(base, subset, measure)),
                "with adapter": rates(ask_ours(adapted, subset, measure)),
            },
        )
        bench.console.print(f"  ours {dtype}: {ours[dtype]}")
    single = [one_by_one(bench, measure, dtype, count) for dtype in sorted({"float32", auto})]
    bench.console.print(f"  transformers.generate: {single}")
    best = max(
        (entry for entry in batched if "error" not in entry),
        key=lambda entry: entry["questions_per_second"],
        default=None,
    )
    found: dict[str, Any] = {"ours": ours, "one_by_one": single, "batched": batched, "best_batched": best}
    generate = max(entry.get("questions_per_second", 0.0) for entry in single)
    mine = ours[auto]["base"]["questions_per_second"]
    if generate:
        found["times_generate"] = round(mine / generate, 1)
    if best:
        found["against_best"], found["same_answers"] = against(bench, measure, auto, best)
    show(bench, found)
    return found


def against(bench: Bench, measure: Measure, dtype: str, best: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Questions per second in turns with the best peer, and how many answers are the same, token for token."""
    most, stops = measure
    script = SCRIPTS[best["engine"]]
    with Peer(script, bench.scratch / f"{script}.log", python=bench.peer_python, threads=bench.threads) as peer:
        open_peer(bench, peer, best["dtype"], best["batch"])
        peer.do(prompts=bench.questions[:4], max_tokens=8, stop_ids=stops)
        latest: dict[str, list[list[int]]] = {}

        def noted(who: str, answer: dict[str, Any]) -> float:
            latest[who] = answer["answers"]
            return len(answer["answers"]) / answer["seconds"]

        found = with_samplers(
            bench,
            dtype,
            lambda base, _: interleaved(
                lambda: noted("ours", ask_ours(base, bench.questions, measure)),
                lambda: noted("peer", peer.do(prompts=bench.questions, max_tokens=most, stop_ids=stops)),
                min(3, bench.repetitions),
            ),
        )
    ends = set(stops)
    pairs = zip(*([stripped(tokens, ends) for tokens in latest[who]] for who in ("ours", "peer")), strict=True)
    return found, sum(a == b for a, b in pairs)


def stripped(tokens: list[int], ends: set[int]) -> list[int]:
    """Without the token that stopped it, which some engines return and some do not."""
    return tokens[:-1] if tokens and tokens[-1] in ends else tokens


def show(bench: Bench, found: dict[str, Any]) -> None:
    table = Table("engine", "dtype", "batch", "questions/s", "tokens/s")
    for dtype, kinds in found["ours"].items():
        for kind, figure in kinds.items():
            table.add_row(f"ours, {kind}", dtype, "", *_cells(figure))
    for figure in found["one_by_one"]:
        table.add_row("transformers.generate", figure.get("dtype", ""), "1", *_cells(figure))
    for figure in found["batched"]:
        table.add_row(figure["engine"], figure["dtype"], str(figure["batch"]), *_cells(figure))
    bench.console.print(table)
    bench.console.print(f"times as fast as transformers.generate: {found.get('times_generate')}")
    if "against_best" in found:
        figure, best = found["against_best"], found["best_batched"]
        bench.console.print(f"ours / {best['engine']} {best['dtype']}: {shown(figure['ratio'])}")
        bench.console.print(f"same answers: {found['same_answers']} of {len(bench.questions)}")


def _cells(figure: dict[str, Any]) -> tuple[str, str]:
    if "error" in figure:
        return figure["error"], ""
    return str(figure["questions_per_second"]), str(figure["tokens_per_second"])
