"""Reads the past of autoscaled workloads from Prometheus, within the budget of queries, into cases to audit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.adapters.prometheus.metered import DAY_S, Spent
from controller.adapters.prometheus.past import Span
from controller.audit import queries
from controller.audit.plan import Ask, Cannot, Load, by_hpa, by_target, names_to_look_for, planned, together
from controller.errors import ForesailError, Rejected
from simulations.audit.autoscaler import About, Finding
from simulations.audit.verdict import Passed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.adapters.prometheus.metered import MeteredPrometheus
    from controller.records import PastSeries, SignalQuery
    from policies.arrays import FloatArray
    from simulations.audit.autoscaler import Autoscaler

Key = tuple[str, ...]

STEP_S = 60.0
STARTUP_QUANTILE = 0.9
GPUS = ".*gpu.*"
RESERVE = 10  # queries beside those of the past: requests, presence, a chunk that must be halved


@dataclass(frozen=True, slots=True)
class Started:
    """Start-ups seen: how many, and the quantile of their time from creation to readiness."""

    count: int
    startup_s: float


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one workload, on the times `at_s`: arrays `[point]`, NaN where missing."""

    load: Load
    at_s: FloatArray
    value: FloatArray
    paid: FloatArray
    ready: FloatArray
    request_cores: float | None  # of the containers whose use is the load
    gpus: float | None
    started: Started | None


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that was read, the workloads that were passed over, and what holds for all."""

    reads: tuple[Read, ...]
    passed: tuple[Passed, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The queries for some workloads, by workload."""

    loads: Mapping[Autoscaler, Ask]
    paid: Mapping[Autoscaler, Ask]
    ready: Mapping[Autoscaler, Ask]
    startups: Mapping[Autoscaler, Ask]
    starts: Mapping[Autoscaler, Ask]

    def distinct(self) -> list[SignalQuery]:
        """Every query of the past once."""
        asks = (self.loads, self.paid, self.ready, self.startups, self.starts)
        return list(dict.fromkeys(ask.query for kind in asks for ask in kind.values()))


@dataclass(slots=True)
class Reader:
    """One reading of a fleet. `told` is told what is being read."""

    prometheus: MeteredPrometheus
    end_s: float
    days: int
    told: Callable[[str], None] = lambda _: None
    _findings: list[Finding] = field(default_factory=list)

    async def read(self, scaled: Sequence[Autoscaler]) -> Gathered:
        """Read everything. Raises ForesailError when the server cannot be reached, or not a day can be afforded."""
        plans = planned(scaled, await self._present(scaled), self.prometheus.url)
        loads = {each.scaled: each for each in plans if isinstance(each, Load)}
        passed = [Passed(each.scaled.uid, str(each.scaled), each.why) for each in plans if isinstance(each, Cannot)]
        plan = _plan(loads)
        span = self._affordable(plan)
        requests = await self._requests(list(loads.values()))
        gpus = await self._now(together(list(loads), lambda part: queries.requests(part, GPUS), by_target))
        answers, failed = await self._past(plan, span)
        reads = []
        for each, load in loads.items():
            if (why := failed.get(plan.loads[each].query)) is not None:
                passed.append(Passed(each.uid, str(each), f"its load could not be read: {why}"))
                continue
            reads.append(_read(load, plan, _Answers(answers, span), (requests.get(each), gpus.get(each))))
        return Gathered(tuple(reads), tuple(passed), tuple(self._findings))

    async def _present(self, scaled: Sequence[Autoscaler]) -> Mapping[str, bool]:
        names = names_to_look_for(scaled)
        if not names:
            return {}
        found = await self.prometheus.now(queries.presence(names), at_s=self.end_s)
        return {key[0]: True for key in found}

    def _affordable(self, plan: _Plan) -> Span:
        """The span that the budget of queries can pay: as many of the last days as asked for, or fewer."""
        a_day = len(plan.distinct())
        paid = (self.prometheus.left - RESERVE) // max(1, a_day)
        if a_day and paid < 1:
            raise Rejected(
                f"prometheus: one day of the past takes {a_day} queries, and {self.prometheus.left} are left of the"
                f" budget; raise --max-queries to {a_day * self.days + 2 * RESERVE}, or name a namespace"
            )
        days = min(self.days, paid) if a_day else self.days
        if days < self.days:
            enough = a_day * self.days + 2 * RESERVE
            words = f"the budget of queries paid for {days} of {self.days} days; --max-queries {enough} pays for all"
            self._findings.append(Finding(About.BUDGET, words))
        end_s = self.end_s // STEP_S * STEP_S
        return Span(end_s - days * DAY_S, end_s - STEP_S, STEP_S)

    async def _requests(self, loads: Sequence[Load]) -> dict[Autoscaler, float]:
        """Cores that a pod of each workload requests; of one container where only its use is the load."""
        found: dict[Autoscaler, float] = {}
        for container in dict.fromkeys(map(_container, loads)):
            group = [each.scaled for each in loads if _container(each) == container]
            found |= await self._now(together(group, _requesting(container), by_target))
        return found

    async def _now(self, asks: Mapping[Autoscaler, Ask]) -> dict[Autoscaler, float]:
        answers: dict[SignalQuery, Mapping[Key, float]] = {}
        for query in dict.fromkeys(ask.query for ask in asks.values()):
            try:
                answers[query] = await self.prometheus.now(query, at_s=self.end_s)
            except Rejected as error:
                self._findings.append(Finding(About.ACCESS, str(error)))
        found = {each: answers.get(ask.query, {}).get(ask.key) for each, ask in asks.items()}
        return {each: value for each, value in found.items() if value is not None and np.isfinite(value)}

    async def _past(
        self, plan: _Plan, span: Span
    ) -> tuple[dict[SignalQuery, Mapping[Key, PastSeries]], dict[SignalQuery, str]]:
        """The past of every query, and why some failed; a server that answers nothing at all is an error."""
        answers: dict[SignalQuery, Mapping[Key, PastSeries]] = {}
        failed: dict[SignalQuery, str] = {}
        by_day = {ask.query for kind in (plan.startups, plan.starts) for ask in kind.values()}
        distinct = plan.distinct()
        for number, query in enumerate(distinct, 1):
            self.told(f"reading query {number} of {len(distinct)}")
            asked = Span(span.start_s + DAY_S, span.end_s + STEP_S, DAY_S) if query in by_day else span
            try:
                answers[query] = {series.key: series for series in await self.prometheus.past(query, asked)}
            except ForesailError as error:
                if isinstance(error, Spent) or (not answers and number == len(distinct)):
                    raise
                failed[query] = str(error)
                if query in by_day or query not in {ask.query for ask in plan.loads.values()}:
                    self._findings.append(Finding(About.ACCESS, str(error)))
        return answers, failed


