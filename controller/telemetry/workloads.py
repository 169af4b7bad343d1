"""The metrics of single workloads, rendered as text from the last tick's arrays when somebody scrapes.

Ten thousand workloads have some three hundred thousand series: setting each on each tick would cost more than
deciding does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from controller.telemetry import costs, outlook, placement
from controller.telemetry.changes import Changes
from policies import signals
from policies.arrays import count_by, floats
from policies.candidates import capacity_per_replica
from policies.fixed import Fixed, FixedBy
from policies.lateness import realised
from policies.model import RULES, UNKNOWN, Action, Kind, Mode, Phase, Status, TargetKind, signal_name
from policies.standing import ROLES, family_name
from policies.startup import Given
from policies.tournament import CANDIDATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from controller.records import TickReport
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.metric import Gauge
    from policies.model import Fleet, Observation
    from policies.standing import Standing

    Values = IntArray | FloatArray


_FAMILIES = {UNKNOWN: "none", **{candidate: family_name(candidate) for candidate in range(CANDIDATES)}}
_MODES = {int(mode): mode.name.lower() for mode in Mode}
_CASES = {Given.FREE: "free_node", Given.NODE: "new_node", Given.MANY: "many_at_once"}


def workload_text(report: TickReport, changes: Changes | None = None) -> str:
    """The exposition of all metrics by workload, valid as Prometheus text and as OpenMetrics."""
    labels = [_labels(uid) for uid in report.fleet.uid]
    lines: list[str] = []
    for gauge, known, values in (*_replicas(report), *_expectations(report)):
        _add(lines, gauge, [f"{labels[lane]}}}" for lane in np.flatnonzero(known).tolist()], values[known])
    for table in (_forecast, _saturation, _startups, _reasons, _info, _candidate_replicas, _candidate_late):
        _add(lines, *table(report, labels))
    tables = (placement.by_workload, outlook.by_workload, costs.by_workload)
    for told in (each for by in tables for each in by(report, labels)):
        _add(lines, *told)
    changes = changes or Changes()
    _add(lines, *changes.by_workload(report, labels))
    _add(lines, *changes.turns(report, labels))
    _add(lines, *_fixed(report, labels))
    return "\n".join(lines) + "\n"


def ready_replicas(seen: Observation) -> IntArray:
    """Replicas whose pods are all ready, `[lane]`."""
    pods = seen.pods
    ready = (pods.ready == 1) & ~pods.deleted & (pods.phase == Phase.RUNNING)
    return count_by(pods.lane, ready, seen.spec_replicas.size) // np.maximum(seen.pods_per_replica, 1)


def _replicas(report: TickReport) -> Iterator[tuple[Gauge, BoolArray, Values]]:
    seen, decision = report.seen, report.decision
    every = np.ones(report.fleet.lanes, np.bool_)
    yield signals.DESIRED_REPLICAS, seen.spec_replicas != UNKNOWN, seen.spec_replicas
    yield signals.CURRENT_REPLICAS, seen.status_replicas != UNKNOWN, seen.status_replicas
    yield signals.READY_REPLICAS, every, ready_replicas(seen)
    withheld = decision.budget.withheld
    yield signals.BUDGET_WITHHELD, every[: withheld.size], withheld
    withheld = decision.gpu_shares.withheld
    yield signals.GPU_QUOTA_WITHHELD, every[: withheld.size], withheld
    gpus = report.gpus
    nothing = floats(report.fleet.lanes)
    allocated, idle = (nothing, nothing) if gpus is None else (gpus.allocated, gpus.idle)
    yield signals.GPU_ALLOCATED, allocated > 0, allocated
    yield signals.GPU_IDLE, (allocated > 0) & np.isfinite(idle), idle
    yield signals.MIN_REPLICAS, every, decision.min_replicas
    yield signals.MAX_REPLICAS, every, decision.max_replicas
    yield signals.RECOMMENDED_REPLICAS, decision.replicas.action != Action.HOLD, decision.replicas.target


def _expectations(report: TickReport) -> Iterator[tuple[Gauge, BoolArray, Values]]:
    decision = report.decision
    yield signals.LOAD, decision.demand_known, decision.demand
    yield signals.CAPACITY_SEEN, *_capacity_seen(report)
    yield signals.FORECAST_TIME, decision.forecast.known, decision.at_s + decision.forecast.lead_s
    late, told = realised(report.fleet, decision.readings)
    yield signals.LATE, told, late
    every = np.ones(report.fleet.lanes, np.bool_)
    yield signals.STARTUP, every, decision.startup_s
    yield signals.AWAITS_NODE, every, decision.starts.waiting(decision.at_s).astype(np.int64)
    yield signals.STALE_SIGNALS, every, _stale(report)
    standing = decision.standing
    yield signals.REALISED_LATE, standing.proven, standing.realised
    yield signals.LATE_BUDGET, standing.there, standing.budget
    yield signals.EVIDENCE, standing.there, standing.evidence_ratio


def _capacity_seen(report: TickReport) -> tuple[BoolArray, Values]:
    """The lowest ratio of each lane's contradicted signals, `[lane]`."""
    found, ratio = report.decision.contradicted, np.full(report.fleet.lanes, np.inf)
    np.minimum.at(ratio, found.lane, found.load / found.declared)
    return np.isfinite(ratio), ratio


def _stale(report: TickReport) -> IntArray:
    """How many signals of each lane may not lower it now, as they are old or missing, `[lane]`."""
    tracks, status = report.fleet.tracks, report.decision.readings.status
    old = ((status == Status.STALE) | (status == Status.MISSING)) & (tracks.kind != Kind.LATE)
    return count_by(tracks.lane, old, report.fleet.lanes)


