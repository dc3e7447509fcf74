"""The schema that an example shows: what its query needs, and columns and tables that it does not."""

import random
import re
from dataclasses import dataclass

from tinkersql.corpus.generate.domain import Column, Domain, Link, Role, Table
from tinkersql.corpus.generate.scene import Draft

SPARE_COLUMNS = (0, 1, 2, 2, 3, 3, 4, 5)
WHOLE_TABLES = 0.4  # the share of schemas that show every column, in the order in which the domain has them
KEY_SHOWN = 0.6  # the share of other tables that show their key even where no query needs it
SPARE_TABLES = (0, 0, 0, 1, 1, 1, 2, 2)  # with too few of them, a model joins whatever tables it sees
DECLARED_KEYS = 0.3  # the share of schemas that say which columns are keys
TEXT_TYPES = ("VARCHAR", "VARCHAR", "VARCHAR", "TEXT", "TEXT")
WHOLE_TYPES = ("INTEGER", "INTEGER", "INTEGER", "INTEGER", "INT")
REAL_TYPES = ("REAL", "REAL", "REAL", "FLOAT", "NUMERIC")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one schema is written: its names of types, and whether it declares keys, in columns or after them."""

    types: dict[str, str]
    keys: bool
    inline: bool

    @classmethod
    def draw(cls, rng: random.Random) -> "Dialect":
        """One way of writing."""
        text, whole, real = rng.choice(TEXT_TYPES), rng.choice(WHOLE_TYPES), rng.choice(REAL_TYPES)
        types = {"VARCHAR": text, "INTEGER": whole, "REAL": real, "DATE": rng.choice(("DATE", "DATE", text))}
        return cls(types, rng.random() < DECLARED_KEYS, rng.random() < 0.3)

    def type_of(self, column: Column) -> str:
        """The column's type in this schema."""
        return self.types["DATE" if column.role is Role.DATE else column.type]


def show(rng: random.Random, domain: Domain, draft: Draft, neighbour: Domain) -> str:
    """``CREATE TABLE`` statements for a draft's query, in random order and joined by ``; ``.

    A table is shown whole, or with the columns that some gold names and up to five spare ones, shuffled. In most
    schemas other tables stand beside them: the domain's own, and behind these the neighbour's, if their names are other
    ones. Some schemas declare their primary and foreign keys.
    """
    others = [table for table in domain.tables if table not in draft.tables]
    taken = {word for table in domain.tables for word in (table.name.lower(), table.noun)}
    strangers = [table for table in neighbour.tables if not taken & {table.name.lower(), table.noun}]
    rng.shuffle(others)
    rng.shuffle(strangers)
    tables = [*draft.tables, *(others + strangers)[: rng.choice(SPARE_TABLES)]]
    dialect = Dialect.draw(rng)
    if rng.random() < WHOLE_TABLES:
        columns = {table.name: list(table.columns) for table in tables}
    else:
        columns = {table.name: _columns(rng, table, _needed(table, draft)) for table in tables}
    statements = [_create(table, columns, domain.links, dialect) for table in tables]
    rng.shuffle(statements)
    return "; ".join(statements)


def _columns(rng: random.Random, table: Table, needed: list[Column]) -> list[Column]:
    spare = [column for column in table.columns if column not in needed]
    number = max(rng.choice(SPARE_COLUMNS), 2 - len(needed))
    shown = needed + rng.sample(spare, min(number, len(spare)))
    if number and table.key and table.key not in shown and rng.random() < KEY_SHOWN:
        shown.append(table.key)
    rng.shuffle(shown)
    if rng.random() < 0.7:  # most schemas begin with the key
        shown.sort(key=lambda column: column is not table.key)
    return shown


def _create(table: Table, columns: dict[str, list[Column]], links: tuple[Link, ...], dialect: Dialect) -> str:
    shown = columns[table.name]
    lines = {column.name: f"{column.name} {dialect.type_of(column)}" for column in shown}
    last: list[str] = []
    if dialect.keys:
        if table.key and table.key in shown:
            lines[table.key.name] += " PRIMARY KEY"
        for link in links:
            parent_columns = [column.name for column in columns.get(link.parent, [])]
            if link.child == table.name and link.column in lines and link.key in parent_columns:
                reference = f"REFERENCES {link.parent}({link.key})"
                if dialect.inline:
                    lines[link.column] += f" {reference}"
                else:
                    last.append(f"FOREIGN KEY ({link.column}) {reference}")
    return f"CREATE TABLE {table.name} ({', '.join([*lines.values(), *last])})"


def _needed(table: Table, draft: Draft) -> list[Column]:
    """The table's columns that a gold names, plainly or after the table's alias."""
    if table not in draft.tables:
        return []
    alias = f"T{draft.tables.index(table) + 1}"
    code = re.sub(r'"[^"]*"', "", " ".join(draft.golds))
    named = set(re.findall(rf"\b{alias}\.(\w+)|(?<!\.)\b(\w+)\b(?!\.)", code))
    return [column for column in table.columns if (column.name, "") in named or ("", column.name) in named]
