"""The options that stand for settings: the same for every command that trains."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinkersql.cli.options import BackendOption, BaseUrlOption, MapOption, StopOption, TemplateOption, line_breaks
from tinkersql.cli.options import mapping as joined
from tinkersql.config_file import Request, read_config, request
from tinkersql.errors import SettingsError
from tinkersql.settings import OF_REINFORCEMENT, PRESETS

if TYPE_CHECKING:
    from tinkersql.tuning.cost import Consent

ResumeOption = Annotated[
    Path | None, typer.Option("--resume", help="Go on with the run in this folder, exactly where it stopped.")
]


def _option(kind: Any, text: str, name: str = "") -> Any:
    """An option of that type; with the ``name`` of a setting, its help tells the presets' values."""
    if name:
        cpu, exercise = (getattr(PRESETS[preset], name) for preset in ("cpu", "exercise"))
        text += f" [cpu: {cpu}, exercise: {exercise}]" if cpu != exercise else f" [{cpu}]"
    return Annotated[kind | None, typer.Option(help=text)]


OPTIONS: dict[str, Any] = {
    "data": _option(str, "A JSON, .jsonl, .csv or .parquet file; 'built-in'; or 'hub' (the default)."),
    "map": MapOption,
    "model": _option(str, "A Llama-architecture hub name or folder; the service's name for it elsewhere."),
    "backend": BackendOption,
    "base_url": BaseUrlOption,
    "test_size": _option(int, "Questions to measure on.", "test_size"),
    "split": _option(str, "What training and test do not share: 'row', 'table', 'schema', 'template'.", "split"),
    "seed": _option(int, "Of split, order of training and adapter."),
    "examples": _option(int, "Training budget in examples; the first budget that is met ends it.", "examples"),
    "tokens": _option(int, "Training budget in tokens; 0 is none.", "tokens"),
    "steps": _option(int, "Training budget in optimizer steps.", "steps"),
    "minutes": _option(float, "Training budget in minutes.", "minutes"),
    "epochs": _option(int, "Passes over the training examples, if no other budget is met before.", "epochs"),
    "recipe": _option(str, "Changes of training examples, such as 'value-case,mix-generated'; '' for none."),
    "batch_size": _option(int, "Examples per step; rescales the learning rate.", "batch_size"),
    "learning_rate": _option(float, "Adam's rate.", "learning_rate"),
    "schedule": _option(str, "'constant' or 'linear' decay.", "schedule"),
    "rank": _option(int, "LoRA rank.", "rank"),
    "train_unembed": _option(bool, "Adapt the unembedding too.", "train_unembed"),
    "max_tokens": _option(int, "Longest answer.", "max_tokens"),
    "stop": StopOption,
    "template": TemplateOption,
    "shots": _option(int, "Examples in the few-shot baseline; 0 skips it.", "shots"),
    "suites": _option(str, "Novel-schema questions to ask as well; '' asks none.", "suites"),
    "evaluation_workers": _option(int, "Questions in flight.", "evaluation_workers"),
    "judge_workers": _option(int, "Processes comparing queries.", "judge_workers"),
    "save_every": _option(int, "Steps between checkpoints; 0: only at the end.", "save_every"),
    "keep_checkpoints": _option(int, "Of these, so many of the latest stay.", "keep_checkpoints"),
    "validate_every": _option(int, "Steps between validations on held-out examples; 0: none.", "validate_every"),
    "validation_size": _option(int, "Examples to hold out for the validation loss.", "validation_size"),
    "validation_questions": _option(int, "Of these, so many are also asked.", "validation_questions"),
    "patience": _option(int, "Stop after so many validations without a lower loss; 0: never.", "patience"),
    "monitors": _option(str, "'tensorboard', 'wandb', 'wandb=PROJECT', or both with a comma."),
    "objective": _option(str, "'sft' learns the golds; 'rl' learns from what the judge says of sampled answers."),
    "start": Annotated[
        str | None, typer.Option("--from", help="A run, such as runs/NAME, whose weights and settings to start from.")
    ],
    "group_size": _option(int, "With rl: answers sampled to each question.", "group_size"),
    "temperature": _option(float, "With rl: of the sampling.", "temperature"),
    "loss": _option(str, "With rl: 'importance_sampling', or 'ppo', which clips.", "loss"),
    "substeps": _option(int, "With rl: optimizer steps on the answers of a step.", "substeps"),
}
"""By parameter name; each is the setting of that name, but ``stop``, which is ``stops``."""

