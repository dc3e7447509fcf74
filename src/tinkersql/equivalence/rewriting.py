"""What other dialects say differently, said in SQLite's terms: functions, quantified comparisons, patterns, ties.

Only the spelling is translated. What a query means stays SQLite's affair: integer division truncates, CONCAT of a
NULL is NULL. A term that has no counterpart raises ValueError.
"""

import re
from collections.abc import Callable

from sqlglot import exp

from tinkersql.equivalence import dates
from tinkersql.equivalence.dates import call, joined, literal

_REGEX = re.compile(r"(\^?)((?:[^\\^$.|?*+()\[\]{}]|\.\*?|\[\^?[\w -]+\])*)(\$?)")
"""The regular expressions that LIKE and GLOB can say."""


def rewritten(tree: exp.Query, plus_joins_text: bool = False, with_ties: bool = False) -> exp.Query:
    """The query in SQLite's terms; the tree is changed.

    Args:
        tree: a query as parsed in its own dialect.
        plus_joins_text: whether ``+`` joins strings, as in T-SQL.
        with_ties: whether the LIMIT of the query keeps the rows that tie with its last.

    Raises:
        ValueError: it holds a term that SQLite lacks.
    """
    for node in list(tree.find_all(exp.Table, exp.Select, exp.Subquery)):
        for name in ("hint", "hints", "locks", "db", "catalog"):
            if node.args.get(name):
                node.set(name, None)
    for column in list(tree.find_all(exp.Column)):
        column.set("db", None)
        column.set("catalog", None)
    for node in reversed(list(tree.walk())):
        if plus_joins_text and isinstance(node, exp.Add) and (_is_text(node.this) or _is_text(node.expression)):
            node.replace(joined([node.this, node.expression]))
            continue
        rewrite = _REWRITES.get(type(node))
        new = rewrite(node) if rewrite else node
        if new is not node:
            node.replace(new)
    fetch = tree.args.get("limit")
    options = fetch.args.get("limit_options") if isinstance(fetch, exp.Fetch) else None
    if with_ties or (options is not None and options.args.get("with_ties")):
        tree = _keep_ties(tree)
    while isinstance(tree, exp.Subquery) and not tree.alias:
        inner = tree.this
        if any(tree.args.get(name) for name in ("order", "limit", "offset")):
            break
        tree = inner
    return tree


def _is_text(node: exp.Expr) -> bool:
    node = node.unnest()
    return (isinstance(node, exp.Literal) and node.is_string) or isinstance(node, exp.DPipe | exp.National)


def _joined_with(node: exp.Expr) -> exp.Expr:
    separator, *parts = node.expressions
    pieces = [parts[0]]
    for part in parts[1:]:
        pieces += [separator.copy(), part]
    return joined(pieces)


def _extreme(node: exp.Expr) -> exp.Expr:
    """GREATEST and LEAST; NULL where an argument is."""
    name = "MAX" if isinstance(node, exp.Greatest) else "MIN"
    return call(name, node.this, *node.expressions) if node.expressions else node.this


def _plain(node: exp.Expr) -> exp.Expr:
    """A text without the conversion to text that sqlglot puts around it."""
    return node.this if isinstance(node, exp.Cast) and node.is_type("text", "varchar") else node


def _length(node: exp.Expr) -> exp.Expr:
    node.set("this", _plain(node.this))
    return node


def _before_separator(node: exp.Expr) -> exp.Expr:
    """The first part of a split text."""
    text, separator, which = node.this, node.args["delimiter"], node.args.get("part_index") or node.args.get("count")
    if which is None or which.name != "1":
        raise ValueError("only the first part can be taken")
    end = exp.Sub(this=call("INSTR", joined([text.copy(), separator.copy()]), separator.copy()), expression=literal(1))
    return call("SUBSTR", text, 1, end)


def _prefixed(node: exp.Expr) -> exp.Expr:
    return exp.EQ(this=call("SUBSTR", node.this, 1, call("LENGTH", node.expression)), expression=node.expression.copy())


def _suffixed(node: exp.Expr) -> exp.Expr:
    tail = call("SUBSTR", node.this, exp.Neg(this=call("LENGTH", node.expression)))
    return exp.EQ(this=tail, expression=node.expression.copy())


