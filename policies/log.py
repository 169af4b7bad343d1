"""A short log of timed counts per lane, as stabilisation windows and rate policies need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import indices, integers

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Log:
    """Entries by lane and slot, `[lane, slot]`; an empty slot lies at -infinity. `used` counts them, `[lane]`."""

    at_s: FloatArray
    value: IntArray
    used: IntArray

    @classmethod
    def empty(cls, lanes: int) -> Log:
        """No entries."""
        return cls(np.full((lanes, 0), -np.inf), np.zeros((lanes, 0), np.int64), integers(lanes))

    def noted(self, now_s: float | FloatArray, value: IntArray, lane: BoolArray, keep_s: FloatArray) -> Log:
        """With one more entry for the lanes that `lane` names, over the last entry older than `keep_s`, else added."""
        rows = indices(lane)
        if rows.size == 0:
            return self
        at = now_s[rows] if isinstance(now_s, np.ndarray) else np.full(rows.size, now_s, np.float64)
        slot = self._slot(rows, at, keep_s[rows])
        wider = self._widened(int(slot.max()) + 1)
        at_s, values, used = wider.at_s.copy(), wider.value.copy(), wider.used.copy()
        at_s[rows, slot], values[rows, slot] = at, value[rows]
        used[rows] = np.maximum(used[rows], slot + 1)
        return Log(at_s, values, used)

    def largest(self, now_s: float, window_s: FloatArray, *, start: IntArray) -> IntArray:
        """The largest of `start` and the entries strictly younger than `window_s`, `[lane]`."""
        if self.at_s.shape[1] == 0:
            return start
        young = self.at_s > (now_s - window_s)[:, None]
        largest: IntArray = np.where(young, self.value, np.iinfo(np.int64).min).max(axis=1)
        return np.maximum(start, largest)

    def smallest(self, now_s: float, window_s: FloatArray, *, start: IntArray) -> IntArray:
        """The smallest of `start` and the entries strictly younger than `window_s`, `[lane]`."""
        if self.at_s.shape[1] == 0 or not window_s.any():
            return start
        young = self.at_s > (now_s - window_s)[:, None]
        smallest: IntArray = np.where(young, self.value, np.iinfo(np.int64).max).min(axis=1)
        return np.minimum(start, smallest)

    def newest_s(self) -> FloatArray:
        """When each lane's newest entry was made, `[lane]`; -infinity for none."""
        newest: FloatArray = self.at_s.max(axis=1, initial=-np.inf)
        return newest

    def sum_since(self, now_s: float, lane: IntArray, window_s: FloatArray) -> IntArray:
        """The sum of lane `lane[row]`'s entries strictly younger than `window_s[row]`, `[row]`."""
        if self.at_s.shape[1] == 0:
            return integers(lane.size)
        young = self.at_s[lane] > (now_s - window_s)[:, None]
        total: IntArray = np.where(young, self.value[lane], 0).sum(axis=1)
        return total

    def until(self, now_s: float) -> Log:
        """Entries from the future, as a clock that was set back leaves them, count as of `now_s`.

        Else windows and rates would hold until the old time comes again, and the log would grow meanwhile.
        """
        if self.at_s.size == 0 or self.at_s.max() <= now_s:
            return self
        return Log(np.minimum(self.at_s, now_s), self.value, self.used)

    def aligned(self, source: IntArray) -> Log:
        """Lane i takes the entries of lane `source[i]`; -1 = none."""
        found = source >= 0
        if self.at_s.shape[0] == 0:
            return Log.empty(source.size)
        return Log(
            np.where(found[:, None], self.at_s[source], -np.inf),
            np.where(found[:, None], self.value[source], 0),
            np.where(found, self.used[source], 0),
        )

    def _slot(self, rows: IntArray, now_s: FloatArray, keep_s: FloatArray) -> IntArray:
        """The last slot whose entry is older than needed, else the next free one."""
        width = self.at_s.shape[1]
        if width == 0:
            return self.used[rows]
        filled = np.arange(width) < self.used[rows][:, None]
        outdated = filled & (self.at_s[rows] < (now_s - keep_s)[:, None])
        last = width - 1 - np.argmax(outdated[:, ::-1], axis=1)
        return np.where(outdated.any(axis=1), last, self.used[rows])

    def _widened(self, width: int) -> Log:
        lanes, have = self.at_s.shape
        if width <= have:
            return self
        return Log(
            np.hstack([self.at_s, np.full((lanes, width - have), -np.inf)]),
            np.hstack([self.value, np.zeros((lanes, width - have), np.int64)]),
            self.used,
        )
