"""Questions with the answers of the tuned and of the base model, and which of them the page shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from tinkersql.report.files import Prediction

MAX_FIXED = 6
"""Examples shown of questions that training fixed."""

MAX_OF_A_CAUSE = 2
"""Examples shown of each cause of wrong answers."""


@dataclass(frozen=True)
class Pair:
    """A question with the tuned model's prediction and, where known, the base model's."""

    number: int
    tuned: Prediction
    base: Prediction | None

    @property
    def broken(self) -> bool:
        """Whether training broke it: right before, wrong after."""
        return self.base is not None and self.base.matches and not self.tuned.matches

    @property
    def fixed(self) -> bool:
        """Whether training fixed it: wrong before, right after."""
        return self.base is not None and not self.base.matches and self.tuned.matches


def pairs(tuned: Sequence[Prediction], base: Sequence[Prediction], *, keep_unpaired: bool = False) -> list[Pair]:
    """Tuned and base predictions of the same questions, by index; `keep_unpaired` shows base answers left alone too."""
    before = {prediction.index: prediction for prediction in base}
    found = [(prediction, before.pop(prediction.index, None)) for prediction in tuned]
    if keep_unpaired:
        found += [(_unanswered(prediction), prediction) for prediction in before.values()]
    found.sort(key=lambda both: both[0].index)
    return [Pair(number, *both) for number, both in enumerate(found, start=1)]


def of_each_cause(wrong: Sequence[Pair]) -> dict[str, list[Pair]]:
    """The first few wrong answers of each cause."""
    found: dict[str, list[Pair]] = {}
    for pair in wrong:
        if pair.tuned.cause:
            found.setdefault(pair.tuned.cause, []).append(pair)
    return {cause: each[:MAX_OF_A_CAUSE] for cause, each in found.items()}


def varied(fixed: Sequence[Pair]) -> list[Pair]:
    """A few of the pairs: the first of each kind of query, then the first of the rest."""
    firsts = list({pair.tuned.kind: pair for pair in reversed(fixed)}.values())
    rest = [pair for pair in fixed if pair not in firsts]
    return sorted((firsts + rest)[:MAX_FIXED], key=lambda pair: pair.number)


def _unanswered(base: Prediction) -> Prediction:
    """The place of a tuned prediction that an interrupted run never made."""
    return Prediction(
        index=base.index,
        question=base.question,
        schema=base.schema,
        golds=base.golds,
        difficulty=base.difficulty,
        verdict="not_asked",
        reason="The run ended before the tuned model was asked.",
    )
