"""Options that several commands have."""

from typing import Annotated

import typer

DataArgument = Annotated[str, typer.Argument(help="A file, 'built-in' or 'hub'.")]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help="What a file's columns are called: question=NAME, context=NAME, answer=NAME; repeatable, or with commas.",
    ),
]
BackendOption = Annotated[
    str | None, typer.Option(help="'embedded' (the default) or 'tinker' (hosted; needs TINKER_API_KEY).")
]
BaseUrlOption = Annotated[str | None, typer.Option(help="Any Tinker-compatible service.")]
StopOption = Annotated[
    list[str] | None, typer.Option(help="A text that ends an answer; repeatable; \\n is a line break.")
]
TemplateOption = Annotated[str | None, typer.Option(help="Prompt with {schema} and {question}; \\n is a line break.")]
ResultOption = Annotated[bool, typer.Option("--json", help="Print result.json on standard output.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def mapping(given: list[str] | None) -> str:
    """All values of ``--map`` as the one that settings hold."""
    return ",".join(given or ())


def line_breaks(text: str) -> str:
    r"""A shell passes ``\n`` as two characters; nobody means them literally in a prompt."""
    return text.replace("\\n", "\n")
