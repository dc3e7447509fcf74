"""Our own engine without server, wire and futures, for ``benchmarks/engine_overhead.py``.

The first job loads the model: ``{"model", "dtype", "threads", "rank", "rows"}``. ``{"batch"}`` then trains on the rows,
and ``{"prompts", "max_tokens", "at_once"}`` samples greedily for so many prompts at once. Both are answered with
seconds.
"""

import time
from pathlib import Path
from typing import Any

from answering import answer_jobs

from tinkersql.engine import tame_torch

tame_torch()

import torch  # noqa: E402

from tinkersql.engine.batching import Batcher  # noqa: E402
from tinkersql.engine.llama import NO_ADAPTER  # noqa: E402
from tinkersql.engine.loading import load_llama, load_tokenizer  # noqa: E402
from tinkersql.engine.lora import LoraConfig  # noqa: E402
from tinkersql.engine.losses import find_loss  # noqa: E402
from tinkersql.engine.sampling import SampleRequest, SamplingParams, StopRule  # noqa: E402
from tinkersql.engine.training import AdamParams, Datum, Trainer  # noqa: E402


class Engine:
    """A trainer and a batcher that stay open between jobs."""

    trainer: Trainer
    batcher: Batcher
    data: list[Datum]

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        if "model" in job:
            self.open(job)
            return {}
        started = time.perf_counter()
        if "batch" in job:
            self.train(job["batch"])
        else:
            self.sample(job["prompts"], job["max_tokens"], job["at_once"])
        return {"seconds": time.perf_counter() - started}

    def open(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(job["threads"])
        folder = Path(job["model"])
        model = load_llama(folder, getattr(torch, job["dtype"]))
        self.trainer = Trainer(model, LoraConfig(job["rank"], seed=0, train_unembed=False))
        self.batcher = Batcher(model, load_tokenizer(folder), lambda _: NO_ADAPTER)
        self.data = [
            Datum(
                torch.tensor((prompt + completion)[:-1]),
                torch.tensor((prompt + completion)[1:]),
                {"weights": torch.tensor(([0.0] * len(prompt) + [1.0] * len(completion))[1:])},
            )
            for prompt, completion in job["rows"]
        ]

    def train(self, batch: int) -> None:
        for start in range(0, len(self.data), batch):
            part = self.data[start : start + batch]
            self.trainer.forward_backward(part, find_loss("cross_entropy"), everywhere=False)
            self.trainer.optim_step(AdamParams(learning_rate=1e-3))

    def sample(self, prompts: list[list[int]], most: int, at_once: int) -> None:
        params = SamplingParams(most, StopRule(), temperature=0.0)
        errors: list[Exception | None] = []
        for start in range(0, len(prompts), at_once):
            for prompt in prompts[start : start + at_once]:
                self.batcher.submit(SampleRequest(tuple(prompt), params, None, lambda _, error: errors.append(error)))
            while self.batcher.busy:
                self.batcher.step()
        if errors != [None] * len(prompts):
            raise RuntimeError(f"sampling failed: {errors}")


if __name__ == "__main__":
    answer_jobs(Engine().do)
