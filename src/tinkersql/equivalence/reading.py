"""A gold or a prediction, read: the text that SQLite runs, its syntax tree, and what its names mean.

The policies on double quotes, which SQLite takes for a name and, failing that, for a string:

* gold: ``"text"`` that is no column in scope is a string, as in the WikiSQL data;
* prediction: it is a string where a value is expected (compared or combined with a column), because models that learn
  from such data write values so, and where the gold has the same value, unless it is counted, sorted or grouped by;
  anywhere else it is a misspelt column, which is an error and never a constant.

Backticks and brackets always hold names. SQLite's hidden ``rowid`` is no column of the schema.
"""

import re
from dataclasses import dataclass, field

from sqlglot import exp

from tinkersql.equivalence.dates import CLOCK
from tinkersql.equivalence.dialects import likely, parse, text_of, translated
from tinkersql.equivalence.lexing import Token, meaningful, quote_text
from tinkersql.equivalence.sandbox import FUNCTIONS, MAX_SQL, OverBudgetError, QueryError, Sandbox
from tinkersql.equivalence.schema import RESERVED, Schema
from tinkersql.equivalence.scopes import Scope, bind, local_nodes
from tinkersql.equivalence.slips import find_slip

_CLOCK_WORDS = {"CURRENT_DATE": CLOCK[:10], "CURRENT_TIME": CLOCK[11:], "CURRENT_TIMESTAMP": CLOCK}
_CLOCK_FUNCTIONS = ("DATE", "TIME", "DATETIME", "JULIANDAY", "UNIXEPOCH", "STRFTIME")
_MAY_READ_CLOCK = re.compile(r"current_|'now'|\b(?:date|time|datetime|julianday|unixepoch)\s*\(\s*\)|strftime", re.I)
_HIDDEN = {"rowid", "oid", "_rowid_"}
_TSQL_FORMAT = re.compile(r"\bFORMAT\s*\(\s*[^'()]+,\s*'[yMdHhms /:.-]+'\s*\)", re.IGNORECASE)
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_LITERAL = re.compile(r"""'([^']*(?:''[^']*)*)'|"[^"]*(?:""[^"]*)*"|`[^`]*`|--[^\n]*|/\*.*?(?:\*/|\Z)""", re.DOTALL)
_STATEMENT_WORDS = {
    *("SELECT", "CASE", "CAST", "NOT", "NULL", "EXISTS", "DISTINCT", "ALL"),
    *("WITH", "VALUES", "LIKE", "GLOB", "BETWEEN", "IN", "IS"),
}
_BEFORE_NAMES = frozenset(
    "SELECT DISTINCT WHERE AND OR NOT BY ON HAVING THEN ELSE WHEN FROM JOIN , ( . = < > + - /".split()  # noqa: SIM905
)


class MisspeltNameError(QueryError):
    """A quoted name that is no column in scope."""


@dataclass
class Query:
    """A query that runs: ``sql`` for SQLite, ``tree`` and ``scope`` when it could be parsed, notes for the reader."""

    sql: str
    tree: exp.Query | None = None
    scope: Scope | None = None
    notes: list[str] = field(default_factory=list)

    def strings(self) -> list[str]:
        """The string values in the query, in order."""
        if "'" not in self.sql:
            return []
        return [found[1].replace("''", "'") for found in _LITERAL.finditer(self.sql) if found[1] is not None]


