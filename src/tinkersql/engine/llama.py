"""A compact Llama (or Qwen2, Qwen3): the weights and the forward pass that training and sampling share.

Weights are frozen and stored fused (q, k, v in one matrix; gate and up in one). Attention is passed in by the caller,
because training attends inside packed rows and sampling attends to a cache of keys and values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from tinkersql.engine.attention import Heads
from tinkersql.engine.ops import LoraFactors, linear, rms_norm, swiglu

Adapter = Mapping[tuple[int, str], LoraFactors]
"""Low-rank updates by (layer index, "qkv" | "o" | "gate_up" | "down"), and (-1, "unembed"). Empty = the base model."""

NO_ADAPTER: Adapter = {}

ROWS = 2048
"""Rows of the unembedding in a block of `Llama.logits`."""

SHARP = 8
"""How many of the largest logits `Llama.sharp_logits` computes again."""


@dataclass(frozen=True)
class LlamaConfig:
    """The shape of a Llama, read from a Hugging Face ``config.json``."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: Heads
    norm_eps: float
    context_length: int
    tied_embeddings: bool
    inverse_frequencies: tuple[float, ...]
    """Rotary frequencies, D / 2 of them, with any rope scaling already applied."""
    end_tokens: tuple[int, ...]
    """Ids that end a text (EOS), from config.json and generation_config.json."""
    qkv_bias: bool = False
    """Whether q, k and v have a bias (Qwen2)."""
    head_norms: bool = False
    """Whether each query and key head is normalised (Qwen3)."""

    @property
    def cache_elements_per_token(self) -> int:
        """Elements of keys and values that one token leaves in the cache, over all layers."""
        return 2 * self.layers * self.heads.keys * self.heads.size


@dataclass(frozen=True)
class LlamaLayer:
    """The frozen weights of one block; matrices are [out, in]."""

    attention_norm: Tensor
    qkv: Tensor
    o: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor
    qkv_bias: Tensor | None = None
    """[(H + 2K) * D]."""
    head_norms: tuple[Tensor, Tensor] | None = None
    """Weights [D] of the norms of the query heads and of the key heads."""


class Attend(Protocol):
    """How a block attends: (layer index, fused qkv [T, (H + 2K) * D], cos, sin) -> [T, H * D]."""

    def __call__(self, layer: int, qkv: Tensor, cos: Tensor, sin: Tensor, /) -> Tensor:
        """Attend in one layer."""
        ...


class Llama:
    """A frozen model in one dtype on one device."""

    def __init__(
        self, config: LlamaConfig, embedding: Tensor, layers: list[LlamaLayer], norm: Tensor, unembedding: Tensor
    ) -> None:
        self.config = config
        self.embedding = embedding
        self.layers = layers
        self.norm = norm
        self.unembedding = unembedding
        frequencies = torch.tensor(config.inverse_frequencies, dtype=torch.float32, device=embedding.device)
        angles = torch.arange(config.context_length, device=embedding.device).float()[:, None] * frequencies
        self._cos = angles.cos().to(embedding.dtype)[:, None]
        self._sin = angles.sin().to(embedding.dtype)[:, None]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of weights and activations."""
        return self.embedding.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.device

    def hidden_states(self, tokens: Tensor, positions: Tensor, attend: Attend, adapter: Adapter) -> Tensor:
        """The final normalised hidden states [T, hidden] of packed tokens [T] at their positions [T] in their rows."""
        eps = self.config.norm_eps
        x = self.embedding[tokens].float()  # the residual stream sums up many small terms: float32 costs nothing here
        if torch.is_grad_enabled():
            x.requires_grad_()  # the LoRA gradients are a side effect of the pass back through every layer
        cos, sin = self._cos[positions], self._sin[positions]
        for i, layer in enumerate(self.layers):
            qkv = linear(rms_norm(x, layer.attention_norm, eps), layer.qkv, adapter.get((i, "qkv")), layer.qkv_bias)
            if layer.head_norms is not None:
                qkv = self._normalise_heads(qkv, *layer.head_norms)
            x = x + linear(attend(i, qkv, cos, sin), layer.o, adapter.get((i, "o")))
            gate_up = linear(rms_norm(x, layer.mlp_norm, eps), layer.gate_up, adapter.get((i, "gate_up")))
            x = x + linear(swiglu(gate_up), layer.down, adapter.get((i, "down")))
        return rms_norm(x, self.norm, eps)

    def _normalise_heads(self, qkv: Tensor, q_norm: Tensor, k_norm: Tensor) -> Tensor:
        heads, eps = self.config.heads, self.config.norm_eps
        q, k, v = qkv.view(len(qkv), -1, heads.size).split((heads.queries, heads.keys, heads.keys), 1)
        return torch.cat((rms_norm(q, q_norm, eps), rms_norm(k, k_norm, eps), v), 1).flatten(1)

    def logits(self, hidden: Tensor, adapter: Adapter) -> Tensor:
        """Next-token logits [N, vocab] in float32 of hidden states [N, hidden]; not differentiable."""
        with torch.no_grad():
            if hidden.device.type != "cpu" or self.dtype != torch.float32:
                return linear(hidden, self.unembedding, adapter.get((-1, "unembed"))).float()
            # In float32 a CPU multiplies this tall matrix up to twice as fast from the left, a block at a time.
            logits = torch.empty(len(hidden), len(self.unembedding))
            for block, into in zip(self.unembedding.split(ROWS), logits.split(ROWS, 1), strict=True):
                into.copy_((block @ hidden.t()).t())
            if (lora := adapter.get((-1, "unembed"))) is not None:
                logits.addmm_(hidden @ lora.a.t(), lora.b.t(), alpha=lora.scale)
            return logits

    def sharp_logits(self, hidden: Tensor, adapter: Adapter) -> Tensor:
        """Like `logits`, with the largest ones computed again in float32, because they decide what is sampled.

        A product in bfloat16 is rounded to steps of 1/8 where logits are large, which makes ties of near misses.
        """
        logits = self.logits(hidden, adapter)
        if self.dtype == torch.float32:
            return logits
        best = logits.topk(min(SHARP, logits.shape[1])).indices
        wide = hidden.float()[:, :, None]
        sharp = self.unembedding[best].float() @ wide
        if (lora := adapter.get((-1, "unembed"))) is not None:
            sharp += lora.scale * (lora.b[best].float() @ (lora.a.float() @ wide))
        return logits.scatter_(1, best, sharp.squeeze(2))
