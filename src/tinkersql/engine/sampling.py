"""What a client may ask of sampling, when a text stops, and how the next token is chosen."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import torch
from tokenizers import Tokenizer
from torch import Tensor


@dataclass(frozen=True)
class StopRule:
    """When a sequence ends before `max_tokens`: at one of these token ids, or where one of these strings appears.

    The token, or the tokens, that caused the stop belong to the result.
    """

    tokens: frozenset[int] = frozenset()
    strings: tuple[str, ...] = ()

    def met(self, generated: Sequence[int], tokenizer: Tokenizer) -> bool:
        """Whether the newest of the generated tokens (never the prompt's) ends the text.

        Strings are looked for in the decoded text, special tokens included, so they may straddle tokens. Only the
        tail is decoded: a token is at least one byte, and an earlier appearance would have stopped the text earlier.
        """
        if generated[-1] in self.tokens:
            return True
        if not self.strings:
            return False
        tail = max(len(string.encode()) for string in self.strings) + 8
        text = tokenizer.decode(list(generated[-tail:]), skip_special_tokens=False)
        return any(string in text for string in self.strings)


@dataclass(frozen=True)
class SamplingParams:
    """How to continue a prompt. temperature 0 = greedy; top_k -1 = off; seed None = a fresh one."""

    max_tokens: int
    stop: StopRule
    temperature: float = 1.0
    top_k: int = -1
    top_p: float = 1.0
    seed: int | None = None


@dataclass
class SampledSequence:
    """One continuation. logprobs: of the chosen tokens at temperature 1, in nats."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    stopped: bool = False
    """True where a stop rule ended it, False at `max_tokens`."""


@dataclass(eq=False)
class SampleRequest:
    """Several continuations of one prompt by one adapter.

    prompt: at least one token. adapter: whatever the engine's loader of adapters understands. scored: how many of the
    prompt's last tokens to score. deliver: called once with the finished request or with what went wrong.
    """

    prompt: tuple[int, ...]
    params: SamplingParams
    adapter: Hashable
    deliver: Callable[[SampleRequest, Exception | None], None]
    num_samples: int = 1
    scored: int = 0
    cancelled: bool = False
    """Set from outside: the request is dropped at the next step and nothing is delivered."""
    prompt_logprobs: Tensor | None = None
    """[len(prompt)] float32, NaN where not scored; None until computed."""
    sequences: list[SampledSequence] = field(default_factory=list)
    """Filled with `num_samples` sequences when the request is admitted."""
    unfinished: int = 0


def choose(
    logits: Tensor, params: Sequence[SamplingParams], randoms: Sequence[random.Random]
) -> tuple[list[int], list[float]]:
    """The next token of each row and its log-probability at temperature 1. logits: [n, vocab] float32."""
    normaliser = logits.logsumexp(-1)
    tokens = logits.argmax(-1)
    drawn = [i for i, p in enumerate(params) if p.temperature > 0]
    if drawn:
        temperatures = torch.tensor([params[i].temperature for i in drawn], device=logits.device)
        scaled = logits[drawn] / temperatures[:, None]
        for row, i in zip(scaled, drawn, strict=True):
            _keep_likely_(row, params[i].top_k, params[i].top_p)
        cumulative = scaled.double().softmax(-1).cumsum(-1)
        # One uniform number a row, so that a row's draw does not depend on who shares its batch.
        uniform = torch.tensor([[randoms[i].random()] for i in drawn], dtype=torch.float64, device=logits.device)
        picked = torch.searchsorted(cumulative, uniform * cumulative[:, -1:], right=True).squeeze(1)
        tokens[drawn] = picked.clamp_(max=logits.shape[1] - 1)
    chosen = logits.gather(1, tokens[:, None]).squeeze(1) - normaliser
    return tokens.tolist(), chosen.tolist()


def _keep_likely_(row: Tensor, top_k: int, top_p: float) -> None:
    """Set to -inf all but the `top_k` largest of row [vocab], then all outside the smallest set of mass `top_p`."""
    if 0 < top_k < len(row):
        kept = row.topk(top_k)
        row.fill_(float("-inf"))
        row[kept.indices] = kept.values
    if top_p < 1:
        values, order = row.sort(descending=True)
        mass = values.double().softmax(-1).cumsum(-1)
        # A token stays while the mass before it is below top_p; the most likely one always stays.
        dropped = order[1:][mass[:-1] >= top_p]
        row[dropped] = float("-inf")
