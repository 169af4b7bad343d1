"""Whether what is seen contradicts a declared capacity: replicas queue or are late at a load that they should serve.

Only settled moments count: all replicas that were asked for are ready, and the reading is fresh. Memory fades, and what
was served in calm at the same load speaks for the declaration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import floats, integers
from policies.censoring import pressed_lanes
from policies.hpa.pods import ready_pods
from policies.lateness import realised
from policies.model import Source, Status, Why, signal_name
from policies.rows import demand_tracks

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.model import Fleet, Observation

TROUBLE_HALF_S = 1_800.0
CALM_HALF_S = 21_600.0
EVIDENCE_S = 600.0  # of trouble, faded: ten minutes at a stretch, or more over an hour
LATE_TIMES, LATE_LEAST = 4.0, 0.05  # the share late now is of few requests: trouble is well above what may be late
PLATEAU = 0.15  # standard deviation of the load in trouble, over its mean
CLEAR = 0.95  # of the declared limit: nearer to it is no contradiction
_LONGEST_S = 60.0  # that one observation speaks for


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is remembered of each demand track, `[row]`: loads are of one ready replica, over the declared capacity."""

    at_s: float
    trouble_s: FloatArray  # time in trouble, faded
    load_s: FloatArray  # the load, summed over that time
    square_s: FloatArray  # and its square
    calm: FloatArray  # the highest load served in calm, faded

    @classmethod
    def none(cls, rows: int = 0) -> Doubt:
        """Nothing was seen."""
        return cls(-np.inf, floats(rows), floats(rows), floats(rows), floats(rows))

    def aligned(self, source: IntArray) -> Doubt:
        """The rows of `source`; -1 is a new one."""
        if self.trouble_s.size == 0:
            return Doubt.none(source.size)
        columns = (self.trouble_s, self.load_s, self.square_s, self.calm)
        return Doubt(self.at_s, *(np.where(source >= 0, each[source], 0.0) for each in columns))


@dataclass(frozen=True, slots=True)
class Contradicted:
    """Declared capacities that are contradicted, a row each."""

    lane: IntArray
    track: IntArray
    load: FloatArray  # of one ready replica in trouble, in the track's unit
    declared: FloatArray  # what one replica serves in time by the policy
    trouble_s: FloatArray

    @classmethod
    def none(cls) -> Contradicted:
        """Nothing is contradicted."""
        return cls(integers(0), integers(0), floats(0), floats(0), floats(0))


def doubted(doubt: Doubt, fleet: Fleet, seen: Observation) -> Doubt:
    """`doubt` after this observation, whose saturated readings are marked already."""
    tracks = demand_tracks(fleet)
    before = doubt if doubt.trouble_s.size == tracks.size else Doubt.none(tracks.size)
    if tracks.size == 0:
        return before
    gap_s = max(seen.now_s - before.at_s, 0.0) if np.isfinite(before.at_s) else 0.0
    load, known = _load(fleet, seen, tracks)
    trouble = _trouble(fleet, seen)[fleet.tracks.lane[tracks]]
    fade, calm_fade = 0.5 ** (gap_s / TROUBLE_HALF_S), 0.5 ** (gap_s / CALM_HALF_S)
    added_s = np.where(known & trouble, min(gap_s, _LONGEST_S), 0.0)
    return Doubt(
        seen.now_s,
        before.trouble_s * fade + added_s,
        before.load_s * fade + added_s * load,
        before.square_s * fade + added_s * load**2,
        np.maximum(before.calm * calm_fade, np.where(known & ~trouble, load, 0.0)),
    )


def contradicted(doubt: Doubt, fleet: Fleet) -> Contradicted:
    """The declared capacities that the evidence contradicts.

    In trouble the load stayed on a plateau, clearly below what is declared to be served in time, and no lower than the
    highest that was served in calm.
    """
    tracks = demand_tracks(fleet)
    if doubt.trouble_s.size != tracks.size or not (doubt.trouble_s >= EVIDENCE_S).any():
        return Contradicted.none()
    lane = fleet.tracks.lane[tracks]
    time_s = np.maximum(doubt.trouble_s, 1e-9)
    mean = doubt.load_s / time_s
    deviation = np.sqrt(np.maximum(doubt.square_s / time_s - mean**2, 0.0))
    found = (doubt.trouble_s >= EVIDENCE_S) & (mean > 0) & (deviation <= PLATEAU * mean)
    found &= (mean < CLEAR * fleet.serving_limit_ratio[lane]) & (mean >= CLEAR * doubt.calm)
    rows = found.nonzero()[0]
    capacity = fleet.tracks.capacity_milli[tracks[rows]] / 1000.0
    in_time = capacity * fleet.serving_limit_ratio[lane[rows]]
    return Contradicted(lane[rows], tracks[rows], mean[rows] * capacity, in_time, doubt.trouble_s[rows])


def _load(fleet: Fleet, seen: Observation, tracks: IntArray) -> tuple[FloatArray, BoolArray]:
    """The load of one ready replica over the declared capacity, and whether it says anything now, `[row]`."""
    table, reading = fleet.tracks, seen.readings
    lane = table.lane[tracks]
    ready = (ready_pods(seen.pods, fleet.lanes) // np.maximum(seen.pods_per_replica, 1))[lane]
    settled = (ready > 0) & (ready == seen.spec_replicas[lane]) & (ready == seen.status_replicas[lane])
    status, why = reading.status[tracks], reading.why[tracks]
    told = (status == Status.FRESH) | ((status == Status.CENSORED) & (why == Why.SATURATED))
    declared = (table.capacity_milli[tracks] > 0) & (table.source[tracks] != Source.UNKNOWN)
    known: BoolArray = settled & told & declared & (reading.value_milli[tracks] > 0)
    capacity = np.where(declared, table.capacity_milli[tracks], 1) * np.maximum(ready, 1).astype(np.float64)
    return np.where(known, reading.value_milli[tracks] / capacity, 0.0), known


def _trouble(fleet: Fleet, seen: Observation) -> BoolArray:
    """Lanes that are late, as their late signals tell, or where none does are pressed above a target, `[lane]`."""
    late, told = realised(fleet, seen.readings)
    much = late > np.maximum(LATE_TIMES * fleet.late_ratio, LATE_LEAST)
    trouble: BoolArray = np.where(told, much, pressed_lanes(fleet, seen))
    return trouble


def contradiction_sentences(found: Contradicted, fleet: Fleet, lane: int) -> tuple[str, ...]:
    """What is contradicted of one lane, for people."""
    return tuple(
        f"The declared capacity of signal {signal_name(fleet.tracks.uid[track])} is contradicted: replicas queue or are"
        f" late at {load:.4g} each, and {declared:.4g} is declared to be served in time; see `foresail calibrate`."
        for row, track, load, declared in zip(
            found.lane.tolist(), found.track.tolist(), found.load.tolist(), found.declared.tolist(), strict=True
        )
        if row == lane
    )
