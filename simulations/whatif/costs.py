"""What a policy's nodes and late requests cost in each run, and what drives it; the bill is that of `foresail cost`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.pricing.bill import Kind, bill
from policies.pricing.money import HOUR_S, amounts, micros
from policies.pricing.nodes import nodes_for
from policies.pricing.table import Commitment, PriceTable
from policies.pricing.usage import PoolUse, Served, Usage
from simulations.whatif.offers import instance_micros, list_price
from simulations.whatif.physics import LATE, LOAD, REPLICAS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import FloatArray, IntArray
    from policies.pricing.table import Offer
    from simulations.whatif.document import Policy, Scenario, Workload
    from simulations.whatif.offers import Place


@dataclass(frozen=True, slots=True)
class Spent:
    """What one workload used under one policy."""

    workload: Workload
    places: Sequence[Place]
    paid: IntArray  # replicas whose place is paid, after the warm-up [pool, run, step]
    sums: FloatArray  # of `physics` [run, LOAD ...]


def columns(
    scenario: Scenario, policy: Policy, spent: Sequence[Spent], incumbent_prices: Sequence[float]
) -> dict[str, FloatArray]:
    """Cost, its parts by capacity type and its drivers, `[run]`: columns of `answer.COLUMNS`.

    Drivers add up to the cost, step by step from replicas to the bill: replica-hours at the incumbent's list price of
    each workload; the policy's own list price instead; places that are paid and not used, on instances that are not
    full or not released yet; the pools' own prices instead; commitments; late requests. So the drivers of a difference
    add up to it.
    """
    made = bill(_usage(scenario, spent), _prices(scenario, spent), _commitments(scenario, policy))
    on_demand, spot, late = (made.by_kind[kind] for kind in (Kind.ON_DEMAND, Kind.SPOT, Kind.LATE))
    price = np.array([_price_of(spent)[offer] for offer in made.offers], np.int64)
    of_nodes = made.split[:, : Kind.LATE].sum(axis=(0, 1))  # ticks, so that what commitments do not change is 0
    priced = price @ made.node_seconds
    replicas, listed, paid, own = np.zeros((4, late.size))
    for each, incumbent_price in zip(spent, incumbent_prices, strict=True):
        hours, usual = each.sums[:, REPLICAS] * (scenario.step / HOUR_S), list_price(each.places)
        replicas += hours * incumbent_price
        listed += hours * usual
        for place, taken in zip(each.places, each.paid, strict=True):
            paid_hours = taken.sum(axis=1) * (scenario.step / HOUR_S)
            paid += paid_hours * usual
            own += paid_hours * place.replica_price
    return {
        "cost": made.cost,
        "cost:on-demand": on_demand,
        "cost:spot": spot,
        "cost:committed": made.by_kind[Kind.COMMITTED] + made.by_kind[Kind.UNUSED],
        "driver:replicas": replicas,
        "driver:price": listed - replicas,
        "driver:nodes": paid - listed + amounts(priced) - own,
        "driver:mix": own - paid,
        "driver:commitments": amounts(of_nodes - priced),
        "driver:late": late,
    }


def _usage(scenario: Scenario, spent: Sequence[Spent]) -> Usage:
    """Nodes of each offer, whichever workloads share it, and what each workload served."""
    users: dict[Offer, list[tuple[Place, IntArray]]] = {}
    for each in spent:
        for place, paid in zip(each.places, each.paid, strict=True):
            users.setdefault(place.offer, []).append((place, paid))
    pools = [PoolUse(offer, _nodes(using)) for offer, using in users.items()]
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


def _nodes(using: Sequence[tuple[Place, IntArray]]) -> IntArray:
    """Instances that the replicas of all workloads of a pool need together, `[run, step]`."""
    (first, paid), *others = using
    if first.packed is None or not others:
        return paid if first.per_node == 1 else -(-paid // first.per_node)
    requests = [place.packed.request for place, _ in using if place.packed]
    return nodes_for(np.stack([each for _, each in using]), requests, first.packed.shape).nodes


def _price_of(spent: Sequence[Spent]) -> dict[Offer, int]:
    return {place.offer: place.micros for each in spent for place in each.places}


def _prices(scenario: Scenario, spent: Sequence[Spent]) -> PriceTable:
    rows = _price_of(spent)
    as_of_s = np.full(len(rows), scenario.start_s)
    price = np.array(list(rows.values()), np.int64)
    return PriceTable(scenario.currency, tuple(rows), price, as_of_s, ("scenario",) * len(rows))


def _commitments(scenario: Scenario, policy: Policy) -> list[Commitment]:
    """What the policy holds. A commitment covers use worth its instances, so that smaller replicas share it."""
    price = {pool.name: instance_micros(pool) for pool in scenario.capacity.pools}
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
