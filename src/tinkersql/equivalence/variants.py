"""Other texts of a gold query: with its order keys, and with everything that it leaves open laid bare.

``ORDER BY price LIMIT 3`` with a tie at the cut, or a bare column beside an aggregate, makes the gold no function of
the data. What a gold allows on a given database is worked out in ``openness``; the queries for that are made here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from tinkersql.equivalence.facts import whole_number
from tinkersql.equivalence.reading import Query
from tinkersql.equivalence.scopes import Scope, local_nodes

KEY_NAME, MARK_NAME = "__order_key_", "__open_"
_POSITIONAL = (exp.RowNumber, exp.Ntile, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)
"""Window functions whose value depends on which of two tied rows comes first."""


@dataclass(frozen=True)
class Variants:
    """Other texts of one gold.

    Attributes:
        keyed: the gold with its outermost order keys as further columns; None when it does not order, or cannot.
        key_places: where in the rows of ``keyed`` the keys are, counted from the end when negative.
        ordered: whether the gold's outermost query orders its result.
        open: whether the gold leaves anything open on some database.
        spread: all rows that the gold may take its result from: its outermost query without LIMIT and OFFSET, with the
            order keys (at ``spread_keys``) and then one mark for each entry of ``marks`` as further columns.
        spread_keys: as ``key_places``, for ``spread``.
        cut: the places in the rows of ``spread`` where the gold's OFFSET and LIMIT cut; None when they do not.
        marks: a mark says 1 in the rows in which a value is arbitrary; here, the columns with that value, or None when
            the order of rows depends on it.
        settled: ``spread`` with all choices inside of it settled in opposite directions. Where the two agree, they
            agree with every other way of settling.
        probes: texts that return a row where something else is open.
    """

    keyed: str | None = None
    key_places: tuple[int, ...] = ()
    ordered: bool = False
    open: bool = False
    spread: str = ""
    spread_keys: tuple[int, ...] = ()
    cut: tuple[int, int] | None = None
    marks: tuple[tuple[int, ...] | None, ...] = ()
    settled: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()


def variants(gold: Query, *, as_run: bool = False) -> Variants:
    """The variants of a gold; an unparsed gold has none.

    ``as_run``: whether a bare column means the value that SQLite happens to pick, rather than any value of its group.
    """
    if gold.tree is None or gold.scope is None:
        return Variants()
    tree, scope = gold.tree, gold.scope
    keyed, places = _keyed(tree)
    order, limit = tree.args.get("order"), tree.args.get("limit")
    cuts = limit is not None and (keyed is not None or order is None)
    found = [] if as_run else _marks(tree, scope, places, cuts)
    by_hand = {id(scope.node)} if cuts or found else set()
    inside = any(
        block.node.args.get("limit") is not None or (not as_run and _bare_columns(block))
        for block in scope.everywhere()
        if id(block.node) not in by_hand
    ) or any(map(_positional, tree.find_all(exp.Window)))
    probes = () if as_run else tuple(_probes(tree, scope))
    if not (cuts or found or inside or probes):
        return Variants(_text(keyed), places, order is not None)

    def spread(of: exp.Query) -> str:
        copy = _keyed(of)[0] or of.copy()
        if cuts:
            copy.set("limit", None)
            copy.set("offset", None)
        marks = [exp.alias_(mark.copy(), f"{MARK_NAME}{number}") for number, (mark, _) in enumerate(found)]
        if marks:
            copy.set("expressions", [*copy.expressions, *marks])
        return copy.sql(dialect="sqlite")

    start, size = whole_number(tree.args.get("offset")), whole_number(limit)
    return Variants(
        _text(keyed),
        places,
        order is not None,
        True,
        spread(tree),
        tuple(place if place >= 0 else place - len(found) for place in places),
        (start, start + size) if cuts else None,
        tuple(where for _, where in found),
        tuple(spread(_settled(tree, scope, by_hand, last, as_run)) for last in (False, True)) if inside else (),
        probes,
    )


def _text(tree: exp.Query | None) -> str | None:
    return tree.sql(dialect="sqlite") if tree is not None else None


def _marks(
    tree: exp.Query, scope: Scope, key_places: tuple[int, ...], cuts: bool
) -> list[tuple[exp.Expr, tuple[int, ...] | None]]:
    """For each value of the outermost SELECT that may be arbitrary, the condition that it is, and where it shows."""
    node = scope.node
    if tree is not node or not isinstance(node, exp.Select) or node.args.get("distinct") is not None:
        return []
    grouped = _is_grouped(node) and len(_extremes(node)) != 1
    bare = {id(column) for column in _bare_columns(scope)}
    order = node.args.get("order")
    found: list[tuple[exp.Expr, tuple[int, ...] | None]] = []
    place = 0
    for item in (*node.expressions, *(order.expressions if isinstance(order, exp.Order) and cuts else ())):
        inner = item.this if isinstance(item, exp.Alias | exp.Ordered) else item
        if inner.is_star and not isinstance(inner, exp.Count):
            columns = _starred(inner, scope) if grouped else []
            found += [(_arbitrary(column), (place + offset,)) for offset, column in enumerate(columns)]
            place += len(columns)
            continue
        where = None if isinstance(item, exp.Ordered) or (cuts and place in key_places) else (place,)
        columns = [column for column in local_nodes(inner) if id(column) in bare]
        if columns and not any(isinstance(part, exp.AggFunc | exp.Window | exp.Query) for part in local_nodes(inner)):
            columns = [inner]
        joined = [part.this for part in local_nodes(inner) if isinstance(part, exp.GroupConcat)]
        columns += [part for part in joined if not isinstance(part, exp.Order | exp.Distinct)]
        found += [(_arbitrary(column), where) for column in columns]
        place += 1
    return found


def _arbitrary(value: exp.Expr) -> exp.Expr:
    """Whether a value is not the same in all rows of a group."""
    lowest, highest = exp.Min(this=value.copy()), exp.Max(this=value.copy())
    apart = exp.Not(this=exp.Is(this=lowest, expression=highest))
    known, rows = exp.Count(this=value.copy()), exp.Count(this=exp.Star())
    some = exp.Not(this=exp.In(this=known, expressions=[exp.Literal.number(0), rows]))
    return exp.Paren(this=exp.Or(this=apart, expression=some))


def _starred(star: exp.Expr, block: Scope) -> list[exp.Column]:
    wanted = star.table.lower() if isinstance(star, exp.Column) else ""
    return [
        exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True))
        for alias, columns in block.sources.items()
        for name in columns
        if not wanted or alias == wanted
    ]


def _probes(tree: exp.Query, scope: Scope) -> Iterator[str]:
    """Queries that return a row where HAVING asks for an arbitrary value, or rows tie for the one MIN or MAX."""
    node = scope.node
    if tree is not node or not isinstance(node, exp.Select) or not _is_grouped(node):
        return
    having, keys = node.args.get("having"), _group_keys(scope)
    plain = node.copy()
    for part in ("group", "having", "order", "limit", "offset", "distinct"):
        plain.set(part, None)
    names = [f"k{number}" for number in range(len(keys))]
    extremes = _extremes(node)
    if len(extremes) == 1:
        values = _free_columns(scope, node.expressions)
        top = extremes[0]
        over = exp.Window(this=top.copy(), partition_by=[key.copy() for key in keys])
        items = [*zip(keys, names, strict=True), (top.this, "v"), (over, "m")]
        items += [(value, f"b{number}") for number, value in enumerate(values)]
        if not values or isinstance(top.this, exp.Distinct):
            return
        plain.set("expressions", [exp.alias_(value.copy(), name) for value, name in items])
        marks = [_arbitrary(exp.column(f"b{number}")) for number in range(len(values))]
        query = exp.select("1").from_(plain.subquery("s")).where("v IS m").group_by(*names, "m").having(exp.or_(*marks))
        yield query.sql(dialect="sqlite")
    elif isinstance(having, exp.Having):
        values = _free_columns(scope, [having])
        if values:
            marks = [_arbitrary(value) for value in values]
            plain.set("expressions", [exp.Literal.number(1)])
            plain = plain.group_by(*(key.copy() for key in keys)).having(exp.or_(*marks))
            yield plain.sql(dialect="sqlite")


def _settled(tree: exp.Query, scope: Scope, by_hand: set[int], last: bool, as_run: bool) -> exp.Query:
    """The tree with tie-breakers behind every ORDER BY that a LIMIT cuts, and bare columns made definite.

    ``by_hand`` holds the identities of the blocks that are left as they are.
    """
    places = {id(node): index for index, node in enumerate(tree.walk())}
    copy = tree.copy()
    twins = list(copy.walk())
    for block in scope.everywhere():
        index = places.get(id(block.node))
        if index is None:
            continue
        twin = twins[index]
        for window in _local_windows(block.node):
            _break_ties(twins[places[id(window)]], _starred(exp.Star(), block), last)
        if id(block.node) in by_hand:
            continue
        for column in () if as_run else _bare_columns(block):
            bare = twins[places[id(column)]]
            bare.replace(_highest(bare) if last else exp.Min(this=bare.copy()))
        if twin.args.get("limit") is not None and isinstance(twin, exp.Query):
            _break_ties(twin, _outputs(twin, block), last)
    return copy


def _highest(value: exp.Expr) -> exp.Expr:
    """The group's largest value, or NULL if the group holds one (which MIN skips)."""
    complete = exp.EQ(this=exp.Count(this=value.copy()), expression=exp.Count(this=exp.Star()))
    return exp.Case(ifs=[exp.If(this=complete, true=exp.Max(this=value.copy()))])


