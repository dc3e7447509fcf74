"""What a training is made from: data that has been read, split and changed by a recipe."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tinkersql import corpus
from tinkersql.console import Reporter
from tinkersql.corpus import Corpus, Example, Split
from tinkersql.corpus.recipes import Enriched, enrich
from tinkersql.errors import DataError
from tinkersql.evaluation import require_golds
from tinkersql.prompts import Prompts, encode_within
from tinkersql.settings import Resolved, Settings
from tinkersql.tuning.plan import most_examples

if TYPE_CHECKING:
    import tinker
    from transformers import PreTrainedTokenizerBase

SHORTEST_EXAMPLE = 20
"""Tokens that no example falls short of, so that a budget in tokens bounds the examples that are made ready."""

LARGEST_PART = 10
"""Validation takes at most one part in so many of the training examples, but always one example."""


@dataclass(frozen=True, slots=True)
class Material:
    """Examples to train and to test on.

    Attributes:
        data: As it was read.
        split: Of the data.
        held_out: Examples for validation, as they were read; the split's training examples are without them.
        enriched: The training examples changed by the recipe, as many as the budget can take at the very most.
        facts: About all three, for ``result.json``; ``notes`` holds what a reader of results must know.
    """

    data: Corpus
    split: Split
    held_out: tuple[Example, ...]
    enriched: Enriched
    facts: dict[str, Any] = field(default_factory=dict)

    def encode(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        settings: Settings,
        context_length: int | None,
        reporter: Reporter,
    ) -> "tuple[list[corpus.Example], list[tinker.Datum]]":
        """The examples of one pass within the budget, and the same as Datums; what that means goes into the facts.

        Raises:
            DataError: None fits the model's context.
        """
        examples, datums, left_out = encode_within(
            tokenizer, Prompts(settings.template), self.enriched.examples, settings.tokens, context_length
        )
        if left_out:
            self.note(f"{left_out} training examples are longer than the model's {context_length} tokens.", reporter)
        if not datums:
            raise DataError(f"no training example fits the model's {context_length} tokens: use one that reads more")
        self.facts["trained_on"] = len(datums)
        if len(datums) + left_out < self.facts["train"]:
            self.note(
                f"Training takes {len(datums):,} examples, chosen at random by the seed; {self.facts['train']:,} rows "
                "were there (--epochs 1 takes them all).",
                reporter,
            )
        return examples, datums

    def note(self, text: str, reporter: Reporter) -> None:
        """Keep and show what a reader of results must know."""
        self.facts["notes"].append(text)
        reporter.say(f"  {text}")


def gather(settings: Settings, reporter: Reporter) -> Material:
    """Read the data, split it, hold some out for validation, and let the recipe change what can be trained on.

    Raises:
        DataError: The data cannot be read, is too small for the split or for validation, or no test gold runs.
        SettingsError: The recipe does not suit the data.
    """
    data = corpus.load(settings.data, reporter, settings.map)
    split = corpus.split(data, settings.test_size, settings.seed, settings.split)
    require_golds(split.test)
    return change(data, *_hold_out(split, settings), settings, reporter)


def change(
    data: Corpus, split: Split, held_out: tuple[Example, ...], settings: Settings, reporter: Reporter
) -> Material:
    """Let the recipe change what can be trained on; ``held_out`` is what validation has taken of it.

    Raises:
        SettingsError: The recipe does not suit the data.
    """
    most = most_examples(settings, SHORTEST_EXAMPLE)
    enriched = enrich(settings.recipe, split.train, settings.seed, most, reporter)
    return Material(data, split, held_out, enriched, _facts(data, split, held_out, enriched))


def hold_out(examples: Sequence[Example], size: int) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Set the last ``size`` examples aside, for a budget reaches them last.

    Returns:
        The others, without any that repeats one of those set aside, and those set aside.
    """
    held_out = tuple(examples[-size:])
    aside = set(held_out)
    return tuple(example for example in examples if example not in aside), held_out


def _hold_out(split: Split, settings: Settings) -> tuple[Split, tuple[Example, ...]]:
    """Take the validation examples from those to train on."""
    if not settings.validate_every:
        return split, ()
    size = min(settings.validation_size, max(1, len(split.train) // LARGEST_PART))
    train, held_out = hold_out(split.train, size)
    if not train:
        raise DataError(
            f"{len(split.train)} examples to train on are too few to hold some out for validation: "
            "use more data, a smaller --test-size, or --validate-every 0"
        )
    notes = split.notes
    if size < settings.validation_size:
        notes = (f"Validation takes {size} examples, a tenth of those that could be trained on.", *notes)
    return replace(split, train=train, notes=notes), held_out


def introduce(resolved: Resolved, facts: dict[str, Any], reporter: Reporter) -> None:
    """Show what there is to train on, and the settings that somebody chose."""
    reporter.heading("Data")
    reporter.say(f"  {facts['source']}, sha256 {facts['sha256'][:12]}…")
    held_out = f", {facts['held_out']:,} to validate on" if facts["held_out"] else ""
    parts = f"{facts['train']:,} to train on{held_out}, {facts['test']:,} to test on"
    reporter.say(f"  {facts['examples']:,} examples: {parts}")
    total = sum(facts["kinds"].values())
    reporter.say("  " + ", ".join(f"{kind} {count / total:.0%}" for kind, count in facts["kinds"].items()))
    for note in facts["notes"]:
        reporter.say(f"  {note}")
    reporter.heading("Settings")
    reporter.say(f"  preset {resolved.preset}")
    for name, entry in resolved.to_dict().items():
        if name == "learning_rate" or not entry["source"].startswith("preset"):
            reporter.say(f"  {name} = {entry['value']!r}  ({entry['source']})")


def _facts(data: Corpus, split: Split, held_out: tuple[Example, ...], enriched: Enriched) -> dict[str, Any]:
    notes = list(split.notes)
    if enriched.counts:
        made = f"{len(enriched.examples):,} examples, of which training takes the first that the budget holds"
        notes.append(f"Recipes have made {made} ({enriched.summary()}).")
    return {
        "source": data.source,
        "sha256": data.sha256,
        "examples": len(data.examples),
        "train": len(split.train),
        "held_out": len(held_out),
        "test": len(split.test),
        "trained_on": 0,
        "left_out": len(split.left_out),
        "split": split.by,
        "leaks": split.leaks.to_dict(),
        "recipes": enriched.counts,
        "kinds": corpus.count_kinds(data.examples),
        "notes": notes,
    }
