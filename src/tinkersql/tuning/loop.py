"""The training loop over a Tinker training client, whatever a step's objective is."""

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tinkersql.console import Advance, Reporter
from tinkersql.errors import Interrupted
from tinkersql.tuning.objectives import Objective, Row, Supervised
from tinkersql.tuning.plan import TIMED_STEPS, Plan
from tinkersql.waiting import awaited

if TYPE_CHECKING:
    import tinker

    from tinkersql.tuning.validation import Validations


@dataclass(frozen=True, slots=True)
class Training:
    """What a training did, all its sittings together.

    Attributes:
        examples: Examples seen.
        steps: Optimizer steps.
        first_loss: Mean negative log-likelihood per completion token at the first step, in nats.
        final_loss: The same, averaged over the last tenth of the steps.
        seconds: The steps' wall-clock time, with that of checkpoints in between.
        tokens: Input tokens seen.
        completion_tokens: Tokens that carried weight.
        tokens_per_second: ``tokens / seconds``; validations are not in it.
        validation: What `Validations.summary` says; None without a validation.
        first_reward: Mean reward of an answer over the first tenth of the steps; None where nothing was rewarded.
        final_reward: The same over the last tenth.
    """

    examples: int
    steps: int
    first_loss: float
    final_loss: float
    seconds: float
    tokens: int
    completion_tokens: int
    tokens_per_second: float
    validation: dict[str, Any] | None = None
    first_reward: float | None = None
    final_reward: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


class Diary:
    """Told what happens in a training; this one keeps nothing, and those of a run folder write it down."""

    def planned(self, plan: Plan) -> None:
        """The number of steps is known now."""

    def step(self, row: Row) -> None:
        """A step has ended: a line of ``metrics.jsonl``."""

    def saved(self, row: Row) -> None:
        """A checkpoint has been saved: a line of ``checkpoints.jsonl``."""

    def validated(self, row: Row) -> None:
        """The weights have been validated: a line of ``validations.jsonl``."""


def train(
    client: "tinker.TrainingClient",
    plan: Plan,
    reporter: Reporter,
    diary: Diary,
    done: Sequence[Row] = (),
    validations: "Validations | None" = None,
    objective: Objective | None = None,
) -> Training:
    """Take the plan's steps.

    Args:
        client: A training client that has taken the steps in ``done``, and no others.
        plan: The examples and rates of each step; its settings say how often a checkpoint is saved.
        reporter: Shows rate, loss and time left.
        diary: Told of each step and checkpoint.
        done: The lines of ``metrics.jsonl`` of the steps that are done.
        validations: Those that are done, and how the others are; None: there are none.
        objective: What a step is made of; `Supervised` by default.

    Raises:
        Interrupted: On Ctrl-C, after the steps in flight have ended and a checkpoint has been saved.
    """
    with closing(objective or Supervised(client, plan, reporter)) as chosen:
        return Loop(client, plan, reporter, diary, done, chosen, validations).run()


def checkpoint(step: int, examples: int, kind: str, state_path: str, sampler_path: str | None = None) -> dict[str, Any]:
    """One line of ``checkpoints.jsonl``; ``kind`` is ``periodic``, ``interrupted``, ``best`` or ``final``."""
    return {
        "step": step,
        "examples": examples,
        "kind": kind,
        "state_path": state_path,
        "sampler_path": sampler_path,
    }


