"""Stacked bars as inline SVG: what a sum is made of, with what lowers it to the left of zero."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import floor
from typing import TYPE_CHECKING

from simulations.report.axes import Scale, Tick, number_ticks
from simulations.report.charts import RIGHT, WIDTH
from simulations.report.points import legend_html

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LEFT = 190
_ROW, _THICK, _TOP, _FOOT = 30, 18, 6, 24
_LONGEST_NAME, _WORDS = 26, 80


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: its name, one value for each part of `Bars.parts`, and words about it."""

    name: str
    values: Sequence[float]
    words: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Rows of stacked parts; `parts` are looks (CSS classes) and labels. `marked`: a line stands at each row's sum."""

    title: str
    unit: str
    parts: Sequence[tuple[str, str]]
    bars: Sequence[Bar]
    marked: bool = False


def bars_svg(plot: Bars) -> str:
    """The rows as a figure."""
    ends = [
        (sum(min(0.0, each) for each in bar.values), sum(max(0.0, each) for each in bar.values)) for bar in plot.bars
    ]
    ticks = _ticks(min(low for low, _ in ends), max(high for _, high in ends))
    x = Scale(ticks[0].at, ticks[-1].at, _LEFT, WIDTH - RIGHT - _WORDS)
    height = _TOP + _ROW * len(plot.bars) + _FOOT
    drawn = [
        *(_upright(x(tick.at), tick.label, height) for tick in ticks),
        *(text for row, bar in enumerate(plot.bars) for text in _bar(plot, bar, row, x)),
    ]
    label = escape(f"{plot.title}, in {plot.unit}", quote=True)
    return (
        f'<figure class="plot"><figcaption><b>{escape(plot.title)}</b>'
        f' <span class="unit">in {escape(plot.unit)}</span>{legend_html(plot.parts)}</figcaption>'
        f'<div class="scroll"><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">'
        f"{''.join(drawn)}</svg></div></figure>"
    )


def _ticks(low: float, high: float) -> list[Tick]:
    """Ticks at round numbers, 0 among them, from at or below `low` to at or above `high`."""
    upward = number_ticks(max(high, -low))
    step = upward[1].at
    first = -sum(each.at < -low for each in upward)
    last = sum(each.at < high for each in upward)
    names = {floor(each.at / step + 0.5): each.label for each in upward}
    return [Tick(step * place, f"{'-' if place < 0 else ''}{names[abs(place)]}") for place in range(first, last + 1)]


def _upright(x: float, label: str, height: int) -> str:
    foot = height - _FOOT
    look = "mark" if label == "0" else "grid"
    return (
        f'<line class="{look}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{foot}"/>'
        f'<text class="tick" x="{x:.1f}" y="{foot + 16}" text-anchor="middle">{label}</text>'
    )


def _bar(plot: Bars, bar: Bar, row: int, x: Scale) -> Iterator[str]:
    middle = _TOP + _ROW * (row + 0.5)
    name = bar.name if len(bar.name) <= _LONGEST_NAME else f"{bar.name[: _LONGEST_NAME - 1]}…"
    place = f'x="{_LEFT - 8}" y="{middle:.1f}" dy="0.35em"'
    yield f'<text class="tick name" {place} text-anchor="end">{escape(name)}</text>'
    below, above = 0.0, 0.0
    for (look, label), value in zip(plot.parts, bar.values, strict=True):
        start = above if value > 0 else below
        left, right = sorted((x(start), x(start + value)))
        above, below = above + max(0.0, value), below + min(0.0, value)
        if right > left:
            told = escape(f"{bar.name}, {label}: {value:,.2f} {plot.unit}")
            place = f'x="{left:.1f}" y="{middle - _THICK / 2:.1f}" width="{right - left:.1f}" height="{_THICK}"'
            yield f'<rect class="bar {look}" {place}><title>{told}</title></rect>'
    if plot.marked:
        total = x(sum(bar.values))
        yield f'<line class="sum" x1="{total:.1f}" x2="{total:.1f}" y1="{middle - 12:.1f}" y2="{middle + 12:.1f}"/>'
    yield (
        f'<text class="tag" x="{x(above) + 6:.1f}" y="{middle:.1f}" dy="0.35em">{escape(bar.words)}</text>'
        if bar.words
        else ""
    )
