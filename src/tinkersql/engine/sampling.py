"""What a client may ask of sampling, when a text stops, and how the next token is chosen."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import pad

if TYPE_CHECKING:
    from tinkersql.engine.scoring import PromptScores, PromptScoring


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
    """How to continue a prompt. temperature 0 = greedy; top_k -1 = off; seed None = a fresh one.

    top_logprobs: how many of the most likely tokens to list beside each chosen one.
    """

    max_tokens: int
    stop: StopRule
    temperature: float = 1.0
    top_k: int = -1
    top_p: float = 1.0
    seed: int | None = None
    top_logprobs: int = 0


@dataclass
class SampledSequence:
    """One continuation. logprobs: of the chosen tokens at temperature 1, in nats; top: (ids, logprobs) beside each."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    top: list[tuple[list[int], list[float]]] = field(default_factory=list)
    stopped: bool = False
    """True where a stop rule ended it, False at `max_tokens`."""


@dataclass(eq=False)
class SampleRequest:
    """Several continuations of one prompt by one adapter.

    prompt: at least one token. adapter: whatever the engine's loader of adapters understands. scoring: what to compute
    of the prompt itself. deliver: called once with the finished request or with what went wrong.
    """

    prompt: tuple[int, ...]
    params: SamplingParams
    adapter: Hashable
    deliver: Callable[[SampleRequest, Exception | None], None]
    num_samples: int = 1
    scoring: PromptScoring | None = None
    cancelled: bool = False
    """Set from outside: the request is dropped at the next step and nothing is delivered."""
    scores: PromptScores | None = None
    """None until computed."""
    sequences: list[SampledSequence] = field(default_factory=list)
    """One for each sample that has been admitted so far, up to `num_samples`."""
    unfinished: int = 0


def choose(
    logits: Tensor, params: Sequence[SamplingParams], randoms: Sequence[random.Random]
) -> tuple[list[int], list[float]]:
    """The next token of each row and its log-probability at temperature 1. logits: [n, vocab] float32."""
    tokens = logits.argmax(-1)
    drawn = [i for i, p in enumerate(params) if p.temperature > 0]
    if drawn:
        # One uniform number a row, so that a row's draw does not depend on who shares its batch.
        uniform = torch.tensor([[randoms[i].random()] for i in drawn], dtype=torch.float64)
        rows = logits if len(drawn) == len(params) else logits[drawn]
        tokens[drawn] = draw(filtered(rows, [params[i] for i in drawn]), uniform).squeeze(1)
    chosen = logits.gather(1, tokens[:, None]).squeeze(1) - logits.logsumexp(-1)
    return tokens.tolist(), chosen.tolist()


def filtered(logits: Tensor, params: Sequence[SamplingParams]) -> Tensor:
    """Logits [n, vocab] over each row's temperature, -inf where its top_k and top_p leave a token out.

    At temperature 0 only the most likely token is left.
    """
    # Below LOWEST_TEMPERATURE a draw is the most likely token anyway, and float32 would overflow.
    temperatures = torch.tensor([max(p.temperature, LOWEST_TEMPERATURE) if p.temperature else 1.0 for p in params])
    scaled = (logits - logits.amax(-1, keepdim=True)) / temperatures.to(logits.device)[:, None]
    greedy = [i for i, p in enumerate(params) if p.temperature == 0]
    limited = [i for i, p in enumerate(params) if p.temperature > 0 and (0 < p.top_k < logits.shape[1] or p.top_p < 1)]
    for i in greedy:
        _keep_(scaled[i], scaled[i].argmax(keepdim=True))
    if limited:
        values, order = scaled[limited].sort(-1, descending=True)
        for row, i in enumerate(limited):
            kept = values[row, : params[i].top_k] if params[i].top_k > 0 else values[row]
            # A token stays while the mass before it is below top_p; the most likely one always stays.
            mass = kept.double().softmax(-1).cumsum(-1)
            count = 1 + int((mass[:-1] < params[i].top_p).sum()) if params[i].top_p < 1 else len(kept)
            _keep_(scaled[i], order[row, :count])
    return scaled


def _keep_(row: Tensor, kept: Tensor) -> None:
    """Set to -inf all of row [vocab] but the tokens `kept`."""
    values = row[kept]
    row.fill_(float("-inf"))
    row[kept] = values


LOWEST_TEMPERATURE = 1e-6

BLOCK = 256
"""Tokens whose probabilities `draw` sums up at once."""

MOST_DRAWS = 1 << 14
"""Draws for which `draw` has a block each in memory at once."""


def draw(logits: Tensor, uniform: Tensor) -> Tensor:
    """Tokens [n, m] from the distributions of logits [n, vocab], one for each uniform number in [n, m] float64.

    Inverse of the cumulative distribution, in two steps (block, then token), because a running sum in float64 over the
    whole vocabulary costs more than the rest of a decoding step.
    """
    n, vocab = logits.shape
    rows = torch.arange(n, device=logits.device)[:, None]
    weights = (logits - logits.amax(-1, keepdim=True)).exp_()
    blocks = pad(weights, (0, -vocab % BLOCK)).view(n, -1, BLOCK)
    running = blocks.sum(-1, dtype=torch.float64).cumsum(-1)
    tokens = []
    for numbers in uniform.to(logits.device).split(max(1, MOST_DRAWS // n), 1):
        block, rest = _invert(running, numbers * running[:, -1:])
        token, _ = _invert(blocks[rows, block].double().cumsum(-1), rest[:, :, None])
        tokens.append(block * BLOCK + token.squeeze(-1))
    return torch.cat(tokens, 1).clamp_(max=vocab - 1)  # logits that are NaN could lead beyond


def _invert(running: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
    """Where the running sums [..., k] first exceed each goal [..., m], and how much of the goal is left there.

    A goal that rounding has put outside is brought inside, so that a part of weight zero is never chosen.
    """
    goal = torch.minimum(goal.clamp(min=0), torch.nextafter(running[..., -1:], torch.zeros_like(running[..., -1:])))
    found = torch.searchsorted(running, goal, right=True).clamp_(max=running.shape[-1] - 1)
    before = torch.where(found > 0, running.gather(-1, (found - 1).clamp(min=0)), 0.0)
    return found, goal - before
