"""Look for predictions that the judge wrongly accepts, on random databases that obey Spider's true keys.

    python benchmarks/second_opinion.py PAIRS_JSONL SPIDER_FOLDER [--limit N] [--databases N] [--json FILE]

Every pair that the judge accepts without a proof is run on databases that are drawn from Spider's own primary and
foreign keys and from the literals of both queries. Pairs with LIMIT are left out, because ties would need more care
than a second opinion should have. What is found is printed, for a person to decide: the judge infers keys from names,
and Spider's may be others.
"""

import argparse
import sqlite3
from pathlib import Path
from random import Random
from typing import Any

from evaluators import run
from figures import Pair, literals, quoted, rate, read_json, shown, stream, take, write
from rich.console import Console
from truth import bag
from witnesses import judged

MOST_ROWS = 7
Column = int
"""A column's place in ``column_names_original``."""


class KeyedDatabases:
    """Random databases of one Spider schema, restricted to the tables that two queries may need.

    Args:
        record: the schema's record in ``tables.json``.
        text: both queries.
    """

    def __init__(self, record: dict[str, Any], text: str):
        self._names, self._columns = record["table_names_original"], record["column_names_original"]
        self._kinds, self._parents = record["column_types"], dict(record["foreign_keys"])
        single = {key for key in record["primary_keys"] if isinstance(key, int)}
        composite = [tuple(key) for key in record["primary_keys"] if isinstance(key, list)]
        self._keys = [(key,) for key in sorted(single | set(self._parents.values()))] + composite
        mentioned = text.lower()
        self._order = self._by_reference({i for i, name in enumerate(self._names) if name.lower() in mentioned})
        words, self._numbers = literals(text)
        self._words = [*words, *(word.replace("%", "") for word in words), *map(str, self._numbers)]

    def draw(self, random: Random) -> sqlite3.Connection:
        """One database; text ignores letter case, nothing is NULL."""
        connection = sqlite3.connect(":memory:")
        variety = random.choice((2, 4, 20))
        content: dict[Column, list] = {}
        for table in self._order:
            columns = [c for c, (owner, _) in enumerate(self._columns) if owner == table]
            rows = self._rows(columns, content, random, variety)
            content |= {column: [row[column] for row in rows] for column in columns}
            kinds = (f"{'INTEGER' if self._kinds[c] == 'number' else 'VARCHAR'} COLLATE NOCASE" for c in columns)
            names = (quoted(self._columns[c][1]) for c in columns)
            declared = ", ".join(" ".join(pair) for pair in zip(names, kinds, strict=True))
            connection.execute(f"CREATE TABLE {quoted(self._names[table])} ({declared})")
            marks = ", ".join("?" * len(columns))
            values = [[row[column] for column in columns] for row in rows]
            connection.executemany(f"INSERT INTO {quoted(self._names[table])} VALUES ({marks})", values)
        return connection

    def _by_reference(self, tables: set[int]) -> list[int]:
        """The tables and all that they refer to, parents first where references form no circle."""
        links = {(self._columns[child][0], self._columns[parent][0]) for child, parent in self._parents.items()}
        while added := {parent for child, parent in links if child in tables} - tables:
            tables |= added
        order: list[int] = []
        while left := sorted(tables - set(order)):
            ready = [t for t in left if all(p in order or p == t for c, p in links if c == t)]
            order += ready or left[:1]
        return order

    def _rows(self, columns: list[Column], content: dict, random: Random, variety: int) -> list[dict[Column, Any]]:
        """Rows whose references point at something and whose keys do not repeat."""
        rows: list[dict[Column, Any]] = []
        keys = [key for key in self._keys if key[0] in columns]
        for number in range(random.randint(0, MOST_ROWS)):
            row: dict[Column, Any] = {}
            for column in columns:
                parents = content.get(self._parents.get(column, -1))
                if parents == []:
                    return rows
                row[column] = random.choice(parents) if parents else self._value(column, random, variety)
            for key in keys:
                taken = any(all(row[c] == other[c] for c in key) for other in rows)
                if taken and len(key) == 1 and key[0] not in self._parents:
                    row[key[0]] = 100 + number if self._kinds[key[0]] == "number" else f"key {number}"
            if not any(all(row[c] == other[c] for c in key) for key in keys for other in rows):
                rows.append(row)
        return rows

    def _value(self, column: Column, random: Random, variety: int) -> Any:
        if self._kinds[column] == "number":
            near = self._numbers and random.random() < 0.5
            return random.choice(self._numbers) + random.choice((-1, 0, 1)) if near else random.randint(1, variety)
        near = self._words and random.random() < 0.6
        return random.choice(self._words) if near else f"value {random.randint(1, variety)}"


def refuted(pair: Pair, record: dict[str, Any], databases: int) -> sqlite3.Connection | None:
    """A database on which the two queries return other rows; None when none is found or the gold does not run."""
    source = KeyedDatabases(record, f"{pair['gold']} {pair['predicted']}")
    for seed in range(databases):
        connection = source.draw(Random(seed))
        gold, predicted = run(connection, pair["gold"]), run(connection, pair["predicted"])
        if gold is None:
            return None
        if predicted is None or bag(gold) != bag(predicted):
            return connection
        connection.close()
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, help="JSONL with schema, gold, predicted and db")
    parser.add_argument("spider", type=Path, help="Spider's folder, with tables.json")
    parser.add_argument("--limit", type=int, help="only the first N pairs")
    parser.add_argument("--databases", type=int, default=120, help="databases for each pair")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures, and no pairs, to this file")
    options = parser.parse_args()
    console = Console(highlight=False, markup=False, width=140)
    records = {record["db_id"]: record for record in read_json(options.spider / "tables.json")}
    usable = (p for p in stream(options.pairs) if "limit" not in (p["gold"] + p["predicted"]).lower())
    total = asked = wrong = 0
    for pair, answer, _ in judged(take(usable, options.limit), options.workers):
        total += 1
        if not answer.matches or answer.reason.startswith("the same query") or pair["db"] not in records:
            continue
        asked += 1
        if database := refuted(pair, records[pair["db"]], options.databases):
            wrong += 1
            console.print(f"{pair['db']}\n  gold      {pair['gold']}\n  predicted {pair['predicted']}", soft_wrap=True)
            inserts = [line for line in database.iterdump() if line.startswith("INSERT")]
            console.print("\n".join(inserts[:20]), soft_wrap=True)
    figures = {"pairs": total, "accepted_without_proof": asked, "refuted": rate(wrong, asked)}
    console.print(
        f"{total} pairs, {asked} accepted without proof; refuted by a keyed database: {shown(figures['refuted'])}"
    )
    write(options.json, figures)


if __name__ == "__main__":
    main()
