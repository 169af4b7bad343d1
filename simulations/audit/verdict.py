"""Audits cases: what each autoscaler did, what Foresail would have done, and what neither can know."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TYPE_CHECKING

import numpy as np

from policies.tournament import INCUMBENT_LEAST, INCUMBENT_MOST
from simulations.audit.case import scored_steps
from simulations.audit.contenders import Foresail, Rule, plan
from simulations.audit.figures import Days, Replicas, cost_interval, cost_ratio, interval, outcome
from simulations.audit.findings import findings_of
from simulations.serving import DAY_S, HOUR_S, clairvoyant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policies.arrays import BoolArray
    from simulations.audit.autoscaler import Finding
    from simulations.audit.case import Case
    from simulations.audit.contenders import Band, Engine, Plan
    from simulations.audit.figures import Interval, Outcome

LEAST_SCORED_S = 6 * HOUR_S  # with less than this nothing is compared
EVEN_RATIO = 0.005  # costs that differ by less are the same
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Audited:
    """One workload's audit. `rule` is the incumbent's rule replayed, which stands for it where no past is known."""

    case: Case
    scored: BoolArray
    incumbent: Outcome
    rule: Outcome
    foresail: Outcome
    least_replica_hours: float  # of a plan that knows the load beforehand and is never late
    band: Band | None
    findings: tuple[Finding, ...]
    as_late: AsLate | None = None  # where one of them costs less and the other is late less

    @property
    def scored_days(self) -> float:
        """Days that were compared, gaps left out."""
        return float(self.scored.sum()) * self.case.serving.step_s / DAY_S

    @property
    def cost_ratio(self) -> float:
        """Foresail's cost over the incumbent's; 1 where that is 0."""
        return cost_ratio(self.foresail, self.incumbent)

    @property
    def cost(self) -> Interval | None:
        """The interval of the cost ratio."""
        return cost_interval(self.foresail, self.incumbent)


@dataclass(frozen=True, slots=True)
class AsLate:
    """Foresail asked to keep the incumbent's late share, for a comparison of cost alone."""

    late_ratio: float  # that it was asked to keep
    foresail: Outcome


@dataclass(frozen=True, slots=True)
class Passed:
    """A workload that was not audited, and why."""

    name: str
    autoscaler: str
    why: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """All audited workloads together. Money is None where a price is missing; late is weighed by replicas needed."""

    incumbent_hours: float
    foresail_hours: float
    incumbent_money: float | None
    foresail_money: float | None
    cost_ratio: float
    cost: Interval | None
    incumbent_late: float
    foresail_late: float


def audit(
    cases: Sequence[Case], *, told: Callable[[str], None] = lambda _: None, engine: Engine = plan
) -> tuple[list[Audited], list[Passed]]:
    """Audit cases in their order, and name those with too little to compare.

    They are replayed at once, as many as there are cores; `told` is told which workload is done.
    """
    able = [case for case in cases if scored_seconds(case) >= LEAST_SCORED_S]
    passed = [_passed(case) for case in cases if scored_seconds(case) < LEAST_SCORED_S]
    audited = []
    told(f"replaying {len(able)} workloads")
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # compiled loops let other threads go on
        for found in pool.map(partial(_compared, engine), able):
            audited.append(found)
            told(f"replayed {found.case.name}, {len(audited)} of {len(able)}")
    return audited, passed


def fleet_of(audited: Sequence[Audited]) -> Fleet | None:
    """The sums over workloads; None without any. A workload's load counts as the replicas that it needs."""
    if not audited:
        return None
    same_days = len({(_first_day_s(each), each.incumbent.days.load.size) for each in audited}) == 1
    before = _together([_days(each, each.incumbent) for each in audited], same_days=same_days)
    after = _together([_days(each, each.foresail) for each in audited], same_days=same_days)
    paid, planned = (sum(hours) for hours in zip(*map(_hours, audited), strict=True))
    prices = [each.case.replica_hour_price for each in audited]
    return Fleet(
        incumbent_hours=paid,
        foresail_hours=planned,
        incumbent_money=_money(prices, [each.incumbent for each in audited]),
        foresail_money=_money(prices, [each.foresail for each in audited]),
        cost_ratio=planned / paid if paid else 1.0,
        cost=interval(after.replica_hours, before.replica_hours, before.counted & after.counted) if same_days else None,
        incumbent_late=_share(before),
        foresail_late=_share(after),
    )


