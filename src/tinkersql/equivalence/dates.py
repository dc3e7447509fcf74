"""Dates and times of other dialects in terms of SQLite's date functions, and the one fixed time that ``now`` means."""

import re

from sqlglot import exp

CLOCK = "2024-06-15 12:30:00"
"""What ``now`` means, so that a verdict never depends on the day."""
_PARTS = {
    **{"YEAR": "%Y", "YYYY": "%Y", "YY": "%Y", "MONTH": "%m", "MM": "%m", "M": "%m", "DAY": "%d", "DD": "%d"},
    **{"D": "%d", "DAYOFMONTH": "%d", "HOUR": "%H", "HH": "%H", "MINUTE": "%M", "MI": "%M", "SECOND": "%S"},
    **{"SS": "%S", "DOY": "%j", "DAYOFYEAR": "%j", "DOW": "%w"},
}
_FULL_NAMES = {"YYYY": "YEAR", "YY": "YEAR", "MM": "MONTH", "DD": "DAY"}
_STARTS = {"YEAR": "%Y-01-01", "MONTH": "%Y-%m-01", "DAY": "%Y-%m-%d"}
_UNITS = {
    **{"YEAR": (1, "year"), "QUARTER": (3, "month"), "MONTH": (1, "month"), "WEEK": (7, "day"), "DAY": (1, "day")},
    **{"HOUR": (1, "hour"), "MINUTE": (1, "minute"), "SECOND": (1, "second")},
}
_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905
_DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split()  # noqa: SIM905
_WORDS = {
    "%B": ("%m", {f"{number:02}": name for number, name in enumerate(_MONTHS, 1)}),
    "%A": ("%w", {str(number): name for number, name in enumerate(_DAYS)}),
}
_PLACEHOLDERS = set("dfHjJmMsSwWY%")
"""What SQLite's strftime knows, in every version."""
_CONVERSIONS = (exp.TsOrDsToDate, exp.TsOrDsToTimestamp, exp.TsOrDsToDatetime, exp.Date, exp.Timestamp)


def call(name: str, *arguments: exp.Expr | str | int) -> exp.Anonymous:
    """A call of one of SQLite's functions; strings and whole numbers become literals."""
    return exp.Anonymous(this=name, expressions=[literal(argument) for argument in arguments])


def literal(value: exp.Expr | str | int) -> exp.Expr:
    """A literal of that value; an expression stays as it is."""
    if isinstance(value, exp.Expr):
        return value
    return exp.Literal.string(value) if isinstance(value, str) else exp.Literal.number(value)


def joined(parts: list[exp.Expr]) -> exp.Expr:
    """Texts put together with ``||``."""
    whole = parts[0]
    for part in parts[1:]:
        whole = exp.DPipe(this=whole, expression=part)
    return exp.Paren(this=whole)


def part_of(part: str, value: exp.Expr) -> exp.Expr:
    """The year, month and so on of a date, as a number. Raises ValueError for a part that SQLite does not have."""
    if part == "QUARTER":
        month = exp.Paren(this=exp.Add(this=part_of("MONTH", value), expression=literal(2)))
        return exp.Paren(this=exp.Div(this=month, expression=literal(3), typed=True))
    if part not in _PARTS:
        raise ValueError(part)
    return _integer(call("STRFTIME", _PARTS[part], _unconverted(value)))


def is_part(name: str) -> bool:
    """Whether a function of that name takes a part of a date."""
    return name in _PARTS


def named_part(node: exp.Expr) -> exp.Expr:
    """``YEAR(value)`` and its like."""
    return part_of(type(node).__name__.upper(), node.this)


def extracted(node: exp.Expr) -> exp.Expr:
    """``EXTRACT(part FROM value)``; the year of an AGE counts full years."""
    value, part = node.expression, node.this.name.upper()
    if part == "YEAR" and isinstance(value, exp.Anonymous) and value.name.upper() == "AGE":
        ends = (
            [*value.expressions, literal(CLOCK[:10])]
            if len(value.expressions) == 2
            else [literal(CLOCK[:10]), *value.expressions]
        )
        return _full_years(ends[0], ends[1])
    return part_of(part, value)


def formatted(node: exp.Expr) -> exp.Expr:
    """A date as text, by a format that SQLite knows too, or as the name of its month or day."""
    pattern = node.args.get("format")
    text, value = pattern.name if pattern is not None else "", _unconverted(node.this)
    if text in _WORDS:
        code, words = _WORDS[text]
        cases = [exp.If(this=literal(number), true=literal(word)) for number, word in words.items()]
        return exp.Case(this=call("STRFTIME", code, value), ifs=cases)
    if not text or set(re.findall(r"%(.)", text)) - _PLACEHOLDERS:
        raise ValueError(text)
    return call("STRFTIME", text, value)


