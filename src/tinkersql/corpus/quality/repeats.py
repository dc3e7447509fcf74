"""Rows that repeat each other: the same gold again, or another one that means something else."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from tinkersql.corpus.quality.causes import CONTRADICTION, DUPLICATE, Finding
from tinkersql.corpus.quality.rows import Row
from tinkersql.equivalence import Comparison, Pair, Verdict
from tinkersql.equivalence.schema import SchemaError, read_schema

Compare = Callable[[Iterable[Pair]], Iterable[Comparison]]
"""The judge."""


def duplicates(groups: Iterable[Sequence[Row]]) -> Iterator[Finding]:
    """Rows whose gold is that of an earlier row of their group, but for blanks and the case of keywords and names."""
    for group in groups:
        first: dict[tuple[str, ...], int] = {}
        for row in group:
            kept = first.setdefault(_text(row), row.number)
            if kept != row.number:
                yield Finding(row.number, DUPLICATE, f"as row {kept}")


def contradictions(groups: Iterable[Sequence[Row]], compare: Compare) -> Iterator[Finding]:
    """All rows of a group in which the judge finds two golds that differ: nobody can tell which of them is right."""
    suspects = [group for group in groups if len({_text(row) for row in group}) > 1]
    pairs = [(group[0].schema, group[0].gold, row.gold) for group in suspects for row in group[1:]]
    answers = iter(compare(pairs))
    for group in suspects:
        verdicts = [next(answers).verdict for _ in group[1:]]
        if Verdict.DIFFERENT in verdicts:
            other = group[1 + verdicts.index(Verdict.DIFFERENT)]
            for row in group:
                against = other if row is not other else group[0]
                yield Finding(row.number, CONTRADICTION, f"against row {against.number}: {against.gold}")


def repeated(rows: Iterable[Row]) -> list[list[Row]]:
    """The groups of two or more rows with one question and one schema, whatever the case and the order of columns."""
    by_question: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_question[_question(row.question)].append(row)
    groups: defaultdict[tuple, list[Row]] = defaultdict(list)
    for question, same in by_question.items():
        for row in same if len(same) > 1 else ():
            groups[question, _schema(row.schema)].append(row)
    return [group for group in groups.values() if len(group) > 1]


def _question(text: str) -> str:
    return " ".join(re.findall(r"[^\s?.!]+", text.casefold()))


def _schema(text: str) -> frozenset:
    """What a schema declares, in no order."""
    try:
        tables = read_schema(text).tables
    except SchemaError:
        return frozenset([text])
    return frozenset(
        (name, frozenset((column.name.lower(), column.affinity) for column in table.columns))
        for name, table in tables.items()
    )


def _text(row: Row) -> tuple[str, ...]:
    """A gold's tokens; the case of values counts."""
    return tuple(token.word or token.text for token in row.tokens)
