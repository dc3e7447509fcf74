"""Read questions to ask, or predictions to judge, from a file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tinkersql.corpus import Example
from tinkersql.corpus.formats import kind, rows_of
from tinkersql.corpus.reading import FACTS, facts_of
from tinkersql.errors import DataError

_SCHEMA = ("schema", "context")
# In a data file "answer" is the gold; in a run's predictions, which have "golds", it is what the model wrote.
_GOLD = ("gold", "golds", "answer")
_COLUMNS = ("question", *_SCHEMA, *_GOLD, "predicted")
"""All that is read of a table; which of them a row needs is seen row by row, as in JSON."""


def read_questions(path: Path) -> tuple[Example, ...]:
    """Read rows of question, schema and gold, which may be a list of acceptable queries.

    ``context`` and ``answer``, as in a data file, serve as well, and ``difficulty`` and ``skills`` are kept where they
    stand. The file is in a format of `corpus.formats`.

    Raises:
        DataError: The file or one of its rows, which is named, makes no sense.
    """
    found = _rows(path, ("question", "schema", "gold"), "--questions")
    return tuple(_example(row, where, _text(row, where, "question")) for where, row in found)


def read_predictions(path: Path) -> tuple[tuple[Example, ...], tuple[str, ...]]:
    """Read the same with ``predicted``, SQL or a model's raw answer, which may be empty; the question may be left out.

    Raises:
        DataError: The file or one of its rows, which is named, makes no sense.
    """
    examples: list[Example] = []
    predicted: list[str] = []
    for where, row in _rows(path, ("schema", "gold", "predicted"), "--predictions"):
        question = row.get("question")
        examples.append(_example(row, where, question if isinstance(question, str) else ""))
        if not isinstance(row.get("predicted"), str):
            raise DataError(f"{where} has no text under 'predicted'")
        predicted.append(row["predicted"])
    return tuple(examples), tuple(predicted)


def _rows(path: Path, needed: Sequence[str], option: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of the file, each after its place."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; check {option}")
    empty = True
    for place, row in rows_of(path, (), (*_COLUMNS, *FACTS)):
        if not isinstance(row, dict):
            raise DataError(f"{path}: {place} is {kind(row)}; an object with {', '.join(needed)} is expected")
        empty = False
        yield f"{path}: {place}", row
    if empty:
        raise DataError(f"{path}: no rows; at least one with {', '.join(needed)} is needed")


def _example(row: dict[str, Any], where: str, question: str) -> Example:
    schema = _text(row, where, *_SCHEMA)
    key = next((key for key in _GOLD if key in row), "gold")
    if not isinstance(row.get(key), list):
        return Example(question, schema, (_text(row, where, key),), **facts_of(row))
    if not row[key]:
        raise DataError(f"{where}: '{key}' is an empty list")
    return Example(question, schema, tuple(_text({key: gold}, where, key) for gold in row[key]), **facts_of(row))


def _text(row: dict[str, Any], where: str, *keys: str) -> str:
    """The text under the first of the keys that the row has."""
    key = next((key for key in keys if key in row), keys[0])
    if key not in row:
        raise DataError(f"{where} has no '{key}'")
    value = row[key]
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: '{key}' must be a non-empty text")
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise DataError(f"{where}: '{key}' holds half a character (an unpaired surrogate, \\ud800–\\udfff)")
    return value
