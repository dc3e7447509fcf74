"""Judge a model's answers and sum them up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tinkersql.console import Reporter
from tinkersql.corpus import KINDS, Example, kind_of
from tinkersql.equivalence import Comparison, Verdict, compare_many, looks_like_sql
from tinkersql.evaluation.answers import Answer
from tinkersql.evaluation.statistics import tally


@dataclass(frozen=True, slots=True)
class Prediction:
    """A question, a model's answer to it, and the judge's verdict."""

    example: Example
    answer: Answer
    comparison: Comparison

    @property
    def right(self) -> bool:
        """Whether the prediction means the same as a gold."""
        return self.comparison.verdict is Verdict.MATCH

    def to_dict(self, index: int) -> dict[str, Any]:
        """One line of ``predictions-*.jsonl``."""
        judged = self.comparison.to_dict()
        return {
            "index": index,
            "question": self.example.question,
            "schema": self.example.schema,
            "golds": list(self.example.golds),
            "kind": kind_of(self.example.gold),
            "domain": self.example.domain,
            "pattern": self.example.pattern,
            "difficulty": self.example.difficulty,
            "skills": list(self.example.skills),
            "answer": self.answer.text,
            "predicted": judged["predicted"],
            "verdict": judged["verdict"],
            "reason": judged["reason"],
            "witness": judged["witness"],
            "notes": judged["notes"],
            "tokens": self.answer.tokens,
            "stop_reason": self.answer.stop_reason,
        }


def judge(
    examples: Sequence[Example], answers: Sequence[Answer], workers: int, reporter: Reporter, label: str
) -> list[Prediction]:
    """Compare every answer with its golds, in ``workers`` processes; the order is that of the examples."""
    pairs = ((e.schema, e.golds, a.text) for e, a in zip(examples, answers, strict=True))
    predictions: list[Prediction] = []
    with reporter.track(label, len(examples), "pairs") as advance:
        for example, answer, comparison in zip(examples, answers, compare_many(pairs, workers), strict=True):
            predictions.append(Prediction(example, answer, comparison))
            advance()
    return predictions


def summarise(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Rate with interval, verdicts, ill-formed answers and rates by kind of query, JSON-ready.

    ``empty`` counts answers without a statement, ``not_sql`` those that no parser takes for a query, and ``cut_off``
    those that met the token limit, and ``too_long`` questions that could not be asked. ``weak_golds`` counts questions
    whose expected query the judge cannot probe well, and ``mutation_score`` is the mean share of mutants killed.
    """
    verdicts = Counter(str(p.comparison.verdict) for p in predictions)
    texts = [p.comparison.predicted for p in predictions]
    certificates = [p.comparison.adequacy for p in predictions if p.comparison.adequacy is not None]
    scores = [certificate.score for certificate in certificates if certificate.score is not None]
    groups: dict[str, list[bool]] = {}
    for prediction in predictions:
        groups.setdefault(kind_of(prediction.example.gold), []).append(prediction.right)
    return {
        **tally([p.right for p in predictions]),
        "verdicts": {str(v): verdicts[str(v)] for v in Verdict if verdicts[str(v)]},
        "empty": sum(not p.comparison.predicted and p.answer.stop_reason != "too_long" for p in predictions),
        "not_sql": sum(bool(text) and not looks_like_sql(text) for text in texts),
        "cut_off": sum(p.answer.stop_reason == "length" for p in predictions),
        "too_long": sum(p.answer.stop_reason == "too_long" for p in predictions),
        "weak_golds": sum(not certificate.sufficient for certificate in certificates),
        "mutation_score": fmean(scores) if scores else None,
        "by_kind": {kind: tally(groups[kind]) for kind in KINDS if kind in groups},
    }
