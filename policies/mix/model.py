"""What the spot hedger is told, what it remembers and what it answers: frozen dataclasses of arrays.

A *pool* is a kind of spot capacity that is lost together: one instance type in one zone. Pools are a flat table with a
sorted `lane` column; what has one entry a lane is indexed `[lane]`, what has one entry a pool `[pool]`. The call is
`policies.mix.hedge.hedged(lanes, pools, state, now_s=...) -> (state, plan)`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from policies.arrays import booleans, floats, integers
from policies.codes import Code

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray

NO_LIMIT = 2**31 - 1  # of replicas
NEVER_S = -1e18  # the time of what never happened
PLAN_EVERY_S = 300.0  # and at once when something happens
MULTIPLIERS = 2.0 ** np.arange(1, 12)  # at which plans are made in shadow: 2 to 2048 on-demand hours
_TIMES = ("since_s", "seen_s", "try_s", "probe_s", "at_s", "planned_s")


class Known(Code):
    """What is known of a pool: it takes launches, it refused or lost all it had, or nobody has looked."""

    UNKNOWN = 0
    OPEN = 1
    CLOSED = 2


class MixReason(Code):
    """Why a pool, or the on-demand part of a lane, is wanted at its number."""

    STEADY = 0  # as it is
    HEDGE = 1  # what the expectation of cost and shortness asks for
    COVER = 2  # kept until others are ready
    PROBE = 3  # one replica for a minute, to learn whether the pool is open
    CLOSED = 4  # refused or lost: waiting for the next attempt
    RETRY = 5  # refused before, tried again
    NOTICED = 6  # announced to be interrupted: counts as leaving
    LIMIT = 7  # its limit holds it down


@dataclass(frozen=True, slots=True)
class Lanes:
    """What holds for a lane at this moment, `[lane]`."""

    need: IntArray  # replicas that must be ready when an order made now is: the largest within one start-up
    due: IntArray  # replicas that the load needs at this moment; what is short of it is counted
    startup_s: FloatArray  # from an order to a ready replica
    notice_s: FloatArray  # warning before an interruption; 0 for none
    objective: FloatArray  # share of replica-time that may be short, above 0
    on_demand_price: FloatArray  # an hour; pools' prices are in the same unit
    on_demand_ready: IntArray
    on_demand_starting: IntArray
    on_demand_refused: BoolArray  # a launch was refused since the last call
    on_demand_limit: IntArray  # NO_LIMIT where there is none
    phase_s: FloatArray  # into each period of planning, when the lane's turn is: spreads the work of a fleet

    @classmethod
    def steady(cls, need: IntArray, *, startup_s: float, objective: float, on_demand_price: float = 1.0) -> Lanes:
        """Lanes that run nothing yet, need the same now as later, and know of no notice and no limit."""
        count = need.size
        return cls(
            need=need,
            due=need,
            startup_s=floats(count, startup_s),
            notice_s=floats(count),
            objective=floats(count, objective),
            on_demand_price=floats(count, on_demand_price),
            on_demand_ready=integers(count),
            on_demand_starting=integers(count),
            on_demand_refused=booleans(count),
            on_demand_limit=integers(count, NO_LIMIT),
            phase_s=floats(count),
        )


@dataclass(frozen=True, slots=True)
class Pools:
    """Spot pools and what happened to them since the last call, `[pool]`."""

    lane: IntArray  # sorted
    price: FloatArray  # an hour, in the unit of Lanes.on_demand_price
    limit: IntArray  # most replicas; NO_LIMIT where there is none
    ready: IntArray
    starting: IntArray
    noticed: IntArray  # of ready and starting: announced to be interrupted
    lost: IntArray  # interrupted since the last call
    refused: BoolArray  # a launch was refused since the last call

    @classmethod
    def idle(cls, lane: IntArray, price: FloatArray, *, limit: int = NO_LIMIT) -> Pools:
        """Pools in which nothing runs."""
        nothing = integers(lane.size)
        return cls(lane, price, integers(lane.size, limit), nothing, nothing, nothing, nothing, booleans(lane.size))


@dataclass(frozen=True, slots=True)
class PoolMemory:
    """What is remembered of each pool, `[pool]`. Times are wall times in seconds."""

    known: FloatArray  # Known
    since_s: FloatArray  # start of the present spell, as far back as is known
    seen_s: FloatArray  # when it was last seen to be so
    try_s: FloatArray  # no launch before
    backoff_s: FloatArray  # what the last refusal waited; 0 after a launch
    expected_losses: FloatArray  # by the hazard common to all pools: what `losses` is compared with
    losses: FloatArray
    probe_s: FloatArray  # start of the probe under way, else NEVER_S
    planned: FloatArray  # replicas by the last plan
    wanted: FloatArray  # replicas with those kept until others are ready, and probes

    @classmethod
    def unknown(cls, count: int) -> PoolMemory:
        """Pools that nobody has looked at."""
        columns = {name: floats(count, NEVER_S if name in _TIMES else 0.0) for name in _names(cls)}
        return cls(**columns)


@dataclass(frozen=True, slots=True)
class LaneMemory:
    """What is remembered of each lane, `[lane]`. Sums are decayed; times are wall times in seconds."""

    at_s: FloatArray  # of the last call
    planned_s: FloatArray  # of the last plan
    log_multiplier: FloatArray  # ln of what one replica-hour short is worth, in on-demand hours
    short: FloatArray  # replica-seconds that were short
    expected_short: FloatArray  # what was expected of them
    due: FloatArray  # replica-seconds that were due
    short_ahead: FloatArray  # replicas expected to be short over the next start-up
    need_before: FloatArray  # replicas at the last call
    try_s: FloatArray  # no on-demand launch before
    backoff_s: FloatArray  # what the last refusal of on-demand waits; 0 while it is not refused
    refused_s: FloatArray  # seconds in which on-demand was refused
    refusals: FloatArray  # spells of refusal
    planned: FloatArray  # on-demand replicas by the last plan
    wanted: FloatArray  # with those kept until others are ready

    @classmethod
    def new(cls, count: int) -> LaneMemory:
        """Lanes of which nothing was seen yet."""
        columns = {name: floats(count, NEVER_S if name in _TIMES else 0.0) for name in _names(cls)}
        return cls(**columns)


@dataclass(frozen=True, slots=True)
class ShadowMemory:
    """What plans at fixed multipliers would have cost and risked on what was seen; decayed."""

    weight_s: FloatArray  # replica-seconds of need, [lane]
    short: FloatArray  # expected replica-seconds short, [lane, multiplier]
    cost: FloatArray  # on-demand replica-seconds, [lane, multiplier]

    @classmethod
    def new(cls, count: int) -> ShadowMemory:
        """Nothing replayed yet."""
        return cls(floats(count), np.zeros((count, MULTIPLIERS.size)), np.zeros((count, MULTIPLIERS.size)))


@dataclass(frozen=True, slots=True)
class MixState:
    """All that the hedger remembers; `policies.packing` makes bytes of it and back."""

    lanes: LaneMemory
    pools: PoolMemory
    shadow: ShadowMemory

    @classmethod
    def start(cls, lanes: int, pools: int) -> MixState:
        """Nothing was seen yet."""
        return cls(LaneMemory.new(lanes), PoolMemory.unknown(pools), ShadowMemory.new(lanes))

    def aligned(self, lane_from: IntArray, pool_from: IntArray) -> MixState:
        """The state for other lanes and pools: the row each one has here, `[new lane]` and `[new pool]`, -1 for new."""
        return MixState(
            _taken(self.lanes, LaneMemory.new(1), lane_from),
            _taken(self.pools, PoolMemory.unknown(1), pool_from),
            _taken(self.shadow, ShadowMemory.new(1), lane_from),
        )


@dataclass(frozen=True, slots=True)
class MixPlan:
    """How many replicas are wanted where: launch what lacks, end what is above."""

    wanted: IntArray  # [pool]
    on_demand: IntArray  # [lane]
    pool_reason: SmallArray  # MixReason, [pool]
    lane_reason: SmallArray  # MixReason of the on-demand part, [lane]
    hazard_per_hour: FloatArray  # of losing all that a pool holds, [pool]
    expected_short: FloatArray  # replicas, mean over one start-up from now, [lane]
    multiplier: FloatArray  # what one replica-hour short is worth, in on-demand hours, [lane]


def _names(cls: type[Any]) -> list[str]:
    return [each.name for each in fields(cls)]


def _taken(table: Any, fresh: Any, rows: IntArray) -> Any:  # noqa: ANN401 - one of the two memories
    """Rows of a table by their number, a fresh row for -1."""
    columns = {
        each.name: np.concatenate([getattr(table, each.name), getattr(fresh, each.name)]) for each in fields(table)
    }
    return replace(table, **{name: column[rows] for name, column in columns.items()})
