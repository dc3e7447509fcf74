"""LoRA adapters: their settings, their layout in one flat vector, and their factors as the forward pass wants them.

All parameters of an adapter live in one flat float32 vector (the masters), so that an optimizer step is a handful of
vector operations. The forward pass reads a copy in the model's dtype. Modules that the model fuses (q, k, v; gate, up)
lie next to each other, so their A factors are one matrix and so are their B factors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tinkersql.engine.llama import Adapter, LlamaConfig
from tinkersql.engine.ops import LoraFactors

ALPHA = 32
"""Tinker's LoRA alpha, whatever the rank: the update is scaled by 32 / rank."""

UNEMBED = "unembed_tokens"
"""The module name of the unembedding's adapter in checkpoints (never ``lm_head``, which ties would make ambiguous)."""


@dataclass(frozen=True)
class LoraConfig:
    """What a client asks for. rank: at least 1; seed of the random A factors, None = a fresh one."""

    rank: int
    seed: int | None = None
    train_attn: bool = True
    train_mlp: bool = True
    train_unembed: bool = True

    @property
    def scale(self) -> float:
        """The factor of the low-rank update."""
        return ALPHA / self.rank


@dataclass(frozen=True)
class _Group:
    """The adapters of one fused linear layer. Offsets count elements of the flat vector."""

    key: tuple[int, str]
    modules: tuple[str, ...]
    inputs: int
    sizes: tuple[int, ...]
    start: int
    rank: int

    @property
    def a_elements(self) -> int:
        return len(self.modules) * self.rank * self.inputs

    @property
    def elements(self) -> int:
        return self.a_elements + sum(self.sizes) * self.rank

    def a(self, flat: Tensor) -> Tensor:
        return flat[self.start : self.start + self.a_elements].view(-1, self.inputs)

    def b(self, flat: Tensor) -> Tensor:
        return flat[self.start + self.a_elements : self.start + self.elements].view(-1, self.rank)


class LoraLayout:
    """Where each factor of an adapter stands in its flat vector of `size` elements."""

    def __init__(self, model: LlamaConfig, lora: LoraConfig) -> None:
        self.lora = lora
        self._groups: list[_Group] = []
        self.size = 0
        hidden, inner = model.hidden_size, model.intermediate_size
        q_size, kv_size = model.heads.queries * model.heads.size, model.heads.keys * model.heads.size
        for i in range(model.layers):
            if lora.train_attn:
                names = tuple(f"layers.{i}.self_attn.{name}_proj" for name in "qkv")
                self._add((i, "qkv"), names, hidden, (q_size, kv_size, kv_size))
                self._add((i, "o"), (f"layers.{i}.self_attn.o_proj",), q_size, (hidden,))
            if lora.train_mlp:
                names = tuple(f"layers.{i}.mlp.{name}_proj" for name in ("gate", "up"))
                self._add((i, "gate_up"), names, hidden, (inner, inner))
                self._add((i, "down"), (f"layers.{i}.mlp.down_proj",), inner, (hidden,))
        if lora.train_unembed:
            self._add((-1, "unembed"), (UNEMBED,), hidden, (model.vocab_size,))

    def _add(self, key: tuple[int, str], modules: tuple[str, ...], inputs: int, sizes: tuple[int, ...]) -> None:
        self._groups.append(_Group(key, modules, inputs, sizes, self.size, self.lora.rank))
        self.size += self._groups[-1].elements

    def initial(self) -> Tensor:
        """A fresh adapter [size], float32: A uniform in ±1/sqrt(inputs) from the seed (PEFT's default), B zero.

        With B zero the adapted model is exactly the base model.
        """
        generator = torch.Generator()
        if self.lora.seed is None:
            generator.seed()
        else:
            generator.manual_seed(self.lora.seed)
        flat = torch.zeros(self.size)
        for group in self._groups:
            bound = group.inputs**-0.5
            group.a(flat).uniform_(-bound, bound, generator=generator)
        return flat

    def adapter(self, flat: Tensor, gradient: Tensor | None = None) -> Adapter:
        """The factors as views of `flat` [size]; backward passes add to `gradient` [size] float32 where given."""
        return {
            group.key: LoraFactors(
                a=group.a(flat),
                b=group.b(flat),
                sizes=group.sizes,
                scale=self.lora.scale,
                grad_a=None if gradient is None else group.a(gradient),
                grad_b=None if gradient is None else group.b(gradient),
            )
            for group in self._groups
        }

    def tensors(self, flat: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Every factor by its name in PEFT's format, as a contiguous view of `flat` [size]."""
        for group in self._groups:
            for module, a, b in zip(
                group.modules, group.a(flat).split(self.lora.rank), group.b(flat).split(group.sizes), strict=True
            ):
                yield f"base_model.model.model.{module}.lora_A.weight", a
                yield f"base_model.model.model.{module}.lora_B.weight", b

    @property
    def target_modules(self) -> list[str]:
        """Last parts of the adapted modules' names, as PEFT's ``target_modules`` lists them."""
        return sorted({module.rsplit(".", 1)[-1] for group in self._groups for module in group.modules})
