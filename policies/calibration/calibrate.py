"""What a history tells of one workload's capacity: curve, serving limits, saturation, and what is to be doubted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from policies.calibration import doubts
from policies.calibration.change import change_of, odd_groups, part_of
from policies.calibration.curve import Curve, Flow, fit_curve
from policies.calibration.estimates import Interval
from policies.calibration.history import Kind, blocks_of, usable
from policies.calibration.limit import Late, Limit, limit_of
from policies.calibration.objective import late_events, quantile_s
from policies.calibration.saturation import most_served

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import FloatArray, IntArray
    from policies.calibration.doubts import Finding
    from policies.calibration.history import History, Latencies, Left
    from policies.calibration.objective import LatencyObjective

_TOP_SHARE = 0.05


class Basis(StrEnum):
    """What the curve is of: a histogram, or requests in flight over the throughput."""

    ITL = "itl"
    LATENCY = "latency"
    IN_FLIGHT = "in flight"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a policy says: `capacityPerReplica`, and the share of it up to which a replica serves in time."""

    capacity: float
    serving_limit_ratio: float


@dataclass(frozen=True, slots=True)
class Kept:
    """An objective, and the load per replica up to which it was kept."""

    objective: LatencyObjective
    limit: Limit
    at_a_bound: bool  # a bucket of the histogram ends at the objective
    extrapolated: float | None  # by the curve, where what was seen does not reach the limit


@dataclass(frozen=True, slots=True)
class Calibration:
    """Loads and capacities are per replica and second, in the unit of the throughput."""

    left: Left
    used: int  # windows
    span_s: tuple[float, float]  # wall times of the first and last window used
    highest: float  # load that was seen
    saturated: Interval  # throughput while requests wait or are refused
    saturated_windows: int
    basis: Basis | None
    curve: Curve | None
    kept: tuple[Kept, ...]
    findings: tuple[Finding, ...]

    @property
    def serving(self) -> Interval:
        """The load that one replica serves within all objectives; unknown without one."""
        told = [each.limit.interval for each in self.kept]
        seen = any(each.value is not None for each in told)  # else all is "at least"
        values = [each.low if each.value is None else each.value for each in told] if seen else []
        lows = [each.low for each in told if each.low is not None]
        highs = [each.high for each in told if each.high is not None]
        if not told or any(each.value is None and each.low is None for each in told):
            return Interval(None, None, min(highs, default=None))
        low = min(lows) if len(lows) == len(told) else None
        return Interval(min((each for each in values if each is not None), default=None), low, min(highs, default=None))


def calibrate(
    history: History, objectives: Sequence[LatencyObjective], declared: Declared | None = None
) -> Calibration:
    """Fit what can be fitted, and say what cannot be and why.

    Raises ValueError when no window can be used, or an objective is of a latency that the history lacks.
    """
    rows, left = usable(history)
    if not rows.any():
        raise ValueError(doubts.nothing_left(left))
    seen = history.part(rows)
    findings = list(doubts.of_windows(left, seen))
    basis, flow, at = _flow(seen)
    curve: Curve | None = None
    if basis is not None:
        change = change_of(flow, seen.at_s[at])
        if change is not None:
            findings.append(doubts.changed(change))
            seen = seen.part(seen.at_s >= change.at_s)
            basis, flow, at = _flow(seen)
        found = fit_curve(flow)
        curve = None if isinstance(found, str) else found
        findings += [doubts.no_curve(found)] if isinstance(found, str) else doubts.of_curve(found)
        findings += doubts.odd(_odd(seen, flow, seen.group[at]))
    block = blocks_of(seen.at_s)
    saturated, windows = most_served(seen, block)
    kept = tuple(_kept(seen, block, each, curve if basis is not Basis.IN_FLIGHT else None) for each in objectives)
    made = Calibration(
        left=left,
        used=seen.at_s.size,
        span_s=(float(seen.at_s.min()), float(seen.at_s.max())),
        highest=Late(seen.load, seen.load, seen.load, block).highest,
        saturated=saturated,
        saturated_windows=windows,
        basis=basis,
        curve=curve,
        kept=kept,
        findings=(),
    )
    return replace(made, findings=(*findings, *doubts.of_limits(made), *doubts.contradictions(made, declared)))


