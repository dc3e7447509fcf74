"""Suites of questions on novel schemas: few questions side by side, many in a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tinkersql.corpus.traits import cluster_of
from tinkersql.evaluation import tally
from tinkersql.evaluation.scoring import DIFFICULTIES
from tinkersql.report.files import Prediction
from tinkersql.report.pairs import Pair, pairs

SIDE_BY_SIDE = 10
"""Up to so many questions are shown one by one and counted; more of them are summed up, with intervals."""


@dataclass(frozen=True)
class Row:
    """The tallies of one group of questions, by ``base`` and ``tuned``."""

    label: str
    tallies: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Suite:
    """One suite.

    Attributes:
        name: Its name in the run folder.
        pairs: Its questions with both models' answers.
        counts: By ``base`` and ``tuned``, the tally of all questions that the model was asked.
        groups: For a large suite the rows of its table, by title: difficulty and skill.
    """

    name: str
    pairs: list[Pair]
    counts: dict[str, dict[str, Any]]
    groups: dict[str, list[Row]]

    @property
    def small(self) -> bool:
        """Whether the questions are shown one by one."""
        return len(self.pairs) <= SIDE_BY_SIDE

    @property
    def wrong(self) -> list[Pair]:
        """The questions that the tuned model got wrong."""
        return [pair for pair in self.pairs if pair.tuned.verdict not in ("match", "not_asked")]


def view(name: str, answers: dict[str, list[Prediction]]) -> Suite:
    """A suite from the answers of ``base`` and ``tuned``, each of which may be missing."""
    by_model = {key: answers.get(key, []) for key in ("base", "tuned")}
    everything = [prediction for predictions in by_model.values() for prediction in predictions]
    levels = [level for level in DIFFICULTIES if any(p.difficulty == level for p in everything)]
    skills = list(dict.fromkeys(skill for p in everything for skill in p.skills))
    groups = {
        "Difficulty": [_row(level, by_model, lambda p, level=level: p.difficulty == level) for level in levels],
        "Skill": [_row(skill, by_model, lambda p, skill=skill: skill in p.skills) for skill in skills],
    }
    found = pairs(by_model["tuned"], by_model["base"], keep_unpaired=True)
    counts = {key: _tally(predictions) for key, predictions in by_model.items()}
    return Suite(name, found, counts, {title: rows for title, rows in groups.items() if rows})


def _row(label: str, by_model: dict[str, list[Prediction]], belongs: Callable[[Prediction], bool]) -> Row:
    return Row(label, {key: _tally([p for p in predictions if belongs(p)]) for key, predictions in by_model.items()})


def _tally(predictions: Sequence[Prediction]) -> dict[str, Any]:
    return tally([p.matches for p in predictions], [cluster_of(p.schema) for p in predictions])
