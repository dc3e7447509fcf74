"""Schemas as they are found in text-to-SQL data: CREATE TABLE statements, often malformed.

The reader is its own small one, because scraped schemas use reserved words as bare column names, declare a table
twice with different columns, or repeat a column; all of that must be read rather than refused.
"""

import re
from dataclasses import dataclass, field
from itertools import pairwise

from tinkersql.equivalence.lexing import Token, meaningful, unquote

_CONSTRAINTS = {"PRIMARY", "FOREIGN", "UNIQUE", "CHECK", "CONSTRAINT", "KEY", "INDEX", "EXCLUDE", "FULLTEXT", "SPATIAL"}
_MODIFIERS = {"TEMP", "TEMPORARY", "GLOBAL", "LOCAL", "UNLOGGED", "EXTERNAL", "OR", "REPLACE"}
_TYPE_ENDS = {
    *("PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "REFERENCES", "COLLATE", "CONSTRAINT", "GENERATED"),
    *("AUTOINCREMENT", "AUTO_INCREMENT", "COMMENT", "IDENTITY", "ON", "AS"),
}
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PLAIN_TYPE = re.compile(r"[A-Za-z_][\w ]*(?:\(\s*\d+\s*(?:,\s*\d+\s*)?\))?\Z")
MAX_TABLES, MAX_COLUMNS = 200, 200
MAX_LENGTH = 200_000
"""Characters; longer texts are refused, because reading them takes seconds."""


class SchemaError(ValueError):
    """The text declares no table that could be read; the message says so in one line."""


@dataclass
class Column:
    """One column: its name as declared, its declared type, and whether NULL is forbidden by declaration."""

    name: str
    type: str = ""
    not_null: bool = False

    @property
    def affinity(self) -> str:
        """SQLite's affinity of the declared type (https://www.sqlite.org/datatype3.html, section 3.1)."""
        declared = self.type.upper()
        if "INT" in declared:
            return "INTEGER"
        if any(part in declared for part in ("CHAR", "CLOB", "TEXT")):
            return "TEXT"
        if "BLOB" in declared or not declared:
            return "BLOB"
        return "REAL" if any(part in declared for part in ("REAL", "FLOA", "DOUB")) else "NUMERIC"

    @property
    def is_date(self) -> bool:
        """Whether the declared type speaks of dates or times."""
        return any(part in self.type.upper() for part in ("DATE", "TIME"))


@dataclass
class Table:
    """One table with its declared keys; ``foreign_keys`` maps a column to (table, column). All keys in lower case."""

    name: str
    columns: list[Column] = field(default_factory=list)
    primary_key: tuple[str, ...] = ()
    unique: list[tuple[str, ...]] = field(default_factory=list)
    foreign_keys: dict[str, tuple[str, str]] = field(default_factory=dict)

    def find(self, column: str) -> Column | None:
        """The column of that name, letter case ignored."""
        wanted = column.lower()
        return next((item for item in self.columns if item.name.lower() == wanted), None)


@dataclass
class Schema:
    """Tables by lower-case name, in the order of declaration."""

    tables: dict[str, Table]

    def ddl(self, nocase: bool = False) -> list[str]:
        """One CREATE TABLE statement for each table, without constraints.

        ``nocase`` lets text columns ignore ASCII case. Keys are left out on purpose: the instances decide which hold.
        """
        return [self._create(table, nocase) for table in self.tables.values()]

    @staticmethod
    def _create(table: Table, nocase: bool) -> str:
        collate = " COLLATE NOCASE" if nocase else ""
        columns = ", ".join(
            f"{quote_name(column.name)} {column.type}".rstrip() + (collate if column.affinity == "TEXT" else "")
            for column in table.columns
        )
        return f"CREATE TABLE {quote_name(table.name)} ({columns})"


def quote_name(name: str) -> str:
    """The name as it may stand in SQLite: bare where that is safe, else in double quotes."""
    if _PLAIN_NAME.match(name) and name.upper() not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def read_schema(text: str) -> Schema:
    """The tables that CREATE TABLE statements declare; a table declared twice has the columns of both.

    Other statements, views and SQLite's own tables (which dumps declare) are passed over.

    Raises:
        SchemaError: no table could be read.
    """
    if len(text) > MAX_LENGTH:
        raise SchemaError(f"the schema is longer than {MAX_LENGTH:,} characters")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise SchemaError("the schema holds characters that no text can hold (lone surrogates)")
    found = list(meaningful(text.replace("\0", "").replace("```sql", "").replace("```", "")))
    tables: dict[str, Table] = {}
    position = 0
    while position < len(found) and len(tables) < MAX_TABLES:
        if found[position].word != "CREATE":
            position += 1
            continue
        position, table = _read_create(found, position + 1)
        if table is None or not table.columns or table.name.lower().startswith("sqlite_"):
            continue
        merged = tables.setdefault(table.name.lower(), table)
        if merged is not table:
            merged.columns += [column for column in table.columns if merged.find(column.name) is None]
            merged.primary_key = merged.primary_key or table.primary_key
            merged.foreign_keys = {**table.foreign_keys, **merged.foreign_keys}
    if not tables:
        raise SchemaError("the schema declares no table: expected CREATE TABLE statements")
    _resolve_references(tables)
    return Schema(tables)


def _read_create(found: list[Token], position: int) -> tuple[int, Table | None]:
    """Read after CREATE; returns the position to go on from, and the table if it was one."""
    while position < len(found) and found[position].word in _MODIFIERS:
        position += 1
    if position >= len(found) or found[position].word != "TABLE":
        return position, None
    position += 1
    if [token.word for token in found[position : position + 3]] == ["IF", "NOT", "EXISTS"]:
        position += 3
    name: list[str] = []
    while position < len(found) and found[position].text not in ("(", ";"):
        token = found[position]
        if token.text == ".":
            name = []
        else:
            name.append(unquote(token.text))
        position += 1
    if position >= len(found) or found[position].text == ";" or not name:
        return position, None
    table = Table(" ".join(name))
    depth, item = 1, []
    position += 1
    while position < len(found) and depth:
        token = found[position]
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "mark" else 0
        if depth == 0 or (depth == 1 and token.kind == "mark" and token.text == ","):
            _read_item(table, item)
            item = []
        else:
            item.append(token)
        position += 1
    if depth and item:
        _read_item(table, item)
    return position, table


def _read_item(table: Table, item: list[Token]) -> None:
    """One entry between the commas: a column, or a constraint of the table."""
    if not item or len(table.columns) >= MAX_COLUMNS:
        return
    words = [token.word for token in item]
    if _is_constraint(item, words):
        _read_constraint(table, item, words)
        return
    # a bare name may hold any marks (2nd, w/l, win_%): it goes on to the first blank
    start = 1
    while item[0].kind != "quoted" and start < len(item) and item[start].start == item[start - 1].end:
        if item[start].text == "(":
            break
        start += 1
    name = "".join(token.text for token in item[:start]) if start > 1 else unquote(item[0].text)
    if table.find(name) is not None:
        return
    end = next((index for index, word in enumerate(words[start:], start) if word in _TYPE_ENDS), len(item))
    declared = _type([token for token in item[start:end] if token.word not in RESERVED])
    rest = words[end:]
    is_key = ("PRIMARY", "KEY") in set(pairwise(rest))
    table.columns.append(Column(name, declared, not_null=is_key or ("NOT", "NULL") in set(pairwise(rest))))
    if is_key:
        table.primary_key = (name.lower(),)
    elif "UNIQUE" in rest:
        table.unique.append((name.lower(),))
    if "REFERENCES" in rest:
        _read_reference(table, name.lower(), item[end + rest.index("REFERENCES") + 1 :])


def _is_constraint(item: list[Token], words: list[str]) -> bool:
    """Whether an entry that starts like a constraint is one, and not a column of that name."""
    if words[0] not in _CONSTRAINTS or len(item) < 3:
        return False
    if words[0] == "CONSTRAINT" or item[1].text == "(" or words[1] in ("KEY", "INDEX", "UNIQUE", "PRIMARY"):
        return True
    # KEY name (column), but not: key VARCHAR(10)
    indexed = item[2].text == "(" and len(item) > 3 and item[3].kind != "number"
    return "REFERENCES" in words or (words[0] in ("KEY", "INDEX", "UNIQUE") and indexed)


def _type(declared: list[Token]) -> str:
    """A type as it may stand in CREATE TABLE; what is inside its parentheses is kept only if it is a length."""
    text = re.sub(r" ?([(),]) ?", r"\1", " ".join(unquote(token.text) for token in declared)).strip()
    if _PLAIN_TYPE.match(text):
        return text
    text = text.split("(")[0].strip()
    return text if _PLAIN_TYPE.match(text) else ""


def _read_constraint(table: Table, item: list[Token], words: list[str]) -> None:
    names = _first_list(item)
    if "FOREIGN" in words and "REFERENCES" in words and names:
        target = item[words.index("REFERENCES") + 1 :]
        columns = _first_list(target) or [""] * len(names)
        for name, column in zip(names, columns, strict=False):
            table.foreign_keys[name.lower()] = (unquote(target[0].text).lower() if target else "", column.lower())
    elif "PRIMARY" in words and names:
        table.primary_key = tuple(name.lower() for name in names)
    elif "UNIQUE" in words and names:
        table.unique.append(tuple(name.lower() for name in names))


def _read_reference(table: Table, column: str, target: list[Token]) -> None:
    if target:
        columns = _first_list(target[:4])
        table.foreign_keys[column] = (unquote(target[0].text).lower(), columns[0].lower() if columns else "")


def _first_list(item: list[Token]) -> list[str]:
    """The names inside the first pair of parentheses."""
    texts = [token.text for token in item]
    if "(" not in texts:
        return []
    start = texts.index("(") + 1
    end = texts.index(")", start) if ")" in texts[start:] else len(texts)
    firsts = [item[index] for index in range(start, end) if index == start or texts[index - 1] == ","]
    return [unquote(token.text) for token in firsts if token.kind in ("word", "quoted", "string")]


def _resolve_references(tables: dict[str, Table]) -> None:
    """Drop references to unknown tables or columns; one that names no column means the target's primary key."""
    for table in tables.values():
        resolved = {}
        for column, (target_name, target_column) in table.foreign_keys.items():
            target = tables.get(target_name)
            if target is None or table.find(column) is None:
                continue
            if not target_column and len(target.primary_key) == 1:
                target_column = target.primary_key[0]
            if target.find(target_column) is not None:
                resolved[column] = (target_name, target_column)
        table.foreign_keys = resolved


RESERVED = frozenset(
    """ABORT ACTION ADD AFTER ALL ALTER ALWAYS ANALYZE AND AS ASC ATTACH AUTOINCREMENT BEFORE BEGIN BETWEEN BY CASCADE
    CASE CAST CHECK COLLATE COLUMN COMMIT CONFLICT CONSTRAINT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME
    CURRENT_TIMESTAMP DATABASE DEFAULT DEFERRABLE DEFERRED DELETE DESC DETACH DISTINCT DO DROP EACH ELSE END ESCAPE
    EXCEPT EXCLUDE EXCLUSIVE EXISTS EXPLAIN FAIL FILTER FIRST FOLLOWING FOR FOREIGN FROM FULL GENERATED GLOB GROUP
    GROUPS HAVING IF IGNORE IMMEDIATE IN INDEX INDEXED INITIALLY INNER INSERT INSTEAD INTERSECT INTO IS ISNULL JOIN
    KEY LAST LEFT LIKE LIMIT MATCH MATERIALIZED NATURAL NO NOT NOTHING NOTNULL NULL NULLS OF OFFSET ON OR ORDER OTHERS
    OUTER OVER PARTITION PLAN PRAGMA PRECEDING PRIMARY QUERY RAISE RANGE RECURSIVE REFERENCES REGEXP REINDEX RELEASE
    RENAME REPLACE RESTRICT RETURNING RIGHT ROLLBACK ROW ROWS SAVEPOINT SELECT SET TABLE TEMP TEMPORARY THEN TIES TO
    TRANSACTION TRIGGER UNBOUNDED UNION UNIQUE UPDATE USING VACUUM VALUES VIEW VIRTUAL WHEN WHERE WINDOW WITH
    WITHOUT""".split()  # noqa: SIM905
)
"""SQLite's keywords (https://www.sqlite.org/lang_keywords.html): quoted when they serve as names."""
