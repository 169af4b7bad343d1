"""Runs a scenario: the same luck for every policy, run by run, in blocks that fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulations.serving import DAY_S
from simulations.whatif import physics
from simulations.whatif.answer import COLUMNS, Runs, merged
from simulations.whatif.costs import Spent, columns
from simulations.whatif.demand import arriving
from simulations.whatif.hedging import Hedged
from simulations.whatif.luck import STARTS, key
from simulations.whatif.offers import list_price, places
from simulations.whatif.physics import Course, Site, Standing
from simulations.whatif.plans import Power, targets
from simulations.whatif.world import rooms

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.arrays import FloatArray, IntArray
    from simulations.whatif.demand import Arriving
    from simulations.whatif.document import Policy, Scenario, Workload
    from simulations.whatif.inputs import Inputs
    from simulations.whatif.physics import Rooms

BLOCK_LANE_STEPS = 2_000_000  # of one workload under one policy; any other number gives the same answer

_NOBODY_ASKS = np.zeros((0, 0), np.int64)
_MIXES = {
    "on-demand": physics.ON_DEMAND,
    "spot": physics.SPOT,
    "share": physics.SHARE,
    "skyserve": physics.FALLBACK,
    "foresail": physics.TOLD,
}


def answered(
    scenario: Scenario, inputs: Inputs, *, runs: range | None = None, progress: Callable[[int], None] | None = None
) -> Runs:
    """What comes of each policy in each of these runs, all of the scenario's where none are given.

    A run is the same whichever others are asked for, so that `merged` parts are what one call would have given.
    `progress` is told, now and then, how many pairs of run and policy are done since it was told last. Raises
    WhatIfError for what the document and its inputs cannot make together.
    """
    wanted = range(scenario.runs) if runs is None else runs
    at_once = max(1, BLOCK_LANE_STEPS // scenario.steps)
    blocks = [wanted[first : first + at_once] for first in range(0, len(wanted), at_once)]
    return merged([_block(scenario, inputs, block, progress) for block in blocks])


class _Block(NamedTuple):
    """What all policies meet in some runs."""

    runs: range
    loads: list[Arriving]  # by workload
    rooms: Rooms
    keys: list[physics.Keys]  # by workload [run]
    targets: dict[object, IntArray]  # of what was decided already


class Followed(NamedTuple):
    """One workload under one policy in one run: replicas at each step, `[step]`."""

    policy: Policy
    asked: IntArray
    ready: IntArray


def followed(scenario: Scenario, inputs: Inputs, run: int) -> list[tuple[Arriving, list[Followed]]]:
    """What one run looks like: for each workload its load, and what each policy makes of it.

    Raises WhatIfError as `answered` does.
    """
    block = _met(scenario, inputs, range(run, run + 1))
    return [
        (load, [_followed(scenario, policy, place, block) for policy in scenario.policies])
        for place, load in enumerate(block.loads)
    ]


def _followed(scenario: Scenario, policy: Policy, place: int, block: _Block) -> Followed:
    ready = np.zeros((1, scenario.steps), np.int64)
    _spent(scenario, policy, place, block, ready)
    return Followed(policy, _target(scenario, policy, place, block)[0], ready[0])


def _met(scenario: Scenario, inputs: Inputs, runs: range) -> _Block:
    workloads = range(len(scenario.workloads))
    return _Block(
        runs,
        [arriving(scenario, place, inputs.loads, runs) for place in workloads],
        rooms(scenario, inputs.spot, runs),
        [np.array([key(scenario.seed, run, STARTS, place) for run in runs], np.uint64) for place in workloads],
        {},
    )


def _block(scenario: Scenario, inputs: Inputs, runs: range, progress: Callable[[int], None] | None) -> Runs:
    block, workloads = _met(scenario, inputs, runs), range(len(scenario.workloads))
    incumbent = scenario.policies[scenario.incumbent_index]
    prices = [list_price(places(scenario, incumbent, workload)) for workload in scenario.workloads]
    values = np.zeros((len(COLUMNS), len(scenario.policies), len(runs)))
    for number, policy in enumerate(scenario.policies):
        spent = [_spent(scenario, policy, place, block) for place in workloads]
        found = columns(scenario, policy, spent, prices) | _figures(scenario, spent)
        found["cost_per_million"] = _ratio(found["cost"] * 1e6, _sum(spent, physics.LOAD) * scenario.step)
        values[:, number] = [found[name] for name in COLUMNS]
        if progress is not None:
            progress(len(runs))
    return Runs(tuple(policy.name for policy in scenario.policies), np.array(runs, np.int64), values)


def _spent(scenario: Scenario, policy: Policy, place: int, block: _Block, ready: IntArray = _NOBODY_ASKS) -> Spent:
    """Run one workload under one policy; `ready` is written where it has lanes, `[run, step]`."""
    workload, load = scenario.workloads[place], block.loads[place]
    used = places(scenario, policy, workload)
    site = _site(scenario, policy, workload)
    target = _target(scenario, policy, place, block)
    shape = (len(used), *target.shape)
    all_pools = [pool.name for pool in scenario.capacity.pools]
    chosen = [all_pools.index(each.pool.name) for each in used]
    paid = np.zeros(shape, np.int64)
    standing = Standing.empty(site, len(block.runs))
    nobody = np.zeros((0, 0), np.int64)
    room = block.rooms if len(chosen) == len(all_pools) else block.rooms[chosen]
    course = Course(target, load.demand, room, block.keys[place], paid, ready, scenario.warmup_steps, nobody)
    if policy.mix == "foresail":
        prices = np.array([each.replica_price for each in used])
        startup_s = Power.of(workload, policy, scenario).usual_startup_s
        hedger = Hedged(site, prices, startup_s=startup_s, objective=policy.late_each)
        hedger.run(standing, course, start_s=load.start_s, step_s=scenario.step)
    else:
        physics.run(site, standing, course, range(scenario.steps))
    return Spent(workload, used, paid[:, :, scenario.warmup_steps :], standing.sums)


def _target(scenario: Scenario, policy: Policy, place: int, block: _Block) -> IntArray:
    """What the policy wants; policies that see the same decide once."""
    workload = scenario.workloads[place]
    same = (place, policy.replicas, policy.late_each, policy.schedule, Power.of(workload, policy, scenario))
    if same not in block.targets:
        block.targets[same] = targets(scenario, policy, workload, block.loads[place])
    return block.targets[same]


def _site(scenario: Scenario, policy: Policy, workload: Workload) -> Site:
    used, power, overload = (
        places(scenario, policy, workload),
        Power.of(workload, policy, scenario),
        workload.replica.overload,
    )
    shares, seconds = zip(*power.startups, strict=True)
    nodes = scenario.capacity.nodes
    no_limit = 2**31 - 1
    return Site(
        spot=np.array([each.pool.type == "spot" for each in used], np.bool_),
        rank=np.argsort([each.replica_price for each in used], kind="stable").astype(np.int64),
        most=np.array([no_limit if each.pool.most is None else each.pool.most for each in used], np.int64),
        per_node=np.array([each.per_node for each in used], np.int64),
        quota=no_limit if scenario.capacity.quota is None else scenario.capacity.quota,
        dwell_steps=round((nodes.consolidation + nodes.drain) / scenario.step),
        start_share=np.cumsum(shares),
        start_steps=np.array([round(each / scenario.step) for each in seconds], np.int64),
        mix=_MIXES[policy.mix],
        on_demand_share=policy.on_demand_share,
        base=policy.base,
        spare=policy.spare,
        cheapest=policy.spread == "cheapest",
        capacity=power.capacity,
        serving_limit_ratio=power.serving_limit_ratio,
        patience_steps=-1.0 if overload is None else overload.patience / scenario.step,
        retry_ratio=0.0 if overload is None else overload.retry or 0.0,
    )


def _figures(scenario: Scenario, spent: list[Spent]) -> dict[str, FloatArray]:
    """Figures of all workloads together, `[run]`: loads are added up, and time is available where it is for all."""
    load, steps = _sum(spent, physics.LOAD), scenario.steps - scenario.warmup_steps
    days = steps * scenario.step / DAY_S
    unserved = _ratio(_sum(spent, physics.UNSERVED), load)
    available = np.mean([each.sums[:, physics.AVAILABLE] for each in spent], axis=0) / steps
    return {
        "late_ratio": _ratio(_sum(spent, physics.LATE), load),
        "unserved_ratio": unserved,
        "available_time_ratio": available,
        "available_request_ratio": 1 - unserved,
        "replicas": _sum(spent, physics.REPLICAS) / steps,
        "churn_per_day": _sum(spent, physics.CHANGES) / days,
        "losses_per_day": _sum(spent, physics.LOSSES) / days,
    }


def _sum(spent: list[Spent], what: int) -> FloatArray:
    return np.asarray(np.sum([each.sums[:, what] for each in spent], axis=0), np.float64)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
