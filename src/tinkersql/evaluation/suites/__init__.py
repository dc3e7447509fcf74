"""Fixed sets of questions on schemas that no training data contains."""

from tinkersql.evaluation.suites.novel import NOVEL

__all__ = ["NOVEL"]
