"""Many workloads that fall to nothing at once: more likely the metrics' path that broke than all loads that ended.

A gateway that counts for all, a recording rule or a relabelling that goes wrong answers freshly, and with zero. Such
readings may raise and never lower, until the load is back or has been away for so long that it must be true.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import any_by, floats
from policies.candidates import capacity_per_replica
from policies.model import Status, Why
from policies.rows import demand_tracks

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.model import Fleet, Observation

NOTHING = 0.05  # of the load lately: so little is as good as none
LEAST_LOAD = 0.5  # replicas at full capacity: what loads below it do changes no count by much
FADES_S = 600.0  # in which the load lately fades by half: 0.3 of it is left of a load that fell 17 min ago
AT_ONCE_S = 300.0  # windows of rates and intervals of scrapes spread one outage over so long
LEAST_LANES = 3  # of one or two workloads nobody can tell
SHARE = 0.5  # of the workloads that had a load
BELIEVED_S = 3600.0  # an outage of metrics is mended by then, or people have told


@dataclass(frozen=True, slots=True)
class Drops:
    """What is remembered of each demand track, `[row]`."""

    at_s: float
    lately: FloatArray  # load in replicas at full capacity, the largest, fading
    fell_s: FloatArray  # since when it is nothing; inf while it is not
    doubted_s: FloatArray  # since when it is not believed; inf where it is

    @classmethod
    def none(cls, rows: int = 0) -> Drops:
        """Nothing was seen."""
        return cls(-np.inf, floats(rows), floats(rows, np.inf), floats(rows, np.inf))

    def aligned(self, source: IntArray) -> Drops:
        """The rows of `source`; -1 is a new one."""
        if self.lately.size == 0:
            return Drops.none(source.size)
        known = source >= 0
        fell_s, doubted_s = (np.where(known, each[source], np.inf) for each in (self.fell_s, self.doubted_s))
        return Drops(self.at_s, np.where(known, self.lately[source], 0.0), fell_s, doubted_s)


def with_mass_drop(fleet: Fleet, drops: Drops, seen: Observation) -> tuple[Drops, Observation]:
    """`drops` after this observation, and `seen` with the readings that are not believed marked STALE.

    A row falls when a fresh reading is nothing beside its load lately. When half of the lanes that had a load, and
    three at the least, fall within five minutes, none of these falls is believed. Lanes are not judged alone here.
    """
    tracks = demand_tracks(fleet)
    if not fleet.limits.mass_drop or tracks.size == 0:
        return drops, seen
    before = drops if drops.lately.size == tracks.size else Drops.none(tracks.size)
    fresh = seen.readings.status[tracks] == Status.FRESH
    after = _fallen(before, _load(fleet, seen, tracks), fresh, seen.now_s)
    after = replace(after, doubted_s=_doubted(after, fleet.tracks.lane[tracks], fleet.lanes))
    doubted = np.isfinite(after.doubted_s) & fresh
    if not doubted.any():
        return after, seen
    status, why = seen.readings.status.copy(), seen.readings.why.copy()
    status[tracks[doubted]], why[tracks[doubted]] = Status.STALE, Why.MASS_DROP
    return after, replace(seen, readings=replace(seen.readings, status=status, why=why))


def _load(fleet: Fleet, seen: Observation, tracks: IntArray) -> FloatArray:
    """Replicas that the readings would fill, `[row]`; 0 where nobody knows what one serves."""
    capacity = capacity_per_replica(fleet, seen)[tracks]
    return np.where(capacity > 0, seen.readings.value_milli[tracks] / 1000.0 / np.maximum(capacity, 1e-9), 0.0)


def _fallen(before: Drops, load: FloatArray, fresh: BoolArray, now_s: float) -> Drops:
    """Which rows are nothing, and since when. What is not fresh leaves a row as it was, but for what fades."""
    gap_s = max(now_s - before.at_s, 0.0) if np.isfinite(before.at_s) else 0.0
    doubted_s, fell_s = _until(before.doubted_s, now_s), _until(before.fell_s, now_s)
    faded = np.where(np.isfinite(doubted_s), before.lately, before.lately * 0.5 ** (gap_s / FADES_S))
    believed = doubted_s <= now_s - BELIEVED_S
    nothing = (faded >= LEAST_LOAD) & (load <= NOTHING * faded) & ~believed
    well = fresh & ~nothing
    lately = np.where(well, np.maximum(load, np.where(believed, 0.0, faded)), faded)
    fell_s = np.where(well, np.inf, np.where(fresh & nothing, np.minimum(fell_s, now_s), fell_s))
    return Drops(now_s, lately, fell_s, np.where(well, np.inf, doubted_s))


def _until(at_s: FloatArray, now_s: float) -> FloatArray:
    """Times of a clock that was set back count as of now."""
    return np.where(np.isfinite(at_s), np.minimum(at_s, now_s), np.inf)


def _doubted(drops: Drops, lane: IntArray, lanes: int) -> FloatArray:
    """Since when each row is not believed, those included of which so many fell just now."""
    just = np.isfinite(drops.fell_s) & (drops.fell_s > drops.at_s - AT_ONCE_S)
    had = (drops.lately >= LEAST_LOAD) & (just | ~np.isfinite(drops.fell_s))
    fallen, alive = (int(any_by(lane, rows, lanes).sum()) for rows in (just, had))
    if fallen < max(LEAST_LANES, SHARE * alive):
        return drops.doubted_s
    return np.where(just, np.minimum(drops.doubted_s, drops.at_s), drops.doubted_s)
