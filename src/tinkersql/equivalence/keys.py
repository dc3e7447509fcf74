"""Keys and references: those that the schema declares, and those that its names suggest."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from tinkersql.equivalence.schema import Schema, Table
from tinkersql.equivalence.verdicts import Assumptions

_KEY_SUFFIX = re.compile(r"_?(?:id|code|number|num|no|key)\Z")
ColumnName = tuple[str, str]
"""(table, column), both in lower case."""


@dataclass
class Keys:
    """What must hold in every database.

    Attributes:
        unique: for each table, the column sets whose values never repeat.
        references: a column whose values (other than NULL) all occur in another column.
        not_null: columns that never hold NULL.
        columns: for each table, its columns in the order of declaration.
    """

    unique: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    references: dict[ColumnName, ColumnName] = field(default_factory=dict)
    not_null: set[ColumnName] = field(default_factory=set)
    columns: dict[str, list[str]] = field(default_factory=dict)

    def key_of(self, table: str) -> str | None:
        """The table's single-column key, if it has one."""
        return next((names[0] for names in self.unique.get(table, ()) if len(names) == 1), None)


def find_keys(schema: Schema, assumptions: Assumptions) -> Keys:
    """The declared keys, and under any assumption but the open world the inferred ones as well."""
    keys = Keys()
    for name, table in schema.tables.items():
        keys.columns[name] = [column.name.lower() for column in table.columns]
        declared = [names for names in (table.primary_key, *table.unique) if names]
        keys.unique[name] = [names for names in declared if all(table.find(column) for column in names)]
        keys.not_null |= {(name, column) for column in table.primary_key}
        keys.not_null |= {(name, column.name.lower()) for column in table.columns if column.not_null}
        for column, target in table.foreign_keys.items():
            keys.references[name, column] = target
    if assumptions is Assumptions.OPEN_WORLD:
        return keys
    others = {_singular(name) for name in schema.tables}
    for name, table in schema.tables.items():
        key = None if keys.unique[name] else _key_by_name(table, others - {_singular(name)})
        if key is not None:
            keys.unique[name].append((key,))
            keys.not_null.add((name, key))
    for child, parent in _references_by_name(schema, keys):
        keys.references.setdefault(child, parent)
    return keys


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return name[:-3] + "y"
    if name.endswith(("sses", "shes", "ches", "xes")):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _stem(column: str) -> str | None:
    """What a column named like a key identifies: ``owner_id`` -> ``owner``; None when it is not named like one."""
    shortened = _KEY_SUFFIX.sub("", column)
    return shortened if shortened != column else None


def _key_by_name(table: Table, others: set[str]) -> str | None:
    """``id``; a column named after its table; or a first column named after the end of its name (``order_id`` in
    ``customer_orders``), or by its first letters (``stu_id`` in ``student``).

    Not so a first column named after another table (``concert_id`` in ``singer_in_concert`` beside ``concert``) or
    after the beginning of the name (``customer_id`` in ``customer_addresses``): it refers to something, and repeats.
    Nor a later column of a table that only links (``friend_id`` behind ``student_id`` in ``friend``).
    ``others`` holds the other tables' names in the singular.
    """
    if table.find("id") is not None:
        return "id"
    name = _singular(table.name.lower().strip("_ "))
    bare = name.replace("_", "")
    links_only = all(_stem(column.name.lower()) is not None for column in table.columns)
    for index, column in enumerate(table.columns):
        lowered = column.name.lower()
        stem = _stem(lowered)
        if stem is None:
            continue
        named_after = bare in (stem.replace("_", ""), _singular(stem).replace("_", ""))
        if named_after and not (index and links_only):
            return lowered
        if index or (stem and _singular(stem) in others):
            continue
        abbreviates = "_" not in name and len(stem) in (3, 4) and name.startswith(stem)
        if lowered == "code" or abbreviates or (stem and name.endswith("_" + stem)):
            return lowered
    return None


def _references_by_name(schema: Schema, keys: Keys) -> Iterable[tuple[ColumnName, ColumnName]]:
    """Columns named like another table's key, or like that table with the key's name behind it."""
    for parent in schema.tables:
        key = keys.key_of(parent)
        if key is None:
            continue
        singular = _singular(parent)
        names = {f"{singular}_{key}", f"{parent}_{key}", f"{singular}{key}", f"{singular}_id", f"{singular}id"}
        if key not in ("id", "code", "number", "no", "key"):
            names.add(key)
        for child, table in schema.tables.items():
            for column in table.columns:
                pair = (child, column.name.lower()), (parent, key)
                if column.name.lower() in names and _may_refer(*pair, keys):
                    yield pair


def _may_refer(child: ColumnName, parent: ColumnName, keys: Keys) -> bool:
    """A reference points from a column that is no key of its own table to another table's key."""
    return child[0] != parent[0] and keys.key_of(parent[0]) == parent[1] and keys.key_of(child[0]) != child[1]
