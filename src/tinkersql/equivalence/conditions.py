"""One spelling for conditions that hold for the same rows, in SQL's logic of true, false and unknown.

The side of a comparison; ``!=`` for ``<>``; the order inside AND, OR and ``=``; NOT carried inwards to the comparisons;
BETWEEN as two comparisons, and two that leave one value as ``=``; IN with a list as comparisons; redundant parentheses;
a repeated condition.
"""

from collections.abc import Sequence

from sqlglot import exp

_LONGEST_LIST = 20
_CONTEXTS = (exp.And, exp.Or, exp.Not, exp.Where, exp.Having, exp.Join, exp.Paren)
"""Where a condition may be written in another way: what stands here is only asked whether it is true."""
_INVERSE: dict[type[exp.Expr], type[exp.Binary]] = {exp.EQ: exp.NEQ, exp.NEQ: exp.EQ}


def conjunction(parts: Sequence[exp.Expr]) -> exp.Expr:
    """The parts joined by AND, each in parentheses if it needs them."""
    closed = [exp.paren(part.copy()) if isinstance(part, exp.Or) else part.copy() for part in parts]
    whole = closed[0]
    for part in closed[1:]:
        whole = exp.And(this=whole, expression=part)
    return whole


def normal(node: exp.Expr) -> exp.Expr:
    """Normalise a tree from the leaves upwards; it may be changed in place."""
    for child in list(node.iter_expressions()):
        changed = normal(child)
        if changed is not child:
            child.replace(changed)
    if isinstance(node, exp.Paren) and not isinstance(node.this, exp.Query):
        return _without_parentheses(node)
    if isinstance(node, exp.GT):
        return exp.LT(this=node.right, expression=node.left)
    if isinstance(node, exp.GTE):
        return exp.LTE(this=node.right, expression=node.left)
    if isinstance(node, exp.Between) and isinstance(node.this, exp.Column) and isinstance(node.parent, _CONTEXTS):
        return _closed(_bounds(node), node.parent)
    if isinstance(node, exp.In) and node.expressions:
        return _listed(node)
    if isinstance(node, exp.Not) and isinstance(node.parent, _CONTEXTS):
        return _closed(_negated(node.this), node.parent)
    if isinstance(node, exp.And | exp.Or):
        # of a long chain only the outermost link is sorted, with all parts at once
        return node if type(node.parent) is type(node) else _sorted_connector(node)
    if isinstance(node, exp.EQ | exp.NEQ):
        return _sorted_sides(node)
    if isinstance(node, exp.Ordered) and not node.args.get("desc"):
        node.set("desc", None)
    if isinstance(node, exp.Join) and str(node.args.get("kind") or "").upper() == "INNER":
        node.set("kind", None)
    return node


def _without_parentheses(node: exp.Paren) -> exp.Expr:
    inner, around = node.this, node.parent
    if not isinstance(inner, exp.Binary | exp.Unary | exp.Predicate):
        return inner
    if isinstance(around, exp.And | exp.Or | exp.Not | exp.Where | exp.Having | exp.Join | None):
        loose = isinstance(inner, exp.Predicate | exp.And) and not isinstance(inner, exp.Or)
        if isinstance(around, exp.Not):
            loose = isinstance(inner, exp.Predicate) and not isinstance(inner, exp.Connector)
        if loose or (isinstance(inner, exp.Or) and isinstance(around, exp.Or | exp.Where | exp.Having | exp.Join)):
            return inner
    return node


def _closed(node: exp.Expr, around: exp.Expr | None) -> exp.Expr:
    """The condition with parentheses if it needs them where it will stand."""
    needs = (isinstance(node, exp.Or) and isinstance(around, exp.And | exp.Not)) or (
        isinstance(node, exp.And) and isinstance(around, exp.Not)
    )
    return exp.paren(node, copy=False) if needs else node


def _bounds(node: exp.Between) -> exp.Expr:
    lower = exp.LTE(this=node.args["low"].copy(), expression=node.this.copy())
    upper = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
    return _sorted_connector(exp.And(this=lower, expression=upper))


def _listed(node: exp.In) -> exp.Expr:
    """``c IN (1, 2)`` as ``c = 1 OR c = 2``; a list of other things than constants is only sorted."""
    constants = all(isinstance(item, exp.Literal) for item in node.expressions)
    simple = isinstance(node.this, exp.Column) and constants and len(node.expressions) <= _LONGEST_LIST
    if not simple or not isinstance(node.parent, _CONTEXTS):
        node.set("expressions", sorted(node.expressions, key=lambda item: item.sql()))
        return node
    parts = [_sorted_sides(exp.EQ(this=node.this.copy(), expression=item.copy())) for item in node.expressions]
    whole = parts[0]
    for part in parts[1:]:
        whole = exp.Or(this=whole, expression=part)
    return _closed(_sorted_connector(whole) if len(parts) > 1 else whole, node.parent)


def _negated(node: exp.Expr) -> exp.Expr:
    """The opposite of a condition that is in normal form; unknown stays unknown."""
    node = node.unnest()
    if isinstance(node, exp.Not) and isinstance(node.this.unnest(), exp.Predicate):
        return node.this.unnest().copy()
    if isinstance(node, exp.LT):
        return exp.LTE(this=node.right.copy(), expression=node.left.copy())
    if isinstance(node, exp.LTE):
        return exp.LT(this=node.right.copy(), expression=node.left.copy())
    if inverse := _INVERSE.get(type(node)):
        return inverse(this=node.this.copy(), expression=node.args["expression"].copy())
    if isinstance(node, exp.And | exp.Or):
        opposite = exp.Or if isinstance(node, exp.And) else exp.And
        parts = [_closed(_negated(part), opposite()) for part in node.flatten()]
        whole = parts[0]
        for part in parts[1:]:
            whole = opposite(this=whole, expression=part)
        return _sorted_connector(whole)
    return exp.Not(this=node.copy())


def _sorted_sides(node: exp.Expr) -> exp.Expr:
    one, other = node.this, node.args["expression"]
    return type(node)(this=other, expression=one) if one.sql() > other.sql() else node


def _sorted_connector(node: exp.Expr) -> exp.Expr:
    kind = type(node)
    parts = {part.sql(): part for part in node.flatten(unnest=False)}  # an OR inside AND keeps its parentheses
    if kind is exp.And:
        for part in [part for part in parts.values() if isinstance(part, exp.LTE)]:
            turned = exp.LTE(this=part.right, expression=part.left).sql()
            if turned in parts and part.sql() in parts and turned != part.sql():
                del parts[turned], parts[part.sql()]
                equal = _sorted_sides(exp.EQ(this=part.left.copy(), expression=part.right.copy()))
                parts[equal.sql()] = equal
    ordered = [parts[text] for text in sorted(parts)]
    if len(ordered) == 1 and not isinstance(ordered[0], exp.Predicate | exp.Paren | exp.Not):
        return node  # a AND a is 0 or 1, where a is any value
    result = ordered[0].copy()
    for part in ordered[1:]:
        result = kind(this=result, expression=part.copy())
    return result
