"""The example script, unmodified, against the embedded server over a real socket."""

import importlib.util
import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from tinkersql.console import Silent
from tinkersql.corpus.reading import built_in, to_row
from tinkersql.evaluation.suites import EXERCISE
from tinkersql.settings import Settings
from tinkersql.tuning import Diary, Plan, train
from tinkersql.tuning.objectives import Row

SCRIPT = Path(__file__).parent.parent / "examples" / "exercise.py"


class Steps(Diary):
    """Remembers the steps."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def step(self, row: Row) -> None:
        self.rows.append(row)


def exercise() -> ModuleType:
    """The script as a module, of which nothing runs by itself."""
    spec = importlib.util.spec_from_file_location("exercise", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_exercise_runs_to_its_end_and_batches_in_flight_give_its_losses(tmp_path, engine) -> None:
    data = tmp_path / "data.json"
    short = [
        example for example in built_in().examples[:200] if len(example.schema) < 200
    ]  # the tiny model reads little
    rows = [to_row(example) for example in short[:60]]
    data.write_text(json.dumps(rows))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(data), "--test-size", "6", "--batch-size", "8", "--examples", "48"],
        env={**os.environ, "TINKER_BASE_URL": engine.base_url, "TINKER_API_KEY": engine.key},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    losses = [line.rsplit(" ", 1)[1] for line in done.stdout.splitlines() if line.startswith("step")]
    assert len(losses) == 6
    assert float(losses[-1]) < float(losses[0])
    assert "to answer: tinker://" in done.stdout
    assert "Warning" not in done.stderr
    assert "How many students are enrolled in each department?" in done.stdout

    settings = replace(Settings(), batch_size=8, learning_rate=1e-3, schedule="constant", epochs=1, save_every=0)
    random.Random(0).shuffle(rows)
    diary = Steps()
    with engine.client() as service:
        trainer = service.create_lora_training_client(engine.model, rank=32, seed=0, train_unembed=False).result()
        datums = [exercise().make_datum(trainer.get_tokenizer(), row) for row in rows[6:54]]
        train(trainer, Plan(datums, settings), Silent(), diary)
    assert [f"{row['loss']:.3f}" for row in diary.rows] == losses


def test_its_novel_questions_are_those_of_the_suite() -> None:
    assert [(example.schema, example.question) for example in EXERCISE] == exercise().NOVEL


def test_it_is_short_enough_to_read() -> None:
    assert len(SCRIPT.read_text().splitlines()) < 150
