"""How long each lane's pods take to become ready, learned from finished start-ups and from those under way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import booleans, floats, indices, integers

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.model import Starts

REMEMBERED = 32  # start-ups per lane; with 10 replaced a day, three days
DEFAULT_STARTUP_S = 120.0  # of a lane that has not started a pod yet
LONGEST_STARTUP_S = 3600.0  # no forecast reaches further, and a pod that hangs for hours is no start-up
ENOUGH = 3  # finished start-ups from which on the default no longer counts
DEFAULT_QUANTILE = 0.9

_SURE = 1e-6  # shares that differ by less are equal: the rounding of a sum over the fleet must not decide for a lane


@dataclass(frozen=True, slots=True)
class StartTimes:
    """The last start-up times of each lane, and what they say. Make one with `empty`."""

    duration_s: FloatArray  # ring of finished start-ups [lane, REMEMBERED]
    count: IntArray  # start-ups finished ever; the next one is written at count % REMEMBERED [lane]
    pending: BoolArray  # pods were under way when last looked at [lane]
    quantile_s: FloatArray  # [lane]

    @classmethod
    def empty(cls, lanes: int) -> StartTimes:
        """Nothing seen yet: every lane starts in `DEFAULT_STARTUP_S`."""
        return cls(np.zeros((lanes, REMEMBERED)), integers(lanes), booleans(lanes), floats(lanes, DEFAULT_STARTUP_S))

    @property
    def filled(self) -> IntArray:
        """How many start-ups are remembered, `[lane]`."""
        return np.minimum(self.count, REMEMBERED)

    def learned(self, starts: Starts, quantile: float = DEFAULT_QUANTILE) -> StartTimes:
        """With what was seen since the last call. `starts` lists every start-up under way, each time.

        The quantile is that of Kaplan and Meier, "Nonparametric estimation from incomplete observations",
        JASA 53 (1958): a start-up under way counts as one that takes longer than it has so far. Where the
        estimate does not come down to the quantile, the longest time seen stands for it. Two rules beside it:

        - with k < 3 finished start-ups it is averaged with the default, weighted k : 3 - k
          (one of 30 s gives 30 / 3 + 120 * 2 / 3 = 90 s);
        - a pod under way for longer than any finished one raises it to that pod's time so far.

        Lanes without news keep their value.
        """
        told = np.isfinite(starts.duration_s) & (starts.duration_s >= 0)
        finished = indices(told & starts.finished)
        pending = indices(told & ~starts.finished)
        after = self._with_finished(starts.lane[finished], starts.duration_s[finished])
        news = self.pending.copy()  # a pod that went away without getting ready is news as well
        news[starts.lane[told]] = True
        if not news.any():
            return self
        under_way = booleans(self.count.size)
        under_way[starts.lane[pending]] = True
        times = _Times.of(after, indices(news), starts.lane[pending], starts.duration_s[pending])
        quantile_s = self.quantile_s.copy()
        quantile_s[news] = times.startup_s(after.filled[news], quantile)
        return replace(after, pending=under_way, quantile_s=quantile_s)

    def aligned(self, source: IntArray) -> StartTimes:
        """Lane i takes what old lane `source[i]` learned; -1 stands for a new lane."""
        if np.array_equal(source, np.arange(self.count.size)):
            return self
        new = StartTimes.empty(source.size)
        to = indices(source >= 0)
        for old, into in (
            (self.duration_s, new.duration_s),
            (self.count, new.count),
            (self.pending, new.pending),
            (self.quantile_s, new.quantile_s),
        ):
            into[to] = old[source[to]]
        return new

    def _with_finished(self, lane: IntArray, duration_s: FloatArray) -> StartTimes:
        if lane.size == 0:
            return self
        ring = self.duration_s.copy()
        rank = np.arange(lane.size) - np.searchsorted(lane, lane)
        ring[lane, (self.count[lane] + rank) % REMEMBERED] = duration_s
        return replace(self, duration_s=ring, count=self.count + np.bincount(lane, minlength=self.count.size))


@dataclass(frozen=True, slots=True)
class _Times:
    """Start-up times of some lanes, sorted by lane and time, finished ones first among equals."""

    lanes: int
    lane: IntArray  # 0 .. lanes - 1
    time_s: FloatArray
    finished: BoolArray

    @classmethod
    def of(cls, seen: StartTimes, lanes: IntArray, pending_lane: IntArray, pending_s: FloatArray) -> _Times:
        """The remembered times of `lanes` and those so far of the pods under way there."""
        row, slot = np.nonzero(np.arange(REMEMBERED) < seen.filled[lanes, np.newaxis])
        lane = np.concatenate([row, np.searchsorted(lanes, pending_lane)])
        time_s = np.concatenate([seen.duration_s[lanes[row], slot], pending_s])
        finished = np.arange(lane.size) < row.size
        order = np.lexsort((~finished, time_s, lane))
        return cls(lanes.size, lane[order], time_s[order], finished[order])

    def startup_s(self, filled: IntArray, quantile: float) -> FloatArray:
        """The start-up time to plan with, `[lane]`; `filled` says how many finished ones it rests on."""
        trust = np.minimum(filled, ENOUGH) / ENOUGH
        blended = trust * self._kaplan_meier_s(quantile) + (1 - trust) * DEFAULT_STARTUP_S
        longest_pending_s, longest_finished_s = self._longest_s(~self.finished), self._longest_s(self.finished)
        overdue = longest_pending_s > longest_finished_s
        startup_s = np.where(overdue, np.maximum(blended, longest_pending_s), blended)
        return np.minimum(startup_s, LONGEST_STARTUP_S)

    def _kaplan_meier_s(self, quantile: float) -> FloatArray:
        """The first time by which at most 1 - `quantile` are still starting, `[lane]`; else the longest seen."""
        ends = np.searchsorted(self.lane, np.arange(self.lanes), side="right")
        at_risk = ends[self.lane] - np.arange(self.lane.size)
        last = self.finished & (at_risk == 1)
        step = np.log1p(-1.0 / np.maximum(at_risk, 2))
        total = np.concatenate([[0.0], np.cumsum(np.where(self.finished & ~last, step, 0.0))])
        starts = np.searchsorted(self.lane, np.arange(self.lanes))
        still_starting = np.where(last, 0.0, np.exp(total[1:] - total[starts[self.lane]]))
        reached = still_starting <= 1 - quantile + _SURE
        first_s = floats(self.lanes, np.inf)
        np.minimum.at(first_s, self.lane[reached], self.time_s[reached])
        return np.where(np.isfinite(first_s), first_s, self._longest_s(self.time_s >= 0))

    def _longest_s(self, rows: BoolArray) -> FloatArray:
        longest_s = floats(self.lanes)
        np.maximum.at(longest_s, self.lane[rows], self.time_s[rows])
        return longest_s
