"""From policies to a fleet: the one place where documents become columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import numpy as np

from policies.events import event_table
from policies.model import (
    UNKNOWN,
    Behavior,
    Direction,
    Fleet,
    Kind,
    Limits,
    Mode,
    Rates,
    Select,
    Source,
    TargetKind,
    Tracks,
)
from policies.schedules import schedule_table
from policies.spec import DemandSignal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policies.arrays import BoolArray
    from policies.spec import BoundQuery, PressureSignal, ScaleDown, ScaleUp, Signal, WorkloadPolicy

HEADROOM = 0.875
"""The Kubernetes rule aims at this share of the serving limit: the customary 70 % where the limit is 80 %."""

_MODES = {"shadow": Mode.SHADOW, "floor": Mode.FLOOR, "active": Mode.ACTIVE, "paused": Mode.PAUSED}
_SELECTS = {"Max": Select.MAX, "Min": Select.MIN, "Disabled": Select.DISABLED}


def fleet_of(policies: Sequence[WorkloadPolicy], limits: Limits = Limits()) -> Fleet:  # noqa: B008 - a frozen value
    """The fleet of these policies, lanes sorted by uid. Uids must be unique (see spec.duplicates)."""
    ordered = sorted(policies, key=lambda policy: policy.uid)
    specs = [policy.spec for policy in ordered]
    return Fleet(
        uid=tuple(policy.uid for policy in ordered),
        mode=np.array([_MODES[spec.mode] for spec in specs], np.int8),
        min_replicas=np.array([spec.replicas.min for spec in specs], np.int64),
        max_replicas=np.array([spec.replicas.max for spec in specs], np.int64),
        late_ratio=np.array([spec.objective.late for spec in specs], np.float64),
        serving_limit_ratio=np.array([spec.objective.serving_limit for spec in specs], np.float64),
        forecast=np.array([spec.forecast.enabled for spec in specs], np.bool_),
        history_s=np.array([spec.forecast.history for spec in specs], np.float64),
        behavior=_behavior(ordered),
        schedules=schedule_table([spec.replicas for spec in specs]),
        tracks=_tracks(ordered),
        limits=limits,
        events=event_table([spec.forecast.events for spec in specs]),
    )


def _behavior(policies: Sequence[WorkloadPolicy]) -> Behavior:
    specs = [policy.spec for policy in policies]
    up = np.array([spec.scale_up_is_written for spec in specs], np.bool_)
    down = np.array([spec.scale_down_is_written for spec in specs], np.bool_)
    return Behavior(
        _direction([spec.scale_up for spec in specs], up),
        _direction([spec.scale_down for spec in specs], down),
        given=np.ones(len(specs), np.bool_),
    )


def _direction(rules: Sequence[ScaleUp | ScaleDown], written: BoolArray) -> Direction:
    rates = [(lane, policy) for lane, rule in enumerate(rules) for policy in rule.policies]
    return Direction(
        window_s=np.array([rule.stabilization_window_seconds for rule in rules], np.float64),
        tolerance_ratio=np.array([float(rule.tolerance) for rule in rules], np.float64),
        select=np.array([_SELECTS[rule.select_policy] for rule in rules], np.int8),
        rates=Rates(
            lane=np.array([lane for lane, _ in rates], np.int64),
            percent=np.array([policy.type == "Percent" for _, policy in rates], np.bool_),
            value=np.array([policy.value for _, policy in rates], np.int64),
            period_s=np.array([policy.period_seconds for _, policy in rates], np.float64),
        ),
        written=written,
    )


def _tracks(policies: Sequence[WorkloadPolicy]) -> Tracks:
    rows = [
        (lane, policy, bound, _track_of(signal, policy.spec.objective.serving_limit))
        for lane, policy in enumerate(policies)
        for signal, bound in zip(policy.spec.signals, policy.queries(), strict=True)
    ]

    def column(value: Callable[[_Track], int], dtype: type) -> np.ndarray:
        return np.array([value(track) for *_, track in rows], dtype)

    return Tracks(
        uid=tuple(f"{policy.uid}/{bound.signal}#{_digest(bound)}" for _, policy, bound, _ in rows),
        lane=np.array([lane for lane, *_ in rows], np.int64),
        kind=column(lambda track: track.kind, np.int8),
        source=column(lambda track: track.source, np.int8),
        target_kind=column(lambda track: track.target_kind, np.int8),
        target_milli=column(lambda track: track.target_milli, np.int64),
        capacity_milli=column(lambda track: track.capacity_milli, np.int64),
        cpu=column(lambda track: track.cpu, np.bool_),
    )


def _digest(bound: BoundQuery) -> str:
    """Another query is another track: what was learned of the old one says nothing of it."""
    return f"{crc32(repr((bound.query, bound.match)).encode()):08x}"


class _Track(NamedTuple):
    """One signal's codes."""

    kind: Kind
    source: Source
    target_kind: TargetKind
    target_milli: int
    capacity_milli: int = UNKNOWN
    cpu: bool = False


def _track_of(signal: Signal, serving_limit: float) -> _Track:
    return _demand(signal, serving_limit * HEADROOM) if isinstance(signal, DemandSignal) else _pressure(signal)


def _demand(signal: DemandSignal, share: float) -> _Track:
    """A share of the declared capacity, or of the pods' request."""
    capacity = signal.capacity_per_replica_milli
    if capacity is not None:
        target = max(1, int(capacity * share))
        return _Track(Kind.DEMAND, Source.EXTERNAL, TargetKind.AVERAGE_VALUE, target, capacity)
    request = signal.capacity_from_request
    source = Source.CONTAINER_RESOURCE if request is not None and request.container else Source.RESOURCE
    cpu = request is not None and request.resource == "cpu"
    return _Track(Kind.DEMAND, source, TargetKind.UTILIZATION, max(1, round(100 * share)), cpu=cpu)


def _pressure(signal: PressureSignal) -> _Track:
    if signal.target.average_value is None:
        return _Track(Kind.PRESSURE, Source.EXTERNAL, TargetKind.VALUE, signal.target.milli)
    source = Source.PODS if signal.per_pod else Source.EXTERNAL
    return _Track(Kind.PRESSURE, source, TargetKind.AVERAGE_VALUE, signal.target.milli)
