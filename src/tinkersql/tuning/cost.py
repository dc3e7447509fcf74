"""What a training will take, before it starts: tokens, steps, time where it is measured, money where it is charged."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinkersql.backend import Backend
from tinkersql.console import Reporter
from tinkersql.console import confirm as ask
from tinkersql.settings import BackendKind, Settings
from tinkersql.tuning.loop import Training
from tinkersql.tuning.objectives import Row
from tinkersql.tuning.plan import TIMED_STEPS, Plan
from tinkersql.tuning.prices import load_prices

if TYPE_CHECKING:
    import tinker

USD_LIMIT = 1.0
"""What may be spent without being asked."""

CALIBRATION_SECONDS = 10.0
"""How long the speed of training is measured."""

CALIBRATION_STEPS = 3
"""The fewest steps that are measured. One more goes before them: it warms the server up, and does not count."""

CALIBRATION_BATCH = 16
"""The most examples of a measured step: of a larger batch a part is enough, and its steps would take minutes."""


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do.

    Attributes:
        steps: Optimizer steps.
        train_tokens: Input tokens of all datums.
        prefill_tokens: Tokens of all prompts of evaluations and validations.
        sample_tokens: Tokens of all answers, if each were as long as it may be.
        validation_tokens: Input tokens of all forward passes of validations.
    """

    steps: int
    train_tokens: int
    prefill_tokens: int = 0
    sample_tokens: int = 0
    validation_tokens: int = 0

    def part(self, share: float) -> "Work":
        """The same of a training that ends after this share of its steps; what evaluations ask stays."""
        return replace(
            self,
            steps=math.ceil(share * self.steps),
            train_tokens=math.ceil(share * self.train_tokens),
            validation_tokens=math.ceil(share * self.validation_tokens),
        )


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the work will take.

    Attributes:
        kind: Whose service it is.
        work: What there is to do.
        seconds: Of the training; None where it has not been measured.
        usd: At most, for everything; None where no price is known, and on this machine.
        basis: What the figures rest on, in one line.
    """

    kind: BackendKind
    work: Work
    seconds: float | None
    usd: float | None
    basis: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def __str__(self) -> str:
        work = self.work
        parts = [f"{work.train_tokens:,} training tokens in {work.steps:,} steps"]
        if work.validation_tokens:
            parts.append(f"{work.validation_tokens:,} tokens of validation")
        if work.prefill_tokens:
            parts.append(f"{work.prefill_tokens:,} tokens of prompts")
            parts.append(f"at most {work.sample_tokens:,} of answers")
        if self.seconds is not None:
            parts.append(f"about {_duration(self.seconds)} of training")
        if self.usd is not None:
            parts.append(f"at most ${self.usd:.2f}")
        return f"{', '.join(parts)} ({self.basis})"


@dataclass(frozen=True, slots=True)
class Consent:
    """What a user has agreed to beforehand.

    Attributes:
        usd: May be spent without being asked; None for any sum.
        yes: All else is agreed to.
        prices: The user's own price table.
    """

    usd: float | None = USD_LIMIT
    yes: bool = False
    prices: Path | None = None


def expect(
    backend: Backend,
    plan: Plan,
    consent: Consent,
    reporter: Reporter,
    prompts: Sequence[int] = (),
    max_tokens: int = 0,
    held_out: "Sequence[tinker.Datum]" = (),
    done: int = 0,
    elapsed: float = 0.0,
) -> Estimate:
    """Estimate, show, and ask where it is more than the user has agreed to.

    The arguments are those of `work_of` and `estimate`.

    Raises:
        SettingsError: It must be asked, and there is no terminal; or a price table cannot be read.
        Interrupted: The user does not agree.
    """
    found = estimate(backend, work_of(plan, prompts, max_tokens, held_out, done), plan, consent.prices, elapsed)
    reporter.say(f"  Expected: {found}")
    confirm(found, consent)
    return found


def work_of(
    plan: Plan,
    prompts: Sequence[int] = (),
    max_tokens: int = 0,
    held_out: "Sequence[tinker.Datum]" = (),
    done: int = 0,
) -> Work:
    """Count what a plan and the evaluations around it amount to; minutes count as all that the data holds.

    Args:
        plan: Of the training.
        prompts: Length in tokens of each prompt that will be answered, once for each time it is.
        max_tokens: The longest answer.
        held_out: What each validation reads; the first ``validation_questions`` are asked as well.
        done: Steps of an earlier sitting, which are not taken again.
    """
    steps = plan.steps or -(-plan.examples // plan.settings.batch_size)
    datums = [datum for step in range(done + 1, steps + 1) for datum in plan.batch(step)]
    if plan.settings.objective == "rl":
        work = _work_of_reinforcement(plan.settings, datums, steps - done)
    else:
        work = Work(steps - done, train_tokens=sum(datum.model_input.length for datum in datums))
    every = plan.settings.validate_every
    count = -(-steps // every) - done // every if held_out and every else 0  # the last step is validated, too
    questions = held_out[: plan.settings.validation_questions]
    return replace(
        work,
        prefill_tokens=work.prefill_tokens + sum(prompts) + count * _prompt_tokens(questions),
        sample_tokens=work.sample_tokens
        + len(prompts) * max_tokens
        + count * len(questions) * plan.settings.max_tokens,
        validation_tokens=count * sum(datum.model_input.length for datum in held_out),
    )


def _work_of_reinforcement(settings: Settings, datums: "Sequence[tinker.Datum]", steps: int) -> Work:
    """At most, with answers as long as they may be: a group for each question, of which the start reads one again."""
    longest, group = settings.max_tokens, settings.group_size
    prompts = _prompt_tokens(datums)
    answers = len(datums) * longest
    return Work(steps, group * (prompts + answers), 2 * prompts + answers, group * answers)


def _prompt_tokens(datums: "Sequence[tinker.Datum]") -> int:
    """Tokens of the prompts alone: those whose successor has no weight, and the last one before the completion."""
    return sum(1 + int((datum.loss_fn_inputs["weights"].to_numpy() == 0).sum()) for datum in datums)


def estimate(backend: Backend, work: Work, plan: Plan, prices: Path | None = None, elapsed: float = 0.0) -> Estimate:
    """Say what the work will take: on the embedded server by trying, elsewhere by the price table.

    A budget in minutes bounds what has been measured; elsewhere nobody knows how many steps they are.

    Args:
        backend: Whom the training will run on.
        work: What `work_of` counted.
        plan: Of the training.
        prices: The user's own table, over the others.
        elapsed: Seconds of the steps that are done, which count against a budget in minutes.

    Raises:
        SettingsError: A price table cannot be read.
        BackendError: The embedded server fails.
    """
    settings = plan.settings
    earlier = f"; at most, for {settings.minutes:g} minutes may end it earlier" if plan.steps is None else ""
    if backend.kind == "embedded" and settings.objective == "rl":
        basis = f"what sampling and judging take is seen after the first step{earlier}"
        return Estimate(backend.kind, work, None, None, basis)
    if backend.kind == "embedded":
        if not work.steps:
            return Estimate(backend.kind, work, 0.0, None, "nothing is left to train")
        # A session of its own, so that the throwaway adapter is freed with it.
        with backend.service() as service:
            client = service.create_lora_training_client(
                backend.model,
                rank=settings.rank,
                train_unembed=settings.train_unembed,
                user_metadata={"purpose": "calibration"},
            ).result()
            speed, tried = calibrate(client, plan.datums, min(settings.batch_size, CALIBRATION_BATCH), work.steps)
        basis = f"{speed:.0f} tokens/s, measured in {tried} steps"
        seconds = work.train_tokens / speed
        if plan.steps is None:
            # The timed steps are taken in any case.
            share = min(1.0, max((settings.minutes * 60 - elapsed) / seconds, TIMED_STEPS / work.steps))
            work, seconds = work.part(share), share * seconds
        return Estimate(backend.kind, work, seconds, None, basis)
    price = load_prices(prices).get(backend.model)
    if price is None:
        unknown = f"price of {backend.model} unknown: --prices FILE tells it{earlier}"
        return Estimate(backend.kind, work, None, None, unknown)
    # A forward pass costs at most what one with a gradient does.
    usd = price.of(work.train_tokens + work.validation_tokens, work.prefill_tokens, work.sample_tokens)
    return Estimate(backend.kind, work, None, usd, f"prices of {price.origin}{earlier}")


def calibrate(
    client: "tinker.TrainingClient", data: "Sequence[tinker.Datum]", batch_size: int, planned: int
) -> tuple[float, int]:
    """Measure how fast a throwaway client trains on batches from all over ``data``.

    As in the training itself, the next step is submitted before the last is awaited. It takes at least
    `CALIBRATION_STEPS`, and else `CALIBRATION_SECONDS` or a tenth of the ``planned`` steps, whichever ends first.

    Returns:
        Input tokens per second, and the steps that were measured.
    """
    batches = _spread(data, batch_size)
    waiting = _submit(client, next(batches))
    started: float | None = None
    tokens = steps = 0
    while True:
        following = _submit(client, next(batches))
        count = _finish(waiting)
        now, waiting = time.monotonic(), following
        if started is None:
            started = now
            continue
        tokens, steps = tokens + count, steps + 1
        seconds = now - started
        if steps >= CALIBRATION_STEPS and (seconds >= CALIBRATION_SECONDS or steps >= planned // 10):
            break
    _finish(waiting)
    return tokens / seconds, steps


def confirm(estimate: Estimate, consent: Consent) -> None:
    """Ask before work that costs more than the user has agreed to, or an unknown sum on hosted Tinker.

    Raises:
        SettingsError: It must be asked, and there is no terminal; names ``--yes``.
        Interrupted: The user does not agree.
    """
    if not consent.yes and (reason := _reason_to_ask(estimate, consent.usd)):
        ask(f"{reason}: {estimate}", "--yes")


def _reason_to_ask(estimate: Estimate, usd: float | None) -> str:
    if usd is not None and estimate.usd is not None and estimate.usd > usd:
        return f"more than ${usd:.2f}"
    if usd is not None and estimate.usd is None and estimate.kind == "tinker":
        return "an unknown sum"
    return ""


def compare(estimate: Estimate, training: Training, done: Sequence[Row] = ()) -> dict[str, Any]:
    """The estimate beside what the training took, for ``result.json``.

    Args:
        estimate: What was expected.
        training: What came of it, all sittings together.
        done: The steps of earlier sittings, which the estimate left out.

    Returns:
        ``estimated``, ``seconds``, ``tokens``, ``error`` (the relative difference of the seconds; None where none were
        estimated, or no step was left to take) and a sentence, ``summary``.
    """
    seconds = training.seconds - (done[-1]["elapsed"] if done else 0.0)
    tokens = training.tokens - sum(row["tokens"] for row in done)
    error = None
    if not estimate.seconds:
        summary = f"estimated {estimate.work.train_tokens:,} training tokens, took {tokens:,}"
    else:
        error = seconds / estimate.seconds - 1
        change = f"{abs(error):.0%} {'more' if error >= 0 else 'less'}"
        summary = f"estimated {_duration(estimate.seconds)}, took {_duration(seconds)}: {change}"
    return {
        "estimated": estimate.to_dict(),
        "seconds": seconds,
        "tokens": tokens,
        "error": error,
        "summary": summary,
    }


def _spread(data: "Sequence[tinker.Datum]", batch_size: int) -> "Iterator[list[tinker.Datum]]":
    """Batches of examples that lie far apart, without end: data may be sorted by anything."""
    count = min(batch_size, len(data))
    stride = len(data) // count
    offset = 0
    while True:
        yield [data[(offset + i * stride) % len(data)] for i in range(count)]
        offset += 1


def _submit(client: "tinker.TrainingClient", batch: "list[tinker.Datum]") -> tuple[Any, Any, int]:
    from tinker import types

    passed = client.forward_backward(batch, "cross_entropy")
    stepped = client.optim_step(types.AdamParams(learning_rate=1e-6))  # any rate takes the same time
    return passed, stepped, sum(datum.model_input.length for datum in batch)


def _finish(submitted: tuple[Any, Any, int]) -> int:
    """Await a step; returns its tokens."""
    passed, stepped, tokens = submitted
    passed.result()
    stepped.result()
    return tokens


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
