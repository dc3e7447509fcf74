"""A scorer for inspect-ai: accuracy of generated SQL where there is a schema and no data.

Needs the extra: ``pip install 'tinkersql[inspect]'``.
"""

import textwrap

from tinkersql.adapters.explanation import explanation
from tinkersql.equivalence import Assumptions, Verdict, compare
from tinkersql.errors import DataError, TinkersqlError


class MissingPackageError(TinkersqlError, ImportError):
    """A package of an extra is not installed; names the command that installs it."""


try:
    from anyio import to_thread
    from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
    from inspect_ai.solver import TaskState
except ImportError as error:
    raise MissingPackageError(f"the scorer needs inspect-ai ({error}): run pip install 'tinkersql[inspect]'") from None


@scorer(metrics=[accuracy(), stderr()])
def sql_scorer(schema: str = "schema", assumptions: str = Assumptions.HEADLINE) -> Scorer:
    """Score a sample by whether the answer's first SQL statement means the same as the target.

    The sample's target is the right query, or a list of acceptable ones; its metadata holds CREATE TABLE statements.

    ``C`` is given for the verdict ``match`` alone: no difference was found under ``assumptions`` on databases that
    made the gold return something. It is a proof only where the explanation says "the same query". ``I`` is certain
    where the verdict is ``different``: the explanation holds a database that shows it. Answers without SQL, queries
    that do not run or had to be stopped, and ``undecided`` ones are ``I`` too.

    A gold that cannot be used says nothing about the model. Such a sample is left unscored, with the reason
    ``scoring_failed``: it stays in the log, and neither accuracy nor its error counts it. ``N`` would count as wrong.

    The score's metadata is the whole comparison, for ``Comparison.from_dict``. Judging runs in a thread, so that other
    samples go on.

    Args:
        schema: the key of the sample's metadata that holds the schema.
        assumptions: what the databases may hold: ``open_world``, ``inferred_keys`` or ``no_nulls``.

    Raises:
        DataError: a sample has no schema; the message names it.
    """
    step = Assumptions(assumptions)

    async def score(state: TaskState, target: Target) -> Score:
        tables = state.metadata.get(schema)
        if not isinstance(tables, str):
            raise DataError(f"sample {state.sample_id} has no text in metadata[{schema!r}]: put its schema there")
        golds = list(target)
        answer = await to_thread.run_sync(lambda: compare(tables, golds, state.output.completion, assumptions=step))
        # Indented, because the log viewer reads explanations as Markdown.
        said = textwrap.indent(explanation(answer, golds), "    ")
        if answer.verdict is Verdict.GOLD_ERROR:
            return Score.unscored(
                reason="scoring_failed", answer=answer.predicted, explanation=said, metadata=answer.to_dict()
            )
        value = CORRECT if answer.matches else INCORRECT
        return Score(value=value, answer=answer.predicted, explanation=said, metadata=answer.to_dict())

    return score
