"""Rows built to satisfy a query: the opposite of hoping that random data meets three conditions at once.

A *sketch* walks the conditions of a query, keeps each with some probability (so that near misses occur as well),
equates the columns that joins equate, and then gives every stored column a value that its kept conditions allow.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

from sqlglot import exp

from tinkersql.equivalence.domains import Value, number_of
from tinkersql.equivalence.facts import PATTERNS, clauses, equated_pairs
from tinkersql.equivalence.keys import ColumnName
from tinkersql.equivalence.scopes import Ref, Scope

Row = dict[str, Value]
Pick = Callable[[ColumnName], list[Value]]
"""The values that a column may take in the database at hand, the queries' own first."""
_INVERSE = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRRORED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_BOUNDS = ("<", "<=", ">", ">=", "!=")
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
    """

    def __init__(self, random: Random, keep: float):
        self._random, self._keep = random, keep
        self._at_bound = 0.0 if keep == 1.0 else 0.3
        self._leader: dict[Ref, Ref] = {}
        self._needs: dict[Ref, list[tuple[str, Any]]] = defaultdict(list)
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
        """Require one value of one column."""
        self._needs[self._find(ref)].insert(0, ("=", value))

    def rows(self, pick: Pick) -> tuple[list[tuple[str, Row]], dict[Ref, Value]]:
        """Rows by table for the tables of the sketch, with the columns that conditions touch; and the values chosen."""
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
            (table, {column: value for (slot, column), value in chosen.items() if slot == number})
            for number, table in self._slots.items()
        ]
        self._random.shuffle(rows)
        return rows, chosen

    def _choose(self, needs: list[tuple[str, Any]], pool: list[Value]) -> Value:
        numeric = bool(pool) and not isinstance(pool[-1], str)
        exact = [_typed(value, numeric) for operator, value in needs if operator == "="]
        candidates = [*exact, *pool]
        if any(operator == "null" for operator, _ in needs):
            return None
        bounds = [_typed(value, numeric) for operator, value in needs if operator in _BOUNDS]
        if bounds and self._random.random() < self._at_bound:
            return self._random.choice(bounds)
        fitting = [value for value in candidates if all(_holds(value, *need) for need in needs)]
        if not fitting and needs:
            fitting = [value for value in candidates if _holds(value, *self._random.choice(needs))]
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
            ref = scope.ref(node.this)
            if ref and holds:
                self._literal_need(ref, ">=", node.args["low"])
                self._literal_need(ref, "<=", node.args["high"])
        elif isinstance(node, exp.In):
            ref = scope.ref(node.this)
            if node.args.get("query") is not None:
                self._want_subquery(ref, node.args["query"], holds, scope)
            elif ref:
                values = [part.name for part in node.expressions if isinstance(part, exp.Literal)]
                self._needs[self._find(ref)].append(("in" if holds else "not in", values))
        elif isinstance(node, PATTERNS):
            ref = scope.ref(node.this)
            if ref and isinstance(node.expression, exp.Literal):
                self._needs[self._find(ref)].append(("like" if holds else "not like", node.expression.name))
        elif isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            ref = scope.ref(node.this)
            if ref and holds and self._random.random() < 0.5:
                self._needs[self._find(ref)].append(("null", None))

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
        elif one:
            self._literal_need(one, operator, right)

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
                self._needs[self._find(ref)].append(("=", value))

    def _literal_need(self, ref: Ref, operator: str, node: exp.Expr) -> None:
        text = f"-{node.this.name}" if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) else node.name
        if isinstance(node, exp.Literal | exp.Neg):
            self._needs[self._find(ref)].append((operator, text))

    def _want_subquery(self, ref: Ref | None, node: exp.Expr, holds: bool, scope: Scope) -> None:
        inner = scope.subqueries.get(id(node))
        if inner is None or not (holds or self._random.random() < 0.3):
            return
        self.add(inner)
        if inner.outputs and inner.outputs[0][1]:
            self._unify(ref, inner.outputs[0][1])


def _typed(value: Any, numeric: bool) -> Value:
    """A literal's text as a column of that kind stores it."""
    number = number_of(value) if numeric and isinstance(value, str) else None
    return value if number is None else number


def _holds(value: Value, operator: str, wanted: Any) -> bool:
    """Whether a candidate meets a requirement; a stored number compares as a number, a stored text as text."""
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
    return {
        "=": one == other,
        "!=": one != other,
        "<": one < other,
        "<=": one <= other,
        ">": one > other,
        ">=": one >= other,
    }.get(operator, True)


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
