"""Score a model, a checkpoint, a run or a file of predictions: `tinkersql eval`, from top to bottom."""

import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinkersql import backend as backends
from tinkersql import corpus
from tinkersql.backend import Backend
from tinkersql.cache import sha256_of
from tinkersql.console import Reporter, printable
from tinkersql.corpus import Example, kind_of
from tinkersql.errors import ModelError
from tinkersql.evaluation import Answer, Prediction, compare_by_kind, judge, require_golds, shortcomings, summarise
from tinkersql.evaluation.methods import Attempt, Method, Model, attempt
from tinkersql.evaluation.questions import read_predictions, read_questions
from tinkersql.evaluation.request import Request
from tinkersql.evaluation.retrieval import POOL
from tinkersql.evaluation.suites import suite
from tinkersql.runs import ResultFolder, RunFolder, made, now, store_of
from tinkersql.settings import Settings
from tinkersql.waiting import awaited

if TYPE_CHECKING:
    import tinker

_SHAPING = ("template", "stops", "max_tokens", "seed")
"""The settings that shape an answer, to be kept with the result."""


def evaluate(request: Request, out: Path, reporter: Reporter) -> tuple[ResultFolder, dict[str, Any]]:
    """Ask, judge and compare; every question is put to every model by every method.

    Args:
        request: Whom to ask what, and how.
        out: The folder to make, for predictions and ``result.json``.
        reporter: Shows what goes on.

    Returns:
        The folder, and what its ``result.json`` holds.

    Raises:
        TinkersqlError: Whatever a user can mend; the evaluations that were complete until then stay in the folder,
            and without any there is no folder.
    """
    request.check()
    settings = request.settings()
    checkpoint = _checkpoint(request)
    backends.check(settings)
    ResultFolder.check_free(out, "--out")
    exam = _load(request, settings, reporter)
    require_golds(exam.examples)
    folder = ResultFolder.make(out.absolute(), "--out")
    findings = _Findings(folder, exam, settings, reporter)
    try:
        if exam.predicted is not None:
            attempts = [Attempt(Answer(text, 0, 0, "given")) for text in exam.predicted]
            findings.add("predictions", attempts)
        else:
            with (
                store_of(request.run, request.store) as store,
                backends.connect(settings, store, reporter, folder.path) as backend,
            ):
                findings.about_model(backend, checkpoint)
                _ask_all(request, settings, backend, checkpoint, exam, findings, reporter)
    except BaseException:
        if findings.evaluations:
            folder.write_result(findings.to_dict())
            reporter.say(f"What was measured until then: {folder.path}")
        else:
            folder.discard()
        raise
    result = findings.to_dict()
    folder.write_result(result)
    return folder, result


@dataclass(frozen=True, slots=True)
class _Exam:
    """What is asked: the questions, solved examples for prompts, and, for a file of predictions, the answers."""

    examples: tuple[Example, ...]
    source: dict[str, Any]
    pool: tuple[Example, ...] = ()
    predicted: tuple[str, ...] | None = None


def _load(request: Request, settings: Settings, reporter: Reporter) -> _Exam:
    """Read the questions and, where a method needs them, solved examples."""
    predicted: tuple[str, ...] | None = None
    pool: tuple[Example, ...] = ()
    needs_pool = any(method.shots != "plain" for method in request.methods())
    notes: list[str] = []
    source: dict[str, Any]
    if request.predictions is not None:
        examples, predicted = read_predictions(request.predictions)
        source = {"source": str(request.predictions), "sha256": sha256_of(request.predictions)}
    elif request.questions is not None:
        examples = read_questions(request.questions)
        source = {"source": str(request.questions), "sha256": sha256_of(request.questions)}
    elif request.suite is not None:
        examples = suite(request.suite)
        source = {"source": f"suite {request.suite}", "sha256": None}
    else:
        assert request.data is not None
        data = corpus.load(request.data, reporter, settings.map)
        split = corpus.split(data, settings.test_size, settings.seed, settings.split)
        examples, pool, notes = split.test, split.train, list(split.notes)
        for note in notes:
            reporter.say(f"  {note}")
        source = {"source": data.source, "sha256": data.sha256, "split": split.by, "leaks": split.leaks.to_dict()}
    if needs_pool and request.data is None:
        solved = corpus.load(request.shots_from or settings.data, reporter, settings.map)
        if request.shots_from is None:  # what the run was trained on, and not what it was tested on
            pool = corpus.split(solved, settings.test_size, settings.seed, settings.split).train
        else:
            pool = tuple(random.Random(settings.seed).sample(solved.examples, len(solved.examples)))
        source["shots_from"] = {"source": solved.source, "sha256": solved.sha256}
    most = POOL if request.pool is None else request.pool
    source |= {"n": len(examples[: request.limit]), "pool": len(pool[: most or None]), "notes": notes}
    return _Exam(
        examples[: request.limit],
        source,
        pool[: most or None],
        predicted[: request.limit] if predicted is not None else None,
    )


