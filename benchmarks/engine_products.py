"""How much of what the machine can multiply our training uses: FLOPs per token, and the rate of the products alone.

FLOPs of one trained token, 2 per multiplication, for a model of L layers whose fused linear layers map ``in`` to
``out``, made of ``parts`` (3 for q, k and v; 2 for gate and up), with vocabulary V, hidden size H, and a share c of
positions that carry weight:

    L * sum(4 in out + 6 rank (parts in + out)) + 4 c V H

Forward and the gradient of the input cost 2 in out each; the frozen weights' own gradient is not needed. The LoRA
factors take three products of 2 rank in and three of 2 rank out. Logits exist at weighted positions only. Attention
scores, norms and everything else that is no product with a weight are left out: at 100 tokens a row the scores would
add about 2 %.
"""

import statistics
from typing import Any

from engine_setup import RANK, Bench, Peer, machine_has_bfloat16

from tinkersql.engine.llama import LlamaConfig
from tinkersql.engine.loading import load_config
from tinkersql.engine.training import MICRO_BATCH_TOKENS

Layer = tuple[str, int, tuple[int, ...], int, int]
"""(name, inputs, outputs of each part, how many, rank)."""


def linear_layers(config: LlamaConfig, rank: int) -> list[Layer]:
    """The fused linear layers of one block, and the unembedding."""
    hidden, inner, size = config.hidden_size, config.intermediate_size, config.heads.size
    queries, keys = config.heads.queries * size, config.heads.keys * size
    return [
        ("qkv", hidden, (queries, keys, keys), config.layers, rank),
        ("o", queries, (hidden,), config.layers, rank),
        ("gate_up", hidden, (inner, inner), config.layers, rank),
        ("down", inner, (hidden,), config.layers, rank),
        ("unembed", hidden, (config.vocab_size,), 1, 0),
    ]


def layer_flops(layer: Layer) -> int:
    """FLOPs of one trained token in all layers of a kind."""
    _, inputs, sizes, count, rank = layer
    return count * (4 * inputs * sum(sizes) + 6 * rank * (len(sizes) * inputs + sum(sizes)))


def flops_per_token(config: LlamaConfig, rank: int, weighted: float) -> float:
    """FLOPs of training on one token, where a share ``weighted`` of positions carries weight."""
    *blocks, unembed = linear_layers(config, rank)
    return sum(map(layer_flops, blocks)) + weighted * layer_flops(unembed)


def product_rates(bench: Bench, dtype: str, weighted: float) -> dict[str, Any]:
    """GFLOP/s of the products of one micro-batch: each kind, and all together (all FLOPs / all seconds).

    The fastest of some repetitions counts: the share that training reaches shall not look better for a busy moment.
    """
    config = load_config(bench.model.folder)
    mean = statistics.mean(len(prompt) + len(completion) for prompt, completion in bench.rows)
    rows, repetitions = int(MICRO_BATCH_TOKENS["cpu"] // mean * mean), 2 if bench.quick else 5
    if dtype == "bfloat16" and not machine_has_bfloat16():
        rows, repetitions = 64, 1  # a whole micro-batch would take minutes
    kinds: dict[str, Any] = {}
    flops = seconds = 0.0
    with Peer("matrix_products.py", bench.scratch / "products.log", threads=bench.threads) as peer:
        for layer in linear_layers(config, RANK):
            name, inputs, sizes, count, rank = layer
            positions = round(rows * weighted) if name == "unembed" else rows
            job = {"dtype": dtype, "threads": bench.threads, "rows": positions, "inputs": inputs}
            job |= {"sizes": sizes, "layers": count, "rank": rank}
            answers = [peer.do(**job) for _ in range(repetitions)]
            best = {part: min(answer[part] for answer in answers) for part in answers[0]}
            frozen = 2 * count * positions * inputs * sum(sizes)
            work = {"forward": frozen, "backward": frozen, "lora": positions * layer_flops(layer) - 2 * frozen}
            kinds[name] = {part: round(work[part] / took / 1e9, 1) for part, took in best.items()}
            flops += positions * layer_flops(layer)
            seconds += sum(best.values())
    return {"tokens": rows, "gflops": round(flops / seconds / 1e9, 1), "gflops_by_product": kinds}
