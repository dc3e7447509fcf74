"""Rows built to satisfy a query: the opposite of hoping that random data meets three conditions at once.

A *sketch* walks the conditions of a query, keeps each with some probability (so that near misses occur as well),
equates the columns that joins equate, and then gives every stored column a value that its kept conditions allow.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple

from sqlglot import exp

from tinkersql.equivalence.chance import Chance
from tinkersql.equivalence.domains import number_of
from tinkersql.equivalence.facts import PATTERNS, clauses, equated_pairs
from tinkersql.equivalence.functions import Chain, Value, chain, constant
from tinkersql.equivalence.keys import ColumnName
from tinkersql.equivalence.scopes import Ref, Scope

Row = dict[str, Value]


class Need(NamedTuple):
    """A condition on one column: operator and operand; on a function of its value where one is given."""

    operator: str
    wanted: Any = None
    function: Chain | None = None


Pick = Callable[[ColumnName], list[Value]]
"""The values that a column may take in the database at hand, the queries' own first."""
_INVERSE = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRRORED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_BOUNDS = ("<", "<=", ">", ">=", "!=")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TRIES = 6
_HALF_A_DATE = re.compile(r"\d{4}-(?!\d{2}-\d{2})")
_COMPARE = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_OPERATORS: dict[type[exp.Expr], str] = {
    **{exp.EQ: "=", exp.NEQ: "!=", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="},
    **{exp.NullSafeEQ: "=", exp.NullSafeNEQ: "!="},
}


class Sketch:
    """One attempt to satisfy a query block and the blocks that it needs.

    Args:
        random: the source of choices.
        keep: the probability with which each condition is kept. Below 1, an inequality is often answered with its very
            bound, whether or not that fulfils it.
        null: the probability of NULL in a column that combined queries return, or that another one is NOT IN.
    """

    def __init__(self, random: Chance, keep: float, null: float = 0.0):
        self._random, self._keep, self._null = random, keep, null
        self._at_bound = 0.0 if keep == 1.0 else 0.3
        self._leader: dict[Ref, Ref] = {}
        self._needs: dict[Ref, list[Need]] = defaultdict(list)
        self._slots: dict[int, str] = {}

    def add(self, scope: Scope) -> None:
        """Take a block's tables and conditions into the sketch."""
        if scope.branches:
            self._add_branches(scope)
            return
        for number, table in scope.slots.items():
            self._slots[number] = table.name.lower()
        for inner in scope.derived:
            self.add(inner)
        for one, other in equated_pairs(scope):
            self._unify(one, other)
        for condition in clauses(scope):
            self._want(condition, True, scope)

    def need(self, ref: Ref, value: Value) -> None:
        """Require one value of one column, or NULL."""
        self._needs[self._find(ref)].insert(0, Need("null") if value is None else Need("=", value))

    def rows(self, pick: Pick) -> tuple[list[tuple[int, str, Row]], dict[Ref, Value]]:
        """Slot, table and row for each table of the sketch, with the columns that conditions touch; and all values."""
        chosen: dict[Ref, Value] = {}
        members: dict[Ref, list[Ref]] = defaultdict(list)
        for ref in [*self._leader, *self._needs]:
            if ref not in members[self._find(ref)]:
                members[self._find(ref)].append(ref)
        for leader, refs in members.items():
            present = [ref for ref in refs if ref[0] in self._slots]
            if not present:
                continue
            needs = [need for ref in refs for need in self._needs.get(ref, ())]
            value = self._choose(needs, pick((self._slots[present[0][0]], present[0][1])))
            for ref in present:
                chosen[ref] = value
            chosen[leader] = value
        rows = [
            (number, table, {column: value for (slot, column), value in chosen.items() if slot == number})
            for number, table in self._slots.items()
        ]
        self._random.shuffle(rows)
        return rows, chosen

    def _choose(self, needs: list[Need], pool: list[Value]) -> Value:
        if not needs:
            return self._random.choice(pool) if pool else None
        if any(need.operator == "null" for need in needs):
            return None
        numeric = bool(pool) and not isinstance(pool[-1], str)
        bounds = [value for need in needs if need.operator in _BOUNDS for value in _answers(need, numeric, pool)]
        if bounds and self._random.random() < self._at_bound:
            return self._random.choice(bounds)
        exact = [value for need in needs if need.operator == "=" for value in _answers(need, numeric, pool)]
        candidates = [*exact, *pool]
        fitting = [value for value in exact if all(_holds(value, need) for need in needs)]
        for _ in range(_TRIES if pool and not fitting else 0):  # mostly cheaper than to look at all of them
            value = self._random.choice(candidates)
            if all(_holds(value, need) for need in needs):
                return value
        fitting = fitting or [value for value in candidates if all(_holds(value, need) for need in needs)]
        if not fitting:
            need = self._random.choice(needs)
            fitting = [value for value in candidates if _holds(value, need)]
        return self._random.choice(fitting or candidates or [None])

    def _find(self, ref: Ref) -> Ref:
        while self._leader.get(ref, ref) != ref:
            ref = self._leader[ref]
        return ref

    def _unify(self, one: Ref | None, other: Ref | None) -> None:
        if one is None or other is None or self._random.random() > self._keep:
            return
        first, second = self._find(one), self._find(other)
        for ref in (one, other, first, second):
            self._leader.setdefault(ref, ref)
        if first != second:
            self._leader[first] = second
            self._needs[second] += self._needs.pop(first, [])

    def _add_branches(self, scope: Scope) -> None:
        left, right = scope.branches
        if isinstance(scope.node, exp.Union):
            for side in scope.branches:
                if self._random.random() < 0.6:
                    self.add(side)
            if not self._slots:
                self.add(left)
            return
        self.add(left)
        if isinstance(scope.node, exp.Intersect) or self._random.random() < 0.4:
            self.add(right)
            for (_, one), (_, other) in zip(left.outputs, right.outputs, strict=False):
                self._unify(one, other)
                if one and self._random.random() < self._null:
                    self._needs[self._find(one)].append(Need("null"))

    def _want(self, node: exp.Expr, holds: bool, scope: Scope) -> None:
        """Arrange for a condition to hold (or to fail)."""
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.Not):
            self._want(node.this, not holds, scope)
        elif isinstance(node, exp.And | exp.Or):
            parts = list(node.flatten())
            if isinstance(node, exp.And) is holds:
                for part in parts:
                    self._want(part, holds, scope)
            else:
                self._want(self._random.choice(parts), holds, scope)
        elif isinstance(node, exp.Exists):
            self._want_subquery(None, node.this, holds, scope)
        elif self._random.random() < self._keep:
            self._want_atom(node, holds, scope)

    def _want_atom(self, node: exp.Expr, holds: bool, scope: Scope) -> None:
        operator = _OPERATORS.get(type(node))
        if operator and isinstance(node, exp.Binary):
            left, right = node.left, node.right
            if isinstance(left, exp.Literal):
                left, right, operator = right, left, _MIRRORED[operator]
            if isinstance(left, exp.DPipe) and isinstance(right, exp.Literal):
                if operator == "=" and holds:
                    self._want_concatenation(left, right.name, scope)
            else:
                self._want_comparison(left, operator if holds else _INVERSE[operator], right, scope)
        elif isinstance(node, exp.Between):
            if holds:
                self._want_value(node.this, ">=", node.args["low"], scope)
                self._want_value(node.this, "<=", node.args["high"], scope)
        elif isinstance(node, exp.In):
            if node.args.get("query") is not None:
                self._want_subquery(scope.ref(node.this), node.args["query"], holds, scope)
            else:
                values = [part.name for part in node.expressions if isinstance(part, exp.Literal)]
                self._need(node.this, "in" if holds else "not in", values, scope)
        elif isinstance(node, PATTERNS):
            if isinstance(node.expression, exp.Literal):
                self._need(node.this, "like" if holds else "not like", node.expression.name, scope)
        elif (
            isinstance(node, exp.Is) and isinstance(node.expression, exp.Null) and holds and self._random.random() < 0.5
        ):
            self._need(node.this, "null", None, scope)

    def _want_comparison(self, left: exp.Expr, operator: str, right: exp.Expr, scope: Scope) -> None:
        one, other = scope.ref(left), scope.ref(right)
        if one and other:
            if operator == "=":
                self._unify(one, other)
            return
        if one is None and other is not None:
            left, right, one, operator = right, left, other, _MIRRORED[operator]
        inner = right.unnest() if isinstance(right, exp.Paren | exp.Subquery) else right
        if isinstance(inner, exp.Query):
            self._want_subquery(one if operator in ("=", ">=", "<=") else None, right, True, scope)
        else:
            self._want_value(left, operator, right, scope)

    def _want_value(self, node: exp.Expr, operator: str, value: exp.Expr, scope: Scope) -> None:
        wanted = constant(value)
        if wanted is not None:
            self._need(node, operator, wanted, scope)

    def _need(self, node: exp.Expr, operator: str, wanted: Any, scope: Scope) -> None:
        """Require something of a column, or of a function of one."""
        ref, function = scope.ref(node), None
        if ref is None:
            function = chain(node)
            ref = scope.ref(function.column) if function else None
        if ref:
            self._needs[self._find(ref)].append(Need(operator, wanted, function))

    def _want_concatenation(self, chain: exp.DPipe, whole: str, scope: Scope) -> None:
        """``first || ' ' || last = 'Mary Shelley'``: give each column its piece."""
        pieces = [part for part in chain.flatten() if not isinstance(part, exp.Paren)]
        columns = [part for part in pieces if not isinstance(part, exp.Literal)]
        if len(columns) > 3 or len(whole) > 80:
            return  # the pattern below would try too many ways to split
        pattern = "".join(re.escape(part.name) if isinstance(part, exp.Literal) else "(.+?)" for part in pieces)
        found = re.fullmatch(pattern, whole, re.DOTALL)
        for column, value in zip(columns, found.groups() if found else (), strict=False):
            if ref := scope.ref(column):
                self._needs[self._find(ref)].append(Need("=", value))

    def _want_subquery(self, ref: Ref | None, node: exp.Expr, holds: bool, scope: Scope) -> None:
        """Take in a subquery whose column meets ``ref``; one that must not contain it only now and then, or a NULL."""
        inner = scope.subqueries.get(id(node))
        if inner is None or not (holds or self._random.random() < 0.5):
            return
        self.add(inner)
        origin = inner.outputs[0][1] if inner.outputs else None
        if origin and (holds or self._random.random() < 0.5):
            self._unify(ref, origin)
        elif origin and self._random.random() < 2 * self._null:
            self._needs[self._find(origin)].append(Need("null"))


