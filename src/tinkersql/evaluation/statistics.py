"""Intervals and tests for counts of right answers."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, sqrt
from typing import Any

from scipy.optimize import brentq
from scipy.stats import binomtest, norm
from scipy.stats import t as student

Z95 = 1.959964
"""The 97.5 % point of the standard normal distribution."""


def wilson(matches: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion (Wilson, JASA 1927); (0, 1) when nothing was measured."""
    return _score_interval(matches / n, n) if n else (0.0, 1.0)


def _score_interval(rate: float, n: float) -> tuple[float, float]:
    """Wilson's interval for a rate that was measured on ``n`` questions, or on as good as ``n``."""
    centre, spread = rate + Z95**2 / (2 * n), Z95 * sqrt(rate * (1 - rate) / n + Z95**2 / (4 * n**2))
    low, high = (end / (1 + Z95**2 / n) for end in (centre - spread, centre + spread))
    return (low if rate > 0 else 0.0), (high if rate < 1 else 1.0)


@dataclass(frozen=True, slots=True)
class Clustered:
    """A 95 % interval for questions that come in clusters, such as several on one schema.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        clusters: How many there are.
        design_effect: How many times as many questions give the precision of unrelated ones; at least 1.
    """

    low: float
    high: float
    clusters: int
    design_effect: float


def clustered(right: Sequence[bool], clusters: Sequence[Hashable]) -> Clustered:
    """Wilson's interval with the effective number of questions; the plain one where no two share a cluster.

    With m_i questions in cluster i, x_i of them right, k clusters and p = Σx_i / n, the variance of the ratio
    estimator is k/(k - 1) · Σ(x_i - p·m_i)² / n² (Cochran, Sampling Techniques, 1977, chapter 3, proportions in
    cluster sampling). Over p(1 - p)/(n - 1), that of unrelated questions, it is the design effect. The effective number
    of questions is n over it, times (t_{n-1} / t_{k-1})² for the few degrees of freedom of few clusters (Korn and
    Graubard, Survey Methodology 1998), and goes into Wilson's interval (compared with others by Dean and Pagano,
    Journal of Survey Statistics and Methodology 2015).

    Where all answers are right, or all wrong, nothing tells how alike the questions of a cluster are: then a cluster
    counts as one question.

    Raises:
        ValueError: The lengths differ.
    """
    n, sizes, hits = len(right), Counter(clusters), Counter(c for c, hit in zip(clusters, right, strict=True) if hit)
    k, matches = len(sizes), sum(right)
    if n == 0:
        return Clustered(0.0, 1.0, 0, 1.0)
    rate = matches / n
    if matches in (0, n) or k == 1:
        return Clustered(*_score_interval(rate, k), k, n / k)
    residuals = sum((hits[cluster] - rate * size) ** 2 for cluster, size in sizes.items())
    variance = k / (k - 1) * residuals / n**2
    few = (student.ppf(0.975, k - 1) / student.ppf(0.975, n - 1)) ** 2
    effect = float(max(1.0, few * variance / (rate * (1 - rate) / (n - 1))))
    return Clustered(*_score_interval(rate, n / effect), k, effect)


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


def questions_needed(difference: float, discordance: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """How many questions a paired comparison needs to find a difference of two rates by McNemar's test.

    n = (z_{1-alpha/2}·√ψ + z_power·√(ψ - δ²))² / δ² for a difference δ and a share ψ of questions on which the two
    models disagree (Connor, Biometrics 1987).

    Args:
        difference: Of the rates, between 0 and 1; the sign does not matter.
        discordance: Share of questions that one model answers rightly and the other does not; at least the difference.
        power: Probability to find it.
        alpha: Level of the two-sided test.

    Raises:
        ValueError: No difference, or one that is larger than the discordance allows.
    """
    size = abs(difference)
    if not 0 < size <= discordance <= 1:
        raise ValueError(f"a difference of {difference} does not go with a discordance of {discordance}")
    return ceil(_connor(size, discordance, power, alpha) - 1e-9)


def detectable_difference(n: int, discordance: float, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The smallest difference of two rates that ``n`` questions find, as in `questions_needed`.

    None where even the largest difference that the discordance allows would be missed too often.
    """
    if not 0 < discordance <= 1 or n < 1 or _connor(discordance, discordance, power, alpha) > n:
        return None
    return float(brentq(lambda size: _connor(size, discordance, power, alpha) - n, 1e-9, discordance))  # pyright: ignore[reportArgumentType]


def _connor(size: float, discordance: float, power: float, alpha: float) -> float:
    level, chance = float(norm.ppf(1 - alpha / 2)), float(norm.ppf(power))
    return (level * sqrt(discordance) + chance * sqrt(discordance - size**2)) ** 2 / size**2


def counted(matches: int, n: int) -> dict[str, Any]:
    """``n``, ``matches``, ``rate`` and the Wilson interval ``low``, ``high``."""
    low, high = wilson(matches, n)
    return {"n": n, "matches": matches, "rate": matches / n if n else 0.0, "low": low, "high": high}


def tally(right: Sequence[bool], clusters: Sequence[Hashable] | None = None) -> dict[str, Any]:
    """The answers, `counted`.

    Args:
        right: Whether each answer is right.
        clusters: What each question's cluster is, such as its tables; with it comes ``clustered``, a `Clustered`.
    """
    found = counted(sum(right), len(right))
    return found if clusters is None else {**found, "clustered": asdict(clustered(right, clusters))}


def interval(figures: Mapping[str, Any]) -> tuple[float, float]:
    """The interval of a `tally` that a reader is shown: the clustered one where questions share a cluster."""
    wider = figures.get("clustered")
    shown = wider if wider and wider["clusters"] < figures["n"] else figures
    return shown["low"], shown["high"]
