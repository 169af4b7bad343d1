"""Quantiles of times of which some are not known yet, for many lanes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import floats

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray

_SURE = 1e-6  # shares that differ by less are equal: the rounding of a sum over the fleet must not decide for a lane


@dataclass(frozen=True, slots=True)
class Times:
    """Times of some lanes, a flat table sorted by lane and time, finished ones first among equals."""

    lanes: int
    lane: IntArray  # 0 .. lanes - 1
    time_s: FloatArray  # so far, when not finished
    finished: BoolArray
    weight: FloatArray  # above 0; 1 = as good as one that happened by itself

    def number(self) -> IntArray:
        """How many there are, `[lane]`."""
        return np.bincount(self.lane, minlength=self.lanes)

    def finished_number(self) -> IntArray:
        """How many finished, `[lane]`."""
        return np.bincount(self.lane[self.finished], minlength=self.lanes)

    def finished_weight(self) -> FloatArray:
        """What those that finished weigh together, `[lane]`."""
        rows = self.finished
        total = floats(self.lanes)
        np.add.at(total, self.lane[rows], self.weight[rows])
        return total

    def quantiles_s(self, *levels: FloatArray) -> tuple[FloatArray, ...]:
        """For each of `levels`, `[lane]`, the first time by which at most 1 - level are still under way.

        Estimated as by Kaplan and Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958), with
        weights: one under way counts as one that takes longer than it has so far. Where the estimate does not come down
        to the level, the longest time seen stands for it; 0 for a lane without any.
        """
        under_way, longest_s = self._under_way(), self._longest_s()
        return tuple(self._first_s(under_way, level, longest_s) for level in levels)

    def _under_way(self) -> FloatArray:
        """The share of the lane's that takes longer than each one's time, `[row]`."""
        number = self.number()
        end = np.cumsum(number)
        begin = end - number
        before = np.concatenate([[0.0], np.cumsum(self.weight)])
        at_risk = np.maximum(before[end[self.lane]] - before[:-1], self.weight)
        last = self.finished & (np.arange(self.lane.size) + 1 == end[self.lane])
        step = np.where(self.finished & ~last, np.log1p(-np.minimum(self.weight / at_risk, 1 - _SURE)), 0.0)
        total = np.concatenate([[0.0], np.cumsum(step)])
        return np.where(last, 0.0, np.exp(total[1:] - total[begin[self.lane]]))

    def _first_s(self, under_way: FloatArray, level: FloatArray, longest_s: FloatArray) -> FloatArray:
        reached = under_way <= 1 - level[self.lane] + _SURE
        first_s = floats(self.lanes, np.inf)
        np.minimum.at(first_s, self.lane[reached], self.time_s[reached])
        return np.where(np.isfinite(first_s), first_s, longest_s)

    def _longest_s(self) -> FloatArray:
        longest_s = floats(self.lanes)
        np.maximum.at(longest_s, self.lane, self.time_s)
        return longest_s
