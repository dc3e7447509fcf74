import io
import os
import pty
import sys
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tinkersql.console import Terminal, confirm, printable
from tinkersql.errors import Interrupted, SettingsError


@given(st.text())
def test_a_model_s_text_cannot_take_over_the_terminal(text) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert "".join(shown.split()) == "".join("".join(c if c.isprintable() else " " for c in text).split())


def test_escape_sequences_become_harmless() -> None:
    assert printable("\x1b[2JSELECT 1\n\n") == "[2JSELECT 1"


def test_a_line_is_shown_as_it_is(capsys) -> None:
    Terminal().say("data[1].json and [bold]no markup[/bold] [/")
    assert "data[1].json and [bold]no markup[/bold] [/" in capsys.readouterr().err


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], int]]:
    """Standard input is a terminal, at which somebody types a line."""
    outside, inside = pty.openpty()
    with os.fdopen(inside) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield lambda line: os.write(outside, line.encode())
    os.close(outside)


@pytest.mark.parametrize("line", ["y\n", "Yes\n", " YES \n"])
def test_a_person_agrees(line, type_in, capsys) -> None:
    type_in(line)
    confirm("3 checkpoints will be deleted", "--yes")
    assert capsys.readouterr() == ("", "3 checkpoints will be deleted. Go on? [y/N] ")


@pytest.mark.parametrize("line", ["n\n", "\n", "yesterday\n", "\x04"])
def test_anything_else_is_a_no(line, type_in) -> None:
    type_in(line)
    with pytest.raises(Interrupted, match="not confirmed: nothing has been done"):
        confirm("3 checkpoints will be deleted", "--yes")


def test_where_nobody_can_be_asked_the_option_is_named(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(SettingsError, match="3 checkpoints will be deleted: add --yes"):
        confirm("3 checkpoints will be deleted", "--yes")


def test_waiting_is_told_in_lines_where_there_is_no_terminal(capsys) -> None:
    terminal = Terminal()
    with terminal.track("train", 2, "examples") as advance:
        advance(1, "loss 1.0")
        terminal.waiting("waiting for the service ([full]), 10 s")
        terminal.waiting("waiting for the service ([full]), 11 s")
        terminal.waiting("")
        advance(1, "loss 0.5")
    shown = capsys.readouterr().err
    assert shown.count("waiting for the service") == 1
    assert "waiting for the service ([full]), 10 s" in shown
    assert "loss 0.5" in shown


def test_waiting_stands_beside_the_bar_on_a_terminal() -> None:
    terminal, screen = Terminal(), io.StringIO()
    terminal.console = Console(file=screen, force_terminal=True, width=200)
    with terminal.track("train", 2, "examples") as advance:
        advance(1, "loss 1.0")
        terminal.waiting("waiting for the service ([full]), 10 s")
    last = [line for line in screen.getvalue().splitlines() if "train" in line][-1]
    assert "loss 1.0" in last
    assert "waiting for the service ([full]), 10 s" in last
