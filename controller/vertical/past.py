"""The past of containers whose past is not known yet: eight days, a query at a time, a share of each round."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.errors import ForesailError
from controller.records import PastSeries
from controller.vertical.lanes import Lane, lanes_of
from controller.vertical.own import Past
from controller.vertical.queries import PAST_STEP_S, Named
from controller.vertical.records import RESOURCES
from controller.vertical.usage import Piece, Usage, pieces, query_batches
from policies.resources.model import HOUR_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.ports import Clock, MetricsSource
    from controller.vertical.bank import Bank
    from controller.vertical.records import Watched

DAYS = 8
DEADLINE_S = 20.0  # for one query
A_ROUND, ROUND_S = 100, 20.0  # queries, and time for them, in a minute: a start with thousands asks little at a time
RETRY_S = 300.0
_HOURLY = int(HOUR_S / PAST_STEP_S)  # the vertical autoscaler's method reads Prometheus by the hour

Id = tuple[bool, str]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Workloads that are asked for together, what was heard of them so far, and what is still to be asked."""

    ids: tuple[Id, ...]
    names: tuple[Named, ...]
    column: dict[tuple[str, str, str], int]
    lanes: tuple[Lane, ...]
    usage: dict[str, Usage]
    left: deque[Piece]

    @classmethod
    def of(cls, by_name: dict[Named, Watched], names: Sequence[Named], end_s: float) -> _Batch:
        """Nothing is heard yet."""
        places = {
            (named.namespace, named.name, lane.container): lane for named in names for lane in lanes_of(by_name[named])
        }
        return cls(
            ids=tuple(_id(by_name[named]) for named in names),
            names=tuple(names),
            column={key: column for column, key in enumerate(places)},
            lanes=tuple(places.values()),
            usage={resource: Usage.until(end_s, DAYS, len(places)) for resource in RESOURCES},
            left=deque(pieces(names, end_s, DAYS)),
        )

    def past(self) -> Past:
        """All of it, for Foresail's own method. A point stands for the step that ends there."""
        used = np.stack([self.usage[resource].used for resource in RESOURCES], axis=2)
        return Past(self.lanes, used, round(float(self.usage[RESOURCES[0]].at_s[0]) / PAST_STEP_S) - 1)

    def hourly(self, resource: str, lanes: frozenset[Lane]) -> list[tuple[Lane, PastSeries]]:
        """One point an hour of these lanes, for the vertical autoscaler's method."""
        usage, found = self.usage[resource], []
        at_s, used = usage.at_s[_HOURLY - 1 :: _HOURLY], usage.used[_HOURLY - 1 :: _HOURLY]
        for column, lane in enumerate(self.lanes):
            if lane in lanes:
                known = np.isfinite(used[:, column])
                found.append((lane, PastSeries((), at_s[known].tolist(), used[known, column].tolist())))
        return found


class PastUsage:
    """Reads the past once of what is new here, so that a restart goes on from where it was."""

    def __init__(self, source: MetricsSource, clock: Clock, bank: Bank) -> None:
        """Nothing is read yet."""
        self._source, self._clock, self._bank = source, clock, bank
        self._batch: _Batch | None = None
        self._bare: dict[Id, bool] = {}  # of what is watched: whether nothing at all was known when it came
        self._not_before_s: dict[Id, float] = {}  # of what could not be read

    async def read_some(self, watched: Sequence[Watched], now_s: float) -> list[str]:
        """Read as much as a round may; returns what went wrong. After a failure the rest waits for the next round."""
        self._meet(watched)
        until_s = self._clock.elapsed_s() + ROUND_S
        for _ in range(A_ROUND):
            if self._batch is None:
                self._batch = self._next(watched, now_s)
            if self._batch is None or self._clock.elapsed_s() >= until_s:
                break
            try:
                await self._ask(self._batch)
            except ForesailError as error:
                batch, self._batch = self._batch, None
                self._not_before_s |= dict.fromkeys(batch.ids, now_s + RETRY_S)
                return [f"the past of {batch.names[0]} and {len(batch.names) - 1} more: {error}"]
            if not self._batch.left:
                batch, self._batch = self._batch, None
                await asyncio.to_thread(self._take, batch)
        return []

    def unread(self, watched: Sequence[Watched]) -> int:
        """Of how many of these the past is still to be read."""
        return sum(self._wanted(each) for each in watched)

    async def _ask(self, batch: _Batch) -> None:
        piece = batch.left[0]
        found = await self._source.past(
            piece.query, start_s=piece.start_s, end_s=piece.end_s, step_s=PAST_STEP_S, deadline_s=DEADLINE_S
        )
        batch.usage[piece.resource].fill(batch.column, found)
        batch.left.popleft()

    def _take(self, batch: _Batch) -> None:
        """All of it at once: a part would pass for the whole."""
        bare = frozenset(lane for lane in batch.lanes if self._bare.get((lane.of_autoscaler, lane.watched), False))
        for resource in RESOURCES:
            self._bank.take_past(resource, batch.hourly(resource, bare), HOUR_S)
        self._bank.take_whole_past(batch.past())
        self._bare |= dict.fromkeys(batch.ids, False)

    def _meet(self, watched: Sequence[Watched]) -> None:
        """Note what is new, and forget what is gone."""
        known = {}
        for each in watched:
            if lanes := lanes_of(each):
                bare = self._bare.get(_id(each))
                known[_id(each)] = all(self._bank.empty(lane) for lane in lanes) if bare is None else bare
        self._bare = known
        self._not_before_s = {each: at_s for each, at_s in self._not_before_s.items() if each in known}

    def _next(self, watched: Sequence[Watched], now_s: float) -> _Batch | None:
        due = [each for each in watched if self._wanted(each) and self._not_before_s.get(_id(each), now_s) <= now_s]
        by_name = {
            Named(each.namespace, each.target.kind, each.target.name): each for each in due if each.target is not None
        }
        found = query_batches({named: len(each.pods) for named, each in by_name.items()})
        return _Batch.of(by_name, found[0], now_s // PAST_STEP_S * PAST_STEP_S) if found else None

    def _wanted(self, watched: Watched) -> bool:
        return watched.target is not None and bool(watched.pods) and self._bank.unread(watched)


def _id(watched: Watched) -> Id:
    return watched.autoscaler is not None, watched.key
