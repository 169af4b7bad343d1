"""The largest memory use of each interval, which is what a histogram of memory is made of, and what a kill adds to it.

Source: kubernetes/autoscaler, vertical-pod-autoscaler/pkg/recommender/model/container.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray, floats, integers
from policies.resources.amounts import scaled
from policies.resources.model import DAY_S

if TYPE_CHECKING:
    from policies.resources.histogram import Histograms

NEVER_S = -np.inf
WEIGHT = 1.0


class Bump(NamedTuple):
    """By how much more than it had a container that was killed for want of memory may have needed."""

    ratio: float = 1.2
    least_bytes: int = 100 << 20

    def of(self, used: IntArray) -> IntArray:
        """What was needed where so much was used or requested, `[container]`: of 1 MiB 101 MiB, of 1000 MiB 1200."""
        return np.maximum(used + self.least_bytes, scaled(used, self.ratio))


BUMP = Bump()


class Change(NamedTuple):
    """What a sample did to each container asked, `[row]`: whether it counts, the peak it takes away, the one it adds.

    Peaks of -1 are none. Both are of the time `at_s`, the end of the interval.
    """

    counts: BoolArray
    gone: IntArray
    came: IntArray
    at_s: FloatArray


@dataclass(slots=True)
class Peaks:
    """By container, `[container]`: the peak of the present interval, by use and by kills. Written to by its methods."""

    interval_s: float
    end_s: FloatArray  # of the present interval; infinitely long ago before the first sample
    sample_s: FloatArray  # of the last sample
    by_use: IntArray
    by_kill: IntArray

    @classmethod
    def none(cls, containers: int, interval_s: float = DAY_S) -> Peaks:
        """Nothing was seen of any container."""
        never = floats(containers, NEVER_S)
        return cls(interval_s, never, never.copy(), integers(containers), integers(containers))

    def sample(self, rows: IntArray, at_s: FloatArray, used: IntArray) -> Change:
        """Note use in bytes; a sample older than the last one does not count."""
        return self._noted(rows, at_s, used, at_s >= self.sample_s[rows], self.by_use, self.by_kill)

    def kill(self, rows: IntArray, at_s: FloatArray, requested: IntArray, bump: Bump = BUMP) -> Change:
        """Note kills for want of memory; one more than an interval older than the last sample does not count.

        What was needed is reckoned from the request or the peak by use; that of an earlier kill is left out, so that
        one kill after the other does not run away.
        """
        needed = bump.of(np.maximum(requested, self.by_use[rows]))
        counts = at_s >= self.sample_s[rows] - self.interval_s
        return self._noted(rows, at_s, needed, counts, self.by_kill, self.by_use)

    def _noted(  # noqa: PLR0913 - of the two methods above alone
        self, rows: IntArray, at_s: FloatArray, amount: IntArray, counts: BoolArray, own: IntArray, other: IntArray
    ) -> Change:
        self.sample_s[rows] = np.where(counts, at_s, self.sample_s[rows])
        end_s = np.where(np.isneginf(self.end_s[rows]), at_s, self.end_s[rows])
        later = counts & (at_s >= end_s)
        passed = np.where(later, (np.maximum(at_s - end_s, 0.0) // self.interval_s + 1.0) * self.interval_s, 0.0)
        self.end_s[rows] = np.where(counts, end_s + passed, self.end_s[rows])
        peak = np.maximum(self.by_use[rows], self.by_kill[rows])
        higher = counts & ~later & (peak > 0) & (amount > peak)
        own[rows] = np.where(higher | later, amount, own[rows])
        other[rows] = np.where(later, 0, other[rows])
        return Change(counts, np.where(higher, peak, -1), np.where(higher | later, amount, -1), self.end_s[rows])


def applied(histograms: Histograms, rows: IntArray, change: Change) -> None:
    """Put what changed into the histograms of these containers."""
    for peaks, put in ((change.gone, histograms.subtract), (change.came, histograms.add)):
        if (some := peaks >= 0).any():
            put(rows[some], peaks[some].astype(np.float64), WEIGHT, change.at_s[some])
