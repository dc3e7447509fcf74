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
    """One kind of finding: its name in reports, its severity, and what it means."""

    name: str
    severity: Severity
    meaning: str


SCHEMA = Cause("unreadable schema", Severity.ERROR, "no table can be read from the schema")
SYNTAX = Cause("unparsable SQL", Severity.ERROR, "the gold does not parse, or is not one query")
NAME = Cause("missing table or column", Severity.ERROR, "the gold names what its schema lacks")
RUNTIME = Cause("runtime error", Severity.ERROR, "the gold fails for another reason")
OVER_BUDGET = Cause("over budget", Severity.ERROR, "the gold takes too many steps or too much memory")
TORN_NAME = Cause("torn name", Severity.ERROR, "a column's name was cut in two, so the gold reads something else")
TORN_NUMBER = Cause("torn number", Severity.ERROR, "a number was cut at its thousands separator")
TORN_VALUE = Cause("torn value", Severity.ERROR, "a value lost its quotes and is computed like a formula")
INNER_QUOTE = Cause("quote inside a value", Severity.ERROR, "a quote in a value is not doubled and ends it too early")
OPEN_QUOTE = Cause("unbalanced quote", Severity.ERROR, "a quote is opened and never closed")
VALUE_AS_COLUMN = Cause("value read as a column", Severity.ERROR, "a double-quoted value is also a column's name")
PLACEHOLDER = Cause("placeholder", Severity.ERROR, "a template's placeholder was never filled in")
CONTRADICTION = Cause("contradiction", Severity.ERROR, "rows with one question and schema differ in meaning")
DUPLICATE = Cause("duplicate", Severity.WARNING, "an earlier row has the same question, schema and gold")
BARE_VALUE = Cause("value without quotes", Severity.WARNING, "a column is compared with a word of the question")
WRAPPED_VALUE = Cause("quotes within quotes", Severity.WARNING, "a value carries a second pair of quotes")
LITERAL = Cause("literal not in the question", Severity.WARNING, "nobody could know this value from the question")
LOOSE_ENDS = Cause("loose ends", Severity.WARNING, "blanks around the question or the gold, or a semicolon at its end")

CAUSES = (
    *(SCHEMA, SYNTAX, NAME, RUNTIME, OVER_BUDGET),
    *(TORN_NAME, TORN_NUMBER, TORN_VALUE, INNER_QUOTE, OPEN_QUOTE, VALUE_AS_COLUMN, PLACEHOLDER),
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