def _checkpoint(request: Request) -> str | None:
    """The weights to ask; None for the base model."""
    if request.checkpoint is not None or request.run is None:
        return request.checkpoint
    return RunFolder(request.run).tuned_model()


def _ask_all(
    request: Request,
    settings: Settings,
    backend: Backend,
    checkpoint: str | None,
    exam: _Exam,
    findings: "_Findings",
    reporter: Reporter,
) -> None:
    with backend.service() as service:
        samplers: dict[str, Any] = {}
        if checkpoint is None or request.compare:
            samplers["base"] = awaited(service.create_sampling_client(base_model=backend.model), reporter)
        if checkpoint is not None:
            samplers["tuned"] = client = _weights(service, checkpoint, reporter)
        else:  # a sampler of the base model knows its name alone, and not where its tokenizer is
            client = awaited(
                service.create_lora_training_client(backend.model, rank=settings.rank, train_unembed=False), reporter
            )
        tokenizer = backend.tokenizer(client)
        for name, sampler in samplers.items():
            model = Model(name, sampler, tokenizer, backend.context_length)
            for method in request.methods():
                started = time.monotonic()
                attempts = attempt(model, method, settings, exam.pool, exam.examples, reporter)
                findings.add(method.label(name), attempts, method, time.monotonic() - started)


def _weights(service: "tinker.ServiceClient", checkpoint: str, reporter: Reporter) -> "tinker.SamplingClient":
    import tinker

    try:
        return awaited(service.create_sampling_client(model_path=checkpoint), reporter)
    except (tinker.BadRequestError, tinker.NotFoundError) as error:
        detail = error.body.get("detail") if isinstance(error.body, dict) else None
        raise ModelError(
            f"{checkpoint}: the service has no such weights ({printable(str(detail or error))})"
        ) from error


@dataclass(slots=True)
class _Findings:
    """What has been found out so far; predictions and ``result.json`` are written after each evaluation."""

    folder: ResultFolder
    exam: _Exam
    settings: Settings
    reporter: Reporter
    created: str = field(default_factory=now)
    started: float = field(default_factory=time.monotonic)
    model: dict[str, Any] = field(default_factory=dict)
    predictions: dict[str, list[Prediction]] = field(default_factory=dict)
    evaluations: dict[str, dict[str, Any]] = field(default_factory=dict)

    def about_model(self, backend: Backend, checkpoint: str | None) -> None:
        """Keep whom we ask, and with which settings."""
        self.model = {
            "backend": {"kind": backend.kind, "model": backend.model},
            "model": dict(backend.provenance),
            "checkpoint": checkpoint,
            "settings": {name: getattr(self.settings, name) for name in _SHAPING},
        }

    def add(
        self, name: str, attempts: Sequence[Attempt], method: Method | None = None, seconds: float | None = None
    ) -> None:
        """Judge answers, and keep them with their figures; ``seconds`` is what all of them took."""
        label = name.replace("-", " ")
        answers = [a.answer for a in attempts]
        workers = self.settings.judge_workers
        predictions = judge(self.exam.examples, answers, workers, self.reporter, f"judge {label}")
        lines = [
            prediction.to_dict(index) | {"prompt_tokens": a.answer.prompt_tokens} | a.how
            for index, (prediction, a) in enumerate(zip(predictions, attempts, strict=True))
        ]
        self.folder.write_predictions(name, lines)
        self.predictions[name] = predictions
        self.evaluations[name] = summarise(predictions)
        if method is not None and seconds is not None:
            self.evaluations[name] |= {"method": asdict(method)} | _costs(attempts, method, seconds)
        for text in shortcomings(self.evaluations[name], label, golds=len(self.evaluations) == 1):
            self.exam.source["notes"].append(text)
            self.reporter.say(f"  {text}")
        self.reporter.say(f"  {label}: {sum(p.right for p in predictions)} of {len(predictions)} right")
        self.folder.write_result(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.folder.path.name,
            **made(self.created, self.started),
            "questions": self.exam.source,
            **self.model,
            "evaluations": self.evaluations,
            "comparisons": [self._compare(a, b) for a, b in combinations(self.predictions, 2)],
        }

    def _compare(self, a: str, b: str) -> dict[str, Any]:
        first, second = self.predictions[a], self.predictions[b]
        kinds = [kind_of(p.example.gold) for p in first]
        return {"a": a, "b": b, **compare_by_kind(kinds, [p.right for p in first], [p.right for p in second])}


def _costs(attempts: Sequence[Attempt], method: Method, seconds: float) -> dict[str, Any]:
    """Means over the questions: tokens read, tokens written, and seconds of the clock with many questions in flight."""
    n = len(attempts)
    shown = sum(a.how["shots"] for a in attempts)
    return {
        "per_question": {
            "prompt_tokens": sum(a.answer.prompt_tokens for a in attempts) / n,
            "tokens": sum(a.answer.tokens for a in attempts) / n,
            "seconds": seconds / n,
        },
        "shots_per_question": shown / n if method.shots != "plain" else 0.0,
        "repaired": sum("repaired" in a.how for a in attempts),
    }
