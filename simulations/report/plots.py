"""The plots of one audited workload: over the whole span, and over the day on which most came late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.quantities import duration_text
from simulations.audit.figures import day_of
from simulations.report.charts import Line, Plot, Range
from simulations.serving import HOUR_S

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from simulations.audit.figures import Outcome
    from simulations.audit.verdict import Audited

NOW, THEN, LOAD, NEED, TOLD = "now", "then", "load", "need", "told"  # CSS classes of the series


def overview(each: Audited, currency: str) -> list[Plot]:
    """Load, replicas, lateness and cost over the whole span; what was not compared is shaded."""
    every = np.arange(each.case.track.at_s.size)
    return [_load(each, every), _replicas(each, every), _late(each), _cost(each, currency)]


def worst_day(each: Audited) -> tuple[int, list[Plot]] | None:
    """The day on which most load was late with the incumbent, and its plots; None where nothing was late."""
    late = each.incumbent.days.late
    if not late.size or not late.max() > 0:
        return None
    day = int(np.argmax(late))
    steps = np.flatnonzero(day_of(each.case) == day)
    return day, [_load(each, steps), _replicas(each, steps)]


def day_start_s(each: Audited, day: int) -> float:
    """Wall time at which a scored day begins."""
    return float(each.case.track.at_s[np.argmax(day_of(each.case) == day)])


def _load(each: Audited, steps: IntArray) -> Plot:
    case = each.case
    one = case.serving.capacity * case.serving.serving_limit_ratio
    load = np.where(case.track.known, case.track.demand, np.nan)
    lines, bands = [Line("load", LOAD, load[steps], filled=True)], []
    title = "Load, and what was forecast of it"
    if each.band is not None:
        low, high = (column[steps] * one for column in (each.band.expected, each.band.upper))
        ahead = duration_text(case.serving.startup_s)
        bands.append(Range(f"forecast {ahead} ahead: from expected up to its margin", TOLD, low, high))
    return Plot(
        _when(title, each, steps), case.measure.unit, case.track.at_s[steps], lines, bands, *_apart(each, steps)
    )


def _replicas(each: Audited, steps: IntArray) -> Plot:
    case = each.case
    need = case.track.demand / (case.serving.capacity * case.serving.serving_limit_ratio)
    lines = [
        Line("needed", LOAD, np.where(case.track.known, need, np.nan)[steps], filled=True),
        Line("as it was", NOW, each.incumbent.paid[steps]),
        Line("with Foresail", THEN, each.foresail.paid[steps]),
    ]
    return Plot(
        _when("Asked for, and needed", each, steps), "replicas", case.track.at_s[steps], lines, (), *_apart(each, steps)
    )


def _late(each: Audited) -> Plot:
    """Share of each hour's load that was late."""
    hour = each.case.track.at_s // HOUR_S
    hour = (hour - hour[0]).astype(np.int64)
    at_s = (each.case.track.at_s[0] // HOUR_S + np.arange(int(hour[-1]) + 1)) * HOUR_S
    lines = [
        Line("as it was", NOW, _late_by(hour, each, each.incumbent), filled=True),
        Line("with Foresail", THEN, _late_by(hour, each, each.foresail), filled=True),
    ]
    return Plot("Late, by hour", "% of the load", at_s, lines, (), *_apart(each, np.arange(hour.size)))


def _late_by(hour: IntArray, each: Audited, who: Outcome) -> FloatArray:
    case = each.case
    able = who.ready * (case.serving.capacity * case.serving.serving_limit_ratio)
    load = np.where(each.scored, case.track.demand, 0.0)
    late = np.where(each.scored & (case.track.demand > able), load, 0.0)
    total = np.bincount(hour, weights=load)
    known = np.bincount(hour, weights=each.scored) > 0
    share = np.bincount(hour, weights=late) / np.where(total > 0, total, 1.0)
    return np.where(known, share * 100, np.nan)


def _cost(each: Audited, currency: str) -> Plot:
    """Cost so far from the first compared step on."""
    price = each.case.replica_hour_price
    unit, one = ("replica-hours", 1.0) if price is None else (currency, price)
    lines = [
        Line("as it was", NOW, _so_far(each.scored, each, each.incumbent) * one),
        Line("with Foresail", THEN, _so_far(each.scored, each, each.foresail) * one),
    ]
    return Plot("Cost so far", unit, each.case.track.at_s, lines, (), *_apart(each, np.arange(each.scored.size)))


def _so_far(scored: BoolArray, each: Audited, who: Outcome) -> FloatArray:
    hours = np.where(scored, who.paid, 0.0) * (each.case.serving.step_s / HOUR_S)
    return np.where(np.maximum.accumulate(scored), np.cumsum(hours), np.nan)


def _apart(each: Audited, steps: IntArray) -> tuple[list[tuple[float, float]], str]:
    """The spans among these steps that are not compared: warm-up and gaps."""
    out = ~each.scored[steps]
    edges = np.flatnonzero(np.diff(np.concatenate(([False], out, [False])).astype(np.int8)))
    at_s, step_s = each.case.track.at_s[steps], each.case.serving.step_s
    spans = [(float(at_s[a]), float(at_s[b - 1]) + step_s) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return spans, "not compared: warm-up or no data"


def _when(title: str, each: Audited, steps: IntArray) -> str:
    return title if steps.size == each.scored.size else f"{title}, that day"
