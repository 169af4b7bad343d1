"""The spot hedger: how many replicas run on which spot pool and on demand, for many lanes at once.

For each lane it minimises, over replicas x per pool and m on demand,

    sum of price * x + m + multiplier * E[replicas short over one start-up]

with pools lost by the hazard of `policies.mix.survival`, all that a pool holds together, and the multiplier of
`policies.mix.budget`. On-demand replicas while spot is young, spare spot replicas, and the return to spot when a pool
has aged all come out of the formula. A lane decides the same alone or in a fleet.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from policies.mix.columns import (
    KNOWN,
    LANE_BACKOFF_S,
    LANE_TRY_S,
    LOG_MULTIPLIER,
    ON_DEMAND_PLANNED,
    ON_DEMAND_WANTED,
    PLANNED,
    POOL_TRY_S,
    POOL_WANTED,
    PROBE_S,
    SHORT_AHEAD,
    stacked,
    unstacked,
)
from policies.mix.decide import decide_lanes, hazards
from policies.mix.model import NEVER_S, Known, LaneMemory, MixPlan, MixReason, MixState, PoolMemory, ShadowMemory

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, SmallArray
    from policies.mix.model import Lanes, Pools


def hedged(lanes: Lanes, pools: Pools, state: MixState, *, now_s: float) -> tuple[MixState, MixPlan]:
    """Note what was seen, and say what is wanted where.

    Call it each tick, and again at once when a launch was refused. Raises ValueError for tables that do not fit.
    """
    _check(lanes, pools, state)
    ends = np.searchsorted(pools.lane, np.arange(lanes.need.size + 1))
    lane, pool = stacked(state.lanes), stacked(state.pools)
    shadow = [getattr(state.shadow, each.name).copy() for each in fields(state.shadow)]
    decide_lanes(now_s, ends, stacked(lanes), stacked(pools), lane, pool, *shadow)
    plan = MixPlan(
        wanted=pool[POOL_WANTED].astype(np.int64),
        on_demand=lane[ON_DEMAND_WANTED].astype(np.int64),
        pool_reason=_pool_reason(now_s, pools, pool),
        lane_reason=_lane_reason(now_s, lanes, lane),
        hazard_per_hour=hazards(now_s, ends, pool),
        expected_short=lane[SHORT_AHEAD].copy(),
        multiplier=np.exp(lane[LOG_MULTIPLIER]),
    )
    return MixState(unstacked(LaneMemory, lane), unstacked(PoolMemory, pool), ShadowMemory(*shadow)), plan


def _check(lanes: Lanes, pools: Pools, state: MixState) -> None:
    sizes = {"lanes": (lanes.need.size, state.lanes.at_s.size), "pools": (pools.lane.size, state.pools.known.size)}
    for name, (seen, remembered) in sizes.items():
        if seen != remembered:
            raise ValueError(f"{seen} {name} were seen, {remembered} are remembered: align the state first")
    if pools.lane.size and (
        np.any(np.diff(pools.lane) < 0) or not 0 <= pools.lane[0] <= pools.lane[-1] < lanes.need.size
    ):
        raise ValueError(f"pools.lane must rise from 0 to at most {lanes.need.size - 1}")
    if not (np.all(lanes.objective > 0) and np.all(lanes.on_demand_price > 0) and np.all(pools.price >= 0)):
        raise ValueError("objectives and on-demand prices must be above 0, prices of pools at least 0")


def _pool_reason(now_s: float, pools: Pools, pool: FloatArray) -> SmallArray:
    held = pools.ready + pools.starting
    probing = (pool[PROBE_S] > NEVER_S) & (pool[PLANNED] == 0) & (pool[POOL_WANTED] > 0)
    closed = pool[KNOWN] == Known.CLOSED
    cases = [
        (pools.noticed > 0, MixReason.NOTICED),
        (probing & closed, MixReason.RETRY),
        (probing, MixReason.PROBE),
        (closed | ((held == 0) & (pool[POOL_TRY_S] > now_s)), MixReason.CLOSED),
        (pool[POOL_WANTED] > pool[PLANNED], MixReason.COVER),
        ((pool[PLANNED] > 0) & (pool[PLANNED] >= pools.limit), MixReason.LIMIT),
        (pool[POOL_WANTED] != held, MixReason.HEDGE),
    ]
    return _first_of(cases)


def _lane_reason(now_s: float, lanes: Lanes, lane: FloatArray) -> SmallArray:
    held = lanes.on_demand_ready + lanes.on_demand_starting
    cases = [
        (lane[LANE_TRY_S] > now_s, MixReason.CLOSED),
        ((lane[LANE_BACKOFF_S] > 0) & (lane[ON_DEMAND_WANTED] > held), MixReason.RETRY),
        (lane[ON_DEMAND_WANTED] > lane[ON_DEMAND_PLANNED], MixReason.COVER),
        ((lane[ON_DEMAND_PLANNED] > 0) & (lane[ON_DEMAND_PLANNED] >= lanes.on_demand_limit), MixReason.LIMIT),
        (lane[ON_DEMAND_WANTED] != held, MixReason.HEDGE),
    ]
    return _first_of(cases)


def _first_of(cases: list[tuple[BoolArray, MixReason]]) -> SmallArray:
    """The reason of the first case that holds, else STEADY."""
    conditions, reasons = zip(*cases, strict=True)
    return np.select(conditions, [np.int8(reason) for reason in reasons], np.int8(MixReason.STEADY)).astype(np.int8)
