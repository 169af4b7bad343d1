"""What must be asked for a fleet: each distinct query once, and where each track finds its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.records import SignalQuery, TargetRef
from policies.spec import DemandSignal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.spec import Signal, WorkloadPolicy


@dataclass(frozen=True, slots=True)
class Place:
    """Where one track's value is: in the answer to query `query`, under `key`."""

    query: int
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Questions:
    """Distinct queries, and for every track of the fleet (policies sorted by uid) its place and signal."""

    queries: tuple[SignalQuery, ...]
    places: tuple[Place, ...]
    signals: tuple[Signal, ...]
    targets: tuple[TargetRef, ...]  # [lane]

    @classmethod
    def of(cls, policies: Sequence[WorkloadPolicy]) -> Questions:
        """The questions for the fleet of these policies."""
        index: dict[SignalQuery, int] = {}
        places: list[Place] = []
        signals: list[Signal] = []
        ordered = sorted(policies, key=lambda policy: policy.uid)
        for policy in ordered:
            for signal, bound in zip(policy.spec.signals, policy.queries(), strict=True):
                labels = tuple(label for label, _ in bound.match)
                query = SignalQuery(bound.query, labels, by_pod(signal))
                places.append(Place(index.setdefault(query, len(index)), tuple(value for _, value in bound.match)))
                signals.append(signal)
        return cls(tuple(index), tuple(places), tuple(signals), tuple(target_of(policy) for policy in ordered))


def by_pod(signal: Signal) -> bool:
    """Whether the signal's query answers with one series per pod."""
    if isinstance(signal, DemandSignal):
        return signal.capacity_from_request is not None
    return signal.per_pod


def target_of(policy: WorkloadPolicy) -> TargetRef:
    """The object that a policy scales."""
    target = policy.spec.target
    return TargetRef(target.api_version, target.kind, policy.metadata.namespace, target.name)
