"""The judge: read both queries, run them on databases that separate, compare, and say what was found.

Everything here runs in the calling process. The public functions in ``client`` put it into a worker process.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tinkersql.equivalence.extraction import extract_sql, first_statement, other_command
from tinkersql.equivalence.facts import collect
from tinkersql.equivalence.golds import Expected, Gold
from tinkersql.equivalence.instances import Instances
from tinkersql.equivalence.keys import find_keys
from tinkersql.equivalence.minimising import Found, with_fewer_rows, witness_of
from tinkersql.equivalence.novelty import brings_news
from tinkersql.equivalence.prepared import PreparedGold
from tinkersql.equivalence.reading import Query, read_query
from tinkersql.equivalence.results import ColumnOrders, Outcome, normal_rows
from tinkersql.equivalence.sandbox import Budget, OverBudgetError, QueryError, Result
from tinkersql.equivalence.schema import SchemaError, read_schema
from tinkersql.equivalence.spelling import with_spelling_of
from tinkersql.equivalence.suites import Suite, build_suite
from tinkersql.equivalence.verdicts import Assumptions, Comparison, Verdict, Witness


@dataclass(frozen=True)
class Effort:
    """How many databases are drawn for a prediction that survives the suite, and how many of them must be telling."""

    databases: int
    telling: int


USUAL = Effort(24, 16)
NO_NEWS = Effort(10, 6)
"""For a prediction made of nothing but what its gold has, which the suite already probes."""
ANYTHING_GOES = Effort(100, 70)
"""For the open world, in which far more may be stored."""
MOST_DATABASES = 150
"""Drawn while too few of them are telling."""
_GOLDS_IN_MEMORY = 16
_DATABASES_IN_MEMORY = 160
"""Of all golds together: SQLite's heap is bounded for the whole process."""
_ANSWERS_IN_MEMORY = 64
"""For each gold in memory."""
_ASKS_FOR_NULL = re.compile(r"\bIS\b|NULL|COALESCE|NVL", re.IGNORECASE)

GetSuite = Callable[[Gold, Callable[[], Suite]], Suite]
"""Called with a gold and the way to build its suite; may know the suite already."""


class Judge:
    """Compares predictions with golds, and keeps the databases of the latest golds at hand.

    Args:
        get_suite: where suites may come from other than from being built.
    """

    def __init__(self, get_suite: GetSuite = lambda gold, build: build()):
        self._get_suite = get_suite
        self._golds: OrderedDict[tuple[str, str, Assumptions], PreparedGold | str] = OrderedDict()

    def judge(self, schema: str, golds: Sequence[str], predicted: str, assumptions: Assumptions) -> Comparison:
        """Compare one raw model answer with one or several acceptable golds; see ``tinkersql.equivalence.compare``."""
        try:
            return self._judge(schema, golds, predicted, assumptions)
        except MemoryError:  # SQLite's heap is one for the process: other golds may fill it
            self._forget(keep=0)
            return self._judge(schema, golds, predicted, assumptions)

    def _judge(self, schema: str, golds: Sequence[str], predicted: str, assumptions: Assumptions) -> Comparison:
        sql = extract_sql(predicted)
        if not golds:
            return Comparison(Verdict.GOLD_ERROR, "there is no gold query", sql, assumptions=assumptions)
        answers = []
        for text in golds:
            gold = self.prepared(schema, text, assumptions)
            if isinstance(gold, str):
                answer = Comparison(Verdict.GOLD_ERROR, gold, sql, assumptions=assumptions)
            else:
                answer = self._answer(gold, sql)
            if answer.verdict is Verdict.MATCH:
                return answer
            answers.append(answer)
        usable = [answer for answer in answers if answer.verdict is not Verdict.GOLD_ERROR]
        undecided = [answer for answer in usable if answer.verdict is Verdict.UNDECIDED]
        return (undecided or usable or answers)[0]

    @staticmethod
    def _answer(gold: PreparedGold, sql: str) -> Comparison:
        """The answer about one prediction; samples of one model repeat themselves, so the latest are remembered."""
        if sql not in gold.answers:
            while len(gold.answers) >= _ANSWERS_IN_MEMORY:
                gold.answers.popitem(last=False)
            gold.answers[sql] = _Pair(gold, sql).judge()
        return gold.answers[sql]

    def prepared(self, schema: str, gold: str, assumptions: Assumptions) -> PreparedGold | str:
        """The gold with its suite, or what is wrong with it."""
        key = (schema, gold, assumptions)
        if key not in self._golds:
            self._forget(keep=_GOLDS_IN_MEMORY - 1)
            self._golds[key] = self._prepare(schema, gold, assumptions)
        self._golds.move_to_end(key)
        return self._golds[key]

    def _forget(self, keep: int) -> None:
        """Let the golds go that were used longest ago, until few enough of them and of their databases are left."""
        while self._golds and (len(self._golds) > keep or self._open_databases() >= _DATABASES_IN_MEMORY):
            _, old = self._golds.popitem(last=False)
            if isinstance(old, PreparedGold):
                old.close()

    def _open_databases(self) -> int:
        return sum(gold.open_databases for gold in self._golds.values() if isinstance(gold, PreparedGold))

    def _prepare(self, schema: str, text: str, assumptions: Assumptions) -> PreparedGold | str:
        try:
            gold = Gold(read_schema(schema), first_statement(text), assumptions)
        except SchemaError as error:
            return str(error)
        except (QueryError, OverBudgetError) as error:
            return f"the gold does not run: {error}"
        except RecursionError:
            return "the gold is nested too deeply"
        return PreparedGold(gold, self._get_suite(gold, lambda: build_suite(gold)))


