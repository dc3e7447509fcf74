"""The reward function inside the real GRPOTrainer, with a tiny random Llama."""

import math
from pathlib import Path

import pytest

from tinkersql.adapters.trl import SqlReward

SCHEMA = "CREATE TABLE trees (id INTEGER, name VARCHAR, height REAL)"
GOLD = "SELECT name FROM trees WHERE height > 5"


@pytest.mark.slow
def test_grpo_trains_on_the_verdicts(tiny_model: Path, tmp_path: Path):
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    torch.manual_seed(0)
    examples = [
        {"prompt": "Which trees are high?", "schema": SCHEMA, "answer": [GOLD]},
        {"prompt": "Which trees are gone?", "schema": SCHEMA, "answer": ["SELECT name FROM gone"]},
    ]
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(tiny_model),
        processing_class=AutoTokenizer.from_pretrained(tiny_model),
        reward_funcs=SqlReward(gold="answer", error=-1.0),
        train_dataset=Dataset.from_list(examples),
        args=GRPOConfig(
            output_dir=str(tmp_path),
            per_device_train_batch_size=4,
            num_generations=2,
            max_completion_length=8,
            max_steps=2,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            bf16=False,
        ),
    )
    trainer.train()
    steps = [entry for entry in trainer.state.log_history if "sql/gold_error" in entry]
    assert len(steps) == 2
    for step in steps:
        assert step["sql/gold_error"] == 0.5
        assert step["sql/prediction_error"] == 0.5  # a random model writes no SQL
        assert step["rewards/sql_reward/mean"] == -1.0  # of the judged half: a gold's fault counts for nothing
        assert math.isfinite(step["loss"])
