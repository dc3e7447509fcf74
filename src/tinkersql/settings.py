"""The settings of a run: two presets, what the user changed, and where each value came from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from tinkersql.errors import SettingsError
from tinkersql.rates import config_of, default_rate

BackendKind = Literal["embedded", "tinker", "url"]

HOSTED_MODEL = "meta-llama/Llama-3.2-1B"
"""The exercise's base model, on the hosted service."""

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
        examples: Training budget in examples. The first bound that is met ends a training; 0 is no bound.
        tokens: Training budget in input tokens.
        steps: Training budget in optimizer steps.
        minutes: Training budget in minutes, which become a number of steps after the first five.
        epochs: Passes over the training examples, if no other bound is met before; each in another order.
        recipe: Changes of the training examples, before the budget is taken; empty: none (`tinkersql.corpus.recipes`).
        batch_size: Examples per optimizer step.
        learning_rate: Adam's rate at the first step.
        schedule: ``constant``, or ``linear`` decay to zero.
        rank: LoRA rank.
        train_unembed: Whether the adapter also covers the unembedding. Of a model with tied embeddings, such as the
            embedded default, ``tinkersql export merged`` merges such an adapter; PEFT does it wrongly.
        max_tokens: Longest answer, in tokens.
        stops: Texts that end an answer, beside the model's own end token.
        template: Prompt with ``{schema}`` and ``{question}``.
        shots: Solved examples before the question, for the base model's few-shot baseline; 0 leaves it out.
        suites: Fixed sets of questions on novel schemas to ask as well, separated by commas; empty asks none.
        evaluation_workers: Questions in flight at once.
        judge_workers: Processes that compare queries.
        save_every: Steps between checkpoints during training; 0 saves at the end only.
        keep_checkpoints: Of the checkpoints during training, so many of the latest stay.
        validate_every: Steps between validations on examples that are not trained on, with one at the end; 0: none.
        validation_size: Examples whose loss a validation measures; at most a tenth of those left to train on.
        validation_questions: So many of them are asked as well, for an execution score.
        patience: Validations without a lower loss that end a training early, which then results in the best weights;
            0: never, and the last weights are the result.
        monitors: Where figures go beside the run folder: ``tensorboard``, ``wandb`` or ``wandb=PROJECT``, with commas.
        objective: What training maximises: the golds' likelihood (``sft``), or the reward of sampled answers (``rl``).
        start: Folder of a run whose weights to start from; empty: a fresh adapter.
        group_size: Answers sampled to each question, for ``rl``.
        temperature: Of this sampling. At any but 1 the loss corrects for a policy that did not quite sample.
        loss: The policy's loss: ``importance_sampling``, or ``ppo``, which clips.
        substeps: Optimizer steps on the answers of one step, each on its share of them.
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
    steps: int = 0
    minutes: float = 0.0
    epochs: int = 1
    recipe: str = "value-case,mix-generated=0.5"
    batch_size: int = 4
    learning_rate: float = 2e-3
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
    save_every: int = 50
    keep_checkpoints: int = 2
    validate_every: int = 200
    validation_size: int = 64
    validation_questions: int = 24
    patience: int = 0
    monitors: str = ""
    objective: Literal["sft", "rl"] = "sft"
    start: str = ""
    group_size: int = 8
    temperature: float = 1.0
    loss: Literal["importance_sampling", "ppo"] = "importance_sampling"
    substeps: int = 1


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
        validate_every=0,
    ),
}


_AT_LEAST_ONE = (
    *("test_size", "epochs", "batch_size", "rank", "max_tokens", "evaluation_workers", "judge_workers"),
    *("keep_checkpoints", "validation_size", "substeps"),
)
_AT_LEAST_ZERO = (
    *("examples", "tokens", "steps", "minutes", "shots", "save_every"),
    *("validate_every", "validation_questions", "patience"),
)
_BUDGETS = ("examples", "steps", "minutes", "epochs")
"""Whoever gives one of these means it in place of the preset's tokens."""
OF_REINFORCEMENT = ("group_size", "temperature", "loss", "substeps")
"""Settings that mean something with the objective ``rl`` only."""
RL_RATE = 0.3
"""Of the rate that suits golds, so much suits ``rl``: the gradient of a few sampled answers is mostly noise, which Adam
scales up to steps of the same length."""
RL_STEPS = 30
"""Steps of ``rl`` without any budget: each costs as much as many supervised ones, and 30 show where it leads."""


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


