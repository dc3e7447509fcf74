"""What an epoch costs: FLOPs, memory and hours by model size, computed from the models' published shapes.

    python benchmarks/costs.py [--measured results/engine.json] [--json results/scaling.json]

Nothing is timed here. Work is rows x tokens x FLOPs per token, with the formula of ``engine_products.py`` at rank 32.
Hours follow from two rates: what the small model reached on two CPU cores (``--measured``; larger matrices rather run
faster), and what is assumed of one GPU. Memory is that of our engine's way of training: frozen weights; the adapter
with its copy, gradient and two moments; and the activations of one micro-batch of the CPU that the backward pass needs.
"""

import argparse
from pathlib import Path
from typing import Any

from engine_products import flops_per_token, linear_layers
from engine_setup import RANK
from figures import read_json, write
from rich.console import Console
from rich.table import Table

from tinkersql.engine.attention import Heads
from tinkersql.engine.llama import LlamaConfig
from tinkersql.engine.training import MICRO_BATCH_TOKENS
from tinkersql.engine.unembedding import LOGIT_POSITIONS

ROWS, TOKENS, WEIGHTED = 79_000, 92, 0.33
"""One epoch of the exercise: rows, tokens of a row, and the share of them that carries weight."""

GPU_RATE = 200e12
"""FLOP/s assumed of a GPU in training: a fifth of an H100's dense bfloat16 rate. Models below 1B reach less."""
SHORT_RUN = 1600
"""Rows of a default run."""


def shape(layers: int, hidden: int, inner: int, heads: tuple[int, int, int], vocab: int, tied: bool) -> LlamaConfig:
    return LlamaConfig(vocab, hidden, inner, layers, Heads(*heads), 1e-5, 8192, tied, (), ())


MODELS = {
    "SmolLM2-135M": shape(30, 576, 1536, (9, 3, 64), 49152, True),
    "SmolLM2-360M": shape(32, 960, 2560, (15, 5, 64), 49152, True),
    "SmolLM2-1.7B": shape(24, 2048, 8192, (32, 32, 64), 49152, True),
    "Llama-3.2-1B": shape(16, 2048, 8192, (32, 8, 64), 128256, True),
    "Llama-3.2-3B": shape(28, 3072, 8192, (24, 8, 128), 128256, True),
    "Llama-3.1-8B": shape(32, 4096, 14336, (32, 8, 128), 128256, False),
    "Llama-3.1-70B": shape(80, 8192, 28672, (64, 8, 128), 128256, False),
}
"""From the models' public config.json files."""


def parameters(config: LlamaConfig) -> int:
    """Weights of the base model."""
    *blocks, unembed = linear_layers(config, 0)
    linear = sum(count * inputs * sum(sizes) for _, inputs, sizes, count, _ in blocks)
    norms = (2 * config.layers + 1) * config.hidden_size
    return linear + norms + unembed[1] * config.vocab_size * (1 if config.tied_embeddings else 2)


def adapter_parameters(config: LlamaConfig, rank: int) -> int:
    """Weights of a LoRA adapter on all linear layers but the unembedding."""
    blocks = linear_layers(config, rank)[:-1]
    return sum(count * rank * (len(sizes) * inputs + sum(sizes)) for _, inputs, sizes, count, _ in blocks)


def activation_elements(config: LlamaConfig) -> int:
    """Numbers that one token leaves for the backward pass, over all layers.

    Of a block: its two inputs to norms and the residual between them (float32, so counted twice), four inputs of linear
    layers, fused qkv, attention output, gate and up, and what the LoRA factors project down to.
    """
    hidden, inner, size = config.hidden_size, config.intermediate_size, config.heads.size
    queries, keys = config.heads.queries * size, config.heads.keys * size
    block = 2 * 2 * hidden + 2 * hidden + 2 * (queries + 2 * keys) + queries + 3 * inner + 7 * RANK
    return config.layers * block


def cost(config: LlamaConfig, bytes_per_weight: int, cpu_rate: float) -> dict[str, float]:
    """FLOPs of an epoch, gigabytes of memory by use, and hours at both rates."""
    weights, adapter = parameters(config), adapter_parameters(config, RANK)
    per_token = flops_per_token(config, RANK, WEIGHTED)
    flops = ROWS * TOKENS * per_token
    memory = {
        "weights": weights * bytes_per_weight,
        "adapter": adapter
        * (4 * 4 + bytes_per_weight),  # masters, gradient, two moments; the copy that is computed with
        "activations": MICRO_BATCH_TOKENS["cpu"] * activation_elements(config) * bytes_per_weight,
        "logits": 2 * LOGIT_POSITIONS["cpu"] * config.vocab_size * 4,
    }
    return {
        "parameters": weights,
        "adapter_parameters": adapter,
        "gflop_per_token": round(per_token / 1e9, 2),
        "epoch_pflop": round(flops / 1e15, 1),
        **{f"{name}_gb": round(size / 1e9, 2) for name, size in memory.items()},
        "memory_gb": round(sum(memory.values()) / 1e9, 1),
        "cpu_minutes_of_a_short_run": round(SHORT_RUN / ROWS * flops / cpu_rate / 60, 1),
        "cpu_hours_of_an_epoch": round(flops / cpu_rate / 3600, 1),
        "gpu_hours_of_an_epoch": round(flops / GPU_RATE / 3600, 2),
    }


def cpu_tokens_per_second(path: Path) -> float:
    """The rate of training in a result of ``engine.py``, or of a run with the default model."""
    training = read_json(path)["training"]
    if "ours_against_best_trl" in training:
        return training["ours_against_best_trl"]["ours"]["median"]
    return training["tokens_per_second"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measured", type=Path, default=Path("results/engine.json"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    tokens_per_second = cpu_tokens_per_second(options.measured)
    cpu_rate = tokens_per_second * flops_per_token(MODELS["SmolLM2-135M"], RANK, WEIGHTED)
    figures: dict[str, Any] = {
        "command": f"python benchmarks/costs.py --measured {options.measured} --json results/scaling.json",
        "computed": "from published shapes, a measured CPU rate and an assumed GPU rate; nothing here was timed",
        "rows": ROWS,
        "tokens_per_row": TOKENS,
        "weighted_share": WEIGHTED,
        "rank": RANK,
        "short_run_rows": SHORT_RUN,
        "cpu_tokens_per_second": tokens_per_second,
        "cpu_gflop_per_second": round(cpu_rate / 1e9),
        "gpu_tflop_per_second": GPU_RATE / 1e12,
        "models": {name: cost(config, 2, cpu_rate) for name, config in MODELS.items()},
    }
    shown = (
        "parameters",
        "gflop_per_token",
        "epoch_pflop",
        "memory_gb",
        "cpu_hours_of_an_epoch",
        "gpu_hours_of_an_epoch",
    )
    table = Table("model", "parameters", *[name.replace("_", " ") for name in shown])
    for name, found in figures["models"].items():
        table.add_row(name, f"{found['parameters']:,}", *[f"{found[column]:,}" for column in shown])
    Console(highlight=False, width=140).print(table)
    write(options.json, figures)


if __name__ == "__main__":
    main()
