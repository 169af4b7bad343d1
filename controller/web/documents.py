"""What the API says, made field by field from the report of the last tick. Names are camelCase, as in Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from controller.telemetry import ready_replicas
from controller.web.budget import budget, gpu_quota
from controller.web.outlook import outlook
from controller.web.placement import placement
from controller.web.sizes import sentences as size_sentences
from controller.web.sizes import sized, sizes
from controller.web.times import time_text
from policies.explain import sentences, steps_of
from policies.forecast.words import outlook_sentences
from policies.lateness import base_value
from policies.model import RULES, UNKNOWN, Action, Hold, Kind, Mode, Status, Why, signal_name
from policies.standing import awaited_tracks, candidate_name, family_name
from policies.startup import Given

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import SizedWorkload, TickReport
    from policies.arrays import BoolArray

API_VERSION = "foresail.dev/v1alpha1"

_ROLES = ("inCharge", "runnerUp", "incumbent")  # in the order of policies.standing.ROLES

Document = dict[str, Any]


def workload_list(report: TickReport, lanes: Sequence[int], more: str) -> Document:
    """A page of workloads. `more` is where the next page begins; empty on the last one."""
    ready, awaited = ready_replicas(report.seen), _awaited(report)
    return {
        "apiVersion": API_VERSION,
        "kind": "WorkloadStatusList",
        "metadata": {"continue": more, "at": time_text(report.at_s), "total": report.fleet.lanes},
        "items": [_summary(report, lane, int(ready[lane]), awaited) for lane in lanes],
        "quarantined": dict(report.quarantined),
        "problems": list(report.problems),
    }


def workload(report: TickReport, lane: int) -> Document:
    """One workload: its last decision, how it came about, and what was read."""
    decision = report.decision
    ready = int(ready_replicas(report.seen)[lane])
    return {
        "apiVersion": API_VERSION,
        "kind": "WorkloadStatus",
        **_summary(report, lane, ready, _awaited(report)),
        "startupSeconds": float(decision.startup_s[lane]),
        "startup": _startup(report, lane),
        "kubernetesReplicas": int(decision.kubernetes[lane]),
        "steps": [{"rule": rule, "before": before, "after": after} for rule, before, after in steps_of(decision, lane)],
        "explanation": [
            *sentences(report.fleet, report.seen, decision, lane),
            *_outlook_sentences(report, lane),
            *size_sentences(report, lane),
        ],
        "sizes": sizes(report, lane),
        "outlook": outlook(report, lane),
        "signals": [_signal(report, track) for track in np.flatnonzero(report.fleet.tracks.lane == lane).tolist()],
    }


def size_list(workloads: Sequence[SizedWorkload]) -> Document:
    """Every workload whose containers are sized."""
    items = [sized(each) for each in workloads]
    return {"apiVersion": API_VERSION, "kind": "WorkloadSizeList", "items": items}


def problem(status: int, title: str, detail: str, path: str) -> Document:
    """An error as RFC 9457 has it."""
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": path}


def _summary(report: TickReport, lane: int, ready: int, awaited: BoolArray) -> Document:
    decision, target, uid = report.decision, report.targets[lane], report.fleet.uid[lane]
    namespace, _, name = uid.partition("/")
    hold = Hold(int(report.seen.hold[lane]))
    return {
        "namespace": namespace,
        "name": name,
        "target": {"apiVersion": target.api_version, "kind": target.kind, "name": target.name},
        "mode": Mode(int(report.fleet.mode[lane])).name.lower(),
        "at": time_text(decision.at_s),
        "action": Action(int(decision.replicas.action[lane])).name.lower(),
        "reason": RULES[int(decision.replicas.reason[lane])],
        "hold": None if hold is Hold.NONE else hold.name.lower(),
        "owner": report.owners.get(uid),
        "replicas": _replicas(report, lane, ready),
        "load": float(decision.demand[lane]) if decision.demand_known[lane] else None,
        "forecast": _forecast(report, lane),
        "standing": _standing(report, lane),
        "evidenceAwaits": _names(report, awaited, lane),
        "placement": placement(report, lane),
        "budget": budget(report, lane),
        "gpuQuota": gpu_quota(report, lane),
    }


def _replicas(report: TickReport, lane: int, ready: int) -> Document:
    decision, seen = report.decision, report.seen
    return {
        "desired": _known(int(seen.spec_replicas[lane])),
        "current": _known(int(seen.status_replicas[lane])),
        "ready": ready,
        "min": int(decision.min_replicas[lane]),
        "max": int(decision.max_replicas[lane]),
        "recommended": _known(int(decision.replicas.target[lane])),
    }


def _forecast(report: TickReport, lane: int) -> Document | None:
    forecast = report.decision.forecast
    if not forecast.known[lane]:
        return None
    return {
        "at": time_text(report.decision.at_s + float(forecast.lead_s[lane])),
        "median": float(forecast.median[lane]),
        "upper": float(forecast.upper[lane]),
        "replicas": int(forecast.replicas[lane]),
    }


def _standing(report: TickReport, lane: int) -> Document | None:
    standing = report.decision.standing
    if not standing.there[lane]:
        return None
    proven = bool(standing.proven[lane])
    candidates = {
        name: {
            "name": candidate_name(candidate),
            "family": family_name(candidate),
            "replicas": float(standing.cost[lane, who]) if proven else None,
            "lateRatio": float(standing.late[lane, who]) if proven else None,
        }
        for who, (name, candidate) in enumerate(zip(_ROLES, standing.candidate[lane].tolist(), strict=True))
    }
    return {
        **candidates,
        "trimErrors": float(standing.trim[lane]),
        "fromOtherLoadsRatio": float(standing.elsewhere[lane]),
        "realisedLateRatio": float(standing.realised[lane]) if proven else None,
        "lateBudgetRatio": float(standing.budget[lane]),
        "evidenceSeconds": float(standing.known_s[lane]),
        "evidenceRatio": float(standing.evidence_ratio[lane]),
    }


def _awaited(report: TickReport) -> BoolArray:
    """The demand signals for want of which a workload's load adds no evidence now, `[track]`."""
    return awaited_tracks(report.fleet, report.seen, report.decision.readings)