def _matched(node: exp.Expr) -> exp.Expr:
    """A regular expression of letters, ``.``, ``.*``, classes, anchors and alternatives as LIKE or GLOB."""
    if not isinstance(node.expression, exp.Literal | exp.RawString):
        raise ValueError("a regular expression that is no literal")
    text: exp.Expr | None = None
    for pattern in node.expression.name.split("|"):
        found = _REGEX.fullmatch(pattern)
        if found is None:
            raise ValueError(pattern)
        start, middle, end = found.groups()
        one: exp.Expr
        if "[" in middle or "_" in middle or "%" in middle:
            glob = ("" if start else "*") + re.sub(r"\.(\*?)", lambda dot: dot[1] or "?", middle) + ("" if end else "*")
            one = exp.Glob(this=call("LOWER", node.this.copy()), expression=literal(glob.lower()))
        else:
            like = re.sub(r"\.(\*?)", lambda dot: "%" if dot[1] else "_", middle)
            one = exp.Like(
                this=node.this.copy(), expression=literal(("" if start else "%") + like + ("" if end else "%"))
            )
        text = one if text is None else exp.Or(this=text, expression=one)
    return exp.Paren(this=text)


def _quantified(node: exp.Expr) -> exp.Expr:
    """``x = ANY (...)`` is IN, ``x <> ALL (...)`` is NOT IN; other comparisons ask whether a row decides against."""
    quantifier = node.expression
    if not isinstance(quantifier, exp.Any | exp.All):
        return node
    query = quantifier.this.unnest()
    if not isinstance(query, exp.Query):
        raise ValueError("a quantifier over something else than a query")
    if isinstance(node, exp.EQ) and isinstance(quantifier, exp.Any):
        return exp.In(this=node.this, query=exp.Subquery(this=query))
    if isinstance(node, exp.NEQ) and isinstance(quantifier, exp.All):
        return exp.Not(this=exp.In(this=node.this, query=exp.Subquery(this=query)))
    first = query
    while isinstance(first, exp.SetOperation):
        first = first.left.unnest()
    if not isinstance(first, exp.Select) or len(first.expressions) != 1 or first.is_star:
        raise ValueError("a quantifier over other than one column")
    item = first.expressions[0]
    first.set("expressions", [exp.alias_(item.unalias(), "__each")])
    comparison = type(node)(this=node.this, expression=exp.column("__each"))
    values = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("__all")))
    # NULL when no row decides and some are unknown, as the standard has it; said without a test for NULL
    holds, fails = (
        call("TOTAL", exp.Paren(this=comparison)),
        call("TOTAL", exp.Not(this=exp.Paren(this=comparison.copy()))),
    )
    rows = exp.Count(this=exp.Star())
    if isinstance(quantifier, exp.All):
        cases = ((exp.EQ(this=holds, expression=rows), 1), (exp.GT(this=fails, expression=literal(0)), 0))
    else:
        cases = ((exp.GT(this=holds, expression=literal(0)), 1), (exp.EQ(this=fails, expression=rows), 0))
    answer = exp.Case(ifs=[exp.If(this=condition, true=literal(value)) for condition, value in cases])
    return exp.Subquery(this=exp.select(answer).from_(values))


def _keep_ties(tree: exp.Query) -> exp.Query:
    """``LIMIT n WITH TIES``: the rows whose RANK by the order is at most n."""
    order, limit = tree.args.get("order"), tree.args.get("limit")
    size = limit.args.get("count") or limit.args.get("expression") if limit is not None else None
    plain = isinstance(tree, exp.Select) and not tree.is_star and tree.args.get("distinct") is None
    if not plain or order is None or not isinstance(size, exp.Literal) or tree.args.get("offset"):
        raise ValueError("ties that cannot be kept")
    named = {item.alias.lower(): item.this for item in tree.expressions if isinstance(item, exp.Alias)}
    keys = order.copy()
    for column in list(keys.find_all(exp.Column)):
        if not column.table and column.name.lower() in named:
            column.replace(named[column.name.lower()].copy())
    outputs = [item.alias_or_name or f"column{index}" for index, item in enumerate(tree.expressions)]
    inner = [exp.alias_(item.unalias(), f"__c{n}") for n, item in enumerate(tree.expressions)]
    rank = exp.alias_(exp.Window(this=call("RANK"), order=keys), "__rank")
    tree.set("expressions", [*inner, rank])
    tree.set("order", None)
    tree.set("limit", None)
    outer = exp.select(*(exp.alias_(exp.column(f"__c{n}"), name, quoted=True) for n, name in enumerate(outputs)))
    outer = outer.from_(exp.Subquery(this=tree, alias=exp.TableAlias(this=exp.to_identifier("__ranked"))))
    return outer.where(exp.LTE(this=exp.column("__rank"), expression=size)).order_by(exp.column("__rank"))


