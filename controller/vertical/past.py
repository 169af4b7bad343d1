"""The past of containers of which nothing is known yet: eight days, a few workloads at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from controller.errors import ForesailError
from controller.vertical.bank import Lane, lanes_of
from controller.vertical.queries import Named, batches, usage_past
from controller.vertical.records import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from controller.ports import MetricsSource
    from controller.records import PastSeries
    from controller.vertical.bank import Bank
    from controller.vertical.records import Watched

DAYS = 8
DAY_S = 86_400.0
STEP_S = 3600.0  # as the stock recommender reads Prometheus
DEADLINE_S = 20.0  # for one piece
A_ROUND = 20  # workloads, so that a start with thousands asks little at a time
RETRY_S = 900.0


class PastUsage:
    """Reads the past once for what is new, unless a checkpoint told it already."""

    def __init__(self, source: MetricsSource, bank: Bank) -> None:
        """Nothing is read yet."""
        self._source, self._bank = source, bank
        self._not_before_s: dict[tuple[bool, str], float] = {}  # what was read, or failed to be

    async def read_some(self, watched: Sequence[Watched], now_s: float) -> list[str]:
        """Read the past of some of what is watched; returns what went wrong."""
        ids = {(each.autoscaler is not None, each.key) for each in watched}
        self._not_before_s = {each: at_s for each, at_s in self._not_before_s.items() if each in ids}
        due = [each for each in watched if each.target is not None and self._due(each, now_s)][:A_ROUND]
        by_name = {
            Named(each.namespace, each.target.kind, each.target.name): each for each in due if each.target is not None
        }
        problems = []
        for names in batches(by_name):
            try:
                await self._read(names, by_name, now_s)
            except ForesailError as error:
                problems.append(f"the past of {names[0]} and {len(names) - 1} more: {error}")
                for name in names:
                    self._not_before_s[_id(by_name[name])] = now_s + RETRY_S
        return problems

    def _due(self, watched: Watched, now_s: float) -> bool:
        lanes = lanes_of(watched)
        not_before_s = self._not_before_s.get(_id(watched))
        if not_before_s is not None:  # a past that could not be read is still wanted, whatever was seen since
            return bool(lanes) and not_before_s <= now_s
        return bool(lanes) and all(self._bank.empty(lane) for lane in lanes)

    async def _read(self, names: Sequence[Named], by_name: dict[Named, Watched], now_s: float) -> None:
        """Read all of it before any is taken in: a part would pass for the whole."""
        places = {(name.namespace, name.name): by_name[name] for name in names}
        pieces = []
        for resource in RESOURCES:
            query = usage_past(resource, names)
            for day in range(DAYS, 0, -1):
                start_s = now_s - day * DAY_S
                found = await self._source.past(
                    query,
                    start_s=start_s,
                    end_s=start_s + DAY_S - STEP_S,
                    step_s=STEP_S,
                    deadline_s=DEADLINE_S,
                )
                pieces.append((resource, [each for series in found for each in _of_lane(places, series)]))
        for resource, past in pieces:
            await asyncio.to_thread(self._bank.take_past, resource, past, STEP_S)
        for name in names:
            self._not_before_s[_id(by_name[name])] = float("inf")


def _of_lane(places: Mapping[tuple[str, str], Watched], series: PastSeries) -> Iterator[tuple[Lane, PastSeries]]:
    """A series with the lane that it is of, where it is one's."""
    namespace, workload, container = series.key
    watched = places.get((namespace, workload))
    if watched is not None and container in watched.containers:
        yield Lane(watched.autoscaler is not None, watched.key, container), series


def _id(watched: Watched) -> tuple[bool, str]:
    return watched.autoscaler is not None, watched.key
