"""Fixed sets of questions on schemas that no training data contains."""

from tinkersql.corpus.examples import Example
from tinkersql.errors import SettingsError
from tinkersql.evaluation.suites import novel
from tinkersql.evaluation.suites.exercise import EXERCISE

SUITES = ("exercise", "novel")
"""The names that ``suite`` knows."""

__all__ = ["EXERCISE", "SUITES", "suite", "suites_of"]


def suite(name: str) -> tuple[Example, ...]:
    """The questions of a suite: ``exercise``, the five of the exercise, or ``novel``, the novel-schema suite.

    Raises:
        SettingsError: no suite has this name.
    """
    if name not in SUITES:
        raise SettingsError(f"suite {name}: there is no such suite; choose one of {', '.join(SUITES)}")
    return EXERCISE if name == "exercise" else novel.NOVEL


def suites_of(names: str) -> dict[str, tuple[Example, ...]]:
    """The suites that a text such as ``exercise,novel`` names, in its order; none where it is empty.

    Raises:
        SettingsError: no suite has one of the names.
    """
    return {name: suite(name) for name in (part.strip() for part in names.split(",")) if name}