ABOUT_VALIDATION = ("validate_every", "validation_size", "validation_questions", "patience", "monitors")
"""Of no use to a command that measures in a way of its own."""

ABOUT_EVALUATION = ("shots", "suites")
"""Of no use to a command that only trains."""
ABOUT_WEIGHTS = ("objective", "start", *OF_REINFORCEMENT)
"""Of no use to a command that begins with the base model."""


COMMON: dict[str, Any] = {
    "config": _option(Path, "A TOML file of settings; options of the command line come first."),
    "preset": _option(str, "'cpu' (the default) or 'exercise', the course's own values."),
    "name": _option(str, "The run folder's name; a date and time by default."),
    "runs": _option(Path, "Where run folders lie; 'runs' by default."),
    "yes": Annotated[bool, typer.Option("--yes", help="Start without asking, whatever it costs.")],
    "spend": Annotated[float | None, typer.Option(min=0, help="So many US dollars may be spent without asking. [1]")],
    "prices": _option(Path, "A TOML file of a service's prices."),
}
"""What every command that trains is told beside its settings, by parameter name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command that trains was told: settings by their name, and `COMMON`; None and False stand for not given."""

    given: Mapping[str, Any]
    config: Path | None
    preset: str | None
    name: str | None
    runs: Path | None
    yes: bool
    spend: float | None
    prices: Path | None

    def request(
        self, inherit: Callable[[Path], Mapping[str, Any]] | None = None, changes: Mapping[str, Any] | None = None
    ) -> Request:
        """The settings and the place of the run, with ``changes`` over what was given; see `config_file.request`."""
        return request(self.config, {**self.given, **(changes or {})}, self.preset, self.runs, self.name, inherit)

    def consent(self) -> "Consent":
        """What may be spent without asking, by the command line or else by the configuration file.

        Raises:
            SettingsError: The file or a value makes no sense.
        """
        from tinkersql.tuning.cost import USD_LIMIT, Consent  # imports the SDK

        file = read_config(self.config) if self.config else {}
        spend = file.get("spend", USD_LIMIT) if self.spend is None else self.spend
        if not spend >= 0:
            raise SettingsError(f"--config {self.config}: spend {spend:g}: must not be negative")
        prices = self.prices or (Path(file["prices"]) if "prices" in file else None)
        return Consent(spend, self.yes or file.get("yes", False), prices)

    def check_resume(self, *allowed: str, **others: Any) -> None:
        """What is resumed has its own settings, but for those ``allowed``, and its own place.

        Raises:
            SettingsError: One of these was given, or one of ``others``, which the command has beside them.
        """
        own = {"config": self.config, "preset": self.preset, "name": self.name, "runs": self.runs, **others}
        given = [*self.given, *(name for name, value in own.items() if value is not None)]
        chosen = [name for name in given if name not in allowed]
        if chosen:
            raise SettingsError(f"--resume goes on with its own settings: leave --{chosen[0].replace('_', '-')} out")


def with_settings(command: Callable[..., None], without: tuple[str, ...] = ()) -> Callable[..., None]:
    """Give a command all of `OPTIONS`, but those in ``without``, and `COMMON`.

    Args:
        command: Its first argument takes a `Wanted`; the others are options of its own.
        without: Names in `OPTIONS`.
    """
    options = {name: kind for name, kind in OPTIONS.items() if name not in without}
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in list(inspect.signature(command).parameters.values())[1:]
    ]
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=False if name == "yes" else None, annotation=kind
        )
        for name, kind in (options | COMMON).items()
    ]

    @wraps(command)
    def wrapped(**values: Any) -> None:
        given = {name: values.pop(name) for name in options}
        common = {name: values.pop(name) for name in COMMON}
        command(Wanted(_as_settings(given), **common), **values)

    wrapped.__signature__ = inspect.Signature([*added, *own])  # pyright: ignore[reportAttributeAccessIssue]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in [*added, *own]}
    return wrapped


def _as_settings(given: dict[str, Any]) -> Mapping[str, Any]:
    """What was given, under the names of the settings; the rest is left out."""
    changes = {name: value for name, value in given.items() if value is not None}
    if "map" in changes:
        changes["map"] = joined(changes["map"])
    if "template" in changes:
        changes["template"] = line_breaks(changes["template"])
    if stops := changes.pop("stop", None):
        changes["stops"] = tuple(line_breaks(text) for text in stops)
    return changes
