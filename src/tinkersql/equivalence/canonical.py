"""One spelling for queries that differ only in names, order of conditions and the like: a proof of equivalence.

The form may only ever be used to accept. Each step is safe in every database, with NULLs and duplicates: aliases and
letter case of names, the order of inner joins and whether their conditions stand in ON or WHERE, what ``conditions``
does, COUNT of a constant, ASC. One step needs that a column never holds NULL: COUNT of it is COUNT(*).
"""

from collections.abc import Callable

from sqlglot import exp

from tinkersql.equivalence.conditions import conjunction, normal
from tinkersql.equivalence.reading import Query
from tinkersql.equivalence.scopes import Scope

_ONE_LEVEL = (exp.EQ, exp.NEQ, exp.Is, exp.Like, exp.In, exp.Between)


def canonical(query: Query, never_null: Callable[[str, str], bool] = lambda table, column: False) -> str | None:
    """The canonical text, or None when the query was not parsed or has names that cannot be followed.

    Args:
        query: the query.
        never_null: whether a column, given as table and name in lower case, holds no NULL in any database.
    """
    if query.tree is None or query.scope is None:
        return None
    tree = query.tree.copy()
    twins = dict(zip((id(node) for node in query.tree.walk()), tree.walk(), strict=True))
    if any(map(_is_beyond, tree.walk())):
        return None
    named: dict[int, str] = {}
    for block in query.scope.everywhere():
        if block.derived or len(block.slots) != len(block.sources) or _uses_aliases(block, twins):
            return None  # derived tables and common table expressions are left to the databases
        for number in sorted(block.slots, key=lambda number: (block.slots[number].name.lower(), number)):
            named[number] = f"t{len(named)}"
    for block in query.scope.everywhere():
        if isinstance(block.node, exp.Select) and id(block.node) in twins:
            _count_rows(block, twins, never_null)
            _rename(block, twins, named)
            _join_in_one_order(block, twins)
    return normal(tree).sql(dialect="sqlite", normalize_functions="upper", comments=False)


def _is_beyond(node: exp.Expr) -> bool:
    """Whether a form would lose something: these are left to the databases."""
    if isinstance(node, exp.Collate) or (isinstance(node, exp.Column) and node.is_star):
        return True
    if isinstance(node, exp.SetOperation):
        return node.args.get("order") is not None  # by names of the first branch
    if isinstance(node, exp.Join):
        outer = str(node.args.get("side") or "").upper() in ("RIGHT", "FULL")
        return outer and bool(node.args.get("using") or node.args.get("method"))
    # SQLite gives these one precedence, the parser does not.
    return isinstance(node, _ONE_LEVEL) and any(
        isinstance(node.args.get(key), _ONE_LEVEL) for key in ("this", "expression")
    )


def _ordered_by_alias(block: Scope) -> set[int]:
    """The identities of the columns that are bare ORDER BY terms and a projection's alias."""
    aliases = {item.alias.lower() for item in block.node.expressions if isinstance(item, exp.Alias)}
    order = block.node.args.get("order")
    terms = [term.this.unnest() for term in order.expressions if isinstance(term, exp.Ordered)] if order else []
    return {
        id(term) for term in terms if isinstance(term, exp.Column) and not term.table and term.name.lower() in aliases
    }


def _uses_aliases(block: Scope, twins: dict[int, exp.Expr]) -> bool:
    """Whether a name means a projection's alias elsewhere than as a bare ORDER BY term."""
    if not isinstance(block.node, exp.Select):
        return False
    by_alias = _ordered_by_alias(block)
    return any(ref is None and key in twins and key not in by_alias for key, ref in block.refs.items())


def _rename(block: Scope, twins: dict[int, exp.Expr], named: dict[int, str]) -> None:
    aliases: dict[str, int] = {}
    for place, item in enumerate(block.node.expressions):
        if isinstance(item, exp.Alias):
            aliases.setdefault(item.alias.lower(), place)
    # A bare ORDER BY term is a projection's alias first, and only then a column of the tables.
    by_alias = _ordered_by_alias(block)
    for key, ref in block.refs.items():
        column = twins.get(key)
        if isinstance(column, exp.Column) and ref is not None and key not in by_alias:
            column.replace(exp.column(ref[1], table=named[ref[0]]))
    twin = twins[id(block.node)]
    for item in list(twin.expressions):
        if isinstance(item, exp.Alias):
            item.replace(item.this)
    for number, alias in zip(block.slots, block.sources, strict=True):
        for table in twin.find_all(exp.Table):
            if table.alias_or_name.lower() == alias and table.parent_select is twin:
                table.replace(
                    exp.alias_(exp.to_table(f'"{block.slots[number].name.lower()}"'), named[number], table=True)
                )
    for order in twin.find_all(exp.Ordered):
        column = order.this.unnest()
        if order.parent_select is twin and isinstance(column, exp.Column) and not column.table:
            place = aliases.get(column.name.lower())
            if place is not None:
                column.replace(twin.expressions[place].copy())


def _count_rows(block: Scope, twins: dict[int, exp.Expr], never_null: Callable[[str, str], bool]) -> None:
    """COUNT(*) for COUNT of a constant, and of a column that never holds NULL."""
    outer = any(join.args.get("side") for join in block.node.args.get("joins") or [])
    for node in block.node.find_all(exp.Count):
        twin = twins.get(id(node))
        if node.parent_select is not block.node or twin is None:
            continue
        ref = block.ref(node.this) if isinstance(node.this, exp.Column) and not outer else None
        table = block.slots.get(ref[0]) if ref else None
        full = ref is not None and table is not None and never_null(table.name.lower(), ref[1])
        if full or isinstance(node.this, exp.Literal):
            twin.this.pop()  # the column must not be found and renamed any more
            twin.set("this", exp.Star())


def _join_in_one_order(block: Scope, twins: dict[int, exp.Expr]) -> None:
    """Tables that are joined by inner joins in the order of their names, with all conditions in WHERE."""
    twin, joins = twins[id(block.node)], block.node.args.get("joins") or []
    names = [table.name.lower() for table in block.slots.values()]
    plain = all(
        isinstance(join.this, exp.Table)
        and not any(join.args.get(key) for key in ("side", "using", "method"))
        and str(join.args.get("kind") or "").upper() in ("", "INNER", "CROSS")
        for join in joins
    )
    # SELECT * shows the columns in the order of the tables; a table joined to itself has no order by name.
    star = any(item.is_star for item in block.node.expressions if not isinstance(item.unalias(), exp.Count))
    from_ = twin.args.get("from_")
    if not joins or not plain or star or len(set(names)) < len(names) or not isinstance(from_, exp.From):
        return
    if len(names) != len(joins) + 1 or from_.this.args.get("joins"):
        return
    conditions = [join.args["on"] for join in twin.args["joins"] if join.args.get("on") is not None]
    where = twin.args.get("where")
    conditions += [where.this] if isinstance(where, exp.Where) else []
    tables = sorted((from_.this, *(join.this for join in twin.args["joins"])), key=lambda table: table.alias)
    twin.set("from_", exp.From(this=tables[0]))
    twin.set("joins", [exp.Join(this=table) for table in tables[1:]])
    twin.set("where", exp.Where(this=conjunction(conditions)) if conditions else None)
