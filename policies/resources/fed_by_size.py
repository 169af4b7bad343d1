"""Policies whose count of replicas is fed by the size that is recommended for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.problems import Problem
from policies.spec import DemandSignal

if TYPE_CHECKING:
    from policies.spec import WorkloadPolicy


def fed_by_size(policy: WorkloadPolicy, *, source: str) -> tuple[Problem, ...]:
    """What is to be said where a size is recommended and the count follows it; none of it makes the policy wrong."""
    if policy.spec.resources == "off":
        return ()
    return tuple(
        Problem(
            source,
            f"spec.signals[{place}].capacityFromRequest",
            f"{signal.name} counts replicas by the {signal.capacity_from_request.resource} request, and spec.resources"
            " recommends another one: each new request would move the count, and each new count what a replica uses."
            " Give capacityPerReplica instead, or leave that request as it is",
        )
        for place, signal in enumerate(policy.spec.signals)
        if isinstance(signal, DemandSignal) and signal.capacity_from_request is not None
    )
