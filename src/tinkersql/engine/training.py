"""One LoRA model in training: its masters, gradient buffer and Adam moments, and the passes that change them."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from tinkersql.engine.attention import Packing, causal_attention, flash_attention
from tinkersql.engine.faults import UserFault, out_of_memory
from tinkersql.engine.llama import Llama
from tinkersql.engine.lora import LoraConfig, LoraLayout
from tinkersql.engine.losses import Loss
from tinkersql.engine.unembedding import Head

MICRO_BATCH_TOKENS = {"cpu": 512, "cuda": 16_384}
"""Padded tokens that go through the model at once in training: on a CPU few enough to stay in its caches."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Datum:
    """One training sequence. tokens: [N] int64, targets: [N] or [N, K] int64, all inside the vocabulary.

    inputs: what the loss needs at each position by name, finite float32 of the targets' shape. Position i of the tokens
    predicts ``targets[i]``: the client has shifted them. K > 1 targets a position are soft ones.
    """

    tokens: Tensor
    targets: Tensor
    inputs: Mapping[str, Tensor]

    @property
    def width(self) -> int:
        """Targets a position."""
        return self.targets[0].numel()


@dataclass(frozen=True)
class AdamParams:
    """Hyper-parameters of one AdamW step; the client sends them afresh each time."""

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-12
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0
    """Largest global gradient norm; 0 = no clipping."""

    def check(self) -> None:
        """Raise UserFault where a value makes no sense."""
        for name, value in vars(self).items():
            if not math.isfinite(value) or value < 0:
                raise UserFault(f"adam_params.{name} = {value} must be a finite number of at least 0")
        if self.eps == 0:
            raise UserFault("adam_params.eps = 0 divides zero by zero where a parameter has had no gradient: use 1e-12")
        for name in ("learning_rate", "weight_decay"):
            if getattr(self, name) > 1e6:
                raise UserFault(f"adam_params.{name} = {getattr(self, name)} leaves no weight finite")
        for name in ("beta1", "beta2"):
            if getattr(self, name) >= 1:
                raise UserFault(f"adam_params.{name} = {getattr(self, name)} must be below 1")


@dataclass(frozen=True)
class PassResult:
    """What a forward or forward-backward pass returns.

    logprobs: per datum, float32 of its targets' shape. loss: the sum in nats.
    """

    logprobs: list[Tensor]
    loss: float


@dataclass
class OptimizerState:
    """Adam's moments [size] float32 and the number of steps taken."""

    exp_avg: Tensor
    exp_avg_sq: Tensor
    step: int = 0


