"""Figures of one history or plan by day, and their 95 % intervals from a bootstrap over blocks of days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulations.serving import DAY_S, HOUR_S

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from simulations.audit.case import Case

RESAMPLES = 2000
LEAST_DAYS = 3  # fewer blocks tell nothing of how days differ
_SEED = 0
_TAILS = (0.025, 0.975)
_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class Interval:
    """Where 95 % of the resampled values lie."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Days:
    """Sums over the scored steps of each day, `[day]`; load is in its unit times seconds."""

    replica_hours: FloatArray
    load: FloatArray
    late: FloatArray
    counted: BoolArray  # the day has half of its hours or more in the window: it counts for intervals

    def added(self, other: Days) -> Days:
        """Two workloads' days together, of the same number of days; load is weighed by what each has of its own."""
        return Days(
            self.replica_hours + other.replica_hours,
            self.load + other.load,
            self.late + other.late,
            self.counted & other.counted,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the replicas of one history or plan fared. Arrays are `[step]`; NaN where nobody knows."""

    who: str
    paid: FloatArray
    ready: FloatArray
    replica_hours: float
    late_ratio: float
    churn_per_day: float
    days: Days
    late: Interval | None  # of the late ratio


@dataclass(frozen=True, slots=True)
class Replicas:
    """Replicas of one history or plan, `[step]`."""

    who: str
    paid: FloatArray
    ready: FloatArray


def outcome(case: Case, replicas: Replicas, scored: BoolArray) -> Outcome:
    """Judge replicas on the scored steps of a case. Late is load that meets ready replicas above the serving limit."""
    serving, track = case.serving, case.track
    step_s = serving.step_s
    able = replicas.ready * (serving.capacity * serving.serving_limit_ratio)
    late = np.where(scored & (track.demand > able + _NOISE), track.demand, 0.0)
    load = np.where(scored, track.demand, 0.0)
    hours = np.where(scored, replicas.paid, 0.0) * (step_s / HOUR_S)
    days = by_day(case, scored, hours=hours, load=load * step_s, late=late * step_s)
    total = float(load.sum())
    return Outcome(
        who=replicas.who,
        paid=replicas.paid,
        ready=replicas.ready,
        replica_hours=float(hours.sum()),
        late_ratio=float(late.sum()) / total if total else 0.0,
        churn_per_day=_churn(replicas.paid, scored, step_s),
        days=days,
        late=interval(days.late, days.load, days.counted),
    )


def by_day(case: Case, scored: BoolArray, *, hours: FloatArray, load: FloatArray, late: FloatArray) -> Days:
    """Sums by day from the first step after the warm-up on."""
    day = day_of(case)
    inside = day >= 0
    count = int(day.max()) + 1 if inside.any() else 0
    paid, asked, missed = (
        np.bincount(day[inside], weights=column[inside], minlength=count).astype(np.float64)
        for column in (hours, load, late)
    )
    steps = np.bincount(day[inside], minlength=count)
    known = np.bincount(day[inside & scored], minlength=count)
    counted = (2 * steps >= round(DAY_S / case.serving.step_s)) & (known > 0)
    return Days(paid, asked, missed, counted)


def day_of(case: Case) -> IntArray:
    """The number of each step's day since the warm-up's end, negative before it, `[step]`."""
    steps = np.arange(case.track.at_s.size) - case.track.warmup_steps
    return (steps // round(DAY_S / case.serving.step_s)).astype(np.int64)


def interval(top: FloatArray, bottom: FloatArray, counted: BoolArray) -> Interval | None:
    """95 % interval of a ratio of sums over days `[day]`, drawn with replacement; None with fewer than three."""
    top, bottom = top[counted], bottom[counted]
    if top.size < LEAST_DAYS or not bottom.any():
        return None
    drawn = np.random.default_rng(_SEED).integers(0, top.size, (RESAMPLES, top.size))
    below = bottom[drawn].sum(axis=1)
    ratios = top[drawn].sum(axis=1)[below > 0] / below[below > 0]
    low, high = np.quantile(ratios, _TAILS)
    return Interval(float(low), float(high))


def cost_ratio(one: Outcome, other: Outcome) -> float:
    """The cost of one over that of the other; 1 where that is 0."""
    return one.replica_hours / other.replica_hours if other.replica_hours else 1.0


def cost_interval(one: Outcome, other: Outcome) -> Interval | None:
    """95 % interval of the cost of one over that of the other, on the same days."""
    return interval(one.days.replica_hours, other.days.replica_hours, one.days.counted & other.days.counted)


def late_interval(one: Outcome, other: Outcome) -> Interval | None:
    """95 % interval of how much more of the load is late with one than with the other, on the same days."""
    more = one.days.late - other.days.late
    return interval(more, other.days.load, one.days.counted & other.days.counted)


def _churn(paid: FloatArray, scored: BoolArray, step_s: float) -> float:
    """Replicas started or stopped a day, counted between neighbouring scored steps."""
    moved = np.abs(np.diff(paid))[scored[1:] & scored[:-1]]
    days = float(scored.sum()) * step_s / DAY_S
    return float(moved.sum()) / days if days else 0.0
