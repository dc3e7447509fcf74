"""A gold query ready to be run: its text, its variants, and what it returns on a database."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

from tinkersql.equivalence.keys import find_keys
from tinkersql.equivalence.lexing import meaningful, unquote
from tinkersql.equivalence.openness import Openness, Permitted
from tinkersql.equivalence.reading import Query, read_query
from tinkersql.equivalence.results import block_lengths, normal_rows
from tinkersql.equivalence.sandbox import OverBudgetError, QueryError, Result, Sandbox
from tinkersql.equivalence.schema import Schema
from tinkersql.equivalence.variants import KEY_NAME, Variants, variants
from tinkersql.equivalence.verdicts import Assumptions
from tinkersql.equivalence.version import judge_version


@dataclass(frozen=True)
class Expected:
    """What the gold returns on one database.

    Attributes:
        result: as SQLite returned it.
        rows: as they are compared.
        blocks: the lengths of the runs of rows between which the order keys change; None where order does not count.
        open: whether the gold leaves its result open on this database, by a tie at a cut or an arbitrary row.
        permitted: what it allows where the result is open; None when that cannot be told.
    """

    result: Result
    rows: list[tuple]
    blocks: list[int] | None
    open: bool
    permitted: Permitted | None = None

    @property
    def says_nothing(self) -> bool:
        """Whether no prediction could be wrong on this database."""
        return self.open and self.permitted is None

    def forbids(self, rows: list[tuple]) -> bool:
        """Whether these normalised rows are wrong under every reading, where the result is open."""
        return self.permitted is not None and self.permitted.forbids(rows)


class Gold:
    """A gold that runs.

    Args:
        schema: the tables.
        sql: the query.
        assumptions: what the databases may hold.

    Raises:
        QueryError: the gold does not run.
        OverBudgetError: it was stopped.
    """

    def __init__(self, schema: Schema, sql: str, assumptions: Assumptions):
        self.schema, self.assumptions = schema, assumptions
        self.ignore_case = assumptions is Assumptions.NO_NULLS
        self.keys = find_keys(schema, assumptions)
        sandbox = Sandbox(schema)
        try:
            self.query: Query = read_query(sql, schema, sandbox)
            self.columns = sandbox.run(self.query.sql).columns
            as_run = assumptions is Assumptions.OPEN_WORLD
            self.variants = _usable(variants(self.query, as_run=as_run), sandbox)
            self._openness = Openness(self.variants, sandbox)
        finally:
            sandbox.close()

    @cached_property
    def words(self) -> frozenset[str] | None:
        """The words in its text; see ``words``."""
        return words(self.query.sql)

    @property
    def key(self) -> str:
        """The name of its suite: a hash of all that the suite depends on, in hexadecimal."""
        return self._hash(judge_version()).hex()

    def seed(self, *further: str) -> int:
        """A number that depends on the schema, the gold, the assumptions and what else it is for."""
        return int.from_bytes(self._hash(*further)[:8], "big")

    def _hash(self, *further: str) -> bytes:
        keys = f"{self.keys.unique} {self.keys.references} {sorted(self.keys.not_null)}"
        parts = [*self.schema.ddl(), keys, self.query.sql, self.assumptions, *further]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()

    def expected(self, sandbox: Sandbox) -> Expected | None:
        """What the gold returns on the database that the sandbox holds; None when it fails there."""
        try:
            result, blocks = self._run(sandbox)
        except (QueryError, OverBudgetError):
            return None
        rows = normal_rows(result.rows, self.ignore_case)
        if not self._openness.possible:
            return Expected(result, rows, blocks, False)
        permitted = self._openness.permitted(sandbox, self.ignore_case)
        return Expected(result, rows, blocks, permitted is None or not permitted.single, permitted)

    def _run(self, sandbox: Sandbox) -> tuple[Result, list[int] | None]:
        found = self.variants
        if found.keyed is None:
            result = sandbox.run(self.query.sql)
            return result, None  # without order keys in sight the order of two rows may be a tie
        keyed = sandbox.run(found.keyed)
        width = len(keyed.columns) - sum(name.startswith(KEY_NAME) for name in keyed.columns)
        blocks = block_lengths(keyed, found.key_places, self.ignore_case)
        return Result(self.columns, [row[:width] for row in keyed.rows]), blocks


def words(sql: str) -> frozenset[str] | None:
    """The names and other words in a query, in lower case; None when it means all columns without naming them."""
    found, before = [], ""
    for token in meaningful(sql):
        if token.word == "NATURAL" or (token.text == "*" and before in ("SELECT", "DISTINCT", "ALL", ",", ".")):
            return None
        found.append(unquote(token.text).lower())
        before = token.word or token.text
    return frozenset(found)


def _usable(found: Variants, sandbox: Sandbox) -> Variants:
    """Without the order keys that SQLite refuses as columns."""
    try:
        if found.keyed is not None:
            sandbox.run(found.keyed)
    except (QueryError, OverBudgetError):
        found = replace(found, keyed=None, key_places=(), open=False)
    return found
