"""What the engine remembers from tick to tick, and the one place where lanes are matched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray, booleans, indices
from policies.history import History
from policies.log import Log
from policies.model import Kind
from policies.startup import StartTimes

if TYPE_CHECKING:
    from policies.forecast.seasonal import SeasonalFit
    from policies.model import Fleet

VERSION = 1


@dataclass(frozen=True, slots=True)
class Removals:
    """Replicas taken away by Foresail in the whole fleet, oldest first."""

    at_s: FloatArray
    count: IntArray

    @classmethod
    def none(cls) -> Removals:
        """Nothing was removed."""
        return cls(np.zeros(0), np.zeros(0, np.int64))

    def until(self, now_s: float) -> Removals:
        """Removals from the future, as a clock that was set back leaves them, count as of `now_s`."""
        return self if (self.at_s <= now_s).all() else Removals(np.minimum(self.at_s, now_s), self.count)

    def since(self, at_s: float) -> int:
        """How many replicas were removed after `at_s`."""
        return int(self.count[self.at_s > at_s].sum())


@dataclass(frozen=True, slots=True)
class EngineState:
    """State of every lane, `[lane]`, and of every demand track (`rows`, in the order of the fleet's tracks)."""

    version: int
    uid: tuple[str, ...]
    rows: tuple[str, ...]
    seen: BoolArray  # the lane's first count is in its log
    zeroed: BoolArray  # scaled to zero by decision, so that it may be woken
    advice: Log  # what the Kubernetes rule recommended, unstabilised
    ahead: Log  # what the forecast recommended, unstabilised
    rises: Log
    falls: Log
    starts: StartTimes
    removals: Removals
    history: History
    fit: SeasonalFit | None = None

    @classmethod
    def fresh(cls, fleet: Fleet) -> EngineState:
        """A state that has seen nothing."""
        none = Log.empty(0)
        nothing = cls(
            version=VERSION,
            uid=(),
            rows=(),
            seen=booleans(0),
            zeroed=booleans(0),
            advice=none,
            ahead=none,
            rises=none,
            falls=none,
            starts=StartTimes.empty(0),
            removals=Removals.none(),
            history=History.empty(0),
        )
        return nothing.aligned_to(fleet)

    def until(self, now_s: float) -> EngineState:
        """This state where nothing was noted after `now_s`, whatever the clock said before it was set back."""
        noted = (self.advice, self.ahead, self.rises, self.falls, self.removals)
        if not any(table.at_s.size and table.at_s.max() > now_s for table in noted):
            return self
        return replace(
            self,
            advice=self.advice.until(now_s),
            ahead=self.ahead.until(now_s),
            rises=self.rises.until(now_s),
            falls=self.falls.until(now_s),
            removals=self.removals.until(now_s),
        )

    def aligned_to(self, fleet: Fleet) -> EngineState:
        """This state in the order of `fleet`: lanes that went are forgotten, new ones start fresh."""
        rows = demand_rows(fleet)
        if self.uid is fleet.uid and self.rows is rows:
            return self
        if self.uid == fleet.uid and self.rows == rows:
            return replace(self, uid=fleet.uid, rows=rows)
        lane, row = _source(self.uid, fleet.uid), _source(self.rows, rows)
        return replace(
            self,
            uid=fleet.uid,
            rows=rows,
            seen=_taken(self.seen, lane),
            zeroed=_taken(self.zeroed, lane),
            advice=self.advice.aligned(lane),
            ahead=self.ahead.aligned(lane),
            rises=self.rises.aligned(lane),
            falls=self.falls.aligned(lane),
            starts=self.starts.aligned(lane),
            history=self.history.aligned(row),
            fit=None if self.fit is None else self.fit.aligned(rows),
        )


def demand_rows(fleet: Fleet) -> tuple[str, ...]:
    """The uids of the demand tracks, in order; the same object for the same fleet, so that comparing is quick."""
    demand = fleet.tracks.kind == Kind.DEMAND
    return fleet.tracks.uid if demand.all() else _chosen(fleet.tracks.uid, demand.tobytes())


@lru_cache(maxsize=4)
def _chosen(uid: tuple[str, ...], rows: bytes) -> tuple[str, ...]:
    return tuple(compress(uid, rows))


def demand_tracks(fleet: Fleet) -> IntArray:
    """The tracks that history, fits and forecasts have rows for, `[row]`."""
    return indices(fleet.tracks.kind == Kind.DEMAND)


def _source(old: tuple[str, ...], new: tuple[str, ...]) -> IntArray:
    place = {uid: index for index, uid in enumerate(old)}
    return np.array([place.get(uid, -1) for uid in new], np.int64)


def _taken(values: BoolArray, source: IntArray) -> BoolArray:
    if values.size == 0:
        return booleans(source.size)
    return np.where(source >= 0, values[source], False)  # noqa: FBT003 - a fill value, as in np.where
