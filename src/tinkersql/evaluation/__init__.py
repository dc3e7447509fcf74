"""Questions to answers, answers to verdicts, verdicts to honest figures."""

from tinkersql.evaluation.answers import Answer, ask
from tinkersql.evaluation.scoring import Prediction, judge, summarise
from tinkersql.evaluation.statistics import Comparison, compare_paired, tally, wilson

__all__ = ["Answer", "Comparison", "Prediction", "ask", "compare_paired", "judge", "summarise", "tally", "wilson"]
