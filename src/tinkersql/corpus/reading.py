"""Read examples from a file, the hub or the built-in generator."""

import hashlib
import json
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from tinkersql.cache import sha256_of
from tinkersql.console import Reporter
from tinkersql.corpus import hub
from tinkersql.corpus.examples import Example
from tinkersql.corpus.formats import kind, rows_of
from tinkersql.corpus.generate import generate
from tinkersql.errors import DataError

BUILT_IN = "built-in"
HUB = "hub"
KEYS = ("question", "context", "answer")
"""The keys of a row, as in ``b-mc2/sql-create-context``: question, schema, gold query."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Examples and where they come from.

    Attributes:
        examples: In the order of the source.
        source: A file path, ``hub: …`` or ``built-in``, for people.
        sha256: Of the file's bytes, or of the generated examples with all their golds, written as JSON.
        is_built_in: Whether the examples were generated, and so carry a domain and a pattern.
    """

    examples: tuple[Example, ...]
    source: str
    sha256: str
    is_built_in: bool = False


def load(data: str, reporter: Reporter) -> Corpus:
    """Load ``built-in``, ``hub`` or a data file.

    Raises:
        DataError: Missing, unreadable, empty or malformed data; the hub out of reach.
    """
    if data == BUILT_IN:
        return built_in()
    if data == HUB:
        with reporter.downloads() as progress:
            path = hub.fetch(progress)
        return Corpus(read_file(path), f"hub: {hub.DATASET}", sha256_of(path))
    path = Path(data)
    return Corpus(read_file(path), str(path), sha256_of(path))


def built_in() -> Corpus:
    """The generated examples: always the same, wherever they are made."""
    examples = tuple(generate())
    text = json.dumps([astuple(example) for example in examples])
    return Corpus(examples, f"{BUILT_IN} (generated)", hashlib.sha256(text.encode()).hexdigest(), is_built_in=True)


def to_row(example: Example) -> dict[str, str]:
    """An example as a row of a data file, with the keys `KEYS`."""
    return dict(zip(KEYS, (example.question, example.schema, example.gold), strict=True))


def read_file(path: Path) -> tuple[Example, ...]:
    """Read a JSON array or JSON lines of objects with the keys `KEYS`.

    Raises:
        DataError: The file is missing, unreadable, no UTF-8, no JSON array, empty, or a row lacks a key.
    """
    rows = list(rows_of(path, KEYS))
    if not rows:
        raise DataError(f"{path}: no rows; at least a few examples with {', '.join(KEYS)} are needed")
    return tuple(_example(path, where, row) for where, row in rows)


def _example(path: Path, where: str, row: Any) -> Example:
    if not isinstance(row, dict):
        raise DataError(f"{path}: {where} is {kind(row)}; an object with {', '.join(KEYS)} is expected")
    for key in KEYS:
        if key not in row:
            raise DataError(f"{path}: {where} has no '{key}' (its keys: {', '.join(map(str, row)) or 'none'})")
        if not isinstance(row[key], str) or not row[key].strip():
            raise DataError(f"{path}: {where}: '{key}' must be a non-empty text")
        if not row[key].isascii() and any("\ud800" <= c <= "\udfff" for c in row[key]):
            raise DataError(f"{path}: {where}: '{key}' holds half a character (an unpaired surrogate, \\ud800–\\udfff)")
    return Example(row["question"], row["context"], (row["answer"],))
