"""The report's charts as inline SVG.

Positions across are percentages of the chart's width and positions down are pixels, so that a chart fills a phone or
a desktop with lettering of the same size and without a script. Colours come from the page's style sheet by class.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from markupsafe import Markup

MAX_POINTS = 600
"""Points drawn in a curve; longer ones are thinned evenly, keeping the last."""

_GUTTER = "-52"  # where a curve's y labels begin: the style sheet keeps that much room at the left of `.gutter`
_COLUMNS = 8  # parts of a chart's width; labels at the ends of lines give way to the others in the same part
_LETTERING = 16  # pixels between two labels
_PLOT = 1000  # the inner coordinate system of a curve, stretched to the width of the page


@dataclass(frozen=True)
class Dot:
    """A proportion with its interval, all three between 0 and 1.

    Attributes:
        tone: Name of the colour in the style sheet: ``base``, ``shots`` or ``tuned``.
        label: Text above the lane at the left; "" for a lane without text.
        figure: Text above the lane at the right.
        faint: Drawn hollow, because the sample is small.
    """

    rate: float
    low: float
    high: float
    tone: str
    label: str = ""
    figure: str = ""
    faint: bool = False


@dataclass(frozen=True)
class Part:
    """One stretch of a stacked bar."""

    name: str
    count: int


@dataclass(frozen=True)
class Line:
    """One of several lines in a chart: its (x, y) points, at least one, and the text beside its last."""

    label: str
    points: Sequence[tuple[float, float]]
    tone: str


class Charts:
    """Draws the charts of one page and numbers them, so that every id on the page is used once."""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = count(1)

    def intervals(self, dots: Sequence[Dot], *, title: str, description: str) -> Markup:
        """Dots with intervals on lanes one below the other, on an axis from 0 to 100 %."""
        marks: list[Markup] = []
        y = 0
        for dot in dots:
            if dot.label or dot.figure:
                y += 32 if y else 18
                marks.append(_text("0", y, dot.label, "lane"))
                marks.append(_text("100%", y, dot.figure, "lane figure", "end"))
            y += 18 if dot.label or dot.figure else 16
            marks.append(_line("0", y, "100%", y, "track"))
            marks.append(_line(_percent(dot.low), y, _percent(dot.high), y, f"interval {dot.tone}"))
            hollow = " hollow" if dot.faint else ""
            circle = '<circle cx="{}" cy="{}" r="6" class="dot {}{}"/>'
            marks.append(Markup(circle).format(_percent(dot.rate), y, dot.tone, hollow))
        bottom = y + 14
        for tick in (0, 25, 50, 75, 100):
            marks.insert(0, _line(f"{tick}%", 6, f"{tick}%", bottom, "grid"))
            marks.append(_text(f"{tick}%", bottom + 16, f"{tick} %", "tick", _anchor(tick / 100)))
        return self._figure(marks, bottom + 22, title, description)

    def stacked(self, parts: Sequence[Part], *, title: str) -> Markup:
        """One bar whose stretches are the parts' shares; each is named in the table beside it."""
        total = sum(part.count for part in parts) or 1
        marks, start = [], 0
        for part in parts:
            if part.count:
                rect = '<rect x="{}" y="0" width="{}" height="18" class="part {}"/>'
                marks.append(Markup(rect).format(_percent(start / total), _percent(part.count / total), part.name))
            start += part.count
        return self._figure(
            marks, 18, title, ", ".join(f"{part.name.replace('_', ' ')} {part.count}" for part in parts)
        )

    def curve(
        self,
        points: Iterable[tuple[float, float]],
        *,
        x_label: str,
        y_label: str,
        height: int,
        tone: str,
        dots: Iterable[tuple[float, float]] = (),
    ) -> Markup:
        """A line through (x, y) points with labelled axes; a single point is drawn as a dot.

        ``dots`` are drawn over it, with a line of their own, as far as the points reach across. Points that are no
        finite number are left out; without any point the result is empty.
        """
        kept = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        if not kept:
            return Markup("")
        kept = thin(kept)
        over = [(x, y) for x, y in dots if math.isfinite(y) and kept[0][0] <= x <= kept[-1][0]]
        left, right = kept[0][0], kept[-1][0]
        heights = [y for _, y in (*kept, *over)]
        ticks = nice_ticks(min(0.0, *heights), max(heights), most=max(2, height // 45))
        top, bottom = 34, 34 + height

        def across(x: float) -> float:
            return (x - left) / (right - left) if right > left else 0.5

        def down(y: float) -> float:
            return (ticks[-1] - y) / (ticks[-1] - ticks[0])

        marks = [_text(_GUTTER, 14, y_label, "axis"), *_levels(ticks, top, height)]
        for line, its_tone in ((kept, tone), (over, "shots")):
            if len(line) > 1:
                path = " ".join(f"{across(x) * _PLOT:.1f},{down(y) * _PLOT:.1f}" for x, y in line)
                curve = Markup('<polyline points="{}" class="curve {}"/>').format(path, its_tone)
                marks.append(_stretched(top, height, curve))
        for x, y, its_tone in (*((*point, tone) for point in kept if len(kept) == 1), *((*p, "shots") for p in over)):
            circle = '<circle cx="{}" cy="{:.1f}" r="4" class="dot {}"/>'
            marks.append(Markup(circle).format(_percent(across(x)), top + down(y) * height, its_tone))
        for x in dict.fromkeys((left, kept[len(kept) // 2][0], right)):
            marks.append(_text(_percent(across(x)), bottom + 18, f"{x:g}", "tick", _anchor(across(x))))
        marks.append(_text("50%", bottom + 36, x_label, "axis", "middle"))
        first, last = kept[0], kept[-1]
        description = f"{y_label}: {first[1]:.4g} at {x_label} {first[0]:g}, {last[1]:.4g} at {x_label} {last[0]:g}."
        return self._figure(marks, bottom + 42, f"{y_label} by {x_label}", description)

    def lines(self, lines: Sequence[Line], *, x_label: str, y_label: str, height: int) -> Markup:
        """Several lines on common axes, from x = 0, each with its label beside its end; without lines it is empty."""
        if not lines:
            return Markup("")
        right = max(x for line in lines for x, _ in line.points)
        heights = [y for line in lines for _, y in line.points]
        ticks = nice_ticks(min(heights), max(heights), most=max(2, height // 45))
        top, bottom = 34, 34 + height
        plot, dots, labels = [Markup("")], [], []

        def down(y: float) -> float:
            return (ticks[-1] - y) / (ticks[-1] - ticks[0])

        for line in lines:
            path = " ".join(f"{x / right * _PLOT:.1f},{down(y) * _PLOT:.1f}" for x, y in line.points)
            plot.append(Markup('<polyline points="{}" class="curve {}"/>').format(path, line.tone))
            circle = Markup('<circle cx="{}" cy="{:.1f}" r="4" class="dot {}"/>')
            dots += [circle.format(_percent(x / right), top + down(y) * height, line.tone) for x, y in line.points]
        ends: dict[int, list[tuple[float, float, str]]] = {}  # where lines end near each other, so do their labels
        for line in lines:
            x, y = line.points[-1]
            ends.setdefault(round(_COLUMNS * x / right), []).append((top + down(y) * height, x, line.label))
        for group in map(sorted, ends.values()):
            for (_, x, label), y in zip(group, spread([y for y, _, _ in group], _LETTERING), strict=True):
                labels.append(
                    Markup('<text x="{}" dx="9" y="{:.1f}" class="lane">{}</text>').format(
                        _percent(x / right), y + 4, label
                    )
                )
        marks = [_text(_GUTTER, 14, y_label, "axis"), *_levels(ticks, top, height)]
        marks += [_stretched(top, height, Markup("").join(plot)), *dots, *labels]
        for x in (0.0, right):
            marks.append(_text(_percent(x / right), bottom + 18, f"{x:,.0f}", "tick", _anchor(x / right)))
        marks.append(_text("50%", bottom + 36, x_label, "axis", "middle"))
        described = "; ".join(f"{line.label}: {line.points[-1][1]:.4g} at {line.points[-1][0]:,.0f}" for line in lines)
        return self._figure(marks, bottom + 42, f"{y_label} by {x_label}", described)

    def _figure(self, marks: Sequence[Markup], height: float, title: str, description: str) -> Markup:
        number = next(self._numbers)
        frame = (
            '<svg class="chart" role="img" width="100%" height="{height:g}" '
            'aria-labelledby="chart-{number}-title chart-{number}-text">'
            '<title id="chart-{number}-title">{title}</title><desc id="chart-{number}-text">{text}</desc>{marks}</svg>'
        )
        return Markup(frame).format(
            height=height, number=number, title=title, text=description, marks=Markup("").join(marks)
        )


def thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most about `MAX_POINTS` of the points, evenly spaced, with the first and the last among them."""
    stride = math.ceil(len(points) / MAX_POINTS)
    kept = list(points[::stride])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def nice_ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Round numbers at equal distances that enclose low and high, with about `most` steps between them."""
    span = (high - low) or abs(high) or 1.0
    magnitude = 10.0 ** math.floor(math.log10(span / most))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude * most >= span * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, max(last, first + 1) + 1)]


def spread(places: Sequence[float], apart: float) -> list[float]:
    """Sorted places, moved as little as it takes to stand ``apart`` from one another: each cluster around its mean."""
    clusters: list[list[float]] = []  # each as its places, as they were
    for place in places:
        clusters.append([place])
        while len(clusters) > 1 and _ends(clusters[-1], apart)[0] - _ends(clusters[-2], apart)[1] < apart:
            clusters[-2:] = [clusters[-2] + clusters[-1]]
    return [_ends(cluster, apart)[0] + number * apart for cluster in clusters for number in range(len(cluster))]


def _ends(cluster: Sequence[float], apart: float) -> tuple[float, float]:
    """The first and the last place of a cluster, once its places stand apart."""
    centre, half = sum(cluster) / len(cluster), (len(cluster) - 1) * apart / 2
    return centre - half, centre + half


def _levels(ticks: Sequence[float], top: float, height: float) -> Iterator[Markup]:
    """A line across the plot and a number beside it for each tick; the first is at the bottom."""
    for tick in ticks:
        y = top + (ticks[-1] - tick) / (ticks[-1] - ticks[0]) * height
        yield _line("0", y, "100%", y, "grid")
        yield _text("-10", y + 4, f"{tick:g}", "tick", "end")


def _stretched(top: float, height: float, drawing: Markup) -> Markup:
    """A drawing on `_PLOT` by `_PLOT` units, stretched to the width of the page."""
    plot = (
        '<svg x="0" y="{}" width="100%" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" '
        'overflow="visible">{}</svg>'
    )
    return Markup(plot).format(top, height, _PLOT, _PLOT, drawing)


def _percent(fraction: float) -> str:
    return f"{100 * min(1.0, max(0.0, fraction)):.2f}%"


def _anchor(fraction: float) -> str:
    """Where a text hangs on its point, so that the first and the last stay inside the chart."""
    return "start" if fraction <= 0.02 else "end" if fraction >= 0.98 else "middle"


def _text(x: str, y: float, text: str, classes: str, anchor: str = "start") -> Markup:
    return Markup('<text x="{}" y="{:.1f}" class="{}" text-anchor="{}">{}</text>').format(x, y, classes, anchor, text)


def _line(x1: str, y1: float, x2: str, y2: float, classes: str) -> Markup:
    line = '<line x1="{}" y1="{:.1f}" x2="{}" y2="{:.1f}" class="{}"/>'
    return Markup(line).format(x1, y1, x2, y2, classes)
