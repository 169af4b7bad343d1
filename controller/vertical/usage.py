"""What containers used over some days, read a day and some workloads at a time, as one matrix for each resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from controller.vertical.queries import PAST_STEP_S, batches, usage_past
from controller.vertical.records import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from controller.records import PastSeries, SignalQuery
    from controller.vertical.queries import Named
    from policies.arrays import FloatArray

DAY_S = 86_400.0
PODS_A_QUERY = 500  # so that one query of a day touches some millions of samples at most


class Piece(NamedTuple):
    """One query of the past: what it asks, of which resource, and its first and last time."""

    query: SignalQuery
    resource: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Use of one resource, `[time, container]`, in cores or bytes; NaN where nobody measured."""

    at_s: FloatArray
    used: FloatArray

    @classmethod
    def until(cls, end_s: float, days: int, containers: int) -> Usage:
        """Nothing yet, of so many days up to a time."""
        steps = int(days * DAY_S / PAST_STEP_S)
        at_s = end_s + np.arange(1 - steps, 1, dtype=np.float64) * PAST_STEP_S
        return cls(at_s, np.full((steps, containers), np.nan))

    def fill(self, column: Mapping[tuple[str, str, str], int], past: Sequence[PastSeries]) -> None:
        """Note what was answered, by namespace, workload and container; of others nothing."""
        for series in past:
            place = column.get((series.key[0], series.key[1], series.key[2]))
            if place is None:
                continue
            rows = np.rint((np.asarray(series.at_s) - self.at_s[0]) / PAST_STEP_S).astype(np.int64)
            inside = (rows >= 0) & (rows < self.at_s.size)
            self.used[rows[inside], place] = np.asarray(series.values)[inside]


def query_batches(pods: Mapping[Named, int]) -> list[list[Named]]:
    """The workloads, with their numbers of pods, that one query asks for: of one kind, not too many pods together."""
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


def pieces(workloads: Sequence[Named], end_s: float, days: int) -> Iterator[Piece]:
    """The queries that tell some days of one batch of workloads, a day each."""
    at_s, a_day = Usage.until(end_s, days, 0).at_s, int(DAY_S / PAST_STEP_S)
    for resource in RESOURCES:
        query = usage_past(resource, workloads)
        for first in range(0, at_s.size, a_day):
            part = at_s[first : first + a_day]
            yield Piece(query, resource, float(part[0]), float(part[-1]))
