"""Read a run folder as data: every file may be missing, because a run may have been interrupted at any moment."""

import json
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tinkersql.errors import RunError

# Characters that a page cannot carry or that would reorder the text around them, and what is shown in their place.
_CONTROLS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n\r"} | {127: "␡"}
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "�")
_BIDI = {code: f"[U+{code:04X}]" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_VISIBLE = _CONTROLS | _SURROGATES | _BIDI
_SUITE_FILE = re.compile(r"predictions-([a-z0-9-]+)-(base|tuned)\.jsonl")


@dataclass(frozen=True)
class Prediction:
    """One line of a ``predictions-*.jsonl``: a question, the model's answer and the judge's verdict.

    Attributes:
        index: The question's number in the test set; the same question has the same index in every file.
        golds: The acceptable queries, the preferred one first.
        answer: What the model wrote, unchanged.
        predicted: The SQL that was taken out of the answer; empty where there is none.
        witness: ``{"script", "gold_result", "predicted_result"}``, or None where the judge gives none.
        cause: What is wrong with it; empty where it is right, or in runs that were made before causes were found.
    """

    index: int = 0
    question: str = ""
    schema: str = ""
    golds: list[str] = field(default_factory=list)
    kind: str = ""
    difficulty: str = ""
    skills: list[str] = field(default_factory=list)
    answer: str = ""
    predicted: str = ""
    verdict: str = "undecided"
    reason: str = ""
    witness: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    stop_reason: str = ""
    cause: str = ""

    @property
    def matches(self) -> bool:
        """Whether the judge found the prediction to mean the same as a gold."""
        return self.verdict == "match"


@dataclass(frozen=True)
class RunFiles:
    """Everything that a run folder holds about its run; empty where a file is missing.

    ``suites`` holds the answers to each suite of questions on novel schemas, by ``base`` and ``tuned``.
    """

    folder: Path
    config: dict[str, Any]
    result: dict[str, Any]
    metrics: list[dict[str, Any]]
    validations: list[dict[str, Any]]
    checkpoints: list[dict[str, Any]]
    base: list[Prediction]
    tuned: list[Prediction]
    suites: dict[str, dict[str, list[Prediction]]]


def read(folder: Path) -> RunFiles:
    """Read a run folder.

    A last line that was cut off by an interruption is left out; anything else that is no JSON is an error.

    Raises:
        RunError: The folder does not exist, holds neither ``config.json`` nor ``result.json``, or holds a damaged file.
    """
    if not folder.is_dir():
        raise RunError(f"{folder}: no such run folder; give the folder that `tinkersql run` has written")
    if not any((folder / name).is_file() for name in ("config.json", "result.json")):
        raise RunError(f"{folder}: not a run folder, it has neither config.json nor result.json")
    result = read_object(folder / "result.json")
    if "questions" in result:
        raise RunError(f"{folder}: an evaluation has no page; its figures are in result.json, its answers beside that")
    return RunFiles(
        folder=folder,
        config=read_object(folder / "config.json"),
        result=result,
        metrics=_read_lines(folder / "metrics.jsonl"),
        validations=_read_lines(folder / "validations.jsonl"),
        checkpoints=_read_lines(folder / "checkpoints.jsonl"),
        base=_read_predictions(folder / "predictions-base.jsonl"),
        tuned=_read_predictions(folder / "predictions-tuned.jsonl"),
        suites=_read_suites(folder),
    )


def _read_text(path: Path) -> str:
    """The file's text, or "" where there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file, fit to be shown; empty where there is no such file.

    Raises:
        RunError: It is damaged.
    """
    text = _read_text(path)
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RunError(f"{path}: not valid JSON ({error}); restore the file or run again") from error
    if not isinstance(value, dict):
        raise RunError(f"{path}: a JSON object is expected here; restore the file or run again")
    return _clean(value)


def _read_lines(path: Path) -> list[dict[str, Any]]:
    lines = _read_text(path).split("\n")
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            if number == len(lines):  # no line end after it: the writer was stopped in the middle
                break
            raise RunError(f"{path}, line {number}: not valid JSON ({error}); restore the file or run again") from error
        if not isinstance(row, dict):
            raise RunError(f"{path}, line {number}: a JSON object is expected here; restore the file or run again")
        rows.append(_clean(row))
    return rows


def _read_predictions(path: Path) -> list[Prediction]:
    names = {entry.name for entry in fields(Prediction)}
    predictions: list[Prediction] = []
    for number, row in enumerate(_read_lines(path)):
        known: dict[str, Any] = {"index": number} | {name: row[name] for name in names if name in row}
        predictions.append(Prediction(**known))
    return predictions


def _read_suites(folder: Path) -> dict[str, dict[str, list[Prediction]]]:
    suites: dict[str, dict[str, list[Prediction]]] = {}
    for path in sorted(folder.iterdir()):
        if found := _SUITE_FILE.fullmatch(path.name):
            suites.setdefault(found[1], {})[found[2]] = _read_predictions(path)
    return suites


def _clean(value: Any) -> Any:
    """The same JSON value with every character of its strings fit to be shown."""
    if isinstance(value, str):
        return value.translate(_VISIBLE)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value