def _local_windows(node: exp.Expr) -> list[exp.Window]:
    """The windows of a block that number rows, where it has rows of its own to number."""
    if not isinstance(node, exp.Select) or _is_grouped(node):
        return []
    parts = [part for item in node.expressions for part in local_nodes(item)]
    return [part for part in parts if isinstance(part, exp.Window) and _positional(part)]


def _positional(node: exp.Window) -> bool:
    """Whether a window's value depends on which of two tied rows comes first."""
    spec = node.args.get("spec")
    in_rows = isinstance(spec, exp.WindowSpec) and str(spec.args.get("kind") or "").upper() == "ROWS"
    return in_rows or any(isinstance(part, _POSITIONAL) for part in node.this.walk())


def _break_ties(node: exp.Expr, breakers: Sequence[exp.Expr], last: bool) -> None:
    order = node.args.get("order")
    keys = [key.copy() for key in order.expressions] if isinstance(order, exp.Order) else []
    keys += [exp.Ordered(this=breaker.copy(), desc=last, nulls_first=not last) for breaker in breakers]
    if keys:
        node.set("order", exp.Order(expressions=keys))


def _outputs(node: exp.Query, block: Scope) -> list[exp.Expr]:
    """What a query returns, to order by."""
    if not isinstance(node, exp.Select) or node.args.get("distinct") is not None:
        return [exp.Literal.number(index + 1) for index in range(len(block.outputs))]
    found: list[exp.Expr] = []
    for item in node.expressions:
        inner = item.this if isinstance(item, exp.Alias) else item
        if inner.is_star and not isinstance(inner, exp.Count):
            found += _starred(inner, block)
        elif not isinstance(inner, exp.Literal):
            found.append(inner)
    return found


