"""Reads the past of a query in chunks that the server allows."""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from controller.adapters.prometheus.decode import Failed, Run, matrix
from controller.errors import Rejected, Unavailable
from controller.records import PastSeries
from policies.model import Why

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.records import SignalQuery

Decoded = TypeVar("Decoded")

QUERY_RANGE_PATH = "api/v1/query_range"
POINTS_PER_CHUNK = 11_000  # Prometheus's own limit for one series
SLACK = 1e-6  # of a step, so that a span of whole steps includes its end


@dataclass(frozen=True, slots=True)
class Span:
    """Wall times from `start_s` to `end_s`, both included, every `step_s` seconds."""

    start_s: float
    end_s: float
    step_s: float

    @property
    def points(self) -> int:
        """How many times there are. Raises Rejected when there is none."""
        if self.step_s <= 0 or self.end_s < self.start_s:
            raise Rejected(f"no points {self}: the step must be above 0 s and the end not before the start")
        return int((self.end_s - self.start_s) / self.step_s + SLACK) + 1

    def part(self, first: int, count: int) -> Span:
        """`count` points from number `first` on."""
        start_s = self.start_s + first * self.step_s
        return Span(start_s, start_s + (count - 1) * self.step_s, self.step_s)

    def __str__(self) -> str:
        return f"from {_shown(self.start_s)} to {_shown(self.end_s)} every {self.step_s:g} s"


class Asked(Protocol):
    """What answers one request: the API, or a meter before it."""

    async def call(
        self, path: str, form: Mapping[str, str], decode: Callable[[bytes], Decoded | Failed], *, within_s: float
    ) -> Decoded | Failed:
        """Post one query and decode its answer."""
        ...


@dataclass(frozen=True, slots=True)
class PastReader:
    """Range queries over an API, one chunk after the other."""

    api: Asked

    async def read(self, query: SignalQuery, span: Span, *, deadline_s: float) -> Sequence[PastSeries]:
        """All series of a query over a span, in the order that they were first seen.

        Chunks have 11,000 points, or fewer where the server finds that too much. Raises Unavailable and Rejected,
        naming the part of the span that failed.
        """
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + deadline_s
        points, done, chunk = span.points, 0, POINTS_PER_CHUNK
        joined: dict[tuple[str, ...], PastSeries] = {}
        while done < points:
            part = span.part(done, min(chunk, points - done))
            runs = await self._chunk(query, part, within_s=ends_s - loop.time())
            if isinstance(runs, Failed):
                chunk = _smaller(part.points, runs, part, query)
                continue
            _join(joined, runs, part, query)
            done += part.points
        return tuple(joined.values())

    async def _chunk(self, query: SignalQuery, part: Span, *, within_s: float) -> list[Run] | Failed:
        if within_s <= 0:
            return Failed(Why.DEADLINE, "the deadline has passed")
        form = {
            "query": query.text,
            "start": f"{part.start_s:.3f}",
            "end": f"{part.end_s:.3f}",
            "step": f"{part.step_s:.3f}",
        }
        labels = (*query.labels, "pod") if query.per_pod else query.labels
        return await self.api.call(QUERY_RANGE_PATH, form, partial(matrix, labels=labels), within_s=within_s)


def _smaller(points: int, failed: Failed, part: Span, query: SignalQuery) -> int:
    """The next chunk's points after a failure that a smaller chunk may mend; otherwise raises."""
    if failed.too_much and points > 1:
        return points // 2
    told = f"prometheus: the past of {query.text!r} {part}: {failed.message}"
    raise Rejected(told) if failed.why is Why.BAD_QUERY else Unavailable(told)


def _join(joined: dict[tuple[str, ...], PastSeries], runs: list[Run], part: Span, query: SignalQuery) -> None:
    """Append the runs of one chunk. Raises Rejected when two of them have one key."""
    twice = [key for key, count in Counter(run.key for run in runs).items() if count > 1]
    if twice:
        raise Rejected(
            f"prometheus: the past of {query.text!r} {part}: several series for {query.labels} = {twice[0]}; "
            f"aggregate by these labels"
        )
    for run in runs:
        series = joined.setdefault(run.key, PastSeries(run.key, array("d"), array("d")))
        _extend(series.at_s, run.at_s)
        _extend(series.values, run.values)


def _extend(series: Sequence[float], more: array[float]) -> None:
    if isinstance(series, array):
        series.extend(more)


def _shown(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
