"""One sitting of a training: from its first step, or from the last checkpoint of an earlier sitting, to its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinkersql.backend import Backend
from tinkersql.console import Reporter, printable
from tinkersql.corpus import Example
from tinkersql.errors import RunError
from tinkersql.prompts import Prompts, encode_within
from tinkersql.runs import RunFolder
from tinkersql.settings import Settings
from tinkersql.tuning.loop import Objective, Row, Supervised, Training, checkpoint, train
from tinkersql.tuning.material import Material
from tinkersql.tuning.plan import Plan
from tinkersql.tuning.record import Left, Record, read, rewind, sha256_of_tokens
from tinkersql.tuning.reinforce import Reinforcement
from tinkersql.tuning.start import Start
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
        objective: What a step is made of.
    """

    client: "tinker.TrainingClient"
    tokenizer: "PreTrainedTokenizerBase"
    plan: Plan
    done: Sequence[Row]
    record: Record
    objective: Objective

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
        return train(self.client, self.plan, reporter, self.record, self.done, self.objective)

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
    start: Start | None = None,
) -> Sitting:
    """Make an adapter, or take the weights of ``start``, and the plan, and write both down.

    Raises:
        DataError: No example fits the model's context.
    """
    client = _fresh(service, backend, settings, start)
    tokenizer = backend.tokenizer(client)
    examples, datums = material.encode(tokenizer, settings, backend.context_length, reporter)
    plan = Plan(datums, settings)
    record = Record(folder, service, settings.keep_checkpoints)
    record.begin(material.data, examples, plan, start)
    objective = _objective(client, tokenizer, plan, examples, backend, service, start, reporter)
    return Sitting(client, tokenizer, plan, (), record, objective)


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
    client, step = _restored(left, service, reporter) or (_fresh(service, backend, settings, left.start), 0)
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
    objective = _objective(client, tokenizer, plan, left.examples, backend, service, left.start, reporter)
    return Sitting(client, tokenizer, plan, done, record, objective)


def _objective(
    client: "tinker.TrainingClient",
    tokenizer: "PreTrainedTokenizerBase",
    plan: Plan,
    examples: Sequence[Example],
    backend: Backend,
    service: "tinker.ServiceClient",
    start: Start | None,
    reporter: Reporter,
) -> Objective:
    if plan.settings.objective == "sft" or start is None:
        return Supervised(client, plan, reporter)
    context, embedded = backend.context_length, backend.kind == "embedded"
    return Reinforcement(
        client, service, tokenizer, plan, examples, start.sampler_path, context, one_by_one=embedded, reporter=reporter
    )


def _fresh(
    service: "tinker.ServiceClient", backend: Backend, settings: Settings, start: Start | None
) -> "tinker.TrainingClient":
    """A client without any steps, from the weights of ``start`` if there are any."""
    if start is not None:
        return service.create_training_client_from_state(start.state_path).result()
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
