"""What a pair of queries asks of the data: the values that they mention, the columns that must be able to meet."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from tinkersql.equivalence.functions import Value, chain, constant
from tinkersql.equivalence.keys import ColumnName
from tinkersql.equivalence.scopes import Ref, Scope, local_nodes

COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ)
PATTERNS = (exp.Like, exp.ILike, exp.Glob)
ARITHMETIC = (exp.Sum, exp.Avg, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Round, exp.Abs)
_DATE_FUNCTIONS = re.compile(r"strftime|date|time|julianday|year|month|day", re.IGNORECASE)
_NULL_TESTS = re.compile(r"coalesce|ifnull|nullif|nvl", re.IGNORECASE)


@dataclass
class Facts:
    """Collected over all blocks of both queries.

    Attributes:
        values: for a stored column, the literals that it is compared with, as written (numbers) or inside quotes.
        solved: for a stored column, values that give a function of it the value that it is compared with.
        patterns: for a stored column, the LIKE and GLOB patterns.
        numeric: text columns that are used as numbers.
        dates: columns that are used as dates.
        ordered: columns whose order matters (ORDER BY, MAX, MIN, inequalities).
        shortened: text columns of which a query looks at a part or at another spelling.
        tested_for_null: columns that a query tests for NULL.
        counted: columns inside an aggregate, which skips their NULLs.
        counts: numbers that a group's or a result's size is compared with.
        limit: the most rows that a LIMIT with its OFFSET reaches.
        meets: pairs of columns whose values must be able to coincide.
    """

    values: dict[ColumnName, list[exp.Literal]] = field(default_factory=lambda: defaultdict(list))
    solved: dict[ColumnName, list[Value]] = field(default_factory=lambda: defaultdict(list))
    patterns: dict[ColumnName, list[str]] = field(default_factory=lambda: defaultdict(list))
    numeric: set[ColumnName] = field(default_factory=set)
    dates: set[ColumnName] = field(default_factory=set)
    ordered: set[ColumnName] = field(default_factory=set)
    shortened: set[ColumnName] = field(default_factory=set)
    tested_for_null: set[ColumnName] = field(default_factory=set)
    counted: set[ColumnName] = field(default_factory=set)
    counts: set[int] = field(default_factory=set)
    limit: int = 0
    meets: list[tuple[ColumnName, ColumnName]] = field(default_factory=list)


def collect(scopes: Iterable[Scope]) -> Facts:
    """The facts of several queries together."""
    facts = Facts()
    for root in scopes:
        slots = {number: table.name.lower() for block in root.everywhere() for number, table in block.slots.items()}
        for block in root.everywhere():
            _Collector(facts, block, slots).run()
    return facts


def equated_pairs(block: Scope) -> Iterator[tuple[Ref, Ref]]:
    """Stored columns that a block's USING or NATURAL joins equate."""
    if not isinstance(block.node, exp.Select):
        return
    for join in block.node.args.get("joins") or []:
        offered = block.sources.get(join.this.alias_or_name.lower(), {})
        names = [name.name.lower() for name in join.args.get("using") or []]
        if str(join.args.get("method") or "").upper() == "NATURAL":
            names = list(offered)
        for name in names:
            for columns in block.sources.values():
                one, other = columns.get(name), offered.get(name)
                if columns is not offered and one and other:
                    yield one, other


