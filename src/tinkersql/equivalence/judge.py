"""The judge: read both queries, run them on databases that separate, compare, and say what was found.

Everything here runs in the calling process. The public functions in ``client`` put it into a worker process.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinkersql.equivalence.canonical import canonical
from tinkersql.equivalence.extraction import extract_sql, first_statement, other_command
from tinkersql.equivalence.facts import collect
from tinkersql.equivalence.instances import Instances
from tinkersql.equivalence.integrity import Instance, obeys
from tinkersql.equivalence.keys import Keys, find_keys
from tinkersql.equivalence.reading import Query, read_query
from tinkersql.equivalence.results import ColumnOrders, Outcome, block_lengths, normal_rows
from tinkersql.equivalence.sandbox import OverBudgetError, QueryError, Result, Sandbox, jsonable, script
from tinkersql.equivalence.schema import Schema, SchemaError, read_schema
from tinkersql.equivalence.spelling import with_spelling_of
from tinkersql.equivalence.variants import Variants, variants
from tinkersql.equivalence.verdicts import Assumptions, Comparison, Table, Verdict, Witness

VERSION = 1
"""Enters the seed: raise it when databases are drawn differently."""
DATABASES = 40
"""Databases drawn for every pair, besides the empty one."""
MORE_DATABASES = 120
"""Drawn instead when too few of the first said anything about the gold."""
ENOUGH = 30
"""As many databases must make the gold return something, or more are drawn."""
_SHRINK_RUNS = 60


def judge(schema: str, golds: Sequence[str], predicted: str, assumptions: Assumptions) -> Comparison:
    """Compare one raw model answer with one or several acceptable golds; see ``tinkersql.equivalence.compare``."""
    sql = extract_sql(predicted)
    try:
        tables = read_schema(schema)
    except SchemaError as error:
        return Comparison(Verdict.GOLD_ERROR, str(error), sql, assumptions=assumptions)
    if not golds:
        return Comparison(Verdict.GOLD_ERROR, "there is no gold query", sql, assumptions=assumptions)
    answers = []
    for gold in golds:
        answer = _Pair(tables, first_statement(gold), sql, assumptions).judge()
        if answer.verdict is Verdict.MATCH:
            return answer
        answers.append(answer)
    usable = [answer for answer in answers if answer.verdict is not Verdict.GOLD_ERROR]
    decided = [answer for answer in usable if answer.verdict is not Verdict.UNDECIDED]
    return (decided or usable or answers)[0]


@dataclass
class _Found:
    """A database on which the two differ."""

    instance: Instance
    gold: Result
    predicted: Result


class _Pair:
    """One gold against one prediction."""

    def __init__(self, schema: Schema, gold: str, predicted: str, assumptions: Assumptions):
        self.schema, self.gold_text, self.sql, self.assumptions = schema, gold, predicted, assumptions
        self.ignore_case = assumptions is Assumptions.NO_NULLS
        self.notes: list[str] = []
        self.ran = self.telling = 0

    def answer(self, verdict: Verdict, reason: str, witness: Witness | None = None) -> Comparison:
        adequacy = {"databases": self.ran, "non_empty": self.telling} if self.ran else None
        return Comparison(verdict, reason, self.sql, witness, self.assumptions, self.notes, adequacy)

    def judge(self) -> Comparison:
        sandbox = Sandbox(self.schema)
        try:
            try:
                gold = read_query(self.gold_text, self.schema, sandbox)
            except (QueryError, OverBudgetError) as error:
                return self.answer(Verdict.GOLD_ERROR, f"the gold does not run: {error}")
            if not self.sql:
                return self.answer(Verdict.PREDICTION_ERROR, "the answer holds no SQL")
            if command := other_command(self.sql):
                return self.answer(Verdict.PREDICTION_ERROR, f"the prediction is no query (it starts with {command})")
            try:
                predicted = read_query(self.sql, self.schema, sandbox, gold)
            except QueryError as error:
                return self.answer(Verdict.PREDICTION_ERROR, f"the prediction does not run: {error}")
            except OverBudgetError as error:
                return self.answer(Verdict.PREDICTION_OVER_BUDGET, f"the prediction was stopped: {error}")
        finally:
            sandbox.close()
        self.notes += [f"prediction {note}" for note in predicted.notes] + [f"gold {note}" for note in gold.notes]
        nocase = False
        if self.ignore_case:
            predicted, nocase = with_spelling_of(gold, predicted)
        return self._compare(gold, predicted, nocase)

    def _compare(self, gold: Query, predicted: Query, nocase: bool) -> Comparison:
        form = canonical(gold)
        if form is not None and form == canonical(predicted):
            return self.answer(Verdict.MATCH, "the same query but for names and the order of conditions")
        scopes = [query.scope for query in (gold, predicted) if query.scope is not None]
        facts = collect(scopes)
        keys = find_keys(self.schema, self.assumptions)
        seed = _seed(self.schema, gold.sql, predicted.sql, self.assumptions)
        source = Instances(
            self.schema, scopes, 2, facts, keys, self.assumptions, ignore_case=self.ignore_case, seed=seed
        )
        sandbox = Sandbox(self.schema, nocase)
        try:
            return _Trial(self, sandbox, gold, predicted, keys, nocase).run(source)
        finally:
            sandbox.close()


class _Trial:
    """The databases of one pair, one after the other."""

    def __init__(self, pair: _Pair, sandbox: Sandbox, gold: Query, predicted: Query, keys: Keys, nocase: bool):
        self.pair, self.sandbox, self.gold, self.predicted = pair, sandbox, gold, predicted
        self.keys, self.nocase = keys, nocase
        self.variants = self._usable(variants(gold))
        self.orders: ColumnOrders | None = None

    def _usable(self, found: Variants) -> Variants:
        """Drop the variants that SQLite refuses."""
        try:
            for text in (found.lowest, found.highest):
                if text is not None:
                    self.sandbox.run(text)
        except (QueryError, OverBudgetError):
            found = replace(found, lowest=None, highest=None)
        try:
            if found.keyed is not None:
                self.sandbox.run(found.keyed)
        except (QueryError, OverBudgetError):
            found = replace(found, keyed=None, key_places=(), uncut=None, cuts=())
        return found

    def run(self, source: Instances) -> Comparison:
        pair = self.pair
        nothing: list[tuple] | None = None
        fallback: _Found | None = None
        count = 0
        for instance in source.draw(MORE_DATABASES):
            if count > DATABASES and pair.telling >= ENOUGH:
                break
            count += 1
            self.sandbox.load(instance)
            try:
                gold, blocks = self._run_gold()
            except (QueryError, OverBudgetError):
                continue
            try:
                predicted = self.sandbox.run(self.predicted.sql)
            except QueryError as error:
                return pair.answer(Verdict.PREDICTION_ERROR, f"the prediction fails on some databases: {error}")
            except OverBudgetError as error:
                return pair.answer(Verdict.PREDICTION_OVER_BUDGET, f"the prediction was stopped: {error}")
            if len(gold.columns) != len(predicted.columns):
                return self._different(_Found(instance, gold, predicted), _columns_reason(gold, predicted))
            if self.orders is None:
                self.orders = ColumnOrders(len(gold.columns))
            if self._is_open():
                if self._row_counts_differ(gold, predicted):
                    return self._different(_Found(instance, gold, predicted), shrink=False)
                continue
            pair.ran += 1
            outcome = self._outcome(gold, predicted, blocks)
            if nothing is None:
                nothing = outcome.gold
            elif outcome.gold and outcome.gold != nothing:
                pair.telling += 1
            if self.orders.separates_alone(outcome):
                return self._different(_Found(instance, gold, predicted))
            if not self.orders.accept(outcome):
                fallback = _Found(instance, gold, predicted)
                return self._different(fallback, "no one order of the columns agrees on all databases", shrink=False)
        if pair.telling == 0:
            return pair.answer(
                Verdict.UNDECIDED, "no database made the gold return anything, so agreement means nothing"
            )
        if self.orders is not None and not self.orders.as_written:
            pair.notes.append("the columns agree in another order")
        return pair.answer(Verdict.MATCH, f"the same results on {pair.ran} databases, {pair.telling} of them not empty")

    def _run_gold(self) -> tuple[Result, list[int] | None]:
        """The gold's result, and where its order keys change if it orders."""
        if self.variants.keyed is None:
            gold = self.sandbox.run(self.gold.sql)
            return gold, [1] * len(gold.rows) if self.variants.ordered else None
        keyed = self.sandbox.run(self.variants.keyed)
        width = len(keyed.columns) - sum(name.startswith("__order_key_") for name in keyed.columns)
        blocks = block_lengths(keyed, self.variants.key_places, self.pair.ignore_case)
        return Result(keyed.columns[:width], [row[:width] for row in keyed.rows]), blocks

    def _is_open(self) -> bool:
        """Whether the gold leaves its result open on the database at hand: a tie at a cut, an arbitrary row."""
        found = self.variants
        try:
            if found.uncut is not None:
                rows = self.sandbox.run(found.uncut).rows
                keys = [normal_rows([tuple(row[place] for place in found.key_places)], True) for row in rows]
                if any(0 < cut < len(keys) and keys[cut - 1] == keys[cut] for cut in found.cuts):
                    return True
            if found.lowest is None or found.highest is None:
                return False
            low, high = self.sandbox.run(found.lowest), self.sandbox.run(found.highest)
        except (QueryError, OverBudgetError):
            return True
        return Counter(low.rows) != Counter(high.rows)

    def _row_counts_differ(self, gold: Result, predicted: Result) -> bool:
        """Whether the gold, open only in which row of a group it shows, returns another number of rows anyhow."""
        found = self.variants
        if not found.only_bare or found.lowest is None or found.highest is None:
            return False
        low, high = self.sandbox.run(found.lowest), self.sandbox.run(found.highest)
        return len(low.rows) == len(high.rows) == len(gold.rows) != len(predicted.rows)

    def _outcome(self, gold: Result, predicted: Result, blocks: list[int] | None) -> Outcome:
        fold = self.pair.ignore_case
        return Outcome(normal_rows(gold.rows, fold), normal_rows(predicted.rows, fold), blocks)

    def _different(self, found: _Found, reason: str = "", shrink: bool = True) -> Comparison:
        if shrink:
            found = self._shrunk(found)
        if len(found.gold.columns) == len(found.predicted.columns) and not reason:
            reason = _rows_reason(found, self.variants.ordered)
        witness = Witness(
            script(self.pair.schema, found.instance, self.nocase),
            self.gold.sql,
            self.predicted.sql,
            Table(found.gold.columns, jsonable(found.gold.rows)),
            Table(found.predicted.columns, jsonable(found.predicted.rows)),
        )
        return self.pair.answer(Verdict.DIFFERENT, reason, witness)

    def _shrunk(self, found: _Found) -> _Found:
        """Take rows away while the two still differ and the assumptions still hold."""
        budget = _SHRINK_RUNS
        step = max([len(rows) for rows in found.instance.values()], default=0) // 2 or 1
        while step and budget > 0:
            removed = False
            for name in list(found.instance):
                start = 0
                while start < len(found.instance[name]) and budget > 0:
                    rows = found.instance[name]
                    smaller = {**found.instance, name: rows[:start] + rows[start + step :]}
                    budget -= 1
                    tried = self._differs_on(smaller)
                    if tried is None:
                        start += step
                    else:
                        found, removed = tried, True
            step = step if removed and step == 1 else step // 2
        return found

    def _differs_on(self, instance: Instance) -> _Found | None:
        if not obeys(instance, self.pair.schema, self.keys):
            return None
        self.sandbox.load(instance)
        try:
            gold, blocks = self._run_gold()
            predicted = self.sandbox.run(self.predicted.sql)
        except (QueryError, OverBudgetError):
            return None
        if len(gold.columns) != len(predicted.columns):
            return _Found(instance, gold, predicted)
        if self._is_open():
            return None
        differs = ColumnOrders(len(gold.columns)).separates_alone(self._outcome(gold, predicted, blocks))
        return _Found(instance, gold, predicted) if differs else None


def _seed(schema: Schema, gold: str, predicted: str, assumptions: Assumptions) -> int:
    text = "\0".join([str(VERSION), *schema.ddl(), gold, predicted, assumptions])
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def _columns_reason(gold: Result, predicted: Result) -> str:
    return f"the gold returns {_count(len(gold.columns), 'column')}, the prediction {len(predicted.columns)}"


def _rows_reason(found: _Found, ordered: bool) -> str:
    gold, predicted = len(found.gold.rows), len(found.predicted.rows)
    if gold != predicted:
        return f"the gold returns {_count(gold, 'row')}, the prediction {predicted}"
    if ordered and sorted(map(repr, found.gold.rows)) == sorted(map(repr, found.predicted.rows)):
        return "the rows come in another order than the gold asks for"
    return f"the gold and the prediction return {_count(gold, 'row')} each, with other values"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
