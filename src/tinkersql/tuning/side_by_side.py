"""Several trainings that take turns: each has a client of its own, and one step in flight while the others have theirs.

So a service that trains many adapters at once gets the steps of all of them together, and one that trains them one
after the other never waits. What a training computes does not depend on who trains beside it.
"""

import math
import shlex
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tinkersql.backend import Backend
from tinkersql.console import Advance, Reporter, Silent
from tinkersql.errors import Interrupted
from tinkersql.runs import now
from tinkersql.tuning.loop import Loop, ctrl_c_noted
from tinkersql.tuning.racing import LAST, RUNGS, Cell, HeldOut, Measure, divergence
from tinkersql.tuning.sitting import resume
from tinkersql.waiting import told_by


def train_to(
    rung: int, cells: Sequence[Cell], held_out: HeldOut, backend: Backend, seats: int, sweep: Path, reporter: Reporter
) -> None:
    """Train all cells to a rung and measure them there; those that have been there already stay as they are.

    Args:
        rung: A place in `RUNGS`.
        cells: The trainings that go on.
        held_out: What they are measured on.
        backend: Where they are trained.
        seats: How many train side by side.
        sweep: The sweep's folder, to be named when the work is stopped.
        reporter: Shows rate and time left.

    Raises:
        Interrupted: Ctrl-C, after a checkpoint of every training at work has been saved.
    """
    waiting = deque(
        cell for cell in cells if rung not in cell.measures or (rung == LAST and not cell.ended and not cell.diverged)
    )
    examples = sum(cell.examples_at(cell.step_at(rung)) - _examples_before(cell, rung) for cell in waiting)
    at_work: list[_Seat] = []
    with (
        ctrl_c_noted(reporter) as stopping,
        reporter.track(f"train to {RUNGS[rung]:.0%}", examples, "examples") as advance,
        ExitStack() as rooms,
    ):
        while waiting or at_work:
            while waiting and len(at_work) < seats:
                room = rooms.enter_context(ExitStack())
                at_work.append(_Seat(waiting.popleft(), rung, held_out, backend, room, advance))
            at_work = [seat for seat in at_work if seat.turn()]
            if stopping.is_set():
                for seat in at_work:
                    seat.save("interrupted")
                raise Interrupted(f"stopped; go on with: {resume_command(sweep)}")


def resume_command(sweep: Path) -> str:
    """How to go on with a sweep."""
    return shlex.join(["tinkersql", "sweep", "--resume", str(sweep)])


def _examples_before(cell: Cell, rung: int) -> int:
    return cell.examples_at(cell.step_at(rung - 1)) if rung else 0


class _Seat:
    """A cell at work: its client, and its turns up to a rung."""

    def __init__(
        self, cell: Cell, rung: int, held_out: HeldOut, backend: Backend, room: ExitStack, advance: Advance
    ) -> None:
        """``room`` is closed when the cell leaves: its session ends, and the service frees its adapter."""
        self.cell, self.rung, self.held_out, self.room, self.advance = cell, rung, held_out, room, advance
        room.enter_context(cell.folder.locked())
        service = room.enter_context(backend.service())
        self.sitting = resume(cell.folder, cell.settings, backend, service, Silent())
        self.loop = Loop(
            self.sitting.client,
            self.sitting.plan,
            Silent(),
            self.sitting.record,
            self.sitting.done,
            self.sitting.objective,
            advance=self._told,
        )
        self.turns = self.loop.turns(cell.step_at(rung))
        advance(max(0, cell.examples_at(len(self.sitting.done)) - _examples_before(cell, rung)))

    def turn(self) -> bool:
        """Take a step; whether the cell goes on. One that has reached the rung, or diverged, leaves its seat."""
        import tinker

        goes_on = False
        try:
            goes_on = next(self.turns, None) is not None
            diverged = divergence(self.loop.metrics)
            if not goes_on and not diverged:
                diverged = self._measured()
        except tinker.RequestFailedError as error:
            if error.category is not tinker.types.RequestErrorCategory.User:
                raise
            diverged = told_by(error)[:200]  # a gradient that is not finite, for instance
        if diverged:
            self._note(diverged=diverged)
        if diverged or not goes_on:
            self.room.close()
        return goes_on and not diverged

    def save(self, kind: str) -> None:
        """Save a checkpoint, if there is anything new to save."""
        if self.loop.unsaved:
            self.loop.save(kind)

    def _measured(self) -> str:
        """Measure and save what has reached the rung; returns in which way it has diverged, empty if it has not."""
        nll = self.held_out.measure(self.sitting.client)
        if not all(map(math.isfinite, nll)):
            return "the loss on held-out examples is not finite"
        self._note(nll=nll)
        if self.rung < LAST:
            self.save("periodic")
            return ""
        training = self.loop.summary()
        result = {
            "training": training.to_dict(),
            "checkpoint": self.sitting.finish(training, Silent()),
            "finished": now(),
        }
        self.cell.folder.write_result(self.cell.folder.read_result() | result)
        return ""

    def _note(self, nll: tuple[float, ...] = (), diverged: str = "") -> None:
        tokens = sum(row["tokens"] for row in self.loop.metrics)
        self.cell.note(Measure(self.rung, len(self.loop.metrics), tokens, nll, diverged))

    def _told(self, by: float = 1, note: str = "") -> None:
        self.advance(by, f"{self.cell.key} {note}")
