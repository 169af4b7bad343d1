"""Some lanes of a fleet and of its observation, renumbered: to decide for them alone, or to find one that fails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import indices
from policies.model import UNKNOWN, Kind

if TYPE_CHECKING:
    from policies.arrays import BoolArray, IntArray
    from policies.forecast.seasonal import SeasonalFit
    from policies.history import Backfill
    from policies.model import Behavior, Direction, Fleet, Observation, PodSamples


@dataclass(frozen=True, slots=True)
class _Renumbered:
    """Which rows of a table stay, and the new number of every old one."""

    keep: BoolArray
    number: IntArray

    @classmethod
    def of(cls, keep: BoolArray) -> _Renumbered:
        return cls(keep, np.cumsum(keep, dtype=np.int64) - 1)


def fleet_for(fleet: Fleet, keep: BoolArray) -> Fleet:
    """The fleet of the lanes where `keep`, `[lane]`."""
    lanes, tracks = _Renumbered.of(keep), fleet.tracks
    rows = keep[tracks.lane]
    schedules = fleet.schedules
    scheduled = keep[schedules.lane]
    return replace(
        fleet,
        uid=tuple(uid for uid, kept in zip(fleet.uid, keep, strict=True) if kept),
        mode=fleet.mode[keep],
        min_replicas=fleet.min_replicas[keep],
        max_replicas=fleet.max_replicas[keep],
        late_ratio=fleet.late_ratio[keep],
        serving_limit_ratio=fleet.serving_limit_ratio[keep],
        forecast=fleet.forecast[keep],
        history_s=fleet.history_s[keep],
        behavior=_behavior(fleet.behavior, lanes),
        schedules=replace(
            schedules,
            lane=lanes.number[schedules.lane[scheduled]],
            min=schedules.min[scheduled],
            max=schedules.max[scheduled],
            window=schedules.window[scheduled],
        ),
        tracks=replace(
            tracks,
            uid=tuple(uid for uid, kept in zip(tracks.uid, rows, strict=True) if kept),
            lane=lanes.number[tracks.lane[rows]],
            kind=tracks.kind[rows],
            source=tracks.source[rows],
            target_kind=tracks.target_kind[rows],
            target_milli=tracks.target_milli[rows],
            capacity_milli=tracks.capacity_milli[rows],
            cpu=tracks.cpu[rows],
        ),
    )


def observation_for(fleet: Fleet, seen: Observation, keep: BoolArray) -> Observation:
    """What was seen of the lanes where `keep`, `[lane]`; `fleet` is the one that `seen` was built for."""
    lanes, tracks = _Renumbered.of(keep), _Renumbered.of(keep[fleet.tracks.lane])
    pods, starts, applied, read = seen.pods, seen.starts, seen.applied, seen.readings
    own_pods, own_starts, own_applied = keep[pods.lane], keep[starts.lane], keep[applied.lane]
    return replace(
        seen,
        spec_replicas=seen.spec_replicas[keep],
        status_replicas=seen.status_replicas[keep],
        pods_per_replica=seen.pods_per_replica[keep],
        hold=seen.hold[keep],
        readings=replace(
            read,
            value_milli=read.value_milli[tracks.keep],
            age_s=read.age_s[tracks.keep],
            status=read.status[tracks.keep],
            why=read.why[tracks.keep],
            targets=read.targets[tracks.keep],
        ),
        pods=replace(
            pods,
            lane=lanes.number[pods.lane[own_pods]],
            phase=pods.phase[own_pods],
            deleted=pods.deleted[own_pods],
            ready=pods.ready[own_pods],
            started_age_s=pods.started_age_s[own_pods],
            transition_age_s=pods.transition_age_s[own_pods],
        ),
        starts=replace(
            starts,
            lane=lanes.number[starts.lane[own_starts]],
            duration_s=starts.duration_s[own_starts],
            finished=starts.finished[own_starts],
        ),
        applied=replace(
            applied,
            lane=lanes.number[applied.lane[own_applied]],
            at_s=applied.at_s[own_applied],
            before=applied.before[own_applied],
            after=applied.after[own_applied],
        ),
        samples=_samples(seen, tracks, _Renumbered.of(own_pods)),
        fit=None if seen.fit is None else _fit(seen.fit, fleet, keep),
        backfill=_backfill(seen, fleet, keep),
    )


def _behavior(behavior: Behavior, lanes: _Renumbered) -> Behavior:
    return replace(
        behavior,
        up=_direction(behavior.up, lanes),
        down=_direction(behavior.down, lanes),
        given=behavior.given[lanes.keep],
    )


def _direction(direction: Direction, lanes: _Renumbered) -> Direction:
    rates = direction.rates
    rows = lanes.keep[rates.lane]
    return replace(
        direction,
        window_s=direction.window_s[lanes.keep],
        tolerance_ratio=direction.tolerance_ratio[lanes.keep],
        select=direction.select[lanes.keep],
        written=direction.written[lanes.keep],
        rates=replace(
            rates,
            lane=lanes.number[rates.lane[rows]],
            percent=rates.percent[rows],
            value=rates.value[rows],
            period_s=rates.period_s[rows],
        ),
    )


def _samples(seen: Observation, tracks: _Renumbered, pods: _Renumbered) -> PodSamples:
    samples = seen.samples
    rows = tracks.keep[samples.track]
    pod = samples.pod[rows]
    return replace(
        samples,
        track=tracks.number[samples.track[rows]],
        pod=np.where(pod == UNKNOWN, UNKNOWN, pods.number[pod]) if pods.number.size else pod,
        present=samples.present[rows],
        value_milli=samples.value_milli[rows],
        age_s=samples.age_s[rows],
        window_s=samples.window_s[rows],
        request_milli=samples.request_milli[rows],
    )


def _fit(fit: SeasonalFit, fleet: Fleet, keep: BoolArray) -> SeasonalFit:
    kept = keep[fleet.tracks.lane] & (fleet.tracks.kind == Kind.DEMAND)
    return fit.aligned(tuple(fleet.tracks.uid[track] for track in indices(kept)))


def _backfill(seen: Observation, fleet: Fleet, keep: BoolArray) -> Backfill | None:
    backfill = seen.backfill
    if backfill is None:
        return None
    rows = keep[fleet.tracks.lane[fleet.tracks.kind == Kind.DEMAND]]
    return replace(backfill, value=backfill.value[rows], known=backfill.known[rows])
