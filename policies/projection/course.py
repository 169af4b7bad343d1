"""Three courses of the next half hour, and from when on each is expected to have too few replicas."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from policies.forecast.maximum import LEVELS
from policies.projection.drive import Plan, driven
from policies.projection.load import MINUTES, Load, Untold, expected
from policies.projection.origin import STEP_S, Actor, overridden
from policies.projection.starting import Replicas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.arrays import BoolArray, IntArray
    from policies.projection.drive import Driven
    from policies.projection.origin import Origin

Name = Literal["asNow", "paused", "override"]


@dataclass(frozen=True, slots=True)
class Whatif:
    """What is asked: how long a pause from now on lasts, and the count of an override, if one is asked for."""

    pause_s: float = np.inf
    override: int | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """Replicas of a course, `[minute, level]`: as the load goes so decides who scales. `narrowed` is by rule."""

    ordered: IntArray
    ready: IntArray
    narrowed: Mapping[str, int] = field(default_factory=dict)  # first minute


@dataclass(frozen=True, slots=True)
class Course:
    """One course. Where its count is not known, `count` says why."""

    name: Name
    count: Count | Untold
    short: BoolArray | None  # too few are ready [minute, level]; None where nobody knows

    def first_short(self, level: int) -> int | None:
        """The first minute with too few; None where there is none, or nobody knows."""
        if self.short is None or not self.short[:, level].any():
            return None
        return int(np.argmax(self.short[:, level]))


@dataclass(frozen=True, slots=True)
class Projection:
    """The next half hour of a lane."""

    origin: Origin
    asked: Whatif
    load: Load | Untold
    courses: tuple[Course, ...]


def projected(origin: Origin, asked: Whatif) -> Projection:
    """The half hour as it goes on now, with a pause from now on, and with an override where one is asked for."""
    return under(origin, expected(origin), asked)


def under(origin: Origin, load: Load | Untold, asked: Whatif) -> Projection:
    """The same under a given load."""
    told = origin.told
    as_now = Plan(told.paused_until_s, origin.fixed, origin.fixed_until_s)
    until_s = max(origin.at_s + asked.pause_s, told.paused_until_s)
    plans: dict[Name, Plan] = {"asNow": as_now, "paused": replace(as_now, still_until_s=until_s, nobody=True)}
    if asked.override is not None:
        plans["override"] = Plan(told.paused_until_s, overridden(asked.override))
    courses = tuple(_course(origin, load, name, plan) for name, plan in plans.items())
    return Projection(origin, asked, load, courses)


def _course(origin: Origin, load: Load | Untold, name: Name, plan: Plan) -> Course:
    count = _count(origin, load, plan)
    if isinstance(count, Untold) or isinstance(load, Untold):
        return Course(name, count, None)
    return Course(name, count, load.above(count.ready))


def _count(origin: Origin, load: Load | Untold, plan: Plan) -> Count | Untold:
    if origin.unseen:
        return Untold(origin.unseen)
    end_s = origin.at_s + STEP_S * MINUTES
    if origin.actor is Actor.NOBODY or (plan.nobody and plan.still_until_s > end_s):
        return _still(origin)
    if isinstance(load, Load):
        ways = [driven(origin, load, level, plan) for level in range(len(LEVELS))]
        return _together(ways)
    if origin.actor is Actor.FORESAIL and plan.stands(end_s):
        return _together([driven(origin, None, 0, plan)] * len(LEVELS))
    return Untold(load.why)


def _still(origin: Origin) -> Count:
    """Nobody changes what is asked for; what starts becomes ready."""
    replicas = Replicas.of(origin)
    ready = np.array([replicas.ready_at(origin.at_s + STEP_S * minute) for minute in range(MINUTES + 1)])
    both = np.repeat(ready[:, np.newaxis], len(LEVELS), axis=1)
    return Count(np.full(both.shape, origin.told.asked, np.int64), both)


def _together(ways: list[Driven]) -> Count:
    narrowed: dict[str, int] = {}
    for way in ways:
        for rule, minute in way.narrowed.items():
            narrowed[rule] = min(minute, narrowed.get(rule, minute))
    ordered, ready = (np.stack(columns, axis=1) for columns in zip(*((w.ordered, w.ready) for w in ways), strict=True))
    return Count(ordered, ready, narrowed)
