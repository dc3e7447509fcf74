"""What is under inspection: a gold of a row, and what it is made of."""

from dataclasses import dataclass
from functools import cached_property

from tinkersql.equivalence import Check
from tinkersql.equivalence.lexing import Token, meaningful


@dataclass(frozen=True)
class Row:
    """A gold of a row, which was tried out; a row with several golds is several of these.

    Attributes:
        number: of the row in the data, from 1.
        question: without blanks around it.
        schema: as it stands.
        gold: without blanks around it or a semicolon behind it.
        check: whether the gold runs, and as what.
    """

    number: int
    question: str
    schema: str
    gold: str
    check: Check

    @cached_property
    def tokens(self) -> list[Token]:
        """The gold's tokens without blanks and comments."""
        return list(meaningful(self.gold))

    @cached_property
    def ran(self) -> list[Token]:
        """The tokens of the text that ran: its values stand in single quotes, and its names do not."""
        return list(meaningful(self.check.sql))

    def replaced(self, start: int, end: int, text: str) -> str:
        """The gold with another text in that place."""
        return self.gold[:start] + text + self.gold[end:]


def tidied(gold: str) -> str:
    """The gold without blanks around it and without the semicolons that end it."""
    return gold.strip().rstrip("; \t\r\n")
