"""From pairs to a file of answers: one file, one stream, or the parts of a folder one after the other."""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO

from tinkersql.bulk.journal import Journal, replacing
from tinkersql.bulk.lines import JsonLines, answered_line, read_rows
from tinkersql.bulk.parts import Answer, Part, Record, answer_of, pair, readable
from tinkersql.bulk.tables import ParquetPart
from tinkersql.cache import sha256_of
from tinkersql.equivalence import Assumptions, Comparison, Pair, judge_version
from tinkersql.errors import DataError, Interrupted, RunError, SettingsError, TinkersqlError

Judge = Callable[[Iterable[Pair]], Iterator[Comparison]]
"""Answers pairs in their order, and takes them only as it needs them: `compare_many`, its options given."""
_SUFFIXES = {".jsonl": JsonLines, ".parquet": ParquetPart}
_RECEIPTS = ".tinkersql"


@dataclass(frozen=True)
class Watcher:
    """Who hears how the work goes on.

    Attributes:
        say: takes one line, about a row or part that cannot be read.
        advance: so many more rows are done.
    """

    say: Callable[[str], object] = lambda text: None
    advance: Callable[[int], object] = lambda count: None


@dataclass(frozen=True)
class Task:
    """One part to compare.

    Attributes:
        source: the file of pairs.
        target: the file of answers.
        identity: a hash of all that decides the answers: the input's bytes, the assumptions, this judge.
        rows: how many rows the input has; 0 for an input that cannot be read.
    """

    source: Path
    target: Path
    identity: str
    rows: int


@dataclass(frozen=True)
class Receipt:
    """What came of an input.

    Attributes:
        pairs: how many pairs were judged.
        verdicts: how often each verdict was given.
        unreadable: number of each row that could not be judged, and why.
        fault: why nothing of the part could be read; empty otherwise.
    """

    pairs: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    fault: str = ""


def compare_stream(source: IO[bytes], sink: IO[bytes], judge: Judge, watch: Watcher) -> Receipt:
    """Compare the lines of a stream, which may be endless, and write each answer as soon as it is there."""
    waiting: deque[Record] = deque()
    unreadable: list[tuple[int, str]] = []
    verdicts: Counter[str] = Counter()

    def pairs() -> Iterator[Pair]:
        for record in readable(read_rows(source), _complaints(unreadable, "line", watch)):
            waiting.append(record)
            yield pair(record)

    for comparison in judge(pairs()):
        sink.write(answered_line(waiting.popleft(), answer_of(comparison)))
        verdicts[comparison.verdict] += 1
        watch.advance(1)
    return Receipt(verdicts.total(), dict(verdicts), unreadable)


def compare_file(task: Task, judge: Judge, watch: Watcher, name: str = "") -> Receipt:
    """Compare the pairs of one file; the target appears, complete, when all are judged.

    Until then the answers are in a `Journal` beside it, from which the next call with the same task goes on.

    Args:
        task: the input and the output, of the same format.
        judge: who compares.
        watch: who hears of it.
        name: what messages call the input, where there are several.

    Raises:
        DataError: the input cannot be read.
        SettingsError: the output cannot be written, or the journal is of another task.
        RunError: the disk is full, or another process works on the same output.
        Interrupted: Ctrl-C; the message says where the answers are.
    """
    part = part_at(task.source)
    unreadable: list[tuple[int, str]] = []
    complain = _complaints(unreadable, f"{name}, {part.unit}" if name else part.unit, watch)
    verdicts: Counter[str] = Counter()

    def counted(answers: Iterable[Answer]) -> Iterator[Answer]:
        for answer in answers:
            verdicts[answer["verdict"]] += 1
            yield answer

    try:
        with Journal(task.target, task.identity) as journal:
            try:
                watch.advance(journal.count)
                records = islice(readable(part.rows(), complain), journal.count, None)
                for comparison in judge(pair(record) for record in records):
                    journal.add(answer_of(comparison))
                    watch.advance(1)
                with replacing(task.target, task.target.with_name(f".{task.target.name}.new")) as sink:
                    part.write(sink, counted(journal.answers()))
                journal.discard()
            except KeyboardInterrupt:
                if not journal.count:
                    raise
                raise Interrupted(_stopped(f"{journal.count} answers are kept in {journal.path}")) from None
    except TinkersqlError:
        raise
    except OSError as error:
        raise RunError(f"cannot write {task.target}: {error.strerror or error}; the same command goes on") from None
    return Receipt(verdicts.total(), dict(verdicts), unreadable)


