"""How fast this machine multiplies matrices in training's own shapes, for ``benchmarks/engine_products.py``.

A job is one fused linear layer, as often as the model has it: ``{"dtype", "threads", "rows", "inputs", "sizes",
"layers", "rank"}``. ``sizes`` are the outputs of its fused parts; rank 0 means no adapter. Every layer has weights of
its own, so that they come from memory as they do in training.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from answering import answer_jobs
from torch import Tensor
from torch.nn import functional


@torch.no_grad()
def timed(job: dict[str, Any]) -> dict[str, float]:
    """Seconds for all layers: ``x w'`` (forward), ``dy w`` (backward), and the six products of each LoRA pair."""
    torch.set_num_threads(job["threads"])
    dtype, rows, inputs, rank = getattr(torch, job["dtype"]), job["rows"], job["inputs"], job["rank"]

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape).to(dtype)

    weights = [random(sum(job["sizes"]), inputs) for _ in range(job["layers"])]
    x, dy = random(rows, inputs), random(rows, sum(job["sizes"]))
    found = {
        "forward": clocked(lambda weight: functional.linear(x, weight), weights),
        "backward": clocked(lambda weight: dy @ weight, weights),
    }
    if rank:
        low, all_low = random(rows, rank), random(rows, rank * len(job["sizes"]))

        def lora(factors: tuple[Tensor, list[Tensor]]) -> None:
            a, bs = factors
            functional.linear(x, a)
            _ = all_low.t() @ x, all_low @ a
            for b, part in zip(bs, dy.split(job["sizes"], 1), strict=True):
                _ = low @ b.t(), part.t() @ low, part @ b

        factors = [(random(all_low.shape[1], inputs), [random(n, rank) for n in job["sizes"]]) for _ in weights]
        found["lora"] = clocked(lora, factors)
    return found


def clocked(product: Callable[[Any], object], weights: list[Any]) -> float:
    """Seconds for all weights, after one of them has warmed up what can be."""
    product(weights[0])
    started = time.perf_counter()
    for weight in weights:
        product(weight)
    return time.perf_counter() - started


if __name__ == "__main__":
    answer_jobs(timed)
