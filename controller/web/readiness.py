"""What the API says of how ready a workload is for the next mode, and of what it saves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from controller.web.times import time_text
from policies.codes import word_of
from policies.contradiction import contradiction_sentences
from policies.forecast.governance import Expert
from policies.mix.budgets import Resource
from policies.model import Hold, Mode
from policies.readiness import STEPS, Measured, Shadow, criteria
from policies.rows import demand_tracks

if TYPE_CHECKING:
    from controller.records import TickReport
    from controller.web.ready_shapes import ReadinessCriterion, ReadinessStep, Savings
    from controller.web.schemas import WorkloadReadiness
    from policies.projection.origin import Left
    from policies.readiness import Criterion, Step

API_VERSION = "foresail.dev/v1alpha1"
_UNSEEN = (Hold.NO_TARGET, Hold.CLUSTER_DOWN)
_DAY_S = 86_400.0


def readiness(report: TickReport, left: Left | None, lane: int) -> WorkloadReadiness:
    """The criteria of each step, and what the one in charge saves against the autoscaler in place."""
    namespace, _, name = report.fleet.uid[lane].partition("/")
    measured = measured_of(report, left, lane)
    return {
        "apiVersion": API_VERSION,
        "kind": "WorkloadReadiness",
        "namespace": namespace,
        "name": name,
        "at": time_text(report.at_s),
        "mode": word_of(Mode, int(report.fleet.mode[lane])),
        "steps": [_step(step, criteria(measured, step)) for step in STEPS],
        "savings": _savings(report, measured.shadow, lane),
    }


def measured_of(report: TickReport, left: Left | None, lane: int) -> Measured:
    """What is known of a lane; without what the tick left, nothing of how much data there was."""
    uid, standing = report.fleet.uid[lane], report.decision.standing
    owner, hold = report.owners.get(uid), int(report.decision.hold[lane])
    unseen = hold in _UNSEEN
    return Measured(
        evidence_s=float(standing.known_s[lane]),
        shadow=_shadow(report, lane),
        data_ratio=None if left is None else _data_ratio(report, left, lane),
        coverage=_coverage(report, lane),
        contradicted=contradiction_sentences(report.decision.contradicted, report.fleet, lane),
        unseen=(owner or "see `foresail explain`") if unseen else None,
        owner=None if unseen else owner,
    )


def _shadow(report: TickReport, lane: int) -> Shadow | None:
    standing = report.decision.standing.of(lane)
    if not standing.proven[0]:
        return None
    (replicas, _, incumbent), (late, _, incumbent_late) = standing.cost[0].tolist(), standing.late[0].tolist()
    realised, budget = float(standing.realised[0]), float(standing.budget[0])
    return Shadow(replicas, late, incumbent, incumbent_late, realised, budget)


def _data_ratio(report: TickReport, left: Left, lane: int) -> float | None:
    """The share of the last day's minutes in which its demand is known, since the first; of the least known signal."""
    history, tracks = left.state.history, demand_tracks(report.fleet)
    rows = np.flatnonzero(report.fleet.tracks.lane[tracks] == lane)
    if rows.size == 0 or history.tracks != tracks.size:
        return None
    known = history.window(_DAY_S, report.at_s, rows).known[:, :-1]  # the last minute is under way
    if not known.any(axis=1).all():
        return None
    began = int(known.argmax(axis=1).min())
    return float(known[:, began:].mean(axis=1).min())


def _coverage(report: TickReport, lane: int) -> float | None:
    """How often what came was below the 0.95 quantile, of each signal's model that speaks the shortest time ahead."""
    if report.plans is None:
        return None
    models, found = report.plans.models, list[float]()
    for row in models.rows_of(lane):
        spoken = (
            (place, int(expert)) for place, expert in enumerate(models.charge[row].tolist()) if expert != Expert.NONE
        )
        judged = [(place, expert) for place, expert in spoken if models.judged[row, expert, place] > 0]
        if not judged:
            return None
        place, expert = judged[0]
        found.append(float(models.coverage[row, expert, place]))
    return min(found, default=None)


def _step(step: Step, found: tuple[Criterion, ...]) -> ReadinessStep:
    return {"to": step, "ready": all(each.ok for each in found), "criteria": [_criterion(each) for each in found]}


def _criterion(found: Criterion) -> ReadinessCriterion:
    return {
        "name": found.name,
        "ok": found.ok,
        "value": found.value,
        "atLeast": found.at_least,
        "atMost": found.at_most,
        "sentence": found.sentence,
        "mend": found.mend,
    }


def _savings(report: TickReport, shadow: Shadow | None, lane: int) -> Savings | None:
    if shadow is None:
        return None
    less = shadow.incumbent_replicas - shadow.replicas
    price = float(report.fleet.budget.need[lane, Resource.USD_PER_HOUR])
    return {
        "replicas": less,
        "ratio": less / shadow.incumbent_replicas if shadow.incumbent_replicas > 0 else None,
        "perHour": less * price if price > 0 else None,
        "lateRatio": shadow.realised_late_ratio,
        "incumbentLateRatio": shadow.incumbent_late_ratio,
    }
