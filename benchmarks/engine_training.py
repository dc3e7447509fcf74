"""Training through the SDK beside TRL's SFTTrainer with PEFT, and beside what the machine can multiply."""

import statistics
import time
from collections.abc import Sequence
from typing import Any

import tinker
from engine_products import flops_per_token, product_rates
from engine_setup import LONGEST, RANK, Bench, Peer, engine, interleaved, machine_has_bfloat16, shown, spread
from rich.table import Table
from tinker import types

from tinkersql.engine.loading import load_config, preferred_dtype

BATCHES = (8, 32)
TRL_DTYPES = {"float32": "float32,plain", "bfloat16": "float32,autocast", "bfloat16 weights": "bfloat16,plain"}
"""TRL's ways to use each dtype: autocast over float32 weights is what ``bf16=True`` means."""
SCAN_SECONDS = 15.0
"""A setting of TRL ends with the step that passes this, when settings are compared; in turns it has four times that."""


def datums(rows: Sequence[tuple[list[int], list[int]]]) -> list[tinker.Datum]:
    """Rows as Datums: weight 1 on the completion, shifted by one."""
    found = []
    for prompt, completion in rows:
        tokens, weights = prompt + completion, [0.0] * len(prompt) + [1.0] * len(completion)
        inputs: Any = {"target_tokens": tokens[1:], "weights": weights[1:]}
        found.append(tinker.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=inputs))
    return found


def train_ours(client: tinker.TrainingClient, data: list[tinker.Datum], batch: int) -> float:
    """Seconds for one pass over the data; one step is always submitted ahead, as in ``tuning/loop.py``."""
    started = time.perf_counter()
    pending: list[Any] = []
    for start in range(0, len(data), batch):
        forward_backward = client.forward_backward(data[start : start + batch], "cross_entropy")
        pending.append((forward_backward, client.optim_step(types.AdamParams(learning_rate=1e-3))))
        if len(pending) > 1:
            for future in pending.pop(0):
                future.result()
    for future in pending.pop():
        future.result()
    return time.perf_counter() - started


def tokens_of(rows: Sequence[tuple[list[int], list[int]]]) -> int:
    """Tokens of the rows, which both sides are credited with; ours does not see the last of a row, TRL does."""
    return sum(len(prompt) + len(completion) for prompt, completion in rows)


def open_trl(bench: Bench, peer: Peer, dtype: str, batch: int, packing: bool, rows: int) -> dict[str, Any]:
    """Load TRL with one setting and the first rows, and take a step that does not count."""
    setting = {"dtype": TRL_DTYPES[dtype], "batch": batch, "packing": packing}
    opened = peer.do(
        model=str(bench.model.folder),
        rows=bench.rows[:rows],
        longest=LONGEST,
        rank=RANK,
        threads=bench.threads,
        **setting,
    )
    return opened if "error" in opened else peer.do(seconds=SCAN_SECONDS, steps=1)


def trl_rate(peer: Peer, seconds: float) -> float:
    """Tokens per second of one pass over the rows, or of as many steps as fit into the time."""
    answer = peer.do(seconds=seconds, steps=0)
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["tokens"] / answer["seconds"]


def scan_trl(bench: Bench) -> list[dict[str, Any]]:
    """Every setting of TRL once."""
    found = []
    for dtype in TRL_DTYPES:
        emulated = "bfloat16" in dtype and not machine_has_bfloat16()
        for batch in BATCHES[:1] if bench.quick or emulated else BATCHES:
            for packing in (False,) if emulated else (False, True):
                entry: dict[str, Any] = {"dtype": dtype, "batch": batch, "packing": packing}
                with Peer("train_trl.py", bench.scratch / "trl.log", threads=bench.threads) as peer:
                    opened = open_trl(bench, peer, dtype, batch, packing, rows=4 if emulated else len(bench.rows))
                    if "error" in opened:
                        entry["error"] = opened["error"]
                    elif emulated or opened["seconds"] > SCAN_SECONDS:  # one step says enough
                        entry["tokens_per_second"] = round(opened["tokens"] / opened["seconds"], 1)
                    else:
                        entry["tokens_per_second"] = round(trl_rate(peer, SCAN_SECONDS), 1)
                found.append(entry)
                bench.console.print(f"  TRL {entry}")
    return found


