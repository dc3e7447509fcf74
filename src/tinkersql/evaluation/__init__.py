"""Questions to answers, answers to verdicts, verdicts to honest figures and to the causes of mistakes."""

from tinkersql.evaluation.answers import Answer
from tinkersql.evaluation.diagnosis import Cause, Diagnosis, diagnose
from tinkersql.evaluation.memory import RENAMED, memory, renamed
from tinkersql.evaluation.scoring import Prediction, compare_by_kind, judge, require_golds, shortcomings, summarise
from tinkersql.evaluation.statistics import (
    Comparison,
    compare_paired,
    counted,
    detectable_difference,
    interval,
    questions_needed,
    tally,
    wilson,
)

__all__ = [
    "RENAMED",
    "Answer",
    "Cause",
    "Comparison",
    "Diagnosis",
    "Prediction",
    "compare_by_kind",
    "compare_paired",
    "counted",
    "detectable_difference",
    "diagnose",
    "interval",
    "judge",
    "memory",
    "questions_needed",
    "renamed",
    "require_golds",
    "shortcomings",
    "summarise",
    "tally",
    "wilson",
]
