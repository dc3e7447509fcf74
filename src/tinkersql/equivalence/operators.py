"""The mutation operators: each yields, for one query block, the changes that it makes there.

The list is fixed; ``docs/equivalence.md`` shows it. An operator never changes the tree: it names a node and what would
stand in its place.
"""

from collections.abc import Callable, Iterator

from sqlglot import exp

from tinkersql.equivalence.domains import number_of
from tinkersql.equivalence.facts import COMPARISONS, whole_number
from tinkersql.equivalence.scopes import Scope, local_nodes

Change = tuple[exp.Expr, exp.Expr | None]
"""A node of the tree and what to put in its place (None: nothing)."""


def _nodes(block: Scope) -> Iterator[exp.Expr]:
    """The block's own nodes, without FROM's derived tables, inner queries and WITH."""
    for key, value in block.node.args.items():
        if key in ("with_", "from_", "this", "expression") and not isinstance(block.node, exp.Select):
            continue
        if key in ("with_", "from_"):
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, exp.Expr):
                part = item.args.get("on") if isinstance(item, exp.Join) else item
                if isinstance(part, exp.Expr) and not isinstance(part, exp.Query):
                    yield from local_nodes(part)


_AGGREGATES: dict[type[exp.Expr], tuple[type[exp.Expr], ...]] = {
    exp.Sum: (exp.Avg, exp.Max, exp.Count),
    exp.Avg: (exp.Sum, exp.Min),
    exp.Max: (exp.Min, exp.Avg),
    exp.Min: (exp.Max, exp.Sum),
    exp.Count: (exp.Max, exp.Sum),
}


def _aggregate(block: Scope) -> Iterator[Change]:
    """Another aggregate function; a result's aggregate left out; a bare result aggregated."""
    for node in _nodes(block):
        for other in _AGGREGATES.get(type(node), ()):
            if isinstance(node.this, exp.Column) and not node.this.is_star:
                yield node, other(this=node.this.copy())
    if not isinstance(block.node, exp.Select):
        return
    for item in block.node.expressions:
        inner = item.this if isinstance(item, exp.Alias) else item
        if type(inner) in _AGGREGATES and isinstance(inner.this, exp.Column) and not inner.this.is_star:
            yield inner, inner.this.copy()
        elif isinstance(inner, exp.Column) and not inner.is_star and not block.node.args.get("group"):
            yield inner, exp.Max(this=inner.copy())


_COMPARISONS: dict[type[exp.Expr], tuple[type[exp.Expr], ...]] = {
    exp.EQ: (exp.NEQ, exp.GTE, exp.LTE),
    exp.NEQ: (exp.EQ, exp.GT, exp.LT),
    exp.GT: (exp.GTE, exp.LT, exp.NEQ),
    exp.GTE: (exp.GT, exp.LTE, exp.EQ),
    exp.LT: (exp.LTE, exp.GT, exp.NEQ),
    exp.LTE: (exp.LT, exp.GTE, exp.EQ),
}


def _comparison(block: Scope) -> Iterator[Change]:
    """Another comparison; between two columns only ``<>`` for ``=``, because joins are not mistaken otherwise."""
    for node in _nodes(block):
        others = _COMPARISONS.get(type(node), ())
        if isinstance(node, exp.EQ) and isinstance(node.left, exp.Column) and isinstance(node.right, exp.Column):
            others = (exp.NEQ,)
        for other in others:
            yield node, other(this=node.this.copy(), expression=node.expression.copy())


def _constant(block: Scope) -> Iterator[Change]:
    """A number's two neighbours; a string with its last letter lost, or another word behind it."""
    for node in _nodes(block):
        if not isinstance(node, exp.Literal) or not isinstance(node.parent, (*COMPARISONS, exp.Between, exp.In)):
            continue
        value = number_of(node.name)
        if value is not None:
            for step in (1, -1):
                text = str(value + step)
                yield node, exp.Literal.string(text) if node.is_string else exp.Literal.number(text)
        elif node.is_string:
            yield node, exp.Literal.string(f"{node.name} 1")
            if len(node.name) > 1:
                yield node, exp.Literal.string(node.name[:-1])


def _column(block: Scope) -> Iterator[Change]:
    """A column replaced by its neighbours in the table's declaration, one on each side."""
    for node in _nodes(block):
        ref = block.ref(node)
        if not isinstance(node, exp.Column) or ref is None or ref[0] not in block.slots:
            continue
        names = [column.name for column in block.slots[ref[0]].columns]
        place = [name.lower() for name in names].index(ref[1])
        for other in dict.fromkeys(names[step % len(names)] for step in (place + 1, place - 1)):
            if other.lower() != ref[1]:
                alias = next(alias for alias, columns in block.sources.items() if columns.get(ref[1]) == ref)
                yield node, _column_of(alias, other)


