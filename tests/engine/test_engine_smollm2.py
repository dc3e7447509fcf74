"""The pinned real model: bfloat16 against transformers in float32, and a short training that learns."""

from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from tinkersql import models
from tinkersql.engine.batching import Batcher
from tinkersql.engine.loading import load_llama, load_tokenizer, preferred_dtype
from tinkersql.engine.lora import LoraConfig
from tinkersql.engine.losses import find_loss
from tinkersql.engine.sampling import SampleRequest, SamplingParams, StopRule
from tinkersql.engine.training import AdamParams, Datum, Trainer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder() -> Path:
    return models.resolve().folder


def questions(count: int) -> list[tuple[str, str]]:
    made = []
    for i in range(count):
        word, function = (("average", "AVG"), ("total", "SUM"), ("highest", "MAX"))[i % 3]
        schema = f"CREATE TABLE table_{i} (name VARCHAR, age INTEGER, score_{i} REAL)"
        question = f"What is the {word} score_{i} of the names with age above {i}?"
        prompt = f"Table schema:\n{schema}\nQuestion: {question}\nSQL: "
        made.append((prompt, f" SELECT {function}(score_{i}) FROM table_{i} WHERE age > {i}\n\n"))
    return made


def test_bfloat16_leaves_the_reference_only_at_near_ties(folder: Path) -> None:
    model, tokenizer = load_llama(folder, torch.bfloat16), load_tokenizer(folder)
    batcher = Batcher(model, tokenizer, lambda _: {})
    finished: list[SampleRequest] = []
    for prompt, _ in questions(24):
        tokens = tuple(tokenizer.encode(prompt).ids)
        params = SamplingParams(32, StopRule(), temperature=0)
        batcher.submit(SampleRequest(tokens, params, None, lambda request, _: finished.append(request)))
    while batcher.busy:
        batcher.step()
    reference = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    agreed = 0
    for request in finished:
        answer = request.sequences[0].tokens
        with torch.no_grad():
            logits = reference(torch.tensor([[*request.prompt, *answer]])).logits[0, len(request.prompt) - 1 : -1]
        for token, row in zip(answer, logits.log_softmax(-1), strict=True):
            if int(row.argmax()) != token:
                assert float(row.max() - row[token]) < 0.05
                break
            agreed += 1
    assert len(finished) == 24
    assert agreed > 24 * 16


def test_a_short_training_learns_the_pattern(folder: Path) -> None:
    model, tokenizer = load_llama(folder, preferred_dtype()), load_tokenizer(folder)
    trainer = Trainer(model, LoraConfig(32, 1, train_unembed=False))
    data = []
    for prompt, answer in questions(96):
        start, end = tokenizer.encode(prompt).ids, tokenizer.encode(answer, add_special_tokens=False).ids
        tokens = torch.tensor(start + end)
        weights = torch.tensor([0.0] * (len(start) - 1) + [1.0] * len(end))
        data.append(Datum(tokens[:-1], tokens[1:], {"weights": weights}))
    losses = []
    for step in range(6):
        batch = data[step * 16 : step * 16 + 16]
        loss = trainer.forward_backward(batch, find_loss("cross_entropy")).loss
        losses.append(loss / sum(float(datum.inputs["weights"].sum()) for datum in batch))
        trainer.optim_step(AdamParams(learning_rate=1e-3, eps=1e-8))
    assert losses[-1] < 0.25 * losses[0]
