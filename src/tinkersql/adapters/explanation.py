"""A comparison as text for a person: the verdict, the database that tells the two queries apart, and both results."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from rich.cells import cell_len, set_cell_size

from tinkersql.equivalence import Assumptions, Comparison, Table, Verdict, Witness
from tinkersql.equivalence.results import normal_rows
from tinkersql.equivalence.verdicts import Adequacy

MAX_ROWS = 20
"""Lines of the table of results; rows that differ come first."""
MAX_COLUMNS = 8
"""Columns shown of each result."""
MAX_CELL = 24
"""Terminal cells that one value may take."""
MAX_SCRIPT = 6_000
"""Characters shown of a witness's database."""
MAX_QUERY = 1_500
"""Characters shown of a query."""
_MAX_GOLDS = 3
_ENDS = (";", "\n;", "\n*/;")
"""What ends a statement: as usual, after a comment that would swallow the semicolon, after a comment left open."""
_MAX_LINE = 500

Row = Sequence[Any]


def explanation(answer: Comparison, gold: str | Sequence[str]) -> str:
    """The comparison in some dozen lines, bounded in size whatever the queries hold, and safe to print on a terminal.

    The SQL can be pasted into ``sqlite3`` as it stands; with a witness it shows the difference. Below it stand both
    results side by side: ``-`` marks a row that only the gold returns, ``+`` one that only the prediction returns.
    Where both return the same rows, the two mark the places at which the order differs. Where nothing differs, the
    last line says how telling the databases were.

    Args:
        answer: what ``compare`` said.
        gold: the gold or golds that it was asked about.
    """
    golds = [gold] if isinstance(gold, str) else list(gold)
    parts = [f"{answer.verdict}: {_line(answer.reason)}"]
    if answer.witness is not None:
        parts += [_script(answer.witness, len(golds)), _results(answer.witness, answer.assumptions)]
    else:
        queries = [("gold", text) for text in golds[:_MAX_GOLDS]] + [("predicted", answer.predicted)]
        parts.append("\n".join(_query(label, sql) for label, sql in queries))
    last = [*(f"note: {_line(note)}" for note in answer.notes), f"assumptions: {answer.assumptions}"]
    if answer.verdict in (Verdict.MATCH, Verdict.UNDECIDED) and answer.adequacy is not None:
        last.append(_certificate(answer.adequacy))
    parts.append("\n".join(last))
    return "\n\n".join(parts)


def _certificate(adequacy: Adequacy) -> str:
    """How much agreement says: which wrong versions of the gold its databases tell from it."""
    total = adequacy.killed + len(adequacy.alive)
    if total == 0:
        return "certificate: there is no wrong version of the gold to tell apart"
    alive = f" (alive: {', '.join(sorted(set(adequacy.alive)))})" if adequacy.alive else ""
    return f"certificate: {adequacy.killed} of {total} wrong versions of the gold told apart{alive}"


def _script(witness: Witness, golds: int) -> str:
    """The database and both queries as they were run."""
    label = "gold" if golds == 1 else f"gold, one of {golds} that are acceptable"
    return "\n".join(
        [
            "-- a database on which they differ",
            _cut(witness.script.rstrip(), MAX_SCRIPT),
            _query(label, witness.gold_sql),
            _query("predicted", witness.predicted_sql),
        ]
    )


def _query(label: str, sql: str) -> str:
    text = _cut(sql.strip().rstrip(";"), MAX_QUERY)
    if not text.strip():
        return f"-- {label}: no SQL"
    end = next((end for end in _ENDS if sqlite3.complete_statement(text + end)), ";")
    return f"-- {label}\n{text}{end}"


def _results(witness: Witness, assumptions: Assumptions) -> str:
    gold, predicted = witness.gold_result, witness.predicted_result
    lines = _aligned(gold.rows, predicted.rows, assumptions)
    shown = lines[:MAX_ROWS]
    left = _column("gold", gold, [row for _, row, _ in shown])
    right = _column("predicted", predicted, [row for _, _, row in shown])
    marks = ["  ", "  ", "  ", *(mark for mark, _, _ in shown)]
    text = [f"{mark} {one} | {other}".rstrip() for mark, one, other in zip(marks, left, right, strict=True)]
    if len(lines) > len(shown):
        text.append(f"   ... {len(lines) - len(shown)} more")
    return "\n".join(text)


def _aligned(
    gold: Sequence[Row], predicted: Sequence[Row], assumptions: Assumptions
) -> list[tuple[str, Row | None, Row | None]]:
    """(mark, gold row, predicted row) for each line; values are taken for equal as the judge takes them."""
    ignore_case = assumptions is Assumptions.NO_NULLS
    one, other = (normal_rows([tuple(row) for row in rows], ignore_case) for rows in (gold, predicted))
    if Counter(one) == Counter(other):  # only the order can differ
        marks = ["  " if a == b else "-+" for a, b in zip(one, other, strict=True)]
        return list(zip(marks, gold, predicted, strict=True))
    free: dict[tuple, list[Row]] = {}
    for key, row in zip(other, predicted, strict=True):
        free.setdefault(key, []).append(row)
    common: list[tuple[str, Row | None, Row | None]] = []
    missing: list[Row] = []
    for key, row in zip(one, gold, strict=True):
        if free.get(key):
            common.append(("  ", row, free[key].pop(0)))
        else:
            missing.append(row)
    extra = [row for rows in free.values() for row in rows]
    differing = [
        ((" " if a is None else "-") + (" " if b is None else "+"), a, b) for a, b in zip_longest(missing, extra)
    ]
    return [*differing, *common]


def _column(title: str, result: Table, rows: Sequence[Row | None]) -> list[str]:
    """One side of the table, all lines of one width: title, names, a rule and the rows, blank where there is none."""
    more = len(result.columns) > MAX_COLUMNS
    head = [_escaped(name) for name in result.columns[:MAX_COLUMNS]] + ["..."] * more
    body = [None if row is None else [_cell(value) for value in row[:MAX_COLUMNS]] + ["..."] * more for row in rows]
    filled = [head, *(row for row in body if row is not None)]
    widths = [min(MAX_CELL, max(cell_len(row[place]) for row in filled)) for place in range(len(head))]
    blank = [""] * len(head)
    lines = ["  ".join(map(_fitted, row or blank, widths)) for row in [head, *body]]
    if not result.rows:
        title += " (no rows)"
    width = max(cell_len(title), cell_len(lines[0]))
    return [set_cell_size(line, width) for line in [title, lines[0], "-" * width, *lines[1:]]]


def _fitted(cell: str, width: int) -> str:
    return set_cell_size(cell, width) if cell_len(cell) <= width else set_cell_size(cell, width - 1) + "…"


def _cell(value: object) -> str:
    """A value as SQL writes it, so that the number 1 and the text '1' look different."""
    if value is None:
        return "NULL"
    return f"'{_escaped(value)}'" if isinstance(value, str) else str(value)


def _escaped(text: str) -> str:
    text = text[: MAX_CELL + 1]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _line(text: str) -> str:
    return " ".join(_cut(text, _MAX_LINE).split())


def _cut(text: str, limit: int) -> str:
    """The text up to a limit, without the control characters that could take over a terminal."""
    kept = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text[:limit])
    return kept if len(text) <= limit else f"{kept}\n-- ... {len(text) - limit:,} more characters"
