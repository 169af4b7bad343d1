"""What containers used over some days, read in pieces that hurt no Prometheus, as one matrix for each resource."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.adapters.prometheus.past import Span
from controller.errors import Rejected
from controller.vertical.queries import PAST_STEP_S, batches, usage_past
from controller.vertical.records import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from controller.adapters.prometheus.metered import MeteredPrometheus
    from controller.records import PastSeries
    from controller.vertical.queries import Named
    from controller.vertical.workloads import Workload
    from policies.arrays import FloatArray

DAY_S = 86_400.0
PODS_A_QUERY = 500  # so that one query of a day touches some millions of samples at most
MOST_POINTS = 20_000_000  # that are kept, 160 MB


@dataclass(frozen=True, slots=True)
class Usage:
    """Use of one resource, `[time, container]`, in cores or bytes; NaN where nobody measured."""

    at_s: FloatArray
    used: FloatArray


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


def query_batches(workloads: Sequence[Workload]) -> list[list[Named]]:
    """The workloads that one query asks for: of one kind, and with not too many pods together."""
    pods = {each.named: each.replicas for each in workloads}
    found: list[list[Named]] = []
    for batch in batches(pods):
        part: list[Named] = []
        for named in batch:
            if part and sum(pods[each] for each in part) + pods[named] > PODS_A_QUERY:
                found.append(part)
                part = []
            part.append(named)
        found.append(part)
    return found


def needed_queries(workloads: Sequence[Workload], days: int) -> int:
    """How many queries reading these workloads takes."""
    return len(query_batches(workloads)) * len(RESOURCES) * days


async def read_usage(
    prometheus: MeteredPrometheus, workloads: Sequence[Workload], end_s: float, days: int, told: Callable[[int], None]
) -> tuple[Containers, dict[str, Usage]]:
    """The use of the busiest replica of each container every five minutes. `told` hears of each query that is done.

    Raises Rejected before anything is asked where it would take more queries than there are left, or more memory than
    is sensible; Unavailable, Rejected and Spent as the queries do.
    """
    containers, steps = Containers.of(workloads), int(days * DAY_S / PAST_STEP_S)
    _refuse(prometheus, workloads, days, len(containers.places) * steps * len(RESOURCES))
    start_s = end_s - (steps - 1) * PAST_STEP_S
    at_s = start_s + np.arange(steps, dtype=np.float64) * PAST_STEP_S
    found = {name: Usage(at_s, np.full((steps, len(containers.places)), np.nan)) for name in RESOURCES}
    a_day = int(DAY_S / PAST_STEP_S)
    for batch in query_batches(workloads):
        for resource in RESOURCES:
            query = usage_past(resource, batch)
            for first in range(0, steps, a_day):
                last = min(first + a_day, steps) - 1
                span = Span(float(at_s[first]), float(at_s[last]), PAST_STEP_S)
                _fill(found[resource], containers, await prometheus.past(query, span))
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


def _fill(usage: Usage, containers: Containers, past: Sequence[PastSeries]) -> None:
    start_s, step_s = float(usage.at_s[0]), PAST_STEP_S
    for series in past:
        column = containers.column.get((series.key[0], series.key[1], series.key[2]))
        if column is None:
            continue
        rows = np.rint((np.asarray(series.at_s) - start_s) / step_s).astype(np.int64)
        inside = (rows >= 0) & (rows < usage.at_s.size)
        usage.used[rows[inside], column] = np.asarray(series.values)[inside]
