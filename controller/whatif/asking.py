"""The one door to the what-if: one question at a time, answered in a process of its own, for as long as one waits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from controller.errors import Conflict, ForesailError, Unavailable
from controller.whatif import Answered, Question, answered
from controller.whatif.words import lines_to_change, notes
from controller.worker import GivenUp, alone
from policies.aims import HEADROOM
from policies.history import MINUTE_S
from policies.lead_time import serving_per_replica
from policies.rows import demand_rows, demand_tracks
from simulations.changed import Terms
from simulations.contenders import Hpa
from simulations.serving import DAY_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from controller.records import TickReport
    from policies.arrays import FloatArray
    from policies.spec import WorkloadPolicy
    from policies.state import EngineState

LONGEST_DAYS = 14
WITHIN_S = 120.0  # for reading and replaying together
READING_S = 40.0


class Busy(Unavailable):
    """Another question is being answered."""


@dataclass(frozen=True, slots=True)
class Change:
    """What of a policy is to be another; None = as it is. `price` is that of one replica for an hour."""

    days: float = LONGEST_DAYS
    late: float | None = None
    low: int | None = None
    high: int | None = None
    price: float | None = None

    @property
    def changes(self) -> bool:
        """Whether anything is to be another."""
        return any(each is not None for each in (self.late, self.low, self.high, self.price))


@dataclass(frozen=True, slots=True)
class Told:
    """The answer: the terms of the present policy and of the one asked for, figures in that order, and words."""

    uid: str
    terms: tuple[Terms, ...]
    answered: Answered
    lines: str  # of the policy, to change it; empty where it stays
    notes: tuple[str, ...]


async def _in_a_process(question: Question) -> Answered | ForesailError:
    return await alone(answered, question, within_s=WITHIN_S)


@dataclass(slots=True)
class WhatIfs:
    """Answers about the workloads of the last report. `state` is what the daemon remembers."""

    journal_url: str
    report: Callable[[], TickReport | None]
    state: Callable[[], EngineState | None]
    answer: Callable[[Question], Awaitable[Answered | ForesailError]] = _in_a_process
    _busy: bool = field(default=False, init=False)

    async def ask(self, uid: str, change: Change) -> Told:
        """What the last days would have been.

        Raises Busy, Unavailable where the journal does not tell or time is over, Rejected where its load cannot be
        replayed, and Conflict where the change does not fit the policy. A workload must be in the last report.
        """
        report = self.report()
        if report is None or uid not in report.fleet.uid:
            raise Unavailable(f"{uid} was in no tick yet")
        policy = next((each for each in report.policies.policies if each.uid == uid), None)
        if policy is None:
            raise Unavailable(f"the policy of {uid} is being changed; ask again after the next tick")
        question = self._question(report, policy, change)
        if self._busy:
            raise Busy("another what-if is being answered; ask again in some seconds")
        self._busy = True
        try:
            found = await self.answer(question)
        except GivenUp as error:
            raise Unavailable(f"the what-if was given up: {error}; ask for fewer days") from error
        finally:
            self._busy = False
        if isinstance(found, ForesailError):
            raise found
        lines = lines_to_change(policy, question.policies) if change.changes else ""
        return Told(uid, question.policies, found, lines, notes(policy, question, found))

    def _question(self, report: TickReport, policy: WorkloadPolicy, change: Change) -> Question:
        fleet, lane = report.fleet, report.fleet.uid.index(policy.uid)
        present = _terms(report, policy, lane)
        at_s, demand = _remembered(report, self.state(), lane)
        return Question(
            journal_url=self.journal_url,
            uid=policy.uid,
            span_s=(report.at_s - change.days * DAY_S, report.at_s),
            startup_s=float(report.decision.startup_s[lane]),
            serving_limit_ratio=float(fleet.serving_limit_ratio[lane]),
            policies=(present, _changed(policy, present, change)) if change.changes else (present,),
            past_at_s=at_s,
            past_demand=demand,
            reading_s=READING_S,
        )


def _terms(report: TickReport, policy: WorkloadPolicy, lane: int) -> Terms:
    """The policy as it is."""
    fleet, prices = report.fleet, policy.spec.objective.prices
    limit = float(fleet.serving_limit_ratio[lane])
    rule = None if fleet.forecast[lane] else Hpa("kubernetes", HEADROOM * limit, written=policy.spec.behavior)
    return Terms(
        float(fleet.late_ratio[lane]),
        (int(fleet.min_replicas[lane]), int(fleet.max_replicas[lane])),
        None if prices is None else float(prices.replica_hour),
        rule,
    )


def _changed(policy: WorkloadPolicy, present: Terms, change: Change) -> Terms:
    """The policy as it is asked for. Raises Conflict."""
    low = present.replicas[0] if change.low is None else change.low
    high = present.replicas[1] if change.high is None else change.high
    if low > high:
        raise Conflict(f"min: {low} is above max, {high}; lower min or raise max")
    slo, late = policy.spec.objective.slo, present.late_ratio if change.late is None else change.late
    if change.late is not None and slo is not None and change.late > slo.late * (1 + 1e-9):
        raise Conflict(f"late: {late:g} is above {slo.late:g}, the most that objective.slo allows; lower it")
    return replace(
        present,
        late_ratio=late,
        replicas=(low, high),
        price=present.price if change.price is None else change.price,
    )


def _remembered(report: TickReport, state: EngineState | None, lane: int) -> tuple[FloatArray, FloatArray]:
    """The minutes that the daemon remembers of a lane, and their demand, `[minute]`, as `Question` has them."""
    fleet = report.fleet
    rows = np.flatnonzero(fleet.tracks.lane[demand_tracks(fleet)] == lane)
    serving, names = serving_per_replica(fleet, report.seen)[rows], [demand_rows(fleet)[row] for row in rows]
    place = {} if state is None else {name: row for row, name in enumerate(state.rows)}
    found = [(place[name], each) for name, each in zip(names, serving.tolist(), strict=True) if name in place and each]
    if state is None or not found:
        return np.zeros(0), np.zeros(0)
    window = state.history.window(
        float(fleet.history_s[lane]), report.at_s, np.array([row for row, _ in found], np.int64)
    )
    replicas = window.value / np.array([[each] for _, each in found])
    largest = np.where(window.known, replicas, -1.0).max(axis=0)
    at_s = window.start_s + MINUTE_S * np.arange(largest.size, dtype=np.float64)
    return at_s, np.where(largest < 0, np.nan, largest)
