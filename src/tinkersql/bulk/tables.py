"""Parts in Parquet, read and written by record batches. Needs pyarrow, of the ``[parquet]`` extra."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tinkersql.bulk.parts import ANSWER_KEYS, KEYS, Answer, Record, Row, problem
from tinkersql.errors import DataError
from tinkersql.extras import need_parquet

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROWS = 1024
"""Rows in memory at a time, and in a row group of the output."""
_BUFFER = 2**20


class ParquetPart:
    """A ``.parquet`` file with columns ``schema``, ``gold`` (text or lists of text) and ``predicted``.

    The output keeps all columns with their types, and adds the answer's: text as it is, everything else as JSON text.

    Raises:
        SettingsError: pyarrow is not installed.
    """

    unit = "row"

    def __init__(self, path: Path) -> None:
        need_parquet()
        self.path = path

    def count(self) -> int:
        """How many rows the file says it has."""
        with self._opened() as file:
            return file.metadata.num_rows

    def rows(self) -> Iterator[Row]:
        """The three columns that the judge needs."""
        number = 0
        with self._opened() as file:
            for batch in file.iter_batches(_ROWS, columns=list(KEYS)):
                for found in _checked(batch):
                    number += 1
                    yield number, found

    def write(self, sink: IO[bytes], answers: Iterator[Answer]) -> None:
        """One row for each readable row."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with self._opened() as file:
            kept = [column for column in file.schema_arrow if column.name not in ANSWER_KEYS]
            names = [column.name for column in kept]
            # Without the table's metadata: what pandas and others keep there describes the old columns alone.
            schema = pa.schema([*kept, *(pa.field(key, pa.string()) for key in ANSWER_KEYS)])
            with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
                for batch in file.iter_batches(_ROWS):
                    good = [not isinstance(row, str) for row in _checked(batch)]
                    found = list(islice(answers, sum(good)))
                    columns = batch.filter(pa.array(good, pa.bool_())).select(names).columns
                    added = [pa.array([_text(answer[key]) for answer in found], pa.string()) for key in ANSWER_KEYS]
                    writer.write_batch(pa.RecordBatch.from_arrays([*columns, *added], schema=schema))

    @contextmanager
    def _opened(self) -> "Iterator[pq.ParquetFile]":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path, buffer_size=_BUFFER, pre_buffer=False) as file:
                names = file.schema_arrow.names
                missing = [key for key in KEYS if names.count(key) != 1]
                if missing:
                    raise DataError(f"{self.path}: has no column {', '.join(missing)}")
                yield file
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno:  # a full disk, say, and not what the file holds
                raise
            raise DataError(f"{self.path}: not a Parquet file, or damaged") from None


def _checked(batch: "pa.RecordBatch") -> Iterator[Record | str]:
    for values in zip(*(_values(batch.column(key)) for key in KEYS), strict=True):
        record: Record = dict(zip(KEYS, values, strict=True))
        yield problem(record) or record


def _values(column: "pa.Array") -> list[Any]:
    """The values in Python; what is no text although its type says so becomes None."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        return [_value(scalar) for scalar in column]


def _value(scalar: "pa.Scalar") -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return None


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
