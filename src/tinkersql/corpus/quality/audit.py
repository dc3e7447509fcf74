"""The audit: try out every gold, look for damage, repeats and missing values, and say what is wrong with which row."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tinkersql.console import Advance, Reporter
from tinkersql.corpus.examples import Example
from tinkersql.corpus.quality.causes import CAUSE_OF, CAUSES, LOOSE_ENDS, Cause, Finding
from tinkersql.corpus.quality.damage import damage
from tinkersql.corpus.quality.literals import DOUBTS
from tinkersql.corpus.quality.repeats import contradictions, duplicates, repeated
from tinkersql.corpus.quality.rows import Row, tidied
from tinkersql.equivalence import Comparison, Pair, check_many, compare_many
from tinkersql.errors import DataError


@dataclass
class Audit:
    """What was found.

    Attributes:
        examples: the rows that were looked at.
        findings: in the order of the rows. The damage of a row, or what keeps its gold from running, is one finding.
        rows: by number, those that stay when what does not run is left out, with their repaired golds.
        seconds: how long it took.
    """

    examples: Sequence[Example]
    findings: list[Finding] = field(default_factory=list)
    rows: dict[int, Row] = field(default_factory=dict)
    seconds: float = 0.0

    def of(self, cause: Cause) -> list[Finding]:
        """The findings of one cause."""
        return [finding for finding in self.findings if finding.cause is cause]

    @property
    def counts(self) -> dict[Cause, int]:
        """How many rows each cause was found in; causes that were not found are left out."""
        found = Counter(finding.cause for finding in self.findings)
        return {cause: found[cause] for cause in CAUSES if found[cause]}


def audit(examples: Sequence[Example], reporter: Reporter, workers: int = 1) -> Audit:
    """Look at every row; of a row with several golds, at the one that training learns.

    Args:
        examples: the rows.
        reporter: told how it goes on.
        workers: how many processes try out the golds.

    Raises:
        DataError: not one gold runs, so that the file is not what it is taken for.
    """
    started = time.monotonic()
    done = Audit(examples)
    with reporter.track("run golds", len(examples), "rows") as advance:
        rows = _tried([(e.question.strip(), e.schema, tidied(e.gold)) for e in examples], advance, workers)
    if not any(row.check.runs for row in rows):
        raise DataError(
            f"none of the {len(rows):,} golds runs on its schema (row 1: {rows[0].check.reason}); "
            "check that 'context' holds the CREATE TABLE statements of the tables that 'answer' asks"
        )
    errors = [found for row in rows if (found := _error(row))]
    with reporter.track("run repairs", sum(bool(error.repair) for error in errors), "rows") as advance:
        mended = _mended(rows, errors, advance, workers)
    done.findings += [error if error.row in mended else replace(error, repair="") for error in errors]
    broken = {error.row for error in errors}
    sound = [mended.get(row.number, row) for row in rows if row.number in mended or row.number not in broken]
    done.rows = {row.number: row for row in sound}
    groups = repeated(sound)
    with reporter.track("compare repeats", None, "pairs") as advance:
        done.findings += duplicates(groups)
        done.findings += contradictions(groups, partial(_watched, advance, workers))
    with reporter.track("look for values", len(sound), "rows") as advance:
        for row in sound:
            done.findings += filter(None, (look(row) for look in DOUBTS))
            advance()
    done.findings += _loose_ends(examples)
    done.findings.sort(key=lambda finding: (finding.row, CAUSES.index(finding.cause)))
    done.seconds = time.monotonic() - started
    return done


def _tried(texts: Sequence[tuple[str, str, str]], advance: Advance, workers: int) -> list[Row]:
    """(question, schema, gold) as rows, in order and numbered from 1, whose golds were tried out."""
    rows = []
    checks = check_many(((schema, gold) for _, schema, gold in texts), workers)
    for number, (text, check) in enumerate(zip(texts, checks, strict=True), 1):
        rows.append(Row(number, *text, check))
        advance()
    return rows


def _error(row: Row) -> Finding | None:
    """What is wrong with a gold: its damage, or else the reason why it does not run."""
    found = damage(row)
    if found is None and row.check.problem is not None:
        return Finding(row.number, CAUSE_OF[row.check.problem], row.check.reason)
    return found


def _mended(rows: Sequence[Row], errors: Sequence[Finding], advance: Advance, workers: int) -> dict[int, Row]:
    """The rows whose repair runs and leaves no damage, by number."""
    proposals = [(rows[error.row - 1], error.repair) for error in errors if error.repair]
    tried = _tried([(row.question, row.schema, repair) for row, repair in proposals], advance, workers)
    return {
        row.number: replace(mended, number=row.number)
        for (row, _), mended in zip(proposals, tried, strict=True)
        if mended.check.runs and damage(mended) is None
    }


def _watched(advance: Advance, workers: int, pairs: Iterable[Pair]) -> Iterator[Comparison]:
    for answer in compare_many(pairs, workers):
        advance()
        yield answer


def _loose_ends(examples: Sequence[Example]) -> list[Finding]:
    """The rows whose question or gold has blanks around it, or whose gold ends with a semicolon."""
    found = []
    for number, example in enumerate(examples, 1):
        if example.question.strip() != example.question:
            found.append(Finding(number, LOOSE_ENDS, "blanks around the question"))
        elif tidied(example.gold) != example.gold:
            found.append(Finding(number, LOOSE_ENDS, "a semicolon or blanks around the gold"))
    return found
