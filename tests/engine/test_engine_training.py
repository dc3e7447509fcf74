"""Gradients against PEFT on the same model, and optimizer steps against torch's AdamW."""

from collections.abc import Iterator
from pathlib import Path

import peft
import pytest
import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from tinkersql.engine.faults import UserFault
from tinkersql.engine.llama import Llama
from tinkersql.engine.loading import load_llama
from tinkersql.engine.lora import ALPHA, LoraConfig
from tinkersql.engine.training import AdamParams, Datum, Trainer, micro_batches
from tiny_model import write_tiny_model

MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"]
LORA = LoraConfig(rank=4, seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("untied"), tie_word_embeddings=False)


@pytest.fixture(scope="module")
def model(folder: Path) -> Llama:
    return load_llama(folder, torch.float32)


def make_data(model: Llama, lengths: tuple[int, ...], seed: int = 0) -> list[Datum]:
    generator = torch.Generator().manual_seed(seed)

    def tokens(n: int) -> Tensor:
        return torch.randint(0, model.config.vocab_size, (n,), generator=generator)

    # Fractional and negative weights, about a third of them zero.
    weights = [torch.randn(n, generator=generator) * (torch.rand(n, generator=generator) > 0.3) for n in lengths]
    return [Datum(tokens(len(w)), tokens(len(w)), w) for w in weights]


def warm_trainer(model: Llama) -> Trainer:
    """A trainer whose B factors are not zero, so that every gradient is."""
    start = Trainer(model, LORA)
    noise = torch.randn(start.layout.size, generator=torch.Generator().manual_seed(1)) * 0.05
    return Trainer(model, LORA, start.masters + noise)


def peft_tensors(trainer: Trainer, flat: Tensor) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in trainer.layout.tensors(flat):
        short = name.removeprefix("base_model.model.").removesuffix(".weight").replace("unembed_tokens", "lm_head")
        yield short.replace("model.lm_head", "lm_head"), tensor


def reference_gradients(folder: Path, trainer: Trainer, data: list[Datum]) -> tuple[float, dict[str, Tensor]]:
    base = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = peft.LoraConfig(r=LORA.rank, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=MODULES)
    wrapped = peft.get_peft_model(base, config)
    parameters = {
        name.removeprefix("base_model.model.").replace(".default.weight", ""): parameter
        for name, parameter in wrapped.named_parameters()
        if "lora_" in name
    }
    with torch.no_grad():
        for name, tensor in peft_tensors(trainer, trainer.masters):
            parameters[name].copy_(tensor)
    total = torch.zeros(())
    for datum in data:
        logprobs = wrapped(datum.tokens[None]).logits[0].log_softmax(-1)
        total = total - (datum.weights * logprobs.gather(1, datum.targets[:, None])[:, 0]).sum()
    total.backward()
    return float(total.detach()), {
        name: parameter.grad for name, parameter in parameters.items() if parameter.grad is not None
    }


# One row beyond the length up to which attention probabilities are kept, and rows that do not fit one micro-batch.
@pytest.mark.parametrize("lengths", [(20, 20, 20), (5, 40, 1, 17), (300, 12), (400, 400, 400, 400, 30)])
def test_gradients_equal_peft(lengths: tuple[int, ...], folder: Path, model: Llama) -> None:
    data = make_data(model, lengths)
    trainer = warm_trainer(model)
    result = trainer.forward_backward(data, "cross_entropy")
    loss, expected = reference_gradients(folder, trainer, data)
    assert result.loss == pytest.approx(loss, rel=1e-4, abs=1e-3)
    ours = dict(peft_tensors(trainer, trainer.gradient))
    assert ours.keys() == expected.keys()
    for name, gradient in ours.items():
        torch.testing.assert_close(
            gradient, expected[name], rtol=1e-3, atol=1e-3, msg=lambda text, n=name: f"{n}: {text}"
        )


def test_a_training_pass_scores_weighted_positions_and_forward_scores_all(model: Llama) -> None:
    data = make_data(model, (30, 12))
    trainer = warm_trainer(model)
    trained = trainer.forward_backward(data, "cross_entropy")
    gradient = trainer.gradient.clone()
    full = trainer.forward(data, "cross_entropy")
    assert torch.equal(trainer.gradient, gradient)
    assert trained.loss == pytest.approx(full.loss, rel=1e-5)
    for datum, some, every in zip(data, trained.logprobs, full.logprobs, strict=True):
        weighted = datum.weights != 0
        torch.testing.assert_close(some[weighted], every[weighted], rtol=1e-5, atol=1e-5)
        assert (some[~weighted] == 0).all()
        assert (every < 0).all()


