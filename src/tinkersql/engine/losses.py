"""Losses over the log-probabilities of target tokens, by the name that a client sends.

A loss is a sum over positions, never a mean, and needs only the log-probabilities. Its formula gives each position's
part; autograd gives the derivative with respect to each log-probability, from which `training` builds the gradient of
the logits. The formulas are those of Tinker's documentation, with r = exp(logprobs - q), q the log-probabilities under
the policy that was sampled from, and A the advantages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from tinkersql.engine.faults import UserFault

Inputs = Mapping[str, Tensor]
Options = Mapping[str, float]

MOST_LOG_RATIO = 80.0
"""Where float32 still holds the exponential."""


def _cross_entropy(logprobs: Tensor, inputs: Inputs, _: Options) -> Tensor:
    return -inputs["weights"] * logprobs


def _ratio(logprobs: Tensor, inputs: Inputs) -> Tensor:
    """exp(logprobs - q), kept finite: an infinite ratio has no gradient, not even where it is clipped."""
    return (logprobs - inputs["logprobs"]).clamp(max=MOST_LOG_RATIO).exp()


def _importance_sampling(logprobs: Tensor, inputs: Inputs, _: Options) -> Tensor:
    return -_ratio(logprobs, inputs) * inputs["advantages"]


def _clipped(ratio: Tensor, options: Options) -> Tensor:
    return ratio.clamp(options["clip_low_threshold"], options["clip_high_threshold"])


def _ppo(logprobs: Tensor, inputs: Inputs, options: Options) -> Tensor:
    ratio, advantages = _ratio(logprobs, inputs), inputs["advantages"]
    return -torch.minimum(ratio * advantages, _clipped(ratio, options) * advantages)


def _cispo(logprobs: Tensor, inputs: Inputs, options: Options) -> Tensor:
    return -_clipped(_ratio(logprobs.detach(), inputs), options) * logprobs * inputs["advantages"]


def _dro(logprobs: Tensor, inputs: Inputs, options: Options) -> Tensor:
    distance = logprobs - inputs["logprobs"]
    return -(logprobs * inputs["advantages"] - 0.5 * options["beta"] * distance.square())


@dataclass(frozen=True)
class Loss:
    """A loss and what it takes.

    formula: (logprobs, inputs, options) -> each position's part of the loss, in nats; all of one shape.
    inputs: names of the per-position inputs beside ``target_tokens``.
    mask: the input that is zero where a position takes no part in the loss, or None where every position does.
    options: what ``loss_fn_config`` may set, with the defaults.
    soft_targets: whether a position may have several targets, each with its own inputs.
    """

    formula: Callable[[Tensor, Inputs, Options], Tensor]
    inputs: tuple[str, ...]
    mask: str | None
    options: Options = field(default_factory=dict)
    soft_targets: bool = False

    def evaluate(self, logprobs: Tensor, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """(sum of the loss, float64 scalar; d loss / d logprobs, like logprobs)."""
        with torch.enable_grad():
            leaf = logprobs.detach().requires_grad_()
            parts = self.formula(leaf, inputs, self.options)
            (slope,) = torch.autograd.grad(parts.sum(), leaf)
        return parts.detach().double().sum(), slope


_POLICY = ("logprobs", "advantages")
_CLIP = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}

LOSSES: Mapping[str, Loss] = {
    "cross_entropy": Loss(_cross_entropy, ("weights",), "weights", soft_targets=True),
    "importance_sampling": Loss(_importance_sampling, _POLICY, "advantages"),
    "ppo": Loss(_ppo, _POLICY, "advantages", _CLIP),
    "cispo": Loss(_cispo, _POLICY, "advantages", _CLIP),
    # Its penalty pulls at every position, whatever the advantage. The documentation names no default of beta.
    "dro": Loss(_dro, _POLICY, None, {"beta": 0.05}),
}


def find_loss(name: str, options: Mapping[str, float | str] | None = None) -> Loss:
    """The loss of that name with these options. Raises UserFault for a name or an option that the engine lacks."""
    if name not in LOSSES:
        raise UserFault(f"loss_fn {name!r} is not supported by this server: it has {', '.join(LOSSES)}")
    loss = LOSSES[name]
    resolved = dict(loss.options)
    for key, value in (options or {}).items():
        if key not in loss.options:
            known = ", ".join(loss.options) or "none"
            raise UserFault(f"loss_fn_config.{key} is unknown: the options of {name} are: {known}")
        if isinstance(value, str) or not math.isfinite(value) or value < 0:
            raise UserFault(f"loss_fn_config.{key} = {value!r} must be a finite number of at least 0")
        resolved[key] = float(value)
    if resolved.get("clip_low_threshold", 0.0) > resolved.get("clip_high_threshold", math.inf):
        raise UserFault("loss_fn_config: clip_low_threshold lies above clip_high_threshold")
    return replace(loss, options=resolved)