def _is_grouped(node: exp.Select) -> bool:
    return node.args.get("group") is not None or any(map(_aggregates, _parts(node)))


def _parts(node: exp.Select) -> list[exp.Expr]:
    order, having = node.args.get("order"), node.args.get("having")
    parts = [*node.expressions, *(order.expressions if isinstance(order, exp.Order) else ())]
    return [*parts, having] if isinstance(having, exp.Having) else parts


def _aggregates(part: exp.Expr) -> list[exp.Expr]:
    return [
        inner
        for inner in local_nodes(part)
        if isinstance(inner, exp.AggFunc) and not isinstance(inner.parent, exp.Window)
    ]


def _extremes(node: exp.Select) -> list[exp.Expr]:
    """The MINs and MAXs of a SELECT; beside a single one, SQLite takes the bare columns from that row.

    See https://www.sqlite.org/lang_select.html#bareagg.
    """
    return [item for part in _parts(node) for item in _aggregates(part) if isinstance(item, exp.Max | exp.Min)]


def _group_keys(block: Scope) -> list[exp.Expr]:
    """What a SELECT groups by, with the places and aliases of its result looked up."""
    node = block.node
    group = node.args.get("group")
    aliases = {item.alias.lower(): item.this for item in node.expressions if isinstance(item, exp.Alias)}
    found = []
    for part in group.expressions if isinstance(group, exp.Group) else ():
        place = whole_number(part)
        if isinstance(part, exp.Literal) and 0 < place <= len(node.expressions):
            part = node.expressions[place - 1]
            part = part.this if isinstance(part, exp.Alias) else part
        elif isinstance(part, exp.Column) and not _is_own(part, block):
            part = aliases.get(part.name.lower(), part)
        found.append(part)
    return found