def _plan(loads: Mapping[Autoscaler, Load]) -> _Plan:
    known = [each for each in loads if queries.known_kind(each.target_kind)]
    others = [each for each in loads if not queries.known_kind(each.target_kind)]
    by_autoscaler = together(others, queries.replicas_by_hpa, by_hpa)
    return _Plan(
        loads={each: load.ask for each, load in loads.items()},
        paid=together(known, lambda part: queries.replicas(part, ready=False), by_target) | by_autoscaler,
        ready=together(known, lambda part: queries.replicas(part, ready=True), by_target) | by_autoscaler,
        startups=together(list(loads), lambda part: queries.startups(part, STARTUP_QUANTILE), by_target),
        starts=together(list(loads), queries.starts, by_target),
    )


@dataclass(frozen=True, slots=True)
class _Answers:
    """Series by query and key, on the points of a span."""

    found: Mapping[SignalQuery, Mapping[Key, PastSeries]]
    span: Span

    def series(self, ask: Ask) -> PastSeries | None:
        """The series that was asked for, if there is one."""
        return self.found.get(ask.query, {}).get(ask.key)

    def column(self, ask: Ask) -> FloatArray:
        """Its values on the span's points, NaN where missing, `[point]`."""
        values = np.full(self.span.points, np.nan)
        series = self.series(ask)
        if series is not None:
            index = np.rint((np.asarray(series.at_s) - self.span.start_s) / self.span.step_s).astype(np.int64)
            values[index] = series.values
        return values

    def started(self, startups: Ask, starts: Ask) -> Started | None:
        """The median over days of each day's quantile, each day as often as pods started in it."""
        took, counted = self.series(startups), self.series(starts)
        if took is None or counted is None:
            return None
        by_day = dict(zip(counted.at_s, counted.values, strict=True))
        weighed = [(value, round(by_day.get(at_s, 0.0))) for at_s, value in zip(took.at_s, took.values, strict=True)]
        every = np.repeat([value for value, _ in weighed], [count for _, count in weighed])
        return Started(every.size, float(np.median(every))) if every.size else None


def _read(load: Load, plan: _Plan, answers: _Answers, pod: tuple[float | None, float | None]) -> Read:
    each, span = load.scaled, answers.span
    return Read(
        load=load,
        at_s=span.start_s + span.step_s * np.arange(span.points, dtype=np.float64),
        value=answers.column(plan.loads[each]),
        paid=answers.column(plan.paid[each]),
        ready=answers.column(plan.ready[each]),
        request_cores=pod[0],
        gpus=pod[1],
        started=answers.started(plan.startups[each], plan.starts[each]),
    )


def _container(load: Load) -> str | None:
    return getattr(load.metric, "container", None)


def _requesting(container: str | None) -> Callable[[Sequence[Autoscaler]], SignalQuery]:
    return lambda part: queries.requests(part, "cpu", container)