def _forecast(report: TickReport, labels: Sequence[str]) -> tuple[Gauge, list[str], Values]:
    forecast, late = report.decision.forecast, report.fleet.late_ratio
    known = np.flatnonzero(forecast.known)
    names = [f'{labels[lane]},quantile="0.5"}}' for lane in known.tolist()]
    names += [f'{labels[lane]},quantile="{1 - late[lane]:g}"}}' for lane in known.tolist()]
    return signals.FORECAST, names, np.concatenate((forecast.median[known], forecast.upper[known]))


def _startups(report: TickReport, labels: Sequence[str]) -> tuple[Gauge, list[str], Values]:
    names: list[str] = []
    values: list[float] = []
    for case, name in _CASES.items():
        measured_s = report.decision.starts.measured_s(case)
        known = np.flatnonzero(measured_s > 0)
        names += [f'{labels[lane]},case="{name}"}}' for lane in known.tolist()]
        values += measured_s[known].tolist()
    return signals.STARTUP_CASE, names, np.array(values, np.float64)


def _saturation(report: TickReport, labels: Sequence[str]) -> tuple[Gauge, list[str], Values]:
    ratio = _saturations(report.fleet, report)
    tracks = report.fleet.tracks
    told = (report.decision.readings.status != Status.MISSING) & (tracks.kind != Kind.LATE)
    known = np.flatnonzero(np.isfinite(ratio) & told)
    names = [
        f'{labels[tracks.lane[track]]},signal="{_escaped(signal_name(tracks.uid[track]))}"}}'
        for track in known.tolist()
    ]
    return signals.SATURATION, names, ratio[known]


def _saturations(fleet: Fleet, report: TickReport) -> FloatArray:
    """Demand over the capacity of what is ready, pressure over its target, `[track]`; NaN where nobody knows."""
    tracks, value = fleet.tracks, report.decision.readings.value_milli / 1000.0
    ready = ready_replicas(report.seen)[tracks.lane].astype(np.float64)
    utilization = report.decision.conditions.utilization_percent
    percent = np.where(utilization == UNKNOWN, np.nan, utilization)
    target = tracks.target_milli / 1000.0
    with np.errstate(divide="ignore", invalid="ignore"):
        demand = value / (capacity_per_replica(fleet, report.seen) * ready)
        average = value / (target * ready)
        ratio = np.select(
            [tracks.kind == Kind.DEMAND, tracks.target_kind == TargetKind.UTILIZATION, _per_replica(fleet)],
            [demand, percent / tracks.target_milli, average],
            value / target,
        )
    return np.asarray(ratio, np.float64)


def _per_replica(fleet: Fleet) -> BoolArray:
    average: BoolArray = fleet.tracks.target_kind == TargetKind.AVERAGE_VALUE
    return average


def _reasons(report: TickReport, labels: Sequence[str]) -> tuple[Gauge, list[str], Values]:
    reasons = report.decision.replicas.reason.tolist()
    names = [f'{label},reason="{RULES[reason]}"}}' for label, reason in zip(labels, reasons, strict=True)]
    return signals.DECISION_REASON, names, np.ones(len(names), np.int64)


def _info(report: TickReport, labels: Sequence[str]) -> tuple[Gauge, list[str], Values]:
    in_charge, modes = report.decision.standing.candidate[:, 0].tolist(), report.fleet.mode.tolist()
    names = [
        f'{label},mode="{_MODES[mode]}",in_charge="{_FAMILIES[candidate]}"}}'
        for label, mode, candidate in zip(labels, modes, in_charge, strict=True)
    ]
    return signals.WORKLOAD_INFO, names, np.ones(len(names), np.int64)


def _fixed(report: TickReport, labels: Sequence[str]) -> tuple[Gauge, list[str], Values]:
    """Counts that people have fixed."""
    fixed = report.decision.fixed or Fixed.none(report.fleet.lanes)
    lanes = np.flatnonzero(fixed.there)
    names = [f'{labels[lane]},by="{FixedBy(int(fixed.by[lane])).name.lower()}"}}' for lane in lanes.tolist()]
    return signals.FIXED_REPLICAS, names, fixed.replicas[lanes]


def _candidate_replicas(report: TickReport, labels: Sequence[str]) -> tuple[Gauge, list[str], Values]:
    standing = report.decision.standing
    return signals.CANDIDATE_REPLICAS, *_by_role(standing, labels, standing.cost)


def _candidate_late(report: TickReport, labels: Sequence[str]) -> tuple[Gauge, list[str], Values]:
    standing = report.decision.standing
    return signals.CANDIDATE_LATE, *_by_role(standing, labels, standing.late)


def _by_role(standing: Standing, labels: Sequence[str], values: FloatArray) -> tuple[list[str], Values]:
    known = np.flatnonzero(standing.proven)
    names = [f'{labels[lane]},candidate="{role}"}}' for role in ROLES for lane in known.tolist()]
    return names, values[known].T.ravel()


def _add(lines: list[str], gauge: Gauge, names: Sequence[str], values: Values) -> None:
    lines += [f"# HELP {gauge.name} {gauge.help}", f"# TYPE {gauge.name} gauge"]
    shown: Callable[[float], str] = str if values.dtype.kind == "i" else repr
    lines += [f"{gauge.name}{name} {shown(value)}" for name, value in zip(names, values.tolist(), strict=True)]


def _labels(uid: str) -> str:
    namespace, _, name = uid.partition("/")
    return f'{{namespace="{_escaped(namespace)}",workload="{_escaped(name)}"'


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
