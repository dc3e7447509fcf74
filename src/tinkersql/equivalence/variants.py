"""Variants of a gold query that settle what the gold leaves open.

``ORDER BY price LIMIT 3`` with a tie at the cut, or a bare column beside an aggregate, makes the gold no function of
the data. Two variants settle every such choice in opposite directions: all ties towards the smallest output, and all
towards the largest. Where they agree, every other way of settling agrees with them, because the smallest and the
largest choice among tied rows are the same only if all tied rows are. Where they do not, the database proves nothing.
"""

from dataclasses import dataclass

from sqlglot import exp

from tinkersql.equivalence.facts import whole_number
from tinkersql.equivalence.reading import Query
from tinkersql.equivalence.scopes import Scope, local_nodes

KEY_NAME = "__order_key_"


@dataclass(frozen=True)
class Variants:
    """Other texts of one gold.

    Attributes:
        lowest, highest: the two opposite ways to settle what the gold leaves open; None when it leaves nothing open.
        keyed: the gold with its outermost order keys as further columns; None when it does not order, or cannot.
        key_places: where in the rows of ``keyed`` the keys are.
        ordered: whether the gold's outermost query orders its result.
        uncut: ``keyed`` up to one row beyond the outermost LIMIT; None when there is no such LIMIT.
        cuts: the places in the rows of ``uncut`` where LIMIT and OFFSET cut: a tie across one leaves the result open.
        only_bare: whether bare columns are all that the gold leaves open, so that its number of rows is certain.
    """

    lowest: str | None = None
    highest: str | None = None
    keyed: str | None = None
    key_places: tuple[int, ...] = ()
    ordered: bool = False
    uncut: str | None = None
    cuts: tuple[int, ...] = ()
    only_bare: bool = False


def variants(gold: Query) -> Variants:
    """The variants of a gold; an unparsed gold has none."""
    if gold.tree is None or gold.scope is None:
        return Variants()
    lowest = highest = None
    if _leaves_open(gold.scope):
        lowest, highest = (_settled(gold.tree, gold.scope, descending) for descending in (False, True))
    keyed, places = _keyed(gold.tree)
    ordered = gold.tree.args.get("order") is not None
    uncut, cuts = _uncut(keyed)
    text = keyed.sql(dialect="sqlite") if keyed is not None else None
    only_bare = not any(
        block.branches or block.node.args.get("limit") or block.node.args.get("distinct")
        for block in gold.scope.everywhere()
    )
    return Variants(lowest, highest, text, places, ordered, uncut, cuts, only_bare)


def _uncut(keyed: exp.Query | None) -> tuple[str | None, tuple[int, ...]]:
    """The ordered query up to one row beyond its LIMIT, without its OFFSET; and the places of both cuts."""
    limit = keyed.args.get("limit") if keyed is not None else None
    if keyed is None or limit is None:
        return None, ()
    size, skipped = whole_number(limit), whole_number(keyed.args.get("offset"))
    copy = keyed.copy()
    copy.set("offset", None)
    copy = copy.limit(size + skipped + 1, copy=False)
    return copy.sql(dialect="sqlite"), (skipped, skipped + size)


def _leaves_open(scope: Scope) -> bool:
    return any(block.node.args.get("limit") is not None or _bare_columns(block) for block in scope.everywhere())


def _settled(tree: exp.Query, scope: Scope, descending: bool) -> str:
    """The text with tie-breakers behind every ORDER BY that a LIMIT cuts, and bare columns made definite."""
    places = {id(node): index for index, node in enumerate(tree.walk())}
    copy = tree.copy()
    twins = list(copy.walk())
    for block in scope.everywhere():
        index = places.get(id(block.node))
        if index is None:
            continue
        twin = twins[index]
        for column in _bare_columns(block):
            bare = twins[places[id(column)]]
            bare.replace((exp.Max if descending else exp.Min)(this=bare.copy()))
        if twin.args.get("limit") is not None and isinstance(twin, exp.Query):
            _break_ties(twin, block, descending)
    return copy.sql(dialect="sqlite")


