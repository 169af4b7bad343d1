"""Reads signals from Prometheus: every query with its witness, within a deadline and a budget of requests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Self

from controller.adapters.prometheus.api import PrometheusApi
from controller.adapters.prometheus.decode import Failed, Samples, instant
from controller.adapters.prometheus.past import PastReader, Span
from controller.adapters.prometheus.witness import Witness, witness_of, witnessed
from controller.clients.http import HttpAccess, HttpClient
from controller.errors import ForesailError
from controller.records import Answered, Unanswered
from policies.model import Why

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from controller.records import Answer, PastSeries, SignalQuery

QUERY_PATH = "api/v1/query"
REQUESTS_PER_QUERY = 2  # itself and its witness
WORTH_SENDING_S = 0.01  # with less time than this left, a query waits for the next tick


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be asked of the server. Raises ForesailError when it leaves no room for one query."""

    concurrency: int = 8
    requests_per_tick: int = 2000  # a query and its witness are two, where no other query has the same witness
    answer_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.answer_bytes < 1 or self.requests_per_tick < REQUESTS_PER_QUERY:
            raise ForesailError(
                f"prometheus: concurrency ({self.concurrency}) and answer size ({self.answer_bytes} bytes) must be "
                f"at least 1, requests per tick ({self.requests_per_tick}) at least {REQUESTS_PER_QUERY}"
            )


@dataclass(frozen=True, slots=True)
class _Request:
    """One HTTP request: PromQL, and the labels that its answer is keyed by."""

    text: str
    labels: tuple[str, ...]


@dataclass(slots=True)
class _Round:
    """The requests of one call of `ask` in the order they are sent, and what came back."""

    at_s: float
    ends_s: float  # on the event loop's clock
    left: list[_Request]
    heard: dict[_Request, Samples | Failed] = field(default_factory=dict)


class PrometheusSource:
    """The MetricsSource on a server with Prometheus's HTTP API. Close it, or use it as `async with`."""

    def __init__(self, access: HttpAccess, allowance: Allowance | None = None) -> None:
        """Prepare; the first query opens connections."""
        self._allowance = allowance or Allowance()
        self._client = HttpClient(access, connections=self._allowance.concurrency)
        self._api = PrometheusApi(self._client, self._allowance.answer_bytes)
        self._past = PastReader(self._api)
        self._sent = 0
        self._turn: dict[SignalQuery, int] = {}  # how many queries had been sent when each was last sent

    async def __aenter__(self) -> Self:
        """Return the source; leaving closes its connections."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @property
    def clock_skew_s(self) -> float | None:
        """How far the server's clock is ahead of ours, good to half a second; None before its first answer."""
        return self._api.clock_skew_s

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        """Answer every query as of wall time `at_s`, in order, within `deadline_s` seconds. Never raises.

        Those that were not sent for longest go first, so that neither the budget nor a slow server leaves
        the same ones out at every tick.
        """
        ends_s = asyncio.get_running_loop().time() + deadline_s
        admitted = self._admitted(queries)
        requests = list(dict.fromkeys(request for query in admitted for request in _requests(query)))
        current = _Round(at_s, ends_s, left=requests[::-1])
        await self._send(current)
        self._remember(queries, admitted, {*current.left})
        return [self._answer(query, current, asked=query in admitted) for query in queries]

    async def past(
        self, query: SignalQuery, *, start_s: float, end_s: float, step_s: float, deadline_s: float
    ) -> Sequence[PastSeries]:
        """What the query would have answered between two wall times, both included. Raises Unavailable or Rejected."""
        return await self._past.read(query, Span(start_s, end_s, step_s), deadline_s=deadline_s)

    def _admitted(self, queries: Sequence[SignalQuery]) -> dict[SignalQuery, None]:
        """The queries within the budget, in the order to ask them."""
        waiting = sorted(dict.fromkeys(queries), key=lambda query: self._turn.get(query, 0))
        room = self._allowance.requests_per_tick
        admitted: dict[SignalQuery, None] = {}
        counted: set[_Request] = set()
        for query in waiting:
            extra = {*_requests(query)} - counted
            if len(counted) + len(extra) > room:
                break
            counted |= extra
            admitted[query] = None
        return admitted

    async def _send(self, current: _Round) -> None:
        workers = min(self._allowance.concurrency, len(current.left))
        try:
            async with asyncio.timeout_at(current.ends_s), asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(current))
        except TimeoutError:
            return  # whatever has not been heard is past the deadline

    async def _work(self, current: _Round) -> None:
        loop = asyncio.get_running_loop()
        while current.left and current.ends_s - loop.time() > WORTH_SENDING_S:
            request = current.left.pop()
            current.heard[request] = await self._api.call(
                QUERY_PATH,
                {"query": request.text, "time": f"{current.at_s:.3f}"},
                partial(instant, labels=request.labels),
                within_s=current.ends_s - loop.time(),
            )

    def _answer(self, query: SignalQuery, current: _Round, *, asked: bool) -> Answer:
        if not asked:
            limit = self._allowance.requests_per_tick
            return Unanswered(query, Why.NOT_ASKED, f"not asked: the tick's budget of {limit} requests was spent")
        late = Failed(Why.DEADLINE, "no answer before the tick's deadline")
        main, *others = [current.heard.get(request, late) for request in _requests(query)]
        if isinstance(main, Failed):
            return Unanswered(query, main.why, main.message)
        return _answered(query, main, others[0] if others else None)

    def _remember(
        self, queries: Iterable[SignalQuery], admitted: Iterable[SignalQuery], left: Collection[_Request]
    ) -> None:
        """Put the queries that were sent behind the others, in the order that they were sent."""
        sent = [query for query in admitted if _requests(query)[0] not in left]
        latest = dict(zip(sent, range(self._sent + 1, self._sent + len(sent) + 1), strict=True))
        self._sent += len(sent)
        self._turn = {query: latest.get(query, self._turn.get(query, 0)) for query in queries}


def _requests(query: SignalQuery) -> tuple[_Request, ...]:
    """A query's requests: itself, and its witness if it has one."""
    labels = (*query.labels, "pod") if query.per_pod else query.labels
    own = _Request(query.text, labels)
    witness = witness_of(query)
    return (own,) if witness is None else (own, _Request(witness.text, witness.labels))


def _answered(query: SignalQuery, main: Samples, beside: Samples | Failed | None) -> Answered:
    witness = witness_of(query)
    if isinstance(beside, Failed):
        told = (*main.warnings, f"freshness unknown, the witness failed: {beside.message}")
        return Answered(query, main.keys, main.values, None, None, told)
    if witness is None or beside is None:
        return Answered(query, main.keys, main.values, None, None, main.warnings)
    newest, targets = _seen(query, witness, main, beside)
    warnings = tuple(dict.fromkeys((*main.warnings, *beside.warnings)))
    return Answered(query, main.keys, main.values, newest, targets, warnings)


def _seen(
    query: SignalQuery, witness: Witness, main: Samples, beside: Samples
) -> tuple[Mapping[tuple[str, ...], float], Mapping[tuple[str, ...], int]]:
    keys = {key[: len(query.labels)] for key in main.keys}
    return witnessed(witness, beside, keys)
