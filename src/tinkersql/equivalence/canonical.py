"""One spelling for queries that differ only in names, order of conditions and the like: a proof of equivalence.

The form may only ever be used to accept. Each step is safe in every database, with NULLs and duplicates: aliases and
letter case of names, ``!=`` for ``<>``, the order inside AND, OR, IN and ``=``, the side of a comparison, BETWEEN as
two comparisons, redundant parentheses, a repeated condition, ASC, and INNER.
"""

from sqlglot import exp

from tinkersql.equivalence.reading import Query
from tinkersql.equivalence.scopes import Scope

_CONDITIONS = (exp.And, exp.Or, exp.Where, exp.Having, exp.Join, exp.Paren)
"""Where two comparisons may stand in the place of a BETWEEN without parentheses around them."""


def canonical(query: Query) -> str | None:
    """The canonical text, or None when the query was not parsed or has names that cannot be followed."""
    if query.tree is None or query.scope is None:
        return None
    tree = query.tree.copy()
    twins = dict(zip((id(node) for node in query.tree.walk()), tree.walk(), strict=True))
    if any(node.args.get("order") for node in tree.find_all(exp.SetOperation)):
        return None  # it orders by names of the first branch, which renaming would lose
    named: dict[int, str] = {}
    for block in query.scope.everywhere():
        if block.derived:
            return None  # derived tables and common table expressions are left to the databases
        for number in block.slots:
            named[number] = f"t{len(named)}"
    for block in query.scope.everywhere():
        if isinstance(block.node, exp.Select) and id(block.node) in twins:
            _rename(block, twins, named)
    return _normal(tree).sql(dialect="sqlite", normalize_functions="upper", comments=False)


def _rename(block: Scope, twins: dict[int, exp.Expr], named: dict[int, str]) -> None:
    aliases: dict[str, exp.Expr] = {}
    for item in block.node.expressions:
        if isinstance(item, exp.Alias):
            aliases.setdefault(item.alias.lower(), item.this)
    # A bare ORDER BY term is a projection's alias first, and only then a column of the tables.
    order = block.node.args.get("order")
    terms = [term.this for term in order.expressions if isinstance(term, exp.Ordered)] if order else []
    by_alias = {
        id(term) for term in terms if isinstance(term, exp.Column) and not term.table and term.name.lower() in aliases
    }
    for key, ref in block.refs.items():
        column = twins.get(key)
        if isinstance(column, exp.Column) and ref is not None and key not in by_alias:
            column.replace(exp.column(ref[1], table=named[ref[0]]))
    twin = twins[id(block.node)]
    for item in list(twin.expressions):
        if isinstance(item, exp.Alias):
            item.replace(item.this)
    for number, alias in zip(block.slots, block.sources, strict=False):
        for table in twin.find_all(exp.Table):
            if table.alias_or_name.lower() == alias and table.parent_select is twin:
                table.replace(
                    exp.alias_(exp.to_table(f'"{block.slots[number].name.lower()}"'), named[number], table=True)
                )
    for order in twin.find_all(exp.Ordered):
        column = order.this
        if order.parent_select is twin and isinstance(column, exp.Column) and not column.table:
            source = aliases.get(column.name.lower())
            if source is not None and id(source) in twins:
                column.replace(twins[id(source)].copy())


def _normal(node: exp.Expr) -> exp.Expr:
    """Normalise from the leaves upwards."""
    for child in list(node.iter_expressions()):
        changed = _normal(child)
        if changed is not child:
            child.replace(changed)
    if isinstance(node, exp.Paren) and not isinstance(node.this, exp.Query):
        return node.this if not isinstance(node.this, exp.Binary | exp.Unary) or _boolean_context(node) else node
    if isinstance(node, exp.GT):
        return exp.LT(this=node.right, expression=node.left)
    if isinstance(node, exp.GTE):
        return exp.LTE(this=node.right, expression=node.left)
    if isinstance(node, exp.Between) and isinstance(node.this, exp.Column) and isinstance(node.parent, _CONDITIONS):
        lower = exp.LTE(this=node.args["low"], expression=node.this.copy())
        upper = exp.LTE(this=node.this, expression=node.args["high"])
        return _sorted_connector(exp.And(this=lower, expression=upper))
    if isinstance(node, exp.And | exp.Or):
        return _sorted_connector(node)
    if isinstance(node, exp.EQ | exp.NEQ) and node.left.sql() > node.right.sql():
        return type(node)(this=node.right, expression=node.left)
    if isinstance(node, exp.In) and node.expressions:
        node.set("expressions", sorted(node.expressions, key=lambda item: item.sql()))
    if isinstance(node, exp.Ordered) and not node.args.get("desc"):
        node.set("desc", None)
    if isinstance(node, exp.Join) and str(node.args.get("kind") or "").upper() == "INNER":
        node.set("kind", None)
    return node


def _boolean_context(node: exp.Paren) -> bool:
    """Whether parentheses may go because what is around them is a condition and not arithmetic."""
    return isinstance(node.parent, exp.And | exp.Or | exp.Where | exp.Having | exp.Join | None) and isinstance(
        node.this, exp.Predicate | exp.And
    )


def _sorted_connector(node: exp.Expr) -> exp.Expr:
    kind = type(node)
    parts = {part.sql(): part for part in node.flatten(unnest=False)}  # an OR inside AND keeps its parentheses
    ordered = [parts[text] for text in sorted(parts)]
    result = ordered[0].copy()
    for part in ordered[1:]:
        result = kind(this=result, expression=part.copy())
    return result
