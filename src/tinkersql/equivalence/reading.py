"""A gold or a prediction, read: the text that SQLite runs, its syntax tree, and what its names mean.

The policies on double quotes, which SQLite takes for a name and, failing that, for a string:

* gold: ``"text"`` that is no column in scope is a string, as in the WikiSQL data;
* prediction: it is a string where a value is expected (compared or combined with a column), because models that learn
  from such data write values so, and where the gold has the same value; anywhere else it is a misspelt column, which is
  an error and never a constant.
"""

from dataclasses import dataclass, field

from sqlglot import exp

from tinkersql.equivalence.dialects import DIALECTS, parse, translate
from tinkersql.equivalence.lexing import meaningful, quote_text, unquote
from tinkersql.equivalence.sandbox import MAX_SQL, OverBudgetError, QueryError, Sandbox
from tinkersql.equivalence.schema import RESERVED, Schema
from tinkersql.equivalence.scopes import Scope, bind, local_nodes

CLOCK = "2024-06-15 12:30:00"
"""What ``now`` means, so that a verdict never depends on the day."""
_CLOCK_WORDS = {"CURRENT_DATE": CLOCK[:10], "CURRENT_TIME": CLOCK[11:], "CURRENT_TIMESTAMP": CLOCK}
_STATEMENT_WORDS = {
    *("SELECT", "CASE", "CAST", "NOT", "NULL", "EXISTS", "DISTINCT", "ALL"),
    *("WITH", "VALUES", "LIKE", "GLOB", "BETWEEN", "IN", "IS"),
}
_BEFORE_NAMES = frozenset("SELECT DISTINCT WHERE AND OR NOT BY ON HAVING THEN ELSE WHEN , ( . = < > + - /".split())  # noqa: SIM905


class MisspeltNameError(QueryError):
    """A double-quoted name that is no column in scope."""


@dataclass
class Query:
    """A query that runs: ``sql`` for SQLite, ``tree`` and ``scope`` when it could be parsed, notes for the reader."""

    sql: str
    tree: exp.Query | None = None
    scope: Scope | None = None
    notes: list[str] = field(default_factory=list)

    def strings(self) -> list[str]:
        """The string values in the query."""
        return [unquote(token.text) for token in meaningful(self.sql) if token.kind == "string"]


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
    values = None if gold is None else {text.casefold() for text in gold.strings()}
    try:
        return _read_sqlite(sql, schema, sandbox, values)
    except MisspeltNameError:
        raise  # other dialects would read a string
    except QueryError as error:
        first = error
    repaired = _quote_reserved(sql, schema)
    for dialect, text in ((None, repaired), *((name, translate(sql, name)) for name in DIALECTS)):
        if text is None or text == sql:
            continue
        try:
            query = _read_sqlite(text, schema, sandbox, values)
        except QueryError:
            continue
        if dialect is not None:
            query.notes.append("translated into SQLite's dialect")
        return query
    raise first


def _read_sqlite(sql: str, schema: Schema, sandbox: Sandbox, values: set[str] | None) -> Query:
    tree = parse(sql)
    if tree is None:
        sandbox.run(sql)
        return Query(sql)
    scope, unresolved = bind(tree, schema)
    text, known = sql, {key for block in scope.everywhere() for key, ref in block.refs.items() if ref is not None}
    for column in sorted(unresolved, key=lambda node: -node.this.meta.get("start", -1)):
        start, end = column.this.meta.get("start", -1), column.this.meta.get("end", -1)
        if column.table or not column.this.args.get("quoted") or start < 0 or sql[start] != '"':
            continue
        if values is not None and column.name.casefold() not in values and not _is_value(column, known):
            raise MisspeltNameError(f'no such column: "{column.name}"')
        text = text[:start] + quote_text(column.name) + text[end + 1 :]
        column.replace(exp.Literal.string(column.name))
    sandbox.run(text)
    return Query(text, tree, scope)


def _is_value(column: exp.Column, known: set[int]) -> bool:
    """Whether a double-quoted word stands beside something that is surely data: a column, an aggregate, a subquery."""
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
        node, parent = parent, parent.parent
    return False


def _fix_clock(sql: str) -> str:
    """Replace the words that read the clock by one fixed time."""
    pieces, position = [], 0
    for token in meaningful(sql):
        value = _CLOCK_WORDS.get(token.word)
        if token.kind == "string" and token.text.lower() == "'now'":
            value = CLOCK
        if value is not None:
            pieces += [sql[position : token.start], quote_text(value)]
            position = token.end
    return "".join([*pieces, sql[position:]])


def _quote_reserved(sql: str, schema: Schema) -> str:
    """Quote the reserved words that serve as names of this schema's columns or tables and stand where a name may."""
    names = {column.name.upper() for table in schema.tables.values() for column in table.columns}
    names = ((names | {name.upper() for name in schema.tables}) & RESERVED) - _STATEMENT_WORDS
    if not names:
        return sql
    found = list(meaningful(sql))
    pieces, position = [], 0
    for index, token in enumerate(found):
        before = found[index - 1] if index else None
        after = found[index + 1].word if index + 1 < len(found) else ""
        if token.word not in names or before is None or (before.word or before.text) not in _BEFORE_NAMES:
            continue
        if token.word in ("ORDER", "GROUP", "PARTITION") and after == "BY":
            continue
        pieces += [sql[position : token.start], f'"{token.text}"']
        position = token.end
    return "".join([*pieces, sql[position:]])
