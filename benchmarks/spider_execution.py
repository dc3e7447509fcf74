"""Execution on Spider's own databases: the real rows, loaded into the judge's sandbox, answer both queries."""

import re
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from figures import quoted, read_json
from spider import schemas

from tinkersql.corpus import Example
from tinkersql.equivalence.results import normal_rows
from tinkersql.equivalence.sandbox import Budget, OverBudgetError, QueryError, Sandbox
from tinkersql.equivalence.schema import Schema, read_schema

BUDGET = {"steps": 200_000_000, "seconds": 10.0}
"""Of one query; real tables have thousands of rows."""
_TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
_PLAIN = re.compile(r'"([A-Za-z_]\w*)"')
"""Quotes around a name that needs none: people write schemas without."""


@dataclass
class RealDatabases:
    """The databases of a checkout of Spider, each loaded when it is first asked for."""

    folder: Path
    _open: dict[str, Sandbox | None] = field(default_factory=dict)

    def examples(self, *, part: str = "dev") -> list[Example]:
        """The questions of a part, with full schemas and the database's name as domain, whose gold returns rows.

        A gold that returns nothing would accept every query that returns nothing, so it is left out.
        """
        shown = schemas(self.folder, keys=True)
        found = [
            Example(row["question"], _PLAIN.sub(r"\1", shown[row["db_id"]]), (row["query"],), domain=row["db_id"])
            for row in read_json(self.folder / f"{part}.json")
        ]
        return [example for example in found if self.rows(example.domain, example.gold)]

    def agree(self, example: Example, predicted: str) -> bool:
        """Whether both return the same rows: in the same order where the gold orders, else as a bag."""
        gold = self.rows(example.domain, example.gold)
        answer = self.rows(example.domain, predicted) if predicted else None
        if gold is None or answer is None:
            return False
        wanted, given = normal_rows(gold, ignore_case=False), normal_rows(answer, ignore_case=False)
        return wanted == given if "order by" in example.gold.lower() else Counter(wanted) == Counter(given)

    def rows(self, name: str, sql: str) -> list[tuple] | None:
        """What a query returns; None where it fails or the database is missing or empty."""
        if name not in self._open:
            self._open[name] = self._load(name)
        sandbox = self._open[name]
        try:
            return sandbox.run(sql, Budget(**BUDGET)).rows if sandbox else None
        except (QueryError, OverBudgetError):
            return None

    def _load(self, name: str) -> Sandbox | None:
        path = self.folder / "database" / name / f"{name}.sqlite"
        if not path.is_file():
            return None
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        try:
            tables = dict(connection.execute(_TABLES).fetchall())
            schema: Schema = read_schema("; ".join(tables.values()))
            rows = {name.lower(): connection.execute(f"SELECT * FROM {quoted(name)}").fetchall() for name in tables}
            if not any(rows.values()):
                return None
            sandbox = Sandbox(schema)
            sandbox.load(rows)
            return sandbox
        finally:
            connection.close()
