"""Whether a workload became another one: a new version in the middle of the history, or pods that differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from policies.calibration.curve import Curve, Flow, fit_curve

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray

_LEAST_SHARE = 0.15  # of the blocks, on either side of a change (Andrews 1993)
_CHANCE = 1e-4  # of one place; the largest of some thirty is looked at
_MATTERS = 0.05  # of the latency


@dataclass(frozen=True, slots=True)
class Change:
    """From a moment on latency at the same requests under way is another."""

    at_s: float
    before: Curve
    after: Curve
    under_way: float  # at which they are compared

    @property
    def ratio(self) -> float:
        """Latency after over latency before, less 1."""
        return _ratio(self.before, self.after, self.under_way)


def change_of(flow: Flow, at_s: FloatArray) -> Change | None:
    """The moment at which the curve changed most, if it did beyond chance and by what matters; `at_s[window]`."""
    blocks = np.unique(flow.block)
    margin = max(2, int(np.ceil(_LEAST_SHARE * blocks.size)))
    best: Change | None = None
    least = _CHANCE
    for first_after in blocks[margin : blocks.size - margin + 1]:
        early = flow.block < first_after
        before, after = fit_curve(part_of(flow, early)), fit_curve(part_of(flow, ~early))
        if isinstance(before, str) or isinstance(after, str):
            continue
        found = Change(float(at_s[~early].min()), before, after, float(np.median(flow.under_way)))
        if abs(found.ratio) > _MATTERS and (chance := differ(before, after)) < least:
            best, least = found, chance
    return best


def differ(one: Curve, other: Curve) -> float:
    """How likely two curves of one server are as far apart as these (Hotelling's test of two parameters)."""
    gap = np.array([one.base_s - other.base_s, one.each_s - other.each_s])
    distance = float(gap @ np.linalg.solve(one.covariance + other.covariance, gap))
    return float(stats.f.sf(distance / gap.size, gap.size, min(one.freedom, other.freedom)))


def odd_groups(curves: dict[str, Curve], under_way: float) -> dict[str, float]:
    """Groups whose latency is off the median of all by what matters and beyond chance, and by how much."""
    if len(curves) < 2:  # noqa: PLR2004 - nothing to compare with
        return {}
    usual = float(np.median([each.base_s + each.each_s * under_way for each in curves.values()]))
    middle = min(curves.values(), key=lambda each: abs(each.base_s + each.each_s * under_way - usual))
    told = {name: _ratio(middle, each, under_way) for name, each in curves.items() if each is not middle}
    return {
        name: ratio for name, ratio in told.items() if abs(ratio) > _MATTERS and differ(curves[name], middle) < _CHANCE
    }


def part_of(flow: Flow, rows: BoolArray) -> Flow:
    """Some of the windows."""
    return Flow(flow.per_s[rows], flow.under_way[rows], flow.events[rows], flow.block[rows])


def _ratio(one: Curve, other: Curve, under_way: float) -> float:
    then = one.base_s + one.each_s * under_way
    return (other.base_s + other.each_s * under_way) / then - 1 if then > 0 else 0.0