def _answers(need: Need, numeric: bool, pool: list[Value]) -> list[Value]:
    """The values that meet a comparison at its very bound, as a column of that kind stores them."""
    if need.function is not None:
        return [value for value in pool if _holds(value, need._replace(operator="="))]
    if pool and isinstance(pool[-1], str) and _DATE.match(pool[-1]) and _HALF_A_DATE.match(str(need.wanted)):
        return []
    number = number_of(need.wanted) if numeric and isinstance(need.wanted, str) else None
    return [need.wanted if number is None else number]


def _holds(value: Value, need: Need) -> bool:
    """Whether a candidate meets a requirement; a stored number compares as a number, a stored text as text."""
    operator, wanted, function = need
    if function is not None:
        value = function.apply(value)
    if value is None:
        return False
    if operator in ("in", "not in"):
        return (str(value) in [str(item) for item in wanted]) is (operator == "in")
    if operator in ("like", "not like"):
        return _fits(str(value).lower(), str(wanted).lower()) is (operator == "like")
    one: Any = value
    other: Any = number_of(str(wanted)) if not isinstance(value, str) else None
    if other is None:
        one, other = str(value), str(wanted)
    compare = _COMPARE.get(operator)
    return compare is None or compare(one, other)


def _fits(value: str, pattern: str) -> bool:
    """LIKE and GLOB without brackets, in time that grows with the product of the lengths only."""
    place = mark = 0
    star, after = -1, 0
    while place < len(value):
        if mark < len(pattern) and pattern[mark] in "%*":
            star, after = mark, place
            mark += 1
        elif mark < len(pattern) and (pattern[mark] in "_?" or pattern[mark] == value[place]):
            place, mark = place + 1, mark + 1
        elif star >= 0:
            after += 1
            place, mark = after, star + 1
        else:
            return False
    return not pattern[mark:].strip("%*")
