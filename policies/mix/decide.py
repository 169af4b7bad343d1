"""The hedger for one lane and for many, as compiled loops over the matrices of `policies.mix.columns`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from policies.compiled import compiled_with
from policies.mix import choice, model, shortness, survival
from policies.mix import columns as at
from policies.mix.choice import BLOCKS, cheapest, expected_short
from policies.mix.columns import (
    AT_S,
    DUE,
    KNOWN,
    LANE_BACKOFF_S,
    LANE_TRY_S,
    LIMIT,
    LOG_MULTIPLIER,
    NEED,
    NEED_BEFORE,
    NOTICE_S,
    NOTICED,
    ON_DEMAND_LIMIT,
    ON_DEMAND_PLANNED,
    ON_DEMAND_PRICE,
    ON_DEMAND_READY,
    ON_DEMAND_REFUSED,
    ON_DEMAND_STARTING,
    ON_DEMAND_WANTED,
    PHASE_S,
    PLANNED,
    PLANNED_S,
    POOL_TRY_S,
    POOL_WANTED,
    PRICE,
    PROBE_S,
    READY,
    REFUSALS,
    REFUSED_S,
    SEEN_S,
    SHORT_AHEAD,
    STARTING,
    STARTUP_S,
)
from policies.mix.model import NEVER_S, PLAN_EVERY_S
from policies.mix.shortness import account, multiplier, replayed
from policies.mix.survival import CLOSED, HOUR_S, OPEN, hazard_now, lane_factor, remember

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

TICK_S = 30.0  # until a loss is answered: added to the start-up in which it is felt
PLAN_SOON_S = 60.0  # while replicas are short
PROBE_EVERY_S, PROBE_FOR_S = 3600.0, 60.0
LONGEST_S = 900.0  # between two calls; what was unseen for longer is not accounted for
RELAUNCHES = 2.0  # start-ups that a loss costs: the replica that replaces it and the one that comes back
REFUSED_LEAST_S, REFUSED_MOST_S = 60.0, 600.0  # between launches of on-demand that is refused
REFUSED_FOR_S, REFUSAL_DAYS = 1800.0, 7.0  # how long a refusal lasts before one was seen; half-life of the sums


@compiled_with(at, model, survival, choice, shortness)
def decide_lanes(
    now_s: float, ends: IntArray, lanes: FloatArray, pools: FloatArray, lane_memory: FloatArray,
    pool_memory: FloatArray, weight_s: FloatArray, short: FloatArray, cost: FloatArray,
) -> None:  # fmt: skip
    """Decide for every lane; lane i has the pools `ends[i]` to `ends[i + 1]`. Changes all but facts and ends."""
    for lane in range(ends.size - 1):
        decide_lane(
            now_s, lane, ends[lane], ends[lane + 1], lanes, pools, lane_memory, pool_memory, weight_s, short, cost
        )


@compiled_with(at, model, survival, choice, shortness)
def hazards(now_s: float, ends: IntArray, pool_memory: FloatArray) -> FloatArray:
    """Losses an hour of each pool, `[pool]`."""
    found = np.zeros(pool_memory.shape[1])
    for lane in range(ends.size - 1):
        factor = lane_factor(ends[lane], ends[lane + 1], pool_memory)
        for row in range(ends[lane], ends[lane + 1]):
            found[row] = hazard_now(now_s, row, pool_memory, factor)
    return found


@compiled_with(at, model, survival, choice, shortness)
def decide_lane(
    now_s: float, lane: int, first: int, end: int, lanes: FloatArray, pools: FloatArray, lane_memory: FloatArray,
    pool_memory: FloatArray, weight_s: FloatArray, short: FloatArray, cost: FloatArray,
) -> None:  # fmt: skip
    """Note what happened to a lane, plan when that or the time asks for it, and set what is wanted."""
    new = lane_memory[AT_S, lane] == NEVER_S
    dt_s = 0.0 if new else min(max(now_s - lane_memory[AT_S, lane], 0.0), LONGEST_S)
    lane_memory[AT_S, lane] = now_s
    due_for_plan = _period(now_s, lane, lanes) != _period(lane_memory[PLANNED_S, lane], lane, lanes)
    ready = lanes[ON_DEMAND_READY, lane]
    for row in range(first, end):
        ready += pools[READY, row]
        due_for_plan = remember(now_s, dt_s, row, pools, pool_memory) or pools[NOTICED, row] > 0 or due_for_plan
    due_for_plan = _remember_on_demand(now_s, dt_s, lane, lanes, lane_memory) or due_for_plan
    missing = max(0.0, lanes[DUE, lane] - ready)
    account(dt_s, missing, lane, lanes, lane_memory)
    if missing > 0 and now_s - lane_memory[PLANNED_S, lane] >= PLAN_SOON_S:
        due_for_plan = True
    if lane_memory[NEED_BEFORE, lane] != lanes[NEED, lane]:
        lane_memory[NEED_BEFORE, lane] = lanes[NEED, lane]
        due_for_plan = True
    _plan(
        now_s, due_for_plan, lane, first, end, lanes, pools, lane_memory, pool_memory, weight_s, short, cost
    )  # fmt: skip
    _want(lane, first, end, lanes, pools, lane_memory, pool_memory)
    _probe(now_s, first, end, pools, pool_memory)


@compiled_with(at, model, survival, choice, shortness)
def _period(at_s: float, lane: int, lanes: FloatArray) -> int:
    """The number of the period of planning, by the lane's own phase."""
    return int((at_s - lanes[PHASE_S, lane]) // PLAN_EVERY_S)


@compiled_with(at, model, survival, choice, shortness)
def _remember_on_demand(now_s: float, dt_s: float, lane: int, lanes: FloatArray, memory: FloatArray) -> bool:
    """Note refusals of on-demand: back off from 1 to 10 min, and learn how often and for how long it is refused."""
    kept = 0.5 ** (dt_s / (REFUSAL_DAYS * 24 * HOUR_S))
    memory[REFUSED_S, lane] *= kept
    memory[REFUSALS, lane] *= kept
    refusing = memory[LANE_BACKOFF_S, lane] > 0
    if refusing:
        memory[REFUSED_S, lane] += dt_s
    if lanes[ON_DEMAND_REFUSED, lane] > 0:
        if not refusing:
            memory[REFUSALS, lane] += 1
        memory[LANE_BACKOFF_S, lane] = min(max(2 * memory[LANE_BACKOFF_S, lane], REFUSED_LEAST_S), REFUSED_MOST_S)
        memory[LANE_TRY_S, lane] = now_s + memory[LANE_BACKOFF_S, lane]
        return True
    if refusing and lanes[ON_DEMAND_STARTING, lane] > 0:
        memory[LANE_BACKOFF_S, lane] = 0.0
        return True
    return False


@compiled_with(at, model, survival, choice, shortness)
def _repair_s(lane: int, lanes: FloatArray, memory: FloatArray) -> float:
    """How long what is lost is missing: a start-up, and as long as on-demand is expected to be refused.

    On-demand that was refused for a share of the last days is expected to be refused again as often, and half of the
    time while it is refused now.
    """
    refused_for_s = (memory[REFUSED_S, lane] + REFUSED_FOR_S) / (memory[REFUSALS, lane] + 1)
    share = memory[REFUSED_S, lane] / (REFUSAL_DAYS * 24 * HOUR_S)
    if memory[LANE_BACKOFF_S, lane] > 0:
        share = max(share, 0.5)
    return float(lanes[STARTUP_S, lane] + TICK_S + min(share, 1.0) * refused_for_s)


@compiled_with(at, model, survival, choice, shortness)
def _plan(
    now_s: float, due_for_plan: bool, lane: int, first: int, end: int, lanes: FloatArray, pools: FloatArray,
    lane_memory: FloatArray, pool_memory: FloatArray, weight_s: FloatArray, short: FloatArray, cost: FloatArray,
) -> None:  # fmt: skip
    """Write the plan when it is due, and what is expected to be short with what is held."""
    felt_s = lanes[STARTUP_S, lane] + TICK_S
    exposed = max(0.0, _repair_s(lane, lanes, lane_memory) - lanes[NOTICE_S, lane]) / felt_s
    block = max(1, -(-int(lanes[NEED, lane]) // BLOCKS))
    need = -(-int(lanes[NEED, lane]) // block)
    rows = np.zeros(end - first, np.int64)
    limit, held = np.zeros(end - first + 1, np.int64), np.zeros(end - first + 1, np.int64)
    price, lost = np.ones(end - first + 1), np.zeros(end - first + 1)
    factor, usable = lane_factor(first, end, pool_memory), 0
    for row in range(first, end):
        running = pools[READY, row] + pools[STARTING, row]
        waiting = pool_memory[POOL_TRY_S, row] > now_s
        if pools[NOTICED, row] > 0 or int(pool_memory[KNOWN, row]) == CLOSED or (running == 0 and waiting):
            continue
        most = min(pools[LIMIT, row], running) if waiting else pools[LIMIT, row]
        hazard = hazard_now(now_s, row, pool_memory, factor) * felt_s / HOUR_S
        rows[usable], limit[usable] = row, int(min(most // block, 2 * need + 8))
        held[usable], lost[usable] = int(running // block), 1 - math.exp(-hazard)
        price[usable] = pools[PRICE, row] / lanes[ON_DEMAND_PRICE, lane] * (1 + RELAUNCHES * hazard)
        usable += 1
    running = lanes[ON_DEMAND_READY, lane] + lanes[ON_DEMAND_STARTING, lane]
    most = running if lane_memory[LANE_TRY_S, lane] > now_s else lanes[ON_DEMAND_LIMIT, lane]
    limit[usable], held[usable] = int(min(most // block, need)), int(min(running // block, need))
    price[usable], lost[usable] = 1.0, 0.0
    limit, held, price, lost = limit[: usable + 1], held[: usable + 1], price[: usable + 1], lost[: usable + 1]
    if due_for_plan:
        passed_s = min(now_s - lane_memory[PLANNED_S, lane], PLAN_EVERY_S)
        lane_memory[PLANNED_S, lane] = now_s
        lane_memory[ON_DEMAND_PLANNED, lane] = 0.0
        pool_memory[PLANNED, first:end] = 0.0
        if need > 0:
            plans = replayed(passed_s, need, limit, price, lost, exposed, lane, weight_s, short, cost)
            worth = multiplier(need, lane, lanes, lane_memory, weight_s, short)
            lane_memory[LOG_MULTIPLIER, lane] = math.log(worth)
            mix, figures = np.zeros((1, usable + 1), np.int64), np.zeros((2, 1))
            cheapest(need, limit, price, lost, held, np.array([worth * exposed]), plans, mix, figures[0], figures[1])
            lane_memory[ON_DEMAND_PLANNED, lane] = mix[0, usable] * block
            for each in range(usable):
                pool_memory[PLANNED, rows[each]] = mix[0, each] * block
    certain = max(0, need - held.sum())
    ahead = expected_short(need, held, lost, np.zeros(need + 2)) - certain
    lane_memory[SHORT_AHEAD, lane] = max(0.0, ahead) * exposed * block


@compiled_with(at, model, survival, choice, shortness)
def _want(
    lane: int, first: int, end: int, lanes: FloatArray, pools: FloatArray, lane_memory: FloatArray,
    pool_memory: FloatArray,
) -> None:  # fmt: skip
    """The plan, and what is above it until the planned replicas are ready; noticed replicas serve until they go."""
    planned = lane_memory[ON_DEMAND_PLANNED, lane]
    lacking = planned - min(planned, lanes[ON_DEMAND_READY, lane])
    for row in range(first, end):
        ready = pools[READY, row] if pools[NOTICED, row] == 0 else 0.0
        lacking += pool_memory[PLANNED, row] - min(pool_memory[PLANNED, row], ready)
    for row in range(first, end):
        if pools[NOTICED, row] > 0:
            pool_memory[POOL_WANTED, row] = pools[READY, row] + pools[STARTING, row]
            continue
        kept = min(max(0.0, pools[READY, row] - pool_memory[PLANNED, row]), max(lacking, 0.0))
        pool_memory[POOL_WANTED, row] = pool_memory[PLANNED, row] + kept
        lacking -= kept
    kept = min(max(0.0, lanes[ON_DEMAND_READY, lane] - planned), max(lacking, 0.0))
    lane_memory[ON_DEMAND_WANTED, lane] = planned + kept


@compiled_with(at, model, survival, choice, shortness)
def _probe(now_s: float, first: int, end: int, pools: FloatArray, memory: FloatArray) -> None:
    """Want one replica for a minute where nothing is held: each hour in an open pool, by back-off in a closed one."""
    for row in range(first, end):
        if memory[PROBE_S, row] > NEVER_S:
            if now_s - memory[PROBE_S, row] < PROBE_FOR_S:
                memory[POOL_WANTED, row] = max(memory[POOL_WANTED, row], 1.0)
            else:
                memory[PROBE_S, row] = NEVER_S
            continue
        idle = pools[READY, row] + pools[STARTING, row] == 0 and memory[POOL_WANTED, row] == 0
        if not idle or memory[POOL_TRY_S, row] > now_s or pools[LIMIT, row] < 1:
            continue
        if int(memory[KNOWN, row]) != OPEN or now_s - memory[SEEN_S, row] >= PROBE_EVERY_S:
            memory[POOL_WANTED, row], memory[PROBE_S, row] = 1.0, now_s
