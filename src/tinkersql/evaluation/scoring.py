"""Judge a model's answers and sum them up."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from tinkersql.console import Reporter, printable
from tinkersql.corpus import KINDS, Example, kind_of
from tinkersql.corpus.traits import cluster_of
from tinkersql.equivalence import Comparison, Verdict, compare, compare_many, looks_like_sql
from tinkersql.errors import DataError
from tinkersql.evaluation.answers import Answer
from tinkersql.evaluation.diagnosis import Cause, Diagnosis, diagnose
from tinkersql.evaluation.statistics import compare_paired, tally

DIFFICULTIES = ("easy", "medium", "hard")
"""The values of `Example.difficulty`, in order."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A question, a model's answer to it, the judge's verdict, and what is wrong with the answer."""

    example: Example
    answer: Answer
    comparison: Comparison
    diagnosis: Diagnosis

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
            "cause": str(self.diagnosis.cause or ""),
            "spurious": list(self.diagnosis.spurious),
            "tokens": self.answer.tokens,
            "stop_reason": self.answer.stop_reason,
        }


def require_golds(examples: Sequence[Example]) -> None:
    """Refuse questions of which nobody could answer one rightly; it ends with the first whose gold runs.

    Raises:
        DataError: No question has a gold that runs on its schema.
    """
    reasons: list[str] = []
    for example in examples:
        found = compare(example.schema, example.golds, "")
        if found.verdict is not Verdict.GOLD_ERROR:
            return
        reasons.append(found.reason)
    if reasons:
        raise DataError(
            f"none of the {len(reasons):,} test questions has an expected query that runs on its schema (question 1: "
            f"{printable(reasons[0])}); check that each schema holds the CREATE TABLE statements of the tables asked"
        )


def judge(
    examples: Sequence[Example], answers: Sequence[Answer], workers: int, reporter: Reporter, label: str
) -> list[Prediction]:
    """Compare every answer with its golds, in ``workers`` processes; the order is that of the examples."""
    pairs = ((e.schema, e.golds, a.text) for e, a in zip(examples, answers, strict=True))
    predictions: list[Prediction] = []
    with reporter.track(label, len(examples), "pairs") as advance:
        for example, answer, comparison in zip(examples, answers, compare_many(pairs, workers), strict=True):
            predictions.append(Prediction(example, answer, comparison, diagnose(example, answer, comparison)))
            advance()
    return predictions


def summarise(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Rate with intervals, verdicts, causes of failure, ill-formed answers and rates by sort of question, JSON-ready.

    ``causes`` counts the wrong answers by their main cause, and ``spurious_conditions`` the answers, right ones among
    them, that test a column which no gold tests. The interval ``clustered`` of each rate counts questions on the same
    tables as a cluster. ``by_difficulty`` and ``by_skill`` hold only what the questions say about themselves.

    ``empty`` counts answers without a statement, ``not_sql`` those that no parser takes for a query, and ``cut_off``
    those that met the token limit, and ``too_long`` questions that could not be asked. ``weak_golds`` counts questions
    whose expected query the judge cannot probe well, and ``mutation_score`` is the mean share of mutants killed.
    """
    verdicts = Counter(str(p.comparison.verdict) for p in predictions)
    texts = [p.comparison.predicted for p in predictions]
    certificates = [p.comparison.adequacy for p in predictions if p.comparison.adequacy is not None]
    scores = [certificate.score for certificate in certificates if certificate.score is not None]
    causes = Counter(p.diagnosis.cause for p in predictions)
    by_kind = _tallies((kind_of(p.example.gold), p) for p in predictions)
    by_difficulty = _tallies((p.example.difficulty, p) for p in predictions if p.example.difficulty)
    return {
        **tally_of(predictions),
        "verdicts": {str(v): verdicts[str(v)] for v in Verdict if verdicts[str(v)]},
        "causes": {str(cause): causes[cause] for cause in Cause if causes[cause]},
        "spurious_conditions": sum(bool(p.diagnosis.spurious) for p in predictions),
        "empty": sum(not p.comparison.predicted and p.answer.stop_reason != "too_long" for p in predictions),
        "not_sql": sum(bool(text) and not looks_like_sql(text) for text in texts),
        "cut_off": sum(p.answer.stop_reason == "length" for p in predictions),
        "too_long": sum(p.answer.stop_reason == "too_long" for p in predictions),
        "weak_golds": sum(not certificate.sufficient for certificate in certificates),
        "mutation_score": fmean(scores) if scores else None,
        "by_kind": {kind: by_kind[kind] for kind in KINDS if kind in by_kind},
        "by_difficulty": {level: by_difficulty[level] for level in DIFFICULTIES if level in by_difficulty},
        "by_skill": _tallies((skill, p) for p in predictions for skill in p.example.skills),
    }


def compare_by_kind(kinds: Sequence[str], a: Sequence[bool], b: Sequence[bool]) -> dict[str, Any]:
    """The paired comparison of two models' right answers, over all questions and by kind of query, JSON-ready.

    Args:
        kinds: What kind of query each question asks for, as `kind_of` says.
        a: Whether the first model answers it rightly.
        b: Whether the second does.
    """
    groups: dict[str, tuple[list[bool], list[bool]]] = {}
    for kind, *both in zip(kinds, a, b, strict=True):
        for rights, right in zip(groups.setdefault(kind, ([], [])), both, strict=True):
            rights.append(right)
    found = {kind: compare_paired(*groups[kind]) for kind in KINDS if kind in groups}
    by_kind = {kind: {"n": len(groups[kind][0]), **asdict(each)} for kind, each in found.items()}
    return {"n": len(kinds), **asdict(compare_paired(a, b)), "by_kind": by_kind}


def shortcomings(figures: Mapping[str, Any], label: str, *, golds: bool) -> Iterator[str]:
    """What a reader must know of an evaluation's figures, a sentence each.

    Args:
        figures: As `summarise` gives them.
        label: What the evaluation is called.
        golds: Whether to speak of the expected queries as well, which are the same for all models.
    """
    n = figures["n"]
    if too_long := figures["too_long"]:
        yield f"{too_long} of {n} prompts of '{label}' are longer than the model's context: not asked."
    if golds and (broken := figures["verdicts"].get("gold_error", 0)):
        yield f"{broken} of {n} expected queries cannot be judged, because they do not run."
    if golds and (weak := figures["weak_golds"]):
        yield f"{weak} of {n} expected queries cannot be probed well, so hardly an answer matches."


def tally_of(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """The right answers, counted; questions on the same tables are a cluster."""
    return tally([p.right for p in predictions], [cluster_of(p.example.schema) for p in predictions])


def _tallies(answers: Iterable[tuple[str, Prediction]]) -> dict[str, dict[str, Any]]:
    """Tallies by name, in the order in which the names first come."""
    groups: dict[str, list[Prediction]] = {}
    for name, prediction in answers:
        groups.setdefault(name, []).append(prediction)
    return {name: tally_of(group) for name, group in groups.items()}
