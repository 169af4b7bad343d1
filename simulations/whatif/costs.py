"""What a policy's nodes and late requests cost in each run, and what drives it; the bill is that of `foresail cost`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.pricing.bill import Kind, bill
from policies.pricing.money import HOUR_S, MICROS, amounts, micros
from policies.pricing.table import CapacityType, Commitment, Offer, PriceTable
from policies.pricing.usage import PoolUse, Served, Usage
from simulations.whatif.demand import WhatIfError
from simulations.whatif.physics import LATE, LOAD, REPLICAS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from policies.arrays import FloatArray
    from simulations.whatif.capacity import Nodes, Pool
    from simulations.whatif.document import Policy, Scenario, Workload
    from simulations.whatif.physics import Counts

_NOISE = 1e-9


class Place(NamedTuple):
    """One pool as replicas of one workload use it under one policy."""

    pool: Pool
    per_node: int  # replicas on one instance
    micros: int  # of one instance an hour

    @property
    def replica_price(self) -> float:
        """Of one replica for an hour, on a full instance."""
        return self.micros / MICROS / self.per_node


@dataclass(frozen=True, slots=True)
class Spent:
    """What one workload used under one policy."""

    workload: Workload
    places: Sequence[Place]
    nodes: Counts  # paid, after the warm-up [pool, run, step]
    sums: FloatArray  # of `physics` [run, LOAD ...]


def places(scenario: Scenario, policy: Policy, workload: Workload) -> list[Place]:
    """The pools that a policy may use, in the document's order. Raises WhatIfError where a replica does not fit."""
    chosen = [each for each in scenario.capacity.pools if policy.pools is None or each.name in policy.pools]
    factor = policy.right_size * policy.engine.resources
    made = []
    for pool in chosen:
        if pool.instance is None:
            made.append(Place(pool, 1, micros(pool.price * factor)))
        else:
            fits = _fitting(pool, workload, factor, scenario.capacity.nodes)
            made.append(Place(pool, fits, micros(pool.price)))
    return made


def _fitting(pool: Pool, workload: Workload, factor: float, nodes: Nodes) -> int:
    """Replicas that fit onto one instance; GPUs are whole where a replica asks for whole ones."""
    needs, has = workload.replica.resources, pool.instance
    if needs is None or has is None:
        raise WhatIfError(
            f"workload {workload.name}: needs replica.resources, as pool {pool.name} has an instance to pack them into"
        )
    fitting = [
        _number(there) * (1 - nodes.overhead) / (_number(asked) * factor)
        for asked, there in ((needs.cpu, has.cpu), (needs.memory, has.memory))
        if asked is not None
    ]
    if needs.gpu is not None:
        gpus = _number(needs.gpu) * factor
        fitting.append(_number(has.gpu) / (np.ceil(gpus - _NOISE) if needs.gpu == int(needs.gpu) else gpus))
    fits = int(min(fitting, default=1.0) + _NOISE)
    if fits < 1:
        raise WhatIfError(
            f"workload {workload.name}: a replica does not fit onto an instance of pool {pool.name}; "
            "lower replica.resources or give the pool a larger instance"
        )
    return fits


def _number(quantity: Decimal | None) -> float:
    return 0.0 if quantity is None else float(quantity)


def list_price(chosen: Sequence[Place]) -> float:
    """Of one replica for an hour in the cheapest on-demand pool, of spot where there is no other."""
    on_demand = [place.replica_price for place in chosen if place.pool.type == "on-demand"]
    return min(on_demand or [place.replica_price for place in chosen])


def columns(
    scenario: Scenario, policy: Policy, spent: Sequence[Spent], incumbent_prices: Sequence[float]
) -> dict[str, FloatArray]:
    """Cost, its parts by capacity type and its drivers, `[run]`: columns of `answer.COLUMNS`.

    Drivers add up to the cost, step by step from replicas to the bill: replica-hours at the incumbent's list price of
    each workload; the policy's own list price instead; nodes that are paid beyond full ones; the pools' own prices;
    commitments; late requests. So the drivers of a difference add up to it.
    """
    made = bill(_usage(scenario, spent), _prices(scenario, spent), _commitments(scenario, policy))
    on_demand, spot, late = (made.by_kind[kind] for kind in (Kind.ON_DEMAND, Kind.SPOT, Kind.LATE))
    committed = made.by_kind[Kind.COMMITTED] + made.by_kind[Kind.UNUSED]
    price = np.array([place.micros for each in spent for place in each.places], np.int64)
    priced = price @ made.node_seconds  # ticks, so that what commitments do not change is 0
    of_nodes = made.split[:, : Kind.LATE].sum(axis=(0, 1))
    node_hours = iter(made.node_seconds / HOUR_S)
    replicas, listed, full = np.zeros((3, late.size))
    for each, incumbent_price in zip(spent, incumbent_prices, strict=True):
        hours, usual = each.sums[:, REPLICAS] * (scenario.step / HOUR_S), list_price(each.places)
        replicas += hours * incumbent_price
        listed += hours * usual
        for place, paid in zip(each.places, node_hours, strict=False):
            full += paid * place.per_node * usual
    return {
        "cost": made.cost,
        "cost:on-demand": on_demand,
        "cost:spot": spot,
        "cost:committed": committed,
        "driver:replicas": replicas,
        "driver:price": listed - replicas,
        "driver:nodes": full - listed,
        "driver:mix": amounts(priced) - full,
        "driver:commitments": amounts(of_nodes - priced),
        "driver:late": late,
    }


def _usage(scenario: Scenario, spent: Sequence[Spent]) -> Usage:
    pools = [
        PoolUse(_offer(each, place), each.nodes[number]) for each in spent for number, place in enumerate(each.places)
    ]
    served = [
        Served(
            each.workload.name,
            each.sums[:, LOAD] * scenario.step,
            each.sums[:, LATE] * scenario.step,
            late_micros=micros(each.workload.late_price or 0.0),
        )
        for each in spent
    ]
    return Usage(round(scenario.step), tuple(pools), tuple(served))


def _offer(each: Spent, place: Place) -> Offer:
    """A pool as a workload pays for it: where it pays by the replica, each workload has a price of its own."""
    return Offer("scenario", place.pool.name, each.workload.name, capacity=CapacityType(place.pool.type))


def _prices(scenario: Scenario, spent: Sequence[Spent]) -> PriceTable:
    rows = {_offer(each, place): place.micros for each in spent for place in each.places}
    as_of_s = np.full(len(rows), scenario.start_s)
    price = np.array(list(rows.values()), np.int64)
    return PriceTable(scenario.currency, tuple(rows), price, as_of_s, ("scenario",) * len(rows))


def _commitments(scenario: Scenario, policy: Policy) -> list[Commitment]:
    """What the policy holds. A commitment covers use worth its instances, so that smaller replicas share it."""
    price = {pool.name: micros(pool.price) for pool in scenario.capacity.pools}
    return [
        Commitment(
            each.name,
            each.instances * micros(each.price),
            value_micros=each.instances * price[each.pool],
            instance_type=each.pool,
        )
        for each in scenario.capacity.commitments
        if each.instances and (policy.commitments is None or each.name in policy.commitments)
    ]
