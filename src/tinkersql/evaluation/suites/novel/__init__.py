"""The novel-schema suite: questions written by hand on schemas of every walk of life, one TOML file a theme.

``docs/novel-suite.md`` says how it was made and the rule about edits. The files also hold rows and answers worked out
by hand; those are for checking the golds and never reach a model.
"""

import tomllib
from functools import cache
from importlib.resources import files

from tinkersql.corpus.examples import Example

SKILLS = (
    "list",
    "filter",
    "two-filters",
    "count",
    "aggregate",
    "distinct",
    "order",
    "top-n",
    "group",
    "having",
    "join",
    "nested",
    "set",
    "null",
    "like",
    "date",
    "between",
)
"""Every skill that a question may be tagged with."""

NOVEL: tuple[Example, ...]
"""The questions, in the order of the file names and then of each file; read when first asked for."""


@cache
def _read() -> tuple[Example, ...]:
    themes = sorted((file for file in files(__name__).iterdir() if file.name.endswith(".toml")), key=lambda f: f.name)
    return tuple(
        Example(
            question=asked["question"],
            schema=schema["ddl"],
            golds=tuple(asked["golds"]),
            domain=schema["name"],
            difficulty=asked["difficulty"],
            skills=tuple(asked["skills"]),
        )
        for theme in themes
        for schema in tomllib.loads(theme.read_text(encoding="utf-8"))["schema"]
        for asked in schema["questions"]
    )


def __getattr__(name: str) -> tuple[Example, ...]:
    if name == "NOVEL":
        return _read()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
