"""The audit as plain values, for JSON and YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from simulations.audit.figures import cost_interval, cost_ratio
from simulations.audit.starter import starter_document
from simulations.audit.verdict import fleet_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulations.audit.autoscaler import Finding
    from simulations.audit.figures import Interval, Outcome
    from simulations.audit.verdict import Audited, Fleet, Passed

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Spent:
    """What the audit took: queries asked, seconds they took the server, and seconds in all."""

    queries: int = 0
    query_s: float = 0.0
    wall_s: float = 0.0
    most_queries: int | None = None  # that were allowed


@dataclass(frozen=True, slots=True)
class Report:
    """All that an audit found. `source` is where it read; `currency` names the unit of money."""

    at_s: float
    source: str
    audited: Sequence[Audited]
    passed: Sequence[Passed]
    spent: Spent
    currency: str = "USD"
    findings: Sequence[Finding] = field(default=())

    @property
    def fleet(self) -> Fleet | None:
        """The sums over workloads; None without any."""
        return fleet_of(self.audited)


def document_of(report: Report) -> dict[str, object]:
    """The report as plain values."""
    fleet = report.fleet
    return {
        "at": time_text(report.at_s),
        "source": report.source,
        "currency": report.currency,
        "fleet": None if fleet is None else _fleet(fleet),
        "workloads": [_workload(each) for each in report.audited],
        "notAudited": [{"name": each.name, "autoscaler": each.autoscaler, "why": each.why} for each in report.passed],
        "findings": [_finding(each) for each in report.findings],
        "spent": {
            "queries": report.spent.queries,
            "maxQueries": report.spent.most_queries,
            "querySeconds": round(report.spent.query_s, 3),
            "wallSeconds": round(report.spent.wall_s, 3),
        },
    }


def time_text(at_s: float) -> str:
    """A wall time as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fleet(fleet: Fleet) -> dict[str, object]:
    return {
        "incumbent": {
            "replicaHours": _rounded(fleet.incumbent_hours),
            "money": _optional(fleet.incumbent_money),
            "lateRatio": _rounded(fleet.incumbent_late),
        },
        "foresail": {
            "replicaHours": _rounded(fleet.foresail_hours),
            "money": _optional(fleet.foresail_money),
            "lateRatio": _rounded(fleet.foresail_late),
        },
        "costRatio": _value(fleet.cost_ratio, fleet.cost),
    }


def _workload(each: Audited) -> dict[str, object]:
    case, serving = each.case, each.case.serving
    return {
        "name": case.name,
        "autoscaler": str(case.autoscaler),
        "window": {
            "from": time_text(float(case.track.at_s[0])),
            "comparedFrom": time_text(float(case.track.at_s[case.track.warmup_steps])),
            "to": time_text(float(case.track.at_s[-1]) + serving.step_s),
            "comparedDays": _rounded(each.scored_days),
        },
        "assumed": {
            "query": case.measure.query,
            "unit": case.measure.unit,
            "capacityPerReplica": _rounded(serving.capacity),
            "servingLimit": _rounded(serving.serving_limit_ratio),
            "incumbentTarget": _rounded(case.measure.target_ratio),
            "startupSeconds": serving.startup_s,
            "replicaHourPrice": _optional(case.replica_hour_price),
        },
        "incumbent": _outcome(each, each.incumbent),
        "incumbentRuleReplayed": _outcome(each, each.rule),
        "foresail": _outcome(each, each.foresail),
        "foresailAsLate": _as_late(each),
        "leastReplicaHours": _rounded(each.least_replica_hours),
        "costRatio": _value(each.cost_ratio, each.cost),
        "findings": [_finding(one) for one in each.findings],
        "policy": starter_document(case),
    }


def _as_late(each: Audited) -> dict[str, object] | None:
    """Foresail at the incumbent's late share; None where the plain comparison is fair as it is."""
    if each.as_late is None:
        return None
    who = each.as_late.foresail
    ratio = _value(cost_ratio(who, each.incumbent), cost_interval(who, each.incumbent))
    return {"objective": each.as_late.late_ratio, **_outcome(each, who), "costRatio": ratio}


def _outcome(each: Audited, who: Outcome) -> dict[str, object]:
    price = each.case.replica_hour_price
    return {
        "replicaHours": _rounded(who.replica_hours),
        "money": None if price is None else _rounded(price * who.replica_hours),
        "late": _value(who.late_ratio, who.late),
        "churnPerDay": _rounded(who.churn_per_day),
    }


def _value(value: float, around: Interval | None) -> dict[str, object]:
    within = None if around is None else {"low": _rounded(around.low), "high": _rounded(around.high)}
    return {"value": _rounded(value), "interval95": within}


def _finding(finding: Finding) -> dict[str, object]:
    return {"about": str(finding.about), "message": finding.message}


def _optional(value: float | None) -> float | None:
    return None if value is None else _rounded(value)


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
