"""Reads a workload's history from Prometheus within a budget of queries, as the windows that a calibration takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.adapters.prometheus.metered import DAY_S, Budget, MeteredPrometheus, pieces
from controller.adapters.prometheus.past import Span
from controller.errors import Rejected
from policies.calibration.history import History, Kind, Latencies

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.calibration.questions import Questions
    from controller.clients.http import HttpAccess
    from controller.records import PastSeries, SignalQuery
    from policies.arrays import FloatArray

_SPARE = 5  # queries beside those of the past: a piece that must be halved


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which days to read, up to a wall time, in windows of `window_s`, and at what cost."""

    end_s: float
    days: float
    window_s: int
    budget: Budget

    def span(self, days: float) -> Span:
        """The ends of the windows of the last days."""
        end_s = self.end_s // self.window_s * self.window_s
        count = max(1, int(days * DAY_S / self.window_s))
        return Span(end_s - (count - 1) * self.window_s, end_s, self.window_s)


@dataclass(frozen=True, slots=True)
class Read:
    """The history, what it cost, and what was not read."""

    history: History
    queries: int
    query_s: float
    notes: tuple[str, ...]


async def read_history(access: HttpAccess, asked: Questions, wanted: Wanted, told: Callable[[str], None]) -> Read:
    """Ask every query; `told` is told which. Raises Unavailable, and Rejected where nothing can be calibrated."""
    distinct = asked.distinct()
    span, notes = _affordable(len(distinct), wanted)
    answers: dict[SignalQuery, Sequence[PastSeries]] = {}
    async with MeteredPrometheus(access, wanted.budget) as prometheus:
        for number, query in enumerate(distinct, 1):
            told(f"reading query {number} of {len(distinct)}")
            answers[query] = await prometheus.past(query, span)
        spent = prometheus.queries, prometheus.query_s
    for name in ("throughput", "replicas"):
        if not answers[asked.columns[name]]:
            raise Rejected(
                f"prometheus: {asked.columns[name].text!r}: no series within {wanted.days:g} days; check namespace and"
                f" workload, --metrics, or give --{name}"
            )
    return Read(_history(asked, _Points(answers, span)), *spent, tuple(notes))


def _affordable(queries: int, wanted: Wanted) -> tuple[Span, list[str]]:
    """The span that the budget pays for, the last days first."""
    left, span = wanted.budget.queries - _SPARE, wanted.span(wanted.days)
    enough = queries * pieces(span) + _SPARE
    if queries * pieces(span) <= left:
        return span, []
    days = left // queries
    if days < 1:
        raise Rejected(
            f"prometheus: a day of the past takes {queries} queries, and the budget has {wanted.budget.queries};"
            f" raise --max-queries to {enough}"
        )
    words = f"the budget of queries paid for {days} of {wanted.days:g} days; --max-queries {enough} pays for all"
    return wanted.span(days), [words]


@dataclass(frozen=True, slots=True)
class _Points:
    """Answers on the points of a span."""

    answers: Mapping[SignalQuery, Sequence[PastSeries]]
    span: Span

    @property
    def at_s(self) -> FloatArray:
        return self.span.start_s + self.span.step_s * np.arange(self.span.points, dtype=np.float64)

    def column(self, query: SignalQuery | None, group: tuple[str, ...], *before: str) -> FloatArray:
        """A series' values, NaN where missing; `before` are values of labels that come before the group's."""
        values = np.full(self.span.points, np.nan)
        for series in self.answers.get(query, ()) if query is not None else ():
            if tuple(series.key) == (*before, *group):
                index = np.rint((np.asarray(series.at_s) - self.span.start_s) / self.span.step_s).astype(np.int64)
                values[index] = series.values
        return values


def _history(asked: Questions, points: _Points) -> History:
    groups = sorted(series.key for series in points.answers[asked.columns["throughput"]])

    def joined(query: SignalQuery | None, *before: str) -> FloatArray:
        columns = [points.column(query, group, *before) for group in groups]
        values = np.concatenate(columns)
        return np.where(np.isfinite(values), values, np.nan)

    def column(name: str) -> FloatArray:
        return joined(asked.columns.get(name))

    return History(
        points.span.step_s,
        np.tile(points.at_s, len(groups)),
        tuple("/".join(group) or "all" for group in groups),
        np.repeat(np.arange(len(groups)), points.span.points),
        column("throughput"),
        column("replicas"),
        column("waiting"),
        column("rejected"),
        column("in_flight"),
        tuple(found for kind in asked.buckets if (found := _latencies(asked, points, kind, joined)) is not None),
    )


def _latencies(asked: Questions, points: _Points, kind: Kind, joined: Callable[..., FloatArray]) -> Latencies | None:
    """The histogram of a latency; None where there is none, as of a server that exports only some."""
    texts = {series.key[0] for series in points.answers[asked.buckets[kind]]}
    bounds = sorted((float(text), text) for text in texts)
    if not bounds or not math.isinf(bounds[-1][0]):
        return None
    below = np.stack([joined(asked.buckets[kind], text) for _, text in bounds], axis=1)
    return Latencies(kind, np.array([bound for bound, _ in bounds]), below, joined(asked.sums[kind]))