def _column_of(alias: str, name: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True))


def _direction(block: Scope) -> Iterator[Change]:
    """ASC for DESC and the reverse."""
    for node in _nodes(block):
        if isinstance(node, exp.Ordered):
            descending = not node.args.get("desc")
            yield node, exp.Ordered(this=node.this.copy(), desc=descending, nulls_first=not descending)


def _order(block: Scope) -> Iterator[Change]:
    """ORDER BY left out."""
    order = block.node.args.get("order")
    if isinstance(order, exp.Order):
        yield order, None


def _connector(block: Scope) -> Iterator[Change]:
    """OR for AND and the reverse."""
    for node in _nodes(block):
        if isinstance(node, exp.And):
            yield node, exp.paren(exp.Or(this=node.left.copy(), expression=node.right.copy()))
        elif isinstance(node, exp.Or):
            yield node, exp.And(this=_closed(node.left), expression=_closed(node.right))


def _closed(node: exp.Expr) -> exp.Expr:
    return exp.paren(node.copy()) if isinstance(node, exp.Or) else node.copy()


def _join(block: Scope) -> Iterator[Change]:
    """LEFT JOIN for JOIN and the reverse."""
    for join in block.node.args.get("joins") or []:
        if not (join.args.get("on") or join.args.get("using")) or join.args.get("side") not in (None, "", "LEFT"):
            continue
        changed = join.copy()
        changed.set("side", None if join.args.get("side") else "LEFT")
        changed.set("kind", None)
        yield join, changed


def _distinct(block: Scope) -> Iterator[Change]:
    """DISTINCT left out or put in, also inside an aggregate."""
    node = block.node
    if isinstance(node, exp.Select):
        if node.args.get("distinct"):
            yield node.args["distinct"], None
        else:
            changed = node.copy()
            changed.set("distinct", exp.Distinct())
            yield node, changed
    for item in _nodes(block):
        if isinstance(item, exp.Count | exp.Sum | exp.Avg):
            inner = item.this
            if isinstance(inner, exp.Distinct) and len(inner.expressions) == 1:
                yield item, type(item)(this=inner.expressions[0].copy())
            elif isinstance(inner, exp.Column) and not inner.is_star:
                yield item, type(item)(this=exp.Distinct(expressions=[inner.copy()]))


def _count(block: Scope) -> Iterator[Change]:
    """COUNT of a column for COUNT(*) and the reverse."""
    for node in _nodes(block):
        if not isinstance(node, exp.Count):
            continue
        if isinstance(node.this, exp.Star):
            first = next(iter(block.slots.items()), None)
            alias = next(iter(block.sources), None)
            if first is not None and alias is not None and first[1].columns:
                yield node, exp.Count(this=_column_of(alias, first[1].columns[-1].name))
        elif isinstance(node.this, exp.Column):
            yield node, exp.Count(this=exp.Star())


def _limit(block: Scope) -> Iterator[Change]:
    """LIMIT and OFFSET one more, one less, and left out."""
    for key in ("limit", "offset"):
        node = block.node.args.get(key)
        size = whole_number(node)
        if not isinstance(node, exp.Limit | exp.Offset) or not size:
            continue
        for other in (size + 1, size - 1):
            if other > 0:
                yield node, type(node)(expression=exp.Literal.number(other))
        if key == "offset" or block.node.args.get("offset") is None:
            yield node, None


def _conditions(block: Scope) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """WHERE, HAVING and every ON with the condition that they hold."""
    node = block.node
    if not isinstance(node, exp.Select):
        return
    for key in ("where", "having"):
        found = node.args.get(key)
        if isinstance(found, exp.Expr):
            yield found, found.this
    for join in node.args.get("joins") or []:
        if join.args.get("on") is not None:
            yield join, join.args["on"]


def _dropped_condition(block: Scope) -> Iterator[Change]:
    """One condition of an AND or OR left out, or a whole WHERE or HAVING that has one condition only."""
    for holder, condition in _conditions(block):
        if not isinstance(holder, exp.Join) and not isinstance(condition, exp.And | exp.Or):
            yield holder, None
        for node in local_nodes(condition):
            if isinstance(node, exp.And | exp.Or):
                yield node, node.left.copy()
                yield node, node.right.copy()


def _added_condition(block: Scope) -> Iterator[Change]:
    """One more condition: the first column that no condition mentions equals an ordinary value."""
    where = block.node.args.get("where") if isinstance(block.node, exp.Select) else None
    if not isinstance(where, exp.Expr):
        return
    used = {block.ref(node) for node in _nodes(block)}
    for alias, columns in block.sources.items():
        for name, ref in columns.items():
            if ref is not None and ref not in used:
                added = exp.EQ(this=_column_of(alias, name), expression=exp.Literal.string("amber"))
                yield where.this, exp.And(this=_closed(where.this), expression=added)
                return


