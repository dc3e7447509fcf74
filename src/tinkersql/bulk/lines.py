"""Parts in JSON Lines: one JSON object a line, in UTF-8."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tinkersql.bulk.parts import Answer, Record, Row, problem, readable
from tinkersql.errors import DataError

LONGEST = 16 * 2**20
"""Bytes of the longest line that is read; a longer one is passed over in small pieces and named."""
_PIECE = 2**16


class JsonLines:
    """A ``.jsonl`` file. Blank lines are no rows, though they count in the line numbers."""

    unit = "line"

    def __init__(self, path: Path) -> None:
        self.path = path

    def count(self) -> int:
        """How many lines are not blank."""
        with open_lines(self.path) as stream:
            return sum(1 for _ in _lines(stream))

    def rows(self) -> Iterator[Row]:
        """The lines with everything that they hold."""
        with open_lines(self.path) as stream:
            yield from read_rows(stream)

    def write(self, sink: IO[bytes], answers: Iterator[Answer]) -> None:
        """One line for each readable line."""
        for record, answer in zip(readable(self.rows(), lambda number, why: None), answers, strict=True):
            sink.write(answered_line(record, answer))


def open_lines(path: Path) -> IO[bytes]:
    """The file, opened to read.

    Raises:
        DataError: it cannot be opened.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None


def read_rows(stream: IO[bytes]) -> Iterator[Row]:
    """The rows of an open file or pipe, each as soon as its line is there."""
    for number, line in _lines(stream):
        yield number, _parse(line)


def answered_line(record: Record, answer: Answer) -> bytes:
    """One line of output; in ASCII, so that lone surrogates survive."""
    return json.dumps({**record, **answer}).encode("ascii") + b"\n"


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Number and content of the lines that are not blank; None stands for a line that is too long."""
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST and not line.endswith(b"\n"):
            while (rest := stream.readline(_PIECE)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        elif line.strip():
            yield number, line


def _parse(line: bytes | None) -> Record | str:
    """The line's object, or what is wrong with it."""
    if line is None:
        return f"longer than {LONGEST // 2**20} MiB"
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return "not UTF-8 text"
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(record, dict):
        return "not a JSON object"
    return problem(record) or record
