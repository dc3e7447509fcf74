"""A cleaned copy of the data, and a log that says what became of which row."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tinkersql.corpus.quality.audit import Audit
from tinkersql.corpus.quality.causes import DUPLICATE, LOOSE_ENDS, Finding, Severity
from tinkersql.corpus.reading import to_record
from tinkersql.errors import DataError, RunError


@dataclass(frozen=True)
class Cleaned:
    """What was written: the file and its rows, the log, and how many rows were dropped and repaired."""

    path: Path
    log: Path
    rows: int
    dropped: int
    repaired: int


def log_of(out: Path) -> Path:
    """The log that `clean` writes beside its file."""
    return out.with_name(f"{out.name}.log.jsonl")


def clean(found: Audit, out: Path) -> Cleaned:
    """Write the rows that are left when the wrong ones are dropped or repaired.

    Dropped are rows with a gold that does not run or is damaged beyond a certain repair, all rows of a contradiction,
    and every duplicate but the first. Warnings besides duplicates and loose ends change nothing. Both files appear
    complete or not at all.

    Args:
        found: the audit.
        out: the file to write, which `corpus.writing.check_file` accepts, as it must its log (`log_of`).

    Raises:
        DataError: no row is left.
        RunError: a file cannot be written.
    """
    rows, log = [], []
    by_row: dict[int, list[Finding]] = {}
    for finding in found.findings:
        by_row.setdefault(finding.row, []).append(finding)
    for number, example in enumerate(found.examples, 1):
        findings = by_row.get(number, [])
        before = to_record(example)
        against = next((finding for finding in findings if _drops(finding)), None)
        if against is not None:
            log.append(_entry(against, "dropped", before, None))
            continue
        after = to_record(found.rows[number])
        rows.append(after)
        if after != before:
            cause = next(finding for finding in findings if finding.repair or finding.cause is LOOSE_ENDS)
            changed = [key for key in before if before[key] != after[key]]
            log.append(_entry(cause, "repaired", {k: before[k] for k in changed}, {k: after[k] for k in changed}))
    if not rows:
        raise DataError(f"no row is left: nothing is written to {out}; see the causes without --clean")
    log_path = log_of(out)
    with ExitStack() as stack:
        for path, text in ((log_path, _lines(log)), (out, _array(rows) if out.suffix == ".json" else _lines(rows))):
            stack.enter_context(_replacing(path)).writelines(text)
    dropped = len(found.examples) - len(rows)
    return Cleaned(out, log_path, len(rows), dropped, len(log) - dropped)


def _drops(finding: Finding) -> bool:
    """Whether a finding costs the row its place."""
    return finding.cause is DUPLICATE or (finding.cause.severity is Severity.ERROR and not finding.repair)


def _entry(finding: Finding, action: str, before: dict[str, Any], after: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "row": finding.row,
        "cause": finding.cause.name,
        "detail": finding.detail,
        "action": action,
        "before": before,
        "after": after,
    }


def _lines(records: Iterable[dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _array(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield json.dumps(rows, ensure_ascii=False, indent=0) + "\n"


@contextmanager
def _replacing(path: Path) -> Iterator[IO[str]]:
    """A file to write, which takes its place once it is complete and on the disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("w", encoding="utf-8") as sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(path)
    except RunError:  # of the other file
        raise
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        temporary.unlink(missing_ok=True)
