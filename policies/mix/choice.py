"""The cheapest mix for one lane at one moment: replicas per pool and on-demand, with shortness priced.

Pools are lost independently, each with all it holds. The expectation over all patterns of pools that are up is exact
for any number of pools: the capacity that is up has a distribution, made pool by pool, in pools x replicas steps
instead of 2 to the power of pools. The search is not exact: spreads over the best pools that survive the loss of
up to three of them, for each on-demand part, then moves of one replica while they pay. More than `BLOCKS` replicas are
planned in blocks of equal size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.compiled import compiled

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

BLOCKS = 64
_PARTS = 12  # sizes of the on-demand part that the search starts from
_SURVIVED = 4  # losses of pools that a spread survives, and one
_MOVES = 50
_RISKS = 0.3  # share of the price of risk by which the third order of pools ranks
_NONE = 1e300
_NOWHERE = -2


@compiled
def expected_short(demand: int, spot: IntArray, lost: FloatArray, up: FloatArray) -> float:
    """Mean of what `demand` replicas lack when pool z, with `spot[z]` of them, is lost with chance `lost[z]`, `[pool]`.

    `up` is room for `demand` + 1 numbers.
    """
    if demand <= 0:
        return 0.0
    up[: demand + 1] = 0.0
    up[0] = 1.0  # chance that so many replicas are up
    for pool in range(spot.size):
        if spot[pool] > 0:
            for before in range(demand - 1, -1, -1):
                after = min(before + spot[pool], demand)
                up[after] += (1.0 - lost[pool]) * up[before]
                up[before] *= lost[pool]
    short = 0.0
    for number in range(demand):
        short += up[number] * (demand - number)
    return short


@compiled
def _value(
    need: int, part: int, spot: IntArray, price: FloatArray, lost: FloatArray, held: IntArray, terms: FloatArray,
    up: FloatArray,
) -> float:  # fmt: skip
    on_demand_held, multiplier, kept = terms[0], terms[1], terms[2]
    cost = part - kept * min(part, on_demand_held)
    for pool in range(spot.size):
        cost += price[pool] * spot[pool] - kept * min(spot[pool], held[pool])
    return float(cost + multiplier * expected_short(need - part, spot, lost, up))


@compiled
def _moved(
    need: int, part: int, most: int, spot: IntArray, limit: IntArray, price: FloatArray, lost: FloatArray,
    held: IntArray, terms: FloatArray, up: FloatArray,
) -> int:  # fmt: skip
    """Move, add or take single replicas while that pays; changes `spot`, returns the on-demand part."""
    pools = spot.size
    best = _value(need, part, spot, price, lost, held, terms, up)
    for _ in range(_MOVES):
        total = part + spot.sum()
        least, taken, given = best - 1e-9, _NOWHERE, _NOWHERE
        for source in range(-1, pools + 1):  # -1 is on-demand, `pools` is nothing
            if (source == -1 and part <= 0) or (0 <= source < pools and spot[source] <= 0):
                continue
            for goal in range(-1, pools + 1):
                full = (goal == -1 and part >= most) or (0 <= goal < pools and spot[goal] >= limit[goal])
                if source == goal or full or (goal == pools and total <= need):
                    continue
                tried = part + (goal == -1) - (source == -1)
                if 0 <= source < pools:
                    spot[source] -= 1
                if 0 <= goal < pools:
                    spot[goal] += 1
                value = _value(need, tried, spot, price, lost, held, terms, up)
                if 0 <= source < pools:
                    spot[source] += 1
                if 0 <= goal < pools:
                    spot[goal] -= 1
                if value < least:
                    least, taken, given = value, source, goal
        if taken == _NOWHERE:
            break
        part += (given == -1) - (taken == -1)
        if 0 <= taken < pools:
            spot[taken] -= 1
        if 0 <= given < pools:
            spot[given] += 1
        best = least
    return part


@compiled
def _everything(need: int, most: int, limit: IntArray, price: FloatArray, spot: IntArray) -> int:
    """All that can be had, where it is less than needed."""
    part = min(need, most)
    left = need - part
    for pool in np.argsort(price):
        spot[pool] = min(left, limit[pool])
        left -= spot[pool]
    return part


@compiled
def _spread(demand: int, pools: int, survived: int, order: IntArray, limit: IntArray, spot: IntArray) -> bool:
    """`demand` replicas over the first `pools` in `order`, enough when `survived` are lost; whether it fits."""
    each = -(-demand // (pools - survived))
    left, total = demand, 0
    spot[:] = 0
    for pool in order[:pools]:
        number = min(min(each, left) if survived == 0 else each, limit[pool])
        spot[pool] = number
        left -= number
        total += number
    return total >= demand


@compiled
def cheapest(
    need: int, most: int, limit: IntArray, price: FloatArray, lost: FloatArray, held: IntArray, terms: FloatArray,
    spot: IntArray,
) -> int:  # fmt: skip
    """Write the replicas of each pool into `spot`, and return the on-demand part, at most `most`.

    `price`, `[pool]`, is relative to on-demand; `terms` are the on-demand replicas held, what a replica-hour short is
    worth in on-demand hours, and what a running replica is worth for running already.
    """
    pools = spot.size
    up = np.zeros(need + 2)
    tried, best = np.zeros(pools, np.int64), np.zeros(pools, np.int64)
    part, least = 0, _NONE
    present = int(min(terms[0], most))
    for pool in range(pools):
        tried[pool] = min(held[pool], limit[pool])
    if present + tried.sum() >= need:
        part, least = present, _value(need, present, tried, price, lost, held, terms, up)
        best[:] = tried
    if most >= need:
        tried[:] = 0
        value = _value(need, need, tried, price, lost, held, terms, up)
        if value < least:
            part, least = need, value
            best[:] = 0
    step = max(1, need // _PARTS)
    for ranking in range(3):
        order = np.argsort(price if ranking == 0 else lost if ranking == 1 else price + _RISKS * terms[1] * lost)
        for start in range(0, min(need - 1, most) + 1, step):
            for count in range(1, pools + 1):
                for survived in range(min(count, _SURVIVED)):
                    if not _spread(need - start, count, survived, order, limit, tried):
                        continue
                    value = _value(need, start, tried, price, lost, held, terms, up)
                    if value < least - 1e-12:
                        part, least = start, value
                        best[:] = tried
    if least == _NONE:
        part = _everything(need, most, limit, price, best)
    part = _moved(need, part, most, best, limit, price, lost, held, terms, up)
    spot[:] = best
    return part
