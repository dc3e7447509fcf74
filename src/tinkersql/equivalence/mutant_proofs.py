"""Mutants that mean the same as their gold: recognised by named rules, each a proof under the keys that hold.

Whatever no rule covers counts as alive, even if a person would see that it is the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from tinkersql.equivalence.facts import equated_pairs
from tinkersql.equivalence.keys import ColumnName, Keys
from tinkersql.equivalence.mutants import Mutant
from tinkersql.equivalence.scopes import Ref, Scope, local_nodes


@dataclass(frozen=True)
class World:
    """What holds in every database: the keys and references, which columns may hold NULL, and whether order counts.

    The outermost order does not count where its keys cannot be seen in the result, as with SELECT DISTINCT.
    """

    keys: Keys
    nullable: frozenset[ColumnName]
    order_counts: bool = True


def proof(mutant: Mutant, world: World) -> str | None:
    """The name of the rule by which the mutant means the same as the gold, or None."""
    return next((name for name, rule in RULES.items() if rule(mutant, world)), None)


def _one_row(mutant: Mutant, _: World) -> bool:
    """A query that only aggregates returns one row, however it is ordered, limited or made distinct."""
    node = mutant.block.node
    if not isinstance(node, exp.Select) or node.args.get("group") or node.args.get("having"):
        return False
    aggregates = any(isinstance(part, exp.AggFunc) for item in node.expressions for part in local_nodes(item))
    return aggregates and _only_arranges(mutant) and not any(node.find_all(exp.Window))


def _key_lookup(mutant: Mutant, world: World) -> bool:
    """Where the key equals a constant there is at most one row, and MAX, MIN and its value are the same."""
    block = mutant.block
    where = block.node.args.get("where") if isinstance(block.node, exp.Select) else None
    if len(block.slots) != 1 or len(block.sources) != 1 or not isinstance(where, exp.Where):
        return False
    condition = where.this.unnest()
    parts = list(condition.flatten()) if isinstance(condition, exp.And) else [condition]
    pinned = set()
    for part in parts:
        if isinstance(part, exp.EQ) and isinstance(part.right, exp.Literal) and part is not mutant.node:
            pinned |= {ref[1] for ref in [block.ref(part.left)] if ref}
    ((_, table),) = block.slots.items()
    if not any(set(names) <= pinned for names in world.keys.unique[table.name.lower()]):
        return False
    if any(part is mutant.node for where_part in parts for part in where_part.walk()):
        return False
    extremes = isinstance(mutant.node, exp.Max | exp.Min) and isinstance(mutant.changed, exp.Max | exp.Min)
    return _only_arranges(mutant) or extremes or (mutant.operator == "distinct" and not _has_group(block))


def _distinct_groups(mutant: Mutant, _: World) -> bool:
    """Groups differ in what they are grouped by: where the result shows all of that, DISTINCT changes nothing."""
    group = mutant.block.node.args.get("group")
    if not _is_select_distinct(mutant) or not isinstance(group, exp.Group) or not group.expressions:
        return False
    shown = _shown(mutant.block)
    return all(mutant.block.refs.get(id(item.unnest())) in shown for item in group.expressions)


def _distinct_key(mutant: Mutant, world: World) -> bool:
    """Rows that show a key of every table differ; a key counted or summed without repetition has none."""
    block = mutant.block
    if mutant.operator != "distinct" or _has_group(block) or block.derived or len(block.slots) != len(block.sources):
        return False
    if _is_select_distinct(mutant):
        shown = _with_equals(block, _shown(block))
        return bool(block.slots) and all(_has_key(slot, shown, block, world) for slot in block.slots)
    inner = mutant.node.this if isinstance(mutant.node, exp.AggFunc) else None
    column = inner.expressions[0] if isinstance(inner, exp.Distinct) else inner
    ref = block.ref(column)
    return ref is not None and len(block.slots) == 1 and _has_key(ref[0], {ref}, block, world)


def _key_of_group(mutant: Mutant, world: World) -> bool:
    """What is grouped by besides a table's key, out of the same table, splits no group."""
    block, group = mutant.block, mutant.node.parent
    ref = block.ref(mutant.node)
    if not isinstance(group, exp.Group) or ref is None or ref[0] not in block.slots:
        return False
    others = {block.ref(item) for item in group.expressions if item is not mutant.node} - {None}
    changed = block.ref(mutant.changed) or _own_column(mutant.changed, block)
    same_table = mutant.changed is None or (changed is not None and changed[0] == ref[0])
    return same_table and _has_key(ref[0], {item for item in others if item}, block, world)


def _count_not_null(mutant: Mutant, world: World) -> bool:
    """COUNT of any column that never holds NULL counts the rows."""
    counted = mutant.node if isinstance(mutant.node, exp.Count) else mutant.node.parent
    if not isinstance(counted, exp.Count) or mutant.operator not in ("count", "column") or _has_outer_join(mutant):
        return False
    columns = [part for part in (mutant.node, mutant.changed) if part is not None]
    columns = [part.this if isinstance(part, exp.Count) else part for part in columns]
    return all(isinstance(part, exp.Star) or _never_null(part, mutant.block, world) for part in columns)


