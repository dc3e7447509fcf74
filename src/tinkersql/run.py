"""The main path: the whole exercise, from data to report, readable from top to bottom."""

import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinkersql import backend as backends
from tinkersql import report
from tinkersql.backend import Backend
from tinkersql.console import Reporter
from tinkersql.corpus import Example, Split, kind_of
from tinkersql.equivalence import Verdict
from tinkersql.errors import RunError, SettingsError
from tinkersql.evaluation import (
    RENAMED,
    Prediction,
    compare_by_kind,
    judge,
    memory,
    renamed,
    shortcomings,
    summarise,
)
from tinkersql.evaluation.methods import PLAIN, Method, Model, attempt
from tinkersql.evaluation.retrieval import POOL
from tinkersql.evaluation.suites import suites_of
from tinkersql.prompts import Prompts, encode_prompt
from tinkersql.runs import RunFolder, command_line, made, now
from tinkersql.settings import Resolved, Settings
from tinkersql.tuning import Material, begin, check_monitors, gather, introduce, is_begun
from tinkersql.tuning import resume as resume_training
from tinkersql.tuning.cost import Consent, compare, expect


def run(
    resolved: Resolved, runs: Path, name: str, reporter: Reporter, consent: Consent
) -> tuple[RunFolder, dict[str, Any]]:
    """Do the exercise: data, base evaluation, training, tuned evaluation, novel schemas, report.

    Args:
        resolved: The settings and where they come from.
        runs: The folder that holds run folders.
        name: This run's folder in it.
        reporter: Shows what goes on.
        consent: What the user has agreed to beforehand.

    Returns:
        The run folder, and what its ``result.json`` holds.

    Raises:
        TinkersqlError: Whatever a user can mend; what was measured until then stays in the run folder.
        Interrupted: Ctrl-C during training, after a checkpoint has been saved.
    """
    settings = resolved.settings
    if settings.start:
        raise SettingsError("--from and --objective rl belong to tinkersql train: a run begins with the base model")
    backends.check(settings)
    check_monitors(settings)
    RunFolder.check(runs, name)
    suites_of(settings.suites)  # an unknown one is refused before the data are read
    facts = _Facts(name, resolved.preset)
    with facts.phase("load data"):
        material = gather(settings, reporter)
    facts.data = material.facts
    introduce(resolved, facts.data, reporter)
    folder = RunFolder.create(runs, name)
    try:
        with folder.locked():
            folder.write_config(resolved)
            return _exercise(folder, settings, material, facts, reporter, consent)
    except BaseException:
        if not facts.evaluations:
            folder.discard()  # a run that measured nothing leaves nothing behind
        raise


def resume(path: Path, reporter: Reporter, consent: Consent, model: str = "") -> tuple[RunFolder, dict[str, Any]]:
    """Go on with an exercise that was stopped; what was measured before training is not measured again.

    Args:
        path: The run folder.
        reporter: Shows what goes on.
        consent: What the user has agreed to beforehand.
        model: Where its base model lies now; empty: where it lay.

    Raises:
        TinkersqlError: Whatever a user can mend; the run can be resumed again.
        Interrupted: Ctrl-C during training, after a checkpoint has been saved.
    """
    folder = RunFolder.open(path)
    folder.refuse_sweep()
    with folder.locked():
        settings = folder.read_settings(model)
        if settings.start:
            raise RunError(f"{path}: begun by tinkersql train from another run; go on with tinkersql train --resume")
        if folder.read_result().get("memory"):  # what is measured last
            raise RunError(f"{path}: this run has come to its end; tinkersql eval --run {path} measures it again")
        backends.check(settings)
        check_monitors(settings)
        facts = _Facts.restored(folder)
        material = gather(settings, reporter)
        if facts.data.get("sha256", material.data.sha256) != material.data.sha256:
            raise RunError(f"{settings.data}: changed since the run began; put the old data back, or start a new run")
        facts.data = material.facts | facts.data
        return _exercise(folder, settings, material, facts, reporter, consent)


