"""Choose among several answers of a model to one question: the one that most of the others mean, too.

Self-consistency (Wang et al., ICLR 2023), where agreement is not that of texts but the judge's: two queries agree when
they return the same on the databases made for them. No gold takes part.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations

from tinkersql.console import Reporter
from tinkersql.equivalence import compare_many, extract_sql
from tinkersql.evaluation.execution import errors_of


@dataclass(frozen=True, slots=True)
class Ballot:
    """How the answers to one question agree.

    Attributes:
        winner: Index of the answer that was chosen.
        classes: How many answers each class of equal ones has, the largest first; those that do not run are in none.
    """

    winner: int
    classes: tuple[int, ...]


def elect(
    schemas: Sequence[str], answers: Sequence[Sequence[str]], workers: int, reporter: Reporter, label: str
) -> list[Ballot]:
    """Choose one of the raw answers to each question.

    Answers that do not run on the schema are out. The others form classes, from the most frequent query to the rarest:
    each joins the first class whose first query it matches, or opens its own. The largest class wins, of equally
    large ones that with the earliest answer; where no answer runs, the first one is returned.

    Args:
        schemas: Of each question.
        answers: To each question, at least one.
        workers: Processes that compare queries.
        reporter: Shows the progress.
        label: What the progress bar calls this.
    """
    tried = [(schema, text) for schema, texts in zip(schemas, answers, strict=True) for text in texts]
    errors = iter(list(errors_of(tried, workers)))
    groups = [_by_sql([None if next(errors) else extract_sql(text) for text in texts]) for texts in answers]
    pairs = (
        (schema, one, other)
        for schema, queries in zip(schemas, groups, strict=True)
        for one, other in combinations(queries, 2)
    )
    verdicts = compare_many(pairs, workers)
    ballots: list[Ballot] = []
    with reporter.track(label, len(schemas), "questions") as advance:
        for queries in groups:
            agree = {pair for pair in combinations(queries, 2) if next(verdicts).matches}
            ballots.append(_ballot(queries, agree))
            advance()
    return ballots


def _by_sql(queries: Sequence[str | None]) -> dict[str, list[int]]:
    """The indices of the answers by their SQL; the most frequent first, then the earliest. None takes no part."""
    groups: dict[str, list[int]] = {}
    for index, sql in enumerate(queries):
        if sql is not None:
            groups.setdefault(sql, []).append(index)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[1][0])))


def _ballot(queries: Mapping[str, Sequence[int]], agree: Set[tuple[str, str]]) -> Ballot:
    """The classes of the queries, by the pairs that the judge found to match."""
    classes: dict[str, list[int]] = {}
    for sql, indices in queries.items():
        first = next((first for first in classes if (first, sql) in agree), sql)
        classes.setdefault(first, []).extend(indices)
    ranked = sorted(classes.values(), key=lambda indices: (-len(indices), min(indices)))
    return Ballot(min(ranked[0]) if ranked else 0, tuple(map(len, ranked)))
