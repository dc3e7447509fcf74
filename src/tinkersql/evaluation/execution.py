"""Does a query run on its schema at all? The judge's sandbox tells, and no gold is needed for it."""

from collections.abc import Iterable, Iterator

from tinkersql.equivalence import Verdict, compare_many

_ANY_GOLD = "SELECT 1"
"""Runs on every schema, and has databases at once; only whether the other query fails is looked at."""
_FAILURES = (Verdict.PREDICTION_ERROR, Verdict.PREDICTION_OVER_BUDGET, Verdict.GOLD_ERROR)


def errors_of(answers: Iterable[tuple[str, str]], workers: int) -> Iterator[str | None]:
    """For each schema with a model's raw answer: what the database has against the query, or None where it runs.

    An answer without SQL, and one whose schema cannot be read, has an error, too; it is one line.
    """
    for comparison in compare_many(((schema, _ANY_GOLD, text) for schema, text in answers), workers):
        failed = comparison.verdict in _FAILURES
        # "the prediction does not run: no such column: x": what follows on the first colon is the database's own.
        yield (comparison.reason.partition(": ")[2] or comparison.reason) if failed else None
