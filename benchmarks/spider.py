"""Spider's schemas as CREATE TABLE statements, from the ``tables.json`` of a checkout."""

from pathlib import Path
from typing import Any

from figures import quoted, read_json

_TYPES = {"number": "INTEGER"}


def schemas(folder: Path, *, keys: bool) -> dict[str, str]:
    """Each database's schema, in the form of the exercise's data (INTEGER or VARCHAR), with or without its keys."""
    return {record["db_id"]: _schema(record, keys) for record in read_json(folder / "tables.json")}


def _schema(record: dict[str, Any], keys: bool) -> str:
    columns, tables = record["column_names_original"], record["table_names_original"]
    lines: list[list[str]] = [[] for _ in tables]
    for (table, column), kind in zip(columns, record["column_types"], strict=True):
        if table >= 0:
            lines[table].append(f"{quoted(column)} {_TYPES.get(kind, 'VARCHAR')}")
    if keys:
        for key in record["primary_keys"]:
            members = key if isinstance(key, list) else [key]
            names = ", ".join(quoted(columns[member][1]) for member in members)
            lines[columns[members[0]][0]].append(f"PRIMARY KEY ({names})")
        for child, parent in record["foreign_keys"]:
            target = f"{quoted(tables[columns[parent][0]])} ({quoted(columns[parent][1])})"
            lines[columns[child][0]].append(f"FOREIGN KEY ({quoted(columns[child][1])}) REFERENCES {target}")
    return "; ".join(
        f"CREATE TABLE {quoted(table)} ({', '.join(content)})"
        for table, content in zip(tables, lines, strict=True)
        if not table.lower().startswith("sqlite_")  # SQLite's own, which nobody may create
    )
