"""What the API says, made field by field from the report of the last tick. Names are camelCase, as in Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from controller.web import bindings, holds
from controller.web.budget import budget, gpu_quota
from controller.web.condition import Condition, Standings, standings_of
from controller.web.once import once
from controller.web.outlook import outlook
from controller.web.placement import placement
from controller.web.sizes import sentences as size_sentences
from controller.web.sizes import sizes
from controller.web.times import time_text
from policies.arrays import indices
from policies.codes import word_of
from policies.explain import sentences, steps_of
from policies.forecast.words import outlook_sentences
from policies.lateness import base_value
from policies.model import RULES, UNKNOWN, Action, Kind, Mode, Status, Why, signal_name
from policies.standing import ROLES, awaited_tracks, candidate_name, family_name
from policies.startup import Given

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.journal import DecisionRow, Intent
    from controller.records import Outcome, TickReport
    from controller.web import schemas, shapes
    from policies.standing import Standing

API_VERSION = "foresail.dev/v1alpha1"


def workload_list(report: TickReport, lanes: Sequence[int], more: str) -> schemas.WorkloadList:
    """A page of workloads. `more` is where the next page begins; empty on the last one."""
    standings, awaited = standings_of(report), _awaited(report)
    return {
        "apiVersion": API_VERSION,
        "kind": "WorkloadStatusList",
        "metadata": list_metadata(report, more, report.fleet.lanes),
        "items": [_summary(report, lane, standings, awaited) for lane in lanes],
        "quarantined": dict(report.quarantined),
        "problems": list(report.problems),
    }


def workload(report: TickReport, lane: int, last: Outcome | None = None) -> schemas.WorkloadStatus:
    """One workload: its last decision, how it came about, what was read, and how its `last` change ended."""
    decision = report.decision
    return {
        "apiVersion": API_VERSION,
        "kind": "WorkloadStatus",
        **_summary(report, lane, standings_of(report), _awaited(report)),
        "startupSeconds": float(decision.startup_s[lane]),
        "startup": _startup(report, lane),
        "kubernetesReplicas": int(decision.kubernetes[lane]),
        "steps": [{"rule": rule, "before": before, "after": after} for rule, before, after in steps_of(decision, lane)],
        "explanation": [
            *holds.sentences(report, lane),
            *sentences(report.fleet, report.seen, decision, lane),
            *bindings.sentences(report, lane),
            *_outlook_sentences(report, lane),
            *size_sentences(report, lane),
        ],
        "sizes": sizes(report, lane),
        "outlook": outlook(report, lane),
        "signals": [signal(report, track) for track in np.flatnonzero(report.fleet.tracks.lane == lane).tolist()],
        "lastChange": None if last is None else _last_change(last),
        "nextDecisionAt": time_text(report.at_s + report.fleet.limits.tick_s),
    }


def list_metadata(report: TickReport, more: str, total: int) -> schemas.ListMetadata:
    """Where the next page begins, empty on the last one; the tick; and how many there are on all pages."""
    return {"continue": more, "at": time_text(report.at_s), "total": total}


def decision_list(rows: Sequence[DecisionRow], more: str) -> schemas.DecisionList:
    """A page of a workload's decisions, the newest first."""
    return {
        "apiVersion": API_VERSION,
        "kind": "DecisionList",
        "metadata": {"continue": more},
        "items": [_decision(row) for row in rows],
    }


def order_list(rows: Sequence[Intent]) -> schemas.OrderList:
    """A workload's last orders and how each ended, the newest first."""
    return {"apiVersion": API_VERSION, "kind": "OrderList", "items": [_order(row) for row in rows]}


def problem(status: int, title: str, detail: str, path: str) -> schemas.Problem:
    """An error as RFC 9457 has it."""
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": path}


def _summary(report: TickReport, lane: int, standings: Standings, awaited: Mapping[int, list[str]]) -> shapes.Workload:
    decision, target, uid = report.decision, report.targets[lane], report.fleet.uid[lane]
    namespace, _, name = uid.partition("/")
    return {
        "namespace": namespace,
        "name": name,
        "target": {"apiVersion": target.api_version, "kind": target.kind, "name": target.name},
        "mode": word_of(Mode, int(report.fleet.mode[lane])),
        "condition": word_of(Condition, int(standings.condition[lane])),
        "at": time_text(decision.at_s),
        "action": word_of(Action, int(decision.replicas.action[lane])),
        "reason": RULES[int(decision.replicas.reason[lane])],
        "hold": holds.hold_name(report, lane),
        "owner": report.owners.get(uid),
        "fixed": holds.fixed(report, lane),
        "intervention": holds.of_workload(report, lane),
        "replicas": _replicas(report, lane, int(standings.ready[lane])),
        "data": _trust(standings, lane),
        "load": float(decision.demand[lane]) if decision.demand_known[lane] else None,
        "saturationRatio": _finite(float(standings.saturation[lane])),
        "forecast": _forecast(report, lane),
        "standing": _standing(report, lane),
        "evidenceAwaits": awaited.get(lane, []),
        "placement": placement(report, lane),
        "budget": budget(report, lane),
        "gpuQuota": gpu_quota(report, lane),
    }