def read_query(sql: str, schema: Schema, sandbox: Sandbox, gold: Query | None = None) -> Query:
    """Read one statement, trying SQLite's dialect first and then the others.

    Args:
        sql: one statement.
        schema: the tables.
        sandbox: where it is tried out; holds empty tables.
        gold: given when a prediction is read: a double-quoted name that means nothing is then an error, unless it
            stands where a value is expected or is one of the gold's values.

    Raises:
        QueryError: it runs in no dialect; the message is that of SQLite's own dialect.
        OverBudgetError: it was stopped even on empty tables.
    """
    if len(sql) > MAX_SQL:
        raise OverBudgetError(f"it is longer than {MAX_SQL} characters")
    sql = _fix_clock(sql)
    first: QueryError | None = None
    if not _TSQL_FORMAT.search(sql):
        try:
            return _read_sqlite(sql, schema, sandbox, gold)
        except MisspeltNameError:
            raise  # other dialects would read a string
        except QueryError as error:
            first = error
    repaired = _quote_names(sql, schema)
    if repaired != sql:
        try:
            return _read_sqlite(repaired, schema, sandbox, gold)
        except QueryError:
            pass
    if first is None or _may_be_foreign(repaired, str(first)):
        for dialect in likely(repaired):
            text = _translated(repaired, dialect, schema, gold)
            if text is None:
                continue
            try:
                query = _read_sqlite(text, schema, sandbox, gold)
            except QueryError:
                continue
            query.notes.append("translated into SQLite's dialect")
            return query
    if first is None:
        return _read_sqlite(sql, schema, sandbox, gold)
    raise first


def _may_be_foreign(sql: str, message: str) -> bool:
    """Whether another dialect could explain the failure.

    None does where the text holds a slip, where a set operator follows on an order, or where a plain name is wrong and
    all functions are known.
    """
    if find_slip(list(meaningful(sql))):
        return False
    if "clause should come after" in message:
        return False
    if not message.startswith(("no such column", "no such table", "ambiguous column", "misuse of")):
        return True
    if message.startswith("no such table") and "." in message:
        return True
    return any(name.lower() not in FUNCTIONS and name.upper() not in RESERVED for name in _CALL.findall(sql))


def _read_sqlite(sql: str, schema: Schema, sandbox: Sandbox, gold: Query | None) -> Query:
    tree = parse(sql)
    if tree is None:
        sandbox.run(sql)
        return Query(sql)
    scope, strings = _bound(tree, sql, schema, gold)
    text = sql
    for column in sorted(strings, key=_place, reverse=True):
        text = text[: _place(column)] + quote_text(column.name) + text[column.this.meta["end"] + 1 :]
        column.replace(exp.Literal.string(column.name))
    sandbox.run(text)
    return Query(text, tree, scope)


def _translated(sql: str, dialect: str, schema: Schema, gold: Query | None) -> str | None:
    """The text in SQLite's dialect, or None where the dialect does not apply.

    Raises:
        MisspeltNameError: a quoted name is no column.
    """
    tree = translated(sql, dialect)
    if tree is None:
        return None
    scope, strings = _bound(tree, sql, schema, gold, is_sqlite=False)
    for column in strings:
        column.replace(exp.Literal.string(column.name))
    _spell_out_stars(scope)
    return text_of(tree)


def _bound(
    tree: exp.Query, sql: str, schema: Schema, gold: Query | None, is_sqlite: bool = True
) -> tuple[Scope, list[exp.Column]]:
    """What the names mean, and which of the quoted ones are strings."""
    scope, unresolved = bind(tree, schema)
    strings = []
    for column in unresolved:
        if column.name.lower() in _HIDDEN:
            raise MisspeltNameError(f"no such column: {column.name}")
        start = _place(column)
        if column.table or not column.this.args.get("quoted") or start < 0:
            continue
        if sql[start] != '"':
            if is_sqlite:
                continue  # SQLite says so itself
            raise MisspeltNameError(f"no such column: {column.name}")
        if gold is not None and not _is_value(column, scope) and not _is_value_of(gold, column):
            raise MisspeltNameError(f'no such column: "{column.name}"')
        strings.append(column)
    return scope, strings


def _place(column: exp.Column) -> int:
    return column.this.meta.get("start", -1)


def _is_value_of(gold: Query, column: exp.Column) -> bool:
    """Whether the gold holds the same value, and the word is not counted, sorted or grouped by."""
    if isinstance(column.parent, exp.AggFunc | exp.Distinct | exp.Ordered | exp.Group):
        return False
    return column.name.casefold() in {text.casefold() for text in gold.strings()}