def resolve(
    preset: str,
    changes: Mapping[str, Any],
    file: Mapping[str, Any] | None = None,
    file_name: str = "",
    inherited: Mapping[str, Any] | None = None,
) -> Resolved:
    """Lay the user's changes over those of a configuration file, and both over a preset.

    Without a learning rate, a changed batch size rescales the preset's own by √(new/old), the square-root rule that the
    exercise recommends for Adam, and another model has that of `rates`, for which the hub may be asked for its
    configuration.

    Args:
        preset: ``cpu`` or ``exercise``.
        changes: Values given by the user, by setting name; None means not given.
        file: Values from a configuration file, by setting name.
        file_name: The file, to be named as their source.
        inherited: Values of the run whose weights are the start, which come before the preset's.

    Raises:
        SettingsError: An unknown preset or a value that makes no sense.
    """
    if preset not in PRESETS:
        raise SettingsError(f"--preset {preset}: no such preset; choose one of {', '.join(PRESETS)}")
    base = PRESETS[preset]
    chosen = {name: value for name, value in changes.items() if value is not None}
    own = dict(file or {}) | chosen
    # Names of columns belong to the data that has them.
    taken = {name: value for name, value in (inherited or {}).items() if name != "map" or "data" not in own}
    given = taken | own
    sources = (
        {f.name: f"preset {preset}" for f in fields(Settings)}
        | dict.fromkeys(taken, f"--from {given.get('start')}")
        | dict.fromkeys(file or {}, file_name)
        | {name: _option(name) for name in chosen}
    )
    values = {f.name: getattr(base, f.name) for f in fields(Settings)} | given
    if values["base_url"] and "backend" not in given:
        values["backend"], sources["backend"] = "url", "--base-url"
    if "learning_rate" not in given and values["batch_size"] > 0:
        values["learning_rate"], sources["learning_rate"] = _rate(preset, values, sources["learning_rate"])
    if values["data"] == "built-in" and "recipe" not in given:
        values["recipe"], sources["recipe"] = "", "--data built-in, which is made without these faults"
    if (budget := [name for name in _BUDGETS if name in given]) and "tokens" not in given:
        values["tokens"], sources["tokens"] = 0, f"{_option(budget[0])} is the budget"
    if values["objective"] == "rl":
        if "learning_rate" not in given:
            values["learning_rate"] *= RL_RATE
            sources["learning_rate"] = f"{RL_RATE:g} of that for golds, {sources['learning_rate']}"
        if not {"tokens", *_BUDGETS} & set(given):
            values["tokens"], values["steps"] = 0, RL_STEPS
            sources |= dict.fromkeys(("tokens", "steps"), "--objective rl")
    elif stray := [name for name in OF_REINFORCEMENT if name in chosen]:
        raise SettingsError(f"{_option(stray[0])} belongs to --objective rl")
    settings = Settings(**values)
    _check(settings)
    return Resolved(settings, preset, sources)


def _rate(preset: str, values: Mapping[str, Any], source: str) -> tuple[float, str]:
    """The learning rate where nobody gives one, and where it comes from.

    A preset's own belongs to its batch size and to the model that it was made for; another model has that of `rates`.
    """
    base = PRESETS[preset]
    model = values["model"] or (HOSTED_MODEL if values["backend"] == "tinker" else "")
    if model and not (preset == "exercise" and model == HOSTED_MODEL):
        # The embedded server needs the model in any case; asked for later, the first run would have another rate.
        config = config_of(model, fetch=values["backend"] == "embedded")
        rate = default_rate(model, values["batch_size"], config)
        return rate.value, rate.origin
    if values["batch_size"] == base.batch_size:
        return base.learning_rate, source
    ratio = f"√({values['batch_size']}/{base.batch_size})"
    rescaled = base.learning_rate * math.sqrt(values["batch_size"] / base.batch_size)
    return rescaled, f"rescaled from {base.learning_rate:g} by {ratio}, because the batch size changed"


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


def parse_monitors(text: str) -> dict[str, str]:
    """The names in ``"tensorboard,wandb=ducks"``, each with what is said about it: the project in W&B, or nothing.

    Raises:
        SettingsError: An unknown name, or a project where there are none.
    """
    parts = (item.strip().partition("=") for item in text.split(",") if item.strip())
    monitors = {name.strip(): project.strip() for name, _, project in parts}
    if set(monitors) - {"tensorboard", "wandb"} or monitors.get("tensorboard"):
        raise SettingsError(f"--monitors {text}: choose tensorboard, wandb or wandb=PROJECT, or both with a comma")
    return monitors


def _check(settings: Settings) -> None:
    for name in _AT_LEAST_ONE:
        if getattr(settings, name) < 1:
            raise SettingsError(f"{_option(name)} {getattr(settings, name)}: must be at least 1")
    for name in _AT_LEAST_ZERO:
        if not 0 <= getattr(settings, name) < math.inf:
            raise SettingsError(f"{_option(name)} {getattr(settings, name)}: must not be negative")
    if not (0 < settings.learning_rate < math.inf):
        raise SettingsError(f"--learning-rate {settings.learning_rate:g}: must be a positive number, such as 0.001")
    if settings.patience and not settings.validate_every:
        raise SettingsError(f"--patience {settings.patience} counts validations: give --validate-every STEPS as well")
    parse_monitors(settings.monitors)
    if settings.recipe:
        from tinkersql.corpus.recipes import parse  # slow to import, and seldom needed

        parse(settings.recipe)
    if settings.objective not in ("sft", "rl"):
        raise SettingsError(f"--objective {settings.objective}: choose sft or rl")
    if settings.objective == "rl" and not settings.start:
        raise SettingsError(
            "--objective rl needs --from RUN: a model that writes no SQL yet earns no reward to learn from"
        )
    if settings.objective == "rl" and settings.patience:
        raise SettingsError("--patience: leave it out with --objective rl, which does not lower the validation loss")
    if settings.group_size < 2:
        raise SettingsError(
            f"--group-size {settings.group_size}: must be at least 2, for answers are compared within their group"
        )
    if not 0 < settings.temperature < math.inf:
        raise SettingsError(f"--temperature {settings.temperature:g}: must be a positive number, such as 1")
    if settings.loss not in ("importance_sampling", "ppo"):
        raise SettingsError(f"--loss {settings.loss}: choose importance_sampling or ppo")
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
    return {"stops": "--stop", "start": "--from"}.get(name, "--" + name.replace("_", "-"))
