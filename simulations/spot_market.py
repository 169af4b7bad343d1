"""Replays policies for spot and on-demand replicas on the recorded availability of spot pools, step by step.

A replica is billed from its launch and ready one start-up later. A pool that closes takes all it held, without warning
unless there is a notice; a refused launch costs nothing and is known at once. On-demand is always there, or follows a
trace of its own. All policies know the load one start-up and a step ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.compiled import compiled, compiled_with
from policies.mix import choice, decide, model, shortness, skyserve, survival
from policies.mix import columns as at
from policies.mix.columns import (
    DUE,
    LIMIT,
    LOG_MULTIPLIER,
    LOST,
    NEED,
    NOTICE_S,
    NOTICED,
    OBJECTIVE,
    ON_DEMAND_LIMIT,
    ON_DEMAND_PRICE,
    ON_DEMAND_READY,
    ON_DEMAND_REFUSED,
    ON_DEMAND_STARTING,
    ON_DEMAND_WANTED,
    POOL_WANTED,
    PRICE,
    READY,
    REFUSED,
    STARTING,
    STARTUP_S,
    stacked,
)
from policies.mix.decide import decide_lane
from policies.mix.model import NO_LIMIT, MixState
from policies.mix.skyserve import marked, placed, wanted
from simulations import spot_contenders
from simulations.spot_contenders import FORESAIL, SKYSERVE

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from simulations.spot_contenders import Contender

START_S = 1e9  # any time after the first


@dataclass(frozen=True, slots=True)
class Market:
    """What can be had and what is needed, step by step; prices are relative to on-demand."""

    available: IntArray  # most replicas that a pool holds, [pool, step]
    price: FloatArray  # [pool]
    limit: IntArray  # most replicas that may be wanted, known to all; NO_LIMIT where there is none, [pool]
    due: IntArray  # replicas that the load needs, [step]
    on_demand: BoolArray  # whether launches on demand are accepted, [step]
    step_s: float
    startup_steps: int
    notice_steps: int = 0

    def ahead(self) -> IntArray:
        """The largest need from each step until what is launched one step later is ready, `[step]`."""
        need = self.due.copy()
        for step in range(1, self.startup_steps + 2):
            need[:-step] = np.maximum(need[:-step], self.due[step:])
        return need


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a policy wanted and held; the last row is on-demand."""

    wanted: IntArray  # [pool, step]
    held: IntArray  # billed: starting or ready, [pool, step]
    ready: IntArray  # [pool, step]
    interruptions: IntArray  # replicas lost, [step]
    launches: IntArray  # accepted, [step]
    multiplier: FloatArray  # of the hedger, [step]


@dataclass(frozen=True, slots=True)
class SpotFigures:
    """What a replay cost and missed after its warm-up."""

    cost_ratio: float  # spent over what on-demand for all that is due costs
    short_ratio: float  # replica-time short over replica-time due
    spot_share: float  # of ready replica-time
    interruptions: int  # of spot replicas
    launches: int  # accepted ones, on spot and on demand


def figures(market: Market, done: Replayed, *, skip: int) -> SpotFigures:
    """The figures of a replay without its first `skip` steps."""
    due, ready = market.due[skip:], done.ready[:, skip:]
    spent = np.append(market.price, 1.0) @ done.held[:, skip:].sum(axis=1)
    total = max(int(due.sum()), 1)
    return SpotFigures(
        cost_ratio=float(spent / max(int(market.ahead()[skip:].sum()), 1)),
        short_ratio=float(np.maximum(due - ready.sum(axis=0), 0).sum() / total),
        spot_share=float(ready[:-1].sum() / max(int(ready.sum()), 1)),
        interruptions=int(done.interruptions[skip:].sum()),
        launches=int(done.launches[skip:].sum()),
    )