def _exercise(
    folder: RunFolder,
    settings: Settings,
    material: Material,
    facts: "_Facts",
    reporter: Reporter,
    consent: Consent,
) -> tuple[RunFolder, dict[str, Any]]:
    """Estimate what is left, measure, train, measure again."""
    suites, split = suites_of(settings.suites), material.split
    facts.kinds = [kind_of(example.gold) for example in split.test]
    try:
        with backends.connect(settings, folder.store, reporter) as backend, backend.service() as service:
            facts.backend = backend
            with facts.phase("start"):
                if is_begun(folder):
                    sitting = resume_training(folder, settings, backend, service, reporter)
                else:
                    sitting = begin(folder, material, settings, backend, service, reporter)
                facts.data["trained_on"] = len(sitting.plan.datums)
                base = service.create_sampling_client(base_model=backend.model).result()
            plan, most, held_out = sitting.plan, settings.max_tokens, sitting.held_out
            done = len(sitting.done) if sitting.ended_at is None else plan.steps or 0
            prompts = _prompt_lengths(sitting.tokenizer, settings, split, suites, facts)
            expected = expect(backend, plan, consent, reporter, prompts, most, held_out, done, sitting.elapsed)

            reporter.heading("Before training")
            exam = _Exam(settings, folder, facts, backend, sitting.tokenizer, split.train[:POOL], reporter)
            for method in _methods(settings, split):
                exam.take("base", base, split.test, method)
            for suite, questions in suites.items():
                exam.take("base", base, questions, suite=suite)

            if sitting.ended_at is None:
                reporter.heading("Training")
                with facts.phase("train") as phase:
                    training = sitting.train(reporter)
                    facts.training, facts.cost = training.to_dict(), compare(expected, training, sitting.done)
                    phase["tokens"] = training.tokens
                folder.write_result(facts.to_dict())
                with facts.phase("save"):
                    sitting.finish(training, reporter)

            reporter.heading("After training")
            tuned = service.create_sampling_client(model_path=folder.tuned_model()).result()
            answers = exam.take("tuned", tuned, split.test)
            for suite, questions in suites.items():
                exam.take("tuned", tuned, questions, suite=suite)
            again = [renamed(example, settings.seed) for example in split.test[:RENAMED]]
            trained = sitting.trained()
            facts.data["trained_on"] = len(trained)
            facts.memory = memory(trained, answers, exam.take("tuned-renamed", tuned, again))
    except BaseException:
        if facts.evaluations:
            reporter.say(f"What was measured until then stays; go on with: tinkersql run --resume {folder.path}")
        raise
    finally:
        result = facts.to_dict()
        if facts.evaluations:
            folder.write_result(result)
            report.build(folder.path)
    return folder, result


