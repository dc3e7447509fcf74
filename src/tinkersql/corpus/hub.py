"""The data set of the exercise, ``b-mc2/sql-create-context``, from the Hugging Face hub."""

import json
from pathlib import Path

from tinkersql import hub
from tinkersql.cache import Progress, silent
from tinkersql.errors import DataError

DATASET = "b-mc2/sql-create-context"
FILENAME = "sql_create_context_v4.json"
ROWS = 78_577
"""Rows of the published file; any other number means that it is not the same data."""

_ALTERNATIVES = "use --data FILE or --data built-in"


def fetch(progress: Progress = silent) -> Path:
    """The data set's file in the hub's cache, downloaded (22 MB) if it is not there yet.

    Args:
        progress: Told about the download.

    Raises:
        DataError: the hub cannot be reached or has not got it, or the file has another number of rows.
    """
    path = hub.cached_file(DATASET, FILENAME, repo_type="dataset")
    try:
        path = path or hub.download_file(DATASET, FILENAME, repo_type="dataset", progress=progress)
    except hub.HubError as error:
        raise DataError(f"cannot fetch the data set: {error}; {_ALTERNATIVES}") from error
    _check_rows(path)
    return path


def _check_rows(path: Path) -> None:
    """A cut-off or exchanged file must not pass for the data set: its figures would be about something else."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no readable JSON ({error}): delete {path.resolve()}, or {_ALTERNATIVES}") from error
    count = len(rows) if isinstance(rows, list) else 0
    if count != ROWS:
        raise DataError(
            f"{path} has {count:,} rows, not the {ROWS:,} of {DATASET}, so it is incomplete or other data: "
            f"delete {path.resolve()}, or {_ALTERNATIVES}"
        )
