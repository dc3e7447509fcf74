"""Train with several settings side by side, stop clear losers early, rank the rest: `tinkersql sweep`."""

import copy
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinkersql import backend as backends
from tinkersql import corpus, report
from tinkersql.backend import Backend
from tinkersql.cache import sha256_of
from tinkersql.console import Reporter, Silent
from tinkersql.corpus import Example, read_file, to_record
from tinkersql.errors import Interrupted, RunError, SettingsError
from tinkersql.evaluation import judge, require_golds, summarise
from tinkersql.evaluation.methods import PLAIN, Model, attempt
from tinkersql.prompts import Prompts, encode_within
from tinkersql.runs import RunFolder, made, now
from tinkersql.settings import Resolved, Settings
from tinkersql.tuning import Material, change, fresh, introduce, lay_out
from tinkersql.tuning.cost import Consent, Estimate, Work, confirm, estimate, work_of
from tinkersql.tuning.material import hold_out
from tinkersql.tuning.plan import Plan
from tinkersql.tuning.racing import AXES, LAST, RUNGS, Cell, HeldOut, clear_losers
from tinkersql.tuning.record import Record
from tinkersql.tuning.side_by_side import resume_command, train_to
from tinkersql.tuning.standings import name_cells, standings

if TYPE_CHECKING:
    import tinker
    from transformers import PreTrainedTokenizerBase

MOST_CELLS = 100
"""More trainings than these are begun only on demand."""

_SWEEP, _HELD_OUT = "sweep.json", "held-out.jsonl"


@dataclass(frozen=True, slots=True)
class Options:
    """How a sweep is done.

    Attributes:
        side_by_side: Trainings at work at once.
        held_out: Examples that none is trained on, by whose loss they are compared.
        questions: So many of these are asked when a training has ended.
    """

    side_by_side: int = 3
    held_out: int = 100
    questions: int = 50


def sweep(
    base: Resolved,
    cells: Sequence[Resolved],
    options: Options,
    runs: Path,
    name: str,
    reporter: Reporter,
    consent: Consent,
) -> tuple[RunFolder, dict[str, Any]]:
    """Train once with each of several settings.

    Args:
        base: The settings that all have in common.
        cells: The settings of each training; they differ in `AXES` alone.
        options: How it is done.
        runs: The folder that holds run folders.
        name: The sweep's folder in it.
        reporter: Shows what goes on.
        consent: What the user has agreed to beforehand; more than `MOST_CELLS` trainings belong to it.

    Returns:
        The sweep's folder, and what its ``sweep.json`` holds.

    Raises:
        TinkersqlError: Whatever a user can mend; a sweep that has begun can be resumed.
        Interrupted: Ctrl-C, after a checkpoint of every training at work has been saved.
    """
    _check(cells, options, consent)
    backends.check(base.settings)
    RunFolder.check(runs, name)
    created, started = now(), time.monotonic()
    materials, held_out = _gather(cells, options.held_out, reporter)
    introduce(base, next(iter(materials.values())).facts, reporter)
    folder = RunFolder.create(runs, name)
    with _at_work(folder, base.settings, reporter) as service:
        folder.write_config(base)
        measured = _set_aside(folder, held_out, base.settings, service)
        keys = name_cells([cell.settings for cell in cells])
        plans = (
            _lay_out(folder, key, cell, materials[cell.settings.recipe, cell.settings.seed], service)
            for key, cell in zip(keys, cells, strict=True)
        )
        expected = _expect(plans, measured, options.questions, service.backend, consent, reporter)
        plan = {
            "name": name,
            **made(created, started),
            "data": next(iter(materials.values())).facts,
            **asdict(options),
            "held_out_sha256": sha256_of(folder.path / _HELD_OUT),
            "keys": keys,
            "cost": {"estimated": expected.to_dict(), "seconds": 0.0},
        }
        folder.write_json(_SWEEP, plan)
        return folder, _race(folder, plan, service, reporter)


