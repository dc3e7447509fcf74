"""The figures of a training in TensorBoard and in Weights & Biases, through their own libraries.

RUN/tensorboard   event files
RUN/wandb         what W&B keeps of a run until, and after, it is sent
RUN/wandb.json    which run in W&B this is, so that a resumed training goes on in it
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Protocol

from tinkersql.console import Reporter, printable
from tinkersql.errors import SettingsError
from tinkersql.extras import need
from tinkersql.runs import RunFolder
from tinkersql.settings import Settings, parse_monitors
from tinkersql.tuning.loop import Diary, Row
from tinkersql.tuning.plan import Plan
from tinkersql.tuning.record import Record

_FINISH_SECONDS = 60
"""How long W&B may take to send what is left; the rest stays for ``wandb sync``."""


class _Monitor(Protocol):
    def log(self, step: int, figures: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


def check_monitors(settings: Settings) -> None:
    """Look, before any work is done, whether all that the monitors need is there.

    Raises:
        SettingsError: A package is not installed, or W&B knows no account.
    """
    monitors = parse_monitors(settings.monitors)
    if "tensorboard" in monitors:
        _tensorboard()
    if "wandb" in monitors:
        wandb = _wandb()
        if wandb.setup().settings.mode == "online" and not wandb.login(prompt=False):
            raise SettingsError(
                "--monitors wandb: W&B knows no account here; set WANDB_API_KEY, or keep all here by WANDB_MODE=offline"
            )


@contextmanager
def watched(record: Record, settings: Settings, done: int, reporter: Reporter) -> Iterator[Diary]:
    """The record of a training that also tells the monitors, from the step after ``done`` steps on."""
    diary = _Watched(record, reporter)
    for name, project in parse_monitors(settings.monitors).items():
        with diary.tolerated(name):
            if name == "tensorboard":
                diary.monitors[name] = _TensorBoard(record.folder, done)
            else:
                diary.monitors[name] = _WandB(record.folder, settings, project)
    try:
        yield diary
    finally:
        diary.close()


class _Watched(Diary):
    """Writes everything down first, then tells the monitors; one that fails is told nothing more."""

    def __init__(self, record: Record, reporter: Reporter) -> None:
        self.record = record
        self.reporter = reporter
        self.monitors: dict[str, _Monitor] = {}

    def planned(self, plan: Plan) -> None:
        self.record.planned(plan)

    def saved(self, row: Row) -> None:
        self.record.saved(row)

    def step(self, row: Row) -> None:
        self.record.step(row)
        speed = row["tokens"] / row["seconds"] if row["seconds"] else 0.0
        numbers = {name: value for name, value in row.items() if name != "step" and isinstance(value, int | float)}
        figures = {**numbers, "tokens_per_second": speed}
        self._log(row["step"], {f"train/{name}": value for name, value in figures.items()})

    def validated(self, row: Row) -> None:
        self.record.validated(row)
        figures = {"validation/loss": row["loss"]}
        if row["n_questions"]:
            figures["validation/right"] = row["right"] / row["n_questions"]
        self._log(row["step"], figures)

    def close(self) -> None:
        for name, monitor in list(self.monitors.items()):
            with self.tolerated(name):
                monitor.close()

    def _log(self, step: int, figures: Mapping[str, float]) -> None:
        for name, monitor in list(self.monitors.items()):
            with self.tolerated(name):
                monitor.log(step, figures)

    @contextmanager
    def tolerated(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever it is: the training depends on no monitor
            self.monitors.pop(name, None)
            self.reporter.say(f"  {name} failed and is told nothing more: {printable(str(error))[:200]}")


class _TensorBoard:
    def __init__(self, folder: RunFolder, done: int) -> None:
        # What an earlier sitting wrote about steps that are taken again is not shown.
        self.writer = _tensorboard().SummaryWriter(str(folder.path / "tensorboard"), purge_step=done + 1)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        self.writer.close()


class _WandB:
    def __init__(self, folder: RunFolder, settings: Settings, project: str) -> None:
        wandb, kept = _wandb(), folder.path / "wandb.json"
        if not kept.exists():
            project = project or os.environ.get("WANDB_PROJECT") or "tinkersql"
            folder.write_json(kept.name, {"id": secrets.token_hex(8), "project": project})
        ours = json.loads(kept.read_text(encoding="utf-8"))
        self.run = wandb.init(
            id=ours["id"],
            project=ours["project"],
            name=folder.path.resolve().name,
            dir=str(folder.path),
            config=asdict(settings),
            resume="allow",
            settings=wandb.Settings(
                console="off", silent=True, disable_git=True, disable_code=True, finish_timeout=_FINISH_SECONDS
            ),
        )
        # A step of its own kind: W&B's own may not go back, as it does when steps are taken again.
        self.run.define_metric("*", step_metric="step")

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        self.run.log({"step": step, **figures})

    def close(self) -> None:
        self.run.finish()


def _tensorboard() -> Any:
    return need("torch.utils.tensorboard", "--monitors tensorboard needs the package tensorboard", "tensorboard")


def _wandb() -> Any:
    return need("wandb", "--monitors wandb needs the package wandb", "wandb")
