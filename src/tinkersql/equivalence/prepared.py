"""A gold with its suite loaded: connections that hold its databases, and what the gold returns on each."""

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

from tinkersql.equivalence.canonical import canonical
from tinkersql.equivalence.facts import collect
from tinkersql.equivalence.golds import Expected, Gold
from tinkersql.equivalence.integrity import Instance
from tinkersql.equivalence.novelty import ingredients
from tinkersql.equivalence.reading import Query
from tinkersql.equivalence.sandbox import Sandbox
from tinkersql.equivalence.suites import Suite
from tinkersql.equivalence.verdicts import Assumptions, Comparison


@dataclass(frozen=True)
class Database:
    """One database of the suite, and what the gold returns on it."""

    sandbox: Sandbox
    instance: Instance
    expected: Expected


class PreparedGold:
    """What every prediction for one gold shares.

    Some predictions are run with text columns that ignore letter case (see ``spelling``), which changes what the gold
    returns; so there are up to two sets of databases, each made when it is first needed.
    """

    def __init__(self, gold: Gold, suite: Suite):
        self.gold, self.suite = gold, suite
        self.answers: OrderedDict[str, Comparison] = OrderedDict()
        self._databases: dict[bool, list[Database]] = {}
        self._scratch: dict[bool, Sandbox] = {}
        self._forms: dict[bool, str | None] = {}

    @cached_property
    def ingredients(self) -> frozenset[tuple] | None:
        """What the gold is made of; see ``novelty``."""
        query = self.gold.query
        return ingredients(query, collect([query.scope] if query.scope is not None else []))

    def form_of(self, query: Query, asks_for_null: bool) -> str | None:
        """A query's canonical form; where neither query asks for NULL, the assumptions may say that none is stored."""
        gold = self.gold
        none = gold.assumptions is Assumptions.NO_NULLS and not asks_for_null
        return canonical(query, lambda table, column: none or (table, column) in gold.keys.not_null)

    def form(self, asks_for_null: bool) -> str | None:
        """The gold's canonical form."""
        if asks_for_null not in self._forms:
            self._forms[asks_for_null] = self.form_of(self.gold.query, asks_for_null)
        return self._forms[asks_for_null]

    def databases(self, nocase: bool) -> list[Database]:
        """The suite's databases on which something about the gold's result is certain, from small to large."""
        if nocase not in self._databases:
            found: list[Database] = []
            for instance in self.suite.databases:
                sandbox = Sandbox(self.gold.schema, nocase, statements=0)
                sandbox.load(instance)
                expected = self.gold.expected(sandbox)
                if expected is None or expected.says_nothing:
                    sandbox.close()
                else:
                    found.append(Database(sandbox, instance, expected))
            self._databases[nocase] = found
        return self._databases[nocase]

    def scratch(self, nocase: bool) -> Sandbox:
        """An empty database to be filled at will."""
        if nocase not in self._scratch:
            self._scratch[nocase] = Sandbox(self.gold.schema, nocase)
        self._scratch[nocase].load({})
        return self._scratch[nocase]

    @property
    def open_databases(self) -> int:
        """How many connections it holds."""
        return sum(map(len, self._databases.values())) + len(self._scratch)

    def close(self) -> None:
        """Free all databases."""
        for database in (item for databases in self._databases.values() for item in databases):
            database.sandbox.close()
        for sandbox in self._scratch.values():
            sandbox.close()
        self._databases, self._scratch = {}, {}
