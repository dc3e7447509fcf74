"""The training loop over a Tinker training client."""

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tinkersql.console import Reporter
from tinkersql.errors import Interrupted
from tinkersql.settings import Settings
from tinkersql.waiting import awaited

if TYPE_CHECKING:
    import tinker

STEPS_AHEAD = 1
"""Steps submitted before the oldest result is awaited, so that the service never waits for the client."""

LATEST = "latest"
"""Name of the checkpoint that is overwritten while training goes on."""


@dataclass(frozen=True, slots=True)
class Training:
    """What a training did.

    Attributes:
        examples: Examples seen.
        steps: Optimizer steps.
        first_loss: Mean negative log-likelihood per completion token at the first step, in nats.
        final_loss: The same, averaged over the last tenth of the steps.
        seconds: Wall-clock time, checkpoints included.
        tokens: Input tokens seen.
        completion_tokens: Tokens that carried weight.
        tokens_per_second: ``tokens / seconds``.
    """

    examples: int
    steps: int
    first_loss: float
    final_loss: float
    seconds: float
    tokens: int
    completion_tokens: int
    tokens_per_second: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Step:
    number: int
    learning_rate: float
    batch: "Sequence[tinker.Datum]"
    forward_backward: Any
    optim: Any


def train(
    client: "tinker.TrainingClient",
    data: "Sequence[tinker.Datum]",
    settings: Settings,
    reporter: Reporter,
    on_step: Callable[[Mapping[str, Any]], None],
    on_checkpoint: Callable[[Mapping[str, Any]], None],
) -> Training:
    """Take one pass over ``data``, in its order: cross-entropy on the completions, Adam.

    Args:
        client: A fresh training client.
        data: Examples as Datums; at least one.
        settings: ``batch_size``, ``learning_rate``, ``schedule`` and ``save_every`` are read.
        reporter: Shows rate, loss and time left.
        on_step: Receives one line of ``metrics.jsonl`` per step.
        on_checkpoint: Receives one line of ``checkpoints.jsonl`` per checkpoint.

    Raises:
        Interrupted: On Ctrl-C, after the steps in flight have ended and a checkpoint has been saved.
    """
    started = time.monotonic()
    steps = -(-len(data) // settings.batch_size)
    metrics: list[dict[str, Any]] = []
    in_flight: deque[_Step] = deque()

    with _ctrl_c_noted(reporter) as stopping, reporter.track("train", len(data), "examples") as advance:

        def finish(left: int) -> None:
            """Await the oldest steps until only ``left`` are in flight."""
            while len(in_flight) > left:
                step = in_flight.popleft()
                metrics.append(_finish(step, metrics, started, reporter))
                on_step(metrics[-1])
                advance(len(step.batch), f"loss {metrics[-1]['loss']:.3f}")

        def save(kind: str) -> str:
            finish(left=0)
            path = awaited(client.save_state(LATEST, overwrite=True), reporter).path
            on_checkpoint(checkpoint(metrics[-1]["step"], metrics[-1]["examples"], kind, path))
            return path

        for number in range(1, steps + 1):
            in_flight.append(_submit(client, data, settings, number, steps))
            finish(left=STEPS_AHEAD if number < steps else 0)
            if stopping.is_set():
                path = save("interrupted")
                raise Interrupted(f"stopped after step {number} of {steps}; the checkpoint {path} stays")
            if settings.save_every and number % settings.save_every == 0 and number < steps:
                save("periodic")
    return _summary(metrics, time.monotonic() - started)


def learning_rate_at(settings: Settings, step: int, steps: int) -> float:
    """The rate of a step, counted from 1: constant, or falling linearly so that the step after the last would be 0."""
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * (1 - (step - 1) / steps)


def checkpoint(step: int, examples: int, kind: str, state_path: str, sampler_path: str | None = None) -> dict[str, Any]:
    """One line of ``checkpoints.jsonl``; ``kind`` is ``periodic``, ``interrupted`` or ``final``."""
    return {
        "step": step,
        "examples": examples,
        "kind": kind,
        "state_path": state_path,
        "sampler_path": sampler_path,
    }


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


def _submit(
    client: "tinker.TrainingClient", data: "Sequence[tinker.Datum]", settings: Settings, number: int, steps: int
) -> _Step:
    from tinker import types

    batch = data[(number - 1) * settings.batch_size : number * settings.batch_size]
    rate = learning_rate_at(settings, number, steps)
    forward_backward = client.forward_backward(list(batch), "cross_entropy")
    optim = client.optim_step(types.AdamParams(learning_rate=rate))
    return _Step(number, rate, batch, forward_backward, optim)


def _finish(step: _Step, done: Sequence[Mapping[str, Any]], started: float, reporter: Reporter) -> dict[str, Any]:
    """Await a step's results and word them as a line of ``metrics.jsonl``."""
    output = awaited(step.forward_backward, reporter)
    awaited(step.optim, reporter)
    weighted = sum(int((datum.loss_fn_inputs["weights"].to_numpy() != 0).sum()) for datum in step.batch)
    elapsed = time.monotonic() - started
    return {
        "step": step.number,
        "examples": (done[-1]["examples"] if done else 0) + len(step.batch),
        "loss": output.metrics["loss:sum"] / max(weighted, 1),
        "learning_rate": step.learning_rate,
        "tokens": sum(datum.model_input.length for datum in step.batch),
        "completion_tokens": weighted,
        "seconds": elapsed - (done[-1]["elapsed"] if done else 0.0),
        "elapsed": elapsed,
    }


def _summary(metrics: Sequence[Mapping[str, Any]], seconds: float) -> Training:
    tail = metrics[-max(1, len(metrics) // 10) :]
    tokens = sum(m["tokens"] for m in metrics)
    return Training(
        examples=metrics[-1]["examples"],
        steps=len(metrics),
        first_loss=metrics[0]["loss"],
        final_loss=sum(m["loss"] for m in tail) / len(tail),
        seconds=seconds,
        tokens=tokens,
        completion_tokens=sum(m["completion_tokens"] for m in metrics),
        tokens_per_second=tokens / seconds,
    )