def _is_value(column: exp.Column, scope: Scope) -> bool:
    """Whether a double-quoted word stands beside something that is surely data: a column, an aggregate, a subquery."""
    known = {key for block in scope.everywhere() for key, ref in block.refs.items() if ref is not None}
    node, parent = column, column.parent
    while parent is not None and not isinstance(parent, exp.Query | exp.Ordered | exp.Group | exp.Alias):
        for sibling in parent.iter_expressions():
            if sibling is node:
                continue
            if isinstance(sibling, exp.Query):
                return not isinstance(parent, exp.In)
            for part in local_nodes(sibling):
                if isinstance(part, exp.Column) and (id(part) in known or not part.this.args.get("quoted")):
                    return True
                if isinstance(part, exp.AggFunc | exp.Window):
                    return True
        if isinstance(parent, exp.AggFunc):
            return False
        node, parent = parent, parent.parent
    return False


def _spell_out_stars(scope: Scope) -> None:
    """Write the columns of ``SELECT * EXCEPT (a, b)``."""
    for block in scope.everywhere():
        items = block.node.expressions if isinstance(block.node, exp.Select) else []
        for item in items:
            star = item.this if isinstance(item, exp.Column) else item
            left_out = star.args.get("except_") if isinstance(star, exp.Star) else None
            if not left_out:
                continue
            names = {name.name.lower() for name in left_out}
            wanted = item.table.lower() if isinstance(item, exp.Column) else ""
            columns = [
                exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True))
                for alias, offered in block.sources.items()
                for name in offered
                if name not in names and wanted in ("", alias)
            ]
            block.node.set("expressions", [*(other for other in items if other is not item), *columns])
            break


def _fix_clock(sql: str) -> str:
    """Give what would read the clock one fixed time: its words, ``'now'`` as a time, calls without a time."""
    if not _MAY_READ_CLOCK.search(sql):
        return sql
    found = list(meaningful(sql))
    pieces, position = [], 0
    for index, token in enumerate(found):
        before, after = found[max(index - 4, 0) : index], [item.text for item in found[index + 1 : index + 4]]
        value = ""
        if token.word in _CLOCK_WORDS and after[:1] != ["("]:
            value = quote_text(_CLOCK_WORDS[token.word])
        elif token.text.lower() == "'now'" and _is_time(before):
            value = quote_text(CLOCK)
        elif token.text == "(" and before and before[-1].word in _CLOCK_FUNCTIONS:
            if after[:1] == [")"]:
                value = f"({quote_text(CLOCK)}"
            elif before[-1].word == "STRFTIME" and after[1:2] == [")"]:
                value = f"({after[0]}, {quote_text(CLOCK)}"
                token = found[index + 1]
        if value:
            pieces += [sql[position : token.start if value[0] != "(" else found[index].start], value]
            position = token.end
    return "".join([*pieces, sql[position:]])


def _is_time(before: list[Token]) -> bool:
    """Whether these tokens open a time function up to the argument that is the time."""
    texts = [token.word or token.text for token in before]
    if len(texts) > 1 and texts[-1] == "(" and texts[-2] in _CLOCK_FUNCTIONS:
        return True
    return len(texts) > 3 and texts[-1] == "," and texts[-3:-2] == ["("] and texts[-4] == "STRFTIME"


def _quote_names(sql: str, schema: Schema) -> str:
    """Quote the schema's names that SQLite cannot read bare (reserved words, a digit first) where a name may stand."""
    names = {column.name.upper() for table in schema.tables.values() for column in table.columns}
    names |= {name.upper() for name in schema.tables}
    names = {name for name in names if name in RESERVED or name[:1].isdigit()} - _STATEMENT_WORDS
    if not names:
        return sql
    found = list(meaningful(sql))
    pieces, position = [], 0
    for index, token in enumerate(found):
        before = found[index - 1] if index else None
        if before is None or (before.word or before.text) not in _BEFORE_NAMES or token.start < position:
            continue
        end, following = token.end, found[index + 1 : index + 2]
        if token.kind == "number" and following and following[0].start == end:
            end = following[0].end  # the lexer takes 2nd for a number and a word
        if sql[token.start : end].upper() not in names:
            continue
        if token.word in ("ORDER", "GROUP", "PARTITION") and following and following[0].word == "BY":
            continue
        pieces += [sql[position : token.start], f'"{sql[token.start : end]}"']
        position = end
    return "".join([*pieces, sql[position:]])
