"""Judge every pair of a file, and replay every witness from its text alone in plain SQLite.

    python benchmarks/witnesses.py FOLDER/unlabelled.jsonl [--limit N] [--workers N] [--json results/witnesses.json]

Also whether each witness obeys the headline's assumptions, how many rows the witnesses have over all their tables, the
verdicts, and the longest waits for an answer (pairs are judged in small batches, so a wait may be for several). Pairs
are streamed; memory stays constant.
"""

import argparse
import heapq
import sqlite3
import statistics
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

from figures import Pair, is_vacuous, quoted, rate, replays, shown, stream, take, witness_rows, write
from rich.console import Console

from tinkersql.equivalence import Assumptions, Verdict, Witness, compare_many
from tinkersql.equivalence.keys import find_keys
from tinkersql.equivalence.schema import read_schema

SLOWEST = 5


def breaches(schema: str, witness: Witness, assumptions: Assumptions = Assumptions.HEADLINE) -> list[str]:
    """Which of the assumptions the witness's database does not obey: keys, NULLs, letter case.

    Columns that the witness leaves out because no query needs them can be filled so that their keys hold.
    """
    columns = _columns(witness)
    keys = find_keys(read_schema(schema), assumptions)
    found = []
    for table, sets in keys.unique.items():
        for names in sets:
            values = [columns.get((table, name)) for name in names]
            if None not in values:
                rows = [row for row in zip(*values, strict=True) if None not in row]  # type: ignore[arg-type]
                if len(rows) != len(set(rows)):
                    found.append("repeated key")
    for child, parent in keys.references.items():
        if child in columns and parent in columns and not set(columns[child]) <= {*columns[parent], None}:
            found.append("dangling reference")
    if assumptions is not Assumptions.NO_NULLS:
        return found
    cells = [value for values in columns.values() for value in values]
    text = f"{witness.gold_sql} {witness.predicted_sql}".lower()
    if None in cells and not any(word in text for word in ("null", "coalesce")):
        found.append("NULL that no query asks for")
    return found


def _columns(witness: Witness) -> dict[tuple[str, str], list]:
    """The values of each (table, column) of the witness, both names in lower case; text in lower case as well."""
    connection = sqlite3.connect(":memory:")
    found: dict[tuple[str, str], list] = {}
    try:
        connection.executescript(witness.script)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            cursor = connection.execute(f"SELECT * FROM {quoted(table)}")
            rows = cursor.fetchall()
            for place, (name, *_) in enumerate(cursor.description):
                found[table.lower(), name.lower()] = [_folded(row[place]) for row in rows]
    finally:
        connection.close()
    return found


def _folded(value: object) -> object:
    """Numbers and their texts are one key, because a reference may be of another type than its target."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return None if value is None else str(value).lower()


def judged(pairs: Iterator[Pair], workers: int) -> Iterator[tuple]:
    """(pair, comparison, seconds since the answer before) in the order of the pairs."""
    waiting: deque[Pair] = deque()

    def asked() -> Iterator[tuple[str, str, str]]:
        for pair in pairs:
            waiting.append(pair)
            yield pair["schema"], pair["gold"], pair["predicted"]

    started = time.perf_counter()
    for answer in compare_many(asked(), workers):
        now = time.perf_counter()
        yield waiting.popleft(), answer, now - started
        started = now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, help="JSONL with schema, gold and predicted")
    parser.add_argument("--limit", type=int, help="only the first N pairs")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures, and no pairs, to this file")
    options = parser.parse_args()
    console = Console(highlight=False, markup=False, width=140)
    verdicts: Counter[str] = Counter()
    breached: Counter[str] = Counter()
    rows: list[int] = []
    slowest: list[tuple[float, int, str]] = []
    replayed = vacuous = 0
    started = time.perf_counter()
    for number, (pair, answer, took) in enumerate(judged(take(stream(options.pairs), options.limit), options.workers)):
        verdicts[str(answer.verdict)] += 1
        heapq.heappush(slowest, (took, number, pair["predicted"]))
        if len(slowest) > SLOWEST:
            heapq.heappop(slowest)
        if is_vacuous(answer):
            vacuous += 1
        if answer.verdict is not Verdict.DIFFERENT:
            continue
        good = answer.witness is not None and replays(answer.witness)
        replayed += good
        if not good:
            console.print(f"does not replay, pair {number}: {answer.reason}\n  {pair['gold']}\n  {pair['predicted']}")
        if answer.witness is not None:
            rows.append(witness_rows(answer.witness))
            for breach in breaches(pair["schema"], answer.witness):
                breached[breach] += 1
                console.print(f"breaches {breach}, pair {number}:\n  {pair['gold']}\n  {pair['predicted']}")
    total = sum(verdicts.values())
    figures = {
        "command": f"python benchmarks/witnesses.py FOLDER/{options.pairs.name}",
        "verdicts": dict(verdicts),
        "undecided": rate(verdicts[Verdict.UNDECIDED], total),
        "vacuous_accepts": vacuous,
        "witnesses_replayed": rate(replayed, verdicts[Verdict.DIFFERENT]),
        "witnesses_in_breach": dict(breached),
        "witness_rows": {
            "median": statistics.median(rows) if rows else None,
            "p90": sorted(rows)[int(len(rows) * 0.9)] if rows else None,
            "max": max(rows, default=None),
        },
        "workers": options.workers,
        "pairs_per_second": round(total / (time.perf_counter() - started), 1),
    }
    for key, value in figures.items():
        console.print(
            f"{key.replace('_', ' ')}: {shown(value) if isinstance(value, dict) and 'hits' in value else value}"
        )
    for took, number, predicted in sorted(slowest, reverse=True):
        console.print(f"waited {took:.2f} s for pair {number}: {' '.join(predicted.split())[:200]}")
    write(options.json, figures)


if __name__ == "__main__":
    main()
