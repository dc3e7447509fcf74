"""The last step of a pass: from hidden states to log-probabilities, and from a loss on those back again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from tinkersql.engine.llama import Adapter, Llama
from tinkersql.engine.losses import Loss
from tinkersql.engine.ops import linear_backward

LOGIT_POSITIONS = {"cpu": 256, "cuda": 4096}
"""Positions whose logits [positions, vocab] exist at once."""


def chunks(count: int, device: torch.device) -> Iterator[slice]:
    """Slices that cover `count` positions, each of at most `LOGIT_POSITIONS`."""
    size = LOGIT_POSITIONS[device.type]
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


class Head:
    """Unembedding with an adapter, in chunks of positions, so that logits never pile up.

    Shapes: N positions, K targets a position.
    """

    def __init__(self, model: Llama, adapter: Adapter) -> None:
        self._model, self._adapter = model, adapter

    @torch.no_grad()
    def logprobs(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Log-probabilities [N, K] float32 of targets [N, K] after hidden states [N, hidden]."""
        found = torch.empty(targets.shape, device=hidden.device)
        for chunk in chunks(len(targets), hidden.device):
            logits = self._model.logits(hidden[chunk], self._adapter)
            found[chunk] = logits.gather(1, targets[chunk]) - logits.logsumexp(-1, keepdim=True)
        return found

    @torch.no_grad()
    def loss(
        self, hidden: Tensor, targets: Tensor, loss: Loss, inputs: Mapping[str, Tensor], *, backward: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Log-probabilities [N, K], the loss (float64 scalar), and with `backward` d loss / d hidden [N, hidden].

        hidden: [N, hidden]; targets and each of the inputs: [N, K]. The gradient of an adapter on the unembedding is
        added to its buffers.
        """
        weight, lora = self._model.unembedding, self._adapter.get((-1, "unembed"))
        logprobs = torch.empty(targets.shape, device=hidden.device)
        d_hidden = torch.empty_like(hidden) if backward else None
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        for chunk in chunks(len(targets), hidden.device):
            target = targets[chunk]
            logits = self._model.logits(hidden[chunk], self._adapter)
            normaliser = logits.logsumexp(-1, keepdim=True)
            logprobs[chunk] = logits.gather(1, target) - normaliser
            part, slope = loss.evaluate(logprobs[chunk], {name: values[chunk] for name, values in inputs.items()})
            total += part
            if d_hidden is not None:
                # d logprob[t] / d logits[j] = [j = t] - p[j]
                d_logits = logits.sub_(normaliser).exp_().mul_(-slope.sum(1, keepdim=True))
                d_logits.scatter_add_(1, target, slope)
                low = None if lora is None else hidden[chunk] @ lora.a.t()
                d_hidden[chunk] = linear_backward(d_logits.to(hidden.dtype), hidden[chunk], weight, lora, low)
        return logprobs, total, d_hidden
