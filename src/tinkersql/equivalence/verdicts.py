"""What the judge answers: a verdict, the assumptions under which it holds, and a witness that anyone can replay."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

THRESHOLD, FEWEST_MUTANTS = 0.6, 5
"""A gold whose databases kill a smaller share of its mutants, if there are so many, is reported and never matched."""


class Verdict(StrEnum):
    """The six answers to "does the prediction mean the same as the gold?"."""

    MATCH = "match"
    """No difference was found on databases that make the gold return something, or the two are the same by proof."""
    DIFFERENT = "different"
    """A witness database tells the two apart."""
    UNDECIDED = "undecided"
    """No difference was found, but the databases probe the gold too little for that to mean anything: not a match."""
    PREDICTION_ERROR = "prediction_error"
    """The prediction is no query, or does not run against the schema."""
    PREDICTION_OVER_BUDGET = "prediction_over_budget"
    """The prediction was stopped: too many steps, too much memory, too many rows."""
    GOLD_ERROR = "gold_error"
    """The gold itself does not run against the schema; nothing is said about the prediction."""


class Assumptions(StrEnum):
    """What the databases may hold. Each step forbids more than the one before, so each accepts at least as much."""

    OPEN_WORLD = "open_world"
    """Only the declared constraints hold: duplicate ids, dangling references, NULLs and letter case all count."""
    INFERRED_KEYS = "inferred_keys"
    """Keys and references that the names of tables and columns suggest hold as well; NULLs and letter case count."""
    NO_NULLS = "no_nulls"
    """Also: no NULL is stored, except in columns that a query itself tests for NULL, and the letter case of values is
    ignored. The headline."""
    HEADLINE = NO_NULLS


@dataclass(frozen=True)
class Table:
    """A query's result: column names as SQLite reports them, and rows of JSON-ready values."""

    columns: list[str]
    rows: list[list[Any]]

    def to_dict(self) -> dict[str, Any]:
        """``{"columns": [...], "rows": [[...], ...]}``."""
        return {"columns": self.columns, "rows": self.rows}


@dataclass(frozen=True)
class Witness:
    """A small database on which the two queries return different results.

    ``script`` holds CREATE and INSERT statements; ``gold_sql`` and ``predicted_sql`` are the queries as they were run
    (other dialects translated, double-quoted values in single quotes). Paste the three into ``sqlite3`` to see it.
    """

    script: str
    gold_sql: str
    predicted_sql: str
    gold_result: Table
    predicted_result: Table

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return {
            "script": self.script,
            "gold_sql": self.gold_sql,
            "predicted_sql": self.predicted_sql,
            "gold_result": self.gold_result.to_dict(),
            "predicted_result": self.predicted_result.to_dict(),
        }


@dataclass(frozen=True)
class Adequacy:
    """A gold's certificate: how well its databases probe it.

    Attributes:
        mutants: small wrong versions of the gold that run.
        killed: those that some database tells from the gold.
        alive: the operators of those that none does, one entry each.
        equivalent: by the name of the proof, how many of the mutants mean the same as the gold.
        databases: databases kept.
        non_empty: those on which the gold's result says more than on empty tables.
    """

    mutants: int = 0
    killed: int = 0
    alive: list[str] = field(default_factory=list)
    equivalent: dict[str, int] = field(default_factory=dict)
    databases: int = 0
    non_empty: int = 0

    @property
    def score(self) -> float | None:
        """Killed mutants of all that are not proved equivalent; None when there are none."""
        total = self.killed + len(self.alive)
        return self.killed / total if total else None

    @property
    def sufficient(self) -> bool:
        """Whether agreement on the databases may count: some are telling, and they kill enough mutants."""
        return self.non_empty > 0 and self.kills_enough

    @property
    def kills_enough(self) -> bool:
        """Whether enough mutants are killed, or there are too few to say."""
        return self.killed + len(self.alive) < FEWEST_MUTANTS or (self.score or 0.0) >= THRESHOLD

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready copy, with the score."""
        return {**asdict(self), "score": self.score}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Adequacy":
        """The inverse of ``to_dict``."""
        return cls(**{key: value for key, value in data.items() if key != "score"})


@dataclass(frozen=True)
class Comparison:
    """The judge's answer about one prediction.

    Attributes:
        verdict: the answer.
        reason: one line for a person.
        predicted: the SQL that was found in the model's answer; empty when there was none.
        witness: present exactly when the verdict is ``different``.
        assumptions: the step of the ladder under which the verdict holds.
        notes: what a reader should know besides, such as a free column order or a translated dialect.
        adequacy: how well the databases probe this gold; None when it does not run.
    """

    verdict: Verdict
    reason: str
    predicted: str = ""
    witness: Witness | None = None
    assumptions: Assumptions = Assumptions.HEADLINE
    notes: list[str] = field(default_factory=list)
    adequacy: Adequacy | None = None

    @property
    def matches(self) -> bool:
        """Whether the verdict is ``match``."""
        return self.verdict is Verdict.MATCH

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return {
            "verdict": str(self.verdict),
            "reason": self.reason,
            "predicted": self.predicted,
            "witness": self.witness.to_dict() if self.witness else None,
            "assumptions": str(self.assumptions),
            "notes": self.notes,
            "adequacy": self.adequacy.to_dict() if self.adequacy else None,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Comparison":
        """The inverse of ``to_dict``."""
        witness = data.get("witness")
        if witness:
            results = {key: Table(**witness[key]) for key in ("gold_result", "predicted_result")}
            witness = Witness(**{**witness, **results})
        return cls(
            **{
                **data,
                "verdict": Verdict(data["verdict"]),
                "assumptions": Assumptions(data["assumptions"]),
                "witness": witness,
                "adequacy": Adequacy.from_dict(data["adequacy"]) if data.get("adequacy") else None,
            }
        )


class Problem(StrEnum):
    """Why a query does not run on its schema."""

    SCHEMA = "schema"
    """No table could be read from the schema, or SQLite refuses one."""
    SYNTAX = "syntax"
    """The text does not parse, or is not one query."""
    NAME = "name"
    """It names a table or a column that the schema lacks."""
    RUNTIME = "runtime"
    """It fails for another reason: an unknown function, an ambiguous name, an aggregate in the wrong place."""
    OVER_BUDGET = "over_budget"
    """It was stopped: too many steps, too much memory, too many rows."""


@dataclass(frozen=True)
class Check:
    """Whether a query runs on its schema.

    Attributes:
        problem: why it does not; None when it runs.
        reason: the same in one line for a person; empty when it runs.
        sql: the text that ran: other dialects translated, double-quoted values in single quotes. Text that is still
            in double quotes was read as a name. Empty when nothing ran.
    """

    problem: Problem | None = None
    reason: str = ""
    sql: str = ""

    @property
    def runs(self) -> bool:
        """Whether it runs."""
        return self.problem is None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return {"problem": self.problem and str(self.problem), "reason": self.reason, "sql": self.sql}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Check":
        """The inverse of ``to_dict``."""
        return cls(data["problem"] and Problem(data["problem"]), data["reason"], data["sql"])
