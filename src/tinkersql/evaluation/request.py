"""What a user asks `tinkersql eval` for: the options, and whether they make sense together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from tinkersql.errors import SettingsError
from tinkersql.evaluation.methods import SHOTS, Method, Shots
from tinkersql.runs import RunFolder
from tinkersql.settings import Settings, changed, resolve

_SOURCES = ("questions", "suite", "data", "predictions")
_OF_A_RUN = ("model", "backend", "base_url", "store", "split", "test_size", "seed", "template", "stop")
"""What a run has settled; other values would measure something else, or test on what was trained."""
_COUNTS = {"shots": 1, "pool": 0, "votes": 1, "limit": 1}
"""The least value of each."""
_ALWAYS = ("limit", "judge_workers")
"""Options that go with predictions, too."""


@dataclass(frozen=True, slots=True)
class Request:
    """The options of ``tinkersql eval``; None, an empty tuple and False mean not given.

    Attributes:
        questions: A file of questions with golds.
        suite: The name of a fixed set of questions.
        data: ``hub``, ``built-in`` or a data file, whose test questions are asked.
        predictions: A file of answers that have been given already.
        run: The folder of a run, whose tuned model is asked.
        checkpoint: A ``tinker://`` path of weights to ask.
        store: The embedded server's store in which the checkpoint lies.
        compare: Whether the base model is asked beside the tuned one.
        method: Some of `SHOTS`; plain by default.
        shots: Solved examples in a prompt; 3 by default.
        pool: Training examples that retrieval chooses from; 1,000 by default, and 0 takes all.
        shots_from: The data that they come from; a run's own by default.
        votes: Answers to each question.
        temperature: Of the sampling for votes; 0.7 by default.
        repair: Whether an answer that does not run goes back to the model.
        limit: The most questions to ask.
        changes: Settings given by the user, by their name.
    """

    questions: Path | None = None
    suite: str | None = None
    data: str | None = None
    predictions: Path | None = None
    run: Path | None = None
    checkpoint: str | None = None
    store: Path | None = None
    compare: bool = False
    method: tuple[str, ...] = ()
    shots: int | None = None
    pool: int | None = None
    shots_from: str | None = None
    votes: int | None = None
    temperature: float | None = None
    repair: bool = False
    limit: int | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Look for contradictions.

        Raises:
            SettingsError: Options that make no sense, alone or together.
        """
        for problem in self._problems():
            raise SettingsError(problem)

    def settings(self) -> Settings:
        """Those of the run, or the defaults, with the user's changes.

        Raises:
            RunError: There is no such run.
            SettingsError: A value that makes no sense.
        """
        if self.run is None:
            return resolve("cpu", self.changes).settings
        own = RunFolder(self.run).read_settings()
        source = self.data or self.shots_from
        if source is not None and Path(source).resolve() != Path(own.data).resolve():
            own = replace(own, map="")  # names of columns belong to the data that has them
        return changed(own, self.changes)

    def methods(self) -> tuple[Method, ...]:
        """Each way to ask, in the order in which they were given."""
        names = cast(tuple[Shots, ...], tuple(dict.fromkeys(self.method or ("plain",))))
        votes, temperature = self.votes or 1, self.temperature or 0.7
        return tuple(Method(name, self.shots or 3, votes, temperature, self.repair) for name in names)

    def _given(self) -> set[str]:
        """The names of the options that the user gave."""
        own = {name for name in self.__slots__ if name != "changes" and getattr(self, name) not in (None, False, ())}
        return own | {"stop" if name == "stops" else name for name, value in self.changes.items() if value is not None}

    def _problems(self) -> Iterator[str]:
        given = self._given()
        sources = [_option(name) for name in _SOURCES if name in given]
        if len(sources) != 1:
            found = f", not {' and '.join(sources)}" if sources else ""
            yield f"eval needs one source of questions, one of {', '.join(map(_option, _SOURCES))}{found}"
        if self.predictions is not None:
            for name in sorted(given - {"predictions", *_ALWAYS}):
                yield f"{_option(name)} is about asking a model, and --predictions have been made: leave it out"
        yield from self._problems_of_model(given)
        yield from self._problems_of_method(given)
        for name, least in _COUNTS.items():
            if (value := getattr(self, name)) is not None and value < least:
                yield f"{_option(name)} {value}: must be at least {least}"
        for name in ("test_size", "split"):
            if name in given and self.data is None:
                yield f"{_option(name)} belongs to --data; --limit takes the first questions of any source"
        if "map" in given and self.data is None and self.shots_from is None:
            yield "--map belongs to --data or --shots-from"

    def _problems_of_model(self, given: set[str]) -> Iterator[str]:
        if self.run is not None:
            for name in _OF_A_RUN:
                if name in given:
                    yield f"{_option(name)}: --run has its own, which its model was trained with: leave it out"
        if self.checkpoint is not None and not self.checkpoint.startswith("tinker://"):
            yield f"--checkpoint {self.checkpoint}: give a path such as tinker://RUN/sampler_weights/final"
        if self.store is not None and self.checkpoint is None:
            yield "--store belongs to --checkpoint"
        if self.store is not None and not self.store.is_dir():
            yield f"--store {self.store}: no such folder"
        if self.compare and self.run is None and self.checkpoint is None:
            yield "--compare sets a tuned model beside its base: give --run or --checkpoint"
        elsewhere = self.changes.get("base_url") or self.changes.get("backend") not in (None, "embedded")
        if elsewhere and self.store is not None:
            yield "--store belongs to the embedded server: another service keeps its own checkpoints"
        if self.checkpoint is not None and self.run is None and self.store is None and not elsewhere:
            yield "--checkpoint: say with --run or --store where it lies, or with --base-url or --backend who serves it"

    def _problems_of_method(self, given: set[str]) -> Iterator[str]:
        for name in self.method:
            if name not in SHOTS:
                yield f"--method {name}: choose one of {', '.join(SHOTS)}"
        with_shots = set(self.method) & {"few-shot", "retrieval"}
        for name in ("shots", "shots_from"):
            if name in given and not with_shots:
                yield f"{_option(name)} belongs to --method few-shot or retrieval"
        if "pool" in given and "retrieval" not in self.method:
            yield "--pool belongs to --method retrieval"
        if self.shots_from is not None and self.data is not None:
            yield "--shots-from: --data brings its own training examples, so leave it out"
        if with_shots and self.data is None and self.shots_from is None and self.run is None:
            yield "--method few-shot and retrieval need training examples: say with --shots-from which data has them"
        if self.temperature is not None and (self.votes or 1) < 2:
            yield "--temperature belongs to --votes 2 or more; a single answer is greedy"
        if self.temperature is not None and not 0 < self.temperature < float("inf"):
            yield f"--temperature {self.temperature:g}: must be a positive number, such as 0.7"


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
