"""The databases of one gold, chosen because they tell it from its mutants.

A suite is built once for a schema, a gold and a step of the assumptions, and then serves every prediction for that
gold. It holds databases only; what the gold returns on them is computed again wherever the suite is used.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tinkersql.equivalence.dialects import parse
from tinkersql.equivalence.facts import collect
from tinkersql.equivalence.golds import Expected, Gold
from tinkersql.equivalence.instances import Instances
from tinkersql.equivalence.integrity import Instance
from tinkersql.equivalence.mutant_proofs import World, proof
from tinkersql.equivalence.mutants import Mutant, mutants
from tinkersql.equivalence.results import Outcome, normal_rows, same
from tinkersql.equivalence.sandbox import Budget, OverBudgetError, QueryError, Sandbox
from tinkersql.equivalence.scopes import Scope, bind
from tinkersql.equivalence.verdicts import Adequacy

MOST_DRAWN = 100
"""Databases drawn for the gold alone."""
PATIENCE = 30
"""Databases in a row that killed nothing, after which drawing for the gold alone ends."""
DRAWN_FOR_MUTANT = 24
"""Databases drawn for each mutant that is alive then."""
FIRST = 8
"""As many of the first databases on which the gold says something are kept whether or not they kill."""
MOST_KEPT = 24
MOST_RUNS, MOST_STEPS = 4_000, 10_000_000
"""For all mutants of one gold, so that a strange gold ends within a second, and at the same point on any machine."""


@dataclass
class Suite:
    """The kept databases, from small to large, and how well they probe the gold."""

    databases: list[Instance] = field(default_factory=list)
    adequacy: Adequacy = field(default_factory=Adequacy)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return {"databases": self.databases, "adequacy": self.adequacy.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Suite":
        """The inverse of ``to_dict``.

        Raises:
            KeyError, TypeError, AttributeError: the data has another shape.
        """
        databases = [{name: [tuple(row) for row in rows] for name, rows in item.items()} for item in data["databases"]]
        return cls(databases, Adequacy.from_dict(data["adequacy"]))


def build_suite(gold: Gold) -> Suite:
    """Draw databases, and keep those that kill a mutant which was still alive."""
    sandbox = Sandbox(gold.schema)
    try:
        return _Builder(gold, sandbox).build()
    finally:
        sandbox.close()


class _Builder:
    def __init__(self, gold: Gold, sandbox: Sandbox):
        self.gold, self.sandbox = gold, sandbox
        self.alive = [mutant for mutant in mutants(gold.query, ignore_case=gold.ignore_case) if self._runs(mutant)]
        self.made = len(self.alive)
        self.kept: list[Instance] = []
        self.telling = 0
        self.runs, self.budget = 0, Budget(MOST_STEPS, seconds=60)
        self.nothing: list[tuple] | None = None

    def _runs(self, mutant: Mutant) -> bool:
        try:
            self.sandbox.run(mutant.sql)
        except (QueryError, OverBudgetError):
            return False
        return True

    def build(self) -> Suite:
        gold = self.gold
        source = self._source([])
        idle = 0
        for instance in source.draw(MOST_DRAWN):
            idle = 0 if self._take(instance) else idle + 1
            if self._is_full() or (self.telling >= FIRST and (not self.alive or idle >= PATIENCE)):
                break
        equivalent: dict[str, int] = {}
        world = World(gold.keys, frozenset(source.nullable), gold.variants.keyed is not None)
        for mutant in list(self.alive):
            if rule := proof(mutant, world):
                self.alive.remove(mutant)
                equivalent[rule] = equivalent.get(rule, 0) + 1
        self._hunt(list(self.alive))
        adequacy = Adequacy(
            mutants=self.made,
            killed=self.made - len(self.alive) - sum(equivalent.values()),
            alive=[mutant.operator for mutant in self.alive],
            equivalent=equivalent,
            databases=len(self.kept),
            non_empty=self.telling,
        )
        return Suite(sorted(self.kept, key=size), adequacy)

    def _hunt(self, remaining: Iterable[Mutant]) -> None:
        """Draw databases for the gold and one living mutant together."""
        for mutant in remaining:
            scope = self._scope(mutant)
            if mutant not in self.alive or scope is None:
                continue
            for instance in self._source([scope]).draw(DRAWN_FOR_MUTANT):
                if self._is_full():
                    return
                self._take(instance, only_killers=True)
                if mutant not in self.alive:
                    break

    def _is_full(self) -> bool:
        return len(self.kept) >= MOST_KEPT or self.runs >= MOST_RUNS

    def _scope(self, mutant: Mutant) -> Scope | None:
        tree = parse(mutant.sql)
        try:
            return bind(tree, self.gold.schema)[0] if tree is not None else None
        except OverBudgetError:
            return None

    def _source(self, others: list[Scope]) -> Instances:
        gold = self.gold
        scopes = [scope for scope in (gold.query.scope, *others) if scope is not None]
        return Instances(
            gold.schema,
            scopes,
            1 + len(others),
            collect(scopes),
            gold.keys,
            gold.assumptions,
            ignore_case=gold.ignore_case,
            seed=gold.seed("suite"),
        )

    def _take(self, instance: Instance, only_killers: bool = False) -> bool:
        """Keep the database if it kills, or is one of the first that say something; returns whether it kills."""
        self.sandbox.load(instance)
        expected = self.gold.expected(self.sandbox)
        if expected is None or expected.says_nothing:
            return False
        if self.nothing is None and not expected.open:
            self.nothing = expected.rows
        tells = not expected.open and bool(expected.rows) and expected.rows != self.nothing
        living = [mutant for mutant in self.alive if not self._kills(mutant, expected)]
        killed, self.alive = len(living) < len(self.alive), living
        if killed or (not only_killers and (not self.kept or (tells and self.telling < FIRST))):
            self.kept.append(instance)
            self.telling += tells
        return killed

    def _kills(self, mutant: Mutant, expected: Expected) -> bool:
        try:
            self.runs += 1
            found = normal_rows(self.sandbox.run(mutant.sql, self.budget).rows, self.gold.ignore_case)
        except (QueryError, OverBudgetError):
            return False
        if expected.open:
            return expected.forbids(found)
        return not same(Outcome(expected.rows, found, expected.blocks))


def size(instance: Instance) -> int:
    """The number of rows in a database."""
    return sum(len(rows) for rows in instance.values())
