"""Write a split as data files, and refuse places where nothing can or should be written."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinkersql.cache import atomic_folder
from tinkersql.corpus.examples import Example
from tinkersql.corpus.reading import Corpus, to_record
from tinkersql.corpus.splitting import Split
from tinkersql.errors import RunError, SettingsError

SUFFIXES = (".json", ".jsonl", ".ndjson")
"""Of files of rows that commands write: a JSON array, or JSON lines."""


def check_file(out: Path, data: str) -> None:
    """Refuse a file of rows that would fail only after all the work, or cost the source.

    Args:
        out: The file to write; another one of that name is replaced.
        data: The data that its rows come from, as `corpus.load` takes it.

    Raises:
        SettingsError: The name has another ending, its folder is missing, or it is no file, or the data itself.
    """
    if out.suffix not in SUFFIXES:
        raise SettingsError(f"{out}: give a name that ends in .json or .jsonl")
    if not out.parent.is_dir():
        raise SettingsError(f"{out}: there is no folder {out.parent}; make it first")
    if out.exists() and not out.is_file():
        raise SettingsError(f"{out}: this is no file; give another name")
    if out.exists() and Path(data).exists() and out.samefile(data):
        raise SettingsError(f"{out}: this is the data itself; give another name")


def check_folder(out: Path) -> None:
    """Refuse what would be overwritten.

    Raises:
        RunError: ``out`` is a file, or a folder that is not empty or cannot be read.
    """
    try:
        occupied = any(out.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"{out}: cannot be the folder to write ({error.strerror})") from None
    if occupied:
        raise RunError(f"{out}: the folder is not empty; name a new one")


def write_split(out: Path, corpus: Corpus, split: Split, seed: int) -> dict[str, Any]:
    """Write ``train.jsonl``, ``test.jsonl`` and ``split.json`` into a new folder: all three, or nothing.

    Returns:
        What ``split.json`` holds: the source and its hash, how it was split, the counts and the leak report.

    Raises:
        RunError: The folder cannot be written, or has something in it.
    """
    check_folder(out)
    facts = {
        "source": corpus.source,
        "sha256": corpus.sha256,
        "by": split.by,
        "seed": seed,
        "examples": len(corpus.examples),
        "train": len(split.train),
        "test": len(split.test),
        "left_out": len(split.left_out),
        "leaks": split.leaks.to_dict(),
        "notes": list(split.notes),
    }
    try:
        with atomic_folder(out) as folder:
            (folder / "train.jsonl").write_text(_lines(split.train), encoding="utf-8")
            (folder / "test.jsonl").write_text(_lines(split.test), encoding="utf-8")
            (folder / "split.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunError(f"{out}: cannot be written ({error.strerror})") from None
    return facts


def _lines(examples: Iterable[Example]) -> str:
    return "".join(json.dumps(to_record(example), ensure_ascii=False) + "\n" for example in examples)