def replay(market: Market, contender: Contender, *, objective: float) -> Replayed:
    """Replay a policy on a market; the clairvoyant is `simulations.spot_clairvoyant`."""
    pools, steps = market.available.shape
    state = MixState.start(1, pools)
    done = Replayed(
        wanted=np.zeros((pools + 1, steps), np.int64),
        held=np.zeros((pools + 1, steps), np.int64),
        ready=np.zeros((pools + 1, steps), np.int64),
        interruptions=np.zeros(steps, np.int64),
        launches=np.zeros(steps, np.int64),
        multiplier=np.zeros(steps),
    )
    _run(
        contender.code, contender.base, contender.over, objective, market.step_s, market.notice_steps,
        market.available, market.price, market.limit, market.due, market.ahead(), market.on_demand,
        np.zeros((pools + 1, market.startup_steps + 1), np.int64), stacked(state.lanes), stacked(state.pools),
        state.shadow.weight_s, state.shadow.short, state.shadow.cost,
        done.wanted, done.held, done.ready, done.interruptions, done.launches, done.multiplier,
    )  # fmt: skip
    return done


@compiled
def _running(pool: int, ready: IntArray, starting: IntArray) -> int:
    return int(ready[pool] + starting[pool].sum())


@compiled
def _ended(pool: int, number: int, step: int, ready: IntArray, starting: IntArray) -> None:
    """End replicas of a pool, the newest first."""
    slots = starting.shape[1]
    for back in range(1, slots + 1):
        slot = (step - back) % slots
        taken = min(number, starting[pool, slot])
        starting[pool, slot] -= taken
        number -= taken
    ready[pool] -= number


@compiled
def _ordered(pool: int, number: int, most: int, step: int, ready: IntArray, starting: IntArray) -> tuple[int, bool]:
    """Bring a pool to `number` replicas; how many launches were accepted, and whether one was refused."""
    slots = starting.shape[1]
    running = ready[pool] + starting[pool].sum()
    if number <= running:
        _ended(pool, running - number, step, ready, starting)
        return 0, False
    launched = max(min(number, most) - running, 0)
    starting[pool, (step - 1) % slots] += launched
    return launched, running + launched < number


@compiled_with(at, model, survival, choice, shortness, decide)
def _hedged(
    step: int, step_s: float, available: IntArray, on_demand: BoolArray, lanes: FloatArray, pools: FloatArray,
    lane_memory: FloatArray, pool_memory: FloatArray, weight_s: FloatArray, short: FloatArray, cost: FloatArray,
    notice_steps: int, ready: IntArray, starting: IntArray,
) -> int:  # fmt: skip
    """Decide and order, again after each refusal; how many launches were accepted."""
    count = available.shape[0]
    launches = 0
    for _ in range(count + 2):
        lanes[ON_DEMAND_READY, 0], lanes[ON_DEMAND_STARTING, 0] = ready[count], starting[count].sum()
        for pool in range(count):
            pools[READY, pool], pools[STARTING, pool] = ready[pool], starting[pool].sum()
            running = ready[pool] + starting[pool].sum()
            least = available[pool, step : step + notice_steps + 1].min()
            pools[NOTICED, pool] = max(0, running - least)
        decide_lane(START_S + step * step_s, 0, 0, count, lanes, pools, lane_memory, pool_memory, weight_s, short, cost)
        refused = False
        for pool in range(count):
            launched, failed = _ordered(
                pool, int(pool_memory[POOL_WANTED, pool]), available[pool, step], step, ready, starting
            )
            pools[LOST, pool], pools[REFUSED, pool] = 0.0, 1.0 if failed else 0.0
            launches += launched
            refused = refused or failed
        most = NO_LIMIT if on_demand[step] else 0
        launched, failed = _ordered(count, int(lane_memory[ON_DEMAND_WANTED, 0]), most, step, ready, starting)
        lanes[ON_DEMAND_REFUSED, 0] = 1.0 if failed else 0.0
        launches += launched
        if not (refused or failed):
            break
    return launches


@compiled_with(skyserve)
def _skyserve(
    step: int, base: int, over: int, need: int, available: IntArray, on_demand: bool, price: FloatArray,
    limit_known: IntArray, active: BoolArray, ready: IntArray, starting: IntArray,
) -> tuple[int, int, int]:  # fmt: skip
    """Order what SkyServe's rule wants; spot and on-demand wanted, and how many launches were accepted."""
    count = available.shape[0]
    dynamic = True
    spot, part = wanted(need + over, over, base, dynamic, int(ready[:count].sum()))
    limit = limit_known.copy()
    launches, refusals = 0, 0
    held = np.zeros(count, np.int64)
    for pool in range(count):
        held[pool] = ready[pool] + starting[pool].sum()
    while held.sum() < spot and refusals < 2 * count:
        pool = placed(active, held, limit, price)
        if pool < 0:
            break
        launched, failed = _ordered(pool, held[pool] + 1, available[pool, step], step, ready, starting)
        launches += launched
        held[pool] += launched
        if failed:
            refusals += 1
            if available[pool, step] > 0:
                limit[pool] = held[pool]  # full, not closed
            else:
                marked(active, pool)
    while held.sum() > spot:
        pool = _dearest(held, ready, price)
        _ended(pool, 1, step, ready, starting)
        held[pool] -= 1
    launched, _ = _ordered(count, part, NO_LIMIT if on_demand else 0, step, ready, starting)
    return spot, part, launches + launched


