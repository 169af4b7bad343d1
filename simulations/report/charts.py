"""Plots as inline SVG: lines, areas and bands over time, with axes, units and a legend. Colours are CSS classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from simulations.report.axes import Scale, number_ticks, time_ticks
from simulations.report.thinning import thinned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policies.arrays import BoolArray, FloatArray
    from simulations.report.axes import Tick

WIDTH, HEIGHT = 960, 210
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 10, 26
_HEADROOM = 1.02


@dataclass(frozen=True, slots=True)
class Line:
    """A series over time: values `[point]`, NaN where missing. `look` is a CSS class; `filled` down to 0."""

    label: str
    look: str
    value: FloatArray
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """A band between two series `[point]`."""

    label: str
    look: str
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot: what it shows in words, its unit, and its series on common times `[point]`."""

    title: str
    unit: str
    at_s: FloatArray
    lines: Sequence[Line]
    bands: Sequence[Range] = field(default=())
    shaded: Sequence[tuple[float, float]] = field(default=())  # spans of time set apart
    shaded_label: str = ""


def svg(plot: Plot) -> str:
    """The plot as a figure with its title and legend."""
    across = Scale(float(plot.at_s[0]), float(plot.at_s[-1]), LEFT, WIDTH - RIGHT)
    ticks = number_ticks(_highest(plot) * _HEADROOM)
    up = Scale(0.0, ticks[-1].at, HEIGHT - BOTTOM, TOP)
    drawn = [
        *_shades(plot, across),
        *_grid(ticks, time_ticks(across.low, across.high), across, up),
        *(text for band in plot.bands for text in _band(band, plot.at_s, across, up)),
        *(text for line in plot.lines for text in _line(line, plot.at_s, across, up)),
    ]
    label = escape(f"{plot.title}. {', '.join(line.label for line in plot.lines)}; in {plot.unit}", quote=True)
    return (
        f'<figure class="plot"><figcaption><b>{escape(plot.title)}</b> <span class="unit">in {escape(plot.unit)}</span>'
        f"{_legend(plot)}</figcaption>"
        f'<div class="scroll"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(drawn)}</svg></div></figure>"
    )


def _highest(plot: Plot) -> float:
    columns = [*(line.value for line in plot.lines), *(band.high for band in plot.bands)]
    finite = [float(np.nanmax(column)) for column in columns if np.isfinite(column).any()]
    return max(finite, default=0.0) or 1.0


def _grid(numbers: Sequence[Tick], times: Sequence[Tick], across: Scale, up: Scale) -> Iterator[str]:
    for tick in numbers:
        y = f"{up(tick.at):.1f}"
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text class="tick" x="{LEFT - 6}" y="{y}" dy="0.35em" text-anchor="end">{tick.label}</text>'
    for tick in times:
        x, foot = f"{across(tick.at):.1f}", HEIGHT - BOTTOM
        yield f'<line class="mark" x1="{x}" x2="{x}" y1="{foot}" y2="{foot + 4}"/>'
        yield f'<text class="tick" x="{x}" y="{foot + 17}" text-anchor="{_side(across(tick.at))}">{tick.label}</text>'


def _side(x: float) -> str:
    """How a label stands at its tick, so that none is cut off at an edge."""
    edge = 30
    return "start" if x < LEFT + edge / 3 else "end" if x > WIDTH - RIGHT - edge else "middle"


def _shades(plot: Plot, across: Scale) -> Iterator[str]:
    for start_s, end_s in plot.shaded:
        left, right = across(max(start_s, across.low)), across(min(end_s, across.high))
        if right <= left:
            continue  # past the last point
        size = f'width="{right - left:.1f}" height="{HEIGHT - BOTTOM - TOP}"'
        yield f'<rect class="shade" x="{left:.1f}" y="{TOP}" {size}/>'


def _line(line: Line, at_s: FloatArray, across: Scale, up: Scale) -> Iterator[str]:
    kept = thinned(line.value)
    runs = _runs(at_s[kept], line.value[kept])
    if line.filled:
        foot = f"{up(0.0):.1f}"
        areas = "".join(
            f"M{across(times[0]):.1f},{foot}{_path(times, values, across, up, 'L')}L{across(times[-1]):.1f},{foot}Z"
            for times, values in runs
        )
        yield f'<path class="area {line.look}" d="{areas}"/>'
    drawn = "".join(_path(times, values, across, up, "M") for times, values in runs)
    yield f'<path class="line {line.look}" d="{drawn}"/>'


def _band(band: Range, at_s: FloatArray, across: Scale, up: Scale) -> Iterator[str]:
    """The area between both edges, and the upper edge as a line; each edge keeps its own extremes."""
    both = np.isfinite(band.low) & np.isfinite(band.high)
    areas, edges = [], []
    for first, end in _stretches(both):
        times, low, high = at_s[first:end], band.low[first:end], band.high[first:end]
        over, under = thinned(high), thinned(low)[::-1]
        edges.append(_path(times[over], high[over], across, up, "M"))
        areas.append(f"{edges[-1]}{_path(times[under], low[under], across, up, 'L')}Z")
    yield f'<path class="band {band.look}" d="{"".join(areas)}"/>'
    yield f'<path class="line {band.look}" d="{"".join(edges)}"/>'


def _runs(at_s: FloatArray, value: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """The values between gaps."""
    return [(at_s[first:end], value[first:end]) for first, end in _stretches(np.isfinite(value))]


def _stretches(known: BoolArray) -> list[tuple[int, int]]:
    """First points of what is known without a gap, and the points after the last."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False])).astype(np.int8))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _path(at_s: FloatArray, value: FloatArray, across: Scale, up: Scale, first: str) -> str:
    points = [f"{across(x):.1f},{up(y):.1f}" for x, y in zip(at_s.tolist(), value.tolist(), strict=True)]
    return f"{first}{points[0]}L{' '.join(points[1:])}" if len(points) > 1 else f"{first}{points[0]}h0.5"


def _legend(plot: Plot) -> str:
    keys = [(line.look, line.label, "key") for line in plot.lines]
    keys += [(band.look, band.label, "key wide") for band in plot.bands]
    if plot.shaded and plot.shaded_label:
        keys.append(("shade", plot.shaded_label, "key wide"))
    items = "".join(
        f'<li><span class="{shape} {look}" aria-hidden="true"></span>{escape(label)}</li>'
        for look, label, shape in keys
    )
    return f'<ul class="legend">{items}</ul>'
