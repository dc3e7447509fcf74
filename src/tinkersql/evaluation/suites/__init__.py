"""Fixed sets of questions on schemas that no training data contains."""

from tinkersql.evaluation.suites.exercise import EXERCISE

__all__ = ["EXERCISE"]
