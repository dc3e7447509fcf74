"""Making drawn rows obey the keys that hold, and telling whether a database does."""

from collections.abc import Callable
from functools import lru_cache

from tinkersql.equivalence.chance import Chance
from tinkersql.equivalence.functions import Value
from tinkersql.equivalence.keys import ColumnName, Keys
from tinkersql.equivalence.schema import Schema
from tinkersql.equivalence.witnesses import Row

Content = dict[str, list[Row]]
"""A database in the making: rows by lower-case table name, each with a value for every column."""
Instance = dict[str, list[tuple]]
"""A database: rows by lower-case table name, a value for every column in the order of declaration."""


@lru_cache(maxsize=4096)
def folded(value: Value) -> str | None:
    """How two values are told apart as keys: as text, because a reference may be of another type than its target."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).lower()


def fresh_key(taken: set[str | None], spare: list[Value], like: Value) -> Value:
    """A key that is not taken: from the spare values, or else a new one of the same type."""
    found = next((value for value in spare if folded(value) not in taken), None)
    number = len(taken)
    while found is None or folded(found) in taken:
        found = 100 + number if isinstance(like, int | float) else f"{like}{number}"
        number += 1
    return found


def unique_keys(rows: list[Row], key: str, asked: set[str | None], spare: list[Value], random: Chance) -> list[Row]:
    """Rows with a key each of its own; of rows that ask for the same key, mostly only the first is kept."""
    used: set[str | None] = set()
    kept: list[Row] = []
    spare = [value for value in spare if folded(value) not in asked]
    random.shuffle(spare)
    for row in rows:
        if folded(row[key]) in used:
            if folded(row[key]) in asked and random.random() < 0.7:
                continue
            row[key] = fresh_key(used | asked, spare, row[key])
        used.add(folded(row[key]))
        kept.append(row)
    return kept


def mend_references(content: Content, keys: Keys, random: Chance, draw: Callable[[ColumnName], Value]) -> None:
    """Give every dangling reference another target, or the parent row that it lacks."""
    for _ in range(3):
        added = False
        for (child, column), (parent, target) in keys.references.items():
            present = {folded(row[target]): row[target] for row in content[parent]}
            for row in content[child]:
                value = row[column]
                if value is None or folded(value) in present:
                    continue
                if present and random.random() < 0.4:
                    row[column] = random.choice(list(present.values()))
                    continue
                new: Row = {name: draw((parent, name)) for name in keys.columns[parent]}
                new[target] = present[folded(value)] = value
                content[parent].append(new)
                added = True
        if not added:
            return


def drop_violations(content: Content, keys: Keys) -> None:
    """Take away the rows that repeat a unique value or still refer to nothing."""
    for name, sets in keys.unique.items():
        for names in sets:
            seen: set[tuple] = set()
            kept = []
            for row in content[name]:
                value = tuple(folded(row[column]) for column in names)
                if value not in seen or None in value:
                    seen.add(value)
                    kept.append(row)
            content[name] = kept
    changed = True
    while changed:
        changed = False
        for (child, column), (parent, target) in keys.references.items():
            present = {folded(row[target]) for row in content[parent]} | {None}
            kept = [row for row in content[child] if folded(row[column]) in present]
            changed |= len(kept) != len(content[child])
            content[child] = kept


def obeys(instance: Instance, schema: Schema, keys: Keys) -> bool:
    """Whether a database meets the unique keys and the references."""

    def values(name: str, column: str) -> list[str | None]:
        place = keys.columns[name].index(column)
        return [folded(row[place]) for row in instance.get(name, ())]

    for name in schema.tables:
        for names in keys.unique[name]:
            found = [
                value for value in zip(*(values(name, column) for column in names), strict=True) if None not in value
            ]
            if len(found) != len(set(found)):
                return False
    return all(set(values(*child)) <= {*values(*parent), None} for child, parent in keys.references.items())
