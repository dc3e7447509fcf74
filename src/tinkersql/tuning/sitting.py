"""One sitting of a training: from its first step, or from the last checkpoint of an earlier sitting, to its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinkersql.backend import Backend
from tinkersql.console import Reporter, printable
from tinkersql.errors import RunError
from tinkersql.prompts import Prompts, encode_within
from tinkersql.runs import RunFolder
from tinkersql.settings import Settings
from tinkersql.tuning.loop import Row, Training, checkpoint, train
from tinkersql.tuning.material import Material
from tinkersql.tuning.plan import Plan
from tinkersql.tuning.record import Left, Record, read, rewind, sha256_of_tokens
from tinkersql.waiting import awaited

if TYPE_CHECKING:
    import tinker
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Sitting:
    """A training that is ready to go on.

    Attributes:
        client: Has taken the steps in ``done``.
        tokenizer: The model's.
        plan: All steps, also those that are done.
        done: Lines of ``metrics.jsonl``.
        record: Writes down what follows.
    """

    client: "tinker.TrainingClient"
    tokenizer: "PreTrainedTokenizerBase"
    plan: Plan
    done: Sequence[Row]
    record: Record

    @property
    def ended(self) -> bool:
        """Whether no step is left."""
        return not self.plan.has(len(self.done) + 1)

    def extend(self, steps: int) -> None:
        """Add steps to a training that has ended."""
        self.plan.extend(steps)
        self.record.planned(self.plan)

    def train(self, reporter: Reporter) -> Training:
        """Take the steps that are left.

        Raises:
            Interrupted: Ctrl-C, after a checkpoint has been saved.
        """
        return train(self.client, self.plan, reporter, self.record, self.done)

    def finish(self, training: Training, reporter: Reporter) -> str:
        """Save the end of the training, to train on from and to sample from; returns the path of the latter."""
        state = awaited(self.client.save_state("final", overwrite=True), reporter).path
        sampler = awaited(self.client.save_weights_for_sampler("final"), reporter).path
        self.record.saved(checkpoint(training.steps, training.examples, "final", state, sampler))
        return sampler


def begin(
    folder: RunFolder,
    material: Material,
    settings: Settings,
    backend: Backend,
    service: "tinker.ServiceClient",
    reporter: Reporter,
) -> Sitting:
    """Make an adapter and the plan, and write both down.

    Raises:
        DataError: No example fits the model's context.
    """
    client = _fresh(service, backend, settings)
    tokenizer = backend.tokenizer(client)
    examples, datums = material.encode(tokenizer, settings, backend.context_length, reporter)
    plan = Plan(datums, settings)
    record = Record(folder, service, settings.keep_checkpoints)
    record.begin(material.data, examples, plan)
    return Sitting(client, tokenizer, plan, (), record)


def resume(
    folder: RunFolder,
    settings: Settings,
    backend: Backend,
    service: "tinker.ServiceClient",
    reporter: Reporter,
) -> Sitting:
    """Go on where an earlier sitting ended, as if it had not.

    Args:
        folder: Of the run.
        settings: Of the run.
        backend: Where it was trained.
        service: Of the backend.
        reporter: Told from which step it goes on.

    Raises:
        RunError: There is nothing to resume, or what it needs has changed or is damaged.
    """
    left = read(folder, settings, reporter)
    client, step = _restored(left, service, reporter) or (_fresh(service, backend, settings), 0)
    tokenizer = backend.tokenizer(client)
    _, datums, _ = encode_within(tokenizer, Prompts(settings.template), left.examples, 0, None)
    if sha256_of_tokens(datums) != left.tokens_sha256:
        raise RunError(
            f"{folder.path}: the same examples have other tokens now; resume with the model and the versions of "
            "transformers and tokenizers that the run began with"
        )
    plan = Plan(datums, settings, left.legs)
    record = Record(folder, service, settings.keep_checkpoints)
    done = rewind(folder, left, step)
    reporter.say(f"  Going on after step {step}" + (f" of {plan.steps}" if plan.steps else ""))
    return Sitting(client, tokenizer, plan, done, record)


def _fresh(service: "tinker.ServiceClient", backend: Backend, settings: Settings) -> "tinker.TrainingClient":
    return service.create_lora_training_client(
        backend.model, rank=settings.rank, seed=settings.seed, train_unembed=settings.train_unembed
    ).result()


def _restored(
    left: Left, service: "tinker.ServiceClient", reporter: Reporter
) -> "tuple[tinker.TrainingClient, int] | None":
    """A client from the latest checkpoint that can be loaded, and its step; None without any."""
    import tinker

    for row in reversed(left.checkpoints):
        path: Any = row.get("state_path")
        try:
            return service.create_training_client_from_state_with_optimizer(path).result(), int(row["step"])
        except (tinker.BadRequestError, tinker.NotFoundError, tinker.RequestFailedError) as error:
            reason = printable(str(error)).split(" for self.request_id")[0][:200]
            reporter.say(f"  The checkpoint of step {row['step']} cannot be used, so an earlier one is ({reason})")
    return None