def _bare_columns(block: Scope) -> list[exp.Column]:
    """Columns of a grouped SELECT's result or order that are neither grouped by nor inside an aggregate.

    Beside a single MIN or MAX none is bare.
    """
    node = block.node
    if not isinstance(node, exp.Select) or not _is_grouped(node) or len(_extremes(node)) == 1:
        return []
    return _free_columns(block, [part for part in _parts(node) if not isinstance(part, exp.Having)])


def _free_columns(block: Scope, parts: list[exp.Expr]) -> list[exp.Column]:
    """The columns in these parts of a grouped SELECT that are neither grouped by nor inside an aggregate."""
    node = block.node
    aliases = {item.alias.lower() for item in node.expressions if isinstance(item, exp.Alias)}
    texts = {key.sql().lower() for key in _group_keys(block)}
    refs = {block.ref(key) for key in _group_keys(block)} - {None}
    found = []
    for part in parts:
        for column in local_nodes(part):
            if not isinstance(column, exp.Column) or isinstance(column.this, exp.Star):
                continue
            if column.find_ancestor(exp.AggFunc, exp.Window, exp.Select) is not node or not _is_own(column, block):
                continue
            if not column.table and column.name.lower() in aliases and part not in node.expressions:
                continue
            if block.ref(column) not in refs and not _is_grouped_by(column, texts):
                found.append(column)
    return found


def _is_own(column: exp.Column, block: Scope) -> bool:
    """Whether a column comes from the block's own FROM, and not from a query around it."""
    name, qualifier = column.name.lower(), column.table.lower()
    return any(name in columns for alias, columns in block.sources.items() if not qualifier or alias == qualifier)


def _is_grouped_by(column: exp.Column, texts: set[str]) -> bool:
    """Whether the column, or an expression around it, is what the query groups by."""
    node: exp.Expr | None = column
    while node is not None and not isinstance(node, exp.Select):
        if node.sql().lower() in texts:
            return True
        node = node.parent
    return False


def _is_made_of(key: exp.Expr, shown: Sequence[exp.Expr]) -> bool:
    """Whether an order key depends on nothing but columns that the result shows, so that DISTINCT stays as it is."""
    columns = [part for part in local_nodes(key) if isinstance(part, exp.Column)]
    plain = not any(isinstance(part, exp.AggFunc | exp.Query | exp.Window) for part in local_nodes(key))
    return plain and all(any(column == item for item in shown) for column in columns)


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
        what = key.this.unnest()
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
        elif fixed and not (tree is first and _is_made_of(what, inner)):
            return None, ()
        else:
            source = inner[match] if match is not None else what
            added.append(exp.alias_(source.copy(), f"{KEY_NAME}{len(added)}"))
            places.append(-len(added))
    if added:
        copy.set("expressions", [*copy.expressions, *added])
    total = len(added)
    return copy, tuple(place if place >= 0 else -place - 1 - total for place in places)
