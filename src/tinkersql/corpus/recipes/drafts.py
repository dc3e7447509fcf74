"""An example taken apart, so that recipes can change its schema and its golds together, and written again."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tinkersql.corpus.examples import Example
from tinkersql.equivalence.lexing import Token, meaningful, tokens, unquote
from tinkersql.equivalence.schema import MAX_COLUMNS, RESERVED

_QUOTED = r""""(?:[^"]|"")*+"|`[^`]*+`|\[[^\]\n]*+\]"""
_NAME = rf"""(?:{_QUOTED}|[^\s"'`\[\](),;]++)"""
_ENTRY = rf"""(?:[^\s"'`\[\](),;]|\s|{_QUOTED}|'[^']*+'|\((?:[^()"'`;]|{_QUOTED}|'[^']*+'|\([^()]*+\))*+\))++"""
_STATEMENT = re.compile(
    rf"\s*CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?({_NAME})\s*\(({_ENTRY}(?:,{_ENTRY})*+)\)\s*(?:;|\Z)", re.IGNORECASE
)
_ENTRIES = re.compile(_ENTRY)
_TYPE = r"(?!(?:PRIMARY|NOT|NULL|UNIQUE|CHECK|DEFAULT|REFERENCES|COLLATE|CONSTRAINT|GENERATED|AS)\b)[A-Za-z]\w*"
_LENGTH = r"\s*\(\s*\d+(?:\s*,\s*\d+)?\s*\)"
_COLUMN = re.compile(rf"({_NAME})(?:\s+({_TYPE}(?:{_LENGTH})?))?(\s+.*)?\Z", re.DOTALL | re.IGNORECASE)
_CONSTRAINT = re.compile(r"(?:CONSTRAINT\s+\S+\s+)?(?:PRIMARY\s+KEY|FOREIGN\s+KEY|UNIQUE|CHECK)\b\s*\(", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(slots=True)
class Column:
    """A column: its name and type as written, and what stands behind them (``" NOT NULL"``)."""

    written: str
    type: str
    rest: str = ""

    @property
    def name(self) -> str:
        """The name without quotes."""
        return unquote(self.written)


@dataclass(slots=True)
class Table:
    """A table: its name as written, its columns, and its constraints as written."""

    written: str
    columns: list[Column]
    constraints: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name without quotes."""
        return unquote(self.written)

    @property
    def names(self) -> set[str]:
        """The names of the columns, letter case folded."""
        return {column.name.casefold() for column in self.columns}

    def find(self, name: str) -> Column | None:
        """The column of that name, letter case ignored."""
        return next((column for column in self.columns if column.name.casefold() == name.casefold()), None)

    def __str__(self) -> str:
        entries = [f"{column.written} {column.type}".rstrip() + column.rest for column in self.columns]
        return f"CREATE TABLE {self.written} ({', '.join([*entries, *self.constraints])})"


@dataclass(slots=True)
class Draft:
    """A schema and golds that recipes change in place.

    Attributes:
        question: The question, which no recipe changes.
        tables: In the order of declaration; a table that is declared twice stands once, with the columns of both.
        golds: The queries.
        source_tables: The tables' names in the data, in lower case, whatever recipes call them.
        taken: Every name and text in a gold, letter case folded. A new column must have none of these names: SQLite
            takes a value in double quotes for a column as soon as there is one of that name.
    """

    question: str
    tables: list[Table]
    golds: list[str]
    source_tables: tuple[str, ...]
    taken: frozenset[str]

    @property
    def names(self) -> set[str]:
        """Every name in the schema, letter case folded."""
        return {name for table in self.tables for name in (table.name.casefold(), *table.names)}

    def columns(self) -> Iterator[Column]:
        """The columns of all tables."""
        return (column for table in self.tables for column in table.columns)

    def rename(self, names: Mapping[str, str]) -> None:
        """Give every table and column its new name (by folded old name), in the schema and in the golds alike."""
        if not names:
            return
        for table in self.tables:
            table.written = names.get(table.name.casefold(), table.written)
            table.constraints = [_renamed(text, names, calls_too=True) for text in table.constraints]
            for column in table.columns:
                column.written = names.get(column.name.casefold(), column.written)
                column.rest = _renamed(column.rest, names, calls_too=True)
        self.golds = [_renamed(gold, names) for gold in self.golds]
        self.taken = _taken(self.golds)

    def renamable(self) -> set[str]:
        """The folded names that can be told from everything else in the golds.

        Left out are keywords, names with odd characters, and names that are written in double quotes somewhere, where
        they may be values.
        """
        quoted = {
            unquote(token.text).casefold()
            for gold in self.golds
            for token in meaningful(gold)
            if token.kind == "quoted" and token.text[0] == '"'
        }
        return {n for n in self.names if _PLAIN.match(n) and n.upper() not in RESERVED and n not in quoted}

    def finish(self, example: Example) -> Example:
        """The example with the changed schema and golds."""
        return replace(example, schema="; ".join(map(str, self.tables)), golds=tuple(self.golds))


def read(example: Example) -> Draft | None:
    """An example's draft.

    None where the schema is not made of CREATE TABLE statements alone, or where a gold cannot be cut into tokens.
    """
    tables = _tables(example.schema)
    taken = _taken(example.golds)
    if not tables or not taken:
        return None
    names = tuple(table.name.lower() for table in tables)
    return Draft(example.question, tables, list(example.golds), names, taken)


def is_usable(name: str) -> bool:
    """Whether a name may stand bare in a schema, and is no keyword."""
    return _PLAIN.match(name) is not None and name.upper() not in RESERVED


def _tables(schema: str) -> list[Table]:
    tables: dict[str, Table] = {}
    if "--" in schema or "/*" in schema:
        return []
    position, end = 0, len(schema.rstrip())
    while position < end:
        found = _STATEMENT.match(schema, position)
        if not found:
            return []
        position = found.end()
        table = tables.setdefault(unquote(found[1]).casefold(), Table(found[1], []))
        for entry in _ENTRIES.findall(found[2]):
            entry = entry.strip()
            if _CONSTRAINT.match(entry):
                table.constraints += [entry] if entry not in table.constraints else []
                continue
            column = _COLUMN.match(entry)
            if not column or len(table.columns) == MAX_COLUMNS:
                return []
            if table.find(unquote(column[1])) is None:
                table.columns.append(Column(column[1], column[2] or "", (column[3] or "").rstrip()))
    return list(tables.values()) if all(table.columns for table in tables.values()) else []


def _taken(golds: list[str] | tuple[str, ...]) -> frozenset[str]:
    """The names and texts in queries; none if a quote stays open."""
    found = [token for gold in golds for token in meaningful(gold)]
    if any(token.kind == "open" for token in found):
        return frozenset()
    return frozenset(unquote(token.text).casefold() for token in found if token.kind in ("word", "quoted", "string"))


def _renamed(sql: str, names: Mapping[str, str], calls_too: bool = False) -> str:
    if not sql:
        return sql
    found = list(tokens(sql))
    return "".join(_new_text(found, index, names, calls_too) for index in range(len(found)))


def _new_text(found: list[Token], index: int, names: Mapping[str, str], calls_too: bool) -> str:
    """A token's text after renaming: a word before a parenthesis is a function, one behind a digit a name's tail."""
    token = found[index]
    if token.kind not in ("word", "quoted") or token.text[0] == '"':
        return token.text
    new = names.get(unquote(token.text).casefold())
    if new is None or (index and found[index - 1].kind == "number"):
        return token.text
    following = next((other for other in found[index + 1 :] if other.kind != "space"), None)
    is_call = following is not None and following.text == "(" and not calls_too
    return token.text if is_call else new