def scan_ours(bench: Bench, dtype: str) -> list[dict[str, Any]]:
    """Our engine in one dtype with both batch sizes."""
    found = []
    rows = bench.rows if dtype == "float32" or machine_has_bfloat16() else bench.rows[:4]
    data = datums(rows)
    with engine(bench, dtype) as service:
        client = service.create_lora_training_client(bench.model.name, rank=RANK, seed=0, train_unembed=False).result()
        train_ours(client, data[:8] if len(rows) > 8 else data[:1], 8)
        for batch in BATCHES if len(rows) > BATCHES[0] else BATCHES[:1]:
            repetitions = 2 if len(rows) == len(bench.rows) else 1
            rates = [tokens_of(rows) / train_ours(client, data, batch) for _ in range(repetitions)]
            found.append({"dtype": dtype, "batch": batch, "tokens_per_second": spread(rates)})
            bench.console.print(f"  ours {found[-1]}")
    return found


def measure_training(bench: Bench) -> dict[str, Any]:
    """All settings of both, the best of each in turns, and the share of the machine's rate."""
    console = bench.console
    console.rule("Training", align="left")
    total = tokens_of(bench.rows)
    weighted = sum(len(completion) for _, completion in bench.rows) / (total - len(bench.rows))
    flops = flops_per_token(load_config(bench.model.folder), RANK, weighted)
    products = {dtype: product_rates(bench, dtype, weighted) for dtype in bench.dtypes}
    console.print(f"products: { {dtype: found['gflops'] for dtype, found in products.items()} } GFLOP/s")
    ours = [entry for dtype in bench.dtypes for entry in scan_ours(bench, dtype)]
    trl = scan_trl(bench)
    best_trl = max((e for e in trl if "error" not in e), key=lambda e: e["tokens_per_second"])
    auto = str(preferred_dtype()).removeprefix("torch.")
    best_batch = max((e for e in ours if e["dtype"] == auto), key=lambda e: e["tokens_per_second"]["median"])["batch"]
    versus = against(bench, auto, best_batch, best_trl)
    table = Table("", "dtype", "batch", "packing", "tokens/s", title="tokens that are no padding", title_justify="left")
    for entry in ours:
        table.add_row("ours", entry["dtype"], str(entry["batch"]), "", shown(entry["tokens_per_second"]))
    for entry in trl:
        rate = str(entry.get("tokens_per_second", entry.get("error")))
        table.add_row("TRL", entry["dtype"], str(entry["batch"]), str(entry["packing"]), rate)
    console.print(table)
    share = versus["ours"]["median"] * flops / products[auto]["gflops"] / 1e9
    console.print(f"in turns: ours, batch {best_batch}, {shown(versus['ours'])}; best TRL {shown(versus['peer'])}")
    console.print(f"ours / best TRL: {shown(versus['ratio'])}")
    console.print(f"share of the {auto} rate of the products: {share:.1%}")
    lengths = [len(prompt) + len(completion) for prompt, completion in bench.rows]
    return {
        "rows": len(lengths),
        "tokens": total,
        "median_tokens": statistics.median(lengths),
        "weighted_share": round(weighted, 3),
        "gflop_per_token": round(flops / 1e9, 4),
        "products": products,
        "ours": ours,
        "trl": trl,
        "best_trl": best_trl,
        "auto_dtype": auto,
        "best_batch": best_batch,
        "ours_against_best_trl": versus,
        "share_of_product_rate": round(share, 3),
    }


def against(bench: Bench, dtype: str, batch: int, best: dict[str, Any]) -> dict[str, Any]:
    """Ours and the best setting of TRL in turns."""
    data, tokens = datums(bench.rows), tokens_of(bench.rows)
    with (
        engine(bench, dtype) as service,
        Peer("train_trl.py", bench.scratch / "trl.log", threads=bench.threads) as peer,
    ):
        client = service.create_lora_training_client(bench.model.name, rank=RANK, seed=0, train_unembed=False).result()
        train_ours(client, data[:batch], batch)
        open_trl(bench, peer, best["dtype"], best["batch"], best["packing"], rows=len(bench.rows))
        return interleaved(
            lambda: tokens / train_ours(client, data, batch),
            lambda: trl_rate(peer, 4 * SCAN_SECONDS),
            bench.repetitions,
        )
