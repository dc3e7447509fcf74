"""What a person sees while work goes on: lines and progress bars, on standard error.

Standard output stays free for results, so that ``--json`` can be piped.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from tinkersql.cache import Progress, silent
from tinkersql.errors import Interrupted, SettingsError

Advance = Callable[..., None]
"""``advance(by=1, note="", total=None)``: so much more is done; the note (a loss, say) stands at the end of the bar.

``total`` takes the place of the one that the bar was opened with.
"""

LINE_SECONDS = 60.0
"""Where no bar can be drawn, one line in so many seconds says that work waits."""


class Reporter(Protocol):
    """Whoever is told how the work goes on."""

    def say(self, text: str) -> None:
        """Show one line."""
        ...

    def heading(self, text: str) -> None:
        """Show the line that opens a part of the work."""
        ...

    def track(self, label: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        """Open a progress bar over ``total`` units (None: unknown); the context yields its `Advance`."""
        ...

    def waiting(self, text: str) -> None:
        """Show, at any rate of calls, what the work waits for; an empty text ends that."""
        ...

    def downloads(self) -> AbstractContextManager[Progress]:
        """Bars for downloads and conversions; the context yields the callback that `tinkersql.cache` describes."""
        ...


def printable(text: str) -> str:
    """Text of a model on one line, without the control characters that could take over a terminal."""
    return " ".join(printable_lines(text).split())


def printable_lines(text: str) -> str:
    """The same for text of several lines: every other character that is not printable becomes a space."""
    return "".join(c if c == "\n" or c.isprintable() else " " for c in text)


def confirm(question: str, option: str) -> None:
    """Ask a person to agree, on standard error.

    Args:
        question: What is about to happen, on one line.
        option: The option that agrees beforehand, for who is not at a terminal.

    Raises:
        SettingsError: Nobody can be asked, because standard input is no terminal; names the option.
        Interrupted: The answer is no.
    """
    if not sys.stdin.isatty():
        raise SettingsError(f"{question}: add {option} to agree; nobody can be asked here")
    print(f"{question}. Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Interrupted("not confirmed: nothing has been done")


class _Rate(ProgressColumn):
    """Units per second, averaged by rich over the last half minute."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        rate = f"{speed:.1f}" if speed is not None else "–"
        return Text(f"{rate} {task.fields['unit']}/s", style="cyan")


class Terminal:
    """The reporter of the command line: rich bars on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._bar: tuple[Bars, TaskID] | None = None
        self._next_line = float("-inf")

    def say(self, text: str) -> None:
        """Show one line, as it is."""
        self.console.print(text, markup=False)

    def heading(self, text: str) -> None:
        """Show one line in bold, after an empty one."""
        self.console.print(f"\n{text}", style="bold", markup=False)

    @contextmanager
    def track(self, label: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Open a progress bar with rate, time left and a note."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(compact=True),
            TextColumn("[dim]{task.fields[note]}[/] [yellow]{task.fields[waiting]}"),
        )
        with Bars(*columns, console=self.console) as bars:
            task = bars.add_task(label, total=total, unit=unit, note="", waiting="")
            self._bar = bars, task

            def advance(by: float = 1, note: str = "", total: int | None = None) -> None:
                bars.update(task, advance=by, total=total)
                if note:
                    bars.update(task, note=note)

            try:
                yield advance
            finally:
                self._bar = None

    def waiting(self, text: str) -> None:
        """Show it at the end of the open bar; elsewhere as a line, one in `LINE_SECONDS` at most."""
        if self._bar is not None:
            bars, task = self._bar
            bars.update(task, waiting=escape(text))
        if text and not (self._bar and self.console.is_terminal) and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_SECONDS
            self.say(f"  {text}")

    @contextmanager
    def downloads(self) -> Iterator[Progress]:
        """One bar per label, with rate and time left where the total is known."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=28),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
        )
        with Bars(*columns, console=self.console) as bars:
            tasks: dict[str, TaskID] = {}

            def progress(label: str, done: int, total: int | None) -> None:
                if label not in tasks:
                    tasks[label] = bars.add_task(label, total=total)
                bars.update(tasks[label], completed=done, total=total)

            yield progress


class Silent:
    """A reporter that shows nothing, for use as a library."""

    def say(self, text: str) -> None:
        """Show nothing."""

    def heading(self, text: str) -> None:
        """Show nothing."""

    @contextmanager
    def track(self, label: str, total: int | None, unit: str) -> Iterator[Advance]:  # noqa: ARG002
        """Count nothing."""
        yield lambda by=1, note="", total=None: None

    def waiting(self, text: str) -> None:
        """Show nothing."""

    @contextmanager
    def downloads(self) -> Iterator[Progress]:
        """Show nothing."""
        yield silent
