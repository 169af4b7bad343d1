"""Quantiles that stay as they are until there is evidence against them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import any_by

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray, SmallArray
    from policies.survival import Times

ENOUGH = 3  # times that are known from which on a prior no longer counts, and slow events in a row that raise
SAME_RATIO = 0.1  # what differs by less is the same
RAISE_Z = 1.645  # one-sided 95 %
LOWER_Z = 0.842  # one-sided 80 %

_SURE = 1e-6  # a sum of weights this close below a whole number is that number


@dataclass(frozen=True, slots=True)
class InForce:
    """A quantile of each lane and what has spoken against it so far, `[lane]`, or `[lane, case]` for `of`.

    An event is what happened at once; the times of one event weigh 1 together. A value changes on evidence alone:

    - it is *raised* when the quantile lies above it even at the lower end of its 95 % interval, with events as the
      number of trials, or when three events in a row took longer;
    - it is *lowered* when the quantile lies below it even at the upper end of its 80 % interval;
    - what differs by less than a tenth is the same.

    With ten times of 60 s the lower end of the 0.9 quantile is the 0.74 quantile: two slow ones among them change
    nothing, three do. With 32 it comes back once no more than one of them is slow.
    """

    value_s: FloatArray  # 0 = nothing is known
    known: SmallArray  # times that it rests on, ENOUGH at most
    slower: FloatArray  # weight of the last times that all took longer
    slower_s: FloatArray  # the shortest of these; inf = none

    @classmethod
    def nothing(cls, lanes: int, cases: int) -> InForce:
        """Nothing is known of any of so many cases, `[lane, case]`."""
        shape = lanes, cases
        return cls(np.zeros(shape), np.zeros(shape, np.int8), np.zeros(shape), np.full(shape, np.inf))

    def of(self, lanes: IntArray, case: int) -> InForce:
        """Those of one case, of some lanes."""
        return InForce(*(getattr(self, column.name)[lanes, case] for column in fields(self)))

    def copy(self) -> InForce:
        """The same in arrays of its own, for `put`."""
        return InForce(*(getattr(self, column.name).copy() for column in fields(self)))

    def put(self, lanes: IntArray, case: int, force: InForce) -> None:
        """Write what holds for one case of some lanes into a copy."""
        for column in fields(self):
            getattr(self, column.name)[lanes, case] = getattr(force, column.name)

    def counted(self, lane: IntArray, time_s: FloatArray, weight: FloatArray) -> InForce:
        """With times that became known; one that is not longer ends the row of those that are."""
        lanes = self.value_s.size
        longer = time_s > self._bar_s()[lane]
        broken = any_by(lane, ~longer, lanes)
        more = np.bincount(lane[longer], weights=weight[longer], minlength=lanes)
        least_s = self.slower_s.copy()
        np.minimum.at(least_s, lane[longer], time_s[longer])
        slower, slower_s = np.where(broken, 0.0, self.slower + more), np.where(broken, np.inf, least_s)
        return InForce(self.value_s, self.known, slower, slower_s)

    def moved(self, times: Times, prior_s: FloatArray, quantile: float) -> InForce:
        """With the value that `times` leave in force.

        Up to `ENOUGH` known times, k of them are averaged with `prior_s`, weighted k : ENOUGH - k; one that is not
        known yet counts like them as far as it is longer than the prior.
        """
        number = times.finished_number()
        known = np.maximum(self.known, np.minimum(number, ENOUGH)).astype(np.int8)
        spread = np.sqrt(quantile * (1 - quantile) / np.maximum(times.finished_weight(), 1.0))
        middle = np.full(number.size, quantile)
        point_s, least_s, most_s = times.quantiles_s(
            middle, np.maximum(middle - RAISE_Z * spread, 0.0), middle + LOWER_Z * spread
        )
        stands_s = np.where(self.value_s > 0, self.value_s, prior_s)
        held = self.known == ENOUGH  # else a guess stands, against which the quantile itself is enough
        band, most_s = np.where(held, SAME_RATIO, 0.0), np.where(held, most_s, point_s)
        against = (least_s > stands_s * (1 + band)) | (most_s < stands_s * (1 - band))
        value_s = np.where(against & (number >= ENOUGH), point_s, stands_s)
        few_s = np.where(times.number() > 0, _averaged(times, number, point_s, prior_s), 0.0)
        value_s = np.where(known < ENOUGH, few_s, value_s)
        return self._raised(times, value_s, known)

    def _raised(self, times: Times, value_s: FloatArray, known: SmallArray) -> InForce:
        """With `value_s`, raised where enough events in a row took longer than what stood, those under way included."""
        bar_s = self._bar_s()
        rows = ~times.finished & (times.time_s > bar_s[times.lane])
        lane, lanes = times.lane[rows], value_s.size
        least_s = self.slower_s.copy()
        np.minimum.at(least_s, lane, times.time_s[rows])
        events = self.slower + np.bincount(lane, weights=times.weight[rows], minlength=lanes)
        enough = events >= ENOUGH - _SURE
        raised_s = np.where(enough, np.maximum(value_s, least_s), value_s)
        return InForce(raised_s, known, np.where(enough, 0.0, self.slower), np.where(enough, np.inf, self.slower_s))

    def _bar_s(self) -> FloatArray:
        """What a time must exceed to be longer than what stands; nothing is while too little is known."""
        return np.where(self.known == ENOUGH, self.value_s * (1 + SAME_RATIO), np.inf)


def _averaged(times: Times, number: IntArray, point_s: FloatArray, prior_s: FloatArray) -> FloatArray:
    """What few times say, averaged with the prior."""
    overdue = ~times.finished & (times.time_s > prior_s[times.lane])
    late = np.bincount(times.lane[overdue], weights=times.weight[overdue], minlength=times.lanes)
    trust = np.minimum(np.maximum(number, late), ENOUGH) / ENOUGH
    return trust * point_s + (1 - trust) * prior_s
