"""Which of several trainings goes on: the loss on held-out examples, how sure a difference is, and who is out.

At a quarter and at half of the budget the worse half of the trainings is looked at (successive halving: Jamieson and
Talwalkar, AISTATS 2016; as part of Hyperband: Li et al., JMLR 2018). Of this half only those stop whose loss is worse
than the best one's beyond doubt: rates that are still high make a training look worse in the middle than at its end.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scipy.stats import t as student

from tinkersql.console import Silent
from tinkersql.errors import RunError
from tinkersql.runs import RunFolder
from tinkersql.settings import Settings
from tinkersql.tuning.loop import Row
from tinkersql.tuning.plan import Leg, legs_of
from tinkersql.waiting import awaited

if TYPE_CHECKING:
    import tinker

RUNGS = (1 / 4, 1 / 2, 1.0)
"""The parts of the budget after which all trainings are measured; the last ends them."""
LAST = len(RUNGS) - 1
AXES = ("learning_rate", "batch_size", "recipe", "seed")
"""The settings in which the trainings of a sweep differ."""
DIVERGED_STEPS, DIVERGED_FACTOR = 5, 3.0
"""A mean of at most so many steps that is so many times the first step's loss: batches differ, but not that much."""

_LOSSES = "held-out-losses.jsonl"
_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Measure:
    """What a training has reached at a rung, or where it diverged.

    Attributes:
        rung: Its place in `RUNGS`.
        step: Steps taken.
        tokens: Input tokens trained on.
        nll: Negative log-likelihood of each held-out completion, in nats; none of a training that diverged.
        diverged: In which way; empty if it did not.
    """

    rung: int
    step: int
    tokens: int
    nll: tuple[float, ...] = ()
    diverged: str = ""


@dataclass(slots=True)
class Cell:
    """One training of a sweep.

    Attributes:
        folder: A run folder like any other.
        settings: Of the training.
        leg: What its plan has: steps and examples.
        measures: By rung, as far as it came.
    """

    folder: RunFolder
    settings: Settings
    leg: Leg
    measures: dict[int, Measure] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: RunFolder) -> "Cell":
        """Read what earlier sittings have left.

        Raises:
            RunError: A file is missing or damaged.
        """
        try:
            [leg, *_] = legs_of(folder.read_json("plan.json"))
            rows = folder.rows(_LOSSES)
            measures = {row["rung"]: Measure(**{**row, "nll": tuple(row["nll"])}) for row in rows}
        except (OSError, ValueError, KeyError, TypeError):
            raise RunError(f"{folder.path}: damaged, so this sweep cannot go on; start a new one") from None
        folder.write_rows(_LOSSES, rows)  # without a line that was cut short
        return cls(folder, folder.read_settings(), leg, measures)

    @property
    def key(self) -> str:
        """The name of its folder."""
        return self.folder.path.name

    @property
    def diverged(self) -> str:
        """In which way; empty if it did not."""
        return next((measure.diverged for measure in self.measures.values() if measure.diverged), "")

    @property
    def ended(self) -> bool:
        """Whether it has taken all its steps and saved the end."""
        return any(row["kind"] == "final" for row in self.folder.rows("checkpoints.jsonl"))

    def step_at(self, rung: int) -> int:
        """The step at which a rung is reached."""
        return math.ceil(RUNGS[rung] * (self.leg.steps or 0))

    def examples_at(self, step: int) -> int:
        """How many examples have been seen after a step."""
        return min(step * self.settings.batch_size, self.leg.examples)

    def note(self, measure: Measure) -> None:
        """Keep what was measured, also beyond this process."""
        self.folder.append(
            _LOSSES,
            {
                "rung": measure.rung,
                "step": measure.step,
                "tokens": measure.tokens,
                "nll": list(measure.nll),
                "diverged": measure.diverged,
            },
        )
        self.measures[measure.rung] = measure


@dataclass(frozen=True)
class HeldOut:
    """Examples that no training sees, as Datums."""

    datums: "Sequence[tinker.Datum]"

    @cached_property
    def lengths(self) -> list[int]:
        """Completion tokens of each."""
        return [int((_weights(datum) != 0).sum()) for datum in self.datums]

    @property
    def prompts(self) -> list[int]:
        """Prompt tokens of each; a Datum's input leaves out the last token of the completion."""
        return [datum.model_input.length + 1 - length for datum, length in zip(self.datums, self.lengths, strict=True)]

    def measure(self, client: "tinker.TrainingClient") -> tuple[float, ...]:
        """The negative log-likelihood of each completion, in nats."""
        outputs = awaited(client.forward(list(self.datums), "cross_entropy"), Silent()).loss_fn_outputs
        return tuple(
            -float(_weights(datum) @ output["logprobs"].to_numpy().astype(float))
            for datum, output in zip(self.datums, outputs, strict=True)
        )

    def loss(self, nll: Sequence[float]) -> float:
        """Nats per completion token."""
        return sum(nll) / sum(self.lengths)


@dataclass(frozen=True, slots=True)
class Gap:
    """By how much one loss per token is larger than another, with an interval."""

    difference: float
    low: float
    high: float


def gap(nll: Sequence[float], best: Sequence[float], lengths: Sequence[int], rivals: int = 2) -> Gap:
    """Compare two losses on the same examples.

    The difference per token is a ratio, Σd_i / Σm_i over examples of m_i tokens; its variance is
    n/(n - 1) · Σ(d_i - D·m_i)² / (Σm_i)² (Cochran, Sampling Techniques, 1977, chapter 6), its interval Student's with
    n - 1 degrees of freedom. The intervals of all pairs of rivals have a level of 95 % together (Bonferroni): the best
    is the best by the same losses, so to compare with it is to have compared all.

    Args:
        nll: Of each example, at least two.
        best: The same for the other training.
        lengths: Completion tokens of each example.
        rivals: How many trainings the best is chosen from.
    """
    n, total = len(lengths), sum(lengths)
    differences = [one - other for one, other in zip(nll, best, strict=True)]
    mean = sum(differences) / total
    squares = sum((d - mean * length) ** 2 for d, length in zip(differences, lengths, strict=True))
    error = math.sqrt(n / (n - 1) * squares) / total
    spread = float(student.ppf(1 - _LEVEL / 2 / math.comb(rivals, 2), n - 1)) * error
    return Gap(mean, mean - spread, mean + spread)


def clear_losers(nll: Mapping[str, Sequence[float]], lengths: Sequence[int]) -> dict[str, Gap]:
    """Who is out: of the worse half, rounded down, those that are behind the best by more than chance explains.

    Args:
        nll: Of each held-out example, by training.
        lengths: Completion tokens of each example.
    """
    order = sorted(nll, key=lambda key: sum(nll[key]))
    gaps = {key: gap(nll[key], nll[order[0]], lengths, len(order)) for key in order[-(-len(order) // 2) :]}
    return {key: each for key, each in gaps.items() if each.low > 0}


def divergence(metrics: Sequence[Row]) -> str:
    """In which way a training has diverged, by its steps so far; empty if it has not."""
    losses = [row["loss"] for row in metrics]
    if losses and not math.isfinite(losses[-1]):
        return f"the loss of step {len(losses)} is not finite"
    if recent := losses[1:][-DIVERGED_STEPS:]:
        mean = sum(recent) / len(recent)
        if mean > DIVERGED_FACTOR * losses[0]:
            return f"the loss rose from {losses[0]:.3g} to {mean:.3g}"
    return ""


def _weights(datum: "tinker.Datum") -> Any:
    return datum.loss_fn_inputs["weights"].to_numpy()
