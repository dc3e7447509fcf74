"""Rows that repeat each other: the same golds again, or others that mean something else."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from tinkersql.corpus.quality.causes import CONTRADICTION, DUPLICATE, Finding
from tinkersql.corpus.quality.rows import Row
from tinkersql.equivalence import Comparison, Pair, Verdict
from tinkersql.equivalence.schema import SchemaError, read_schema

Golds = Sequence[Row]
"""All golds of one row."""
Compare = Callable[[Iterable[Pair]], Iterable[Comparison]]
"""The judge."""


def duplicates(groups: Iterable[Sequence[Golds]]) -> Iterator[Finding]:
    """Rows with the golds of an earlier row of their group, but for blanks and the case of keywords and names."""
    for group in groups:
        first: dict[frozenset[tuple[str, ...]], int] = {}
        for golds in group:
            number = golds[0].number
            kept = first.setdefault(_texts(golds), number)
            if kept != number:
                yield Finding(number, DUPLICATE, f"as row {kept}")


def contradictions(groups: Iterable[Sequence[Golds]], compare: Compare) -> Iterator[Finding]:
    """All rows of a group in which the judge tells the golds of two apart: nobody can tell which of them is right."""
    suspects = [group for group in groups if len(set(map(_texts, group))) > 1]
    pairs = [
        (first[0].schema, tuple(gold.gold for gold in first), gold.gold)
        for first, *others in suspects
        for other in others
        for gold in other
    ]
    answers = iter(compare(pairs))
    for first, *others in suspects:
        verdicts = [{next(answers).verdict for _ in other} for other in others]
        if {Verdict.DIFFERENT} in verdicts:
            against = others[verdicts.index({Verdict.DIFFERENT})]
            for golds in (first, *others):
                [shown, *_] = against if golds is not against else first
                yield Finding(golds[0].number, CONTRADICTION, f"against row {shown.number}: {shown.gold}")


def repeated(rows: Iterable[Golds]) -> list[list[Golds]]:
    """The groups of two or more rows with one question and one schema, whatever the case and the order of columns."""
    by_question: defaultdict[str, list[Golds]] = defaultdict(list)
    for golds in rows:
        by_question[_question(golds[0].question)].append(golds)
    groups: defaultdict[tuple, list[Golds]] = defaultdict(list)
    for question, same in by_question.items():
        for golds in same if len(same) > 1 else ():
            groups[question, _schema(golds[0].schema)].append(golds)
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


def _texts(golds: Golds) -> frozenset[tuple[str, ...]]:
    """The tokens of each gold; the case of values counts."""
    return frozenset(tuple(token.word or token.text for token in row.tokens) for row in golds)
