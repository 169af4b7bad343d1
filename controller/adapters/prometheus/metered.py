"""Reads the past of queries for a one-off command: one request at a time, a pause between them, and a budget."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from controller.adapters.prometheus.api import PrometheusApi
from controller.adapters.prometheus.decode import Failed, Samples, instant
from controller.adapters.prometheus.past import PastReader, Span
from controller.adapters.prometheus.source import QUERY_PATH
from controller.clients.http import HttpAccess, HttpClient
from controller.errors import Rejected, Unavailable
from controller.records import PastSeries
from policies.model import Why

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.records import SignalQuery

Decoded = TypeVar("Decoded")

ANSWER_BYTES = 256 * 1024 * 1024
DAY_S = 86_400.0


class Spent(Rejected):
    """The budget of queries is used up."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many queries may be asked, and how long to wait between two."""

    queries: int
    pause_s: float = 0.05


class MeteredPrometheus:
    """A Prometheus that is asked gently. Use it as `async with`; `queries` and `query_s` tell what it has cost."""

    def __init__(self, access: HttpAccess, budget: Budget) -> None:
        """Prepare; the first query opens the connection."""
        self.budget = budget
        self.queries = 0
        self.query_s = 0.0
        self.url = access.url
        self._client = HttpClient(access, connections=1)
        self._api = PrometheusApi(self._client, ANSWER_BYTES)
        self._past = PastReader(self)

    async def __aenter__(self) -> Self:
        """Return the reader; leaving closes its connection."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection."""
        await self._client.close()

    @property
    def left(self) -> int:
        """Queries that may still be asked."""
        return max(0, self.budget.queries - self.queries)

    async def call(
        self, path: str, form: Mapping[str, str], decode: Callable[[bytes], Decoded | Failed], *, within_s: float
    ) -> Decoded | Failed:
        """Ask within the budget, after the pause. Raises Spent."""
        if not self.left:
            raise Spent(f"prometheus: the budget of {self.budget.queries} queries is used up; raise --max-queries")
        if self.queries:
            await asyncio.sleep(self.budget.pause_s)
        self.queries += 1
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            return await self._api.call(path, form, decode, within_s=within_s)
        finally:
            self.query_s += loop.time() - began_s

    async def now(self, query: SignalQuery, *, at_s: float) -> Mapping[tuple[str, ...], float]:
        """The values of a query at a wall time, by the values of its labels. Raises Unavailable, Rejected, Spent."""
        form = {"query": query.text, "time": f"{at_s:.3f}"}
        timeout_s = self._client.access.timeout_s
        found = await self.call(QUERY_PATH, form, partial(instant, labels=query.labels), within_s=timeout_s)
        if isinstance(found, Samples):
            return dict(zip(found.keys, found.values, strict=True))
        if found.why is Why.BAD_QUERY:
            raise Rejected(f"prometheus: {query.text!r}: {found.message}")
        raise Unavailable(f"prometheus: {found.message}")

    async def past(self, query: SignalQuery, span: Span) -> Sequence[PastSeries]:
        """A query's past in pieces of a day. Raises Unavailable, Rejected and Spent, naming what failed."""
        joined: dict[tuple[str, ...], tuple[list[float], list[float]]] = {}
        day = max(1, int(DAY_S / span.step_s))
        for first in range(0, span.points, day):
            part = span.part(first, min(day, span.points - first))
            timeout_s = self._client.access.timeout_s
            for series in await self._past.read(query, part, deadline_s=timeout_s):
                at_s, values = joined.setdefault(series.key, ([], []))
                at_s.extend(series.at_s)
                values.extend(series.values)
        return [PastSeries(key, at_s, values) for key, (at_s, values) in joined.items()]


def pieces(span: Span) -> int:
    """How many requests the past of one query takes, unless the server wants smaller ones."""
    return -(-span.points // max(1, int(DAY_S / span.step_s)))