@compiled
def _dearest(held: IntArray, ready: IntArray, price: FloatArray) -> int:
    """The pool that gives a replica back: one with replicas that are starting first, then the dearest."""
    best = -1
    for pool in range(held.size):
        if held[pool] == 0:
            continue
        starts = held[pool] > ready[pool]
        if best < 0:
            best = pool
            continue
        best_starts = held[best] > ready[best]
        if (starts and not best_starts) or (starts == best_starts and price[pool] > price[best]):
            best = pool
    return best


@compiled_with(at, model, survival, choice, shortness, decide, skyserve, spot_contenders)
def _run(
    code: int, base: int, over: int, objective: float, step_s: float, notice_steps: int, available: IntArray,
    price: FloatArray, limit: IntArray, due: IntArray, ahead: IntArray, on_demand: BoolArray, starting: IntArray,
    lane_memory: FloatArray, pool_memory: FloatArray, weight_s: FloatArray, short: FloatArray, cost: FloatArray,
    wanted_out: IntArray, held_out: IntArray, ready_out: IntArray, interruptions: IntArray, launches: IntArray,
    multiplier: FloatArray,
) -> None:  # fmt: skip
    """The market's clock: what starts is ready, what closes is lost, the policy orders, the step is written down."""
    count, steps = available.shape
    slots = starting.shape[1]
    ready, active = np.zeros(count + 1, np.int64), np.ones(count, np.bool_)
    lanes, pools = np.zeros((11, 1)), np.zeros((7, count))
    lanes[STARTUP_S], lanes[NOTICE_S], lanes[OBJECTIVE] = (slots - 1) * step_s, notice_steps * step_s, objective
    lanes[ON_DEMAND_PRICE], lanes[ON_DEMAND_LIMIT] = 1.0, NO_LIMIT
    pools[PRICE], pools[LIMIT] = price, limit
    for step in range(steps):
        for pool in range(count + 1):
            ready[pool] += starting[pool, step % slots]
            starting[pool, step % slots] = 0
        for pool in range(count):
            gone = max(0, ready[pool] + starting[pool].sum() - available[pool, step])
            _ended(pool, gone, step, ready, starting)
            interruptions[step] += gone
            pools[LOST, pool], pools[REFUSED, pool] = gone, 0.0
            if gone > 0 and code == SKYSERVE:
                marked(active, pool)
        if code == FORESAIL:
            lanes[NEED], lanes[DUE], lanes[ON_DEMAND_REFUSED] = ahead[step], due[step], 0.0
            launches[step] = _hedged(
                step, step_s, available, on_demand, lanes, pools, lane_memory, pool_memory, weight_s, short, cost,
                notice_steps, ready, starting,
            )  # fmt: skip
            for pool in range(count):
                wanted_out[pool, step] = int(pool_memory[POOL_WANTED, pool])
            wanted_out[count, step] = int(lane_memory[ON_DEMAND_WANTED, 0])
            multiplier[step] = np.exp(lane_memory[LOG_MULTIPLIER, 0])
        elif code == SKYSERVE:
            _, part, launched = _skyserve(
                step, base, over, ahead[step], available, on_demand[step], price, limit, active, ready, starting
            )
            launches[step] = launched
            for pool in range(count):
                wanted_out[pool, step] = _running(pool, ready, starting)
            wanted_out[count, step] = part
        else:
            launched, _ = _ordered(count, ahead[step], NO_LIMIT if on_demand[step] else 0, step, ready, starting)
            launches[step] = launched
            wanted_out[count, step] = ahead[step]
        for pool in range(count + 1):
            held_out[pool, step] = _running(pool, ready, starting)
            ready_out[pool, step] = ready[pool]
