"""How sure figures are: intervals by drawing whole days anew, as the load of neighbouring minutes is alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulations.serving import DAY_S, clairvoyant, late, paid

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from simulations.replay import Lane
    from simulations.scenario import Scenario

FEWEST_DAYS = 3
_DRAWS = 2000
_SIDES = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Interval:
    """The middle 95 % of what other days of the same kind might have given."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Intervals:
    """Of the late share of the load, and of the cost over the clairvoyant's."""

    late: Interval
    cost_ratio: Interval


def day_intervals(plan: IntArray, lane: Lane | Scenario, warmup_steps: int, seed: int = 0) -> Intervals | None:
    """Bootstrap over whole days after the warm-up (Efron and Tibshirani 1993, percentile method), 2000 draws.

    `plan` is `[step]`, warm-up included. A last day that is not whole is left out; with fewer than 3 whole days there
    is nothing to say. A day's cost and lateness are those it had within the whole plan: the draw puts days together
    that did not follow each other, and start-ups are not played anew.
    """
    serving = lane.serving
    demand, scored = lane.demand[warmup_steps:], plan[warmup_steps:]
    steps = round(DAY_S / serving.step_s)
    if demand.size // steps < FEWEST_DAYS:
        return None
    parts = (late(scored, demand, serving), demand, paid(scored, serving), paid(clairvoyant(demand, serving), serving))
    late_load, load, cost, cheapest = (_by_day(part, steps) for part in parts)
    drawn = np.random.default_rng(seed).integers(0, load.size, (_DRAWS, load.size))
    return Intervals(_interval(late_load[drawn], load[drawn]), _interval(cost[drawn], cheapest[drawn]))


def _by_day(part: FloatArray | IntArray, steps: int) -> FloatArray:
    days = part.size // steps
    total: FloatArray = part[: days * steps].reshape(days, steps).sum(axis=1, dtype=np.float64)
    return total


def _interval(part: FloatArray, whole: FloatArray) -> Interval:
    """Of the ratio of sums of each draw; draws of nothing have ratio 0."""
    total = whole.sum(axis=1)
    ratio = np.divide(part.sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
    low, high = np.quantile(ratio, _SIDES).tolist()
    return Interval(low, high)
