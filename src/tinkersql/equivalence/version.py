"""Which judge this is: answers of two judges must never be mixed."""

import hashlib
import sqlite3
from functools import cache
from pathlib import Path


@cache
def judge_version() -> str:
    """A hash of all that decides an answer besides the input: the judge's own source, SQLite and the SQL parser."""
    from importlib import metadata  # here, because the command's help should not wait for it

    digest = hashlib.sha256(f"{sqlite3.sqlite_version} {metadata.version('sqlglot')}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
