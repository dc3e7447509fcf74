"""The rows of a data file, before anybody asks what they mean."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tinkersql.errors import DataError

Row = tuple[str, Any]
"""Where a row stands (``line 3``), and what stands there: an object where all is well."""


def rows_of(path: Path, needed: Sequence[str]) -> Iterator[Row]:
    """The rows of a data file, in their order.

    Args:
        path: ``.jsonl`` and ``.ndjson`` hold JSON lines; everything else is a JSON array.
        needed: The keys of a row, for the messages.

    Raises:
        DataError: The file is missing, unreadable, empty, or not what its ending says.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check --data, or use --data built-in") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start}); save the file as UTF-8 JSON") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if not text.strip():
        raise DataError(f"{path}: the file is empty; at least a few examples with {', '.join(needed)} are needed")
    return _lines(path, text) if path.suffix in (".jsonl", ".ndjson") else _array(path, text)


def kind(value: Any) -> str:
    """What a JSON value is, for people."""
    names = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _array(path: Path, text: str) -> Iterator[Row]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: not valid JSON (line {error.lineno}, column {error.colno}: {error.msg}); "
            "one JSON object per line goes into a file named .jsonl"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: JSON that cannot be read ({error}); a flat array of rows is expected") from None
    if not isinstance(rows, list):
        raise DataError(f"{path}: a JSON array of rows is expected, but the file holds {kind(rows)}")
    for number, row in enumerate(rows, 1):
        yield f"row {number}", row


def _lines(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}: line {number} is not valid JSON ({error})") from None