class _Pair:
    """One prepared gold against one prediction."""

    def __init__(self, prepared: PreparedGold, sql: str):
        self.prepared, self.gold, self.sql = prepared, prepared.gold, sql
        self.budget = Budget()
        self.notes: list[str] = []
        self.ran = self.telling = 0
        self.orders: ColumnOrders | None = None

    def answer(self, verdict: Verdict, reason: str, witness: Witness | None = None) -> Comparison:
        adequacy = self.prepared.suite.adequacy
        return Comparison(verdict, reason, self.sql, witness, self.gold.assumptions, self.notes, adequacy)

    def judge(self) -> Comparison:
        if not self.sql:
            return self.answer(Verdict.PREDICTION_ERROR, "the answer holds no SQL")
        if command := other_command(self.sql):
            return self.answer(Verdict.PREDICTION_ERROR, f"the prediction is no query (it starts with {command})")
        try:
            predicted = read_query(self.sql, self.gold.schema, self.prepared.scratch(False), self.gold.query)
        except QueryError as error:
            return self.answer(Verdict.PREDICTION_ERROR, f"the prediction does not run: {error}")
        except OverBudgetError as error:
            return self.answer(Verdict.PREDICTION_OVER_BUDGET, f"the prediction was stopped: {error}")
        self.notes += [f"prediction {note}" for note in predicted.notes]
        self.notes += [f"gold {note}" for note in self.gold.query.notes]
        nocase = False
        if self.gold.ignore_case:
            predicted, nocase = with_spelling_of(self.gold.query, predicted)
        steps = [lambda: self._on_suite(predicted, nocase), lambda: self._proved(predicted)]
        if self.gold.assumptions is Assumptions.OPEN_WORLD:
            steps.reverse()  # there a bare column is what SQLite picks, which may differ between texts of one query
        return steps[0]() or steps[1]() or self._on_own_databases(predicted, nocase)

    def _on_suite(self, predicted: Query, nocase: bool) -> Comparison | None:
        """Run the prediction on the gold's databases; an answer when that decides."""
        for database in self.prepared.databases(nocase):
            try:
                result = database.sandbox.run(predicted.sql, self.budget)
            except (QueryError, OverBudgetError) as error:
                return self._failed(error)
            found = Found(database.instance, database.expected.result, result)
            if answer := self._compare(found, database.expected, predicted, nocase):
                return answer
        return None

    def _proved(self, predicted: Query) -> Comparison | None:
        asks_for_null = any(_ASKS_FOR_NULL.search(query.sql) for query in (self.gold.query, predicted))
        form = self.prepared.form(asks_for_null)
        if form is not None and form == self.prepared.form_of(predicted, asks_for_null):
            return self.answer(Verdict.MATCH, "the same query but for names and the order of conditions")
        return None

    def _on_own_databases(self, predicted: Query, nocase: bool) -> Comparison:
        """Draw databases for the two queries together, in which the prediction's own values and conditions occur.

        What differs under assumptions that forbid more differs here too, so their databases are drawn as well.
        """
        scopes = [query.scope for query in (self.gold.query, predicted) if query.scope is not None]
        facts = collect(scopes)
        news = brings_news(predicted, facts, self.prepared.ingredients)
        ladder = list(Assumptions)
        for step in ladder[ladder.index(self.gold.assumptions) :]:
            source = Instances(
                self.gold.schema,
                scopes,
                2,
                facts,
                find_keys(self.gold.schema, step),
                step,
                ignore_case=step is Assumptions.NO_NULLS,
                seed=self.gold.seed(predicted.sql, step),
            )
            headline = self.gold.assumptions is Assumptions.HEADLINE
            effort = ANYTHING_GOES if step is Assumptions.OPEN_WORLD else USUAL if news or not headline else NO_NEWS
            if answer := self._on_drawn(source, predicted, nocase, effort):
                return answer
        return self._agreed()

    def _on_drawn(self, source: Instances, predicted: Query, nocase: bool, effort: Effort) -> Comparison | None:
        gold, sandbox = self.gold, self.prepared.scratch(nocase)
        nothing: list[tuple] | None = None
        telling = 0
        for count, instance in enumerate(source.draw(MOST_DATABASES)):
            if count >= effort.databases and telling >= effort.telling:
                break
            sandbox.load(instance)
            expected = gold.expected(sandbox)
            if expected is None:
                continue
            try:
                result = sandbox.run(predicted.sql, self.budget)
            except (QueryError, OverBudgetError) as error:
                return self._failed(error)
            found = Found(instance, expected.result, result)
            if not expected.open and nothing is None:
                nothing = expected.rows
            elif not expected.open and expected.rows and expected.rows != nothing:
                telling += 1
            if answer := self._compare(found, expected, predicted, nocase):
                return answer
        self.telling += telling
        return None

    def _compare(self, found: Found, expected: Expected, predicted: Query, nocase: bool) -> Comparison | None:
        """Take one more database into account; an answer when it tells the two apart."""
        width = len(found.gold.columns)
        if width != len(found.predicted.columns):
            return self._different(found, predicted, nocase)
        rows = normal_rows(found.predicted.rows, self.gold.ignore_case)
        if expected.open:
            return self._different(found, predicted, nocase) if expected.forbids(rows) else None
        self.ran += 1
        outcome = Outcome(expected.rows, rows, expected.blocks)
        if self.orders is None:
            self.orders = ColumnOrders(width)
        if self.orders.accept(outcome):
            return None
        if self.orders.separates_alone(outcome):
            return self._different(found, predicted, nocase)
        reason = "no one order of the columns agrees on all databases"
        return self._different(found, predicted, nocase, reason, shrink=False)

    def _agreed(self) -> Comparison:
        """The answer when nothing told the two apart."""
        adequacy = self.prepared.suite.adequacy
        telling = self.telling + adequacy.non_empty
        if telling == 0:
            reason = "no database made the gold return anything, so agreement means nothing"
            return self.answer(Verdict.UNDECIDED, reason)
        if not adequacy.kills_enough:
            total = adequacy.killed + len(adequacy.alive)
            reason = f"the databases tell the gold from {adequacy.killed} of {total} mutants: agreement means little"
            return self.answer(Verdict.UNDECIDED, reason)
        if self.orders is not None and not self.orders.as_written:
            self.notes.append("the columns agree in another order")
        return self.answer(Verdict.MATCH, f"the same results on {self.ran} databases, {telling} of them not empty")

    def _failed(self, error: Exception) -> Comparison:
        if isinstance(error, OverBudgetError):
            return self.answer(Verdict.PREDICTION_OVER_BUDGET, f"the prediction was stopped: {error}")
        return self.answer(Verdict.PREDICTION_ERROR, f"the prediction fails on some databases: {error}")

    def _different(
        self, found: Found, predicted: Query, nocase: bool, reason: str = "", shrink: bool = True
    ) -> Comparison:
        if shrink:
            found = with_fewer_rows(found, self.gold, predicted, self.prepared.scratch(nocase), self.budget)
        reason = reason or _why(found.gold, found.predicted, self.gold.variants.ordered)
        return self.answer(Verdict.DIFFERENT, reason, witness_of(found, self.gold, predicted, nocase))


def _why(gold: Result, predicted: Result, ordered: bool) -> str:
    """One line on how two results differ."""
    if len(gold.columns) != len(predicted.columns):
        return f"the gold returns {_count(gold.columns, 'column')}, the prediction {len(predicted.columns)}"
    if len(gold.rows) != len(predicted.rows):
        return f"the gold returns {_count(gold.rows, 'row')}, the prediction {len(predicted.rows)}"
    if ordered and sorted(map(repr, gold.rows)) == sorted(map(repr, predicted.rows)):
        return "the rows come in another order than the gold asks for"
    return f"the gold and the prediction return {_count(gold.rows, 'row')} each, with other values"


def _count(items: Iterable, what: str) -> str:
    number = len(list(items))
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