def _replicas(report: TickReport, lane: int, ready: int) -> shapes.Replicas:
    decision, seen = report.decision, report.seen
    return {
        "desired": _known(int(seen.spec_replicas[lane])),
        "current": _known(int(seen.status_replicas[lane])),
        "ready": ready,
        "min": int(decision.min_replicas[lane]),
        "max": int(decision.max_replicas[lane]),
        "recommended": _known(int(decision.replicas.target[lane])),
    }


def _forecast(report: TickReport, lane: int) -> shapes.Forecast | None:
    forecast = report.decision.forecast
    if not forecast.known[lane]:
        return None
    return {
        "at": time_text(report.decision.at_s + float(forecast.lead_s[lane])),
        "median": float(forecast.median[lane]),
        "upper": float(forecast.upper[lane]),
        "replicas": int(forecast.replicas[lane]),
    }


def _standing(report: TickReport, lane: int) -> shapes.Standing | None:
    standing = report.decision.standing.of(lane)
    if not standing.there[0]:
        return None
    proven = bool(standing.proven[0])
    in_charge, runner_up, incumbent = (_candidate(standing, who, proven=proven) for who in range(len(ROLES)))
    return {
        "inCharge": in_charge,
        "runnerUp": runner_up,
        "incumbent": incumbent,
        "trimErrors": float(standing.trim[0]),
        "fromOtherLoadsRatio": float(standing.elsewhere[0]),
        "realisedLateRatio": float(standing.realised[0]) if proven else None,
        "lateBudgetRatio": float(standing.budget[0]),
        "evidenceSeconds": float(standing.known_s[0]),
        "evidenceRatio": float(standing.evidence_ratio[0]),
    }


def _candidate(standing: Standing, who: int, *, proven: bool) -> shapes.Candidate:
    candidate = int(standing.candidate[0, who])
    return {
        "name": candidate_name(candidate),
        "family": family_name(candidate),
        "replicas": float(standing.cost[0, who]) if proven else None,
        "lateRatio": float(standing.late[0, who]) if proven else None,
    }


def _decision(row: DecisionRow) -> schemas.Decision:
    return {
        "at": time_text(row.at_s),
        "action": row.action,
        "mode": row.mode,
        "before": row.before,
        "after": row.target,
        "reason": row.reason,
        "steps": [{"rule": step.rule, "before": step.before, "after": step.after} for step in row.steps],
    }


def _order(row: Intent) -> schemas.Order:
    order, ended = row.order, row.outcome
    return {
        "at": time_text(row.at_s),
        "target": {"apiVersion": order.ref.api_version, "kind": order.ref.kind, "name": order.ref.name},
        "before": order.before,
        "after": order.after,
        "reason": order.reason,
        "result": None if ended is None else ended.result,
        "message": "" if ended is None else ended.message,
    }


def _last_change(outcome: Outcome) -> schemas.LastChange:
    return {
        "at": time_text(outcome.at_s),
        "before": outcome.order.before,
        "after": outcome.order.after,
        "reason": outcome.order.reason,
        "result": outcome.result,
        "message": outcome.message,
    }


@once
def _awaited(report: TickReport) -> Mapping[int, list[str]]:
    """By lane, the demand signals for want of which its load adds no evidence now."""
    tracks, found = report.fleet.tracks, dict[int, list[str]]()
    for track in indices(awaited_tracks(report.fleet, report.seen, report.decision.readings)).tolist():
        found.setdefault(int(tracks.lane[track]), []).append(signal_name(tracks.uid[track]))
    return found


def _startup(report: TickReport, lane: int) -> shapes.Startup:
    starts = report.decision.starts
    free_s, node_s, many_s = (float(starts.measured_s(case)[lane]) for case in (Given.FREE, Given.NODE, Given.MANY))
    return {
        "freeNodeSeconds": free_s or None,
        "newNodeSeconds": node_s or None,
        "manyAtOnceSeconds": many_s or None,
        "waitingForNode": bool(starts.waiting(report.at_s)[lane]),
    }


def signal(report: TickReport, track: int) -> shapes.Signal:
    """What was read of a signal."""
    readings = report.decision.readings
    status = Status(int(readings.status[track]))
    there = status is not Status.MISSING
    return {
        "name": signal_name(report.fleet.tracks.uid[track]),
        "status": word_of(Status, status),
        "why": word_of(Why, int(readings.why[track])),
        "kind": word_of(Kind, int(report.fleet.tracks.kind[track])),
        "value": base_value(report.fleet.tracks, readings, track) if there else None,
        "ageSeconds": float(readings.age_s[track]) if there else None,
        "proposed": _known(int(report.decision.proposed[track])),
        "binding": bindings.binding(report, track),
    }


def _outlook_sentences(report: TickReport, lane: int) -> tuple[str, ...]:
    return () if report.plans is None else outlook_sentences(report.plans, lane, report.at_s)


def _trust(standings: Standings, lane: int) -> shapes.Trust:
    status = word_of(Status, int(standings.status[lane]))
    return {"status": status, "oldestSeconds": _finite(float(standings.age_s[lane]))}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _known(count: int) -> int | None:
    return None if count == UNKNOWN else count
