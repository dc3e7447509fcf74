from hypothesis import given
from hypothesis import strategies as st

from tinkersql.console import Terminal, printable


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
