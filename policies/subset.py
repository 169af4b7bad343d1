"""Some lanes of a fleet and of its observation, renumbered: to decide for them alone, or to find one that fails."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import compress
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from policies.model import UNKNOWN, Kind

if TYPE_CHECKING:
    from policies.arrays import BoolArray, IntArray
    from policies.behaviors import Direction
    from policies.gpu_room import GpuRoom
    from policies.history import Backfill
    from policies.model import Fleet, Observation, PodSamples


T = TypeVar("T")


def fleet_for(fleet: Fleet, keep: BoolArray) -> Fleet:
    """The fleet of the lanes where `keep`, `[lane]`."""
    behavior, schedules, budget = fleet.behavior, fleet.schedules, fleet.budget
    return _rows(
        fleet,
        keep,
        behavior=_rows(behavior, keep, up=_direction(behavior.up, keep), down=_direction(behavior.down, keep)),
        schedules=_of_lanes(schedules, keep, windows=schedules.windows),
        tracks=_of_lanes(fleet.tracks, keep),
        limits=fleet.limits,
        aims=_rows(fleet.aims, keep),
        events=_of_lanes(fleet.events, keep, windows=fleet.events.windows),
        spot=_rows(fleet.spot, keep),
        freezes=_of_lanes(fleet.freezes, keep, windows=fleet.freezes.windows),
        budget=_rows(
            fleet.budget,
            keep,
            names=budget.names,
            namespaces=budget.namespaces,
            fleet=budget.fleet,
            step_downs=budget.step_downs,
            step_ups=budget.step_ups,
        ),
    )


def observation_for(fleet: Fleet, seen: Observation, keep: BoolArray) -> Observation:
    """What was seen of the lanes where `keep`, `[lane]`; `fleet` is the one that `seen` was built for."""
    return _rows(
        seen,
        keep,
        now_s=seen.now_s,
        readings=_rows(seen.readings, keep[fleet.tracks.lane]),
        pods=_of_lanes(seen.pods, keep),
        samples=_samples(fleet, seen, keep),
        starts=_of_lanes(seen.starts, keep),
        applied=_of_lanes(seen.applied, keep),
        learned=seen.learned,  # by uid
        backfill=_backfill(seen, fleet, keep),
        gpus_milli=None if seen.gpus_milli is None else seen.gpus_milli[keep],
        gpu_room=_gpu_room(seen, keep),
        rolling=None if seen.rolling is None else seen.rolling[keep],
        fixed=None if seen.fixed is None else _rows(seen.fixed, keep),
        places=None if seen.places is None else _rows(seen.places, keep, zones=_of_lanes(seen.places.zones, keep)),
    )


def _rows(table: T, keep: BoolArray, **given: object) -> T:
    """The rows of a table where `keep`, for all its columns but those that are given."""
    columns = {each.name: getattr(table, each.name) for each in fields(cast("Any", table)) if each.name not in given}
    kept = {
        name: tuple(compress(column, keep)) if isinstance(column, tuple) else column[keep]
        for name, column in columns.items()
    }
    return cast("T", replace(cast("Any", table), **kept, **given))


def _of_lanes(table: T, keep: BoolArray, **given: object) -> T:
    """The rows of a table with a `lane` column whose lanes are kept, renumbered."""
    lane: IntArray = cast("Any", table).lane
    rows = keep[lane]
    return _rows(table, rows, lane=_numbers(keep)[lane[rows]], **given)


def _numbers(keep: BoolArray) -> IntArray:
    """The new number of every old row."""
    return np.cumsum(keep, dtype=np.int64) - 1


def _direction(direction: Direction, keep: BoolArray) -> Direction:
    return _rows(direction, keep, rates=_of_lanes(direction.rates, keep))


def _samples(fleet: Fleet, seen: Observation, keep: BoolArray) -> PodSamples:
    samples, tracks = seen.samples, keep[fleet.tracks.lane]
    rows = tracks[samples.track]
    pod, pods = samples.pod[rows], _numbers(keep[seen.pods.lane])
    return _rows(
        samples,
        rows,
        track=_numbers(tracks)[samples.track[rows]],
        pod=np.where(pod == UNKNOWN, UNKNOWN, pods[pod]) if pods.size else pod,
    )


def _gpu_room(seen: Observation, keep: BoolArray) -> GpuRoom | None:
    room = seen.gpu_room
    return None if room is None else _of_lanes(room, keep, names=room.names, left_milli=room.left_milli)


def _backfill(seen: Observation, fleet: Fleet, keep: BoolArray) -> Backfill | None:
    backfill = seen.backfill
    if backfill is None:
        return None
    rows = keep[fleet.tracks.lane[fleet.tracks.kind == Kind.DEMAND]]
    return replace(backfill, value=backfill.value[rows], known=backfill.known[rows])
