"""A training as files of its run folder, from which it can be resumed.

train.jsonl         the examples of one pass, in the order of the first: a resume needs no other data
held-out.jsonl      the examples of validation, if there is any
plan.json           the hashes of data, examples, tokens and base model, the weights to start from, and the plan's legs
metrics.jsonl       one line per step
validations.jsonl   one line per validation
checkpoints.jsonl   one line per checkpoint, written after it has been saved
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinkersql.backend import Backend
from tinkersql.cache import sha256_of
from tinkersql.console import Reporter, printable
from tinkersql.corpus import Corpus, Example, read_file, to_record
from tinkersql.errors import DataError, RunError
from tinkersql.runs import RunFolder
from tinkersql.settings import Settings
from tinkersql.tuning.loop import Diary, Row
from tinkersql.tuning.plan import Leg, Plan, legs_of
from tinkersql.tuning.start import Start

if TYPE_CHECKING:
    import tinker

_PLAN, _EXAMPLES, _HELD_OUT = "plan.json", "train.jsonl", "held-out.jsonl"
_METRICS, _VALIDATIONS, _CHECKPOINTS = "metrics.jsonl", "validations.jsonl", "checkpoints.jsonl"
ROLLING = ("periodic", "interrupted")
"""The kinds of checkpoints of which only the latest stay."""


class Record(Diary):
    """Writes a training down as it goes on."""

    def __init__(self, folder: RunFolder, rest: "tinker.RestClient", keep: int) -> None:
        """``keep``: how many of the latest checkpoints during training stay."""
        self.folder = folder
        self.keep = keep
        self._rest = rest

    def begin(
        self,
        data: Corpus,
        examples: Sequence[Example],
        held_out: Sequence[Example],
        plan: Plan,
        backend: Backend,
        start: Start | None = None,
    ) -> None:
        """Write down what is going to be trained, on what, and validated on what."""
        self.folder.write_rows(_EXAMPLES, map(to_record, examples))
        if held_out:
            self.folder.write_rows(_HELD_OUT, map(to_record, held_out))
        hashes = {
            "data": data.sha256,
            "examples": sha256_of(self.folder.path / _EXAMPLES),
            "held_out": sha256_of(self.folder.path / _HELD_OUT) if held_out else None,
            "tokens": sha256_of_tokens(plan.datums),
            "model": backend.provenance.get("sha256"),
        }
        origin = {"model": backend.model, **({"start": start.to_dict()} if start else {})}
        self.folder.write_json(_PLAN, {"sha256": hashes, **origin, **plan.to_dict()})

    def planned(self, plan: Plan) -> None:
        """Write down the legs anew."""
        document = json.loads((self.folder.path / _PLAN).read_text(encoding="utf-8"))
        self.folder.write_json(_PLAN, document | plan.to_dict())

    def forget_after(self, step: int) -> None:
        """Forget steps and validations after ``step``, which are taken again, and ends that could not be loaded."""
        for name in (_METRICS, _VALIDATIONS, _CHECKPOINTS):
            if (self.folder.path / name).exists():  # written anew, for the last line may have been cut short
                rows = self.folder.rows(name)
                kept = [row for row in rows if row["step"] <= step or row.get("kind", "final") != "final"]
                self.folder.write_rows(name, kept)

    def step(self, row: Row) -> None:
        """Append to ``metrics.jsonl``."""
        self.folder.append(_METRICS, row)

    def validated(self, row: Row) -> None:
        """Append to ``validations.jsonl``."""
        self.folder.append(_VALIDATIONS, row)

    def saved(self, row: Row) -> None:
        """Append to ``checkpoints.jsonl``, and delete the checkpoint that is one too many."""
        self.folder.add_checkpoint(row)
        saved = self.folder.rows(_CHECKPOINTS)
        if row["kind"] == "final":
            return
        kinds, keep = (ROLLING, self.keep) if row["kind"] in ROLLING else (("best",), 1)
        alike = [each for each in saved if each["kind"] in kinds]
        staying = alike[-keep:] + [each for each in saved if each["kind"] == "final"]
        paths = {each["state_path"] for each in staying}
        self.delete(*(each for each in alike[-keep - 1 : -keep] if each["state_path"] not in paths))

    def best(self) -> dict[str, Any] | None:
        """The line of the checkpoint with the lowest validation loss; None without one."""
        return next((each for each in reversed(self.folder.rows(_CHECKPOINTS)) if each["kind"] == "best"), None)

    def delete(self, *checkpoints: Row) -> None:
        """Delete what the service keeps of checkpoints; their lines stay."""
        import tinker

        for path in (each[key] for each in checkpoints for key in ("state_path", "sampler_path") if each.get(key)):
            with suppress(tinker.TinkerError):  # gone already, or kept by the service: nothing depends on it
                self._rest.delete_checkpoint_from_tinker_path(path).result()


@dataclass(frozen=True, slots=True)
class Left:
    """What an earlier sitting has left, as `read` finds it.

    Attributes:
        examples: Of one pass.
        held_out: Examples for validation.
        legs: Of the plan.
        metrics: The lines of all steps that were noted.
        validations: The lines of all validations that were noted.
        checkpoints: The lines of all checkpoints, in the order in which they were saved.
        tokens_sha256: Of the Datums.
        model_sha256: Of the base model's weights; None where the service keeps them, and in runs of before.
        start: The weights that it began with; None for a fresh adapter.
    """

    examples: tuple[Example, ...]
    held_out: tuple[Example, ...]
    legs: list[Leg]
    metrics: list[dict[str, Any]]
    validations: list[dict[str, Any]]
    checkpoints: list[dict[str, Any]]
    tokens_sha256: str
    model_sha256: str | None
    start: Start | None

    @property
    def ended(self) -> bool:
        """Whether the training came to its end, planned or early: every leg has its final checkpoint."""
        return len(self._ends) == len(self.legs)

    @property
    def end(self) -> int:
        """The step whose weights were the result when the training ended last."""
        return self._ends[-1]

    @property
    def _ends(self) -> list[int]:
        return [row["step"] for row in self.checkpoints if row["kind"] == "final"]


def is_begun(folder: RunFolder) -> bool:
    """Whether a training has been written down, so that it can be resumed."""
    return (folder.path / _PLAN).is_file()


def read(folder: RunFolder, settings: Settings, reporter: Reporter) -> Left:
    """Read what an earlier sitting has left.

    Raises:
        RunError: Training had not begun, a file is damaged, or the data has changed since.
    """
    path = folder.path / _PLAN
    if not is_begun(folder):
        raise RunError(f"{folder.path}: its training had not begun, so there is nothing to resume; start it anew")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        hashes, legs = document["sha256"], legs_of(document)
        start = Start(**document["start"]) if "start" in document else None
        data_sha256, tokens_sha256 = hashes["data"], hashes["tokens"]
        examples_sha256, held_out_sha256 = hashes["examples"], hashes.get("held_out")
        model_sha256 = hashes.get("model")
    except (OSError, ValueError, KeyError, TypeError):
        raise RunError(f"{path}: damaged, so this run cannot be resumed; start a new one") from None
    _check_data(settings, data_sha256, reporter)
    examples = _examples(folder.path / _EXAMPLES, examples_sha256)
    held_out = _examples(folder.path / _HELD_OUT, held_out_sha256) if held_out_sha256 else ()
    checkpoints = folder.rows(_CHECKPOINTS)
    steps, validations = folder.rows(_METRICS), folder.rows(_VALIDATIONS)
    return Left(examples, held_out, legs, steps, validations, checkpoints, tokens_sha256, model_sha256, start)


def until(folder: RunFolder, left: Left, step: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines of steps and validations up to ``step``.

    Raises:
        RunError: Lines of earlier steps are missing.
    """
    steps = [row for row in left.metrics if row["step"] <= step]
    if [row["step"] for row in steps] != list(range(1, step + 1)):
        raise RunError(f"{folder.path / _METRICS}: steps before {step} are missing, so this run cannot be resumed")
    return steps, [row for row in left.validations if row["step"] <= step]


def sha256_of_tokens(datums: "Sequence[tinker.Datum]") -> str:
    """The SHA-256 of all Datums' input tokens: it changes with the tokenizer, the template and the examples."""
    digest = hashlib.sha256()
    for datum in datums:
        digest.update(json.dumps(datum.model_input.to_ints()).encode())
    return digest.hexdigest()


def _examples(path: Path, sha256: str) -> tuple[Example, ...]:
    try:
        unchanged, examples = sha256_of(path) == sha256, read_file(path)
    except (OSError, DataError) as error:
        raise RunError(f"{path}: cannot be read ({printable(str(error))})") from None
    if not unchanged:
        raise RunError(f"{path}: changed since training began, so this run cannot be resumed")
    return examples


def _check_data(settings: Settings, sha256: str, reporter: Reporter) -> None:
    """A data file that is still there must be the one that training began with."""
    path = Path(settings.data)
    if settings.data in ("hub", "built-in"):
        return
    if not path.is_file():
        reporter.say(f"  {path} is not here; the examples of the run folder are used")
    elif sha256_of(path) != sha256:
        raise RunError(f"{path}: changed since the run began; put the old file back, or start a new run")