def _never_null(node: exp.Expr, block: Scope, world: World) -> bool:
    if not isinstance(node, exp.Column):
        return False
    ref = block.ref(node) or _own_column(node, block)
    return ref is not None and ref[0] in block.slots and (_table(block, ref), ref[1]) not in world.nullable


def _own_column(node: exp.Expr | None, block: Scope) -> Ref | None:
    """What a column that an operator made means: it names one of the block's tables, or the only one that has it."""
    if not isinstance(node, exp.Column):
        return None
    name, qualifier = node.name.lower(), node.table.lower()
    found = [columns[name] for alias, columns in block.sources.items() if name in columns and qualifier in ("", alias)]
    return found[0] if found else None


def _reference_join(mutant: Mutant, world: World) -> bool:
    """A reference that is never NULL always finds its row, so LEFT changes nothing."""
    if mutant.operator != "join" or not isinstance(mutant.node, exp.Join) or _has_outer_join(mutant):
        return False
    pairs = _joined_columns(mutant.node, mutant.block)
    if len(pairs) != 1:
        return False
    inside = _joined_slot(mutant.node, mutant.block)
    for child, parent in (pairs[0], pairs[0][::-1]):
        name, target = (_table(mutant.block, child), child[1]), (_table(mutant.block, parent), parent[1])
        if parent[0] == inside and world.keys.references.get(name) == target and name not in world.nullable:
            return True
    return False


def _null_rejected(mutant: Mutant, _: World) -> bool:
    """A later condition that fails on NULL takes away the rows that LEFT would add."""
    if mutant.operator != "join" or not isinstance(mutant.node, exp.Join):
        return False
    block, inside = mutant.block, _joined_slot(mutant.node, mutant.block)
    joins = block.node.args.get("joins") or []
    later = [join for join in joins[joins.index(mutant.node) + 1 :] if not join.args.get("side")]
    where = block.node.args.get("where")
    conditions = [join.args.get("on") for join in later] + [where.this if isinstance(where, exp.Where) else None]
    for condition in conditions:
        condition = condition.unnest() if condition is not None else None
        for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
            part = part.unnest() if isinstance(part, exp.Expr) else None
            operands: list[exp.Expr] = []
            if isinstance(part, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE | exp.Like):
                operands = [part.this, part.expression]
            elif isinstance(part, exp.Between | exp.In):
                operands = [part.this]
            if any((ref := block.ref(operand)) and ref[0] == inside for operand in operands):
                return True
    return False


def _repetition(mutant: Mutant, _: World) -> bool:
    """IN, EXISTS and the sides of a set operation other than UNION ALL do not care how often a row occurs."""
    node = mutant.block.node
    if node.args.get("limit") is not None:
        return False
    holder = _holder(node)
    in_set = isinstance(holder, exp.SetOperation) and holder.args.get("distinct") is not False
    if not (isinstance(holder, exp.In | exp.Exists) or in_set):
        return False
    union = isinstance(mutant.node, exp.Union) and isinstance(mutant.changed, exp.Union)
    return _is_select_distinct(mutant) or (union and mutant.node is node)


def _inner_order(mutant: Mutant, _: World) -> bool:
    """The order inside of IN, EXISTS or a set operation does not reach the outside where nothing cuts it."""
    node = mutant.block.node
    order = mutant.node if isinstance(mutant.node, exp.Order) else mutant.node.parent
    own = mutant.operator in ("order", "direction") and order is node.args.get("order")
    return own and node.args.get("limit") is None and isinstance(_holder(node), exp.In | exp.Exists | exp.SetOperation)


def _unseen_order(mutant: Mutant, world: World) -> bool:
    """An order by what the result does not show is left open, and not compared."""
    node = mutant.block.node
    order = mutant.node if isinstance(mutant.node, exp.Order) else mutant.node.find_ancestor(exp.Order, exp.Query)
    outermost = node.parent is None and node.args.get("limit") is None
    return not world.order_counts and outermost and order is not None and order is node.args.get("order")


def _first_row(mutant: Mutant, _: World) -> bool:
    """A subquery that stands for one value is its first row, however many more it has."""
    scalar = isinstance(_holder(mutant.block.node), exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE)
    return scalar and mutant.operator == "limit" and isinstance(mutant.node, exp.Limit)


_SAME_AGAINST_EXTREME = {
    exp.Min: ({exp.EQ, exp.LTE}, {exp.GT, exp.NEQ}),
    exp.Max: ({exp.EQ, exp.GTE}, {exp.LT, exp.NEQ}),
}


