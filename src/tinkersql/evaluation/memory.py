"""Memorised or learned? What a model's right answers owe to queries and names that it met in training."""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from tinkersql.corpus import Example
from tinkersql.corpus.templates import template_of
from tinkersql.corpus.traits import cluster_of
from tinkersql.equivalence.lexing import meaningful, unquote
from tinkersql.equivalence.schema import RESERVED, SchemaError, read_schema
from tinkersql.evaluation.scoring import Prediction, tally_of
from tinkersql.evaluation.statistics import compare_paired, tally

RENAMED = 100
"""At most so many test questions are asked again with other names."""
_BEFORE_NAMES = {"(", ",", ".", "TABLE", "EXISTS", "REFERENCES"}
"""What stands before a name in a schema; a type stands behind one."""


def memory(
    train: Sequence[Example], predictions: Sequence[Prediction], again: Sequence[Prediction] = ()
) -> dict[str, Any]:
    """What speaks for memory and what for learning, JSON-ready.

    Args:
        train: The examples that the model was trained on.
        predictions: Its answers to the test questions.
        again: Its answers to the first of these questions, asked with `renamed` tables and columns.

    Returns:
        ``seen`` and ``unseen``: tallies of the questions whose gold has a template that a training gold has, and of the
        others. ``copied``: a tally of all answers that counts those which are a training query word for word, and
        ``copies`` a tally of these, which counts the right ones; ``golds_in_training`` is how many of the questions
        have such a gold. ``renamed``: ``original`` and ``renamed`` tallies of the same
        questions and the paired ``comparison`` of the two; None where nothing was asked again.
    """
    queries = {_spaced(example.gold) for example in train}
    templates = set(map(template_of, queries))
    known = [any(template_of(_spaced(gold)) in templates for gold in p.example.golds) for p in predictions]
    copied = [_spaced(p.comparison.predicted) in queries for p in predictions]
    before = predictions[: len(again)]
    return {
        "seen": tally_of([p for p, seen in zip(predictions, known, strict=True) if seen]),
        "unseen": tally_of([p for p, seen in zip(predictions, known, strict=True) if not seen]),
        "copied": tally(copied, [cluster_of(p.example.schema) for p in predictions]),
        "copies": tally_of([p for p, is_copy in zip(predictions, copied, strict=True) if is_copy]),
        "golds_in_training": sum(any(_spaced(gold) in queries for gold in p.example.golds) for p in predictions),
        "renamed": {
            "original": tally_of(before),
            "renamed": tally_of(again),
            "comparison": asdict(compare_paired([p.right for p in before], [p.right for p in again])),
        }
        if again
        else None,
    }


def renamed(example: Example, seed: int) -> Example:
    """The same question of the same tables under other names, which still say what they mean.

    Every table and column gets one new name, in the schema and in all golds: shortened (``weight`` becomes ``wght``),
    in camel case (``first_name`` becomes ``firstName``), or with a word before or behind it (``weight_field``). The
    question stays. A model that reads the schema can follow; one that remembers queries cannot. Names that are words
    of SQL, or no plain words, keep their spelling.

    Args:
        example: The example.
        seed: With the schema it decides on the style of each name.
    """
    try:
        tables = read_schema(example.schema).tables.values()
    except SchemaError:
        return example
    names = dict.fromkeys(name.lower() for table in tables for name in (table.name, *(c.name for c in table.columns)))
    rng = random.Random(f"{seed} {example.schema}")
    new: dict[str, str] = {}
    for name in names:
        if name.isidentifier() and name.upper() not in RESERVED:
            taken = {*names, *(other.lower() for other in new.values())}
            new[name] = _new_name(name, taken, rng)
    schema = _substituted(example.schema, new, lambda before, _: before in _BEFORE_NAMES)
    golds = tuple(_substituted(gold, new, lambda _, after: after != "(") for gold in example.golds)  # functions stay
    return replace(example, schema=schema, golds=golds)


def _new_name(name: str, taken: set[str], rng: random.Random) -> str:
    first, *rest = name.split("_")
    styles = [
        name[0] + "".join(letter for letter in name[1:] if letter not in "aeiou_"),
        first + "".join(part.capitalize() for part in rest),
        f"{name}_field",
        f"the_{name}",
    ]
    rng.shuffle(styles)
    free = (
        style for style in styles if len(style) > 1 and style.lower() not in taken and style.upper() not in RESERVED
    )
    return next(free, f"{name}_{len(taken)}")


def _substituted(sql: str, new: dict[str, str], is_name: Callable[[str, str], bool]) -> str:
    """The text with every name replaced; ``is_name`` looks at the words or marks before and behind one."""
    found = list(meaningful(sql))
    around = ["", *(token.word or token.text for token in found), ""]
    pieces, position = [], 0
    for token, before, after in zip(found, around, around[2:], strict=False):
        other = new.get(unquote(token.text).lower()) if token.kind in ("word", "quoted") else None
        if other is not None and is_name(before, after):
            quote = token.text[0] if token.kind == "quoted" else ""
            pieces += [sql[position : token.start], quote, other, quote.replace("[", "]")]
            position = token.end
    return "".join([*pieces, sql[position:]])


def _spaced(sql: str) -> str:
    """The text with single blanks, without a semicolon at its end."""
    return " ".join(sql.split()).rstrip("; ")