def resume(path: Path, reporter: Reporter) -> tuple[RunFolder, dict[str, Any]]:
    """Go on with a sweep that was stopped, as if it had not been.

    Args:
        path: The sweep's folder.
        reporter: Shows what goes on.

    Raises:
        TinkersqlError: Whatever a user can mend; the sweep can be resumed again.
        Interrupted: Ctrl-C, after a checkpoint of every training at work has been saved.
    """
    if not (path / _SWEEP).is_file():
        raise RunError(f"{path}: no sweep lies there; give the folder of one, such as runs/NAME")
    folder = RunFolder.open(path)
    settings, plan = folder.read_settings(), _read_plan(folder)
    backends.check(settings)
    with _at_work(folder, settings, reporter) as service:
        return folder, _race(folder, plan, service, reporter)


def _read_plan(folder: RunFolder) -> dict[str, Any]:
    """What ``sweep.json`` holds; the held-out examples must be those that it was begun with."""
    try:
        plan = folder.read_json(_SWEEP)
        same = sha256_of(folder.path / _HELD_OUT) == plan["held_out_sha256"]
        float(plan["cost"]["seconds"])  # it is added to
    except (OSError, ValueError, KeyError, TypeError):
        raise RunError(f"{folder.path / _SWEEP}: damaged, so this sweep cannot go on; start a new one") from None
    if not same:
        raise RunError(f"{folder.path / _HELD_OUT}: changed since the sweep began, so it cannot go on")
    return plan


@dataclass(frozen=True, slots=True)
class _Service:
    """Where all cells train: one backend, and a client of the base model, whose adapter changes nothing."""

    backend: Backend
    service: "tinker.ServiceClient"
    base: "tinker.TrainingClient"
    tokenizer: "PreTrainedTokenizerBase"

    def encode(self, examples: Sequence[Example], settings: Settings) -> "tuple[list[Example], list[tinker.Datum]]":
        """The examples that fit the model's context, and the same as Datums."""
        context = self.backend.context_length
        return encode_within(self.tokenizer, Prompts(settings.template), examples, 0, context)[:2]


@contextmanager
def _at_work(folder: RunFolder, settings: Settings, reporter: Reporter) -> Iterator[_Service]:
    """The service, while nobody else works on the sweep; whoever is stopped is told how to go on."""
    try:
        with (
            folder.locked(),
            backends.connect(settings, folder.store, reporter) as backend,
            backend.service() as service,
        ):
            client = fresh(service, backend, settings)
            yield _Service(backend, service, client, backend.tokenizer(client))
    except BaseException as error:
        if not (folder.path / _SWEEP).exists():
            folder.discard()  # a sweep that trained nothing leaves nothing behind
            raise
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"stopped; go on with: {resume_command(folder.path)}") from None
        if not isinstance(error, Interrupted):
            reporter.say(f"What was trained until then stays; go on with: {resume_command(folder.path)}")
        raise


def _check(cells: Sequence[Resolved], options: Options, consent: Consent) -> None:
    chosen = [tuple(getattr(cell.settings, axis) for axis in AXES) for cell in cells]
    if len(cells) < 2:
        raise SettingsError(
            "there is nothing to vary: give two values or more, such as --learning-rates 3e-4,1e-3,3e-3"
        )
    if len(set(chosen)) < len(chosen):
        raise SettingsError("some trainings would be the same: give each value once")
    for option in ("side_by_side", "held_out", "questions"):
        least = 2 if option == "held_out" else 1 if option == "side_by_side" else 0
        if getattr(options, option) < least:
            raise SettingsError(f"--{option.replace('_', '-')} {getattr(options, option)}: must be at least {least}")
    settings = cells[0].settings
    if settings.start or settings.objective != "sft":
        raise SettingsError("a sweep trains the base model on golds: leave --from and --objective rl out")
    for budget in ("examples", "steps", "minutes"):
        if getattr(settings, budget):
            raise SettingsError(f"--{budget}: in a sweep every training has the same budget in tokens; give --tokens")
    if not settings.tokens:
        raise SettingsError("in a sweep every training has the same budget in tokens: give --tokens, such as 100000")
    if len(cells) > MOST_CELLS and not consent.yes:
        raise SettingsError(
            f"{len(cells)} trainings of {settings.tokens:,} tokens each are {len(cells) * settings.tokens:,} tokens, "
            f"at most, and take as long as so many runs of tinkersql train; vary less, or say --yes"
        )


