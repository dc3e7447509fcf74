"""What a query reads, shows, tests and arranges, taken from its syntax tree, so that two queries can be compared part
by part.

Names are those of stored columns (``ducks.weight``), looked up through aliases and derived tables. Columns that a
query sets equal (``T1.id = T2.duck_id``, or ``id IN (SELECT duck_id …)``) count as one column.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from sqlglot import exp

from tinkersql.equivalence.conditions import normal
from tinkersql.equivalence.schema import Schema
from tinkersql.equivalence.scopes import Scope, bind, local_nodes

_TRANSPARENT = (exp.Lower, exp.Upper, exp.Trim, exp.Cast, exp.Predicate, exp.Connector)
"""Not named when a comparison's functions are: the judge ignores letter case, and the others stand for themselves."""
_COMPARISONS = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<="}
_TURNED = {"<": ">", "<=": ">="}
_CONSTANTS = exp.Literal | exp.Null | exp.Boolean


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison in WHERE, HAVING or ON.

    Attributes:
        columns: The stored columns in it.
        operator: With the functions around them: ``=``, ``not like``, ``count >``.
        value: Its constants in lower case, or the aggregates of its subquery in parentheses.
        constant: Whether it compares with constants alone.
        of_rows: Whether it compares values of single rows, not aggregates.
    """

    columns: frozenset[str]
    operator: str
    value: str
    constant: bool
    of_rows: bool


@dataclass(frozen=True, slots=True)
class Outline:
    """The parts of a query.

    Attributes:
        tables: The stored tables.
        outer: Those in the FROM of the outermost block.
        joins: Sets of columns that are set equal.
        width: How many columns the result has, as a set of column numbers.
        aggregates: The functions over the result's columns, such as ``count distinct``.
        selected: The stored columns in the result, without those that are only counted.
        conditions: The comparisons.
        connectives: What combines conditions other than AND: ``or``, ``union``, ``intersect``, ``except``.
        shape: DISTINCT, grouping, order and limit, of all blocks.
    """

    tables: frozenset[str]
    outer: frozenset[str]
    joins: frozenset[frozenset[str]]
    width: frozenset[int]
    aggregates: frozenset[str]
    selected: frozenset[str]
    conditions: frozenset[Condition]
    connectives: frozenset[str]
    shape: frozenset[str]

    def distance(self, other: "Outline") -> int:
        """How many parts one has and the other has not."""
        return sum(len(getattr(self, part.name) ^ getattr(other, part.name)) for part in fields(self))

    def filtered(self) -> frozenset[str]:
        """The stored columns whose values are compared with constants; NULL is none."""
        filters = (each for each in self.conditions if each.constant and each.of_rows and each.value != "null")
        return frozenset(column for each in filters for column in each.columns)

    def tested(self) -> frozenset[str]:
        """The stored columns that are compared with anything."""
        return frozenset(column for each in self.conditions for column in each.columns)


def outlines(trees: Iterable[exp.Query], schema: Schema) -> list[Outline]:
    """The outlines of queries over one schema, which agree on what columns count as one."""
    readers = [_Reader(tree, schema) for tree in trees]
    same = _merged(link for reader in readers for link in reader.links)
    return [reader.outline(same) for reader in readers]


def _merged(links: Iterable[frozenset[str]]) -> dict[str, str]:
    """From each linked column to the one that stands for all that are linked with it."""
    groups: dict[str, frozenset[str]] = {}
    for link in links:
        group = link.union(*(groups.get(column, frozenset()) for column in link))
        groups |= dict.fromkeys(group, group)
    return {column: min(group) for column, group in groups.items()}


class _Reader:
    """One query: its blocks, the stored column that each column node means, and the columns that it sets equal."""

    def __init__(self, tree: exp.Query, schema: Schema):
        tree = tree.copy()
        scope, unresolved = bind(tree, schema)
        for column in unresolved:
            if column.this.args.get("quoted") and not column.table:
                column.replace(exp.Literal.string(column.name))  # sql-create-context writes its values so
        for block in scope.everywhere():
            _spell_out_aliases(block)
        self.root = bind(normal(tree), schema)[0]  # pyright: ignore[reportArgumentType]
        self.blocks = list(self.root.everywhere())
        tables = {slot: table.name.lower() for block in self.blocks for slot, table in block.slots.items()}
        self.tables = frozenset(tables.values())
        self.stored = {ref: f"{tables[ref[0]]}.{ref[1]}" for block in self.blocks for ref in _refs(block)}
        self.names = {
            node: self.stored[ref] for block in self.blocks for node, ref in block.refs.items() if ref is not None
        }
        self.links = [link for block in self.blocks for link in self._links(block)]

    def outline(self, same: dict[str, str]) -> Outline:
        names = {node: same.get(name, name) for node, name in self.names.items()}
        own = _merged(self.links)
        groups: dict[str, set[str]] = {}
        for column, head in own.items():
            groups.setdefault(head, set()).add(column)
        first = self.root
        while first.branches:
            first = first.branches[0]
        items = first.node.expressions if isinstance(first.node, exp.Select) else []
        outer = {self.stored[ref] for _, ref in first.outputs if ref is not None}
        counted = {names[id(c)] for item in items for c in _columns(item) if id(c) in names and not _is_counted(c)}
        return Outline(
            tables=self.tables,
            outer=frozenset(table.name.lower() for table in first.slots.values()),
            joins=frozenset(map(frozenset, groups.values())),
            width=frozenset(range(len(first.outputs))),
            aggregates=frozenset(name for block in (first, *first.derived) for name in _aggregates(block.node)),
            selected=frozenset(counted | {same.get(name, name) for name in outer}),
            conditions=frozenset(each for block in self.blocks for each in self._compared(block, names)),
            connectives=frozenset(word for block in self.blocks for word in _connectives(block)),
            shape=frozenset(part for block in self.blocks for part in _shape(block, names)),
        )

    def _links(self, block: Scope) -> Iterator[frozenset[str]]:
        for condition in _conditions(block.node):
            for node in local_nodes(condition):
                sides = [self._column(side, block) for side in _sides(node)]
                if None not in sides and len(set(sides)) == 2 and not isinstance(node.parent, exp.Not):
                    yield frozenset(side for side in sides if side is not None)
        for join in block.node.args.get("joins") or []:
            for name in join.args.get("using") or []:
                shared = [ref for columns in block.sources.values() if (ref := columns.get(name.name.lower()))]
                yield frozenset(self.stored[ref] for ref in shared)

    def _column(self, node: exp.Expr, block: Scope) -> str | None:
        """The stored column that one side of an equation is, or that its subquery returns."""
        inner = block.subqueries.get(id(node))
        if inner is None:
            return self.names.get(id(node))
        if len(inner.outputs) != 1 or inner.outputs[0][1] is None or _aggregates(inner.node) or _is_cut(inner.node):
            return None
        return self.stored[inner.outputs[0][1]]

    def _compared(self, block: Scope, names: dict[int, str]) -> Iterator[Condition]:
        for condition in _conditions(block.node):
            for node in local_nodes(condition):
                if not isinstance(node, exp.Predicate) or isinstance(node, exp.Connector | exp.Query | exp.Exists):
                    continue
                sides = [self._column(side, block) for side in _sides(node)]
                if sides and None not in sides:
                    continue  # a join, or NOT IN, which is a connective
                yield self._condition(node, block, names)

    @staticmethod
    def _condition(node: exp.Expr, block: Scope, names: dict[int, str]) -> Condition:
        parts = list(local_nodes(node))
        operator = _COMPARISONS.get(type(node), type(node).__name__.lower())
        if operator in _TURNED and not _columns(node.this) and not any(node.this.find_all(exp.AggFunc)):
            operator = _TURNED[operator]
        functions = sorted(
            type(part).__name__.lower() for part in parts if isinstance(part, exp.Func) and not _see_through(part)
        )
        negated = ["not"] if isinstance(node.parent, exp.Not) else []
        nested = [_aggregates(block.subqueries[id(part)].node) for part in parts if id(part) in block.subqueries]
        constants = sorted(_constant(part) for part in parts if isinstance(part, _CONSTANTS))
        columns = frozenset(names.get(id(part), part.name.lower()) for part in _columns(node) if not _is_counted(part))
        of_rows = not any(isinstance(part, exp.AggFunc) for part in parts)
        value = " ".join([*constants, *(f"({' '.join(sorted(each))})" for each in nested)])
        return Condition(
            columns, " ".join([*negated, *functions, operator]), value, bool(constants) and not nested, of_rows
        )


def _spell_out_aliases(block: Scope) -> None:
    """Write what an alias of the result stands for, where HAVING, GROUP BY or ORDER BY use it."""
    items = block.node.expressions if isinstance(block.node, exp.Select) else []
    aliases = {item.alias.lower(): item.this for item in items if isinstance(item, exp.Alias)}
    parts = [part for key in ("having", "group", "order") if isinstance(part := block.node.args.get(key), exp.Expr)]
    for column in [column for part in parts for column in _columns(part)]:
        meant = aliases.get(column.name.lower())
        if meant is not None and not column.table and block.refs.get(id(column), ()) is None:
            column.replace(meant.copy())


def _refs(block: Scope) -> Iterator[tuple[int, str]]:
    outputs = (ref for _, ref in block.outputs)
    offered = (ref for columns in block.sources.values() for ref in columns.values())
    return (ref for ref in (*block.refs.values(), *outputs, *offered) if ref is not None)


def _conditions(node: exp.Expr) -> Iterator[exp.Expr]:
    """What stands in WHERE, HAVING and ON of one block."""
    parts = [node.args.get("where"), node.args.get("having")]
    parts += [join.args.get("on") for join in node.args.get("joins") or []]
    return (part for part in parts if isinstance(part, exp.Expr))


def _sides(node: exp.Expr) -> list[exp.Expr]:
    """Both sides of ``=``, or of ``IN`` with a subquery."""
    if isinstance(node, exp.EQ):
        return [node.this, node.expression]
    return [node.this, node.args["query"]] if isinstance(node, exp.In) and node.args.get("query") else []


def _columns(node: exp.Expr) -> list[exp.Column]:
    return [part for part in local_nodes(node) if isinstance(part, exp.Column)]


def _constant(node: exp.Expr) -> str:
    """The constant's text; a number is written in one way, with or without quotes."""
    text = node.name.casefold() if isinstance(node, exp.Literal) else node.sql().casefold()
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _see_through(node: exp.Expr) -> bool:
    return isinstance(node, _TRANSPARENT)


