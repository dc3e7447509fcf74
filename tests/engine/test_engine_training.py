"""Gradients against PEFT on the same model, and optimizer steps against torch's AdamW."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
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
from tinkersql.engine.losses import find_loss
from tinkersql.engine.training import AdamParams, Datum, Trainer, micro_batches
from tiny_model import write_tiny_model

MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"]
LORA = LoraConfig(rank=4, seed=3)
CROSS_ENTROPY = find_loss("cross_entropy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("untied"), tie_word_embeddings=False)


@pytest.fixture(scope="module")
def model(folder: Path, device: str) -> Llama:
    return load_llama(folder, torch.float32, device)


def make_data(model: Llama, lengths: tuple[int, ...], seed: int = 0) -> list[Datum]:
    generator = torch.Generator().manual_seed(seed)

    def tokens(n: int) -> Tensor:
        return torch.randint(0, model.config.vocab_size, (n,), generator=generator)

    # Fractional and negative weights, about a third of them zero.
    weights = [torch.randn(n, generator=generator) * (torch.rand(n, generator=generator) > 0.3) for n in lengths]
    return [Datum(tokens(len(w)), tokens(len(w)), {"weights": w}) for w in weights]


def reweighted(data: list[Datum], change: Callable[[Tensor], Tensor]) -> list[Datum]:
    return [Datum(d.tokens, d.targets, {"weights": change(d.inputs["weights"])}) for d in data]


def warm_trainer(model: Llama) -> Trainer:
    """A trainer whose B factors are not zero, so that every gradient is."""
    start = Trainer(model, LORA)
    noise = torch.randn(start.layout.size, generator=torch.Generator().manual_seed(1)) * 0.05
    return Trainer(model, LORA, start.masters.cpu() + noise)


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
        total = total - (datum.inputs["weights"] * logprobs.gather(1, datum.targets[:, None])[:, 0]).sum()
    total.backward()
    return float(total.detach()), {
        name: parameter.grad for name, parameter in parameters.items() if parameter.grad is not None
    }


# One row beyond the length up to which attention probabilities are kept, and rows that do not fit one micro-batch.
@pytest.mark.parametrize("lengths", [(20, 20, 20), (5, 40, 1, 17), (300, 12), (400, 400, 400, 400, 30)])
def test_gradients_equal_peft(lengths: tuple[int, ...], folder: Path, model: Llama) -> None:
    data = make_data(model, lengths)
    trainer = warm_trainer(model)
    result = trainer.forward_backward(data, CROSS_ENTROPY)
    loss, expected = reference_gradients(folder, trainer, data)
    assert result.loss == pytest.approx(loss, rel=1e-4, abs=1e-3)
    ours = dict(peft_tensors(trainer, trainer.gradient.cpu()))
    assert ours.keys() == expected.keys()
    for name, gradient in ours.items():
        torch.testing.assert_close(
            gradient, expected[name], rtol=1e-3, atol=1e-3, msg=lambda text, n=name: f"{n}: {text}"
        )


def test_training_passes_score_all_positions_or_the_weighted_ones(model: Llama) -> None:
    data = make_data(model, (30, 12))
    trainer = warm_trainer(model)
    trained = trainer.forward_backward(data, CROSS_ENTROPY, everywhere=False)
    gradient = trainer.gradient.clone()
    full = trainer.forward(data, CROSS_ENTROPY)
    assert torch.equal(trainer.gradient, gradient)
    assert trained.loss == pytest.approx(full.loss, rel=1e-5)
    for datum, some, every in zip(data, trained.logprobs, full.logprobs, strict=True):
        weighted = datum.inputs["weights"] != 0
        torch.testing.assert_close(some[weighted], every[weighted], rtol=1e-5, atol=1e-5)
        assert (some[~weighted] == 0).all()
        assert (every < 0).all()
    complete = trainer.forward_backward(data, CROSS_ENTROPY)
    assert complete.loss == trained.loss
    for one, other in zip(complete.logprobs, full.logprobs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(trainer.gradient, 2 * gradient, rtol=1e-5, atol=1e-5)


def test_gradients_add_up_over_calls_and_are_linear_in_the_weights(model: Llama) -> None:
    data = make_data(model, (30, 12, 25))
    once, piecewise, halved = (warm_trainer(model) for _ in range(3))
    once.forward_backward(data, CROSS_ENTROPY)
    for datum in data:
        piecewise.forward_backward([datum], CROSS_ENTROPY)
    halved.forward_backward(reweighted(data, lambda weights: weights / 2), CROSS_ENTROPY)
    torch.testing.assert_close(piecewise.gradient, once.gradient, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(halved.gradient * 2, once.gradient, rtol=1e-4, atol=1e-4)


POLICY_LOSSES: dict[str, Callable[[Tensor, Mapping[str, Tensor]], Tensor]] = {
    "importance_sampling": lambda r, x: -(r * x["advantages"]).sum(),
    "ppo": lambda r, x: -torch.min(r * x["advantages"], r.clip(0.8, 1.2) * x["advantages"]).sum(),
    "cispo": lambda r, x: -(r.clip(0.8, 1.2).detach() * r.log() * x["advantages"]).sum(),
    "dro": lambda r, x: -((r.log() + x["logprobs"]) * x["advantages"] - 0.5 * 0.05 * r.log() ** 2).sum(),
}


def policy_data(model: Llama, lengths: tuple[int, ...], trainer: Trainer) -> list[Datum]:
    """Advantages of both signs, a third of them zero, and old log-probabilities on both sides of the clipping."""
    data = make_data(model, lengths)
    now = trainer.forward(data, CROSS_ENTROPY).logprobs
    generator = torch.Generator().manual_seed(9)
    return [
        Datum(
            d.tokens,
            d.targets,
            {
                "advantages": d.inputs["weights"],
                "logprobs": lp + 0.4 * torch.randn(len(lp), generator=generator),
            },
        )
        for d, lp in zip(data, now, strict=True)
    ]


@pytest.mark.parametrize("name", POLICY_LOSSES)
def test_policy_losses_and_their_gradients_are_those_of_their_formulas(name: str, model: Llama) -> None:
    trainer = warm_trainer(model)
    data = policy_data(model, (30, 12, 25), trainer)
    result = trainer.forward_backward(data, find_loss(name))
    expected, formula = 0.0, POLICY_LOSSES[name]
    weights = []
    for datum, logprobs in zip(data, result.logprobs, strict=True):
        leaf = logprobs.clone().requires_grad_()
        # For cispo the ratio's logarithm stands for the log-probability itself: the gradient is the same.
        loss = formula((leaf - datum.inputs["logprobs"]).exp(), datum.inputs)
        if name == "cispo":
            clipped = (leaf - datum.inputs["logprobs"]).exp().clip(0.8, 1.2).detach()
            loss = -(clipped * leaf * datum.inputs["advantages"]).sum()
        loss.backward()
        expected += float(loss.detach())
        assert leaf.grad is not None
        weights.append(-leaf.grad)
    assert result.loss == pytest.approx(expected, rel=1e-4, abs=1e-3)
    gradient = trainer.gradient.clone()
    trainer.gradient.zero_()
    # Cross entropy is linear: with minus the derivatives as weights it has the same gradient.
    as_weights = [Datum(d.tokens, d.targets, {"weights": w}) for d, w in zip(data, weights, strict=True)]
    trainer.forward_backward(as_weights, CROSS_ENTROPY)
    torch.testing.assert_close(gradient, trainer.gradient, rtol=1e-3, atol=1e-4)


def test_options_of_losses(model: Llama) -> None:
    trainer = warm_trainer(model)
    data = policy_data(model, (30,), trainer)
    plain = trainer.forward(data, find_loss("importance_sampling")).loss
    wide = find_loss("ppo", {"clip_low_threshold": 0.0, "clip_high_threshold": 1e9})
    assert trainer.forward(data, wide).loss == pytest.approx(plain, rel=1e-6)
    assert trainer.forward(data, find_loss("ppo")).loss > plain
    losses = [trainer.forward(data, find_loss("dro", {"beta": beta})).loss for beta in (0.0, 0.1, 0.2)]
    assert losses[1] - losses[0] == pytest.approx(losses[2] - losses[1], rel=1e-3)
    assert losses[1] > losses[0]
    for name, options, message in (
        ("gspo", {}, "'gspo' is not supported by this server: it has cross_entropy, importance_sampling"),
        ("ppo", {"beta": 1.0}, "beta is unknown: the options of ppo are: clip_low_threshold"),
        ("dro", {"beta": "high"}, "finite number"),
        ("dro", {"beta": float("nan")}, "finite number"),
        ("ppo", {"clip_low_threshold": 2.0}, "above"),
    ):
        with pytest.raises(UserFault, match=message):
            find_loss(name, options)


def test_soft_targets_are_a_sum_of_hard_ones(model: Llama) -> None:
    hard, soft = warm_trainer(model), warm_trainer(model)
    columns = [make_data(model, (20, 9), seed) for seed in range(3)]
    for column in columns:
        same_tokens = [Datum(a.tokens, d.targets, d.inputs) for a, d in zip(columns[0], column, strict=True)]
        hard.forward_backward(same_tokens, CROSS_ENTROPY)
    data = [
        Datum(
            row[0].tokens,
            torch.stack([d.targets for d in row], 1),
            {"weights": torch.stack([d.inputs["weights"] for d in row], 1)},
        )
        for row in zip(*columns, strict=True)
    ]
    narrow = make_data(model, (15,), seed=8)  # one target a position, in the same call
    result = soft.forward_backward([*data, *narrow], CROSS_ENTROPY)
    hard.forward_backward(narrow, CROSS_ENTROPY)
    assert [tuple(logprobs.shape) for logprobs in result.logprobs] == [(20, 3), (9, 3), (15,)]
    torch.testing.assert_close(soft.gradient, hard.gradient, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_pass_that_runs_out_of_memory_goes_on_with_smaller_micro_batches(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path, vocab_size=20_000, intermediate_size=4096)
    script = Path(__file__).with_name("little_memory.py")
    child = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, timeout=300)
    assert child.returncode == 0, child.stderr
    assert "trying again with micro-batches of" in child.stderr


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
        trainer.forward_backward(make_data(model, (20, 8), seed=step), CROSS_ENTROPY)
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


@pytest.mark.parametrize(
    "params",
    [AdamParams(eps=0.0), AdamParams(learning_rate=1e38), AdamParams(beta1=1.0), AdamParams(beta2=float("nan"))],
)
def test_steps_that_would_leave_nothing_finite_are_refused(params: AdamParams, model: Llama) -> None:
    trainer = Trainer(model, LORA)
    trainer.forward_backward(make_data(model, (20,)), CROSS_ENTROPY)
    before = trainer.masters.clone()
    with pytest.raises(UserFault, match="adam_params"):
        trainer.optim_step(params)
    assert torch.equal(trainer.masters, before)


@pytest.mark.parametrize("name", ["ppo", "cispo"])
def test_hopeless_old_log_probabilities_leave_a_clipped_gradient_finite(name: str, model: Llama) -> None:
    trainer = warm_trainer(model)
    (datum,) = policy_data(model, (20,), trainer)
    datum.inputs["logprobs"][:] = -99_999.0
    datum.inputs["advantages"].abs_()
    trainer.forward_backward([datum], find_loss(name))
    assert trainer.gradient.isfinite().all()


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
        losses.append(trainer.forward_backward(reweighted(data, torch.abs), CROSS_ENTROPY).loss)
        trainer.optim_step(AdamParams(learning_rate=1e-2))
    assert losses[-1] < losses[0] * 0.9


def test_micro_batches_hold_every_row_once_within_the_budget() -> None:
    lengths = [5, 100, 7, 64, 64, 3, 1, 250]
    batches = list(micro_batches(lengths, 130))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 130