def _break_ties(node: exp.Query, block: Scope, descending: bool) -> None:
    order = node.args.get("order")
    keys = [key.copy() for key in order.expressions] if isinstance(order, exp.Order) else []
    breakers: list[exp.Expr] = []
    if isinstance(node, exp.Select) and node.args.get("distinct") is None:
        for item in node.expressions:
            inner = item.this if isinstance(item, exp.Alias) else item
            if isinstance(inner, exp.Star) or (isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)):
                wanted = inner.table.lower() if isinstance(inner, exp.Column) else ""
                breakers += [
                    exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True))
                    for alias, columns in block.sources.items()
                    for name in columns
                    if not wanted or alias == wanted
                ]
            elif not isinstance(inner, exp.Literal):
                breakers.append(inner.copy())
    else:
        breakers = [exp.Literal.number(index + 1) for index in range(len(block.outputs))]
    keys += [exp.Ordered(this=breaker, desc=descending, nulls_first=not descending) for breaker in breakers]
    if keys:
        node.set("order", exp.Order(expressions=keys))


def _bare_columns(block: Scope) -> list[exp.Column]:
    """Columns of a grouped SELECT's result or order that are neither grouped by nor inside an aggregate.

    A single MIN or MAX is left alone: SQLite then takes the bare columns from that row, by its documentation.
    """
    node = block.node
    if not isinstance(node, exp.Select):
        return []
    order = node.args.get("order")
    parts = [*node.expressions, *(order.expressions if isinstance(order, exp.Order) else ())]
    aggregates = [
        inner
        for part in (*parts, node.args.get("having"))
        if part is not None
        for inner in local_nodes(part)
        if isinstance(inner, exp.AggFunc) and not isinstance(inner.parent, exp.Window)
    ]
    group = node.args.get("group")
    if group is None and not aggregates:
        return []
    if sum(isinstance(item, exp.Max | exp.Min) for item in aggregates) == 1:
        return []
    grouped = {part.sql().lower() for part in group.expressions} if isinstance(group, exp.Group) else set()
    refs = {block.ref(part) for part in group.expressions} - {None} if isinstance(group, exp.Group) else set()
    aliases = {item.alias.lower() for item in node.expressions if isinstance(item, exp.Alias)}
    if isinstance(group, exp.Group) and any(isinstance(part, exp.Literal) for part in group.expressions):
        return []  # GROUP BY 1: which column that is would have to be worked out
    found = []
    for part in parts:
        for column in local_nodes(part):
            if not isinstance(column, exp.Column) or isinstance(column.this, exp.Star):
                continue
            if column.sql().lower() in grouped or block.ref(column) in refs or block.ref(column) is None:
                continue
            if column.find_ancestor(exp.AggFunc, exp.Window, exp.Select) is not node:
                continue
            if not column.table and column.name.lower() in aliases and part not in node.expressions:
                continue
            found.append(column)
    return found


def _keyed(tree: exp.Query) -> tuple[exp.Query | None, tuple[int, ...]]:
    """The query with its order keys as columns, and their places; DISTINCT and set operations must have them."""
    order = tree.args.get("order")
    if not isinstance(order, exp.Order):
        return None, ()
    first = tree
    while isinstance(first, exp.SetOperation | exp.Subquery):
        first = first.left if isinstance(first, exp.SetOperation) else first.this
    if not isinstance(first, exp.Select):
        return None, ()
    names = [item.alias_or_name.lower() for item in first.expressions]
    inner = [item.this if isinstance(item, exp.Alias) else item for item in first.expressions]
    star = any(item.is_star for item in inner if not isinstance(item, exp.Count))
    fixed = tree is not first or tree.args.get("distinct") is not None
    copy, added, places = tree.copy(), [], []
    for key in order.expressions:
        what = key.this
        if isinstance(what, exp.Literal) and what.is_int:
            places.append(int(what.name) - 1)
            continue
        match = None
        if isinstance(what, exp.Column) and not what.table and what.name.lower() in names:
            match = names.index(what.name.lower())
        elif any(item == what for item in inner):
            match = next(index for index, item in enumerate(inner) if item == what)
        if match is not None and not star:
            places.append(match)
        elif fixed:
            return None, ()
        else:
            source = inner[match] if match is not None else what
            added.append(exp.alias_(source.copy(), f"{KEY_NAME}{len(added)}"))
            places.append(-len(added))
    if added:
        copy.set("expressions", [*copy.expressions, *added])
    total = len(added)
    return copy, tuple(place if place >= 0 else -place - 1 - total for place in places)
