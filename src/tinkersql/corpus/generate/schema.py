"""The schema that an example shows: what its query needs, and columns and tables that it does not."""

import random
import re

from tinkersql.corpus.generate.domain import Column, Domain, Table
from tinkersql.corpus.generate.scene import Draft

SPARE_COLUMNS = (0, 1, 2, 2, 3, 3, 4, 5)
SPARE_TABLE = 0.25


def show(rng: random.Random, domain: Domain, draft: Draft) -> str:
    """``CREATE TABLE`` statements for a draft's query, in random order and joined by ``; ``.

    Each table has the columns that some gold names, up to five spare ones, and at least two, shuffled; now and then
    another table of the domain stands beside them.
    """
    tables = list(draft.tables)
    others = [table for table in domain.tables if table not in tables]
    if others and rng.random() < SPARE_TABLE:
        tables.append(rng.choice(others))
    statements = [_create(rng, table, _needed(table, draft)) for table in tables]
    rng.shuffle(statements)
    return "; ".join(statements)


def _create(rng: random.Random, table: Table, needed: list[Column]) -> str:
    spare = [column for column in table.columns if column not in needed]
    number = max(rng.choice(SPARE_COLUMNS), 2 - len(needed))
    shown = needed + rng.sample(spare, min(number, len(spare)))
    rng.shuffle(shown)
    return f"CREATE TABLE {table.name} ({', '.join(f'{column.name} {column.type}' for column in shown)})"


def _needed(table: Table, draft: Draft) -> list[Column]:
    """The table's columns that a gold names, plainly or after the table's alias."""
    if table not in draft.tables:
        return []
    alias = f"T{draft.tables.index(table) + 1}"
    code = re.sub(r'"[^"]*"', "", " ".join(draft.golds))
    named = set(re.findall(rf"\b{alias}\.(\w+)|(?<!\.)\b(\w+)\b(?!\.)", code))
    return [column for column in table.columns if (column.name, "") in named or ("", column.name) in named]
