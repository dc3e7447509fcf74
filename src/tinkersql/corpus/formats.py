"""Data files as rows: JSON arrays, JSON lines, CSV, TSV and Parquet, chosen by the file's ending."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinkersql.console import printable
from tinkersql.errors import DataError
from tinkersql.extras import need_parquet

Row = tuple[str, Any]
"""Where a row stands (``line 3``), and what stands there: an object where all is well."""

_BATCH = 1024
_SHOWN = 20
"""Names of columns that a message lists; a table may have thousands."""


def rows_of(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of a data file, in their order.

    Args:
        path: ``.jsonl`` and ``.ndjson`` hold JSON lines, ``.csv`` and ``.tsv`` cells under a header, ``.parquet`` a
            table; everything else is a JSON array.
        needed: The columns that a table must have.
        optional: Further columns that are read, where they are there.

    Raises:
        DataError: The file is missing, unreadable, empty, not what its ending says, or a table without the columns that
            it must have, or with two of one name.
        SettingsError: A Parquet file, and pyarrow is not installed.
    """
    match path.suffix.lower():
        case ".parquet":
            return _parquet(path, needed, optional)
        case ".csv":
            return _cells(path, needed, optional, ",")
        case ".tsv":
            return _cells(path, needed, optional, "\t")
        case ".jsonl" | ".ndjson":
            return _lines(path)
        case _:
            return _array(path)


def kind(value: Any) -> str:
    """What a JSON value is, for people."""
    names = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def listed(names: Sequence[Any]) -> str:
    """Names of keys or columns, for the end of a message."""
    more = ", …" if len(names) > _SHOWN else ""
    return printable(", ".join(map(str, names[:_SHOWN])))[:1000] + more if names else "none"


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give the path of a data file, or built-in") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _text(path: Path) -> str:
    try:
        with _opening(path):
            text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from None
    if not text.strip():
        raise DataError(f"{path}: the file is empty; at least a few examples are needed")
    return text


def _array(path: Path) -> Iterator[Row]:
    text = _text(path)
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


def _lines(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}: line {number} is not valid JSON ({error})") from None


def _cells(path: Path, needed: Sequence[str], optional: Sequence[str], delimiter: str) -> Iterator[Row]:
    text = _text(path)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{path}: line {line} holds a NUL byte; save the file as UTF-8 text")
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    header: list[str] = []
    line = 1
    try:
        for cells in reader:
            if cells and not header:
                header = [name.strip() for name in cells]
                _check_columns(path, header, needed, optional)
            elif cells:  # a blank line is no row
                if len(cells) != len(header):
                    raise DataError(f"{path}: line {line} has {len(cells)} cells, and the header {len(header)}")
                yield f"line {line}", dict(zip(header, cells, strict=True))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}: line {line} is no row of cells ({error})") from None


def _parquet(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    parquet = need_parquet()
    import pyarrow as pa

    number = 1
    with _opening(path):
        source = path.open("rb")
    try:
        with source, parquet.ParquetFile(source) as file:
            names = file.schema_arrow.names
            _check_columns(path, names, needed, optional)
            columns = [name for name in names if name in needed or name in optional]
            for batch in file.iter_batches(_BATCH, columns=columns):
                for row in batch.to_pylist():
                    yield f"row {number}", row
                    number += 1
    except UnicodeDecodeError:
        raise DataError(f"{path}: a text in the rows from {number} on is not UTF-8") from None
    except (pa.ArrowException, OSError):
        raise DataError(f"{path}: not a Parquet file, or damaged") from None


def _check_columns(path: Path, names: Sequence[str], needed: Sequence[str], optional: Sequence[str]) -> None:
    for name in needed:
        if (count := names.count(name)) != 1:
            problem = f"has no column '{name}'" if not count else f"has {count} columns '{name}'"
            raise DataError(
                f"{path}: {problem} (its columns: {listed(names)}); --map question=NAME says which column is which"
            )
    for name in optional:
        if (count := names.count(name)) > 1:
            raise DataError(f"{path}: has {count} columns '{name}'; only one can be read")