def _gather(
    cells: Sequence[Resolved], held_out: int, reporter: Reporter
) -> tuple[dict[tuple[str, int], Material], tuple[Example, ...]]:
    """What each recipe and seed trains on, and the examples that none does.

    A seed chooses test questions, too, and evaluations of a cell ask its own. So none trains on those of another.
    """
    settings = cells[0].settings
    data = corpus.load(settings.data, reporter, settings.map)
    seeds = dict.fromkeys(cell.settings.seed for cell in cells)
    splits = {seed: corpus.split(data, settings.test_size, seed, settings.split) for seed in seeds}
    require_golds(splits[settings.seed].test)
    common = set.intersection(*(set(split.train) for split in splits.values()))
    rows = [example for example in splits[settings.seed].train if example in common]
    train, kept = hold_out(rows, held_out)
    if not train:
        raise SettingsError(
            f"--held-out {held_out} is too large: there are {len(rows)} examples to train on; use fewer"
        )
    materials: dict[tuple[str, int], Material] = {}
    for cell in cells:
        key = cell.settings.recipe, cell.settings.seed
        if key not in materials:
            split = splits[cell.settings.seed]
            notes = (*split.notes, f"{held_out} examples are held out: no training of the sweep sees them.")
            materials[key] = change(data, replace(split, train=train, notes=notes), (), cell.settings, reporter)
    return materials, kept


def _set_aside(folder: RunFolder, held_out: Sequence[Example], settings: Settings, service: _Service) -> HeldOut:
    """Write down the held-out examples that fit the model's context."""
    fitting, datums = service.encode(held_out, settings)
    if len(fitting) < 2:
        raise SettingsError("--held-out: hardly one of these examples fits the model's context; use more of them")
    folder.write_rows(_HELD_OUT, map(to_record, fitting))
    return HeldOut(datums)


def _lay_out(folder: RunFolder, key: str, resolved: Resolved, material: Material, service: _Service) -> Plan:
    """Write down a training, so that it can be taken from its first step on."""
    backend, settings, started = service.backend, resolved.settings, time.monotonic()
    cell = RunFolder.make(folder.path / "cells" / key, "--runs folder")
    cell.store.symlink_to(Path("..", "..", folder.store.name))
    cell.write_config(resolved)
    material = copy.deepcopy(material)
    record = Record(cell, backend.rest(), settings.keep_checkpoints)
    plan, _ = lay_out(record, material, settings, service.tokenizer, backend, Silent())
    cell.write_result(
        {
            "name": key,
            **made(now(), started),
            "preset": resolved.preset,
            "backend": {"kind": backend.kind, "model": backend.model},
            "model": dict(backend.provenance),
            "data": material.facts,
        }
    )
    return plan


def _expect(
    plans: Iterator[Plan], held_out: HeldOut, questions: int, backend: Backend, consent: Consent, reporter: Reporter
) -> Estimate:
    """Estimate what all trainings take if none stops early, show it, and ask where the user has not agreed to it.

    ``plans`` are taken one by one, for each holds the Datums of a training; speed is measured on those of the first.
    """
    first = next(plans)
    prompts = held_out.prompts[:questions]
    works = [work_of(plan, prompts, plan.settings.max_tokens) for plan in chain((first,), plans)]
    measurements = 1 + len(RUNGS) * len(works)
    measured = sum(datum.model_input.length for datum in held_out.datums)
    work = Work(
        steps=sum(each.steps for each in works),
        train_tokens=sum(each.train_tokens for each in works) + measurements * measured,
        prefill_tokens=sum(each.prefill_tokens for each in works),
        sample_tokens=sum(each.sample_tokens for each in works),
    )
    found = estimate(backend, work, first, consent.prices)
    reporter.say(f"  Expected of {len(works)} trainings, if none stops early: {found}")
    confirm(found, consent)
    return found