def _flow(seen: History) -> tuple[Basis | None, Flow, IntArray]:
    """Throughput and requests under way of each window that has both, and its place."""
    by_kind = {each.kind: each for each in seen.latencies}
    for basis, kind in ((Basis.ITL, Kind.ITL), (Basis.LATENCY, Kind.LATENCY)):
        if kind in by_kind and (by_kind[kind].sum_ratio > 0).any():  # a histogram may be there and stay empty
            return basis, *_flow_of(seen, by_kind[kind].per_s, by_kind[kind].sum_ratio)
    known = (seen.in_flight > 0).any()
    return Basis.IN_FLIGHT if known else None, *_flow_of(seen, seen.served_per_s, seen.in_flight)


def _flow_of(seen: History, per_s: FloatArray, under_way: FloatArray) -> tuple[Flow, IntArray]:
    with np.errstate(invalid="ignore"):
        at = np.flatnonzero((per_s > 0) & (under_way > 0))
    replicas = seen.replicas[at]
    flow = Flow(per_s[at] / replicas, under_way[at] / replicas, per_s[at] * seen.step_s, blocks_of(seen.at_s[at]))
    return flow, at


def _odd(seen: History, flow: Flow, group: IntArray) -> dict[str, float]:
    curves = {name: fit_curve(part_of(flow, group == place)) for place, name in enumerate(seen.groups)}
    fitted = {name: each for name, each in curves.items() if not isinstance(each, str)}
    return odd_groups(fitted, float(np.median(flow.under_way))) if fitted else {}


def _kept(seen: History, block: IntArray, objective: LatencyObjective, curve: Curve | None) -> Kept:
    latencies = next((each for each in seen.latencies if each.kind == objective.kind), None)
    if latencies is None:
        known = ", ".join(each.kind for each in seen.latencies) or "none"
        raise ValueError(f"objective {objective}: the history has no histogram of {objective.kind} (it has {known})")
    late_per_s, exact = late_events(latencies, objective.at_most_s)
    refused = np.nan_to_num(seen.rejected_per_s) / seen.served_per_s * latencies.per_s  # late whatever they would be
    events, late = ((each + refused) * seen.step_s for each in (latencies.per_s, late_per_s))
    told = np.isfinite(events) & np.isfinite(late)
    found = limit_of(Late(seen.load[told], events[told], np.maximum(late[told], 0.0), block[told]), objective.allowed)
    guess = None
    if found.interval.value is None and found.interval.low is not None and curve is not None:
        guess = _extrapolated(seen, latencies, objective, curve)
    return Kept(objective, found, exact, guess)


def _extrapolated(seen: History, latencies: Latencies, objective: LatencyObjective, curve: Curve) -> float | None:
    """The limit where the quantile stays as far from the mean as at the highest loads: what was seen ends before."""
    if objective.kind is Kind.TTFT or curve.each_s <= 0 or curve.bent:
        return None
    with np.errstate(invalid="ignore"):
        top = (seen.load >= np.quantile(seen.load, 1 - _TOP_SHARE)) & (latencies.sum_ratio > 0)
    if not top.any():
        return None
    mean_s = float(latencies.sum_ratio[top].sum() / latencies.per_s[top].sum())
    highest_s = quantile_s(latencies, top, objective.quantile)
    if not math.isfinite(highest_s):
        return None  # above the last bound of the histogram
    mean_then_s = objective.at_most_s * mean_s / highest_s
    per_event = float(np.median(seen.served_per_s / latencies.per_s))  # the latency's events may be of another unit
    limit = (1 - curve.base_s / mean_then_s) / curve.each_s * per_event
    return limit if limit > 0 else None