def _is_counted(column: exp.Column) -> bool:
    return isinstance(column.parent, exp.Count)


def _is_cut(node: exp.Expr) -> bool:
    return node.args.get("limit") is not None


def _aggregates(node: exp.Expr) -> set[str]:
    """The aggregates in the result of one block."""
    items = node.expressions if isinstance(node, exp.Select) else []
    return {_aggregate(part) for item in items for part in local_nodes(item) if isinstance(part, exp.AggFunc)}


def _aggregate(node: exp.AggFunc) -> str:
    name = type(node).__name__.lower()
    return f"{name} distinct" if isinstance(node.this, exp.Distinct) else name


def _connectives(block: Scope) -> Iterator[str]:
    if isinstance(block.node, exp.SetOperation):
        yield "or" if isinstance(block.node, exp.Union) else type(block.node).__name__.lower()
    for condition in _conditions(block.node):
        for node in local_nodes(condition):
            if isinstance(node, exp.Or):
                yield "or"
            if isinstance(node.parent, exp.Not) and (isinstance(node, exp.Exists) or node.args.get("query")):
                yield "except"


def _shape(block: Scope, names: dict[int, str]) -> Iterator[str]:
    node = block.node
    if node.args.get("distinct") and (isinstance(node, exp.Select) or block.parent is None):
        yield "distinct"  # of a set operation's result, too
    group, order = node.args.get("group"), node.args.get("order")
    for term in group.expressions if isinstance(group, exp.Group) else []:
        yield f"group {_described(term, node, names)}"
    for number, term in enumerate(order.expressions if isinstance(order, exp.Order) else []):
        direction = " desc" if term.args.get("desc") else ""
        yield f"order {number} {_described(term.this, node, names)}{direction}"
    for key in ("limit", "offset"):
        part = node.args.get(key)
        if isinstance(part, exp.Expr):
            yield part.sql().lower()


def _described(term: exp.Expr, block: exp.Expr, names: dict[int, str]) -> str:
    """A term of GROUP BY or ORDER BY by its functions and stored columns; the number of a column is looked up."""
    items = block.expressions if isinstance(block, exp.Select) else []
    if isinstance(term, exp.Literal) and term.name.isdecimal() and 0 < int(term.name[:4]) <= len(items):
        term = items[int(term.name[:4]) - 1]
    aggregates = [_aggregate(part) for part in local_nodes(term) if isinstance(part, exp.AggFunc)]
    columns = [names.get(id(part), part.name.lower()) for part in _columns(term) if not _is_counted(part)]
    return " ".join([*sorted(aggregates), *sorted(columns)]) or term.sql().lower()
