"""The training loop over a Tinker training client, whatever a step's objective is."""

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Protocol

from tinkersql.console import Reporter
from tinkersql.errors import Interrupted
from tinkersql.tuning.plan import TIMED_STEPS, Plan
from tinkersql.waiting import awaited

if TYPE_CHECKING:
    import tinker

STEPS_AHEAD = 1
"""Steps submitted before the oldest result is awaited, so that the service never waits for the client."""

Row = Mapping[str, Any]
"""A line of a ``.jsonl`` file in the run folder."""


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
        tokens_per_second: ``tokens / seconds``.
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


class Objective(Protocol):
    """What a step is made of.

    Attributes:
        ahead: Steps that may be submitted before the oldest result is awaited.
        figure: The figure of a step that the progress bar shows.
    """

    ahead: int
    figure: str

    def submit(self, number: int) -> Callable[[], Row]:
        """Begin a step; what is returned awaits its end, and gives the figures for its line.

        Among them are ``loss`` (nats per token that carried weight), ``tokens`` and ``completion_tokens``.
        """
        ...

    def close(self) -> None:
        """Free what the objective holds; called once, after the last step."""
        ...


class Supervised:
    """Cross-entropy on the completions."""

    ahead = STEPS_AHEAD
    figure = "loss"

    def __init__(self, client: "tinker.TrainingClient", plan: Plan, reporter: Reporter) -> None:
        self.client = client
        self.plan = plan
        self.reporter = reporter

    def submit(self, number: int) -> Callable[[], Row]:
        """Submit a batch and Adam's step; see `Objective`."""
        from tinker import types

        batch = self.plan.batch(number)
        forward_backward = self.client.forward_backward(batch, "cross_entropy")
        optim = self.client.optim_step(types.AdamParams(learning_rate=self.plan.rate(number)))

        def ended() -> Row:
            output = awaited(forward_backward, self.reporter)
            awaited(optim, self.reporter)
            weighted = sum(int((datum.loss_fn_inputs["weights"].to_numpy() != 0).sum()) for datum in batch)
            return {
                "loss": output.metrics["loss:sum"] / max(weighted, 1),
                "tokens": sum(datum.model_input.length for datum in batch),
                "completion_tokens": weighted,
            }

        return ended

    def close(self) -> None:
        """Nothing is held."""


def train(
    client: "tinker.TrainingClient",
    plan: Plan,
    reporter: Reporter,
    diary: Diary,
    done: Sequence[Row] = (),
    objective: Objective | None = None,
) -> Training:
    """Take the plan's steps.

    Args:
        client: A training client that has taken the steps in ``done``, and no others.
        plan: The examples and rates of each step; its settings say how often a checkpoint is saved.
        reporter: Shows rate, loss and time left.
        diary: Told of each step and checkpoint.
        done: The lines of ``metrics.jsonl`` of the steps that are done.
        objective: What a step is made of; `Supervised` by default.

    Raises:
        Interrupted: On Ctrl-C, after the steps in flight have ended and a checkpoint has been saved.
    """
    with closing(objective or Supervised(client, plan, reporter)) as chosen:
        return _Loop(client, plan, chosen, reporter, diary, list(done)).run()


def checkpoint(step: int, examples: int, kind: str, state_path: str, sampler_path: str | None = None) -> dict[str, Any]:
    """One line of ``checkpoints.jsonl``; ``kind`` is ``periodic``, ``interrupted`` or ``final``."""
    return {
        "step": step,
        "examples": examples,
        "kind": kind,
        "state_path": state_path,
        "sampler_path": sampler_path,
    }


class _Loop:
    def __init__(
        self,
        client: "tinker.TrainingClient",
        plan: Plan,
        objective: Objective,
        reporter: Reporter,
        diary: Diary,
        metrics: list[Row],
    ) -> None:
        self.client = client
        self.plan = plan
        self.objective = objective
        self.reporter = reporter
        self.diary = diary
        self.metrics = metrics
        self.in_flight: deque[tuple[int, Callable[[], Row]]] = deque()
        self.last = time.monotonic()
        """When the step before ended."""

    def run(self) -> Training:
        save_every = self.plan.settings.save_every
        seen = self.metrics[-1]["examples"] if self.metrics else 0
        with (
            _ctrl_c_noted(self.reporter) as stopping,
            self.reporter.track("train", self.plan.examples, "examples") as self.advance,
        ):
            self.advance(seen)
            self.last = time.monotonic()
            first = number = len(self.metrics) + 1
            while self.plan.has(number):
                self.in_flight.append((number, self.objective.submit(number)))
                self._finish(self.objective.ahead if self.plan.has(number + 1) else 0)
                if self.plan.steps is None and number == first + TIMED_STEPS - 1:
                    self._fix_steps(number)
                if stopping.is_set():
                    path = self._save("interrupted")
                    whole = f" of {self.plan.steps}" if self.plan.steps else ""
                    raise Interrupted(f"stopped after step {number}{whole}; the checkpoint {path} stays")
                if save_every and number % save_every == 0 and self.plan.has(number + 1):
                    self._save("periodic")
                number += 1
        return _summary(self.metrics)

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

    def _save(self, kind: str) -> str:
        self._finish(0)
        row = self.metrics[-1]
        # Overwriting is for the rest of an earlier sitting that was killed between saving and noting it.
        path = awaited(self.client.save_state(f"step-{row['step']:06d}", overwrite=True), self.reporter).path
        self.diary.saved(checkpoint(row["step"], row["examples"], kind, path))
        return path

    def _fix_steps(self, number: int) -> None:
        """Turn the minutes that are left into steps, by the mean of the timed ones without the first."""
        self._finish(0)
        timed = self.metrics[-TIMED_STEPS + 1 :]
        each = sum(row["seconds"] for row in timed) / len(timed)
        left = self.plan.settings.minutes * 60 - self.metrics[-1]["elapsed"]
        self.plan.fix(number + max(0, int(left / each)))
        self.diary.planned(self.plan)
        self.reporter.say(f"  {self.plan.settings.minutes:g} minutes are {self.plan.steps:,} steps of {each:.2f} s")


@contextmanager
def _ctrl_c_noted(reporter: Reporter) -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a flag, so that it never falls between a step and its record; the next one acts."""
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping  # signals reach the main thread only
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


def _summary(metrics: Sequence[Row]) -> Training:
    tenth = max(1, len(metrics) // 10)
    head, tail = metrics[:tenth], metrics[-tenth:]
    rewarded = "reward" in metrics[-1]
    tokens = sum(m["tokens"] for m in metrics)
    seconds = metrics[-1]["elapsed"]
    return Training(
        examples=metrics[-1]["examples"],
        steps=len(metrics),
        first_loss=metrics[0]["loss"],
        final_loss=sum(m["loss"] for m in tail) / len(tail),
        seconds=seconds,
        tokens=tokens,
        completion_tokens=sum(m["completion_tokens"] for m in metrics),
        tokens_per_second=tokens / seconds,
        first_reward=fmean(m["reward"] for m in head) if rewarded else None,
        final_reward=fmean(m["reward"] for m in tail) if rewarded else None,
    )