@dataclass(slots=True)
class _Facts:
    """What has been found out so far; becomes ``result.json``, which is written anew after each part of the work."""

    name: str
    preset: str
    created: str = field(default_factory=now)
    command: str = field(default_factory=command_line)
    started: float = field(default_factory=time.monotonic)
    data: dict[str, Any] = field(default_factory=dict)
    backend: Backend | None = None
    training: dict[str, Any] | None = None
    kinds: Sequence[str] = ()
    rights: dict[str, list[bool]] = field(default_factory=dict)
    evaluations: dict[str, dict[str, Any]] = field(default_factory=dict)
    suites: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    memory: dict[str, Any] | None = None
    cost: dict[str, Any] | None = None
    phases: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def restored(cls, folder: RunFolder) -> "_Facts":
        """What an earlier sitting has found out before training; what came behind it is found out again."""
        result = folder.read_result()
        facts = cls(folder.path.name, result.get("preset", ""))
        facts.created = result.get("created", facts.created)
        facts.command = result.get("command", facts.command)
        facts.started -= result.get("seconds", 0.0)
        facts.data = result.get("data", {})
        facts.training, facts.cost = result.get("training"), result.get("cost")
        facts.phases = result.get("phases", [])
        for name, figures in result.get("evaluations", {}).items():
            if name.startswith("base"):
                facts.evaluations[name] = figures
                rows = folder.rows(f"predictions-{name}.jsonl")
                facts.rights[name] = [row["verdict"] == Verdict.MATCH for row in rows]
        for suite, models in result.get("suites", {}).items():
            facts.suites[suite] = {name: figures for name, figures in models.items() if name == "base"}
        return facts

    def has(self, name: str, suite: str = "") -> bool:
        """Whether that evaluation, of a suite if one is named, is done."""
        return name in (self.suites.get(suite, {}) if suite else self.evaluations)

    @contextmanager
    def phase(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a phase; the body may set ``tokens``, from which the rate follows."""
        entry: dict[str, Any] = {"name": name, "seconds": 0.0, "tokens": 0, "tokens_per_second": None}
        started = time.monotonic()
        self.phases.append(entry)
        try:
            yield entry
        finally:
            entry["seconds"] = time.monotonic() - started
            entry["tokens_per_second"] = entry["tokens"] / entry["seconds"] if entry["tokens"] else None

    def to_dict(self) -> dict[str, Any]:
        backend = self.backend
        pairs = [(before, "tuned") for before in self.rights if before.startswith("base")]
        return {
            "name": self.name,
            **made(self.created, self.started),
            "command": self.command,
            "preset": self.preset,
            "backend": {"kind": backend.kind, "model": backend.model} if backend else None,
            "model": backend.provenance if backend else None,
            "data": self.data,
            "evaluations": self.evaluations,
            "suites": self.suites,
            "memory": self.memory,
            "comparisons": [self._compare(a, b) for a, b in pairs if b in self.rights],
            "training": self.training,
            "cost": self.cost,
            "phases": self.phases,
            "peak_memory_mib": _peak_memory_mib(),
        }

    def _compare(self, a: str, b: str) -> dict[str, Any]:
        return {"a": a, "b": b, **compare_by_kind(self.kinds, self.rights[a], self.rights[b])}


@dataclass(frozen=True, slots=True)
class _Exam:
    """Asks, judges and records: the same for every model."""

    settings: Settings
    folder: RunFolder
    facts: _Facts
    backend: Backend
    tokenizer: Any
    pool: Sequence[Example]
    reporter: Reporter

    def take(
        self, model: str, sampler: Any, examples: Sequence[Example], method: Method = PLAIN, suite: str = ""
    ) -> list[Prediction]:
        """Put the questions, of a suite if they are one, to the model, and keep predictions and figures.

        What an earlier sitting has asked is not asked again, and gives no predictions.
        """
        name = method.label(model)
        if self.facts.has(name, suite):
            return []
        full_name = f"{suite}-{name}" if suite else name
        label = full_name.replace("-", " ")
        asked = Model(f"{suite}-{model}" if suite else model, sampler, self.tokenizer, self.backend.context_length)
        with self.facts.phase(f"ask {label}") as phase:
            attempts = attempt(asked, method, self.settings, self.pool, examples, self.reporter)
            answers = [each.answer for each in attempts]
            phase["tokens"] = sum(answer.prompt_tokens + answer.tokens for answer in answers)
        with self.facts.phase(f"judge {label}"):
            predictions = judge(examples, answers, self.settings.judge_workers, self.reporter, f"judge {label}")
        self.folder.write_predictions(full_name, [p.to_dict(index) for index, p in enumerate(predictions)])
        speed = {key: phase[key] for key in ("seconds", "tokens", "tokens_per_second")}
        summary = summarise(predictions)
        if suite:
            self.facts.suites.setdefault(suite, {})[name] = summary | speed
        else:
            self.facts.rights[name] = [p.right for p in predictions]
            self.facts.evaluations[name] = summary | speed
        for text in shortcomings(summary, label, golds=full_name == "base"):
            self.facts.data["notes"].append(text)
            self.reporter.say(f"  {text}")
        right = sum(p.right for p in predictions)
        self.reporter.say(f"  {label}: {right} of {len(predictions)} right")
        self.folder.write_result(self.facts.to_dict())
        return predictions


def _methods(settings: Settings, split: Split) -> list[Method]:
    """The ways in which the base model is asked."""
    shots = min(settings.shots, len(split.train))
    return [PLAIN, *([Method("few-shot", shots), Method("retrieval", shots)] if shots else [])]


def _prompt_lengths(
    tokenizer: Any, settings: Settings, split: Split, suites: Mapping[str, Sequence[Example]], facts: _Facts
) -> list[int]:
    """About how long each prompt is that the base model and the tuned one are still to be given, in tokens."""
    prompts = Prompts(settings.template)

    def lengths(examples: Iterable[Example]) -> list[int]:
        return [len(encode_prompt(tokenizer, prompts.prompt(example))) for example in examples]

    test = lengths(split.test)
    found = test + test[:RENAMED]  # of the tuned model, which every sitting asks anew
    for method in _methods(settings, split):
        if not facts.has(method.label("base")):
            examples = 1 if method == PLAIN else method.count + 1
            found += [length * examples for length in test]
    for suite, questions in suites.items():
        found += lengths(questions) * (1 if facts.has("base", suite) else 2)
    return found


def _peak_memory_mib() -> float:
    """Peak memory in MiB: of this process, plus of its largest child that has ended (the embedded server, if any)."""
    unit = 1 if sys.platform == "darwin" else 1024
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(peaks) * unit / 2**20
