"""Conditions on a function of a column: what the function makes of a value, and which values give a wanted result.

``LENGTH(name) > 5``, ``strftime('%Y', born) = '2001'`` or ``price * 2 > 100`` say nothing about the stored value
itself. Here such an expression is read as a chain of steps from the column outwards, each of which can be undone, if
not uniquely.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlglot import exp

Value = int | float | str | None
_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?")
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div)
_FILLER = "kanterolisumvegadibotrefunyapolize"
_LARGEST = 1e15
LONGEST = 200
"""Characters in a value that is made to have a length."""


@dataclass(frozen=True)
class Step:
    """One function: ``apply`` is the function, ``solve`` gives values that it maps to the wanted result or near it."""

    apply: Callable[[Value], Value]
    solve: Callable[[Value], list[Value]]


@dataclass(frozen=True)
class Chain:
    """A function of one column.

    Attributes:
        column: the column.
        steps: from the column outwards; at least one.
    """

    column: exp.Column
    steps: tuple[Step, ...]

    def apply(self, value: Value) -> Value:
        """What the expression makes of a stored value, near enough to SQLite to choose values by."""
        for step in self.steps:
            if value is None:
                return None
            value = step.apply(value)
        return value

    def solve(self, wanted: Value) -> list[Value]:
        """Stored values for which the expression gives the wanted result, the next smaller or the next larger."""
        found = [wanted]
        for step in reversed(self.steps):
            found = [value for item in found if item is not None for value in step.solve(item)]
        return list(dict.fromkeys(found))[:24]


def chain(node: exp.Expr) -> Chain | None:
    """The expression as a function of one column; None for a bare column and for anything that is not understood."""
    steps: list[Step] = []
    while not isinstance(node, exp.Column):
        if isinstance(node, exp.Paren | exp.TsOrDsToTimestamp | exp.Coalesce):
            node = node.this
            continue
        found = _step(node)
        if found is None:
            return None
        step, node = found
        steps.insert(0, step)
    return Chain(node, tuple(steps)) if steps and not isinstance(node.this, exp.Star) else None


def constant(node: exp.Expr) -> Value:
    """The value of a literal, or None for anything else."""
    if isinstance(node, exp.Literal) and node.is_string:
        return node.name
    return _literal_number(node)


def _step(node: exp.Expr) -> tuple[Step, exp.Expr] | None:
    """The outermost function, and the expression that it is a function of."""
    if isinstance(node, exp.Length):
        return Step(lambda value: len(str(value)), _of_length), node.this
    if isinstance(node, exp.Lower):
        return Step(lambda value: str(value).lower(), lambda wanted: [wanted, str(wanted).title()]), node.this
    if isinstance(node, exp.Upper):
        return Step(lambda value: str(value).upper(), lambda wanted: [wanted, str(wanted).title()]), node.this
    if isinstance(node, exp.Trim) and node.args.get("expression") is None:
        return Step(lambda value: str(value).strip(), lambda wanted: [wanted, f" {wanted} "]), node.this
    if isinstance(node, exp.Cast):
        kind = node.to.sql().upper()
        if "CHAR" in kind or "TEXT" in kind:
            return Step(str, lambda wanted: [wanted]), node.this
        whole = "INT" in kind
        return Step(lambda value: _number(value, whole), lambda wanted: [wanted]), node.this
    if isinstance(node, exp.Substring):
        return _substring(node)
    if isinstance(node, exp.Date) and not node.expressions and isinstance(node.this, exp.Column):
        return Step(lambda value: str(value)[:10], lambda wanted: [wanted]), node.this
    if isinstance(node, exp.TimeToStr) and isinstance(node.args.get("format"), exp.Literal):
        return _formatted(node.args["format"].name), node.this
    if isinstance(node, exp.Neg):
        return Step(lambda value: -_number(value), lambda wanted: [-_number(wanted)]), node.this
    if isinstance(node, exp.Abs):
        return Step(lambda value: abs(_number(value)), lambda wanted: [wanted, -_number(wanted)]), node.this
    if isinstance(node, exp.Round):
        return _rounded(node)
    if isinstance(node, exp.Mod) and isinstance(node.expression, exp.Literal):
        return _remainder(_number(node.expression.name)), node.this
    return _arithmetic(node) if isinstance(node, _ARITHMETIC) else None


def _number(value: Value, whole: bool = False) -> int | float:
    """The number at the beginning of a value, as SQLite's CAST reads it; 0 when there is none, or too large a one."""
    if isinstance(value, str):
        found = _NUMBER.match(value)
        value = float(found.group()) if found else 0
    number = value or 0
    if abs(number) >= _LARGEST:
        return 0
    return int(number) if whole or (isinstance(number, float) and number.is_integer()) else number


