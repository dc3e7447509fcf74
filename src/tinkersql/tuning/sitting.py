"""One sitting of a training: from its first step, or from the last checkpoint of an earlier sitting, to its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinkersql.backend import Backend
from tinkersql.console import Reporter
from tinkersql.corpus import Example
from tinkersql.errors import RunError
from tinkersql.prompts import Prompts, encode_within
from tinkersql.runs import RunFolder
from tinkersql.settings import Settings
from tinkersql.tuning.loop import Objective, Row, Supervised, Training, checkpoint, train
from tinkersql.tuning.material import Material
from tinkersql.tuning.monitors import watched
from tinkersql.tuning.plan import Plan
from tinkersql.tuning.record import Left, Record, read, sha256_of_tokens, until
from tinkersql.tuning.reinforce import Reinforcement
from tinkersql.tuning.start import Start
from tinkersql.tuning.validation import Validations, prepare
from tinkersql.waiting import awaited, told_by

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
        examples: Of one pass, which the plan counts.
        done: Lines of ``metrics.jsonl``.
        validations: Those that are done, and how the others are; None: there are none.
        record: Writes down what follows.
        objective: What a step is made of.
        ended_at: The step whose weights are the result; None: the training has not ended.
    """

    client: "tinker.TrainingClient"
    tokenizer: "PreTrainedTokenizerBase"
    plan: Plan
    examples: Sequence[Example]
    done: Sequence[Row]
    validations: Validations | None
    record: Record
    objective: Objective
    ended_at: int | None = None

    @property
    def held_out(self) -> "Sequence[tinker.Datum]":
        """What validations measure; nothing without any."""
        return self.validations.validator.datums if self.validations else ()

    def trained(self) -> list[Example]:
        """The examples that went into the result, each once: those of the steps up to the one whose weights it is.

        Raises:
            RunError: The training has not ended.
        """
        steps = range(1, self.record.folder.tuned_step() + 1)
        return [self.examples[index] for index in sorted({i for step in steps for i in self.plan.indices(step)})]

    @property
    def elapsed(self) -> float:
        """Seconds that the steps in ``done`` took."""
        return self.done[-1]["elapsed"] if self.done else 0.0

    def extend(self, steps: int, reporter: Reporter) -> None:
        """Add steps to a training that has ended; `train` writes that down, so that until then nothing has changed."""
        assert self.ended_at is not None
        unseen = len(self.plan.datums) - self.done[-1]["examples"]
        first = f"; {unseen:,} of them have not been seen yet and come first" if unseen > 0 else ", in a further pass"
        reporter.say(f"  {steps:,} more steps, over the run's {len(self.plan.datums):,} examples{first}")
        self.plan.extend(steps, self.ended_at)

    def train(self, reporter: Reporter) -> Training:
        """Take the steps that are left.

        Raises:
            Interrupted: Ctrl-C, after a checkpoint has been saved.
        """
        if self.ended_at is not None:
            self.record.forget_after(self.ended_at)
            self.record.planned(self.plan)
        with watched(self.record, self.plan.settings, len(self.done), reporter) as diary:
            return train(self.client, self.plan, reporter, diary, self.done, self.validations, self.objective)

    def finish(self, training: Training, reporter: Reporter) -> str:
        """Save what the training has resulted in, to train on from and to sample from.

        These are the last weights, or with patience the best ones, which have been saved already.

        Returns:
            The path to sample from.
        """
        best = self.record.best()
        if best is not None and self.plan.settings.patience:
            reporter.say(f"  The result are the weights of step {best['step']}, with the lowest validation loss")
            self.record.saved(best | {"kind": "final"})
            return best["sampler_path"]
        if best is not None:
            reporter.say(f"  Lowest validation loss at step {best['step']}: {best['sampler_path']}")
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
        DataError: No example, or none for validation, fits the model's context.
    """
    client = fresh(service, backend, settings, start)
    tokenizer = backend.tokenizer(client)
    record = Record(folder, backend.rest(), settings.keep_checkpoints)
    plan, examples = lay_out(record, material, settings, tokenizer, backend, reporter, start)
    validations = prepare(
        service, client, tokenizer, backend.context_length, settings, record, material.held_out, reporter=reporter
    )
    objective = _objective(client, tokenizer, plan, examples, backend, start, reporter)
    return Sitting(client, tokenizer, plan, examples, (), validations, record, objective)


def lay_out(
    record: Record,
    material: Material,
    settings: Settings,
    tokenizer: "PreTrainedTokenizerBase",
    backend: Backend,
    reporter: Reporter,
    start: Start | None = None,
) -> tuple[Plan, list[Example]]:
    """Make the plan and write it down, so that `resume` can take the training from its first step on.

    Returns:
        The plan, and the examples of one pass.

    Raises:
        DataError: No example fits the model's context.
    """
    examples, datums = material.encode(tokenizer, settings, backend.context_length, reporter)
    plan = Plan(datums, settings)
    record.begin(material.data, examples, material.held_out, plan, backend, start)
    return plan, examples


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
        settings: Of the run; its base model may lie elsewhere now, which is written down.
        backend: Where it was trained.
        service: Of the backend.
        reporter: Told from which step it goes on.

    Raises:
        RunError: There is nothing to resume, or what it needs has changed or is damaged.
    """
    left = read(folder, settings, reporter)
    _check_model(folder, left, settings, backend)
    client, step = _restored(left, service, reporter) or (fresh(service, backend, settings, left.start), 0)
    tokenizer = backend.tokenizer(client)
    _, datums, _ = encode_within(tokenizer, Prompts(settings.template), left.examples, 0, None)
    if sha256_of_tokens(datums) != left.tokens_sha256:
        raise RunError(
            f"{folder.path}: the same examples have other tokens now; resume with the model and the versions of "
            "transformers and tokenizers that the run began with"
        )
    plan = Plan(datums, settings, left.legs)
    record = Record(folder, backend.rest(), settings.keep_checkpoints)
    done, validated = until(folder, left, step)
    ended_at = left.end if left.ended and left.end == step else None
    if ended_at is None:
        record.forget_after(step)
    common = (service, client, tokenizer, backend.context_length, settings, record)
    reporter.say(f"  Going on after step {step}" + (f" of {plan.steps}" if plan.steps else ""))
    validations = prepare(*common, left.held_out, validated, reporter)
    objective = _objective(client, tokenizer, plan, left.examples, backend, left.start, reporter)
    return Sitting(client, tokenizer, plan, left.examples, done, validations, record, objective, ended_at)


