"""The cheapest mix for one lane at one moment: replicas per pool and on-demand, with shortness priced.

A *mix* is replicas by pool, `[pool]`, and the last pool is on-demand, which is never lost. The others are lost
independently, each with all it holds. The expectation over all patterns of pools that are up is exact for any number
of pools: the capacity that is up has a distribution, made pool by pool, in pools x replicas steps instead of 2 to the
power of pools. The search is not exact: even spreads over the best pools, with and without spares and on-demand, then
moves of one replica while they pay. It is made for several prices of shortness at once, for what a mix costs and risks
is the same at each. More than `BLOCKS` replicas are planned in blocks of equal size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.compiled import compiled

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray

BLOCKS = 64
RUNNING = 0.02  # of an on-demand hour: what a replica that runs is worth for running already
_PARTS, _SPARES = 4, 8  # steps of the on-demand part, and of the spot part until it is as large again
_MOST_SPOT = 3  # times what on-demand leaves to it: the spot part that a spread has at most
_EXPANDED = 200  # mixes whose moves are tried, at most
_RISKS = 0.3  # share of the price of risk by which the third order of pools ranks
_NONE = 1e300
_SAME = 1e-9  # values that differ by less are equal


@compiled
def expected_short(need: int, mix: IntArray, lost: FloatArray, up: FloatArray) -> float:
    """Mean of what `need` replicas lack when pool z, with `mix[z]` of them, is lost with chance `lost[z]`, `[pool]`.

    `up` is room for `need` + 1 numbers.
    """
    demand = need - mix[-1]
    if demand <= 0:
        return 0.0
    up[: demand + 1] = 0.0
    up[0] = 1.0  # chance that so many replicas are up
    most = 0
    for pool in range(mix.size - 1):
        if mix[pool] > 0:
            for before in range(min(most, demand - 1), -1, -1):
                up[min(before + mix[pool], demand)] += (1.0 - lost[pool]) * up[before]
                up[before] *= lost[pool]
            most += mix[pool]
    short = 0.0
    for number in range(demand):
        short += up[number] * (demand - number)
    return short


@compiled
def cheapest(
    need: int, limit: IntArray, price: FloatArray, lost: FloatArray, held: IntArray, worth: FloatArray,
    starts: IntArray, mixes: IntArray, cost: FloatArray, short: FloatArray,
) -> None:  # fmt: skip
    """Write the cheapest mix at each of the prices of shortness `worth`, its cost and what it lacks.

    `limit`, `price` relative to on-demand, `lost` and `held` are by pool, on-demand the last, `[pool]`; `worth` and
    the three outputs are `[price]` and, for `mixes`, `[price, pool]`; `worth` rises. The search begins from `starts`,
    `[start, pool]`, or where these are none or on-demand is limited from spreads. Where not all that is needed can be
    had, the mix is all there is.
    """
    up, tried = np.zeros(need + 1), np.zeros(limit.size, np.int64)
    fresh = np.zeros(worth.size, np.bool_)
    cost[:], short[:] = _NONE, 0.0
    tried[-1] = need
    _offered(tried, need, limit, price, lost, held, worth, mixes, cost, short, fresh, up)
    _offered(np.minimum(held, limit), need, limit, price, lost, held, worth, mixes, cost, short, fresh, up)
    for start in starts:
        _offered(start, need, limit, price, lost, held, worth, mixes, cost, short, fresh, up)
    if starts.shape[0] == 0 or limit[-1] < need:
        _spreads(need, limit, price, lost, held, worth, mixes, cost, short, fresh, up)
    if cost[0] < _NONE:
        _moves(need, limit, price, lost, held, worth, mixes, cost, short, fresh, up)
        return
    _all_there_is(need, limit, price, tried)
    mixes[:] = tried
    cost[:] = (price * tried).sum()
    short[:] = expected_short(need, tried, lost, up)


@compiled
def _offered(
    tried: IntArray, need: int, limit: IntArray, price: FloatArray, lost: FloatArray, held: IntArray, worth: FloatArray,
    mixes: IntArray, cost: FloatArray, short: FloatArray, fresh: BoolArray, up: FloatArray,
) -> None:  # fmt: skip
    """Take a mix wherever it is cheaper than what was found; `fresh` tells whose moves are to be tried yet."""
    total, spent, useful = 0, 0.0, False
    for pool in range(tried.size):
        if tried[pool] > limit[pool]:
            return
        total += tried[pool]
        spent += price[pool] * tried[pool] - RUNNING * min(tried[pool], held[pool])
    for each in range(worth.size):
        useful = useful or spent < cost[each] + worth[each] * short[each] - _SAME
    if total < need or not useful:
        return
    lacking = expected_short(need, tried, lost, up)
    for each in range(worth.size):
        if spent + worth[each] * lacking < cost[each] + worth[each] * short[each] - _SAME:
            mixes[each], cost[each], short[each], fresh[each] = tried, spent, lacking, True


@compiled
def _spreads(
    need: int, limit: IntArray, price: FloatArray, lost: FloatArray, held: IntArray, worth: FloatArray,
    mixes: IntArray, cost: FloatArray, short: FloatArray, fresh: BoolArray, up: FloatArray,
) -> None:  # fmt: skip
    """Offer even spreads over the best pools by price, by risk, and by both at each price of shortness."""
    spot, most = limit.size - 1, min(need - 1, limit[-1])
    tried, before = np.zeros(limit.size, np.int64), np.zeros(spot, np.int64)
    for ranking in range(worth.size + 2):
        risk = 0.0 if ranking == 0 else _RISKS * worth[min(ranking, worth.size) - 1]
        order = np.argsort(lost[:spot] if ranking > worth.size else price[:spot] + risk * lost[:spot])
        if ranking > 0 and (order == before).all():
            continue
        before[:] = order
        for part in range(0, most + 1, max(1, need // _PARTS)):
            tried[-1] = part
            for total in range(need - part, _MOST_SPOT * (need - part) + 1, max(1, (need - part) // _SPARES)):
                for count in range(1, spot + 1):
                    if ranking == 0 or total % count or count < spot:  # else the same in any order
                        _spread(total, count, order, limit, tried)
                        _offered(tried, need, limit, price, lost, held, worth, mixes, cost, short, fresh, up)


@compiled
def _spread(total: int, pools: int, order: IntArray, limit: IntArray, mix: IntArray) -> None:
    """`total` replicas evenly over the first `pools` in `order`."""
    mix[:-1] = 0
    for place in range(pools):
        mix[order[place]] = min(total // pools + (place < total % pools), limit[order[place]])


@compiled
def _moves(
    need: int, limit: IntArray, price: FloatArray, lost: FloatArray, held: IntArray, worth: FloatArray,
    mixes: IntArray, cost: FloatArray, short: FloatArray, fresh: BoolArray, up: FloatArray,
) -> None:  # fmt: skip
    """Move, add or take single replicas of what was found while that pays at any price of shortness."""
    pools, tried = limit.size, np.zeros(limit.size, np.int64)
    for _ in range(_EXPANDED):
        each = 0
        while each < worth.size and not fresh[each]:
            each += 1
        if each == worth.size:
            return
        tried[:] = mixes[each]
        for other in range(each, worth.size):
            fresh[other] = fresh[other] and not (mixes[other] == tried).all()
        for source in range(pools + 1):  # `pools` is nothing
            if source < pools and tried[source] == 0:
                continue
            for goal in range(pools + 1):
                if source != goal:
                    _step(source, -1, tried)
                    _step(goal, 1, tried)
                    _offered(tried, need, limit, price, lost, held, worth, mixes, cost, short, fresh, up)
                    _step(source, 1, tried)
                    _step(goal, -1, tried)


@compiled
def _step(pool: int, by: int, mix: IntArray) -> None:
    if pool < mix.size:
        mix[pool] += by


@compiled
def _all_there_is(need: int, limit: IntArray, price: FloatArray, mix: IntArray) -> None:
    """On-demand first, for it is not lost, then the cheapest."""
    mix[-1] = min(need, limit[-1])
    left = need - mix[-1]
    for pool in np.argsort(price[:-1]):
        mix[pool] = min(left, limit[pool])
        left -= mix[pool]
