"""A reward function for TRL's ``GRPOTrainer`` and its kin: the judge's verdict as a number.

Nothing of TRL is imported here: a reward function is any callable that takes ``completions`` and the data set's columns
as lists and returns one number, or None, for each completion.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tinkersql.equivalence import Assumptions, Verdict, compare_many
from tinkersql.errors import DataError, SettingsError
from tinkersql.tuning.rewards import Outcome, Rewards, outcome_of

TOO_LONG = "too_long"
"""Logged in place of a verdict where an answer is longer than ``max_characters``."""
NOT_APPLICABLE = "not_applicable"
"""Logged in place of a verdict where a row has no schema or no gold."""


@dataclass(frozen=True)
class SqlReward:
    """``GRPOTrainer(reward_funcs=SqlReward(gold="answer"), ...)``, for a data set of prompt, schema and answer.

    Only a ``match`` earns the full reward. It says that no difference was found under ``assumptions``, not that there
    is none: training searches for what the judge overlooks, so read some rewarded answers, and judge them with
    ``Assumptions.OPEN_WORLD`` as well. Same input, same reward, in any process.

    The first statement of an answer counts, as everywhere in this package: further ones earn nothing, and neither
    does a list of guesses. A gold that cannot be used earns None, which TRL leaves out of the group's mean and gives no
    advantage; a guess would teach the model from an example of which nothing is known. The same holds for rows
    without a schema or a gold, such as those of other tasks in a mixed data set.

    Where TRL offers it, the share of each verdict is logged as ``sql/<verdict>``, and each completion's verdict as
    the column ``sql_verdict``. Watch ``sql/gold_error``: those examples teach nothing.

    Attributes:
        schema: the column that holds the CREATE TABLE statements.
        gold: the column that holds the right query, or a list of acceptable ones.
        match: reward of an answer that means the same as the gold.
        runs: reward of a query that runs and differs, or about which nothing could be shown. Above ``error`` it helps a
            model that rarely writes valid SQL, but any query that runs then earns it, ``SELECT 1`` included.
        error: reward of an answer without SQL, of SQL that does not run, and of a query that had to be stopped.
        max_characters: longer answers earn ``error`` without being looked at; None for no limit.
        assumptions: what the databases may hold.
        workers: processes that judge at the same time.
        name: under which TRL logs the reward.

    Raises:
        SettingsError: the rewards are not in the order error <= runs < match, or a number is not positive.
        ValueError: no such assumptions.
    """

    schema: str = "schema"
    gold: str = "gold"
    match: float = 1.0
    runs: float = 0.1
    error: float = 0.0
    max_characters: int | None = None
    assumptions: Assumptions = Assumptions.HEADLINE
    workers: int = 1
    name: str = "sql_reward"

    def __post_init__(self) -> None:
        Assumptions(self.assumptions)
        self._rewards()
        if self.workers < 1 or (self.max_characters is not None and self.max_characters < 1):
            raise SettingsError("workers and max_characters must be at least 1")

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(
        self,
        completions: Sequence[str | Sequence[dict[str, Any]]],
        *,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """One reward for each completion, or None where nothing can be said about it.

        Args:
            completions: texts, or conversations of which the last message of the assistant counts.
            log_extra: given by TRL: adds a column to its table of completions.
            log_metric: given by TRL: adds a figure to its log.
            columns: the data set's columns, and what else TRL passes; as many values as there are completions.

        Raises:
            DataError: a column is missing, is not as long as ``completions``, or holds something other than text.
        """
        schemas, golds = (self._column(name, columns, len(completions)) for name in (self.schema, self.gold))
        answers = [_text(completion) for completion in completions]
        pairs = [self._pair(*row) for row in zip(schemas, golds, answers, strict=True)]
        distinct = list(dict.fromkeys(pair for pair in pairs if isinstance(pair, tuple)))  # a group repeats itself
        found = compare_many(distinct, min(self.workers, len(distinct)), assumptions=self.assumptions)
        judged = dict(zip(distinct, found, strict=True))
        labels = [str(judged[pair].verdict) if isinstance(pair, tuple) else pair for pair in pairs]
        if log_extra is not None:
            log_extra("sql_verdict", labels)
        if log_metric is not None and judged:
            for verdict in Verdict:
                log_metric(f"sql/{verdict}", labels.count(verdict) / len(labels))
        outcomes = {pair: outcome_of(comparison) for pair, comparison in judged.items()}
        return [self._reward(outcomes[pair]) if isinstance(pair, tuple) else self._unjudged(pair) for pair in pairs]

    def _rewards(self) -> Rewards:
        return Rewards(self.match, self.runs, self.error, self.error)

    def _reward(self, outcome: Outcome | None) -> float | None:
        return None if outcome is None else self._rewards().of(outcome)

    def _unjudged(self, label: str) -> float | None:
        return None if label == NOT_APPLICABLE else self.error

    def _pair(self, schema: Any, gold: Any, answer: str) -> tuple[str, tuple[str, ...], str] | str:
        """What to judge, or the label of a row that is not judged."""
        if schema is None or gold is None:
            return NOT_APPLICABLE
        if self.max_characters is not None and len(answer) > self.max_characters:
            return TOO_LONG
        golds = (gold,) if isinstance(gold, str) else gold
        if not isinstance(schema, str):
            raise DataError(f"column {self.schema!r} must hold text, and holds {type(schema).__name__}")
        if not isinstance(golds, list | tuple) or not all(isinstance(item, str) for item in golds):
            raise DataError(f"column {self.gold!r} must hold text or lists of texts, and holds {type(gold).__name__}")
        return schema, tuple(golds), answer

    def _column(self, name: str, columns: dict[str, Any], length: int) -> Sequence[Any]:
        if name not in columns:
            raise DataError(
                f"the data set has no column {name!r} (there is {', '.join(columns) or 'none'}): "
                f"name yours with SqlReward(schema=..., gold=...)"
            )
        if len(columns[name]) != length:
            raise DataError(
                f"column {name!r} has {len(columns[name])} values for {length} completions: give one for each"
            )
        return columns[name]


def _text(completion: str | Sequence[dict[str, Any]]) -> str:
    """The answer's text; of a conversation, the last message of the assistant."""
    if isinstance(completion, str):
        return completion
    spoken = [message.get("content") for message in completion if message.get("role") == "assistant"]
    content = spoken[-1] if spoken else None
    if isinstance(content, list):  # parts, of which some may be images
        return "".join(part.get("text") or "" for part in content)
    return content or ""
