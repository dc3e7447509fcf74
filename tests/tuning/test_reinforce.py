"""Reinforcement learning on a tiny model: it learns, it goes on exactly, and it says what it cannot do."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import pytest

from tinkersql.backend import Backend
from tinkersql.console import Silent
from tinkersql.corpus import Example
from tinkersql.errors import SettingsError, TinkersqlError
from tinkersql.export import Request, export
from tinkersql.prompts import Prompts, encode_datum
from tinkersql.runs import RunFolder
from tinkersql.settings import RL_RATE, RL_STEPS, Settings, resolve
from tinkersql.train import train as training
from tinkersql.tuning.cost import Consent
from tinkersql.tuning.loop import Diary, Row, train
from tinkersql.tuning.plan import Plan
from tinkersql.tuning.reinforce import SILENT_STEPS, Reinforcement
from tinkersql.tuning.start import inherited
from tuning.conftest import Trainings, ended, server_of, wait_until

if TYPE_CHECKING:
    import tinker

    from conftest import RunningEngine

SETTINGS = replace(Settings(), tokens=0, recipe="", epochs=99, save_every=0, schedule="constant", judge_workers=1)
EXAMPLES = [
    Example(f"Names of pond {pond}?", "CREATE TABLE ducks (name VARCHAR, weight REAL)", ("SELECT name FROM ducks",))
    for pond in range(8)
]


@dataclass
class Kept(Diary):
    rows: list[Row] = field(default_factory=list)

    def step(self, row: Row) -> None:
        self.rows.append(row)


class Listener(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def reinforced(
    engine: "RunningEngine", supervised: int, examples: Sequence[Example], settings: Settings
) -> tuple[list[Row], list[str]]:
    """The steps of a training after so many supervised ones, and what was said."""
    with engine.client() as service:
        return _reinforced(engine, service, supervised, examples, settings)


def _reinforced(
    engine: "RunningEngine",
    service: "tinker.ServiceClient",
    supervised: int,
    examples: Sequence[Example],
    settings: Settings,
) -> tuple[list[Row], list[str]]:
    backend = Backend("embedded", engine.base_url, engine.key, engine.model, {})
    client = service.create_lora_training_client(engine.model, rank=8, seed=0, train_unembed=False).result()
    tokenizer = client.get_tokenizer()
    datums = [encode_datum(tokenizer, Prompts(settings.template), example) for example in EXAMPLES]
    if supervised:
        first = replace(SETTINGS, batch_size=4, steps=supervised, learning_rate=0.01)
        train(client, Plan(datums, first), Silent(), Diary())
    start = client.save_weights_for_sampler("start").result().path
    plan, kept, listener = Plan(datums, settings), Kept(), Listener()
    objective = Reinforcement(client, tokenizer, plan, examples, start, backend, listener)
    train(client, plan, listener, kept, objective=objective)
    return kept.rows, listener.said


@pytest.mark.parametrize(("loss", "substeps"), [("importance_sampling", 1), ("ppo", 2)])
def test_the_reward_rises(engine: "RunningEngine", loss: str, substeps: int) -> None:
    settings = replace(
        SETTINGS,
        **{"batch_size": 4, "group_size": 16, "steps": 12, "learning_rate": 0.003, "max_tokens": 16},
        **{"loss": loss, "substeps": substeps},
    )
    rows, _ = reinforced(engine, 10, EXAMPLES, settings)
    rewards = [row["reward"] for row in rows]
    assert fmean(rewards[-4:]) > fmean(rewards[:4]) + 0.1
    assert rows[0]["kl"] == pytest.approx(0, abs=1e-4)
    assert rows[-1]["kl"] > 1e-4
    assert all(0 <= row["match"] <= row["runs"] <= row["compiles"] <= 1 for row in rows)


def test_groups_without_signal_change_nothing_and_are_told(engine: "RunningEngine") -> None:
    settings = replace(SETTINGS, batch_size=1, group_size=2, steps=SILENT_STEPS, learning_rate=0.1, max_tokens=3)
    rows, said = reinforced(engine, 0, EXAMPLES, settings)  # never trained, it only babbles
    assert {(row["groups_with_signal"], row["tokens"], row["reward"]) for row in rows} == {(0, 0, 0)}
    assert all(row["kl"] == pytest.approx(0, abs=1e-4) for row in rows)  # the weights are those of the start
    assert sum("nothing was learnt" in text for text in said) == 1


def test_questions_whose_gold_does_not_run_teach_nothing(engine: "RunningEngine") -> None:
    broken = [replace(example, golds=("SELECT name FROM geese",)) for example in EXAMPLES]
    settings = replace(SETTINGS, batch_size=2, group_size=2, steps=1, learning_rate=0.1, max_tokens=8)
    rows, _ = reinforced(engine, 0, broken, settings)
    assert (rows[0]["answers"], rows[0]["tokens"]) == (0, 0)


SAME = ("step", "loss", "tokens", "completion_tokens", "reward", "match", "answer_tokens", "entropy", "learning_rate")


@pytest.fixture(scope="module")
def uninterrupted(trainings: Trainings, whole: str) -> str:
    """The name of a reinforcement that nobody has disturbed."""
    ended(trainings.reinforce("reinforced", whole))
    return "reinforced"


def test_a_killed_training_goes_on_exactly(trainings: Trainings, whole: str, uninterrupted: str) -> None:
    child = trainings.reinforce("reinforced-killed", whole)
    wait_until(lambda: len(trainings.rows("reinforced-killed")) >= 4, child)
    server_of(child).kill()
    os.kill(child.pid, signal.SIGKILL)
    child.communicate(timeout=60)
    assert "Going on after step 3 of 6" in ended(trainings.resume("reinforced-killed"))
    found, expected = (
        [[row[key] for key in SAME] for row in trainings.rows(name)] for name in ("reinforced-killed", uninterrupted)
    )
    assert found == expected
    assert any(row["tokens"] for row in trainings.rows(uninterrupted)[3:])  # so there was something to get wrong
    assert trainings.weights("reinforced-killed") == trainings.weights(uninterrupted)
    assert trainings.weights(uninterrupted) != trainings.weights(whole)


def test_its_run_folder_is_like_that_of_any_training(trainings: Trainings, whole: str, uninterrupted: str) -> None:
    path = trainings.path(uninterrupted)
    result = json.loads((path / "result.json").read_text())
    assert RunFolder(path).tuned_model() == result["checkpoint"]
    assert 0 <= result["training"]["first_reward"] <= 1
    assert "mean reward of an answer went from" in (path / "report.html").read_text()
    begun, settings = (RunFolder(trainings.path(name)).read_settings() for name in (whole, uninterrupted))
    assert (settings.rank, settings.data, settings.test_size) == (begun.rank, begun.data, begun.test_size)
    stored = [each.name for each in path.glob("store/*/sampler_weights/*")]
    assert stored == ["final", "final"]  # the start's and the end's, and no step's


def test_its_model_card_says_what_it_was_rewarded_for(
    trainings: Trainings, whole: str, uninterrupted: str, tmp_path: Path
) -> None:
    path = trainings.path(uninterrupted)
    done = json.loads((path / "result.json").read_text())["training"]
    export(Request("adapter", run=path, verify=False), tmp_path / "out", Silent())
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"mean reward of a sampled answer {done['first_reward']:.3f} to {done['final_reward']:.3f}" in card
    assert "cross-entropy" not in card
    assert f"* Start: the weights of another run, {whole}." in card
    for setting in ('objective = "rl"', "steps = 6", "epochs = ", "group_size = 4", 'loss = "importance_sampling"'):
        assert setting in card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "rl"}, "--objective rl needs --from RUN"),
        ({"objective": "dpo"}, "--objective dpo: choose sft or rl"),
        ({"objective": "rl", "start": "run", "group_size": 1}, "--group-size 1: must be at least 2"),
        ({"objective": "rl", "start": "run", "temperature": 0.0}, "--temperature 0: must be a positive number"),
        ({"objective": "rl", "start": "run", "loss": "dro"}, "--loss dro: choose"),
        ({"objective": "rl", "start": "run", "substeps": 0}, "--substeps 0: must be at least 1"),
        ({"group_size": 4}, "--group-size belongs to --objective rl"),
    ],
)
def test_settings_that_make_no_sense(changes: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        resolve("cpu", changes)


def test_reinforcement_has_a_rate_and_a_budget_of_its_own() -> None:
    asked = {"objective": "rl", "start": "run"}
    settings = resolve("cpu", asked).settings
    assert settings.learning_rate == pytest.approx(RL_RATE * Settings().learning_rate)
    assert (settings.steps, settings.tokens) == (RL_STEPS, 0)
    settings = resolve("cpu", {**asked, "examples": 9, "learning_rate": 0.5, "batch_size": 2}).settings
    assert (settings.learning_rate, settings.steps, settings.tokens, settings.examples) == (0.5, 0, 0, 9)


def test_the_map_of_the_start_s_data_does_not_go_with_other_data() -> None:
    inherited = {"data": "a.json", "map": "question=nl", "rank": 4}
    same = resolve("cpu", {"start": "run"}, inherited=inherited)
    assert (same.settings.data, same.settings.map, same.sources["rank"]) == ("a.json", "question=nl", "--from run")
    assert resolve("cpu", {"start": "run", "data": "b.json"}, inherited=inherited).settings.map == ""


def test_a_start_that_did_not_validate_is_not_validated_on_what_it_has_learnt(tmp_path: Path) -> None:
    first = RunFolder.create(tmp_path, "first")
    first.write_config(resolve("cpu", {"validate_every": 0}))
    asked = {"objective": "rl", "start": str(first.path)}
    assert resolve("cpu", asked, inherited=inherited(first.path)).settings.validate_every == 0
    again = resolve("cpu", asked | {"validate_every": 5}, inherited=inherited(first.path))
    assert again.settings.validate_every == 5


def test_a_start_that_cannot_be_used(trainings: Trainings, whole: str) -> None:
    def start(path: Path, changes: dict) -> None:
        resolved = resolve("cpu", {"objective": "rl", "start": str(path), **changes}, inherited=inherited(path))
        training(resolved, trainings.folder, "refused", Silent(), Consent())

    def refusal(name: str, **changes: object) -> str:
        with pytest.raises(TinkersqlError) as refused:
            start(trainings.path(name), changes)
        return str(refused.value)

    def copy(name: str, change: Callable[[Path], object]) -> None:
        shutil.copytree(trainings.path(whole), trainings.path(name))
        change(trainings.path(name))

    copy("unfinished", lambda path: (path / "checkpoints.jsonl").unlink())
    copy("emptied", lambda path: shutil.rmtree(path / "store"))
    assert "no run lies there" in refusal("nothing-there")
    assert "its training has not ended" in refusal("unfinished")
    assert "cannot be copied (No such file or directory)" in refusal("emptied")
    assert "--rank: the weights of" in refusal(whole, rank=8)
    assert not trainings.path("refused").exists()
