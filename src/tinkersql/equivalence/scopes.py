"""Which stored column does each name in a query mean?

Every mention of a stored table becomes a *slot*; a column node resolves to a (slot, column) pair, through derived
tables and common table expressions down to the stored column where there is one. Names follow SQLite's rules: the
innermost query that has the column wins, then the outer ones, then a projection's alias. (A bare ORDER BY term takes
the alias first; whoever builds a proof on it must look, as ``canonical.py`` does.)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from sqlglot import exp

from tinkersql.equivalence.sandbox import OverBudgetError
from tinkersql.equivalence.schema import Schema, Table

MAX_BLOCKS = 200
"""Query blocks in one query; common table expressions that mention each other twice double with each step."""
Ref = tuple[int, str]
"""A stored column inside one mention of its table: (slot number, column name in lower case)."""


@dataclass
class Scope:
    """One query block: a SELECT, a set operation with its branches, or anything else (such as VALUES).

    Attributes:
        node: the block's syntax tree.
        parent: the block outside of it that its names may also mean.
        slots: slot number to stored table, for the tables that stand in this block's FROM.
        sources: alias to the columns that it offers; a column without a stored origin has None.
        derived: the blocks of derived tables and common table expressions in FROM, one for each mention.
        branches: the two sides of a set operation.
        subqueries: the blocks that stand inside expressions, by the identity of their node.
        refs: the stored column that a column node means, by the identity of the node.
        outputs: name and stored origin of each column of the result.
    """

    node: exp.Expr
    parent: "Scope | None" = None
    slots: dict[int, Table] = field(default_factory=dict)
    sources: dict[str, dict[str, Ref | None]] = field(default_factory=dict)
    derived: list["Scope"] = field(default_factory=list)
    branches: list["Scope"] = field(default_factory=list)
    subqueries: dict[int, "Scope"] = field(default_factory=dict)
    refs: dict[int, Ref | None] = field(default_factory=dict)
    outputs: list[tuple[str, Ref | None]] = field(default_factory=list)

    def everywhere(self) -> Iterator["Scope"]:
        """This block and all blocks inside it."""
        yield self
        for inner in (*self.derived, *self.branches, *self.subqueries.values()):
            yield from inner.everywhere()

    def ref(self, node: exp.Expr | None) -> Ref | None:
        """The stored column that a column node of this block means, parentheses and casts looked through."""
        while isinstance(node, exp.Paren | exp.Cast):
            node = node.this
        return self.refs.get(id(node)) if isinstance(node, exp.Column) else None


def bind(tree: exp.Query, schema: Schema) -> tuple[Scope, list[exp.Column]]:
    """Resolve a query's names; also returns the column nodes that mean nothing in this schema.

    Raises:
        OverBudgetError: the query has more than ``MAX_BLOCKS`` blocks, counted wherever they are mentioned.
    """
    binder = _Binder(schema)
    return binder.query(tree, None, {}), binder.unresolved


def local_nodes(root: exp.Expr) -> Iterator[exp.Expr]:
    """The nodes of an expression, without going into the queries inside it (which are yielded themselves)."""
    return root.walk(prune=lambda node: isinstance(node, exp.Query) and node is not root)


class _Binder:
    def __init__(self, schema: Schema):
        self.schema = schema
        self.unresolved: list[exp.Column] = []
        self.numbers = count()
        self.blocks = 0

    def query(self, node: exp.Expr, parent: Scope | None, ctes: dict[str, exp.Expr | None]) -> Scope:
        self.blocks += 1
        if self.blocks > MAX_BLOCKS:
            raise OverBudgetError(f"it holds more than {MAX_BLOCKS} queries")
        ctes = self._with_ctes(node, ctes)
        while isinstance(node, exp.Subquery):
            node = node.this
            ctes = self._with_ctes(node, ctes)
        scope = Scope(node, parent)
        if isinstance(node, exp.SetOperation):
            scope.branches = [self.query(side, parent, ctes) for side in (node.left, node.right)]
            scope.outputs = scope.branches[0].outputs
        elif isinstance(node, exp.Select):
            self._select(node, scope, ctes)
        return scope

    def _with_ctes(self, node: exp.Expr, ctes: dict[str, exp.Expr | None]) -> dict:
        found = node.args.get("with_")
        if not isinstance(found, exp.With):
            return ctes
        ctes = dict(ctes)
        for item in found.expressions:
            ctes[item.alias.lower()] = None if found.args.get("recursive") else item
        return ctes

    def _select(self, node: exp.Select, scope: Scope, ctes: dict) -> None:
        from_ = node.args.get("from_")
        sources = [from_.this] if isinstance(from_, exp.From) else []
        sources += [join.this for join in node.args.get("joins") or []]
        for source in sources:
            self._source(source, scope, ctes)
        aliases = {item.alias.lower() for item in node.expressions if isinstance(item, exp.Alias)}
        for key, value in node.args.items():
            if key == "with_":
                continue
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, exp.From):
                    continue
                if isinstance(part, exp.Join):
                    part = part.args.get("on")
                if isinstance(part, exp.Expr):
                    self._expression(part, scope, ctes, aliases)
        for item in node.expressions:
            scope.outputs += self._outputs(item, scope)

    def _source(self, source: exp.Expr, scope: Scope, ctes: dict) -> None:
        for join in source.args.get("joins") or []:
            self._source(join.this, scope, ctes)
        alias = source.alias_or_name.lower() or f"#{len(scope.sources)}"
        if isinstance(source, exp.Table):
            name = source.name.lower()
            if name in ctes and not source.args.get("db"):
                item = ctes[name]
                if item is None:
                    scope.sources[alias] = {}
                    return
                outer = {key: value for key, value in ctes.items() if key != name}
                self._add_derived(item.this, alias, item, scope, outer)
            elif name in self.schema.tables:
                table, number = self.schema.tables[name], next(self.numbers)
                scope.slots[number] = table
                scope.sources[alias] = {column.name.lower(): (number, column.name.lower()) for column in table.columns}
        elif isinstance(source, exp.Subquery):
            self._add_derived(source, alias, source, scope, ctes)
        elif isinstance(source, exp.Paren):
            self._source(source.this, scope, ctes)

    def _add_derived(self, node: exp.Expr, alias: str, named: exp.Expr, scope: Scope, ctes: dict) -> None:
        inner = self.query(node, None, ctes)
        scope.derived.append(inner)
        names = [
            column.name.lower() for column in (named.args.get("alias") or exp.TableAlias()).args.get("columns") or []
        ]
        offered = {}
        for index, (name, ref) in enumerate(inner.outputs):
            offered[names[index] if index < len(names) else name] = ref
        scope.sources[alias] = offered

    def _expression(self, root: exp.Expr, scope: Scope, ctes: dict, aliases: set[str]) -> None:
        for node in local_nodes(root):
            if isinstance(node, exp.Query):
                if id(node) not in scope.subqueries:
                    scope.subqueries[id(node)] = self.query(node, scope, ctes)
            elif isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
                found, ref = self._resolve(node, scope)
                scope.refs[id(node)] = ref
                if not found and not (node.name.lower() in aliases and not node.table):
                    self.unresolved.append(node)

    @staticmethod
    def _resolve(node: exp.Column, scope: Scope) -> tuple[bool, Ref | None]:
        name, qualifier = node.name.lower(), node.table.lower()
        block: Scope | None = scope
        while block is not None:
            for alias, columns in block.sources.items():
                if (not qualifier or qualifier == alias) and name in columns:
                    return True, columns[name]
                if (not qualifier or qualifier == alias) and not columns:
                    return True, None  # a recursive expression or VALUES: its columns are not followed
            block = block.parent
        return False, None

    @staticmethod
    def _outputs(item: exp.Expr, scope: Scope) -> list[tuple[str, Ref | None]]:
        if isinstance(item, exp.Star):
            return [pair for columns in scope.sources.values() for pair in columns.items()]
        if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            return list(scope.sources.get(item.table.lower(), {}).items())
        inner = item.this if isinstance(item, exp.Alias) else item
        if isinstance(inner, exp.Max | exp.Min | exp.Sum | exp.Avg):
            inner = inner.this  # a group of one row returns its very value
        return [(item.alias_or_name.lower(), scope.ref(inner))]
