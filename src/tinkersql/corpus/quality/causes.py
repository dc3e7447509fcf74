"""What may be wrong with a row of text-to-SQL data: the causes, in the order in which reports list them."""

from dataclasses import dataclass
from enum import StrEnum

from tinkersql.equivalence import Problem


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """Whoever learns the row learns something wrong."""
    WARNING = "warning"
    """The row may be fine; a person should look at some of these."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One kind of finding: its name in reports, and its severity. ``docs/data.md`` says what each means."""

    name: str
    severity: Severity


SCHEMA = Cause("unreadable schema", Severity.ERROR)
SYNTAX = Cause("unparsable SQL", Severity.ERROR)
NAME = Cause("missing table or column", Severity.ERROR)
RUNTIME = Cause("runtime error", Severity.ERROR)
OVER_BUDGET = Cause("over budget", Severity.ERROR)
TORN_NAME = Cause("torn name", Severity.ERROR)
TORN_NUMBER = Cause("torn number", Severity.ERROR)
TORN_VALUE = Cause("torn value", Severity.ERROR)
SWALLOWED = Cause("swallowed aggregate", Severity.ERROR)
INNER_QUOTE = Cause("quote inside a value", Severity.ERROR)
OPEN_QUOTE = Cause("unbalanced quote", Severity.ERROR)
VALUE_AS_COLUMN = Cause("value read as a column", Severity.ERROR)
PLACEHOLDER = Cause("placeholder", Severity.ERROR)
CONTRADICTION = Cause("contradiction", Severity.ERROR)
DUPLICATE = Cause("duplicate", Severity.WARNING)
BARE_VALUE = Cause("value without quotes", Severity.WARNING)
WRAPPED_VALUE = Cause("quotes within quotes", Severity.WARNING)
LITERAL = Cause("literal not in the question", Severity.WARNING)
LOOSE_ENDS = Cause("loose ends", Severity.WARNING)

CAUSES = (
    *(SCHEMA, SYNTAX, NAME, RUNTIME, OVER_BUDGET),
    *(TORN_NAME, TORN_NUMBER, TORN_VALUE, SWALLOWED, INNER_QUOTE, OPEN_QUOTE, VALUE_AS_COLUMN, PLACEHOLDER),
    *(CONTRADICTION, DUPLICATE, BARE_VALUE, WRAPPED_VALUE, LITERAL, LOOSE_ENDS),
)
"""Every cause."""

CAUSE_OF = {
    Problem.SCHEMA: SCHEMA,
    Problem.SYNTAX: SYNTAX,
    Problem.NAME: NAME,
    Problem.RUNTIME: RUNTIME,
    Problem.OVER_BUDGET: OVER_BUDGET,
}
"""The cause for a gold that does not run, where no more telling one is found."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one row.

    Attributes:
        row: the row's number in the data, counted from 1.
        cause: what kind it is.
        detail: what was seen, in one line.
        repair: the gold as it should be, where the question says so beyond doubt and the result runs; else empty.
    """

    row: int
    cause: Cause
    detail: str
    repair: str = ""
