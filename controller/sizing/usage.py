"""What containers used over some days, read in pieces that hurt no Prometheus, within a budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.adapters.prometheus.past import Span
from controller.errors import Rejected
from controller.vertical.queries import PAST_STEP_S
from controller.vertical.records import RESOURCES
from controller.vertical.usage import DAY_S, Usage, pieces, query_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from controller.adapters.prometheus.metered import MeteredPrometheus
    from controller.vertical.queries import Named
    from controller.vertical.workloads import Workload

MOST_POINTS = 20_000_000  # that are kept, 160 MB


@dataclass(frozen=True, slots=True)
class Containers:
    """The containers to size, in the order of the matrices' columns: workload and name."""

    places: tuple[tuple[Named, str], ...]
    column: dict[tuple[str, str, str], int] = field(repr=False)  # by namespace, workload and container

    @classmethod
    def of(cls, workloads: Sequence[Workload]) -> Containers:
        """Of these workloads."""
        places = tuple((each.named, container.name) for each in workloads for container in each.containers)
        column = {(named.namespace, named.name, name): place for place, (named, name) in enumerate(places)}
        return cls(places, column)


def batches_of(workloads: Sequence[Workload]) -> list[list[Named]]:
    """The workloads that one query asks for."""
    return query_batches({each.named: each.replicas for each in workloads})


def needed_queries(workloads: Sequence[Workload], days: int) -> int:
    """How many queries reading these workloads takes."""
    return len(batches_of(workloads)) * len(RESOURCES) * days


async def read_usage(
    prometheus: MeteredPrometheus, workloads: Sequence[Workload], end_s: float, days: int, told: Callable[[int], None]
) -> tuple[Containers, dict[str, Usage]]:
    """The use of the busiest replica of each container every five minutes. `told` hears of each query that is done.

    Raises Rejected before anything is asked where it would take more queries than there are left, or more memory than
    is sensible; Unavailable, Rejected and Spent as the queries do.
    """
    containers, steps = Containers.of(workloads), int(days * DAY_S / PAST_STEP_S)
    _refuse(prometheus, workloads, days, len(containers.places) * steps * len(RESOURCES))
    found = {name: Usage.until(end_s, days, len(containers.places)) for name in RESOURCES}
    for batch in batches_of(workloads):
        for piece in pieces(batch, end_s, days):
            past = await prometheus.past(piece.query, Span(piece.start_s, piece.end_s, PAST_STEP_S))
            found[piece.resource].fill(containers.column, past)
            told(1)
    return containers, found


def _refuse(prometheus: MeteredPrometheus, workloads: Sequence[Workload], days: int, points: int) -> None:
    queries = needed_queries(workloads, days)
    if queries > prometheus.left:
        raise Rejected(
            f"{len(workloads)} workloads over {days} days take {queries} queries, and {prometheus.left} are left: raise"
            " --max-queries, or look at fewer --days or at one namespace with -n"
        )
    if points > MOST_POINTS:
        raise Rejected(
            f"{len(workloads)} workloads over {days} days are {points:,} points, and {MOST_POINTS:,} are the most: look"
            " at fewer --days or at one namespace with -n"
        )