def test_gradients_add_up_over_calls_and_are_linear_in_the_weights(model: Llama) -> None:
    data = make_data(model, (30, 12, 25))
    once, piecewise, halved = (warm_trainer(model) for _ in range(3))
    once.forward_backward(data, "cross_entropy")
    for datum in data:
        piecewise.forward_backward([datum], "cross_entropy")
    halved.forward_backward([Datum(d.tokens, d.targets, d.weights / 2) for d in data], "cross_entropy")
    torch.testing.assert_close(piecewise.gradient, once.gradient, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(halved.gradient * 2, once.gradient, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "params",
    [
        AdamParams(learning_rate=1e-2),
        AdamParams(learning_rate=3e-3, beta1=0.8, beta2=0.99, eps=1e-8, weight_decay=0.1),
        AdamParams(learning_rate=1e-2, grad_clip_norm=0.5),
    ],
)
def test_steps_equal_torch_adamw(params: AdamParams, model: Llama) -> None:
    trainer = Trainer(model, LORA)
    reference = torch.nn.Parameter(trainer.masters.clone())
    optimizer = torch.optim.AdamW(
        [reference],
        lr=params.learning_rate,
        betas=(params.beta1, params.beta2),
        eps=params.eps,
        weight_decay=params.weight_decay,
    )
    for step in range(4):
        trainer.forward_backward(make_data(model, (20, 8), seed=step), "cross_entropy")
        if step == 2:
            trainer.gradient.zero_()  # a step with an empty buffer: moments decay
        reference.grad = trainer.gradient.clone()
        norm = float(reference.grad.norm())
        if params.grad_clip_norm:
            torch.nn.utils.clip_grad_norm_([reference], params.grad_clip_norm)
        optimizer.step()
        assert trainer.optim_step(params) == pytest.approx(norm, rel=1e-5)
        torch.testing.assert_close(trainer.masters, reference.data, rtol=1e-5, atol=1e-7)
        assert not trainer.gradient.any()


def test_a_gradient_that_is_not_finite_leaves_the_weights_alone(model: Llama) -> None:
    trainer = warm_trainer(model)
    before = trainer.masters.clone()
    trainer.gradient[5] = float("inf")
    with pytest.raises(UserFault, match="not finite"):
        trainer.optim_step(AdamParams())
    assert torch.equal(trainer.masters, before)
    assert not trainer.gradient.any()


def test_the_seed_decides_the_start_and_b_is_zero(model: Llama) -> None:
    first, again, other = (Trainer(model, LoraConfig(4, seed)) for seed in (1, 1, 2))
    assert torch.equal(first.masters, again.masters)
    assert not torch.equal(first.masters, other.masters)
    for name, tensor in first.layout.tensors(first.masters):
        assert bool(tensor.any()) == ("lora_A" in name)


@pytest.mark.parametrize(
    ("attn", "mlp", "unembed", "expected"),
    [
        (True, False, False, {"q_proj", "k_proj", "v_proj", "o_proj"}),
        (False, True, False, {"gate_proj", "up_proj", "down_proj"}),
        (False, False, True, {"unembed_tokens"}),
    ],
)
def test_the_flags_choose_the_modules(attn: bool, mlp: bool, unembed: bool, expected: set[str], model: Llama) -> None:
    trainer = Trainer(model, LoraConfig(2, 0, attn, mlp, unembed))
    assert {name.split(".")[-3] for name, _ in trainer.layout.tensors(trainer.masters)} == expected
    data = make_data(model, (20,))
    losses = []
    for _ in range(10):
        losses.append(
            trainer.forward_backward([Datum(d.tokens, d.targets, d.weights.abs()) for d in data], "cross_entropy").loss
        )
        trainer.optim_step(AdamParams(learning_rate=1e-2))
    assert losses[-1] < losses[0] * 0.9


def test_micro_batches_hold_every_row_once_within_the_budget() -> None:
    lengths = [5, 100, 7, 64, 64, 3, 1, 250]
    batches = list(micro_batches(lengths, 130))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 130
