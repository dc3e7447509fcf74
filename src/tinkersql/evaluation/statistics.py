"""Intervals and tests for counts of right answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from scipy.stats import binomtest

Z95 = 1.959964
"""The 97.5 % point of the standard normal distribution."""


def wilson(matches: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion (Wilson, JASA 1927); (0, 1) when nothing was measured."""
    if n == 0:
        return 0.0, 1.0
    interval = binomtest(matches, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same questions answered by two models.

    Attributes:
        both: Questions that both answer rightly.
        a_only: Questions that only the first answers rightly.
        b_only: Questions that only the second answers rightly.
        neither: Questions that both get wrong.
        p_value: Exact two-sided McNemar test that the two are equally good (McNemar, Psychometrika 1947).
        difference: Rate of the second minus rate of the first.
        low: Lower end of the difference's 95 % interval (Agresti and Min, Statistics in Medicine 2005).
        high: Its upper end.
    """

    both: int
    a_only: int
    b_only: int
    neither: int
    p_value: float
    difference: float
    low: float
    high: float


def compare_paired(a: Sequence[bool], b: Sequence[bool]) -> Comparison:
    """Compare two models on the same questions, in the same order.

    Raises:
        ValueError: The lengths differ, or there are no questions.
    """
    if len(a) != len(b) or not a:
        raise ValueError(f"paired comparison needs equally many questions, and at least one: {len(a)} and {len(b)}")
    both = sum(x and y for x, y in zip(a, b, strict=True))
    a_only, b_only = sum(a) - both, sum(b) - both
    n, discordant = len(a), a_only + b_only
    p_value = float(binomtest(a_only, discordant, 0.5).pvalue) if discordant else 1.0
    # Agresti and Min: the Wald interval after adding one half to each of the four cells.
    padded_n, gain = n + 2, b_only - a_only
    centre = gain / padded_n
    spread = Z95 * sqrt((discordant + 1) - gain**2 / padded_n) / padded_n
    return Comparison(
        both,
        a_only,
        b_only,
        n - both - discordant,
        p_value,
        gain / n,
        max(-1.0, centre - spread),
        min(1.0, centre + spread),
    )


def tally(right: Sequence[bool]) -> dict[str, Any]:
    """``n``, ``matches``, ``rate`` and the Wilson interval ``low``, ``high``."""
    n, matches = len(right), sum(right)
    low, high = wilson(matches, n)
    return {"n": n, "matches": matches, "rate": matches / n if n else 0.0, "low": low, "high": high}
