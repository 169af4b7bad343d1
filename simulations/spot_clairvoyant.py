"""The cheapest way to have every replica that is due, for one who knows the availability of all pools in advance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.compiled import compiled

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray
    from simulations.spot_market import Market


def clairvoyant_ratio(market: Market, *, skip: int) -> float:
    """What it spends over all on-demand, after the first `skip` steps; with a limit per pool, a bound from below.

    Where pools hold any number, replicas do not hinder each other, so a dynamic program for each of them is exact:
    which capacity serves at each step, a change paid by the start-up of the next one beside it.
    """
    due = market.due[skip:]
    open_pool = market.available > 0
    on_demand = np.ones((1, due.size), np.bool_)
    serves = np.concatenate([open_pool[:, skip:], on_demand])
    enters = np.concatenate([_open_since(open_pool, market.startup_steps)[:, skip:], on_demand])
    price = np.append(market.price, 1.0)
    spent = sum(
        _cheapest(due >= number, serves, enters, price, market.startup_steps) for number in range(1, int(due.max()) + 1)
    )
    return float(spent) / max(int(market.ahead()[skip:].sum()), 1)


def _open_since(open_pool: BoolArray, steps: int) -> BoolArray:
    """Where a pool has been open for so many steps, so that a replica launched then is ready, `[pool, step]`."""
    closed = np.concatenate([np.zeros((open_pool.shape[0], 1), np.int64), np.cumsum(~open_pool, axis=1)], axis=1)
    since = np.maximum(np.arange(open_pool.shape[1]) - steps, 0)
    found: BoolArray = closed[:, 1:] == closed[:, since]
    return found


@compiled
def _cheapest(due: BoolArray, serves: BoolArray, enters: BoolArray, price: FloatArray, startup: int) -> float:
    """The least spent on one replica that is ready wherever `due`, `[step]`; the first start is free of wait."""
    pools, steps = serves.shape
    spent, idle = price * startup, 0.0  # so far, with a ready replica in each pool, and with none
    for step in range(steps):
        best = idle
        for pool in range(pools):
            best = min(best, spent[pool])
        for pool in range(pools):
            here = spent[pool] if serves[pool, step] else np.inf
            if enters[pool, step]:
                here = min(here, best + price[pool] * startup)
            spent[pool] = here + price[pool]
        idle = np.inf if due[step] else best
    best = idle
    for pool in range(pools):
        best = min(best, spent[pool])
    return float(best)