def _operand(node: exp.Expr) -> exp.Expr:
    """A parenthesised side of UNION, INTERSECT or EXCEPT, which SQLite writes without parentheses."""
    for side in ("this", "expression"):
        inner = node.args.get(side)
        if isinstance(inner, exp.Subquery) and not inner.alias:
            query = inner.this
            ordered = any(
                part.args.get(name) for part in (inner, query) for name in ("order", "limit", "offset", "with_")
            )
            if ordered or isinstance(query, exp.SetOperation):
                query = exp.select("*").from_(inner.copy())
            node.set(side, query)
    return node


def _function(node: exp.Expr) -> exp.Expr:
    """Functions that sqlglot passes on as they are."""
    name, arguments = node.name.upper(), node.expressions
    if len(arguments) == 1 and dates.is_part(name):
        return dates.part_of(name, arguments[0])
    if name in ("SYSDATE", "SYSTIMESTAMP") and not arguments:
        return dates.now(node)
    if name == "NVL" and len(arguments) == 2:
        return call("COALESCE", *arguments)
    return node


_TABLE: tuple[tuple[tuple[type[exp.Expr], ...], Callable[[exp.Expr], exp.Expr]], ...] = (
    ((exp.Year, exp.Month, exp.Day, exp.DayOfMonth, exp.DayOfYear), dates.named_part),
    ((exp.Hour, exp.Minute, exp.Second, exp.Quarter), dates.named_part),
    (
        (exp.DayOfWeek,),
        lambda node: exp.Paren(this=exp.Add(this=dates.part_of("DOW", node.this), expression=literal(1))),
    ),
    ((exp.Extract,), dates.extracted),
    ((exp.TimeToStr,), dates.formatted),
    ((exp.DateTrunc, exp.TimestampTrunc, exp.DatetimeTrunc), dates.truncated),
    ((exp.CurrentDate,), dates.today),
    ((exp.CurrentTimestamp, exp.CurrentDatetime, exp.UtcTimestamp, exp.CurrentTime), dates.now),
    ((exp.DateAdd, exp.DateSub, exp.DatetimeAdd, exp.DatetimeSub), dates.added),
    ((exp.TimestampAdd, exp.TimestampSub, exp.TsOrDsAdd), dates.added),
    ((exp.DateDiff, exp.TimestampDiff, exp.TsOrDsDiff, exp.DatetimeDiff), dates.difference),
    ((exp.Add, exp.Sub), dates.summed),
    ((exp.StrToDate, exp.StrToTime), dates.parsed),
    ((exp.Concat,), lambda node: joined(node.expressions)),
    ((exp.ConcatWs,), _joined_with),
    ((exp.Greatest, exp.Least), _extreme),
    ((exp.CountIf,), lambda node: exp.Count(this=exp.Case(ifs=[exp.If(this=node.this, true=literal(1))]))),
    ((exp.Left,), lambda node: call("SUBSTR", _plain(node.this), 1, node.expression)),
    ((exp.Right,), lambda node: call("SUBSTR", _plain(node.this), exp.Neg(this=node.expression))),
    ((exp.Length,), _length),
    ((exp.SplitPart, exp.SubstringIndex), _before_separator),
    ((exp.StartsWith,), _prefixed),
    ((exp.EndsWith,), _suffixed),
    ((exp.Contains,), lambda node: exp.GT(this=call("INSTR", node.this, node.expression), expression=literal(0))),
    ((exp.RegexpLike, exp.RegexpILike), _matched),
    ((exp.National, exp.ByteString, exp.RawString), lambda node: literal(node.name)),
    ((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), _quantified),
    ((exp.Union, exp.Intersect, exp.Except), _operand),
    ((exp.Anonymous,), _function),
)
_REWRITES: dict[type, Callable[[exp.Expr], exp.Expr]] = {kind: rewrite for kinds, rewrite in _TABLE for kind in kinds}
