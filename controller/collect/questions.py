"""What must be asked for a fleet: each distinct query once, and where each track finds its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import numpy as np

from controller.records import SignalQuery, TargetRef
from policies.spec import DemandSignal, LateSignal, PressureSignal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import IntArray
    from policies.spec import Signal, Target, WorkloadPolicy


@dataclass(frozen=True, slots=True)
class Place:
    """Where one track's value is: in the answer to query `query`, under `key`."""

    query: int
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The tracks that find their value in the answer to one query, and their keys in it."""

    query: SignalQuery
    tracks: IntArray
    keys: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Questions:
    """Distinct queries, and for every track of the fleet (policies sorted by uid) its place, signal and lane."""

    queries: tuple[SignalQuery, ...]
    places: tuple[Place, ...]
    signals: tuple[Signal, ...]
    lanes: tuple[int, ...]  # [track]
    targets: tuple[TargetRef, ...]  # [lane]
    surges: tuple[TargetRef | None, ...]  # [lane]: the second object of those that have one
    groups: tuple[Group, ...]  # in the order of `queries`

    @classmethod
    def of(cls, policies: Sequence[WorkloadPolicy]) -> Questions:
        """The questions for the fleet of these policies."""
        index: dict[SignalQuery, int] = {}
        places: list[Place] = []
        signals: list[Signal] = []
        lanes: list[int] = []
        ordered = sorted(policies, key=lambda policy: policy.uid)
        for lane, policy in enumerate(ordered):
            for signal, bound in zip(policy.spec.signals, policy.queries(), strict=True):
                labels = tuple(label for label, _ in bound.match)
                query = SignalQuery(bound.query, labels, by_pod(signal), bound.either)
                places.append(Place(index.setdefault(query, len(index)), tuple(value for _, value in bound.match)))
                signals.append(signal)
                lanes.append(lane)
        targets = tuple(target_of(policy) for policy in ordered)
        surges = tuple(surge_of(policy) for policy in ordered)
        groups = _groups(tuple(index), places)
        return cls(tuple(index), tuple(places), tuple(signals), tuple(lanes), targets, surges, groups)


def _groups(queries: Sequence[SignalQuery], places: Sequence[Place]) -> tuple[Group, ...]:
    tracks: list[list[int]] = [[] for _ in queries]
    for track, place in enumerate(places):
        tracks[place.query].append(track)
    return tuple(
        Group(query, np.array(rows, np.int64), tuple(places[track].key for track in rows))
        for query, rows in zip(queries, tracks, strict=True)
    )


def by_pod(signal: Signal) -> bool:
    """Whether the signal's query answers with one series per pod."""
    match signal:
        case DemandSignal():
            return signal.capacity_from_request is not None
        case PressureSignal():
            return signal.per_pod
        case LateSignal():
            return False
        case _:
            assert_never(signal)


def target_of(policy: WorkloadPolicy) -> TargetRef:
    """The object that a policy scales; with placement, its base."""
    return _ref(policy, policy.spec.target)


def surge_of(policy: WorkloadPolicy) -> TargetRef | None:
    """The second object that a policy with placement scales."""
    placement = policy.spec.placement
    return None if placement is None else _ref(policy, placement.spot.target)


def objects_of(policy: WorkloadPolicy) -> tuple[TargetRef, ...]:
    """All objects that a policy scales."""
    surge = surge_of(policy)
    return (target_of(policy),) if surge is None else (target_of(policy), surge)


def _ref(policy: WorkloadPolicy, target: Target) -> TargetRef:
    return TargetRef(target.api_version, target.kind, policy.metadata.namespace, target.name)