def part_at(path: Path) -> Part:
    """The part in a file, by its suffix: Parquet, or else JSON Lines."""
    return _SUFFIXES.get(path.suffix, JsonLines)(path)


def task_for(source: Path, target: Path, assumptions: Assumptions) -> Task:
    """What is to be done about one file.

    Raises:
        DataError: it cannot be read.
        SettingsError: it is Parquet and pyarrow is not installed.
    """
    try:
        content = sha256_of(source)
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror}") from None
    identity = hashlib.sha256("\n".join([judge_version(), assumptions, content]).encode("ascii")).hexdigest()
    return Task(source, target, identity, part_at(source).count())


def plan(folder: Path, out: Path, assumptions: Assumptions) -> list[Task]:
    """The tasks of a folder: each ``.jsonl`` and ``.parquet`` file in it, by name; makes the folder ``out``.

    Raises:
        SettingsError: there are no such files, the folders are the same, ``out`` cannot be made, pyarrow is missing,
            or ``out`` holds a part that was begun with another input or other settings.
    """
    parts = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.name[0] not in "._")
    if not parts:
        raise SettingsError(f"{folder} holds no .jsonl and no .parquet file")
    try:
        (out / _RECEIPTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot make the folder {out}: {error.strerror}") from None
    if out.samefile(folder):
        raise SettingsError(f"--pairs and --out are the same folder, {out}: give --out another name")
    tasks = []
    for path in parts:
        try:
            task = task_for(path.absolute(), out.absolute() / path.name, assumptions)
        except DataError:  # said when its turn comes
            task = Task(path.absolute(), out.absolute() / path.name, "", 0)
        Journal(task.target, task.identity).check()
        tasks.append(task)
    return tasks


def compare_parts(tasks: Iterable[Task], judge: Judge, watch: Watcher) -> Iterator[tuple[Task, Receipt]]:
    """Compare part after part, those left out that are finished already; ``watch.advance`` hears of the others only.

    Raises:
        As `compare_file`, but for `DataError`, which only ends the part and is in its receipt.
    """
    for task in tasks:
        receipt = finished(task)
        if receipt is None:
            with resumable(task):
                receipt = compare_part(task, judge, watch)
        else:
            replay(task, receipt, Watcher(watch.say))
        yield task, receipt


@contextmanager
def resumable(task: Task) -> Iterator[None]:
    """Ctrl-C in the block becomes `Interrupted`, which says where the task's folder is and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(_stopped(f"what was judged is kept in {task.target.parent}")) from None


def compare_part(task: Task, judge: Judge, watch: Watcher) -> Receipt:
    """Compare one part of a folder and leave a receipt; a part that cannot be read has its fault in the answer."""
    try:
        receipt = compare_file(task, judge, watch, task.source.name)
    except DataError as error:
        receipt = Receipt(fault=str(error))
        watch.say(receipt.fault)
        return receipt
    path = _receipt_path(task)
    with replacing(path, path.with_name(f".{path.name}.new")) as sink:
        sink.write(json.dumps({"identity": task.identity, **asdict(receipt)}).encode("ascii"))
    return receipt


def finished(task: Task) -> Receipt | None:
    """The receipt of a part whose output is there and answers just this input and these settings."""
    try:
        found = json.loads(_receipt_path(task).read_bytes())
    except (OSError, ValueError):
        return None
    if found.pop("identity", None) != task.identity or not task.target.exists():
        return None
    return Receipt(**{**found, "unreadable": [(number, why) for number, why in found["unreadable"]]})


def replay(task: Task, receipt: Receipt, watch: Watcher) -> None:
    """Tell what would have been told, had the part been compared here and now."""
    if receipt.fault:
        watch.say(receipt.fault)
    complain = _complaints([], f"{task.source.name}, {part_at(task.source).unit}", watch)
    for number, why in receipt.unreadable:
        complain(number, why)
    watch.advance(receipt.pairs)


def _stopped(kept: str) -> str:
    return f"stopped; {kept}, and the same command goes on from there"


def _receipt_path(task: Task) -> Path:
    return task.target.parent / _RECEIPTS / f"{task.target.name}.json"


def _complaints(unreadable: list[tuple[int, str]], what: str, watch: Watcher) -> Callable[[int, str], None]:
    def complain(number: int, why: str) -> None:
        unreadable.append((number, why))
        watch.say(f"{what} {number}: {why}")
        watch.advance(1)

    return complain
