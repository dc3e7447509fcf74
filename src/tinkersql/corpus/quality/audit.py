"""The audit: try out every gold, look for damage, repeats and missing values, and say what is wrong with which row."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tinkersql.console import Advance, Reporter
from tinkersql.corpus.examples import Example
from tinkersql.corpus.quality.causes import CAUSE_OF, CAUSES, LOOSE_ENDS, SWALLOWED, Cause, Finding
from tinkersql.corpus.quality.damage import damage
from tinkersql.corpus.quality.literals import DOUBTS
from tinkersql.corpus.quality.repeats import contradictions, duplicates, repeated
from tinkersql.corpus.quality.rows import Row, tidied
from tinkersql.corpus.swallowed import written_out
from tinkersql.equivalence import Comparison, Pair, check_many, compare_many
from tinkersql.errors import DataError


@dataclass
class Audit:
    """What was found.

    Attributes:
        examples: the rows that were looked at.
        findings: in the order of the rows, one of each cause at most for a row, whichever of its golds it is about. The
            damage of a row, or what keeps a gold of it from running, is one finding.
        rows: by number, those that stay when what does not run is left out, tidied and with their repaired golds.
        seconds: how long it took.
    """

    examples: Sequence[Example]
    findings: list[Finding] = field(default_factory=list)
    rows: dict[int, Example] = field(default_factory=dict)
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
    """Look at every gold of every row, for values at the one that training learns; a row stays when all of them run.

    Args:
        examples: the rows.
        reporter: told how it goes on.
        workers: how many processes try out the golds.

    Raises:
        DataError: not one gold runs, so that the file is not what it is taken for.
    """
    started = time.monotonic()
    done = Audit(examples)
    changed = written_out(examples)
    done.findings += [Finding(n + 1, SWALLOWED, examples[n].gold, tidied(e.gold)) for n, e in changed.items()]
    whole = [changed.get(place, example) for place, example in enumerate(examples)]
    texts = [
        (number, example.question.strip(), example.schema, tidied(gold))
        for number, example in enumerate(whole, 1)
        for gold in example.golds
    ]
    with reporter.track("run golds", len(texts), "golds") as advance:
        golds = _tried(texts, advance, workers)
    if not any(gold.check.runs for gold in golds):
        raise DataError(
            f"none of the {len(golds):,} golds runs on its schema (row 1: {golds[0].check.reason}); "
            "check that 'context' holds the CREATE TABLE statements of the tables that 'answer' asks"
        )
    errors = {place: found for place, gold in enumerate(golds) if (found := _error(gold))}
    with reporter.track("run repairs", sum(bool(error.repair) for error in errors.values()), "golds") as advance:
        mended = _mended(golds, errors, advance, workers)
    damaged = _worst(error if place in mended else replace(error, repair="") for place, error in errors.items())
    done.findings += damaged.values()
    rows: defaultdict[int, list[Row]] = defaultdict(list)
    for place, gold in enumerate(golds):
        if gold.number not in damaged or damaged[gold.number].repair:
            rows[gold.number].append(mended.get(place, gold))
    done.rows = {
        number: replace(whole[number - 1], question=row[0].question, golds=tuple(gold.gold for gold in row))
        for number, row in rows.items()
    }
    groups = repeated(rows.values())
    with reporter.track("compare repeats", None, "pairs") as advance:
        done.findings += duplicates(groups)
        done.findings += contradictions(groups, partial(_watched, advance, workers))
    with reporter.track("look for values", len(rows), "rows") as advance:
        for learned, *_ in rows.values():  # another gold may well spell out what the question says in short
            done.findings += filter(None, (look(learned) for look in DOUBTS))
            advance()
    done.findings += _loose_ends(examples)
    done.findings.sort(key=lambda finding: (finding.row, CAUSES.index(finding.cause)))
    done.seconds = time.monotonic() - started
    return done


def _tried(texts: Sequence[tuple[int, str, str, str]], advance: Advance, workers: int) -> list[Row]:
    """(number, question, schema, gold) in the same order, with what came of the gold."""
    rows = []
    checks = check_many(((schema, gold) for *_, schema, gold in texts), workers)
    for text, check in zip(texts, checks, strict=True):
        rows.append(Row(*text, check))
        advance()
    return rows


def _error(row: Row) -> Finding | None:
    """What is wrong with a gold: its damage, or else the reason why it does not run."""
    found = damage(row)
    if found is None and row.check.problem is not None:
        return Finding(row.number, CAUSE_OF[row.check.problem], row.check.reason)
    return found


def _mended(golds: Sequence[Row], errors: Mapping[int, Finding], advance: Advance, workers: int) -> dict[int, Row]:
    """The golds whose repair runs and leaves no damage, repaired, by their place."""
    places = [place for place, error in errors.items() if error.repair]
    texts = [(golds[p].number, golds[p].question, golds[p].schema, errors[p].repair) for p in places]
    tried = zip(places, _tried(texts, advance, workers), strict=True)
    return {place: mended for place, mended in tried if mended.check.runs and damage(mended) is None}


def _worst(errors: Iterable[Finding]) -> dict[int, Finding]:
    """By row its first error that is beyond repair, or else its first one."""
    worst: dict[int, Finding] = {}
    for error in errors:
        if error.row not in worst or (worst[error.row].repair and not error.repair):
            worst[error.row] = error
    return worst


def _watched(advance: Advance, workers: int, pairs: Iterable[Pair]) -> Iterator[Comparison]:
    for answer in compare_many(pairs, workers):
        advance()
        yield answer


def _loose_ends(examples: Sequence[Example]) -> list[Finding]:
    """The rows whose question or a gold has blanks around it, or of which a gold ends with a semicolon."""
    found = []
    for number, example in enumerate(examples, 1):
        if example.question.strip() != example.question:
            found.append(Finding(number, LOOSE_ENDS, "blanks around the question"))
        elif any(tidied(gold) != gold for gold in example.golds):
            found.append(Finding(number, LOOSE_ENDS, "a semicolon or blanks around the gold"))
    return found