def _of_length(wanted: Value) -> list[Value]:
    size = int(_number(wanted))
    text = _FILLER * (1 + LONGEST // len(_FILLER))
    return [text[:length] for length in (size, size + 1, size - 1) if 0 < length <= LONGEST]


def _substring(node: exp.Substring) -> tuple[Step, exp.Expr] | None:
    start, size = _whole(node.args.get("start")), _whole(node.args.get("length"))
    if start is None or start == 0 or abs(start) > LONGEST or (node.args.get("length") is not None and size is None):
        return None

    def apply(value: Value) -> Value:
        text = str(value)
        first = start - 1 if start > 0 else max(len(text) + start, 0)
        return text[first:] if size is None else text[first : first + max(size, 0)]

    def solve(wanted: Value) -> list[Value]:
        if start < 0:
            return [_FILLER[:3] + str(wanted), f"{wanted}{_FILLER[:3]}"]
        before = (_FILLER * LONGEST)[: start - 1]
        return [f"{before}{wanted}", f"{before}{wanted}{_FILLER[:3]}", f"{_FILLER[0]}{before}{wanted}"]

    return Step(apply, solve), node.this


def _formatted(pattern: str) -> Step:
    """strftime; a wanted text is read by the same pattern, and the days, months and years around it are tried."""

    def apply(value: Value) -> Value:
        try:
            return datetime.fromisoformat(str(value)).strftime(pattern)
        except ValueError:
            return None

    def solve(wanted: Value) -> list[Value]:
        text = f"{wanted:02d}" if isinstance(wanted, int) else str(wanted)
        try:
            moment = datetime.strptime(text, pattern)
            moment = moment if "%Y" in pattern else moment.replace(year=2020)
            moment = moment if "%d" in pattern or "%j" in pattern else moment.replace(day=15)
            moments = [moment, *(moment + timedelta(days=days) for days in (-1, 1, 31, -31, 366, -366))]
        except (ValueError, OverflowError, re.error):
            return []
        timed = any(mark in pattern for mark in ("%H", "%M", "%S"))
        return [item.strftime("%Y-%m-%d %H:%M:%S" if timed else "%Y-%m-%d").zfill(10) for item in moments]

    return Step(apply, solve)


def _rounded(node: exp.Round) -> tuple[Step, exp.Expr]:
    digits = max(min(_whole(node.args.get("decimals")) or 0, 9), 0)
    near = 4 / 10 ** (digits + 1)

    def solve(wanted: Value) -> list[Value]:
        number = _number(wanted)
        return [number, number + near, number - near, number + 2 * near]

    return Step(lambda value: round(_number(value), digits), solve), node.this


def _remainder(divisor: int | float) -> Step:
    return Step(
        lambda value: math.fmod(_number(value), divisor) if divisor else None,
        lambda wanted: [_number(wanted) + divisor, _number(wanted), _number(wanted) + divisor + 1],
    )


def _arithmetic(node: exp.Binary) -> tuple[Step, exp.Expr] | None:
    """A column combined with a number; division is undone as if it were exact, with its neighbours."""
    left, right = node.left, node.right
    number, inner, mirrored = _literal_number(right), left, False
    if number is None:
        number, inner, mirrored = _literal_number(left), right, True
    if number is None or (number == 0 and isinstance(node, exp.Mul | exp.Div)):
        return None
    if isinstance(node, exp.Add):
        return Step(lambda value: _number(value) + number, lambda wanted: [_near(_number(wanted) - number)]), inner
    if isinstance(node, exp.Mul):
        step = Step(lambda value: _number(value) * number, lambda wanted: _around(_number(wanted) / number))
        return step, inner
    if isinstance(node, exp.Sub) and mirrored:
        return Step(lambda value: number - _number(value), lambda wanted: [_near(number - _number(wanted))]), inner
    if isinstance(node, exp.Sub):
        return Step(lambda value: _number(value) - number, lambda wanted: [_near(_number(wanted) + number)]), inner
    if isinstance(node, exp.Div) and not mirrored:
        step = Step(lambda value: _number(value) / number, lambda wanted: _around(_number(wanted) * number))
        return step, inner
    return None


def _around(value: float) -> list[Value]:
    return list(dict.fromkeys([_near(value), math.floor(value), math.ceil(value)])) if abs(value) < _LARGEST else []


def _near(value: float) -> int | float:
    """Without the noise of binary fractions."""
    rounded = float(f"{value:.12g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < _LARGEST else rounded


def _literal_number(node: object) -> int | float | None:
    negative = isinstance(node, exp.Neg)
    inner = node.this if negative else node
    if not isinstance(inner, exp.Literal) or inner.is_string:
        return None
    value = _number(inner.name)
    return -value if negative else value


def _whole(node: object) -> int | None:
    number = _literal_number(node)
    return None if number is None else int(number)
