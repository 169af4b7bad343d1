"""Reads the loads of workloads that have a policy from Prometheus: what its demand signals were, within a budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.adapters.prometheus.metered import DAY_S, MeteredPrometheus, Spent
from controller.adapters.prometheus.past import Span
from controller.collect.questions import Questions
from controller.errors import Rejected
from policies.fleet import fleet_of
from policies.model import UNKNOWN, Kind, Limits
from simulations.recorded import RecordedLoad

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.adapters.prometheus.metered import Budget
    from controller.clients.http import HttpAccess
    from controller.records import SignalQuery
    from policies.arrays import FloatArray
    from policies.model import Fleet
    from policies.spec import WorkloadPolicy

Key = tuple[str, ...]

STEP_S = 60.0
STARTUP_S = 60.0  # nothing tells how long pods take to start


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which days to read, up to a wall time, and at what cost."""

    end_s: float
    days: int
    budget: Budget

    @property
    def span(self) -> Span:
        """The points to read."""
        end_s = self.end_s // STEP_S * STEP_S
        return Span(end_s - self.days * DAY_S, end_s - STEP_S, STEP_S)


@dataclass(frozen=True, slots=True)
class Found:
    """The loads read, and why those of other workloads were not, by uid."""

    loads: tuple[RecordedLoad, ...]
    passed: dict[str, str]


async def loads_of(
    access: HttpAccess, policies: Sequence[WorkloadPolicy], wanted: Wanted, told: Callable[[str], None]
) -> Found:
    """Read the demand of each policy; `told` is told what is being read.

    Raises Unavailable, and Rejected when the budget of queries cannot pay for all days.
    """
    fleet, questions = fleet_of(policies, Limits()), Questions.of(policies)
    tracks = [_declared(fleet, lane) for lane in range(fleet.lanes)]
    distinct = list(dict.fromkeys(_query(questions, track) for of_lane in tracks for track in of_lane))
    _afford(len(distinct), wanted)
    answers, failed = await _answers(access, distinct, wanted, told)
    at_s: FloatArray = wanted.span.start_s + STEP_S * np.arange(wanted.span.points, dtype=np.float64)
    loads, passed = [], {}
    for lane, of_lane in enumerate(tracks):
        places = {track: (_query(questions, track), questions.places[track].key) for track in of_lane}
        problems = [failed[query] for query, _ in places.values() if query in failed]
        values = {track: answers[place] for track, place in places.items() if place in answers}
        found = None if problems else _load(fleet, lane, at_s, values)
        if found is None:
            passed[fleet.uid[lane]] = problems[0] if problems else _why(of_lane)
        else:
            loads.append(found)
    return Found(tuple(loads), passed)


async def _answers(
    access: HttpAccess, distinct: Sequence[SignalQuery], wanted: Wanted, told: Callable[[str], None]
) -> tuple[dict[tuple[SignalQuery, Key], FloatArray], dict[SignalQuery, str]]:
    """Values on the span's points, NaN where missing, by query and key, `[point]`; and why queries were refused."""
    answers: dict[tuple[SignalQuery, Key], FloatArray] = {}
    failed: dict[SignalQuery, str] = {}
    async with MeteredPrometheus(access, wanted.budget) as prometheus:
        for number, query in enumerate(distinct, 1):
            told(f"reading query {number} of {len(distinct)}")
            try:
                found = await prometheus.past(query, wanted.span)
            except Spent:
                raise
            except Rejected as error:
                failed[query] = str(error)
                continue
            for series in found:
                values = answers.setdefault((query, series.key), np.full(wanted.span.points, np.nan))
                point = np.rint((np.asarray(series.at_s) - wanted.span.start_s) / STEP_S).astype(np.int64)
                values[point] = series.values
    return answers, failed


def _declared(fleet: Fleet, lane: int) -> list[int]:
    """The demand tracks of a lane whose capacity is declared."""
    tracks = fleet.tracks
    wanted = (tracks.lane == lane) & (tracks.kind == Kind.DEMAND) & (tracks.capacity_milli != UNKNOWN)
    found: list[int] = np.flatnonzero(wanted).tolist()
    return found


def _query(questions: Questions, track: int) -> SignalQuery:
    return questions.queries[questions.places[track].query]


def _afford(queries: int, wanted: Wanted) -> None:
    needed = queries * wanted.days
    if needed > wanted.budget.queries:
        raise Rejected(
            f"prometheus: {wanted.days} days of {queries} queries take {needed} requests and --max-queries allows"
            f" {wanted.budget.queries}: raise it, or ask for fewer --days or for one --workload"
        )


def _load(fleet: Fleet, lane: int, at_s: FloatArray, values: Mapping[int, FloatArray]) -> RecordedLoad | None:
    """The largest of a lane's demands, by track, in replicas at the serving limit; None where there is none."""
    limit = float(fleet.serving_limit_ratio[lane])
    demands = [
        each / (fleet.tracks.capacity_milli[track] / 1000.0 * limit)
        for track, each in values.items()
        if np.isfinite(each).any()
    ]
    if not demands:
        return None
    return RecordedLoad(
        fleet.uid[lane],
        at_s,
        np.fmax.reduce(demands),
        serving_limit_ratio=limit,
        replicas=(int(fleet.min_replicas[lane]), int(fleet.max_replicas[lane])),
        startup_s=STARTUP_S,
        late_ratio=float(fleet.late_ratio[lane]),
    )


def _why(tracks: Sequence[int]) -> str:
    if tracks:
        return "its demand queries have no series then; check their query and match"
    return "it has no demand signal with capacityPerReplica, which a load in replicas needs"
