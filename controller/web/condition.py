"""How each workload fares, in one word and over the whole fleet: what lists are sorted by, the worst first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.telemetry import ready_replicas
from controller.web.once import once
from policies.arrays import booleans, max_by
from policies.codes import Code
from policies.fixed import FixedBy
from policies.model import Hold, Kind, Status

if TYPE_CHECKING:
    from controller.records import TickReport
from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray


class Condition(Code):
    """The first that holds of a workload, the worst first."""

    SHORT = 0  # its load fills more replicas to the serving limit than are ready
    BLOCKED = 1  # Foresail cannot or must not change it: kill switch, cluster, target, rights
    AT_MAXIMUM = 2  # more is asked for than its maximum allows
    BLIND = 3  # a signal that it is scaled on is missing or stale
    LIMITED = 4  # a budget or a GPU quota gives less than is asked for
    OWNED = 5  # another controller scales it
    PAUSED = 6  # people have paused it, or a freeze window is in force
    FIXED = 7  # people have fixed its count
    WELL = 8


_HOLDS = {
    Condition.BLOCKED: (Hold.KILL_SWITCH, Hold.NO_TARGET, Hold.CLUSTER_DOWN, Hold.FORBIDDEN),
    Condition.OWNED: (Hold.OWNED,),
    Condition.PAUSED: (Hold.PAUSED, Hold.ANNOTATION, Hold.OPERATOR, Hold.FREEZE),
}
_TRUST = np.array([0, 2, 3, 1], np.int64)  # by Status, the least trusted the largest
_BY_TRUST = (Status.FRESH, Status.CENSORED, Status.STALE, Status.MISSING)


@dataclass(frozen=True, slots=True)
class Standings:
    """How workloads fare: codes of Condition, load by ready replicas and what their signals are worth, `[lane]`.

    `saturation` is NaN where the load is not known, and infinite where nothing is ready for it. `status` is that of the
    least trusted signal, and `age_s` the age of the oldest that was read, NaN where none was.
    """

    condition: SmallArray
    saturation: FloatArray
    ready: IntArray
    status: SmallArray
    age_s: FloatArray

    @classmethod
    def of(cls, report: TickReport) -> Standings:
        """Those of a tick."""
        ready = ready_replicas(report.seen)
        saturation, (status, age_s) = _saturation(report, ready), _trust(report)
        holding = {
            Condition.SHORT: saturation > 1.0,
            **{each: np.isin(report.decision.hold, holds) for each, holds in _HOLDS.items()},
            Condition.AT_MAXIMUM: _wants_more(report),
            Condition.BLIND: (status == Status.MISSING) | (status == Status.STALE),
            Condition.LIMITED: _lowered_by(report, {"budget", "gpu_quota", "step_up_budget"}),
            Condition.FIXED: _fixed(report),
        }
        worst_first = sorted(holding)
        found = np.select([holding[each] for each in worst_first], worst_first, Condition.WELL)
        return cls(found.astype(np.int8), saturation, ready, status, age_s)

    def worst_first(self) -> IntArray:
        """Lanes in the order in which they need looking at: by condition, then by saturation, then by name."""
        saturation = np.nan_to_num(self.saturation, nan=-1.0, posinf=np.inf)
        return np.lexsort((np.arange(self.ready.size), -saturation, self.condition))


standings_of = once(Standings.of)


def _saturation(report: TickReport, ready: IntArray) -> FloatArray:
    decision = report.decision
    known = decision.demand_known
    found = np.full(known.size, np.nan)
    served = known & (ready > 0)
    found[served] = decision.demand[served] / ready[served]
    found[known & (ready == 0)] = 0.0
    found[known & (ready == 0) & (decision.demand > 0)] = np.inf
    return found


def _trust(report: TickReport) -> tuple[SmallArray, FloatArray]:
    """Of the signals that decide."""
    tracks, readings, lanes = report.fleet.tracks, report.decision.readings, report.fleet.lanes
    asks = tracks.kind != Kind.LATE
    least = max_by(tracks.lane[asks], _TRUST[readings.status[asks]], lanes, empty=0)
    there = asks & (readings.status != Status.MISSING)
    oldest_s = np.full(lanes, -1.0)
    np.maximum.at(oldest_s, tracks.lane[there], readings.age_s[there])
    oldest_s[oldest_s < 0] = np.nan
    return np.array(_BY_TRUST, np.int8)[least], oldest_s


def _wants_more(report: TickReport) -> BoolArray:
    """Whether rules or the forecast ask for more than the maximum in force."""
    decision, forecast = report.decision, report.decision.forecast
    return _lowered_by(report, {"bounds"}) | (forecast.known & (forecast.replicas > decision.max_replicas))


def _lowered_by(report: TickReport, rules: set[str]) -> BoolArray:
    """Whether one of these rules gave less than was asked for before it."""
    found = booleans(report.fleet.lanes)
    for step in report.decision.steps:
        if step.rule in rules:
            found[step.lane[step.before > step.after]] = True
    return found


def _fixed(report: TickReport) -> BoolArray:
    counts = report.decision.fixed
    return booleans(report.fleet.lanes) if counts is None else counts.by != FixedBy.NOBODY
