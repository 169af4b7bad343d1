"""Plots of points with their intervals, as inline SVG: one figure against another, and a figure along varied values."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from simulations.report.axes import Scale, number_ticks
from simulations.report.charts import BOTTOM, LEFT, RIGHT, TOP, WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulations.report.axes import Tick

_HEIGHT = 300
_FOOT = BOTTOM + 18  # room for the words below the axis
_HEADROOM = 1.05
_SIDE = 40.0  # from the edge to the first of varied values


@dataclass(frozen=True, slots=True)
class Around:
    """A value and the interval around it, which may be unknown."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def top(self) -> float:
        """The highest that is drawn."""
        return self.value if self.high is None else self.high


@dataclass(frozen=True, slots=True)
class Point:
    """A point in two figures; `look` is a CSS class, `tag` a word that is drawn beside it."""

    label: str
    look: str
    x: Around
    y: Around
    ringed: bool = False
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points, the words of both axes, and a legend: looks and labels."""

    title: str
    x_words: str
    y_words: str
    points: Sequence[Point]
    legend: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure along the varied values, one entry a value."""

    label: str
    look: str
    values: Sequence[Around]


@dataclass(frozen=True, slots=True)
class Curves:
    """Figures along the values of one place, which stand at even distances."""

    title: str
    unit: str
    x_words: str
    labels: Sequence[str]
    curves: Sequence[Curve] = field(default=())


def scatter_svg(plot: Scatter) -> str:
    """The points as a figure; both axes begin at 0."""
    across, up = _from_zero([each.x for each in plot.points]), _from_zero([each.y for each in plot.points])
    x = Scale(0.0, across[-1].at, LEFT, WIDTH - RIGHT - _SIDE)
    y = Scale(0.0, up[-1].at, _HEIGHT - _FOOT, TOP + 14)
    drawn = [
        *(_across_line(y(tick.at), tick.label) for tick in up),
        *(_below(x(tick.at), tick.label) for tick in across),
        _x_words(plot.x_words),
        f'<text class="tick" x="{LEFT}" y="{TOP}" dy="0.35em">{escape(plot.y_words)}</text>',
        *(text for point in plot.points for text in _point(point, x, y)),
    ]
    return _figure(plot.title, "", plot.legend, drawn, f"{plot.title}: {plot.y_words} against {plot.x_words}")


def curves_svg(plot: Curves) -> str:
    """The curves as a figure; the axis begins at 0."""
    up = _from_zero([value for each in plot.curves for value in each.values])
    y = Scale(0.0, up[-1].at, _HEIGHT - _FOOT, TOP)
    x = Scale(0.0, max(1.0, len(plot.labels) - 1.0), LEFT + _SIDE, WIDTH - RIGHT - _SIDE)
    drawn = [
        *(_across_line(y(tick.at), tick.label) for tick in up),
        *(_below(x(place), escape(label)) for place, label in enumerate(plot.labels)),
        _x_words(plot.x_words),
        *(text for each in plot.curves for text in _curve(each, x, y)),
    ]
    legend = [(each.look, each.label) for each in plot.curves]
    return _figure(plot.title, plot.unit, legend, drawn, f"{plot.title} in {plot.unit}, along {plot.x_words}")


def legend_html(keys: Sequence[tuple[str, str]], shape: str = "key wide") -> str:
    """Looks and what they stand for."""
    items = "".join(
        f'<li><span class="{shape} {look}" aria-hidden="true"></span>{escape(label)}</li>' for look, label in keys
    )
    return f'<ul class="legend">{items}</ul>'


def _from_zero(values: Sequence[Around]) -> list[Tick]:
    return number_ticks(max((value.top for value in values), default=0.0) * _HEADROOM)


def _across_line(y: float, label: str) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{LEFT - 6}" y="{y:.1f}" dy="0.35em" text-anchor="end">{label}</text>'
    )


def _below(x: float, label: str) -> str:
    foot = _HEIGHT - _FOOT
    return (
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{foot}" y2="{foot + 4}"/>'
        f'<text class="tick" x="{x:.1f}" y="{foot + 17}" text-anchor="middle">{label}</text>'
    )


def _x_words(words: str) -> str:
    return f'<text class="tick" x="{WIDTH - RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">{escape(words)}</text>'


def _point(point: Point, x: Scale, y: Scale) -> Iterator[str]:
    at, over = x(point.x.value), y(point.y.value)
    if point.x.low is not None and point.x.high is not None:
        yield _whisker(point.look, x(max(0.0, point.x.low)), over, x(point.x.high), over)
    yield _upright(point.look, at, point.y, y)
    ring = f'<circle class="ring" cx="{at:.1f}" cy="{over:.1f}" r="8"/>' if point.ringed else ""
    yield f"{ring}{_dot(point.look, at, over, point.label)}"
    if point.tag:
        yield f'<text class="tag" x="{at + 10:.1f}" y="{over - 8:.1f}">{escape(point.tag)}</text>'


def _curve(curve: Curve, x: Scale, y: Scale) -> Iterator[str]:
    places = [(x(place), y(each.value)) for place, each in enumerate(curve.values)]
    line = " ".join(f"{at:.1f},{over:.1f}" for at, over in places)
    yield f'<polyline class="line {curve.look}" points="{line}"/>'
    for (at, over), each in zip(places, curve.values, strict=True):
        yield _upright(curve.look, at, each, y)
        yield _dot(curve.look, at, over, f"{curve.label}: {each.value:,.6g}")


def _upright(look: str, at: float, around: Around, y: Scale) -> str:
    if around.low is None or around.high is None:
        return ""
    return _whisker(look, at, y(max(0.0, around.low)), at, y(around.high))


def _whisker(look: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="whisker {look}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _dot(look: str, x: float, y: float, label: str) -> str:
    return f'<circle class="dot {look}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"><title>{escape(label)}</title></circle>'


def _figure(title: str, unit: str, legend: Sequence[tuple[str, str]], drawn: Sequence[str], label: str) -> str:
    told = f' <span class="unit">in {escape(unit)}</span>' if unit else ""
    return (
        f'<figure class="plot"><figcaption><b>{escape(title)}</b>{told}{legend_html(legend)}</figcaption>'
        f'<div class="scroll"><svg viewBox="0 0 {WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label, quote=True)}">'
        f"{''.join(drawn)}</svg></div></figure>"
    )
