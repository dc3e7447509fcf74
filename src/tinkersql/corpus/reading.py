"""Read examples from a file, the hub or the built-in generator."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

from tinkersql.cache import sha256_of
from tinkersql.console import Reporter, printable
from tinkersql.corpus import hub
from tinkersql.corpus.examples import Example
from tinkersql.corpus.formats import kind, listed, rows_of
from tinkersql.corpus.generate import generate
from tinkersql.corpus.swallowed import written_out
from tinkersql.errors import DataError, SettingsError

BUILT_IN = "built-in"
HUB = "hub"
KEYS = ("question", "context", "answer")
"""The keys of a row, as in ``b-mc2/sql-create-context``: question, schema, gold query."""
FACTS = ("domain", "pattern", "difficulty", "skills")
"""Further keys of the rows that `to_record` writes; read where they hold what they should, else passed over."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Examples and where they come from.

    Attributes:
        examples: In the order of the source.
        source: A file path, ``hub: …`` or ``built-in``, for people.
        sha256: Of the file's bytes, or of the generated examples with all their golds, written as JSON.
        is_built_in: Whether the examples were generated, and so carry a domain and a pattern.
        notes: What a reader of results must know about the examples, one sentence each.
    """

    examples: tuple[Example, ...]
    source: str
    sha256: str
    is_built_in: bool = False
    notes: tuple[str, ...] = ()


def load(data: str, reporter: Reporter, mapping: str = "", *, as_it_stands: bool = False) -> Corpus:
    """Load ``built-in``, ``hub`` or a data file.

    Args:
        data: Which.
        reporter: Shows the hub's download.
        mapping: What the columns of a data file are called, as `parse_mapping` reads it.
        as_it_stands: Leave out `written_out`.

    Raises:
        DataError: Missing, unreadable, empty or malformed data; the hub out of reach.
        SettingsError: A mapping that makes no sense; a Parquet file, and pyarrow is not installed.
    """
    names = parse_mapping(mapping)
    if mapping and data in (BUILT_IN, HUB):
        raise SettingsError(f"--map belongs to a data file: leave it out with {data}")
    if data == BUILT_IN:
        return built_in()
    if data == HUB:
        with reporter.downloads() as progress:
            path = hub.fetch(progress)
        source = f"hub: {hub.DATASET}"
    else:
        path = Path(data)
        source = str(path)
    examples = read_file(path, names)
    changed = {} if as_it_stands else written_out(examples)
    note = (
        f"{len(changed):,} golds of {len(examples):,} have max_place or the like for MAX(place), and are read as that."
    )
    examples = tuple(changed.get(place, example) for place, example in enumerate(examples))
    return Corpus(examples, source, sha256_of(path), notes=(note,) if changed else ())


@cache
def built_in() -> Corpus:
    """The generated examples: always the same, wherever they are made."""
    examples = tuple(generate())
    text = json.dumps([astuple(example) for example in examples])
    return Corpus(examples, f"{BUILT_IN} (generated)", hashlib.sha256(text.encode()).hexdigest(), is_built_in=True)


def parse_mapping(text: str) -> dict[str, str]:
    """Read ``question=nl,answer=sql`` as which of `KEYS` is found under which name; an empty text maps nothing.

    Raises:
        SettingsError: A part without ``=``, a key that is none of `KEYS`, a key that comes twice, or a name under which
            two keys would be found, be it that one of them is called so by default.
    """
    names: dict[str, str] = {}
    for part in filter(str.strip, text.split(",")):
        key, equals, name = (piece.strip() for piece in part.partition("="))
        if not equals or not name:
            raise SettingsError(f"--map {printable(part)}: write KEY=NAME, such as question=nl")
        if key not in KEYS:
            raise SettingsError(f"--map {printable(part)}: no such key; choose one of {', '.join(KEYS)}")
        if key in names:
            raise SettingsError(f"--map {printable(part)}: '{key}' is mapped twice")
        names[key] = name
    found = {key: names.get(key, key) for key in KEYS}
    for one, other in combinations(KEYS, 2):
        if found[one] == found[other]:
            raise SettingsError(
                f"--map {printable(text)}: '{found[one]}' would be both {one} and {other}; "
                "give each of them a column of its own"
            )
    return names


def to_row(example: Example) -> dict[str, str]:
    """An example as a row of the exercise, with the keys `KEYS` alone: the gold that training learns."""
    return dict(zip(KEYS, (example.question, example.schema, example.gold), strict=True))


def to_record(example: Example) -> dict[str, Any]:
    """An example as a row that `read_file` reads back the same: all golds (a list if several), and `FACTS`."""
    golds = {"answer": list(example.golds)} if len(example.golds) > 1 else {}
    facts = {key: value for key in FACTS if (value := getattr(example, key))}
    return to_row(example) | golds | facts


def read_file(path: Path, mapping: Mapping[str, str] | None = None) -> tuple[Example, ...]:
    """Read a data file of rows with the keys `KEYS`, in one of the formats of `corpus.formats`.

    Where JSON or Parquet holds a list of texts as ``answer``, all are acceptable and the first is the one to learn.

    Args:
        path: The file.
        mapping: Under which name a key of `KEYS` is found; its own by default.

    Raises:
        DataError: The file is missing, unreadable, not what its ending says, empty, or a row lacks a key.
        SettingsError: A Parquet file, and pyarrow is not installed.
    """
    names = {key: key for key in KEYS} | dict(mapping or {})
    examples = tuple(_example(path, where, row, names) for where, row in rows_of(path, tuple(names.values()), FACTS))
    if not examples:
        raise DataError(f"{path}: no rows; at least a few examples with {', '.join(names.values())} are needed")
    return examples


def _example(path: Path, where: str, row: Any, names: Mapping[str, str]) -> Example:
    if not isinstance(row, dict):
        raise DataError(f"{path}: {where} is {kind(row)}; an object with {', '.join(names.values())} is expected")
    found: dict[str, tuple[str, ...]] = {}
    for key, name in names.items():
        if name not in row:
            raise DataError(
                f"{path}: {where} has no '{name}' (its keys: {listed(list(row))}); --map {key}=NAME names another"
            )
        is_list = key == "answer" and isinstance(row[name], list)
        found[key] = tuple(row[name]) if is_list else (row[name],)
        for problem in filter(None, map(_problem, found[key] or ("",))):
            raise DataError(f"{path}: {where}: '{name}' {problem}")
    return Example(found["question"][0], found["context"][0], found["answer"], **facts_of(row))


def facts_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says of its example under `FACTS`, as arguments of `Example`."""
    facts = {key: row[key] for key in FACTS[:-1] if key in row and not _problem(row[key])}
    skills = row.get("skills")
    if isinstance(skills, list) and not any(map(_problem, skills)):
        facts["skills"] = tuple(skills)
    return facts


def _problem(value: Any) -> str:
    """Why a value cannot be a text of an example; empty if it can."""
    if not isinstance(value, str) or not value.strip():
        return "must be a non-empty text"
    if "\0" in value:
        return "holds a NUL character, which no query and no question can hold"
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        return "holds half a character (an unpaired surrogate, \\ud800–\\udfff)"
    return ""
