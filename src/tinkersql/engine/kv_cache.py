"""Keys and values of the sequences being sampled, preallocated and compact.

Rows in use are always the first ones, and the capacity is only a little above the longest sequence, so that attention
reads one contiguous block per layer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tinkersql.engine.attention import Heads, Packing, rotate_
from tinkersql.engine.llama import LlamaConfig

QUERY_BLOCK = 512
"""Tokens of a new row that attend at once: the scores of a long prompt would not fit into memory."""

GROWTH = 64
"""Capacity grows by this many positions at a time."""


class KvCache:
    """Per layer, keys and values [rows, K, capacity, D]; unused cells are zero or stale, and always masked."""

    def __init__(self, config: LlamaConfig, dtype: torch.dtype, device: torch.device) -> None:
        self._heads = config.heads
        self._dtype, self._device = dtype, device
        self.keys = [self._new(0, 0) for _ in range(config.layers)]
        self.values = [self._new(0, 0) for _ in range(config.layers)]

    def _new(self, rows: int, capacity: int) -> Tensor:
        # Zeros, not empty: masked cells are multiplied by zero, and 0 * NaN is NaN.
        heads = self._heads
        return torch.zeros(rows, heads.keys, capacity, heads.size, dtype=self._dtype, device=self._device)

    @property
    def rows(self) -> int:
        """Rows that fit without growing."""
        return self.keys[0].shape[0]

    @property
    def capacity(self) -> int:
        """Positions that fit without growing."""
        return self.keys[0].shape[2]

    def reserve(self, rows: int, length: int) -> None:
        """Make room for this many rows of this length, and keep what they hold.

        Where memory must be taken anew, it is taken for these rows alone: otherwise the most rows ever times the
        longest row ever would stay.
        """
        if rows <= self.rows and length <= self.capacity:
            return
        capacity = -(-length // GROWTH) * GROWTH
        for tensors in (self.keys, self.values):
            for i, old in enumerate(tensors):
                kept = old[:rows, :, :capacity]
                tensors[i] = self._new(rows, capacity)
                tensors[i][: kept.shape[0], :, : kept.shape[2]] = kept

    def clear(self) -> None:
        """Give the memory back."""
        self.keys = [self._new(0, 0) for _ in self.keys]
        self.values = [self._new(0, 0) for _ in self.values]

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of row `source` over row `target`."""
        for tensor in (*self.keys, *self.values):
            tensor[target, :, :length] = tensor[source, :, :length]


class PrefillAttention:
    """Attends, and fills the cache, for new rows that all continue the same number of cached positions."""

    def __init__(self, cache: KvCache, heads: Heads, first_row: int, past: int, packing: Packing) -> None:
        self._cache, self._heads, self._packing, self._past = cache, heads, packing, past
        self._rows = slice(first_row, first_row + packing.rows)
        longest = packing.longest
        steps = torch.arange(past + longest, device=packing.positions.device)
        self._future = steps > steps[past:, None]  # [S, past + S]

    def __call__(self, layer: int, qkv: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """See `llama.Attend`."""
        heads, packing, end = self._heads, self._packing, self._past + self._packing.longest
        rotate_(qkv.view(len(qkv), -1, heads.size)[:, : heads.queries + heads.keys], cos, sin)
        q, k, v = heads.split(packing.pad(qkv))
        stored = []
        for tensor, new in ((self._cache.keys[layer], k), (self._cache.values[layer], v)):
            tensor[self._rows, :, self._past : end] = new.view(packing.rows, heads.keys, -1, heads.size)
            stored.append(tensor[self._rows, :, :end].reshape(len(k), end, heads.size))
        keys, values = stored
        q = (q * heads.size**-0.5).view(len(q), heads.group, -1, heads.size)
        out = torch.empty_like(q)
        for start in range(0, packing.longest, QUERY_BLOCK):
            block = slice(start, min(start + QUERY_BLOCK, packing.longest))
            seen = self._past + block.stop  # later keys lie in the future of the whole block
            queries = q[:, :, block].flatten(1, 2)
            scores = torch.bmm(queries, keys[:, :seen].transpose(1, 2)).view(len(q), heads.group, -1, seen)
            scores.masked_fill_(self._future[block, :seen], float("-inf"))
            attended = torch.bmm(scores.softmax(-1).flatten(1, 2), values[:, :seen])
            out[:, :, block] = attended.view(len(q), heads.group, -1, heads.size)
        return packing.unpad(heads.merge(out, packing.rows))


class DecodeAttention:
    """Attends, and fills the cache, for one new token in each of the first n rows."""

    def __init__(self, cache: KvCache, heads: Heads, positions: Tensor) -> None:
        """positions: [n], where each row's new token stands."""
        self._cache, self._heads, self._positions = cache, heads, positions
        self._rows = torch.arange(len(positions), device=positions.device)
        steps = torch.arange(cache.capacity, device=positions.device)
        mask = torch.zeros(len(positions), cache.capacity, dtype=cache.keys[0].dtype, device=positions.device)
        mask.masked_fill_(steps > positions[:, None], float("-inf"))
        self._mask = mask.repeat_interleave(heads.keys, 0)[:, None]  # [n * K, 1, capacity]

    def __call__(self, layer: int, qkv: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """See `llama.Attend`."""
        heads, n = self._heads, len(qkv)
        parts = qkv.view(n, -1, heads.size)
        rotate_(parts[:, : heads.queries + heads.keys], cos, sin)
        q, k, v = parts.split((heads.queries, heads.keys, heads.keys), 1)
        keys, values = self._cache.keys[layer], self._cache.values[layer]
        keys[self._rows, :, self._positions] = k
        values[self._rows, :, self._positions] = v
        q = (q * heads.size**-0.5).reshape(n * heads.keys, heads.group, heads.size)
        scores = torch.bmm(q, keys[:n].view(n * heads.keys, -1, heads.size).transpose(1, 2)).add_(self._mask)
        out = torch.bmm(scores.softmax(-1), values[:n].view(n * heads.keys, -1, heads.size))
        return out.view(n, heads.queries * heads.size)
