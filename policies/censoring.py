"""When what was served is only a lower bound of the demand: near saturation, demand is right-censored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import any_by, small
from policies.hpa.pods import ready_pods
from policies.model import UNKNOWN, Kind, Source, Status, TargetKind, Why

if TYPE_CHECKING:
    from policies.arrays import BoolArray
    from policies.model import Fleet, Observation

FULL = 0.999
"""From this share of the ready replicas' serving limit on, served load no longer tells the demand.

What is above the limit is late, and a capacity that was declared too high shows as a load that stays at the limit.
"""


def with_censored(fleet: Fleet, seen: Observation) -> Observation:
    """`seen` with fresh demand readings marked CENSORED where the lane was saturated.

    A lane is saturated when one of its pressure signals is above its target, or when its demand reaches what the
    ready replicas can serve at all. A censored reading may raise and never lowers, and no model learns from it.
    """
    demand = fleet.tracks.kind == Kind.DEMAND
    if not demand.any() or (seen.pods.lane.size == 0 and demand.all()):
        return seen
    pressed = pressed_lanes(fleet, seen)[fleet.tracks.lane]
    reading = seen.readings
    censored = demand & (reading.status == Status.FRESH) & (pressed | _full(fleet, seen))
    if not censored.any():
        return seen
    status = np.where(censored, small(1, Status.CENSORED), reading.status)
    why = np.where(censored, small(1, Why.SATURATED), reading.why)
    return replace(seen, readings=replace(reading, status=status, why=why))


def pressed_lanes(fleet: Fleet, seen: Observation) -> BoolArray:
    """Lanes of which a pressure signal is above its target, `[lane]`."""
    return any_by(fleet.tracks.lane, _above_target(fleet, seen), fleet.lanes)


def _above_target(fleet: Fleet, seen: Observation) -> BoolArray:
    """Pressure tracks whose value is above what the target allows for the replicas there are, `[track]`.

    A value that is read by pod has its target per pod, of which a replica may have several.
    """
    tracks, reading = fleet.tracks, seen.readings
    per_replica = tracks.target_kind == TargetKind.AVERAGE_VALUE
    parts = np.where(tracks.source == Source.PODS, seen.pods_per_replica[tracks.lane], 1)
    share = np.where(per_replica, np.maximum(seen.status_replicas[tracks.lane], 1) * parts, 1)
    above: BoolArray = reading.value_milli > tracks.target_milli.astype(np.float64) * share
    counted = (tracks.kind == Kind.PRESSURE) & (tracks.target_kind != TargetKind.UTILIZATION)
    found: BoolArray = counted & above & (reading.status != Status.MISSING)
    return found


def _full(fleet: Fleet, seen: Observation) -> BoolArray:
    """Demand tracks at the serving limit of the ready replicas, by the capacity that was declared, `[track]`."""
    tracks = fleet.tracks
    ready = (ready_pods(seen.pods, fleet.lanes) // seen.pods_per_replica)[tracks.lane]
    capacity = tracks.capacity_milli.astype(np.float64) * fleet.serving_limit_ratio[tracks.lane] * ready * FULL
    declared = (tracks.capacity_milli != UNKNOWN) & (tracks.source != Source.UNKNOWN)
    full: BoolArray = declared & (ready > 0) & (seen.readings.value_milli >= capacity)
    return full