_SET_OPERATIONS: tuple[type[exp.SetOperation], ...] = (exp.Union, exp.Intersect, exp.Except)


def _set_operation(block: Scope) -> Iterator[Change]:
    """Another set operation, UNION ALL for UNION and the reverse, and the sides exchanged."""
    node = block.node
    if not isinstance(node, exp.SetOperation):
        return
    for kind in _SET_OPERATIONS:
        if not isinstance(node, kind):
            yield node, _set_operation_like(node, kind, distinct=True)
        elif isinstance(node, exp.Union):
            yield node, _set_operation_like(node, kind, distinct=not node.args.get("distinct"))
        elif isinstance(node, exp.Except):
            yield node, _set_operation_like(node, kind, distinct=True, exchanged=True)


def _set_operation_like(
    node: exp.SetOperation, kind: type[exp.SetOperation], *, distinct: bool, exchanged: bool = False
) -> exp.SetOperation:
    changed = kind(**{key: value.copy() if isinstance(value, exp.Expr) else value for key, value in node.args.items()})
    changed.set("distinct", distinct)
    if exchanged:
        changed.set("this", node.expression.copy())
        changed.set("expression", node.left.copy())
    return changed


def _pattern(block: Scope) -> Iterator[Change]:
    """A LIKE that is anchored at one more end, and one that is exact."""
    for node in _nodes(block):
        if isinstance(node, exp.Like) and isinstance(node.expression, exp.Literal):
            text = node.expression.name
            for other in dict.fromkeys((text.removeprefix("%"), text.removesuffix("%"), text.strip("%"))):
                if other != text:
                    yield node.expression, exp.Literal.string(other)


def _membership(block: Scope) -> Iterator[Change]:
    """IN, EXISTS, LIKE, BETWEEN and IS negated or not; a list one value shorter."""
    for node in _nodes(block):
        if isinstance(node, exp.Not):
            if isinstance(node.this.unnest(), exp.In | exp.Exists | exp.Like | exp.Between | exp.Is):
                yield node, node.this.copy()
        elif isinstance(node, exp.In | exp.Exists | exp.Like | exp.Between | exp.Is):
            if not isinstance(node.parent, exp.Not):
                yield node, exp.Not(this=exp.paren(node.copy()))
            if isinstance(node, exp.In) and len(node.expressions) > 1:
                changed = node.copy()
                changed.set("expressions", changed.expressions[:-1])
                yield node, changed


def _between(block: Scope) -> Iterator[Change]:
    """A BETWEEN without its lower or its upper end."""
    for node in _nodes(block):
        if isinstance(node, exp.Between):
            value, low, high = node.this, node.args["low"], node.args["high"]
            for first, second in ((exp.GT, exp.LTE), (exp.GTE, exp.LT)):
                one = first(this=value.copy(), expression=low.copy())
                other = second(this=value.copy(), expression=high.copy())
                yield node, exp.paren(exp.And(this=one, expression=other))


def _grouping(block: Scope) -> Iterator[Change]:
    """One of several grouping columns left out."""
    group = block.node.args.get("group")
    if isinstance(group, exp.Group) and len(group.expressions) > 1:
        for item in group.expressions:
            yield item, None


_ARITHMETIC: dict[type[exp.Expr], type[exp.Binary]] = {
    exp.Add: exp.Sub, exp.Sub: exp.Add, exp.Mul: exp.Div, exp.Div: exp.Mul,
}  # fmt: skip


def _arithmetic(block: Scope) -> Iterator[Change]:
    """Minus for plus, division for multiplication, and the reverse."""
    for node in _nodes(block):
        if other := _ARITHMETIC.get(type(node)):
            yield node, other(this=node.this.copy(), expression=node.expression.copy())


def letter_case(block: Scope) -> Iterator[Change]:
    """A string in the other letter case; only where the case of values counts."""
    for node in _nodes(block):
        if isinstance(node, exp.Literal) and node.is_string and isinstance(node.parent, (*COMPARISONS, exp.In)):
            yield node, exp.Literal.string(node.name.swapcase())


OPERATORS: dict[str, Callable[[Scope], Iterator[Change]]] = {
    "aggregate": _aggregate,
    "comparison": _comparison,
    "constant": _constant,
    "column": _column,
    "direction": _direction,
    "order": _order,
    "connector": _connector,
    "join": _join,
    "distinct": _distinct,
    "count": _count,
    "limit": _limit,
    "dropped condition": _dropped_condition,
    "added condition": _added_condition,
    "set operation": _set_operation,
    "pattern": _pattern,
    "membership": _membership,
    "between": _between,
    "grouping": _grouping,
    "arithmetic": _arithmetic,
}
"""Name to operator. Each yields (node, replacement) pairs for one query block; a replacement of None takes it away."""
