"""Continuous batching: all sampling requests in flight share forward passes, and finished ones leave at once."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from tinkersql.engine.attention import Packing
from tinkersql.engine.kv_cache import DecodeAttention, KvCache, PrefillAttention
from tinkersql.engine.llama import Adapter, Llama
from tinkersql.engine.sampling import SampledSequence, SampleRequest, choose
from tinkersql.engine.scoring import score_prompt
from tinkersql.engine.training import micro_batches

MAX_ROWS = 128
"""Sequences sampled at once."""

CACHE_BYTES = 1 << 30
"""Bound of the cache of keys and values; a single sequence is admitted whatever it needs."""

PREFILL_TOKENS = 2048
"""Padded prompt tokens that go through the model at once."""

STEPS_BETWEEN_ADMISSIONS = 8
"""Decoding steps before waiting requests join a running batch: together they are cheaper than one by one."""

SHORTEST_PREFIX = 32
"""Prompts that begin with at least this many equal tokens have them computed once."""


@dataclass(eq=False)
class _Row:
    """One sequence being sampled, in the cache row of the same index."""

    request: SampleRequest
    sequence: SampledSequence
    random: random.Random
    length: int
    """Tokens in the cache: the prompt, and all generated ones but the newest."""
    scores_prompt: bool
    """Whether what the request asks about its prompt is answered with this row."""

    @property
    def reach(self) -> int:
        """The longest that this sequence can become."""
        return len(self.request.prompt) + self.request.params.max_tokens


@dataclass(frozen=True)
class _Prefix:
    """Keys and values of a beginning that several prompts share, per layer [1, K, P, D]."""

    adapter: Hashable
    tokens: tuple[int, ...]
    keys: list[Tensor]
    values: list[Tensor]


class Batcher:
    """Samples for all waiting requests. Not thread-safe but for `submit`: one thread calls `step`.

    A batch holds requests of one adapter; requests of another wait until it has drained, first come, first served.
    """

    def __init__(self, model: Llama, tokenizer: Tokenizer, load_adapter: Callable[[Hashable], Adapter]) -> None:
        self._model, self._tokenizer, self._load_adapter = model, tokenizer, load_adapter
        self._waiting: deque[SampleRequest] = deque()
        self._rows: list[_Row] = []
        self._cache = KvCache(model.config, model.dtype, model.device)
        self._bytes_per_token = model.config.cache_elements_per_token * model.dtype.itemsize
        self._adapter_key: Hashable = None
        self._adapter: Adapter = {}
        self._prefix: _Prefix | None = None
        self._steps_since_admission = 0

    def submit(self, request: SampleRequest) -> None:
        """Queue a request; safe from any thread."""
        self._waiting.append(request)

    @property
    def busy(self) -> bool:
        """Whether `step` has something to do."""
        return bool(self._waiting or self._rows)

    @torch.no_grad()
    def step(self) -> None:
        """Admit what waits, if it is time, and give every running sequence its next token."""
        self._drop_cancelled()
        try:
            if not self._rows or self._steps_since_admission >= STEPS_BETWEEN_ADMISSIONS:
                self._admit()
            if self._rows:
                self._decode()
        except Exception as error:
            self._fail_all(error)

    def _drop_cancelled(self) -> None:
        for i in reversed(range(len(self._rows))):
            if self._rows[i].request.cancelled:
                self._remove(i)

    def _fail_all(self, error: Exception) -> None:
        """A failed pass leaves the batch in no usable state: every request in it fails."""
        requests = dict.fromkeys(row.request for row in self._rows)
        self._rows, self._prefix = [], None
        while self._waiting and self._waiting[0] in requests:
            self._waiting.popleft()  # some of its samples have not been admitted yet
        for request in requests:
            if not request.cancelled:
                request.deliver(request, error)
        self._cache.clear()

    def _admit(self) -> None:
        self._steps_since_admission = 0
        for _ in range(len(self._waiting)):  # requests may be appended meanwhile
            request = self._waiting.popleft()
            if not request.cancelled:
                self._waiting.append(request)
        if not self._rows:
            self._switch_adapter()
        reach = max((row.reach for row in self._rows), default=0)
        admitted: list[_Row] = []
        while self._waiting and self._waiting[0].adapter == self._adapter_key:
            request = self._waiting[0]
            reach = max(reach, len(request.prompt) + request.params.max_tokens)
            count = len(self._rows) + len(admitted) + 1
            if count > MAX_ROWS or (count > 1 and count * reach * self._bytes_per_token > CACHE_BYTES):
                break
            admitted.append(_next_row(request))
            if len(request.sequences) == request.num_samples:
                self._waiting.popleft()
        try:
            self._prefill(admitted)
        except Exception:
            self._rows += [row for row in admitted if row not in self._rows]  # so that they are told
            raise

    def _switch_adapter(self) -> None:
        """Make the adapter of the first request the batch's; requests whose adapter cannot be loaded fail."""
        while self._waiting:
            request = self._waiting[0]
            try:
                adapter = self._load_adapter(request.adapter)
            except Exception as error:
                self._waiting.popleft()
                request.deliver(request, error)
                continue
            if request.adapter != self._adapter_key:
                self._cache.clear()  # NaN that one adapter leaves in masked cells would spread to the next
            self._adapter, self._adapter_key = adapter, request.adapter
            return

    def _prefill(self, rows: list[_Row]) -> None:
        same: dict[tuple[tuple[int, ...], bool], list[_Row]] = {}
        for row in rows:  # scoring needs the hidden states of the whole prompt, for one of its samples
            same.setdefault((row.request.prompt, row.scores_prompt), []).append(row)
        groups = list(same.values())
        plain = [group for group in groups if group[0].scores_prompt]
        others = [group for group in groups if not group[0].scores_prompt]
        prefix = self._shared_prefix([group[0] for group in others])
        continuing = [group for group in others if prefix and _continues(group[0].request.prompt, prefix.tokens)]
        plain += [group for group in others if group not in continuing]
        for chosen, past in ((plain, None), (continuing, prefix)):
            lengths = [len(group[0].request.prompt) - (len(past.tokens) if past else 0) for group in chosen]
            for batch in micro_batches(lengths, PREFILL_TOKENS):
                self._prefill_batch([chosen[i] for i in batch], past)

    def _shared_prefix(self, rows: list[_Row]) -> _Prefix | None:
        """The kept prefix if it fits, else a new one if all these prompts begin alike for long enough."""
        kept = self._prefix
        if kept and (kept.adapter != self._adapter_key or not all(map(self._fits, rows))):
            kept = None
        if kept is None and len(rows) > 1:
            common = _common_beginning([row.request.prompt for row in rows])
            if len(common) >= SHORTEST_PREFIX:
                self._prefix = kept = self._compute_prefix(common)
        return kept

    def _fits(self, row: _Row) -> bool:
        return self._prefix is not None and _continues(row.request.prompt, self._prefix.tokens)

    def _compute_prefix(self, tokens: tuple[int, ...]) -> _Prefix:
        cache = KvCache(self._model.config, self._model.dtype, self._model.device)
        cache.reserve(1, len(tokens))
        packing = Packing([len(tokens)], self._model.device)
        attend = PrefillAttention(cache, self._model.config.heads, 0, 0, packing)
        self._model.hidden_states(self._tensor(tokens), packing.positions, attend, self._adapter)
        length = len(tokens)
        return _Prefix(
            self._adapter_key,
            tokens,
            [keys[:, :, :length] for keys in cache.keys],
            [values[:, :, :length] for values in cache.values],
        )

    def _prefill_batch(self, groups: list[list[_Row]], prefix: _Prefix | None) -> None:
        """Compute one prompt for each group of rows that share it; the other rows of the group get copies."""
        past = len(prefix.tokens) if prefix else 0
        first = len(self._rows)
        leaders = [group[0] for group in groups]
        suffixes = [row.request.prompt[past:] for row in leaders]
        packing = Packing([len(suffix) for suffix in suffixes], self._model.device)
        longest = max([past + packing.longest, *(row.length for row in self._rows)])
        self._cache.reserve(first + sum(map(len, groups)), longest)
        if prefix:
            for cache, shared in ((self._cache.keys, prefix.keys), (self._cache.values, prefix.values)):
                for tensor, part in zip(cache, shared, strict=True):
                    tensor[first : first + len(leaders), :, :past] = part
        attend = PrefillAttention(self._cache, self._model.config.heads, first, past, packing)
        tokens = self._tensor([token for suffix in suffixes for token in suffix])
        hidden = self._model.hidden_states(tokens, packing.positions + past, attend, self._adapter)
        self._rows += leaders
        source = list(range(len(leaders)))
        for i, (group, last) in enumerate(zip(groups, packing.last.tolist(), strict=True)):
            if group[0].scores_prompt:
                self._score(group[0].request, hidden[last + 1 - len(group[0].request.prompt) : last + 1])
            for follower in group[1:]:
                self._cache.move(first + i, len(self._rows), follower.length)
                self._rows.append(follower)
                source.append(i)
        self._extend(self._rows[first:], hidden[packing.last][source])

    def _score(self, request: SampleRequest, hidden: Tensor) -> None:
        """Answer what is asked about the prompt, of hidden states [len(prompt), hidden]; failing, fail the request."""
        assert request.scoring is not None
        try:
            request.scores = score_prompt(
                request.scoring, request.prompt, request.params, hidden, self._model, self._adapter
            )
        except Exception as error:
            request.cancelled = True
            request.deliver(request, error)

    def _decode(self) -> None:
        self._steps_since_admission += 1
        self._cache.reserve(len(self._rows), max(row.length for row in self._rows) + 1)
        positions = self._tensor([row.length for row in self._rows])
        tokens = self._tensor([row.sequence.tokens[-1] for row in self._rows])
        attend = DecodeAttention(self._cache, self._model.config.heads, positions)
        hidden = self._model.hidden_states(tokens, positions, attend, self._adapter)
        for row in self._rows:
            row.length += 1
        self._extend(self._rows, hidden)

    def _extend(self, rows: Sequence[_Row], hidden: Tensor) -> None:
        """Choose the next token of these rows from their last hidden states [n, hidden]; finished rows leave."""
        logits = self._model.sharp_logits(hidden, self._adapter)
        tokens, logprobs = choose(logits, [row.request.params for row in rows], [row.random for row in rows])
        finished: set[int] = set()
        for i, row in enumerate(rows):
            if wanted := row.request.params.top_logprobs:
                best = logits[i].topk(wanted)
                row.sequence.top.append((best.indices.tolist(), (best.values - logits[i].logsumexp(-1)).tolist()))
        for row, token, logprob in zip(rows, tokens, logprobs, strict=True):
            sequence, params = row.sequence, row.request.params
            sequence.tokens.append(token)
            sequence.logprobs.append(logprob)
            sequence.stopped = params.stop.met(sequence.tokens, self._tokenizer)
            if sequence.stopped or len(sequence.tokens) >= params.max_tokens:
                finished.add(id(row))
        for i in reversed(range(len(self._rows))):
            if id(self._rows[i]) in finished:
                request = self._rows[i].request
                self._remove(i)
                request.unfinished -= 1
                if request.unfinished == 0 and not request.cancelled:
                    request.deliver(request, None)

    def _remove(self, i: int) -> None:
        """Take row i out; the last row moves into its place, so that rows in use stay the first ones."""
        last = self._rows.pop()
        if i < len(self._rows):
            self._cache.move(len(self._rows), i, last.length)
            self._rows[i] = last
        if not self._rows and not self._waiting:
            self._cache.clear()

    def _tensor(self, values: Sequence[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self._model.device)


def _next_row(request: SampleRequest) -> _Row:
    """A row for the next sample of a request; with a seed, sample i draws from seed + i."""
    number, seed = len(request.sequences), request.params.seed
    if number == 0:
        request.unfinished = request.num_samples
    request.sequences.append(SampledSequence())
    generator = random.Random(None if seed is None else seed + number)
    return _Row(
        request, request.sequences[-1], generator, len(request.prompt), number == 0 and request.scoring is not None
    )


def _common_beginning(prompts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """What all prompts begin with, short of the last token of any."""
    first, last = min(prompts), max(prompts)  # what the extremes of the order share, all between them share
    limit = min(map(len, prompts)) - 1
    same = next((i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), limit)
    return first[: min(same, limit)]


def _continues(prompt: tuple[int, ...], prefix: tuple[int, ...]) -> bool:
    return len(prompt) > len(prefix) and prompt[: len(prefix)] == prefix
