"""Attention over packed rows, for training: where the rows stand, and how each token attends inside its own.

Linear layers see packed tokens without padding; attention pads, for the length of one call (see `Packing`).

Shapes: T packed tokens, B rows, S the longest row, H query heads, K key/value heads, D the size of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

KEEP_PROBABILITIES_UP_TO = 256
"""Rows longer than this have their attention probabilities computed again in the backward pass instead of kept."""


def rotate_(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary position embedding in place. heads: [T, heads, D]; cos, sin: [T, 1, D / 2]. -sin undoes it."""
    first, second = heads.chunk(2, -1)
    rotated = first * cos - second * sin
    second.copy_(second * cos + first * sin)
    first.copy_(rotated)
    return heads


class Packing:
    """Where the tokens of B rows of different lengths stand: packed [T, ...] <-> padded on the right [B, S, ...]."""

    def __init__(self, lengths: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.rows = len(lengths)
        self.longest = max(lengths)
        self._even = min(lengths) == self.longest
        # Worked out on the host and then moved, because a GPU would be waited for.
        counts = torch.tensor(lengths)
        within = torch.arange(self.longest)
        valid = within < counts[:, None]
        self._valid = valid.flatten().nonzero().squeeze(1).to(device)
        starts = counts.cumsum(0) - counts
        # Padded cells repeat the row's first token: causal attention never looks at them, and their output is dropped.
        self._source = torch.where(valid, starts[:, None] + within, starts[:, None]).flatten().to(device)
        self.positions = within.expand(self.rows, -1)[valid].to(device)
        """[T]: the position of each packed token in its row."""
        self.last = (starts + counts - 1).to(device)
        """[B]: where each row's last token stands among the packed ones."""

    def pad(self, packed: Tensor) -> Tensor:
        """[T, C] -> [B, S, C]; padded cells hold arbitrary finite values."""
        padded = packed if self._even else packed.index_select(0, self._source)
        return padded.view(self.rows, self.longest, -1)

    def pad_with_zeros(self, packed: Tensor) -> Tensor:
        """[T, C] -> [B, S, C]; padded cells are zero."""
        if self._even:
            return packed.view(self.rows, self.longest, -1)
        padded = packed.new_zeros(self.rows * self.longest, packed.shape[1])
        return padded.index_copy_(0, self._valid, packed).view(self.rows, self.longest, -1)

    def unpad(self, padded: Tensor) -> Tensor:
        """[B, S, C] -> [T, C]."""
        flat = padded.reshape(self.rows * self.longest, -1)
        return flat if self._even else flat.index_select(0, self._valid)


@dataclass(frozen=True)
class Heads:
    """Head counts of grouped-query attention: `queries` is a multiple of `keys`."""

    queries: int
    keys: int
    size: int

    @property
    def group(self) -> int:
        """How many query heads share one key/value head."""
        return self.queries // self.keys

    def split(self, padded: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, S, (H + 2K) * D] -> q [B*K, group*S, D], k [B*K, S, D], v [B*K, S, D]."""
        rows, longest, _ = padded.shape
        heads = padded.view(rows, longest, self.queries + 2 * self.keys, self.size)
        q, k, v = heads.split((self.queries, self.keys, self.keys), 2)
        q = q.reshape(rows, longest, self.keys, self.group, self.size).permute(0, 2, 3, 1, 4)
        return (
            q.reshape(rows * self.keys, self.group * longest, self.size),
            k.transpose(1, 2).reshape(rows * self.keys, longest, self.size),
            v.transpose(1, 2).reshape(rows * self.keys, longest, self.size),
        )

    def merge(self, q: Tensor, rows: int) -> Tensor:
        """[B*K, group*S, D] -> [B, S, H * D]."""
        grouped = q.view(rows, self.keys, self.group, -1, self.size).permute(0, 3, 1, 2, 4)
        return grouped.reshape(rows, -1, self.queries * self.size)


def _causal_probabilities(q: Tensor, k: Tensor) -> Tensor:
    """Softmax of the causal scores. q: [N, group*S, D] already scaled, k: [N, S, D] -> [N, group*S, S]."""
    longest = k.shape[1]
    scores = torch.bmm(q, k.transpose(1, 2))
    future = torch.ones(longest, longest, dtype=torch.bool, device=q.device).triu_(1)
    scores.view(len(q), -1, longest, longest).masked_fill_(future, float("-inf"))
    return scores.softmax(-1)


class _CausalAttention(Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, cos: Tensor, sin: Tensor, packing: Packing, heads: Heads) -> Tensor:
        # In place: `qkv` is the fresh output of a linear layer, whose backward does not need it.
        rotate_(qkv.view(len(qkv), -1, heads.size)[:, : heads.queries + heads.keys], cos, sin)
        q, k, v = heads.split(packing.pad(qkv))
        q = q * heads.size**-0.5
        probabilities = _causal_probabilities(q, k)
        out = packing.unpad(heads.merge(torch.bmm(probabilities, v), packing.rows))
        keep = packing.longest <= KEEP_PROBABILITIES_UP_TO
        ctx.save_for_backward(q, k, v, cos, sin, *([probabilities] if keep else []))
        ctx.packing, ctx.heads = packing, heads
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        packing: Packing = ctx.packing
        heads: Heads = ctx.heads
        q, k, v, cos, sin, *kept = ctx.saved_tensors
        probabilities = kept[0] if kept else _causal_probabilities(q, k)
        rows, longest = packing.rows, packing.longest
        d_out = packing.pad_with_zeros(grads[0]).view(rows, longest, heads.keys, heads.group, heads.size)
        d_out = d_out.permute(0, 2, 3, 1, 4).reshape(q.shape)
        d_v = torch.bmm(probabilities.transpose(1, 2), d_out)
        d_scores = torch.ops.aten._softmax_backward_data(
            torch.bmm(d_out, v.transpose(1, 2)), probabilities, -1, probabilities.dtype
        )
        d_q = torch.bmm(d_scores, k).mul_(heads.size**-0.5)
        d_k = torch.bmm(d_scores.transpose(1, 2), q)
        d_keys = (d.view(rows, heads.keys, longest, heads.size).transpose(1, 2).flatten(2) for d in (d_k, d_v))
        d_qkv = packing.unpad(torch.cat((heads.merge(d_q, rows), *d_keys), -1))
        rotate_(d_qkv.view(len(d_qkv), -1, heads.size)[:, : heads.queries + heads.keys], cos, -sin)
        return d_qkv, None, None, None, None


def causal_attention(qkv: Tensor, cos: Tensor, sin: Tensor, packing: Packing, heads: Heads) -> Tensor:
    """Rotary, causal, grouped-query attention inside each packed row, for training.

    qkv: [T, (H + 2K) * D], overwritten. cos, sin: [T, 1, D / 2]. Returns [T, H * D].
    """
    return _CausalAttention.apply(qkv, cos, sin, packing, heads)  # pyright: ignore[reportReturnType]


def flash_attention(qkv: Tensor, cos: Tensor, sin: Tensor, packing: Packing, heads: Heads) -> Tensor:
    """The same as `causal_attention` through PyTorch's fused kernels and autograd: fast on a GPU, slow on a CPU."""
    parts = qkv.view(len(qkv), -1, heads.size)
    turning, v = parts.split((heads.queries + heads.keys, heads.keys), 1)
    first, second = turning.chunk(2, -1)
    turned = torch.cat((first * cos - second * sin, second * cos + first * sin), -1)
    rows = packing.pad(torch.cat((turned, v), 1).flatten(1)).view(packing.rows, packing.longest, -1, heads.size)
    q, k, v = rows.transpose(1, 2).split((heads.queries, heads.keys, heads.keys), 1)
    out = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=heads.group > 1)
    return packing.unpad(out.transpose(1, 2).flatten(2))
