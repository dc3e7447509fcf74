"""LoRA training with TRL's SFTTrainer and PEFT, for ``benchmarks/engine_training.py``.

The first job opens a trainer, ``{"model", "dtype", "batch", "packing", "longest", "rank", "threads", "rows"}``, where
rows are pairs of prompt and completion tokens. Every later job ``{"seconds", "steps"}`` trains on the same rows from
their beginning, until they end or a limit is reached at the end of a step, and is answered with what that took.
"""

import tempfile
import time
from typing import Any

import torch
from answering import answer_jobs
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer


class Clock(TrainerCallback):
    """Ends a training at its limit, and knows when steps ended."""

    def __init__(self) -> None:
        self.seconds, self.steps = float("inf"), 0
        self.began = self.ended = 0.0
        self.done = 0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.began, self.done = time.perf_counter(), 0

    def on_step_end(self, _: Any, __: Any, control: Any, **___: Any) -> None:
        self.ended, self.done = time.perf_counter(), self.done + 1
        if self.ended - self.began > self.seconds or self.done == self.steps:
            control.should_training_stop = True


class CountingTrainer(SFTTrainer):
    """Notes how many tokens that are no padding each step was given."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.tokens: list[int] = []

    def training_step(self, model: Any, inputs: Any, *arguments: Any, **named: Any) -> Any:
        mask = inputs.get("attention_mask")
        self.tokens.append(int(inputs["input_ids"].numel() if mask is None else mask.sum()))
        return super().training_step(model, inputs, *arguments, **named)


class Training:
    """A trainer that stays open between jobs."""

    trainer: CountingTrainer | None = None
    clock = Clock()

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        if "model" in job:
            self.trainer = self.opened(job)
            return {}
        assert self.trainer is not None
        self.clock.seconds, self.clock.steps = job["seconds"], job["steps"]
        self.trainer.tokens.clear()
        loss = self.trainer.train().training_loss
        return {
            "tokens": sum(self.trainer.tokens),
            "seconds": self.clock.ended - self.clock.began,
            "steps": self.clock.done,
            "loss": loss,
        }

    def opened(self, job: dict[str, Any]) -> CountingTrainer:
        torch.set_num_threads(job["threads"])
        rows = {
            "input_ids": [prompt + completion for prompt, completion in job["rows"]],
            "completion_mask": [[0] * len(prompt) + [1] * len(completion) for prompt, completion in job["rows"]],
        }
        mean = sum(map(len, rows["input_ids"])) / len(job["rows"])
        # A packed batch holds about as many tokens as one of single rows.
        batch = max(1, round(job["batch"] * mean / job["longest"])) if job["packing"] else job["batch"]
        weights, autocast = job["dtype"].split(",")
        return CountingTrainer(
            model=job["model"],
            args=SFTConfig(
                output_dir=tempfile.mkdtemp(),
                model_init_kwargs={"dtype": weights},
                use_cpu=True,
                bf16=autocast == "autocast",
                per_device_train_batch_size=batch,
                packing=job["packing"],
                max_length=job["longest"],
                completion_only_loss=True,
                gradient_checkpointing=False,
                learning_rate=1e-3,
                num_train_epochs=1,
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_dict(rows),
            processing_class=AutoTokenizer.from_pretrained(job["model"]),
            peft_config=LoraConfig(
                r=job["rank"], lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
            ),
            callbacks=[self.clock],
        )


if __name__ == "__main__":
    answer_jobs(Training().do)
