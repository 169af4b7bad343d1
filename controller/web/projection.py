"""What the API says of the next half hour of a workload."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from aiohttp import web

from controller.records import FLEET
from controller.web.acting import LASTING
from controller.web.times import time_text
from policies.fixed import MOST_REPLICAS
from policies.forecast.maximum import LEVELS
from policies.projection.course import Count, Whatif, projected
from policies.projection.load import MINUTES, Load
from policies.projection.origin import STEP_S, Tick, Told, origin_of
from policies.projection.words import course_sentence, notes
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from typing import Any

    from controller.records import TickReport
    from controller.web.schemas import WorkloadProjection
    from controller.web.shapes import (
        ByQuantile,
        CountByQuantile,
        ExpectedLoad,
        ExpectedReplicas,
        ProjectedCourse,
        TimeByQuantile,
    )
    from policies.arrays import IntArray
    from policies.projection.course import Course, Projection
    from policies.projection.origin import Left

API_VERSION = "foresail.dev/v1alpha1"
_AUTOSCALERS = ("HorizontalPodAutoscaler ", "ScaledObject ")  # what is said of these as owners begins so
_P50, _P90 = LEVELS.index(0.5), LEVELS.index(0.9)


def asked_of(request: web.Request) -> Whatif:
    """What the query asks: `pause`, how long one lasts, and `replicas` of an override. Raises HTTPBadRequest."""
    pause, replicas = request.query.get("pause"), request.query.get("replicas")
    if pause is not None and not re.fullmatch(LASTING, pause):
        raise web.HTTPBadRequest(text=f"pause must be a time such as 30m, at most 7d, not {pause!r}")
    if replicas is not None and not (re.fullmatch("[0-9]{1,6}", replicas) and int(replicas) <= MOST_REPLICAS):
        raise web.HTTPBadRequest(text=f"replicas must be a whole number from 0 to {MOST_REPLICAS}, not {replicas!r}")
    return Whatif(
        pause_s=np.inf if pause is None else parse_duration_s(pause),
        override=None if replicas is None else int(replicas),
    )


def projection(report: TickReport, left: Left | None, lane: int, asked: Whatif) -> WorkloadProjection:
    """The next half hour of one workload. `left` may be of the next tick, where that has been decided already.

    Raises HTTPServiceUnavailable without it.
    """
    if left is None:
        raise web.HTTPServiceUnavailable(text="what the last tick left for the next one is not known")
    tick = Tick(report.fleet, report.seen, report.decision, left)
    return document(projected(origin_of(tick, lane, told_of(report, lane)), asked))


def told_of(report: TickReport, lane: int) -> Told:
    """What is known of a workload beside its decision."""
    uid = report.fleet.uid[lane]
    done = any(each.order.uid == uid and each.result == "applied" for each in report.outcomes)
    counts = report.decision.replicas.target if done else report.decision.current
    own, all_of_them = report.interventions.get(uid), report.interventions.get(FLEET)
    pauses = [each.until_s for each in (own, all_of_them) if each is not None and each.kind == "pause"]
    override = own if own is not None and own.kind == "override" else None
    return Told(
        asked=max(int(counts[lane]), 0),
        autoscaled=report.owners.get(uid, "").startswith(_AUTOSCALERS),
        paused_until_s=max(pauses, default=-np.inf),
        override=None if override is None else override.replicas,
        override_until_s=-np.inf if override is None else override.until_s,
    )


def document(told: Projection) -> WorkloadProjection:
    """A projection as the API tells it."""
    origin, load = told.origin, told.load
    namespace, _, name = origin.uid.partition("/")
    return {
        "apiVersion": API_VERSION,
        "kind": "WorkloadProjection",
        "namespace": namespace,
        "name": name,
        "at": time_text(origin.at_s),
        "until": time_text(origin.at_s + MINUTES * STEP_S),
        "scaledBy": origin.actor.name.lower(),
        "load": _load(origin.at_s, load) if isinstance(load, Load) else None,
        "unknown": None if isinstance(load, Load) else load.why,
        "courses": [_course(told, course) for course in told.courses],
        "notes": list(notes(told)),
    }


def _load(at_s: float, load: Load) -> list[ExpectedLoad]:
    needed = load.needed
    return [
        {"at": time_text(at_s + minute * STEP_S), "load": _values(load.replicas[minute]), "needed": _counts(counts)}
        for minute, counts in enumerate(needed)
    ]


def _course(told: Projection, course: Course) -> ProjectedCourse:
    at_s, count = told.origin.at_s, course.count
    return {
        "name": course.name,
        "sentence": course_sentence(told, course),
        "replicas": _replicas(at_s, count) if isinstance(count, Count) else None,
        "unknown": None if isinstance(count, Count) else count.why,
        "shortFrom": _times(at_s, [course.first_short(level) for level in range(len(LEVELS))]),
        "shortMinutes": None if course.short is None else _counts(course.short.sum(axis=0)),
    }


def _replicas(at_s: float, count: Count) -> list[ExpectedReplicas]:
    return [
        {"at": time_text(at_s + minute * STEP_S), "ordered": _counts(ordered), "ready": _counts(ready)}
        for minute, (ordered, ready) in enumerate(zip(count.ordered, count.ready, strict=True))
    ]


def _values(levels: Any) -> ByQuantile:  # noqa: ANN401 - a row of an array
    return {"p50": float(levels[_P50]), "p90": float(levels[_P90])}


def _counts(levels: IntArray) -> CountByQuantile:
    return {"p50": int(levels[_P50]), "p90": int(levels[_P90])}


def _times(at_s: float, minutes: list[int | None]) -> TimeByQuantile:
    told = [None if minute is None else time_text(at_s + minute * STEP_S) for minute in minutes]
    return {"p50": told[_P50], "p90": told[_P90]}
