"""The settings of a run: two presets, what the user changed, and where each value came from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from tinkersql.errors import SettingsError

BackendKind = Literal["embedded", "tinker", "url"]

TEMPLATE = "Table schema:\n{schema}\nQuestion: {question}\nSQL: "
"""The exercise's prompt."""

STOPS = ("\n\n", "Question:")
"""The exercise's stops. The model's own end token is always added."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that shapes a run; defaults are those of the ``cpu`` preset.

    Attributes:
        data: ``hub``, ``built-in`` or a file.
        map: What a file's columns are called, such as ``question=nl,answer=sql``; empty means as in the exercise.
        model: A model's name or folder; empty means the backend's own default.
        backend: Whom the SDK talks to.
        base_url: The service's address, for ``backend="url"``.
        test_size: Questions set aside to measure on.
        split: What training and test must not share: nothing (``row``), a ``table``, a ``schema`` or a ``template``.
        seed: Of the split, the order of training and the adapter's start.
        examples: Training budget in examples; 0 means no bound but one epoch.
        tokens: Training budget in input tokens; 0 means no bound but one epoch. The first bound that is met ends it.
        recipe: Changes of the training examples, before the budget is taken; empty: none (`tinkersql.corpus.recipes`).
        batch_size: Examples per optimizer step.
        learning_rate: Adam's rate at the first step.
        schedule: ``constant``, or ``linear`` decay to zero.
        rank: LoRA rank.
        train_unembed: Whether the adapter also covers the unembedding. Models with tied embeddings, such as the
            embedded default, cannot merge such an adapter afterwards.
        max_tokens: Longest answer, in tokens.
        stops: Texts that end an answer, beside the model's own end token.
        template: Prompt with ``{schema}`` and ``{question}``.
        shots: Solved examples before the question, for the base model's few-shot baseline; 0 leaves it out.
        suites: Fixed sets of questions on novel schemas to ask as well, separated by commas; empty asks none.
        evaluation_workers: Questions in flight at once.
        judge_workers: Processes that compare queries.
        save_every: Steps between checkpoints during training; 0 saves at the end only.
    """

    data: str = "hub"
    map: str = ""
    model: str = ""
    backend: BackendKind = "embedded"
    base_url: str = ""
    test_size: int = 200
    split: Literal["row", "table", "schema", "template"] = "row"
    seed: int = 0
    examples: int = 0
    tokens: int = 250_000
    recipe: str = "full-schemas,value-case,mix-generated=0.5"
    batch_size: int = 8
    learning_rate: float = 1e-3
    schedule: Literal["constant", "linear"] = "linear"
    rank: int = 32
    train_unembed: bool = False
    max_tokens: int = 150
    stops: tuple[str, ...] = STOPS
    template: str = TEMPLATE
    shots: int = 3
    suites: str = "exercise,novel"
    evaluation_workers: int = 64
    judge_workers: int = 2
    save_every: int = 25


PRESETS: dict[str, Settings] = {
    "cpu": Settings(),
    # The values of the course's exercise (see NOTICE), made for Llama-3.2-1B and one epoch of sql-create-context.
    "exercise": Settings(
        tokens=0,
        recipe="",
        batch_size=256,
        learning_rate=5e-4,
        schedule="constant",
        train_unembed=True,
        save_every=100,
    ),
}


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings together with the preset and each value's source (``preset cpu``, ``--rank``, ``rescaled …``)."""

    settings: Settings
    preset: str
    sources: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Every setting as ``{"value": …, "source": …}``, JSON-ready."""
        return {
            f.name: {"value": getattr(self.settings, f.name), "source": self.sources[f.name]} for f in fields(Settings)
        }


def resolve(preset: str, changes: Mapping[str, Any]) -> Resolved:
    """Lay the user's changes over a preset.

    A changed batch size without a learning rate rescales the preset's own rate by √(new/old), the square-root rule
    that the exercise recommends for Adam.

    Args:
        preset: ``cpu`` or ``exercise``.
        changes: Values given by the user, by setting name; None means not given.

    Raises:
        SettingsError: An unknown preset or a value that makes no sense.
    """
    if preset not in PRESETS:
        raise SettingsError(f"--preset {preset}: no such preset; choose one of {', '.join(PRESETS)}")
    base = PRESETS[preset]
    given = {name: value for name, value in changes.items() if value is not None}
    sources = {f.name: _option(f.name) if f.name in given else f"preset {preset}" for f in fields(Settings)}
    values = {f.name: getattr(base, f.name) for f in fields(Settings)} | given
    if values["batch_size"] != base.batch_size and "learning_rate" not in given and values["batch_size"] > 0:
        values["learning_rate"] = base.learning_rate * math.sqrt(values["batch_size"] / base.batch_size)
        ratio = f"√({values['batch_size']}/{base.batch_size})"
        sources["learning_rate"] = f"rescaled from {base.learning_rate:g} by {ratio}, because the batch size changed"
    if values["data"] == "built-in" and "recipe" not in given:
        values["recipe"], sources["recipe"] = "", "--data built-in, which is made without these faults"
    if "examples" in given and "tokens" not in given:
        values["tokens"], sources["tokens"] = 0, "--examples"
    if values["base_url"] and "backend" not in given:
        values["backend"], sources["backend"] = "url", "--base-url"
    settings = Settings(**values)
    _check(settings)
    return Resolved(settings, preset, sources)


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Lay the user's changes over the settings of an earlier run.

    Args:
        settings: The earlier ones.
        changes: Values given by the user, by setting name; None means not given.

    Raises:
        SettingsError: A value that makes no sense.
    """
    new = replace(settings, **{name: value for name, value in changes.items() if value is not None})
    _check(new)
    return new


def _check(settings: Settings) -> None:
    for name in ("test_size", "batch_size", "rank", "max_tokens", "evaluation_workers", "judge_workers"):
        if getattr(settings, name) < 1:
            raise SettingsError(f"{_option(name)} {getattr(settings, name)}: must be at least 1")
    for name in ("examples", "tokens", "shots", "save_every"):
        if getattr(settings, name) < 0:
            raise SettingsError(f"{_option(name)} {getattr(settings, name)}: must not be negative")
    if not (0 < settings.learning_rate < math.inf):
        raise SettingsError(f"--learning-rate {settings.learning_rate:g}: must be a positive number, such as 0.001")
    if settings.recipe:
        from tinkersql.corpus.recipes import parse  # slow to import, and seldom needed

        parse(settings.recipe)
    if settings.schedule not in ("constant", "linear"):
        raise SettingsError(f"--schedule {settings.schedule}: choose constant or linear")
    if settings.split not in ("row", "table", "schema", "template"):
        raise SettingsError(f"--split {settings.split}: choose row, table, schema or template")
    if settings.backend not in ("embedded", "tinker", "url"):
        raise SettingsError(f"--backend {settings.backend}: choose embedded or tinker, or give --base-url URL")
    if (settings.backend == "url") != bool(settings.base_url):
        raise SettingsError("--base-url URL goes alone: it names the service, so leave --backend out")
    if any(not stop for stop in settings.stops):
        raise SettingsError("--stop: an empty text would end every answer at once")
    try:
        filled = settings.template.format(schema="<schema>", question="<question>")
    except (KeyError, IndexError, ValueError, AttributeError, TypeError):
        filled = ""
    if "<schema>" not in filled or "<question>" not in filled:
        raise SettingsError("--template: it must hold {schema} and {question}, and no other braces")


def _option(name: str) -> str:
    return {"stops": "--stop"}.get(name, "--" + name.replace("_", "-"))