def _names(report: TickReport, chosen: BoolArray, lane: int) -> list[str]:
    """The chosen ones of a lane's signals."""
    tracks = report.fleet.tracks
    first, end = np.searchsorted(tracks.lane, [lane, lane + 1])
    return [signal_name(tracks.uid[track]) for track in range(first, end) if chosen[track]]


def _startup(report: TickReport, lane: int) -> Document:
    starts = report.decision.starts
    free_s, node_s, many_s = (float(starts.measured_s(case)[lane]) for case in (Given.FREE, Given.NODE, Given.MANY))
    return {
        "freeNodeSeconds": free_s or None,
        "newNodeSeconds": node_s or None,
        "manyAtOnceSeconds": many_s or None,
        "waitingForNode": bool(starts.waiting(report.at_s)[lane]),
    }


def _signal(report: TickReport, track: int) -> Document:
    readings = report.decision.readings
    status = Status(int(readings.status[track]))
    there = status is not Status.MISSING
    return {
        "name": signal_name(report.fleet.tracks.uid[track]),
        "status": status.name.lower(),
        "why": Why(int(readings.why[track])).name.lower(),
        "kind": Kind(int(report.fleet.tracks.kind[track])).name.lower(),
        "value": base_value(report.fleet.tracks, readings, track) if there else None,
        "ageSeconds": float(readings.age_s[track]) if there else None,
        "proposed": _known(int(report.decision.proposed[track])),
    }


def _outlook_sentences(report: TickReport, lane: int) -> tuple[str, ...]:
    return () if report.plans is None else outlook_sentences(report.plans, lane, report.at_s)


def _known(count: int) -> int | None:
    return None if count == UNKNOWN else count
