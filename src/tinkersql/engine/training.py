"""One LoRA model in training: its masters, gradient buffer and Adam moments, and the passes that change them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tinkersql.engine.faults import UserFault
from tinkersql.engine.llama import Llama
from tinkersql.engine.lora import LoraConfig, LoraLayout
from tinkersql.engine.losses import Loss, find_loss
from tinkersql.engine.ops import Packing, causal_attention, linear_backward

MICRO_BATCH_TOKENS = 1024
"""Padded tokens that go through the model at once in training; bounds the memory of activations."""

LOGIT_POSITIONS = 256
"""Positions whose logits [positions, vocab] exist at once."""


@dataclass(frozen=True)
class Datum:
    """One training sequence. tokens, targets: [N] int64 inside the vocabulary; weights: [N] finite float32.

    Position i of the tokens predicts ``targets[i]``: the client has shifted them.
    """

    tokens: Tensor
    targets: Tensor
    weights: Tensor


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
        for name in ("beta1", "beta2"):
            if getattr(self, name) >= 1:
                raise UserFault(f"adam_params.{name} = {getattr(self, name)} must be below 1")


@dataclass(frozen=True)
class PassResult:
    """What a forward or forward-backward pass returns. logprobs: per datum [N] float32; loss: sum in nats."""

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

    def forward(self, data: Sequence[Datum], loss_name: str) -> PassResult:
        """Log-probabilities at every position, and the loss; gradients and weights stay as they are."""
        return self._run(data, find_loss(loss_name), backward=False)

    def forward_backward(self, data: Sequence[Datum], loss_name: str) -> PassResult:
        """Add the gradient of the summed loss to the buffer.

        Log-probabilities are computed only where the weight is not zero, and are 0.0 elsewhere: `forward` has all.
        """
        return self._run(data, find_loss(loss_name), backward=True)

    def _run(self, data: Sequence[Datum], loss: Loss, *, backward: bool) -> PassResult:
        logprobs = [torch.zeros(len(datum.tokens)) for datum in data]
        total = 0.0
        before = self.gradient.clone() if backward else None
        try:
            for rows in micro_batches([len(datum.tokens) for datum in data], MICRO_BATCH_TOKENS):
                results, part = self._run_micro_batch([data[i] for i in rows], loss, backward=backward)
                total += part
                for i, values in zip(rows, results, strict=True):
                    logprobs[i] = values
        except BaseException:
            if before is not None:
                self.gradient.copy_(before)  # a pass that fails half-way leaves no trace
            raise
        return PassResult(logprobs, total)

    def _run_micro_batch(self, data: Sequence[Datum], loss: Loss, *, backward: bool) -> tuple[list[Tensor], float]:
        lengths = [len(datum.tokens) for datum in data]
        packing = Packing(lengths, self._model.device)
        heads = self._model.config.heads
        tokens, targets, weights = (
            torch.cat([getattr(datum, name) for datum in data]).to(self._model.device)
            for name in ("tokens", "targets", "weights")
        )
        at = weights.nonzero().squeeze(1) if backward else torch.arange(len(tokens), device=self._model.device)
        values = torch.zeros(len(tokens), device=self._model.device)
        total = 0.0
        if len(at):
            with torch.set_grad_enabled(backward):
                hidden = self._model.hidden_states(
                    tokens,
                    packing.positions,
                    lambda _, qkv, cos, sin: causal_attention(qkv, cos, sin, packing, heads),
                    self._adapter,
                )[at]
            inputs = {"weights": weights[at]}
            values[at], total, d_hidden = self._head(hidden.detach(), targets[at], loss, inputs, backward=backward)
            if d_hidden is not None:
                hidden.backward(d_hidden)
        return list(values.cpu().split(lengths)), total

    @torch.no_grad()
    def _head(
        self, hidden: Tensor, targets: Tensor, loss: Loss, inputs: Mapping[str, Tensor], *, backward: bool
    ) -> tuple[Tensor, float, Tensor | None]:
        """Unembedding and loss in chunks of positions, forward and backward at once, so that logits never pile up.

        hidden: [N, hidden], targets: [N]. Returns logprobs [N] float32, the loss, and d loss / d hidden [N, hidden].
        """
        weight, lora = self._model.unembedding, self._adapter.get((-1, "unembed"))
        logprobs = torch.empty(len(targets), device=hidden.device)
        d_hidden = torch.empty_like(hidden) if backward else None
        total = 0.0
        for start in range(0, len(targets), LOGIT_POSITIONS):
            chunk = slice(start, start + LOGIT_POSITIONS)
            target = targets[chunk, None]
            logits = self._model.logits(hidden[chunk], self._adapter)
            normaliser = logits.logsumexp(-1, keepdim=True)
            logprobs[chunk] = (logits.gather(1, target) - normaliser).squeeze(1)
            part, slope = loss(logprobs[chunk], {name: values[chunk] for name, values in inputs.items()})
            total += part
            if d_hidden is not None:
                # d logprob[t] / d logits[j] = [j = t] - p[j]
                d_logits = logits.sub_(normaliser).exp_().mul_(-slope[:, None])
                d_logits.scatter_add_(1, target, slope[:, None])
                low = None if lora is None else hidden[chunk] @ lora.a.t()
                d_hidden[chunk] = linear_backward(d_logits.to(hidden.dtype), hidden[chunk], weight, lora, low)
        return logprobs, total, d_hidden

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
