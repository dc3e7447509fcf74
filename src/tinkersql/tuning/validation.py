"""Validation: what the weights of the moment are worth on examples that are never trained on."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinkersql.console import Reporter, Silent
from tinkersql.corpus import Example
from tinkersql.errors import DataError
from tinkersql.evaluation import judge
from tinkersql.evaluation.methods import PLAIN, Model, attempt
from tinkersql.prompts import Prompts, completion_tokens, encode_within
from tinkersql.settings import Settings
from tinkersql.tuning.loop import Row
from tinkersql.tuning.record import Record
from tinkersql.waiting import awaited

if TYPE_CHECKING:
    import tinker
    from transformers import PreTrainedTokenizerBase

_SAMPLER_SECONDS = 3600
"""How long the weights that are asked stay if this process dies before it deletes them."""


@dataclass(frozen=True, slots=True)
class Validator:
    """Measures a training client's weights of the moment, and leaves them and the optimizer as they are.

    Attributes:
        service: The client's.
        client: Whose weights.
        tokenizer: The model's.
        context_length: The most tokens of a prompt and its answer; None is no limit.
        settings: ``template``, ``validation_questions``, and those of asking and judging are read.
        record: Deletes what a validation has saved.
        examples: Held out from training.
        datums: The same as Datums.
        reporter: Told when the service lets a validation wait.
    """

    service: "tinker.ServiceClient"
    client: "tinker.TrainingClient"
    tokenizer: "PreTrainedTokenizerBase"
    context_length: int | None
    settings: Settings
    record: Record
    examples: Sequence[Example]
    datums: "Sequence[tinker.Datum]"
    reporter: Reporter

    def measure(self, step: int) -> Row:
        """A line of ``validations.jsonl``.

        ``loss`` is the mean negative log-likelihood per completion token of ``n`` examples, in nats; ``right`` of
        ``n_questions`` are answered with a query that means the same as a gold.
        """
        started = time.monotonic()
        loss = awaited(self.client.forward(list(self.datums), "cross_entropy"), self.reporter).metrics["loss:sum"]
        questions = self.examples[: self.settings.validation_questions]
        return {
            "step": step,
            "loss": loss / max(completion_tokens(self.datums), 1),
            "n": len(self.datums),
            "right": self._right(questions, step) if questions else 0,
            "n_questions": len(questions),
            "seconds": time.monotonic() - started,
        }

    def _right(self, questions: Sequence[Example], step: int) -> int:
        # A checkpoint that is deleted at once: an unnamed snapshot would take its place on the disk until the end.
        saving = self.client.save_weights_for_sampler(f"validation-{step:06d}", ttl_seconds=_SAMPLER_SECONDS)
        path = awaited(saving, self.reporter).path
        sampler = self.service.create_sampling_client(model_path=path).result()
        model = Model("validation", sampler, self.tokenizer, self.context_length)
        answers = [each.answer for each in attempt(model, PLAIN, self.settings, (), questions, Silent())]
        self.record.delete({"sampler_path": path})
        return sum(p.right for p in judge(questions, answers, self.settings.judge_workers, Silent(), "validation"))


def best_of(rows: Sequence[Row]) -> Row | None:
    """The validation with the lowest loss, the first of several; None while no loss is a number."""
    return min((row for row in rows if math.isfinite(row["loss"])), key=lambda row: row["loss"], default=None)


class Validations:
    """The validations of a training, all its sittings together.

    The best one has the lowest loss, the first of several. The execution score does not choose: of a few dozen
    questions it says too little, and it can hang on which questions are computed together, so that a resumed training
    might choose otherwise.
    """

    def __init__(self, validator: Validator, done: Sequence[Row] = ()) -> None:
        """``done``: the lines of ``validations.jsonl``."""
        self.validator = validator
        self.settings = validator.settings
        self.rows = list(done)

    def due(self, step: int, last: bool) -> bool:
        """Whether the weights after a step, which may be the last one, are still to be validated."""
        wanted = step > 0 and (last or step % self.settings.validate_every == 0)
        return wanted and not (self.rows and self.rows[-1]["step"] == step)

    def take(self, step: int) -> Row:
        """Validate the weights after a step."""
        self.rows.append(self.validator.measure(step))
        return self.rows[-1]

    @property
    def best(self) -> Row | None:
        """The best one so far, if there is any."""
        return best_of(self.rows)

    @property
    def exhausted(self) -> bool:
        """Whether patience has come to its end."""
        since = len(self.rows) if self.best is None else len(self.rows) - 1 - self.rows.index(self.best)
        return 0 < self.settings.patience <= since

    def summary(self, stopped_early: bool) -> dict[str, Any] | None:
        """For ``result.json``; ``result`` says whether the best or the last weights are what training resulted in."""
        if not self.rows:
            return None
        keeps_best = self.settings.patience > 0 and self.best is not None
        return {
            "count": len(self.rows),
            "seconds": sum(row["seconds"] for row in self.rows),
            "best": self.best,
            "last": self.rows[-1],
            "stopped_early": stopped_early,
            "result": "best" if keeps_best else "last",
        }


def prepare(
    service: "tinker.ServiceClient",
    client: "tinker.TrainingClient",
    tokenizer: "PreTrainedTokenizerBase",
    context_length: int | None,
    settings: Settings,
    record: Record,
    held_out: Sequence[Example],
    done: Sequence[Row] = (),
    reporter: Reporter | None = None,
) -> Validations | None:
    """The validations of a training, on the examples that fit the model's context; None where there are no examples.

    ``reporter`` is told when the service lets a validation wait.

    Raises:
        DataError: None fits.
    """
    if not held_out:
        return None
    examples, datums, _ = encode_within(tokenizer, Prompts(settings.template), held_out, 0, context_length)
    if not examples:
        raise DataError(f"no validation example fits the model's {context_length} tokens: use --validate-every 0")
    common = (service, client, tokenizer, context_length, settings, record)
    return Validations(Validator(*common, examples, datums, reporter or Silent()), done)
