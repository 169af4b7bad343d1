"""What is projected, in sentences. Times are UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from policies.forecast.maximum import LEVELS
from policies.model import Mode, Status, signal_name
from policies.projection.course import Count
from policies.projection.drive import MAXIMUM
from policies.projection.load import MINUTES, Load
from policies.projection.origin import STEP_S, Actor
from policies.projection.starting import Replicas

if TYPE_CHECKING:
    from policies.projection.course import Course, Projection
    from policies.projection.origin import Origin

_MEDIAN, _HIGH = LEVELS.index(0.5), LEVELS.index(0.9)
_NARROWED = {
    MAXIMUM: "its maximum is reached",
    "stabilization": "a stabilisation window keeps replicas",
    "rate_limit": "the behavior's rate policies bind",
    "budget": "budgets withhold replicas",
    "gpu_quota": "GPU quotas withhold replicas",
    "fleet_breaker": "the fleet breaker keeps replicas",
}


def clock(origin: Origin, minute: int) -> str:
    """A minute of the projection, as 14:12."""
    return f"{datetime.fromtimestamp(origin.at_s + STEP_S * minute, UTC):%H:%M}"


def course_sentence(projection: Projection, course: Course) -> str:
    """Whether a course is expected to have enough replicas, and else from when on how many are missing."""
    origin, load, count = projection.origin, projection.load, course.count
    head, name, end = _head(projection, course), origin.uid, f"{clock(origin, MINUTES)} UTC"
    if not isinstance(count, Count):
        return f"{head}, nobody can say how many replicas {name} will have: {count.why}."
    if not isinstance(load, Load):
        ready = int(count.ready[-1, _MEDIAN])
        left = f"what its load will need is not known: {load.why}"
        return f"{head}, {name} will have {ready} replicas ready at {end}; {left}."
    median, high = (_short(projection, course, level) for level in (_MEDIAN, _HIGH))
    if median:
        return f"{head}, {name} will need {median} (p50){high and f'; at p90 {high}'}."
    enough = f"{head}, {name} is expected to have enough replicas until {end}"
    if high:
        return f"{enough} (p50); at p90 it needs {high}."
    needed, least = load.needed.max(axis=0), int(count.ready.min())
    return f"{enough}: it needs at most {needed[_MEDIAN]} (p90: {needed[_HIGH]}), and at least {least} are ready."


def notes(projection: Projection) -> tuple[str, ...]:
    """What the projection rests on, and what it leaves out."""
    origin = projection.origin
    surprise = (projection.load.surprise,) if isinstance(projection.load, Load) and projection.load.surprise else ()
    return (*surprise, *_who(origin), *_told(projection), *_starts(origin), *_left_out(origin), *_narrowed(projection))


def _head(projection: Projection, course: Course) -> str:
    origin, pause_s = projection.origin, projection.asked.pause_s
    if course.name == "override":
        return f"With an override of {projection.asked.override}"
    if course.name == "asNow":
        return "If it goes on as now"
    if pause_s > MINUTES * STEP_S:
        return "If nobody changes anything"
    return f"If nobody changes anything until {clock(origin, round(pause_s / STEP_S))} UTC"


def _short(projection: Projection, course: Course, level: int) -> str:
    """Need and ready replicas where most are missing, and from when on any are; empty where none are."""
    load, count, first = projection.load, course.count, course.first_short(level)
    if first is None or course.short is None or not (isinstance(load, Load) and isinstance(count, Count)):
        return ""
    needed, ready = load.needed[:, level], count.ready[:, level]
    most, minutes = int(np.argmax(needed - ready)), int(course.short[:, level].sum())
    since = "now" if first == 0 else f"{clock(projection.origin, first)} UTC"
    lasting = "" if minutes == MINUTES + 1 - first else f", for {minutes} min"
    return f"{needed[most]} replicas while {ready[most]} are ready, too few from {since} on{lasting}"


def _who(origin: Origin) -> tuple[str, ...]:
    """Who scales, where that is not Foresail."""
    if origin.actor is Actor.FORESAIL:
        return ()
    why = f"Foresail changes nothing, because {origin.still}"
    if origin.actor is Actor.NOBODY:
        return (f"{why}; nothing is known of how anybody else scales it, so its count is taken to stay.",)
    aims = origin.fleet.aims
    target = float(aims.incumbent_target_ratio[0])
    source = "as spec.incumbent says" if aims.incumbent_given[0] else "which is assumed"
    rule = f"the autoscaler in place is taken for Kubernetes' rule at {100 * target:g} % of a replica, {source}"
    return (
        f"{why}; {rule}.",
        "A pause of Foresail does not stop it.",
    )


def _told(projection: Projection) -> tuple[str, ...]:
    """What people told that ends within the half hour, and what an override cannot do."""
    origin, end_s = projection.origin, projection.origin.at_s + MINUTES * STEP_S
    found = []
    for until_s, what in ((origin.told.paused_until_s, "pause"), (origin.told.override_until_s, "override")):
        if origin.at_s < until_s < end_s:
            found.append(f"The {what} in force ends at {clock(origin, round((until_s - origin.at_s) / STEP_S))} UTC.")
    floor = origin.actor is Actor.OTHER and Mode(int(origin.fleet.mode[0])) is Mode.FLOOR
    if projection.asked.override is not None and origin.actor is not Actor.FORESAIL and not floor:
        found.append(f"An override changes nothing that Foresail does not write itself: {origin.still}.")
    return tuple(found)


def _starts(origin: Origin) -> tuple[str, ...]:
    startup_s = float(origin.state.starts.quantile_s[0])
    found = []
    if origin.default_startup:
        found.append(f"No start was seen yet; {startup_s:.0f} s are assumed.")
    overdue = 0 if origin.unseen else Replicas.of(origin).overdue
    if overdue:
        found.append(
            f"{overdue} of its replicas started longer ago than starts take ({startup_s:.0f} s) and are not counted on."
        )
    return tuple(found)


def _left_out(origin: Origin) -> tuple[str, ...]:
    found = []
    if (origin.seen.readings.status == Status.CENSORED).any():
        found.append("Its load now is only a lower bound, so it may need more.")
    if origin.pressure:
        names = ", ".join(signal_name(uid) for uid in origin.pressure)
        found.append(f"Signals of pressure ({names}) follow from the replicas and are left out; they may ask for more.")
    if origin.placed:
        found.append("Spot that is taken back is left out.")
    return tuple(found)


def _narrowed(projection: Projection) -> tuple[str, ...]:
    """What narrows the course that goes on as now."""
    count = projection.courses[0].count
    if not isinstance(count, Count):
        return ()
    origin = projection.origin
    return tuple(
        f"As it goes on now, {_NARROWED[rule]} from {clock(origin, minute)} UTC on."
        for rule, minute in sorted(count.narrowed.items(), key=lambda each: each[1])
    )
