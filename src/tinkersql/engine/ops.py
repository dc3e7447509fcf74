"""The differentiable operations of a Llama block but attention, each with a hand-written backward pass.

Written by hand for two reasons: a frozen base needs no gradient of its own weights, and autograd would keep several
times more activations alive. All of them work on *packed* tokens: the rows of a batch laid end to end, T tokens in
all, without padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional


@dataclass(frozen=True)
class LoraFactors:
    """The low-rank update of one fused linear layer: ``y[:, part] += scale * (x @ a[part].T) @ b[part].T``.

    a: [parts * rank, in]. b: [sum(sizes), rank]. sizes: output size of each fused part (q, k, v for example).
    grad_a, grad_b: float32 buffers of the same shapes that a backward pass adds to, or None for sampling.
    """

    a: Tensor
    b: Tensor
    sizes: tuple[int, ...]
    scale: float
    grad_a: Tensor | None = None
    grad_b: Tensor | None = None


def _linear_forward(
    x: Tensor, weight: Tensor, lora: LoraFactors | None, bias: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Return the output [T, out] and, with an adapter, ``x @ a.T`` [T, parts * rank]."""
    y = functional.linear(x, weight, bias)
    if lora is None:
        return y, None
    low = functional.linear(x, lora.a)
    rank = lora.b.shape[1]
    for low_part, b, y_part in zip(low.split(rank, 1), lora.b.split(lora.sizes), y.split(lora.sizes, 1), strict=True):
        y_part.addmm_(low_part, b.t(), alpha=lora.scale)
    return y, low


def linear_backward(dy: Tensor, x: Tensor, weight: Tensor, lora: LoraFactors | None, low: Tensor | None) -> Tensor:
    """Gradient with respect to x; the gradients of the LoRA factors are added to their buffers on the way."""
    dx = dy @ weight
    if lora is None or low is None:
        return dx
    rank = lora.b.shape[1]
    d_low = torch.empty_like(low)
    parts = zip(
        dy.split(lora.sizes, 1), lora.b.split(lora.sizes), low.split(rank, 1), d_low.split(rank, 1), strict=True
    )
    start = 0
    for dy_part, b, low_part, d_low_part in parts:
        d_low_part.copy_(dy_part @ b).mul_(lora.scale)
        if lora.grad_b is not None:
            lora.grad_b[start : start + len(b)].add_(dy_part.t() @ low_part, alpha=lora.scale)
        start += len(b)
    if lora.grad_a is not None:
        lora.grad_a.add_(d_low.t() @ x)
    return dx.addmm_(d_low, lora.a)


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, lora: LoraFactors | None, bias: Tensor | None) -> Tensor:
        y, low = _linear_forward(x, weight, lora, bias)
        # Without an adapter the gradient needs no input: keep none alive.
        ctx.save_for_backward(*(() if lora is None else (x, low)))
        ctx.weight, ctx.lora = weight, lora
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        x, low = ctx.saved_tensors or (grads[0], None)
        return linear_backward(grads[0], x, ctx.weight, ctx.lora, low), None, None, None


def linear(x: Tensor, weight: Tensor, lora: LoraFactors | None = None, bias: Tensor | None = None) -> Tensor:
    """``x @ weight.T + bias`` plus the adapter's update. x: [T, in], weight: [out, in]; weight and bias are frozen."""
    if torch.is_grad_enabled():
        return _Linear.apply(x, weight, lora, bias)  # pyright: ignore[reportReturnType]
    return _linear_forward(x, weight, lora, bias)[0]


def _normalised(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    wide = x.float()
    inverse = wide.square().mean(-1, keepdim=True).add_(eps).rsqrt_()
    return wide.mul(inverse), inverse


class _RmsNorm(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        unit, inverse = _normalised(x, eps)
        ctx.save_for_backward(x, weight, inverse)
        return unit.to(weight.dtype).mul_(weight)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        x, weight, inverse = ctx.saved_tensors
        unit = x.float().mul_(inverse)
        d_unit = (grads[0] * weight).float()
        unit.mul_((d_unit * unit).mean(-1, keepdim=True))
        return d_unit.sub_(unit).mul_(inverse).to(x.dtype), None, None


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Root-mean-square normalisation in float32, as Llama does it: ``weight * (x / sqrt(mean(x^2) + eps))``."""
    if torch.is_grad_enabled():
        return _RmsNorm.apply(x, weight, eps)  # pyright: ignore[reportReturnType]
    return _normalised(x, eps)[0].to(weight.dtype).mul_(weight)


class _SwiGlu(Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, -1)
        return functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        gate, up = gate_up.chunk(2, -1)
        out = torch.empty_like(gate_up)
        d_gate, d_up = out.chunk(2, -1)
        torch.mul(grads[0], functional.silu(gate), out=d_up)
        d_gate.copy_(torch.ops.aten.silu_backward(grads[0] * up, gate))
        return out


def swiglu(gate_up: Tensor) -> Tensor:
    """``silu(gate) * up`` of the two halves of the last dimension: [T, 2 * I] -> [T, I]."""
    if torch.is_grad_enabled():
        return _SwiGlu.apply(gate_up)  # pyright: ignore[reportReturnType]
    gate, up = gate_up.chunk(2, -1)
    return functional.silu(gate).mul_(up)
