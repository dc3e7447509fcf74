"""What a part of the input is: rows to read, and the same rows to write with their answers."""

from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Protocol

from tinkersql.equivalence import Comparison, Pair, Verdict

Record = dict[str, Any]
"""One row: text under ``schema`` and ``predicted``, text or a list of texts under ``gold``, and what else it has."""
Row = tuple[int, Record | str]
"""The number of a line or row, from 1, and its record; or in its place what is wrong with it, in a few words."""
Answer = dict[str, Any]
"""`Comparison.to_dict`, with the SQL of the prediction under ``predicted_sql``: ``predicted`` is the raw answer."""
KEYS = ("schema", "gold", "predicted")


class Part(Protocol):
    """A file of pairs. Each method reads the file anew, from its beginning, in constant memory.

    Every method raises `tinkersql.errors.DataError` when the file as a whole makes no sense.
    """

    unit: str
    """What one row is called in messages: ``line`` or ``row``."""

    def count(self) -> int:
        """How many rows there are, the unreadable ones included."""
        ...

    def rows(self) -> Iterator[Row]:
        """The rows in order, at least with what the judge needs of them."""
        ...

    def write(self, sink: IO[bytes], answers: Iterator[Answer]) -> None:
        """Write the readable rows in the part's own format, each with all that it had and the next of ``answers``."""
        ...


def problem(record: Record) -> str | None:
    """Why the judge cannot take this record, or None when it can."""
    missing = [key for key in KEYS if key not in record]
    if missing:
        return f"lacks {', '.join(missing)}"
    golds = record["gold"] if isinstance(record["gold"], list) else [record["gold"]]
    if not golds:
        return "gold is an empty list"
    if not all(isinstance(text, str) for text in (record["schema"], record["predicted"], *golds)):
        return "schema, gold and predicted must be text"
    return None


def readable(rows: Iterable[Row], complain: Callable[[int, str], None]) -> Iterator[Record]:
    """The records among the rows; ``complain(number, why)`` hears of the others."""
    for number, row in rows:
        if isinstance(row, str):
            complain(number, row)
        else:
            yield row


def pair(record: Record) -> Pair:
    """What the judge takes of a record."""
    return record["schema"], record["gold"], record["predicted"]


def answer_of(comparison: Comparison) -> Answer:
    """What is written about a pair, besides what its row had."""
    found = comparison.to_dict()
    found["predicted_sql"] = found.pop("predicted")
    return found


ANSWER_KEYS = tuple(answer_of(Comparison(Verdict.MATCH, "")))
