"""The lead-time layer in the engine: its state, its own clock of steps, and what it makes of each observation.

Ticks may come at any pace; the layer goes on by one step of `STEP_S` wall seconds at a time, at the first tick in it.
Between two steps its orders stand.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray, any_by, booleans, floats, integers
from policies.candidates import capacity_per_replica
from policies.contest import Came, Forecasts, Terms
from policies.forecast.nearby import (
    HALF_REPLICA,
    LAGS_MIN,
    LONGEST_LEAD,
    STEP_S,
    Lead,
    Near,
    past_of,
    past_span_min,
    shapes,
)
from policies.forecast.recursive import Models, forecasts
from policies.hpa.pods import listed_pods, ready_pods
from policies.incumbent import Incumbent, Settings, orders_of
from policies.lateness import realised
from policies.model import UNKNOWN, Forecast, Hold, Mode, Status
from policies.rows import demand_tracks
from policies.tournament import (
    EVIDENCE_STEPS,
    EXPECTED,
    HEARD_STEPS,
    Scores,
    rulings,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from policies.forecast.nearby import Past, Shape
    from policies.history import Window
    from policies.hpa.behavior import Bounds
    from policies.model import Fleet, Observation
    from policies.state import EngineState

MINUTE_S = 60
FILLED_STEPS = 2  # so many steps, and those of a tick's length, take the reading of the tick that ends them
LONGEST_LAG = 4
LAG_SLACK = 0.75  # a lag stands while readings are up to so many steps older or younger
YESTERDAY = (8, 10)  # mean features that lead from the base to the largest load a day before
KNOWN, BOUND, NOTHING = 2, 1, 0  # how far a load is usable
MISSED_STEPS = LONGEST_LEAD  # without a tick, that are gone through at most
BLOCK_STEPS = 20  # gone through in one call, so that ten thousand lanes take 130 MB

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LeadTime:
    """What the layer remembers of each lane."""

    step: int  # wall time of the last step over `STEP_S`; UNKNOWN before the first
    near: Near
    models: Models
    scores: Scores
    incumbent: Incumbent
    lag: IntArray  # steps [lane]
    ready: FloatArray  # replicas that were ready at the last step; UNKNOWN where nobody knows [lane]

    @classmethod
    def empty(cls, lanes: int) -> LeadTime:
        """Nothing seen."""
        parts = Near.empty(lanes), Models.empty(lanes), Scores.empty(lanes), Incumbent.empty(lanes)
        return cls(UNKNOWN, *parts, integers(lanes, 1), floats(lanes, UNKNOWN))

    def copied(self) -> LeadTime:
        """Arrays of its own, to be written to."""
        parts = self.near.copied(), self.models.copied(), self.scores.copied(), self.incumbent.copied()
        return LeadTime(self.step, *parts, self.lag, self.ready)

    @property
    def lanes(self) -> int:
        """How many lanes there are."""
        return int(self.lag.size)

    def aligned(self, source: IntArray) -> LeadTime:
        """Lane i takes what old lane `source[i]` remembers; -1 stands for a lane that has seen nothing."""
        return _aligned(self, LeadTime.empty(source.size), source)

    def with_lanes(self, learned: LeadTime, source: IntArray) -> LeadTime:
        """Lane i takes what lane `source[i]` of `learned` remembers, where it knows more; -1 stands for itself."""
        known = np.where(source >= 0, learned.scores.known[np.maximum(source, 0)], 0) if learned.lanes else source * 0
        taken = np.where(known > self.scores.known, source, -1)
        return _aligned(learned, self, taken) if (taken >= 0).any() else self


class Bound(NamedTuple):
    """What binds the candidates, the settings of the incumbent among them, and whether there are models.

    Without models the load stays as it is, and the headroom follows its changes.
    """

    terms: Terms
    incumbent: Settings
    models: bool = True

    @property
    def lead(self) -> Lead:
        """How far ahead each lane looks."""
        return Lead(self.terms.startup, self.terms.lag)


@dataclass(frozen=True, slots=True)
class Learned:
    """What the layer learned of the past of some lanes, made outside of a tick."""

    uid: tuple[str, ...]
    lead: LeadTime


@dataclass(frozen=True, slots=True)
class Orders:
    """What the layer asks for, `[lane]`."""

    replicas: IntArray
    alone: BoolArray  # the one in charge has evidence enough to decide alone

    @classmethod
    def none(cls, lanes: int) -> Orders:
        """No order."""
        return cls(integers(lanes), booleans(lanes))


class Decided(NamedTuple):
    """What the layer decided on some steps, `[lane, step]`."""

    order: IntArray  # replicas; 0 = none
    alone: BoolArray  # the one in charge has evidence enough to decide alone
    expected: FloatArray  # log demand when the order serves, in replicas
    upper: FloatArray  # with the margin that is in the order


def came_of(fleet: Fleet, seen: Observation) -> tuple[FloatArray, IntArray]:
    """The demand of each lane in replicas at the serving limit, and how far it is usable, `[lane]`.

    Known is what all demand signals tell freshly. Where one of them is cut off by saturation, the largest is a lower
    bound; an old value tells nothing.
    """
    tracks, lanes = demand_tracks(fleet), fleet.lanes
    lane, status = fleet.tracks.lane[tracks], seen.readings.status[tracks]
    serving = serving_per_replica(fleet, seen)
    told = ((status == Status.FRESH) | (status == Status.CENSORED)) & (serving > 0)
    fresh = told & (status == Status.FRESH)
    demand = floats(lanes)
    np.maximum.at(demand, lane[told], seen.readings.value_milli[tracks][told] / 1000.0 / serving[told])
    known = any_by(lane, fresh, lanes) & ~any_by(lane, ~fresh, lanes)
    bound = any_by(lane, told & ~fresh, lanes)
    return demand, np.where(known, KNOWN, np.where(bound, BOUND, NOTHING)).astype(np.int64)


def serving_per_replica(fleet: Fleet, seen: Observation) -> FloatArray:
    """Load that one replica serves in time, in the unit of each demand track, `[row]`; 0 where nobody knows."""
    tracks = demand_tracks(fleet)
    return capacity_per_replica(fleet, seen)[tracks] * fleet.serving_limit_ratio[fleet.tracks.lane[tracks]]


def advanced(state: EngineState, fleet: Fleet, seen: Observation, bounds: Bounds) -> tuple[LeadTime, Orders]:
    """The layer after this observation, and its orders; they stand as they were within a step.

    The history of `state` holds what this observation told; `bounds` are those in force. Steps without a tick take the
    present reading where ticks are as far apart, else they are not known. After a pause the last hour of them is gone
    through, the longest that an order looks ahead: then no order from before it is young enough to have served what
    comes. More would teach nothing, hide how much the load moved before, and hold up the tick, by about a quarter of
    a second a step for ten thousand lanes. Raises ValueError where `state` was not aligned to `fleet`.
    """
    lead, step = state.lead, int(seen.now_s // STEP_S)
    if lead.lanes != fleet.lanes:
        raise ValueError(f"the layer has {lead.lanes} lanes and the fleet {fleet.lanes}: align the state first")
    missed = step - lead.step
    if missed == 0:
        return lead, _orders(lead)
    steps = min(missed, MISSED_STEPS) if lead.step != UNKNOWN and missed > 0 else 1
    bound = bound_of(fleet, state.starts.quantile_s, _lag(lead.lag, fleet, seen), bounds)
    acted = (fleet.mode == Mode.ACTIVE) & (seen.hold == Hold.NONE) & (lead.scores.known >= EVIDENCE_STEPS)
    bound = bound._replace(terms=bound.terms._replace(acted=acted))
    ready = _ready(fleet, seen)
    came = _came(lead, fleet, seen, ready, steps)
    serving, lane = serving_per_replica(fleet, seen), fleet.tracks.lane[demand_tracks(fleet)]

    def window(first_min: int, end_min: int) -> NDArray[np.float32]:
        minutes = state.history.window((end_min - first_min) * MINUTE_S, (end_min - 1) * MINUTE_S)
        return log_demand(minutes, serving, lane, fleet.lanes)

    lead, first = lead.copied(), step - steps + 1
    for begin in range(0, steps, BLOCK_STEPS):
        block = _block(came, slice(begin, min(begin + BLOCK_STEPS, steps)))
        past = past_around(window, first + begin, block.demand.shape[1], bound.lead)
        decided(lead, past, block, bound, first + begin)
    lead = replace(lead, step=step, lag=bound.terms.lag, ready=ready)
    return lead, _orders(lead)


def decided(lead: LeadTime, past: Past, came: Came, bound: Bound, first_step: int) -> Decided:
    """What is decided on some steps from `first_step` on; `lead` is written to.

    There is no order before a lane was watched for an hour.
    """
    shape = shapes(lead.near, past, bound.lead, came.demand, came.usable, first_step)
    told = forecasts(lead.models, shape, bound.lead, learned=np.full(lead.lanes, bound.models))
    incumbent = orders_of(lead.incumbent, came.demand, came.usable, bound.incumbent)
    said = Forecasts(told, shape.base, shape.peak, incumbent, _yesterday(shape))
    ruling = rulings(lead.scores, said, came, bound.terms)
    heard = ruling.known >= HEARD_STEPS
    return Decided(np.where(heard, ruling.order, 0), ruling.known >= EVIDENCE_STEPS, ruling.expected, ruling.upper)


def bound_of(fleet: Fleet, startup_s: FloatArray, lag: IntArray, bounds: Bounds) -> Bound:
    """What binds each lane, in steps and replicas, where what is ready was ordered by another."""
    aims, down = fleet.aims, fleet.behavior.down
    terms = Terms(
        low=bounds.low,
        high=bounds.high,
        startup=_lead_steps(startup_s),
        lag=lag,
        budget=fleet.late_ratio,
        as_incumbent=aims.late_incumbent,
        hour=aims.slo_hour_ratio,
        price=aims.late_price_ratio,
        churn=aims.churn_s / STEP_S,
        hold=np.where(down.written, np.minimum(_steps(down.window_s), LONGEST_LEAD), 0),
        slo=aims.slo_window_s > 0,
        acted=booleans(fleet.lanes),
    )
    incumbent = Settings(
        target=aims.incumbent_target_ratio / fleet.serving_limit_ratio,
        tolerance_ratio=aims.incumbent_tolerance_ratio,
        window=_steps(aims.incumbent_window_s),
        low=bounds.low,
        high=bounds.high,
    )
    return Bound(terms, incumbent)


def past_around(window: Any, first_step: int, steps: int, lead: Lead) -> Past:  # noqa: ANN401
    """The windows around each lag that some steps look at; `window(first_min, end_min)` gives log demand by minute."""
    before, after = past_span_min(lead)
    begin, end = first_step // 2, (first_step + steps - 1) // 2
    firsts = [begin - lag - before for lag in LAGS_MIN]
    width = end - begin + before + after + 1
    return past_of([window(first, first + width) for first in firsts], np.array(firsts))


def log_demand(minutes: Window, serving: FloatArray, lane: IntArray, lanes: int) -> NDArray[np.float32]:
    """Log demand of each lane by minute, the largest of its tracks; NaN where none is known, `[lane, minute]`."""
    level: NDArray[np.float32] = np.full(minutes.value.shape, np.nan, np.float32)
    known = minutes.known & (serving > 0)[:, None]
    row = np.nonzero(known)[0]
    level[known] = np.log(np.maximum(minutes.value[known] / serving[row], 0.0) + HALF_REPLICA)
    if lane.size == lanes and (lane == np.arange(lanes)).all():
        return level
    largest = np.full((lanes, level.shape[1]), np.nan, np.float32)
    if lane.size:
        begins = np.flatnonzero(np.concatenate((np.ones(1, np.bool_), lane[1:] != lane[:-1])))
        largest[lane[begins]] = np.fmax.reduceat(level, begins, axis=0)
    return largest


def forecast_of(lead: LeadTime, fleet: Fleet, startup_s: FloatArray) -> Forecast:
    """Demand one start-up ahead: the expected, and with the margins of those in charge, if they have one, `[lane]`."""
    scores = lead.scores
    known = fleet.forecast & (scores.known >= HEARD_STEPS)
    median, upper = (
        np.where(known, np.exp(np.where(known, each, 0.0)) - HALF_REPLICA, 0.0)
        for each in (scores.level[:, EXPECTED, 0], scores.upper)
    )
    lead_s = np.asarray(_lead_steps(startup_s) * STEP_S, np.float64)
    replicas = np.where(known, scores.own[:, 0], 0)
    return Forecast(known, lead_s, np.maximum(median, 0.0), np.maximum(upper, 0.0), replicas)


def _orders(lead: LeadTime) -> Orders:
    known = lead.scores.known
    return Orders(np.where(known >= HEARD_STEPS, lead.scores.own[:, 0], 0), known >= EVIDENCE_STEPS)


def _yesterday(shape: Shape) -> FloatArray:
    return shape.base + shape.mean[:, :, YESTERDAY[0]] + shape.mean[:, :, YESTERDAY[1]]


def _came(lead: LeadTime, fleet: Fleet, seen: Observation, ready: FloatArray, steps: int) -> Came:
    """What came in the steps up to this observation; `ready` replicas now, and at least those of the step before."""
    demand, usable = came_of(fleet, seen)
    late, told = realised(fleet, seen.readings)
    both = np.where((ready >= 0) & (lead.ready >= 0), np.minimum(ready, lead.ready), ready)
    filled = steps <= FILLED_STEPS + int(fleet.limits.tick_s // STEP_S)
    nothing = np.zeros(fleet.lanes, np.int64)
    return Came(
        demand=_last(demand, steps, before=demand if filled else nothing * 0.0),
        usable=_last(usable, steps, before=usable if filled else nothing),
        ready=_last(both, steps, before=both),
        late=_last(np.where(told, late, UNKNOWN), steps, before=floats(fleet.lanes, UNKNOWN)),
    )


def _block(came: Came, steps: slice) -> Came:
    """Some steps alone; copies, as compiled code takes gapless arrays."""
    return Came(
        came.demand[:, steps].copy(),
        came.usable[:, steps].copy(),
        came.ready[:, steps].copy(),
        came.late[:, steps].copy(),
    )


def _lag(lag: IntArray, fleet: Fleet, seen: Observation) -> IntArray:
    """Steps that readings are old; it changes only when they are clearly older or younger."""
    tracks = demand_tracks(fleet)
    fresh = seen.readings.status[tracks] == Status.FRESH
    age = floats(fleet.lanes)
    np.maximum.at(age, fleet.tracks.lane[tracks][fresh], seen.readings.age_s[tracks][fresh] / STEP_S)
    known = any_by(fleet.tracks.lane[tracks], fresh, fleet.lanes)
    moved = known & (np.abs(age - lag) > LAG_SLACK)
    return np.where(moved, np.clip(np.rint(age), 1, LONGEST_LAG), lag).astype(np.int64)


def _ready(fleet: Fleet, seen: Observation) -> FloatArray:
    """Replicas that are ready, `[lane]`; UNKNOWN where no pods are listed though there are some, as in a replay."""
    listed = listed_pods(seen.pods, fleet.lanes) > 0
    ready = (ready_pods(seen.pods, fleet.lanes) // seen.pods_per_replica).astype(np.float64)
    return np.where(listed | (seen.status_replicas == 0), ready, UNKNOWN)


def _lead_steps(startup_s: FloatArray) -> IntArray:
    """Steps from an order until it serves, as far as the models look, `[lane]`."""
    return np.clip(_steps(startup_s), 1, LONGEST_LEAD)


def _steps(seconds: FloatArray) -> IntArray:
    return np.ceil(seconds / STEP_S - 1e-9).astype(np.int64)


def _last(value: Any, steps: int, *, before: Any) -> Any:  # noqa: ANN401 - floats or integers
    """Columns `[lane, step]`: `value` in the last, `before` in the others."""
    table = np.repeat(before[:, None], steps, axis=1)
    table[:, -1] = value
    return table


def _aligned(of: T, into: T, source: IntArray) -> T:
    """`into` with the rows of `of` that `source` names; what is -1 stays. Tables of tables follow."""
    old = source >= 0
    columns = {}
    for each in fields(cast("Any", of)):
        mine, theirs = getattr(into, each.name), getattr(of, each.name)
        if isinstance(mine, np.ndarray):
            mine = mine.copy()
            mine[old] = theirs[source[old]]
        elif not isinstance(mine, int):
            mine = _aligned(theirs, mine, source)
        elif mine == UNKNOWN:
            mine = theirs
        columns[each.name] = mine
    return cast("T", replace(cast("Any", into), **columns))