def scored_seconds(case: Case) -> float:
    """How long is left to compare after warm-up and gaps."""
    return float(scored_steps(case).sum()) * case.serving.step_s


def _compared(engine: Engine, case: Case) -> Audited:
    found = _audited(case, engine)
    return replace(found, as_late=_as_late(found, engine))


def _audited(case: Case, engine: Engine) -> Audited:
    scored = scored_steps(case)
    ahead, rule = engine(case, Foresail()), engine(case, Rule())
    replayed = outcome(case, _of_plan("rule", rule), scored)
    incumbent = replace(replayed, who="incumbent")
    if case.seen is not None:
        incumbent = outcome(case, Replicas("incumbent", case.seen.paid, case.seen.ready), scored)
    cheapest = np.where(scored, clairvoyant(case.track.demand, case.serving), 0).sum() * case.serving.step_s / HOUR_S
    return Audited(
        case=case,
        scored=scored,
        incumbent=incumbent,
        rule=replayed,
        foresail=outcome(case, _of_plan("Foresail", ahead), scored),
        least_replica_hours=float(cheapest),
        band=ahead.band,
        findings=(*case.findings, *findings_of(case, incumbent, replayed, scored)),
    )


def _as_late(found: Audited, engine: Engine) -> AsLate | None:
    """A second replay where neither of both is better in cost and lateness."""
    cost, later = found.cost_ratio - 1.0, found.foresail.late_ratio - found.incumbent.late_ratio
    if cost * later >= 0 or abs(cost) < EVEN_RATIO:
        return None
    late_ratio = round(min(max(found.incumbent.late_ratio, INCUMBENT_LEAST), INCUMBENT_MOST), _DIGITS)
    ahead = engine(found.case, Foresail(late_ratio))
    return AsLate(late_ratio, outcome(found.case, _of_plan("Foresail, as late", ahead), found.scored))


def _of_plan(who: str, plan: Plan) -> Replicas:
    return Replicas(who, plan.paid.astype(np.float64), plan.ready.astype(np.float64))


def _passed(case: Case) -> Passed:
    hours, needed = scored_seconds(case) / HOUR_S, LEAST_SCORED_S / HOUR_S
    warm_h = case.track.warmup_steps * case.serving.step_s / HOUR_S
    why = (
        f"{hours:.1f} hours are left to compare after {warm_h:.0f} hours of warm-up and gaps; at least {needed:.0f} are"
        " needed: read more days, or wait"
    )
    return Passed(case.name, str(case.autoscaler), why)


def _days(each: Audited, who: Outcome) -> Days:
    """Days with the load as replicas needed, so that loads of different units may be added."""
    unit = each.case.serving.capacity * each.case.serving.serving_limit_ratio
    return replace(who.days, load=who.days.load / unit, late=who.days.late / unit)


def _first_day_s(each: Audited) -> float:
    """Wall time at which the days that are compared begin."""
    return float(each.case.track.at_s[each.case.track.warmup_steps])


def _together(days: Sequence[Days], *, same_days: bool) -> Days:
    """The days of all workloads added, where they are the same; else those of each after the other."""
    if same_days:
        return reduce(Days.added, days)
    return Days(
        np.concatenate([each.replica_hours for each in days]),
        np.concatenate([each.load for each in days]),
        np.concatenate([each.late for each in days]),
        np.concatenate([each.counted for each in days]),
    )


def _hours(each: Audited) -> tuple[float, float]:
    return each.incumbent.replica_hours, each.foresail.replica_hours


def _money(prices: Sequence[float | None], who: Sequence[Outcome]) -> float | None:
    """What all replicas cost; None where some workload has no price."""
    known = [price for price in prices if price is not None]
    if len(known) < len(prices):
        return None
    return sum(price * each.replica_hours for price, each in zip(known, who, strict=True))


def _share(days: Days) -> float:
    total = float(days.load.sum())
    return float(days.late.sum()) / total if total else 0.0