def _check_model(folder: RunFolder, left: Left, settings: Settings, backend: Backend) -> None:
    """The base model must be the one that training began with, wherever it lies now."""
    moved = settings.model != folder.read_settings().model
    if moved and left.model_sha256 is None:
        raise RunError(f"{folder.path}: no hash of its base model is on record, so leave --model out")
    if left.model_sha256 not in (None, backend.provenance.get("sha256")):
        raise RunError(
            f"{backend.provenance['source']}: not the weights that the run began with (their sha256 is "
            f"{left.model_sha256[:12]}…); if those lie elsewhere now, name the place with --model FOLDER"
        )
    if moved:
        folder.move_model(settings.model)


def _objective(
    client: "tinker.TrainingClient",
    tokenizer: "PreTrainedTokenizerBase",
    plan: Plan,
    examples: Sequence[Example],
    backend: Backend,
    start: Start | None,
    reporter: Reporter,
) -> Objective:
    if plan.settings.objective == "sft" or start is None:
        return Supervised(client, plan, reporter)
    return Reinforcement(client, tokenizer, plan, examples, start.sampler_path, backend, reporter)


def fresh(
    service: "tinker.ServiceClient", backend: Backend, settings: Settings, start: Start | None = None
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
    from tinker.types import RequestErrorCategory

    last = len(left.metrics)  # later checkpoints are of steps that have been forgotten, to be taken again
    for row in reversed(left.checkpoints):
        if row["step"] > last:
            continue  # or an end has settled on earlier weights, so these steps count no more
        if row["kind"] == "final":
            last = row["step"]
        path: Any = row.get("state_path")
        try:
            return service.create_training_client_from_state_with_optimizer(path).result(), int(row["step"])
        except (tinker.BadRequestError, tinker.NotFoundError, tinker.RequestFailedError) as error:
            if isinstance(error, tinker.RequestFailedError) and error.category is not RequestErrorCategory.User:
                raise  # the service is in trouble, not the checkpoint
            reporter.say(
                f"  The checkpoint of step {row['step']} cannot be used, so an earlier one is ({told_by(error)[:200]})"
            )
    return None