class _Collector:
    def __init__(self, facts: Facts, block: Scope, slots: dict[int, str]):
        self.facts, self.block, self.slots = facts, block, slots

    def run(self) -> None:
        block, facts = self.block, self.facts
        if block.branches:
            for (_, one), (_, other) in zip(block.branches[0].outputs, block.branches[1].outputs, strict=False):
                self._meet(one, other)
        for one, other in equated_pairs(block):
            self._meet(one, other)
        node = block.node
        if isinstance(node, exp.Query):
            facts.limit = max(facts.limit, sum(whole_number(node.args.get(key)) for key in ("limit", "offset")))
        for part in self._parts():
            self._node(part)

    def _parts(self) -> Iterator[exp.Expr]:
        """The block's own nodes, except those of the queries inside it."""
        skip = {id(inner.node) for inner in self.block.branches}
        for key, value in self.block.node.args.items():
            if key in ("with_", "from_"):
                continue
            for item in value if isinstance(value, list) else [value]:
                part = item.args.get("on") if isinstance(item, exp.Join) else item
                if isinstance(part, exp.Expr) and id(part) not in skip and not isinstance(part, exp.Query):
                    yield from local_nodes(part)

    def _name(self, ref: Ref | None) -> ColumnName | None:
        return (self.slots[ref[0]], ref[1]) if ref else None

    def _columns(self, node: exp.Expr | None) -> list[ColumnName]:
        if node is None:
            return []
        found = (self._name(self.block.ref(part)) for part in local_nodes(node) if isinstance(part, exp.Column))
        return [name for name in found if name]

    def _meet(self, one: Ref | None, other: Ref | None) -> None:
        first, second = self._name(one), self._name(other)
        if first and second and first != second:
            self.facts.meets.append((first, second))

    def _output(self, node: exp.Expr | None) -> Ref | None:
        """The stored column behind an operand: a column, MAX or MIN of one, or a subquery that returns one."""
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.Query):
            inner = self.block.subqueries.get(id(node))
            return inner.outputs[0][1] if inner and inner.outputs else None
        if isinstance(node, exp.AggFunc):
            node = node.this
        return self.block.ref(node)

    def _node(self, node: exp.Expr) -> None:
        facts = self.facts
        if isinstance(node, exp.AggFunc):
            facts.counted.update(self._columns(node))
        if isinstance(node, COMPARISONS):
            self._comparison([node.left, node.right])
            if isinstance(node, exp.Is):
                facts.tested_for_null.update(self._columns(node.left))
            elif not isinstance(node, exp.EQ | exp.NEQ):
                facts.ordered.update(self._columns(node))
        elif isinstance(node, exp.Between):
            self._comparison([node.this, node.args["low"], node.args["high"]])
            facts.ordered.update(self._columns(node.this))
        elif isinstance(node, exp.In):
            self._comparison([node.this, *node.expressions])
            query = node.args.get("query")
            if query is not None:
                self._meet(self._output(node.this), self._output(query))
        elif isinstance(node, PATTERNS):
            pattern = node.expression
            for name in self._columns(node.this):
                facts.patterns[name] += [part.name for part in local_nodes(pattern) if isinstance(part, exp.Literal)]
        elif isinstance(node, exp.Substring | exp.Lower | exp.Upper | exp.Length):
            facts.shortened.update(self._columns(node))
        elif isinstance(node, exp.StrPosition) and isinstance(node.args.get("substr"), exp.Literal):
            for name in self._columns(node.this):
                facts.patterns[name].append(f"%{node.args['substr'].name}%")
        elif isinstance(node, exp.Case):
            self._comparison([node.this, *(branch.this for branch in node.args.get("ifs") or [])])
        elif isinstance(
            node, exp.Sum | exp.Avg | exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod | exp.Round | exp.Abs
        ):
            facts.numeric.update(self._columns(node))
        elif isinstance(node, exp.Max | exp.Min | exp.Ordered):
            facts.ordered.update(self._columns(node))
        elif isinstance(node, exp.Coalesce) or (isinstance(node, exp.Func) and _NULL_TESTS.match(node.sql_name())):
            facts.tested_for_null.update(self._columns(node))
        if isinstance(node, exp.Func) and _DATE_FUNCTIONS.search(_function_name(node)):
            facts.dates.update(self._columns(node))

    def _comparison(self, operands: list[exp.Expr | None]) -> None:
        parts = [operand for operand in operands if operand is not None]
        outputs = [self._output(part) for part in parts]
        anchor = next((ref for ref in outputs if ref), None)
        for ref in outputs:
            self._meet(anchor, ref)
        wanted = [value for part in parts if (value := constant(part)) is not None]
        functions = {id(part): function for part in parts if wanted and (function := chain(part)) is not None}
        plain = [part for part in parts if id(part) not in functions]
        literals = [part for operand in plain for part in local_nodes(operand) if isinstance(part, exp.Literal)]
        if any(isinstance(part, exp.Count) for operand in parts for part in local_nodes(operand)) or not anchor:
            self.facts.counts.update(number for literal in literals if 0 <= (number := whole_number(literal)) <= 400)
        for function in functions.values():
            if name := self._name(self.block.ref(function.column)):
                self.facts.solved[name] += [value for item in wanted for value in function.solve(item)]
        for operand in plain:
            for name in self._columns(operand):
                self.facts.values[name] += literals
        subqueries = [self._output(part) for part in parts if isinstance(part.unnest(), exp.Query)]
        for ref in subqueries:
            if name := self._name(ref):
                self.facts.values[name] += literals


def _function_name(node: exp.Func) -> str:
    return node.name if isinstance(node, exp.Anonymous) else node.sql_name()


def whole_number(node: object) -> int:
    """The whole number in a LIMIT, OFFSET or literal; 0 when there is none."""
    if isinstance(node, exp.Limit | exp.Offset | exp.Fetch):
        node = node.expression or node.args.get("count")
    if isinstance(node, exp.Literal) and re.fullmatch(r"\d{1,6}", node.name):
        return int(node.name)
    return 0


def clauses(block: Scope) -> list[exp.Expr]:
    """The conditions of a SELECT: WHERE and every ON."""
    node = block.node
    if not isinstance(node, exp.Select):
        return []
    found = [join.args.get("on") for join in node.args.get("joins") or []]
    from_ = node.args.get("from_")
    if isinstance(from_, exp.From):
        found += [join.args.get("on") for join in from_.this.args.get("joins") or []]
    where = node.args.get("where")
    return [part for part in (*found, where.this if where else None) if part is not None]
