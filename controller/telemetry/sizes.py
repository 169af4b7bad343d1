"""The metrics of what containers should request."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.records import Reason
from policies.resources import exported as sized

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from controller.records import SizedWorkload
    from policies.metric import Gauge

RESULTS = ("written", "unchanged", "conflict", "rejected", "unavailable")
SPOKE = tuple(
    (resource, method, reason)
    for resource in ("cpu", "memory")
    for method, reasons in (("foresail", (Reason.HISTORY,)), ("vpa", (Reason.YOUNG, Reason.UNREAD, Reason.ASKED)))
    for reason in reasons
)
_GAUGES = {"cpu": sized.CORES, "memory": sized.BYTES}


@dataclass(frozen=True, slots=True)
class Wrote:
    """How many statuses ended how, how many checkpoints were written, and of how many workloads the past is unread."""

    statuses: Mapping[str, int] = field(default_factory=dict)
    checkpoints: int = 0
    unread: int = 0


def by_container(workloads: Sequence[SizedWorkload]) -> Iterator[tuple[Gauge, tuple[str, ...], float]]:
    """Each metric of each container, its labels and its value."""
    for each in workloads:
        place = (each.target.namespace, each.target.kind, each.target.name)
        for size in each.containers:
            for bound, amounts in (("lower", size.lower), ("target", size.target), ("upper", size.upper)):
                for resource, milli in amounts.items():
                    yield _GAUGES[resource], (*place, size.container, bound), milli / 1000


def by_method(workloads: Sequence[SizedWorkload]) -> Iterator[tuple[tuple[str, ...], int]]:
    """How many containers each method speaks for, and why, by resource."""
    found = Counter(
        (resource, each.method, each.reason)
        for workload in workloads
        for size in workload.containers
        for resource, each in size.spoke.items()
    )
    for labels in SPOKE:
        yield labels, found[labels]
