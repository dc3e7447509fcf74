"""Write a split as data files."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinkersql.cache import atomic_folder
from tinkersql.corpus.examples import Example
from tinkersql.corpus.reading import Corpus, to_record
from tinkersql.corpus.splitting import Split
from tinkersql.errors import RunError


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
