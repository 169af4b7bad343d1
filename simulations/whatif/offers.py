"""Pools as replicas of a workload use them: what they cost, and how many replicas fit onto one instance."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from policies.pricing.money import MICROS, micros
from policies.pricing.nodes import fits
from policies.pricing.shapes import MILLI, NodeShape, Request, shape_of
from policies.pricing.table import CapacityType, Offer
from simulations.whatif.capacity import built_in_price, machine_of
from simulations.whatif.demand import WhatIfError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from simulations.whatif.capacity import Pool, Resources
    from simulations.whatif.document import Policy, Scenario, Workload

_NOISE = 1e-9


class Packed(NamedTuple):
    """How replicas are packed into the instances of a pool."""

    shape: NodeShape
    request: Request


class Place(NamedTuple):
    """One pool as replicas of one workload use it under one policy."""

    pool: Pool
    offer: Offer
    micros: int  # of one instance an hour, or of one replica where none are packed
    per_node: int  # replicas on one instance
    packed: Packed | None  # None: each replica has its own price

    @property
    def replica_price(self) -> float:
        """Of one replica for an hour, on an instance that is full of them."""
        return self.micros / MICROS / self.per_node


def places(scenario: Scenario, policy: Policy, workload: Workload) -> list[Place]:
    """The pools that a policy may use, in the document's order. Raises WhatIfError where a replica does not fit."""
    chosen = [each for each in scenario.capacity.pools if policy.pools is None or each.name in policy.pools]
    factor = policy.right_size * policy.engine.resources
    overhead = scenario.capacity.nodes.overhead
    return [_place(pool, workload, factor, overhead) for pool in chosen]


def list_price(chosen: Sequence[Place]) -> float:
    """Of one replica for an hour in the cheapest on-demand pool, of spot where there is no other."""
    on_demand = [place.replica_price for place in chosen if place.pool.type == "on-demand"]
    return min(on_demand or [place.replica_price for place in chosen])


def instance_micros(pool: Pool) -> int:
    """What an instance of a pool costs an hour, in millionths: as written, or as built in."""
    return micros(pool.price) if pool.price is not None else built_in_price(pool.instance_type, pool.region, pool.type)


def _place(pool: Pool, workload: Workload, factor: float, overhead: float) -> Place:
    """Replicas at so many times their own requests, on instances of which daemons take a share."""
    capacity, price = CapacityType(pool.type), instance_micros(pool)
    if pool.instance is None and pool.instance_type is None:
        # Where replicas have a price of their own, each workload has one.
        offer = Offer("scenario", pool.name, workload.name, capacity=capacity)
        return Place(pool, offer, micros(price / MICROS * factor), 1, None)
    needs = workload.replica.resources
    if needs is None:
        raise WhatIfError(
            f"workload {workload.name}: needs replica.resources, as pool {pool.name} has instances to pack them into"
        )
    offer = Offer("scenario", pool.name, capacity=capacity)
    request = _request(workload.name, needs, factor)
    shape = _shape(pool, offer, price, shared=bool(request.gpu_milli % MILLI))
    room = 1 - overhead
    shape = replace(shape, cpu_milli=int(shape.cpu_milli * room), memory_milli=int(shape.memory_milli * room))
    per_node = fits(request, shape)
    if per_node < 1:
        raise WhatIfError(
            f"workload {workload.name}: a replica does not fit onto an instance of pool {pool.name}; "
            "lower replica.resources or give the pool a larger instance"
        )
    return Place(pool, offer, price, per_node, Packed(shape, request))


def _request(name: str, needs: Resources, factor: float) -> Request:
    """What a replica asks for; whole GPUs stay whole."""
    gpus = float(needs.gpu or 0) * factor
    if needs.gpu is not None and needs.gpu == int(needs.gpu):
        gpus = math.ceil(gpus - _NOISE)
    return Request(name, _milli(needs.cpu, factor), _milli(needs.memory, factor), round(gpus * MILLI))


def _shape(pool: Pool, offer: Offer, price: int, *, shared: bool) -> NodeShape:
    if pool.instance_type is not None:
        return shape_of(offer, price, machine_of(pool.instance_type), shares_gpus=shared)
    has = pool.instance
    if has is None:
        raise WhatIfError(f"pool {pool.name}: needs instance or instanceType")
    gpus = int(has.gpu or 0)
    return NodeShape(offer, price, _milli(has.cpu, 1.0), _milli(has.memory, 1.0), gpus, shares_gpus=shared)


def _milli(quantity: Decimal | None, factor: float) -> int:
    return 0 if quantity is None else math.ceil(float(quantity) * factor * MILLI - _NOISE)
