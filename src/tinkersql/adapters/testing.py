"""An assertion for test suites: two queries mean the same, or the failure shows a database on which they do not."""

from collections.abc import Sequence

from tinkersql.adapters.explanation import explanation
from tinkersql.equivalence import Assumptions, Comparison, compare


def assert_same_query(
    schema: str,
    gold: str | Sequence[str],
    predicted: str,
    *,
    assumptions: Assumptions = Assumptions.HEADLINE,
) -> Comparison:
    """Fail unless the prediction means the same as the gold.

    Passing promises that no difference was found under ``assumptions`` on databases that made the gold return
    something; it is a proof only where the returned reason says "the same query". Failing with ``different`` is
    certain: the message holds a database, as SQL to paste into ``sqlite3``, and both results. Any other verdict fails
    too, ``undecided`` and an unusable gold included, because nothing was shown. Same input, same outcome, anywhere.

    Args:
        schema: CREATE TABLE statements.
        gold: the right query, or several acceptable ones: a match with any of them passes.
        predicted: SQL, or a model's raw answer that holds it.
        assumptions: what the databases may hold.

    Returns:
        The comparison, for tests that also look at its notes.

    Raises:
        AssertionError: the verdict is not ``match``; the message is bounded in size.
    """
    __tracebackhide__ = True  # pytest then shows the caller's line
    answer = compare(schema, gold, predicted, assumptions=assumptions)
    if not answer.matches:
        raise AssertionError(explanation(answer, gold))
    return answer