def _extreme(mutant: Mutant, _: World) -> bool:
    """No value is smaller than the smallest of its own column, nor larger than the largest."""
    node, changed = mutant.node, mutant.changed
    if mutant.operator != "comparison" or not isinstance(node, exp.Binary) or changed is None:
        return False
    ref, query = mutant.block.ref(node.left), node.right.unnest()
    inner = mutant.block.subqueries.get(id(node.right)) or mutant.block.subqueries.get(id(query))
    if ref is None or ref[0] not in mutant.block.slots or inner is None or len(inner.slots) != 1:
        return False
    plain = isinstance(inner.node, exp.Select) and not any(
        inner.node.args.get(key) for key in ("where", "group", "having", "joins", "limit", "distinct")
    )
    if not plain or len(inner.node.expressions) != 1:
        return False
    item = inner.node.expressions[0].unalias()
    found = inner.ref(item.this) if isinstance(item, exp.Max | exp.Min) else None
    if found is None or found[0] not in inner.slots:
        return False
    same_column = found[1] == ref[1] and _table(inner, found) == _table(mutant.block, ref)
    return same_column and any({type(node), type(changed)} <= kinds for kinds in _SAME_AGAINST_EXTREME[type(item)])


RULES: dict[str, Callable[[Mutant, World], bool]] = {
    "one row": _one_row,
    "key lookup": _key_lookup,
    "distinct groups": _distinct_groups,
    "distinct key": _distinct_key,
    "key of the group": _key_of_group,
    "count without NULL": _count_not_null,
    "reference join": _reference_join,
    "NULL rejected": _null_rejected,
    "repetition does not count": _repetition,
    "inner order": _inner_order,
    "unseen order": _unseen_order,
    "first row": _first_row,
    "extreme of its own column": _extreme,
}


# --- what the rules ask --------------------------------------------------------------------------------------------


def _only_arranges(mutant: Mutant) -> bool:
    """Whether the change is one of order, of rows beyond the first, or of DISTINCT for the whole SELECT."""
    if mutant.operator in ("order", "direction") or _is_select_distinct(mutant):
        return mutant.block.node.args.get("offset") is None
    return (
        mutant.operator == "limit" and isinstance(mutant.node, exp.Limit) and not mutant.block.node.args.get("offset")
    )


def _is_select_distinct(mutant: Mutant) -> bool:
    dropped = isinstance(mutant.node, exp.Distinct) and isinstance(mutant.node.parent, exp.Select)
    return mutant.operator == "distinct" and (dropped or isinstance(mutant.node, exp.Select))


def _shown(block: Scope) -> set[Ref]:
    """The stored columns that a SELECT's result shows as they are."""
    items = [item.unalias().unnest() for item in block.node.expressions]
    return {ref for item in items if isinstance(item, exp.Column) and (ref := block.refs.get(id(item)))}


def _has_group(block: Scope) -> bool:
    return block.node.args.get("group") is not None


def _has_outer_join(mutant: Mutant) -> bool:
    """Whether a join of the block, other than the changed one, may add rows of NULLs."""
    joins = mutant.block.node.args.get("joins") or []
    return any(join.args.get("side") for join in joins if join is not mutant.node)


def _table(block: Scope, ref: Ref) -> str:
    return block.slots[ref[0]].name.lower()


def _has_key(slot: int, shown: set[Ref], block: Scope, world: World) -> bool:
    names = {name for number, name in shown if number == slot}
    table = block.slots[slot].name.lower()
    return any(set(key) <= names and not _may_be_null(table, key, world) for key in world.keys.unique[table])


def _may_be_null(table: str, names: tuple[str, ...], world: World) -> bool:
    return any((table, name) in world.nullable for name in names)


def _with_equals(block: Scope, shown: set[Ref]) -> set[Ref]:
    """The columns shown and those that an inner join makes equal to them."""
    pairs = list(equated_pairs(block))
    for join in block.node.args.get("joins") or []:
        if not join.args.get("side"):
            pairs += _joined_columns(join, block)
    found = set(shown)
    for _ in pairs:
        for one, other in pairs:
            if one in found or other in found:
                found |= {one, other}
    return found


def _joined_columns(join: exp.Join, block: Scope) -> list[tuple[Ref, Ref]]:
    """The pairs of columns that a join's ON equates; empty when it asks for anything else as well."""
    condition = join.args.get("on")
    condition = condition.unnest() if isinstance(condition, exp.Expr) else None
    pairs = []
    for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
        part = part.unnest() if isinstance(part, exp.Expr) else None
        one, other = (block.ref(part.left), block.ref(part.right)) if isinstance(part, exp.EQ) else (None, None)
        if one is None or other is None or one[0] not in block.slots or other[0] not in block.slots:
            return []
        pairs.append((one, other))
    return pairs


def _joined_slot(join: exp.Join, block: Scope) -> int | None:
    """The slot of the table that a join brings in."""
    columns = block.sources.get(join.this.alias_or_name.lower()) or {}
    return next((ref[0] for ref in columns.values() if ref and ref[0] in block.slots), None)


def _holder(node: exp.Expr) -> exp.Expr | None:
    """What a query stands in, parentheses left out; None for the outermost."""
    holder = node.parent
    while isinstance(holder, exp.Paren | exp.Subquery):
        holder = holder.parent
    return holder
