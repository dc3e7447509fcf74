"""Fixtures of the fault tests: trainings and questions through a proxy, with a fast clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sdk_clock

from tinkersql.backend import Backend
from tinkersql.console import Reporter, Silent
from tinkersql.evaluation.answers import Answer, sample
from tinkersql.settings import resolve
from tinkersql.tuning import Diary, Plan, train
from tinkersql.tuning.loop import Row

if TYPE_CHECKING:
    import tinker
    from transformers import PreTrainedTokenizerBase

    from conftest import RunningEngine

STEPS = 8
PROMPTS = ["Question: How many orders?\nSQL: ", "Table schema:\nCREATE TABLE t (x REAL)\n", "SELECT name", "Question:"]


@dataclass(frozen=True)
class Trained:
    """All that a training leaves."""

    losses: list[float]
    rates: list[float]
    adapter: bytes


class _Diary(Diary):
    """Keeps the steps, and tells somebody of each checkpoint."""

    def __init__(self, on_checkpoint: Callable[[Row], None]) -> None:
        self.steps: list[Row] = []
        self.saved = on_checkpoint

    def step(self, row: Row) -> None:
        self.steps.append(row)


@dataclass(frozen=True)
class Bench:
    """Trainings and questions that give the same each time, on an engine or on whatever stands before it."""

    engine: RunningEngine
    tokenizer: PreTrainedTokenizerBase
    data: list[tinker.Datum]

    def train(
        self,
        base_url: str,
        reporter: Reporter | None = None,
        on_checkpoint: Callable[[Row], None] = lambda _: None,
    ) -> Trained:
        """A training of `STEPS` steps with saves between them."""
        with self._backend(base_url).service() as service:
            client = service.create_lora_training_client(
                self.engine.model, rank=4, seed=7, train_unembed=False
            ).result()
            settings = resolve("cpu", {"batch_size": 2, "learning_rate": 0.01, "save_every": 3}).settings
            diary = _Diary(on_checkpoint)
            train(client, Plan(self.data, settings), reporter or Silent(), diary)
            path = client.save_weights_for_sampler("final").result().path
        run, _, name = path.removeprefix("tinker://").partition("/")
        adapter = self.engine.store / run.replace(":", "_") / name / "adapter_model.safetensors"
        losses, rates = ([row[key] for row in diary.steps] for key in ("loss", "learning_rate"))
        return Trained(losses, rates, adapter.read_bytes())

    def ask(self, base_url: str, reporter: Reporter | None = None) -> list[list[Answer]]:
        """The base model's greedy answers."""
        with self._backend(base_url).service() as service:
            sampler = service.create_sampling_client(base_model=self.engine.model).result()
            settings = resolve("cpu", {"max_tokens": 16, "evaluation_workers": 3}).settings
            return sample(sampler, self.tokenizer, PROMPTS * 2, settings, None, reporter or Silent(), "base")

    def _backend(self, base_url: str) -> Backend:
        return Backend("url", base_url, self.engine.key, self.engine.model, {})


@pytest.fixture(scope="session")
def bench(
    start_engine: Callable[..., AbstractContextManager[RunningEngine]],
    make_data: Callable[..., list[tinker.Datum]],
    tiny_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bench]:
    """A bench whose engine holds polls for moments only, so that clients poll often."""
    from transformers import AutoTokenizer

    with start_engine(tmp_path_factory.mktemp("faults"), poll_seconds=0.1) as engine:
        yield Bench(engine, AutoTokenizer.from_pretrained(tiny_model), make_data(2 * STEPS))


@pytest.fixture(scope="session")
def undisturbed(bench: Bench) -> Trained:
    """What the training gives where nothing goes wrong."""
    return bench.train(bench.engine.base_url)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> sdk_clock.Clock:
    """The SDK waits for moments where it would wait for seconds."""
    return sdk_clock.fast(monkeypatch)