def _race(folder: RunFolder, plan: dict[str, Any], service: _Service, reporter: Reporter) -> dict[str, Any]:
    """Train rung by rung, stop clear losers, ask the others; what is done already is not done again."""
    started = time.monotonic()
    cells = [Cell.open(RunFolder(folder.path / "cells" / key)) for key in plan["keys"]]
    questions = read_file(folder.path / _HELD_OUT)
    _, datums = service.encode(questions, cells[0].settings)
    held_out = HeldOut(datums)
    untrained = held_out.loss(held_out.measure(service.base))

    def keep(losers: dict[str, int]) -> dict[str, Any]:
        result: dict[str, Any] = {
            **plan,
            "finished": now(),
            "seconds": plan["seconds"] + time.monotonic() - started,
            "tokens": cells[0].settings.tokens,
            "completion_tokens": sum(held_out.lengths),
            "untrained_loss": untrained,
        }
        result |= standings(cells, losers, held_out)
        result["cost"] = _compare(plan["cost"], result["cells"])
        if result["winner"]:
            config = folder.path / "cells" / result["winner"] / "config.toml"
            result["train_with"] = shlex.join(["tinkersql", "train", "--config", str(config)])
        folder.write_json(_SWEEP, result)
        report.build_sweep(folder.path)
        return result

    losers: dict[str, int] = {}
    alive = cells
    for rung, part in enumerate(RUNGS):
        if not alive:
            break
        reporter.heading(f"{len(alive)} of {len(cells)} trainings to {part:.0%} of {cells[0].settings.tokens:,} tokens")
        with _timed(folder, plan):
            train_to(rung, alive, held_out, service.backend, plan["side_by_side"], folder.path, reporter)
        for cell in alive:
            if reason := cell.measures[rung].diverged:
                reporter.say(f"  {cell.key} diverged: {reason}")
        # At this rung: a cell that diverged later, before a resume, has to be compared here as it was the first time.
        alive = [cell for cell in alive if not cell.measures[rung].diverged]
        if rung < LAST:
            behind = clear_losers({cell.key: cell.measures[rung].nll for cell in alive}, held_out.lengths)
            for key, gap in behind.items():
                reporter.say(f"  {key} stops: its loss is {gap.low:.3f} to {gap.high:.3f} behind the best")
            losers |= dict.fromkeys(behind, rung)
            alive = [cell for cell in alive if cell.key not in behind]
        keep(losers)
    _ask(alive, questions[: plan["questions"]], service, reporter)
    return keep(losers)


@contextmanager
def _timed(folder: RunFolder, plan: dict[str, Any]) -> Iterator[None]:
    """Add the time of training to the plan and to ``sweep.json``, also where it is interrupted."""
    started = time.monotonic()
    try:
        yield
    finally:
        plan["cost"]["seconds"] += time.monotonic() - started
        folder.write_json(_SWEEP, folder.read_json(_SWEEP) | {"cost": plan["cost"]})


def _compare(cost: dict[str, Any], cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The estimate beside what the trainings took; those that stopped early make it less."""
    expected = cost["estimated"]["seconds"]
    tokens = sum(cell["tokens"] for cell in cells)
    return cost | {"tokens": tokens, "error": cost["seconds"] / expected - 1 if expected else None}


def _ask(cells: Sequence[Cell], questions: Sequence[Example], service: _Service, reporter: Reporter) -> None:
    """Ask each trained model the held-out questions, unless that has been done."""
    for cell in cells:
        result = cell.folder.read_result()
        if not questions or "held_out" in result:
            continue
        sampler = service.service.create_sampling_client(model_path=cell.folder.tuned_model()).result()
        model = Model(cell.key, sampler, service.tokenizer, service.backend.context_length)
        answers = [each.answer for each in attempt(model, PLAIN, cell.settings, (), questions, reporter)]
        predictions = judge(questions, answers, cell.settings.judge_workers, reporter, f"judge {cell.key}")
        cell.folder.write_predictions("held-out", [p.to_dict(index) for index, p in enumerate(predictions)])
        cell.folder.write_result(result | {"held_out": summarise(predictions)})
        report.build(cell.folder.path)
