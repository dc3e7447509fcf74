"""Fixed sets of questions on schemas that no training data contains."""

from tinkersql.corpus.examples import Example
from tinkersql.errors import SettingsError
from tinkersql.evaluation.suites.exercise import EXERCISE

SUITES: dict[str, tuple[Example, ...]] = {"exercise": EXERCISE}
"""By the name that ``--suite`` takes."""

__all__ = ["EXERCISE", "SUITES", "suite"]


def suite(name: str) -> tuple[Example, ...]:
    """The questions of a suite.

    Raises:
        SettingsError: There is none of that name.
    """
    if name not in SUITES:
        raise SettingsError(f"--suite {name}: no such suite; choose one of {', '.join(SUITES)}")
    return SUITES[name]
