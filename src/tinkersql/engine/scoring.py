"""What a client may ask about a prompt's own tokens, besides a continuation of it.

The hidden state at position i - 1 predicts the token at position i, so that position 0 has nothing to be asked.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from tinkersql.engine.llama import Adapter, Llama
from tinkersql.engine.sampling import SamplingParams, draw, filtered
from tinkersql.engine.unembedding import chunks

EMPTY = -99999.0
"""The protocol's log-probability of a cell of a top-k table that holds nothing."""


@dataclass(frozen=True)
class PromptScoring:
    """What to compute. L: the prompt's length.

    logprobs: score this many of the prompt's last tokens. top: list this many of the most likely tokens at the
    positions that are scored, or at all if none is. targets: [L - 1, K] token ids to score, -1 = none; row i stands for
    position i + 1. alternatives: draw this many tokens at each position.
    """

    logprobs: int = 0
    top: int = 0
    targets: Tensor | None = None
    alternatives: int = 0

    def first_position(self, length: int) -> int:
        """The first position of a prompt of that length for which there is something to compute."""
        if self.targets is not None or self.alternatives or (self.top and not self.logprobs):
            return 1
        return max(length - self.logprobs, 1)


@dataclass(frozen=True)
class PromptScores:
    """The answers; what was not asked for is None.

    logprobs: [L] float32, NaN where not scored. top_tokens, top_logprobs: [L, k], 0 and `EMPTY` where not scored.
    targets: [L - 1, K] float32, 0 where none was named. alternatives, alternative_logprobs: [L - 1, k].
    """

    logprobs: Tensor | None = None
    top_tokens: Tensor | None = None
    top_logprobs: Tensor | None = None
    targets: Tensor | None = None
    alternatives: Tensor | None = None
    alternative_logprobs: Tensor | None = None


def score_prompt(
    scoring: PromptScoring, prompt: tuple[int, ...], params: SamplingParams, hidden: Tensor, model: Llama, lora: Adapter
) -> PromptScores:
    """Score a prompt of L tokens from its hidden states [L, hidden]; alternatives are drawn as `params` say."""
    length, k = len(prompt), scoring.top
    logprobs = torch.full((length,), float("nan"))
    top_tokens, top_logprobs = torch.zeros(length, k, dtype=torch.int64), torch.full((length, k), EMPTY)
    targets = torch.zeros(0, 0) if scoring.targets is None else torch.zeros(scoring.targets.shape)
    drawn = torch.zeros(length - 1, scoring.alternatives, dtype=torch.int64)
    drawn_logprobs = torch.zeros(drawn.shape)
    uniform = random.Random(params.seed)
    first_scored = max(length - (scoring.logprobs or length), 1)
    actual = torch.tensor(prompt, device=hidden.device)
    start = scoring.first_position(length)
    for chunk in chunks(length - start, hidden.device):
        at = slice(start + chunk.start, start + chunk.stop)
        before = slice(at.start - 1, at.stop - 1)
        logits = model.logits(hidden[before], lora)
        logits -= logits.logsumexp(-1, keepdim=True)
        scored = slice(max(at.start, first_scored), max(at.stop, first_scored))
        part = logits[scored.start - at.start : scored.stop - at.start]
        logprobs[scored] = part.gather(1, actual[scored, None]).squeeze(1).cpu()
        if k:
            best = part.topk(k)
            top_tokens[scored], top_logprobs[scored] = best.indices.cpu(), best.values.cpu()
        if scoring.targets is not None:
            wanted = scoring.targets[before].to(hidden.device)
            found = logits.gather(1, wanted.clamp(min=0)).masked_fill_(wanted < 0, 0.0)
            targets[before] = found.cpu()
        if scoring.alternatives:
            numbers = [[uniform.random() for _ in range(scoring.alternatives)] for _ in range(len(logits))]
            tokens = draw(filtered(logits, [params] * len(logits)), torch.tensor(numbers, dtype=torch.float64))
            drawn[before], drawn_logprobs[before] = tokens.cpu(), logits.gather(1, tokens).cpu()
    return PromptScores(
        logprobs=logprobs if scoring.logprobs else None,
        top_tokens=top_tokens if k else None,
        top_logprobs=top_logprobs if k else None,
        targets=targets if scoring.targets is not None else None,
        alternatives=drawn if scoring.alternatives else None,
        alternative_logprobs=drawn_logprobs if scoring.alternatives else None,
    )