class Loop:
    """The steps of one training; `train` takes them all, and several loops can take turns."""

    def __init__(
        self,
        client: "tinker.TrainingClient",
        plan: Plan,
        reporter: Reporter,
        diary: Diary,
        done: Sequence[Row],
        objective: Objective,
        validations: "Validations | None" = None,
        advance: Advance = lambda by=1, note="", total=None: None,
    ) -> None:
        """See `train`; ``advance`` is told of each step's examples and its loss."""
        self.client = client
        self.plan = plan
        self.objective = objective
        self.reporter = reporter
        self.diary = diary
        self.metrics: list[Row] = list(done)
        self.validations = validations
        self.advance = advance
        self.in_flight: deque[tuple[int, Callable[[], Row]]] = deque()
        self.last = time.monotonic()
        """When the step before ended."""
        self.kept = len(self.metrics)
        """The latest step that a checkpoint holds."""

    def run(self) -> Training:
        """Take all steps that are left; see `train`."""
        with (
            ctrl_c_noted(self.reporter) as stopping,
            self.reporter.track("train", self.plan.examples, "examples") as self.advance,
        ):
            self.advance(self.metrics[-1]["examples"] if self.metrics else 0)
            for number in self.turns():
                if stopping.is_set():
                    if self.unsaved:
                        self.save("interrupted")
                    whole = f" of {self.plan.steps}" if self.plan.steps else ""
                    raise Interrupted(f"stopped after step {number}{whole}; its checkpoint stays")
        return self.summary()

    def turns(self, last: int | None = None) -> Iterator[int]:
        """Take one step a turn, or validate, and yield the step's number, to the end or up to step ``last``.

        A step is submitted in its turn and awaited in the next one; after the last turn none is in flight.
        """
        save_every, validations = self.plan.settings.save_every, self.validations
        self.last = time.monotonic()
        number = len(self.metrics)
        first = number + 1
        while True:
            more = self._has(number + 1, last)
            if validations and validations.due(number, last=not more):
                self._validate(validations, number)
                yield number
            if not more:
                return
            if validations and validations.exhausted:
                since = validations.best["step"] if validations.best else 0
                self.reporter.say(f"  Stopping early after step {number}: no lower validation loss since step {since}")
                return
            number += 1
            self.in_flight.append((number, self.objective.submit(number)))
            self._finish(self.objective.ahead if self._has(number + 1, last) else 0)
            if self.plan.steps is None and number == first + TIMED_STEPS - 1:
                self._fix_steps(number)
            yield number
            if save_every and self.unsaved and number % save_every == 0 and self._has(number + 1, last):
                self.save("periodic")

    def save(self, kind: str) -> str:
        """Save a checkpoint after the steps in flight, of which there is one at least, now or before."""
        self._finish(0)
        row = self.metrics[-1]
        # Overwriting is for the rest of an earlier sitting that was killed between saving and noting it.
        path = awaited(self.client.save_state(f"step-{row['step']:06d}", overwrite=True), self.reporter).path
        self.diary.saved(checkpoint(row["step"], row["examples"], kind, path))
        self.kept = row["step"]
        return path

    @property
    def unsaved(self) -> bool:
        """Whether steps have been taken that no checkpoint holds."""
        return len(self.metrics) + len(self.in_flight) > self.kept

    def summary(self) -> Training:
        """What has been done, at least one step."""
        metrics = self.metrics
        tenth = max(1, len(metrics) // 10)
        head, tail = metrics[:tenth], metrics[-tenth:]
        rewarded = "reward" in metrics[-1]
        tokens = sum(m["tokens"] for m in metrics)
        seconds = metrics[-1]["elapsed"]
        stopped_early = self.plan.has(len(metrics) + 1)
        return Training(
            examples=metrics[-1]["examples"],
            steps=len(metrics),
            first_loss=metrics[0]["loss"],
            final_loss=fmean(m["loss"] for m in tail),
            seconds=seconds,
            tokens=tokens,
            completion_tokens=sum(m["completion_tokens"] for m in metrics),
            tokens_per_second=tokens / seconds,
            validation=self.validations.summary(stopped_early) if self.validations else None,
            first_reward=fmean(m["reward"] for m in head) if rewarded else None,
            final_reward=fmean(m["reward"] for m in tail) if rewarded else None,
        )

    def _has(self, number: int, last: int | None) -> bool:
        return self.plan.has(number) and (last is None or number <= last)

    def _validate(self, validations: "Validations", step: int) -> None:
        self._finish(0)
        started = time.monotonic()
        row = validations.take(step)
        if row is validations.best:
            # Saved before the validation is noted, so that what was noted as best is there.
            name = f"best-{step:06d}"
            state = awaited(self.client.save_state(name, overwrite=True), self.reporter).path
            sampler = awaited(self.client.save_weights_for_sampler(name), self.reporter).path
            self.diary.saved(checkpoint(step, self.metrics[-1]["examples"], "best", state, sampler))
        self.diary.validated(row)
        right = f", {row['right']} of {row['n_questions']} right" if row["n_questions"] else ""
        self.reporter.say(f"  validation: loss {row['loss']:.3f}{right}")
        self.last += time.monotonic() - started  # no step took this time

    def _finish(self, left: int) -> None:
        """Await the oldest steps until only ``left`` are in flight."""
        while len(self.in_flight) > left:
            row = self._result(*self.in_flight.popleft())
            self.metrics.append(row)
            self.diary.step(row)
            figure = self.objective.figure
            note = f"{figure} {row[figure]:.3f}"
            self.advance(row["examples"] - (self.metrics[-2]["examples"] if row["step"] > 1 else 0), note)

    def _result(self, number: int, ended: Callable[[], Row]) -> Row:
        """Await a step's results and word them as a line of ``metrics.jsonl``."""
        figures = ended()
        before = self.metrics[-1] if self.metrics else {"examples": 0, "elapsed": 0.0}
        now = time.monotonic()
        seconds, self.last = now - self.last, now
        return {
            "step": number,
            "examples": before["examples"] + len(self.plan.indices(number)),
            "learning_rate": self.plan.rate(number),
            **figures,
            "seconds": seconds,
            "elapsed": before["elapsed"] + seconds,
        }

    def _fix_steps(self, number: int) -> None:
        """Turn the minutes that are left into steps, by the mean of the timed ones without the first."""
        self.save("periodic")  # so that these steps, whose rate did not fall, are never taken again
        timed = self.metrics[-TIMED_STEPS + 1 :]
        each = sum(row["seconds"] for row in timed) / len(timed)
        left = self.plan.settings.minutes * 60 - self.metrics[-1]["elapsed"]
        self.plan.fix(number + max(0, int(left / each)))
        self.diary.planned(self.plan)
        self.advance(0, total=self.plan.examples)
        self.reporter.say(f"  {self.plan.settings.minutes:g} minutes are {self.plan.steps:,} steps of {each:.2f} s")


@contextmanager
def ctrl_c_noted(reporter: Reporter) -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a flag, so that it never falls between a step and its record; the next one acts.

    Off the main thread, which alone gets signals, the flag is never set.
    """
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    usual = signal.getsignal(signal.SIGINT)

    def note(*_: object) -> None:
        signal.signal(signal.SIGINT, usual)
        stopping.set()
        reporter.say("Stopping: ending this step and saving a checkpoint (Ctrl-C again ends at once, without it)")

    signal.signal(signal.SIGINT, note)
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGINT, usual)
