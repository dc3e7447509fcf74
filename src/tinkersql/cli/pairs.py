"""``tinkersql compare --pairs``: a file, a stream or a folder of pairs."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from tinkersql.bulk import (
    Judge,
    Receipt,
    Task,
    Watcher,
    compare_file,
    compare_parts,
    compare_stream,
    finished,
    plan,
    task_for,
)
from tinkersql.bulk.cluster import compare_on_ray
from tinkersql.bulk.journal import replacing
from tinkersql.bulk.lines import JsonLines, open_lines
from tinkersql.console import Terminal, printable
from tinkersql.equivalence import Assumptions, compare_many
from tinkersql.errors import DataError, SettingsError

_PARQUET = ".parquet"
_ENDINGS = (_PARQUET, ".jsonl", ".ndjson", ".json", ".txt", "")


def compare_pairs(
    pairs: Path, out: Path | None, ray: str | None, workers: int | None, assumptions: Assumptions, as_json: bool
) -> int:
    """Compare them all, say what came of it, and return the exit code: 2 if anything could not be read."""
    terminal = Terminal()
    judge = partial(compare_many, workers=workers or 1, assumptions=assumptions)
    try:
        if pairs.is_dir():
            if out is None:
                raise SettingsError("--pairs is a folder: say with --out which folder the parts with verdicts go to")
            done = _compare_folder(plan(pairs, out, assumptions), ray, workers, assumptions, judge, terminal)
            receipts = list(done.values())
            summary = _folder_summary(done)
        elif ray is not None:
            raise SettingsError(
                "--ray compares the parts of a folder: give --pairs a folder of .jsonl or .parquet files"
            )
        else:
            receipts = [_compare_one(pairs, out, assumptions, judge, terminal)]
            summary = {"unreadable_lines": [number for number, _ in receipts[0].unreadable]}
    except DataError as error:
        raise SettingsError(str(error)) from None
    verdicts: Counter[str] = Counter()
    for receipt in receipts:
        verdicts.update(receipt.verdicts)
    if as_json:
        print(json.dumps({"pairs": verdicts.total(), "verdicts": dict(verdicts), **summary}))
    else:
        _say(terminal, _in_words(receipts, verdicts))
    return 2 if any(receipt.unreadable or receipt.fault for receipt in receipts) else 0


def _compare_folder(
    tasks: list[Task],
    ray: str | None,
    workers: int | None,
    assumptions: Assumptions,
    judge: Judge,
    terminal: Terminal,
) -> dict[str, Receipt]:
    """The receipt of each part, in the order of their names; the bar counts the parts that are not finished."""
    done: dict[str, Receipt] = {}
    waiting = [task for task in tasks if finished(task) is None]
    if len(waiting) < len(tasks):
        _say(terminal, f"{len(tasks) - len(waiting)} of {len(tasks)} parts are finished already")
    with terminal.track("compare", sum(task.rows for task in waiting), "pairs") as advance:
        watch = _watcher(terminal, advance)
        receipts = (
            compare_parts(tasks, judge, watch)
            if ray is None
            else compare_on_ray(tasks, ray, workers, assumptions, watch)
        )
        for task, receipt in receipts:
            done[task.source.name] = receipt
    return dict(sorted(done.items()))


def _compare_one(pairs: Path, out: Path | None, assumptions: Assumptions, judge: Judge, terminal: Terminal) -> Receipt:
    """A regular file with a regular output is resumable; whatever comes or goes through a pipe is streamed."""
    if out is not None and out.is_file() and pairs.exists() and out.samefile(pairs):
        raise SettingsError(f"--pairs and --out are the same file, {out}: give --out another name")
    if out is not None and not out.parent.is_dir():
        raise SettingsError(f"--out {out}: there is no folder {out.parent}; make it first")
    if pairs.is_file() and pairs.suffix.lower() not in _ENDINGS:
        raise SettingsError(f"--pairs {pairs}: give JSON lines in a file that ends in .jsonl, or a .parquet file")
    if pairs.suffix == _PARQUET and (out is None or out.suffix != _PARQUET):
        raise SettingsError("--pairs is a Parquet file, and so is the output: give --out a name that ends in .parquet")
    if pairs.suffix != _PARQUET and out is not None and out.suffix == _PARQUET:
        raise SettingsError("--pairs has JSON lines, and so has the output: give --out a name without .parquet")
    if pairs.is_file() and out is not None and (out.is_file() or not out.exists()):
        task = task_for(pairs, out.resolve(), assumptions)
        with terminal.track("compare", task.rows, "pairs") as advance:
            return compare_file(task, judge, _watcher(terminal, advance))
    total = JsonLines(pairs).count() if pairs.is_file() else None
    with open_lines(pairs) as source, _writing(out) as sink, terminal.track("compare", total, "pairs") as advance:
        return compare_stream(source, sink, judge, _watcher(terminal, advance))


def _watcher(terminal: Terminal, advance: Any) -> Watcher:
    return Watcher(lambda text: _say(terminal, printable(text)), advance)


def _say(terminal: Terminal, text: str) -> None:
    """One line, however long: scripts read it, too."""
    terminal.console.print(text, markup=False, emoji=False, soft_wrap=True)


@contextmanager
def _writing(out: Path | None) -> Iterator[IO[bytes]]:
    """The output of a stream; what stood in its place is replaced once all is written."""
    if out is None:
        yield sys.stdout.buffer
        return
    with ExitStack() as stack:
        try:
            if out.exists() and not out.is_file():  # a pipe or a device
                sink = stack.enter_context(out.open("wb"))
            else:
                target = out.resolve()
                sink = stack.enter_context(replacing(target, target.with_name(f".{target.name}.{os.getpid()}.new")))
        except OSError as error:
            raise SettingsError(f"cannot write {out}: {error.strerror}") from None
        yield sink


def _folder_summary(done: dict[str, Receipt]) -> dict[str, Any]:
    lines = {name: [number for number, _ in receipt.unreadable] for name, receipt in done.items()}
    return {
        "parts": len(done),
        "unreadable_lines": {name: numbers for name, numbers in lines.items() if numbers},
        "unreadable_parts": [name for name, receipt in done.items() if receipt.fault],
    }


def _in_words(receipts: list[Receipt], verdicts: Counter[str]) -> str:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()) or "none"
    rows = sum(len(receipt.unreadable) for receipt in receipts)
    parts = sum(bool(receipt.fault) for receipt in receipts)
    for count, what in ((rows, "row"), (parts, "part")):
        if count:
            counts += f"; {count} {what}{'s' if count > 1 else ''} unreadable"
    return f"{verdicts.total()} pairs: {counts}"
