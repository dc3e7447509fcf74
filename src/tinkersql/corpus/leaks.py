"""What a split lets training know of its test questions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from tinkersql.corpus.examples import Example
from tinkersql.corpus.traits import Traits


@dataclass(frozen=True, slots=True)
class LeakReport:
    """How many test questions have their like in the training rows.

    The first three are near to nearer copies; a question counts in the first that it fits. The others say how far
    the test is from training, and overlap.

    Attributes:
        test: All test questions.
        verbatim: They stand in training word for word, with the same schema.
        same_words: The same question but for case and punctuation.
        near: The same template over the same columns: the same query but for its values or the columns' parts in it.
        table: They share a table.
        guessed: Those of ``table`` whose tables have placeholders for names, so that columns had to tell them.
        columns: They share a schema signature, the set of all column names.
        template: They share their query's template.
    """

    test: int
    verbatim: int
    same_words: int
    near: int
    table: int
    guessed: int
    columns: int
    template: int

    def to_dict(self) -> dict[str, int]:
        """All counts, JSON-ready."""
        return asdict(self)

    @property
    def line(self) -> str:
        """The report in one line."""
        guess = f" ({self.guessed:,} of them guessed from columns)" if self.guessed else ""
        return (
            f"Leaks: of {self.test:,} test questions {self.verbatim:,} stand in training word for word, "
            f"{self.same_words:,} but for case and punctuation, {self.near:,} as near duplicates; "
            f"{self.table:,} share a table{guess}, {self.columns:,} all columns, {self.template:,} a template."
        )


def find_leaks(train: Iterable[Example], test: Sequence[Example], traits: Mapping[Example, Traits]) -> LeakReport:
    """Count the test examples that have their like in training.

    Args:
        train: All that a model may be trained on.
        test: What it is asked.
        traits: Of the examples on both sides, found together: `corpus.traits.traits_of`.
    """
    pairs: set[tuple[str, str]] = set()
    words, near, tables, columns, templates = (set[object]() for _ in range(5))
    for example in train:
        trait = traits[example]
        pairs.add((example.question, example.schema))
        words.add(trait.words)
        near.add((trait.template, trait.columns))
        tables.add(trait.table)
        columns.add(trait.columns)
        templates.add(trait.template)
    copies = [0, 0, 0]
    for example in test:
        trait = traits[example]
        signs = (
            (example.question, example.schema) in pairs,
            trait.words in words,
            (trait.template, trait.columns) in near,
        )
        if any(signs):
            copies[signs.index(True)] += 1
    found = [traits[example] for example in test]
    return LeakReport(
        len(found),
        *copies,
        table=sum(trait.table in tables for trait in found),
        guessed=sum(trait.table in tables and not trait.has_name for trait in found),
        columns=sum(trait.columns in columns for trait in found),
        template=sum(trait.template in templates for trait in found),
    )
