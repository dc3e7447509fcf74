"""The main path: the whole exercise, from data to report, readable from top to bottom."""

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tinkersql import backend as backends
from tinkersql import report
from tinkersql.backend import Backend
from tinkersql.console import Reporter
from tinkersql.corpus import Example
from tinkersql.evaluation import RENAMED, Prediction, compare_paired, judge, memory, renamed, summarise
from tinkersql.evaluation.methods import PLAIN, Method, Model, attempt
from tinkersql.evaluation.retrieval import POOL
from tinkersql.evaluation.suites import suites_of
from tinkersql.runs import RunFolder, made, now
from tinkersql.settings import Resolved, Settings
from tinkersql.tuning import Training, begin, check_monitors, gather, introduce


def run(resolved: Resolved, runs: Path, name: str, reporter: Reporter) -> tuple[RunFolder, dict[str, Any]]:
    """Do the exercise: data, base evaluation, training, tuned evaluation, novel schemas, report.

    Args:
        resolved: The settings and where they come from.
        runs: The folder that holds run folders.
        name: This run's folder in it.
        reporter: Shows what goes on.

    Returns:
        The run folder, and what its ``result.json`` holds.

    Raises:
        TinkersqlError: Whatever a user can mend; what was measured until then stays in the run folder.
        Interrupted: Ctrl-C during training, after a checkpoint has been saved.
    """
    settings = resolved.settings
    backends.check(settings)
    check_monitors(settings)
    RunFolder.check(runs, name)
    suites = suites_of(settings.suites)
    facts = _Facts(name, resolved.preset)
    with facts.phase("load data"):
        material = gather(settings, reporter)
    facts.data, split = material.facts, material.split
    introduce(resolved, facts.data, reporter)

    folder = RunFolder.create(runs, name)
    try:
        folder.write_config(resolved)
        with (
            folder.locked(),
            backends.connect(settings, folder.store, reporter) as backend,
            backend.service() as service,
        ):
            facts.backend = backend
            with facts.phase("start"):
                sitting = begin(folder, material, settings, backend, service, reporter)
                base = sitting.client.save_weights_and_get_sampling_client().result()

            reporter.heading("Before training")
            exam = _Exam(settings, folder, facts, backend, sitting.tokenizer, split.train[:POOL], reporter)
            exam.take("base", base, split.test)
            if shots := min(settings.shots, len(split.train)):
                exam.take("base", base, split.test, Method("few-shot", shots))
                exam.take("base", base, split.test, Method("retrieval", shots))
            for suite, questions in suites.items():
                exam.take("base", base, questions, suite=suite)

            reporter.heading("Training")
            with facts.phase("train") as phase:
                facts.training = sitting.train(reporter)
                phase["tokens"] = facts.training.tokens
            with facts.phase("save"):
                weights = sitting.finish(facts.training, reporter)

            reporter.heading("After training")
            tuned = service.create_sampling_client(model_path=weights).result()
            exam.take("tuned", tuned, split.test)
            for suite, questions in suites.items():
                exam.take("tuned", tuned, questions, suite=suite)
            again = [renamed(example, settings.seed) for example in split.test[:RENAMED]]
            exam.take("tuned-renamed", tuned, again)
            asked = facts.predictions
            facts.memory = memory(material.enriched.examples, asked["tuned"], asked["tuned-renamed"])
    except BaseException:
        if facts.evaluations:
            reporter.say(f"What was measured until then, with what was saved: {folder.path}")
        else:
            folder.discard()  # a run that measured nothing leaves nothing behind
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
    started: float = field(default_factory=time.monotonic)
    data: dict[str, Any] = field(default_factory=dict)
    backend: Backend | None = None
    training: Training | None = None
    predictions: dict[str, list[Prediction]] = field(default_factory=dict)
    evaluations: dict[str, dict[str, Any]] = field(default_factory=dict)
    suites: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    memory: dict[str, Any] | None = None
    phases: list[dict[str, Any]] = field(default_factory=list)

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
        pairs = [(before, "tuned") for before in self.predictions if before.startswith("base")]
        return {
            "name": self.name,
            **made(self.created, self.started),
            "preset": self.preset,
            "backend": {"kind": backend.kind, "model": backend.model} if backend else None,
            "model": backend.provenance if backend else None,
            "data": self.data,
            "evaluations": self.evaluations,
            "suites": self.suites,
            "memory": self.memory,
            "comparisons": [self._compare(a, b) for a, b in pairs if b in self.predictions],
            "training": self.training.to_dict() if self.training else None,
            "phases": self.phases,
            "peak_memory_mib": _peak_memory_mib(),
        }

    def _compare(self, a: str, b: str) -> dict[str, Any]:
        right_a, right_b = ([p.right for p in self.predictions[name]] for name in (a, b))
        return {"a": a, "b": b, "n": len(right_a), **asdict(compare_paired(right_a, right_b))}


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
    ) -> None:
        """Put the questions, of a suite if they are one, to the model, and keep predictions and figures."""
        name = method.label(model)
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
            self.facts.predictions[name] = predictions
            self.facts.evaluations[name] = summary | speed
        too_long, bad_golds = summary["too_long"], summary["verdicts"].get("gold_error", 0)
        if too_long:
            self._note(
                f"{too_long} of {len(examples)} prompts of '{label}' are longer than the model's context: not asked."
            )
        if bad_golds and full_name == "base":
            self._note(f"{bad_golds} of {len(examples)} expected queries cannot be judged, because they do not run.")
        if (weak := summary["weak_golds"]) and full_name == "base":
            self._note(
                f"{weak} of {len(examples)} expected queries cannot be probed well, so hardly an answer matches."
            )
        right = sum(p.right for p in predictions)
        self.reporter.say(f"  {label}: {right} of {len(predictions)} right")
        self.folder.write_result(self.facts.to_dict())

    def _note(self, text: str) -> None:
        self.facts.data["notes"].append(text)
        self.reporter.say(f"  {text}")


def _peak_memory_mib() -> float:
    """Peak memory in MiB: of this process, plus of its largest child that has ended (the embedded server, if any)."""
    unit = 1 if sys.platform == "darwin" else 1024
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(peaks) * unit / 2**20
