"""The next half hour of one lane under the rules that decide: `decide` itself, once a minute, on the expected load.

The lead-time layer takes its own steps of that load, with its models and its tournament as they stand. What scales
beside Foresail is taken for Kubernetes' rule at the incumbent's settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

import numpy as np

from policies.arrays import floats, integers, small
from policies.contest import Came
from policies.engine import decide
from policies.forecast.nearby import STEP_S as LAYER_S
from policies.hpa.behavior import Bounds
from policies.incumbent import Incumbent, orders_of
from policies.lead_time import (
    KNOWN,
    MINUTE_S,
    bound_of,
    decided,
    log_demand,
    past_around,
    serving_per_replica,
)
from policies.model import UNKNOWN, Applied, Hold, Mode, Readings, Status, Why
from policies.projection.load import MINUTES, Load
from policies.projection.origin import STEP_S, Actor
from policies.projection.starting import Replicas
from policies.rows import demand_tracks
from policies.schedules import bounds_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from policies.arrays import IntArray
    from policies.fixed import Fixed
    from policies.forecast.nearby import Past
    from policies.lead_time import LeadTime
    from policies.model import Observation
    from policies.projection.origin import Origin
    from policies.state import EngineState

NARROWING = ("stabilization", "rate_limit", "budget", "gpu_quota", "fleet_breaker")  # rules that are told of
MAXIMUM = "maximum"  # and that it is reached
_ASKING = ("signals", "forecast", "tournament", "pressure", "announced_event", "annotated_replicas", "override")
_STEPS = int(STEP_S // LAYER_S)


@dataclass(frozen=True, slots=True)
class Plan:
    """What people tell in a course: Foresail changes nothing until `still_until_s`, with `nobody` no other does either.

    A fixed count holds until `fixed_until_s`.
    """

    still_until_s: float = -np.inf
    fixed: Fixed | None = None
    fixed_until_s: float = np.inf
    nobody: bool = False

    def stands(self, until_s: float) -> bool:
        """Whether the load changes nothing up to `until_s`."""
        return self.still_until_s >= until_s or (self.fixed is not None and self.fixed_until_s >= until_s)


@dataclass(slots=True)
class Driven:
    """Replicas at each minute, `[minute]`, and since when which rule narrowed them."""

    ordered: IntArray
    ready: IntArray
    narrowed: dict[str, int] = field(default_factory=dict)  # first minute, by rule


def driven(origin: Origin, load: Load | None, level: int, plan: Plan) -> Driven:
    """Half an hour in which the load is as at `LEVELS[level]`; without `load` for a plan that it cannot change.

    Orders of one minute are ready one start-up later.
    """
    way = _Way(origin, load, level, plan)
    found = Driven(integers(MINUTES + 1, origin.told.asked), integers(MINUTES + 1))
    found.ready[0] = way.replicas.ready_at(origin.at_s)
    begins = 0 if plan.fixed is not origin.fixed else 1  # what is told anew is done at the next tick
    for minute in range(begins, MINUTES + 1):
        at_s = origin.at_s + STEP_S * minute
        way.replicas.ready_at(at_s)
        way.go(minute, at_s)
        if minute:
            found.ordered[minute], found.ready[minute] = way.asked, way.replicas.ready
        for rule in way.narrowing:
            found.narrowed.setdefault(rule, minute)
    return found


class _Way:
    """One course as it is driven."""

    def __init__(self, origin: Origin, load: Load | None, level: int, plan: Plan) -> None:
        self.origin, self.load, self.level, self.plan = origin, load, level, plan
        self.replicas, self.asked = Replicas.of(origin), origin.told.asked
        self.state: EngineState = origin.state
        self.narrowing: tuple[str, ...] = ()
        self._applied = _change(origin.at_s, origin.before, self.asked)
        self._other = _incumbent(origin)
        self._past = None if load is None else _past(origin)

    def go(self, minute: int, at_s: float) -> None:
        """Whoever scales the lane does so."""
        before, acts = self.asked, self.origin.actor
        if self.plan.nobody and at_s < self.plan.still_until_s:
            return
        match acts:
            case Actor.NOBODY:
                return
            case Actor.FORESAIL:
                self.asked = self._foresail(minute, at_s)
            case Actor.OTHER:
                self.asked = self._others(minute, at_s)
            case _:
                assert_never(acts)
        starting = integers(1, (self.replicas.starting + max(self.asked - before, 0)) * self._pods)
        startup_s = float(self.state.starts.plan_s(starting, now_s=at_s)[0])
        self.replicas.scaled(self.asked, at_s, startup_s)
        self._applied = _change(at_s, before, self.asked)

    @property
    def _pods(self) -> int:
        return max(int(self.origin.seen.pods_per_replica[0]), 1)

    def _foresail(self, minute: int, at_s: float) -> int:
        seen = self._seen(minute, at_s)
        if self.load is not None:
            self.state = replace(self.state, lead=self._layer(minute, seen))
        self.state, decision = decide(self.origin.fleet, self.state, seen)
        target = int(decision.replicas.target[0])
        most = (MAXIMUM,) if target >= decision.max_replicas[0] else ()
        self.narrowing = (*most, *_narrowing(step.rule for step in decision.steps))
        return target

    def _others(self, minute: int, at_s: float) -> int:
        """The other autoscaler, which in `mode: floor` takes the recommendation as one more signal."""
        if self.load is None:
            return self.asked
        bounds, demand = _bounds(self.origin, at_s), np.full((1, _STEPS), self.load.replicas[minute, self.level])
        usable = np.full(demand.shape, KNOWN, np.int64)
        bound = bound_of(self.origin.fleet, self.state.starts.quantile_s, integers(1, 1), bounds)
        order = int(orders_of(self._other, demand, usable, bound.incumbent)[0, -1])
        if Mode(int(self.origin.fleet.mode[0])) is not Mode.FLOOR:
            return order
        return max(order, self._foresail(minute, at_s))

    def _seen(self, minute: int, at_s: float) -> Observation:
        plan, held = self.plan, at_s < self.plan.still_until_s
        return replace(
            self.origin.seen,
            now_s=at_s,
            spec_replicas=integers(1, self.asked),
            status_replicas=integers(1, self.asked),
            hold=small(1, Hold.OPERATOR if held else Hold.NONE),
            readings=self._readings(minute),
            applied=self._applied,
            fixed=plan.fixed if at_s < plan.fixed_until_s else None,
        )

    def _readings(self, minute: int) -> Readings:
        """As they will be; as they are now where the load is not told."""
        now = self.origin.seen.readings
        if self.load is None:
            return now
        count = now.value_milli.size
        value_milli = np.rint(self.load.signals[:, minute, self.level] * 1000).astype(np.int64)
        fresh, fine = small(count, Status.FRESH), small(count, Why.OK)
        return Readings(value_milli, now.age_s, fresh, fine, now.targets)

    def _layer(self, minute: int, seen: Observation) -> LeadTime:
        """The lead-time layer after its steps of this minute."""
        lead, past, load = self.state.lead, self._past, self.load
        step = int(seen.now_s // LAYER_S)
        steps = min(step - lead.step, _STEPS)
        if load is None or past is None or not lead.lanes or lead.step == UNKNOWN or steps <= 0:
            return lead
        shape = (1, steps)
        came = Came(
            demand=np.full(shape, load.replicas[minute, self.level]),
            usable=np.full(shape, KNOWN, np.int64),
            ready=np.full(shape, float(UNKNOWN)),
            late=np.full(shape, float(UNKNOWN)),
        )
        bounds = _bounds(self.origin, seen.now_s)
        bound = bound_of(self.origin.fleet, self.state.starts.quantile_s, lead.lag, bounds)
        lead = lead.copied()
        decided(lead, past, came, bound, step - steps + 1)
        return replace(lead, step=step, ready=floats(1, UNKNOWN))


def _narrowing(rules: Iterable[str]) -> list[str]:
    """The rules that narrowed what was asked for last."""
    found: list[str] = []
    for rule in rules:
        if rule in NARROWING:
            found.append(rule)
        elif rule in _ASKING:
            found.clear()
    return found


def _change(at_s: float, before: int, after: int) -> Applied:
    if before == after:
        return Applied.none()
    return Applied(integers(1), floats(1, at_s), integers(1, before), integers(1, after))


def _incumbent(origin: Origin) -> Incumbent:
    """The other autoscaler as it was in shadow, at the count that there is."""
    known = origin.state.lead.lanes > 0
    other = origin.state.lead.incumbent.copied() if known else Incumbent.empty(1)
    return replace(other, order=integers(1, origin.told.asked))


def _bounds(origin: Origin, at_s: float) -> Bounds:
    fleet = origin.fleet
    return Bounds(*bounds_at(fleet.schedules, fleet.min_replicas, fleet.max_replicas, now_s=at_s))


def _past(origin: Origin) -> Past | None:
    """What the layer's models look back at in all its steps."""
    fleet, state = origin.fleet, origin.state
    if not state.lead.lanes:
        return None
    serving, lane = serving_per_replica(fleet, origin.seen), fleet.tracks.lane[demand_tracks(fleet)]

    def window(first_min: int, end_min: int) -> NDArray[np.float32]:
        minutes = state.history.window((end_min - first_min) * MINUTE_S, (end_min - 1) * MINUTE_S)
        return log_demand(minutes, serving, lane, 1)

    bound = bound_of(fleet, state.starts.quantile_s, state.lead.lag, _bounds(origin, origin.at_s))
    steps = _STEPS * (MINUTES + 1)
    return past_around(window, state.lead.step + 1, steps, bound.lead)
