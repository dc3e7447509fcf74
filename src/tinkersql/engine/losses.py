"""Losses over the log-probabilities of target tokens, by the name that a client sends.

A loss is a sum over positions, never a mean, and needs only the log-probabilities: it returns its value and its
derivative with respect to each of them, from which `training` builds the gradient of the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from tinkersql.engine.faults import UserFault

Loss = Callable[[Tensor, Mapping[str, Tensor]], tuple[float, Tensor]]
"""(logprobs [N], per-position inputs by name, each [N]) -> (sum of the loss in nats, d loss / d logprobs [N])."""


def cross_entropy(logprobs: Tensor, inputs: Mapping[str, Tensor]) -> tuple[float, Tensor]:
    """``-sum(weights * logprobs)``: exactly linear in the weights, which may be fractional or negative."""
    weights = inputs["weights"]
    return -float((weights.double() * logprobs.double()).sum()), -weights


LOSSES: Mapping[str, Loss] = {"cross_entropy": cross_entropy}


def find_loss(name: str) -> Loss:
    """The loss of that name; raises UserFault where the engine does not have it."""
    if name not in LOSSES:
        raise UserFault(f"loss_fn {name!r} is not supported by this server: it has {', '.join(LOSSES)}")
    return LOSSES[name]