def truncated(node: exp.Expr) -> exp.Expr:
    """``DATE_TRUNC(part, value)``: the first day of the year or month."""
    return call("STRFTIME", _STARTS[_unit(node.args.get("unit"))], _unconverted(node.this))


def parsed(node: exp.Expr) -> exp.Expr:
    """``TO_DATE(text, format)`` for dates written as in ISO 8601."""
    if node.args["format"].name not in ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S"):
        raise ValueError("only dates written as in ISO 8601 can be read")
    return call("DATE", node.this)


def today(_: exp.Expr) -> exp.Expr:
    """The fixed day."""
    return literal(CLOCK[:10])


def now(node: exp.Expr) -> exp.Expr:
    """The fixed time, or its time of day."""
    return literal(CLOCK[11:] if isinstance(node, exp.CurrentTime) else CLOCK)


def added(node: exp.Expr) -> exp.Expr:
    """``DATE_ADD`` and ``DATE_SUB``."""
    sign = -1 if type(node).__name__.endswith("Sub") else 1
    return _moved(node.this, node.expression, node.args.get("unit"), sign)


def summed(node: exp.Expr) -> exp.Expr:
    """A date plus or minus an interval, or one date minus another; other sums stay as they are."""
    sign = -1 if isinstance(node, exp.Sub) else 1
    if isinstance(node.expression, exp.Interval):
        return _moved(node.this, node.expression, None, sign)
    if sign < 0 and all(isinstance(side, exp.Cast) and side.is_type("date") for side in (node.this, node.expression)):
        return _days_between(node.this, node.expression)
    return node


def difference(node: exp.Expr) -> exp.Expr:
    """Boundaries crossed between two dates (DATEDIFF), or full years (TIMESTAMPDIFF)."""
    unit, late, early = _unit(node.args.get("unit")), node.this, node.expression
    if unit == "DAY":
        return _days_between(late, early)
    if unit == "YEAR" and isinstance(node, exp.TimestampDiff):
        return _full_years(late, early)
    if unit not in ("YEAR", "MONTH") or isinstance(node, exp.TimestampDiff):
        raise ValueError(unit)
    years = exp.Paren(this=exp.Sub(this=part_of("YEAR", late.copy()), expression=part_of("YEAR", early.copy())))
    if unit == "YEAR":
        return years
    months = exp.Sub(this=part_of("MONTH", late), expression=part_of("MONTH", early))
    return exp.Paren(this=exp.Add(this=exp.Mul(this=years, expression=literal(12)), expression=months))


def _moved(value: exp.Expr, amount: exp.Expr, unit: exp.Expr | None, sign: int) -> exp.Expr:
    """``DATE(value, '+n units')``; a value with a time of day keeps it."""
    if isinstance(amount, exp.Interval):
        amount, unit = amount.this, amount.args.get("unit") or unit
    amount = amount.unnest()
    while isinstance(amount, exp.Neg):
        amount, sign = amount.this, -sign
    factor, name = _UNITS[_unit(unit)]
    with_time = name in ("hour", "minute", "second") or (isinstance(value, exp.Literal) and len(value.name) > 10)
    if isinstance(amount, exp.Literal):
        modifier = literal(f"{int(amount.name) * factor * sign:+d} {name}")
    else:
        number = exp.Mul(this=exp.Paren(this=amount), expression=literal(factor * sign))
        modifier = joined([exp.Paren(this=number), literal(f" {name}")])
    return call("DATETIME" if with_time else "DATE", _unconverted(value), modifier)


def _days_between(late: exp.Expr, early: exp.Expr) -> exp.Expr:
    late, early = (call("JULIANDAY", call("DATE", _unconverted(side))) for side in (late, early))
    return _integer(exp.Sub(this=late, expression=early))


def _full_years(late: exp.Expr, early: exp.Expr) -> exp.Expr:
    late, early = _unconverted(late), _unconverted(early)
    days = (call("STRFTIME", "%m-%d", side.copy()) for side in (late, early))
    before = exp.Paren(this=exp.LT(this=next(days), expression=next(days)))
    years = exp.Sub(this=part_of("YEAR", late), expression=part_of("YEAR", early))
    return exp.Paren(this=exp.Sub(this=years, expression=before))


def _unit(node: exp.Expr | None) -> str:
    name = node.name.upper() if node is not None else "DAY"
    return _FULL_NAMES.get(name, name.removesuffix("S"))


def _unconverted(value: exp.Expr) -> exp.Expr:
    """The value under conversions to a date, which SQLite's date functions do not need."""
    while isinstance(value, _CONVERSIONS) or (isinstance(value, exp.Cast) and value.is_type("date", "timestamp")):
        value = value.this
    return value


def _integer(node: exp.Expr) -> exp.Cast:
    return exp.Cast(this=node, to=exp.DataType.build("INTEGER", dialect="sqlite"))
