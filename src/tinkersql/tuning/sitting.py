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

    def train(self, reporter: Reporter) -> Training:
        """Take the steps that are left.

        Raises:
            Interrupted: Ctrl-C, after a checkpoint has been saved.
        """
        return train(self.client, self.plan, reporter, self.record, self.done)

    def finish(self, training: Training) -> str:
        """Save the end of the training, to train on from and to sample from; returns the path of the latter."""
        state = self.client.save_state("final", overwrite=True).result().path
        sampler = self.client.save_weights_for_sampler("final").result().path
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
    client = fresh(service, backend, settings)
    tokenizer = backend.tokenizer(client)
    record = Record(folder, service, settings.keep_checkpoints)
    plan = lay_out(record, material, settings, tokenizer, backend, reporter)
    return Sitting(client, tokenizer, plan, (), record)


def lay_out(
    record: Record,
    material: Material,
    settings: Settings,
    tokenizer: "PreTrainedTokenizerBase",
    backend: Backend,
    reporter: Reporter,
) -> Plan:
    """Make the plan and write it down, so that `resume` can take the training from its first step on.

    Raises:
        DataError: No example fits the model's context.
    """
    examples, datums = material.encode(tokenizer, settings, backend.context_length, reporter)
    plan = Plan(datums, settings)
    record.begin(material.data, examples, plan)
    return plan


def resume(
    folder: RunFolder,
    settings: Settings,
    backend: Backend,
    service: "tinker.ServiceClient",
    reporter: Reporter,
    more_steps: int = 0,
) -> Sitting:
    """Go on where an earlier sitting ended, as if it had not.

    Args:
        folder: Of the run.
        settings: Of the run.
        backend: Where it was trained.
        service: Of the backend.
        reporter: Told from which step it goes on.
        more_steps: How many steps to add to a training that has come to its end.

    Raises:
        RunError: There is nothing to resume, or what it needs has changed or is damaged.
    """
    left = read(folder, settings, reporter)
    if left.ended and not more_steps:
        raise RunError(f"{folder.path}: its training has come to its end; --more-steps N adds steps to it")
    if more_steps and not left.ended:
        raise RunError(f"{folder.path}: its training has not ended; resume it without --more-steps first")
    client, step = _restored(left, service, reporter) or (fresh(service, backend, settings), 0)
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
    if more_steps:
        plan.extend(more_steps)
        record.planned(plan)
    reporter.say(f"  Going on after step {step}" + (f" of {plan.steps}" if plan.steps else ""))
    return Sitting(client, tokenizer, plan, done, record)


def fresh(service: "tinker.ServiceClient", backend: Backend, settings: Settings) -> "tinker.TrainingClient":
    """A client whose adapter changes nothing yet."""
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
            reporter.say(
                f"  The checkpoint of step {row['step']} cannot be used, so an earlier one is ({in_one_line(error)})"
            )
    return None


def in_one_line(error: "tinker.TinkerError") -> str:
    """What the service says, without the internals that the SDK appends."""
    return printable(str(error)).split(" for self.request_id")[0][:200]
