"""What an answer is worth to reinforcement learning: the judge's verdict as a number."""

from dataclasses import dataclass
from enum import IntEnum

from tinkersql.equivalence import Comparison, Verdict, looks_like_sql
from tinkersql.errors import SettingsError


class Outcome(IntEnum):
    """How far an answer gets, in order."""

    NOT_SQL = 0
    """There is no statement in it, or one that no parser takes for a query."""
    COMPILES = 1
    """It parses as a query, and does not run on the schema, or has to be stopped."""
    RUNS = 2
    """It runs and differs from the gold, or nothing could be shown about it."""
    MATCH = 3
    """It means the same as the gold."""


def outcome_of(comparison: Comparison) -> Outcome | None:
    """How far an answer has got; None where the gold cannot be used, so that nothing is known."""
    match comparison.verdict:
        case Verdict.GOLD_ERROR:
            return None
        case Verdict.MATCH:
            return Outcome.MATCH
        case Verdict.DIFFERENT | Verdict.UNDECIDED:
            return Outcome.RUNS
        case _:
            return Outcome.COMPILES if looks_like_sql(comparison.predicted) else Outcome.NOT_SQL


@dataclass(frozen=True, slots=True)
class Rewards:
    """A number for each outcome.

    Only a match is what we want, so all else together earns little. ``runs`` is a tenth of it: enough to prefer answers
    that run in a group without any match, and so little that ``SELECT 1``, which always runs, is no goal: one match
    in ten answers is worth as much. ``compiles`` is half of that, a step on the way from prose to a query that runs.

    Attributes:
        match: Of an answer that means the same as the gold.
        runs: Of a query that runs and differs, or about which nothing could be shown.
        compiles: Of a query that does not run on the schema.
        error: Of all else, and of every answer that was cut off at the token limit: a right statement with endless
            words behind it would otherwise earn the full reward, and answers would grow.

    Raises:
        SettingsError: They are not in the order error <= compiles <= runs < match.
    """

    match: float = 1.0
    runs: float = 0.1
    compiles: float = 0.05
    error: float = 0.0

    def __post_init__(self) -> None:
        if not self.error <= self.compiles <= self.runs < self.match:
            raise SettingsError(
                f"rewards error={self.error}, compiles={self.compiles}, runs={self.runs}, match={self.match}: "
                "give error <= compiles <= runs < match"
            )

    def of(self, outcome: Outcome, cut_off: bool = False) -> float:
        """The reward of an answer; ``cut_off`` when it met the token limit."""
        return self.error if cut_off else (self.error, self.compiles, self.runs, self.match)[outcome]
