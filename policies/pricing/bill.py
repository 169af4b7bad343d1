"""The bill for a plan: nodes by step at their prices, commitments netted by the hour, split by workload.

All amounts are whole ticks (see `money`), so that every split sums to its total exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.codes import Code
from policies.pricing.money import HOUR_S, amounts
from policies.pricing.paid import paid_seconds, seconds
from policies.pricing.settling import Settled, settled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import FloatArray, IntArray
    from policies.pricing.table import Commitment, Offer, PriceTable
    from policies.pricing.usage import PoolUse, Served, Usage

IDLE = "idle"  # the owner of what no workload takes
MOST_TICKS = 9.2e18
ROUNDING = 1e-9


class Kind(Code):
    """What an amount was paid for."""

    COMMITTED = 0
    UNUSED = 1  # committed, and covered nothing
    ON_DEMAND = 2
    SPOT = 3
    LATE = 4  # late requests at the user's price


@dataclass(frozen=True, slots=True)
class Bill:
    """What a usage costs, in ticks. `owners` are the workloads in the order of their first mention, and last `IDLE`."""

    currency: str
    hours: float
    owners: tuple[str, ...]
    offers: tuple[Offer, ...]
    split: IntArray  # [owner, kind, lane]
    hourly: IntArray  # [kind, lane, hour], without late requests
    node_seconds: IntArray  # paid [pool, lane]
    requests: FloatArray  # [owner, lane]
    tokens: FloatArray  # [owner, lane]

    @property
    def total(self) -> IntArray:
        """Ticks of each lane."""
        return np.asarray(self.split.sum(axis=(0, 1)), np.int64)

    @property
    def cost(self) -> FloatArray:
        """The same in the currency, `[lane]`."""
        return amounts(self.total)

    @property
    def by_kind(self) -> FloatArray:
        """In the currency, `[kind, lane]`."""
        return amounts(self.split.sum(axis=0))

    @property
    def by_owner(self) -> FloatArray:
        """In the currency, `[owner, lane]`."""
        return amounts(self.split.sum(axis=1))

    @property
    def per_hour(self) -> FloatArray:
        """In the currency, on average over the time of the bill, `[lane]`."""
        return self.cost / self.hours

    @property
    def per_request(self) -> FloatArray:
        """All costs over all requests, `[lane]`; NaN where there were none."""
        return _per(self.cost, self.requests.sum(axis=0))

    @property
    def per_million_tokens(self) -> FloatArray:
        """All costs over all tokens, `[lane]`; NaN where there were none."""
        return _per(self.cost, self.tokens.sum(axis=0) / 1e6)


def bill(usage: Usage, prices: PriceTable, commitments: Sequence[Commitment] = ()) -> Bill:
    """Bill nodes at these prices (discounts are in them already) and commitments, which all lanes share.

    A pool's hour is split by the share of its nodes that each workload's replicas take; the rest, start-up and release
    of nodes among it, is idle, and so is what is committed and covers nothing.

    Raises:
        PriceError: an offer without a price, or commitments whose scopes overlap in part.
        ValueError: arrays that do not fit together, steps that do not fit into hours, more replicas than nodes hold.
    """
    _check(usage)
    offers = tuple(pool.offer for pool in usage.pools)
    price = np.array([prices.price_micros(offer) for offer in offers], np.int64)
    paid_s = np.stack([paid_seconds(pool, usage.step_s) for pool in usage.pools])
    steps = usage.pools[0].nodes.shape[1]
    hour_s = _hours_s(steps * usage.step_s, usage.step_s)
    _check_size(price, paid_s, hour_s, commitments)
    done = settled(offers, price, paid_s, hour_s, commitments)
    owners = _owners(usage)
    return Bill(
        currency=prices.currency,
        hours=steps * usage.step_s / HOUR_S,
        owners=owners,
        offers=offers,
        split=_split(usage, owners, done, paid_s),
        hourly=np.stack([done.committed.sum(axis=0), done.unused, done.on_demand.sum(axis=0), done.spot.sum(axis=0)]),
        node_seconds=paid_s.sum(axis=2),
        requests=_by_owner(usage.served, owners, paid_s.shape[1], tokens=False),
        tokens=_by_owner(usage.served, owners, paid_s.shape[1], tokens=True),
    )


def _check(usage: Usage) -> None:
    if not usage.pools:
        raise ValueError("a bill needs one pool of nodes at least")
    if usage.step_s < 1 or (HOUR_S % usage.step_s and usage.step_s % HOUR_S):
        raise ValueError(f"a step of {usage.step_s} s neither divides an hour nor is whole hours; resample the plan")
    shape = usage.pools[0].nodes.shape
    for pool in usage.pools:
        named = {id(pool.nodes): ("nodes", pool.nodes)}  # where a replica is a node, they are the same array
        named |= {id(share.replicas): (share.workload, share.replicas) for share in pool.shares}
        for what, array in named.values():
            if array.shape != shape or array.dtype.kind not in "iu":
                raise ValueError(
                    f"{pool.offer}: {what}: must be integers of the shape {shape}, [lane, step], as those of the first"
                    f" pool, not {array.dtype} of {array.shape}"
                )
            if array.size and array.min() < 0:
                raise ValueError(f"{pool.offer}: {what}: there is a count below 0")


def _check_size(price: IntArray, paid_s: IntArray, hour_s: IntArray, commitments: Sequence[Commitment]) -> None:
    """Refuse what int64 cannot hold, as more than 2.5 billion units of the currency in one lane."""
    nodes = (price[:, None].astype(float) * paid_s.sum(axis=2, dtype=float)).sum(axis=0).max()
    if nodes + sum(each.micros + each.value_micros for each in commitments) * float(hour_s.sum()) > MOST_TICKS:
        raise ValueError("the bill is above 2.5 billion units of the currency; bill a shorter time, or larger units")


def _hours_s(total_s: int, step_s: int) -> IntArray:
    """The seconds of each hour; the last may be a part of one, and an hour of long steps is a step."""
    starts_s = np.arange(0, total_s, max(HOUR_S, step_s))
    return np.diff(starts_s, append=total_s)


def _owners(usage: Usage) -> tuple[str, ...]:
    named = [share.workload for pool in usage.pools for share in pool.shares]
    return (*dict.fromkeys([*named, *(each.workload for each in usage.served)]), IDLE)


def _split(usage: Usage, owners: Sequence[str], done: Settled, paid_s: IntArray) -> IntArray:
    """Ticks by owner, kind and lane. What is taken is rounded down to whole ticks; idle has the rest."""
    lanes = paid_s.shape[1]
    split = np.zeros((len(owners), len(Kind), lanes), np.int64)
    split[-1, Kind.UNUSED] = done.unused.sum(axis=1)
    kinds = ((Kind.COMMITTED, done.committed), (Kind.ON_DEMAND, done.on_demand), (Kind.SPOT, done.spot))
    for place, pool in enumerate(usage.pools):
        taken = _taken(pool, paid_s[place], usage.step_s)
        for kind, ticks in kinds:
            left = ticks[place]
            for owner, ratio in taken:
                part = np.minimum(np.floor(ticks[place] * ratio).astype(np.int64), left)
                split[owners.index(owner), kind] += part.sum(axis=1)
                left = left - part
            split[-1, kind] += left.sum(axis=1)
    for each in usage.served:
        split[owners.index(each.workload), Kind.LATE] += np.rint(each.late * each.late_micros * HOUR_S).astype(np.int64)
    return split


def _taken(pool: PoolUse, paid_s: IntArray, step_s: int) -> list[tuple[str, FloatArray]]:
    """The share of a pool's node-seconds that each workload's replicas take, `[lane, hour]`. Raises ValueError."""
    shares = [(each.workload, seconds(each.replicas, step_s) * each.node_ratio) for each in pool.shares]
    if shares and (sum(took for _, took in shares) > paid_s * (1 + ROUNDING) + ROUNDING).any():
        raise ValueError(f"{pool.offer}: its workloads take more than its nodes hold; count nodes with `nodes_for`")
    within = np.maximum(paid_s, 1)
    return [(workload, np.minimum(took / within, 1.0)) for workload, took in shares]


def _by_owner(served: Sequence[Served], owners: Sequence[str], lanes: int, *, tokens: bool) -> FloatArray:
    summed = np.zeros((len(owners), lanes))
    for each in served:
        column = each.tokens if tokens else each.requests
        summed[owners.index(each.workload)] += 0.0 if column is None else column
    return summed


def _per(cost: FloatArray, count: FloatArray) -> FloatArray:
    return np.where(count > 0, cost / np.where(count > 0, count, 1.0), np.nan)
