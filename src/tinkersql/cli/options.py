"""Options that several commands have."""

from typing import Annotated

import typer

MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help="What a file's columns are called: question=NAME, context=NAME, answer=NAME; repeatable, or with commas.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def mapping(given: list[str] | None) -> str:
    """All values of ``--map`` as the one that settings hold."""
    return ",".join(given or ())


def line_breaks(text: str) -> str:
    r"""A shell passes ``\n`` as two characters; nobody means them literally in a prompt."""
    return text.replace("\\n", "\n")