class Trainer:
    """A LoRA adapter over a shared frozen base, with its optimizer."""

    def __init__(self, model: Llama, lora: LoraConfig, initial: Tensor | None = None) -> None:
        """`initial`: masters [size] float32 of a checkpoint; None starts afresh."""
        self.lora = lora
        self.layout = LoraLayout(model.config, lora)
        self._model = model
        self.masters = (self.layout.initial() if initial is None else initial).to(model.device)
        self.gradient = torch.zeros_like(self.masters)
        self.optimizer = OptimizerState(torch.zeros_like(self.masters), torch.zeros_like(self.masters))
        self._compute = self.masters.to(model.dtype, copy=True)
        self._adapter = self.layout.adapter(self._compute, self.gradient)

    def resume(self, state: OptimizerState) -> None:
        """Go on from the optimizer's state of a checkpoint."""
        device = self._model.device
        self.optimizer = OptimizerState(state.exp_avg.to(device), state.exp_avg_sq.to(device), state.step)

    def forward(self, data: Sequence[Datum], loss: Loss) -> PassResult:
        """Log-probabilities at every position, and the loss; gradients and weights stay as they are."""
        return self._run(data, loss, backward=False, everywhere=True)

    def forward_backward(self, data: Sequence[Datum], loss: Loss, *, everywhere: bool = True) -> PassResult:
        """Add the gradient of the summed loss to the buffer.

        everywhere: also compute log-probabilities at positions that take no part in the loss, which costs a product
        with the whole vocabulary for each; without, they are 0.0.
        """
        return self._run(data, loss, backward=True, everywhere=everywhere)

    def _run(self, data: Sequence[Datum], loss: Loss, *, backward: bool, everywhere: bool) -> PassResult:
        before = self.gradient.clone() if backward else None
        budget = MICRO_BATCH_TOKENS[self._model.device.type]
        while True:
            try:
                return self._run_micro_batches(data, loss, budget, backward=backward, everywhere=everywhere)
            except BaseException as error:
                if before is not None:
                    self.gradient.copy_(before)  # a pass that fails half-way leaves no trace
                if not out_of_memory(error) or budget < max(len(datum.tokens) for datum in data):
                    raise
            budget //= 2
            _log.warning("out of memory: trying again with micro-batches of %d tokens", budget)

    def _run_micro_batches(
        self, data: Sequence[Datum], loss: Loss, budget: int, *, backward: bool, everywhere: bool
    ) -> PassResult:
        parts: list[tuple[list[int], Tensor]] = []
        losses: list[Tensor] = []
        for rows in micro_batches([len(datum.tokens) for datum in data], budget):
            values, loss_there = self._run_micro_batch(
                [data[i] for i in rows], loss, backward=backward, everywhere=everywhere
            )
            parts.append((rows, values))
            losses.append(loss_there)
        # Only here the host waits for the device.
        total = float(torch.stack(losses).sum())
        logprobs: dict[int, Tensor] = {}
        for rows, values in parts:
            for i, row in zip(rows, values.cpu().split([len(data[i].tokens) for i in rows]), strict=True):
                logprobs[i] = row[:, : data[i].width].reshape(data[i].targets.shape)
        return PassResult([logprobs[i] for i in range(len(data))], total)

    def _run_micro_batch(
        self, data: Sequence[Datum], loss: Loss, *, backward: bool, everywhere: bool
    ) -> tuple[Tensor, Tensor]:
        """(logprobs [T, K] of T packed tokens, the loss as a float64 scalar), both on the model's device."""
        device, heads = self._model.device, self._model.config.heads
        packing = Packing([len(datum.tokens) for datum in data], device)
        width = max(datum.width for datum in data)
        targets = _stack([datum.targets for datum in data], width)
        inputs = {name: _stack([datum.inputs[name] for datum in data], width) for name in loss.inputs}
        active = torch.arange(len(targets)) if loss.mask is None else inputs[loss.mask].any(1).nonzero().squeeze(1)
        others = torch.ones(len(targets), dtype=torch.bool).index_fill_(0, active, False).nonzero().squeeze(1)
        values = torch.zeros(len(targets), width, device=device)
        if not len(active) and not everywhere:
            return values, torch.zeros((), dtype=torch.float64, device=device)
        targets_there = targets.to(device)
        attention = causal_attention if device.type == "cpu" else flash_attention
        with torch.set_grad_enabled(backward and len(active) > 0):
            hidden = self._model.hidden_states(
                torch.cat([datum.tokens for datum in data]).to(device),
                packing.positions,
                lambda _, qkv, cos, sin: attention(qkv, cos, sin, packing, heads),
                self._adapter,
            )
            at = active.to(device)
            taking_part = hidden[at]
        head = Head(self._model, self._adapter)
        values[at], total, d_hidden = head.loss(
            taking_part.detach(),
            targets_there[at],
            loss,
            {name: value[active].to(device) for name, value in inputs.items()},
            backward=backward,
        )
        if everywhere and len(others):
            at = others.to(device)
            values[at] = head.logprobs(hidden.detach()[at], targets_there[at])
        if d_hidden is not None and len(active):
            taking_part.backward(d_hidden)
        return values, total

    @torch.no_grad()
    def optim_step(self, params: AdamParams) -> float:
        """One AdamW step (Loshchilov & Hutter: decoupled decay, bias-corrected) with the summed gradient.

        Clears the gradient buffer and returns the gradient's global norm before clipping. An empty buffer counts as
        a zero gradient. Raises UserFault, and leaves the weights as they are, where the gradient is not finite.
        """
        params.check()
        gradient, state = self.gradient, self.optimizer
        norm = float(torch.linalg.vector_norm(gradient))
        if not math.isfinite(norm):
            gradient.zero_()
            raise UserFault("the gradient is not finite: this step was skipped and the gradient dropped")
        if 0 < params.grad_clip_norm < norm:
            gradient.mul_(params.grad_clip_norm / (norm + 1e-6))
        state.step += 1
        state.exp_avg.lerp_(gradient, 1 - params.beta1)
        state.exp_avg_sq.mul_(params.beta2).addcmul_(gradient, gradient, value=1 - params.beta2)
        gradient.zero_()
        denominator = state.exp_avg_sq.sqrt().div_(math.sqrt(1 - params.beta2**state.step)).add_(params.eps)
        self.masters.mul_(1 - params.learning_rate * params.weight_decay)
        self.masters.addcdiv_(state.exp_avg, denominator, value=-params.learning_rate / (1 - params.beta1**state.step))
        self._compute.copy_(self.masters)
        return norm


def micro_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Group row indices, longest first, so that rows x longest row stays within `budget` tokens (or one row)."""
    rows: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if rows and (len(rows) + 1) * lengths[rows[0]] > budget:
            yield rows
            rows = []
        rows.append(i)
    if rows:
        yield rows


def _stack(rows: Sequence[Tensor], width: int) -> Tensor:
    """Rows of [N] or [N, K <= width], one below the other: [sum of N, width]; what is missing is zero."""
    return torch.cat([pad(row.reshape(len(row), -1), (0, width - row[0].numel())) for row in rows])
