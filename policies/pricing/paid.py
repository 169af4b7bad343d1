"""For how long nodes are paid: what is needed by step, with the time before and after, summed by the hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.compiled import compiled
from policies.pricing.money import HOUR_S

if TYPE_CHECKING:
    from policies.arrays import IntArray
    from policies.pricing.usage import PoolUse

LONG_AGO = -(2**62)  # when the nodes of the first step were started, and when a node that never ran was last needed


def paid_seconds(use: PoolUse, step_s: int) -> IntArray:
    """Node-seconds that a pool is billed for, `[lane, hour]`; the last hour may be a part of one.

    Nodes are alike, and the one that was started last goes first: node number i is needed while at least i are. It is
    paid from `startup_s` before until `release_s` after, so that a need that comes back meanwhile finds it there, and
    for `minimum_s` at least. What lies before the first step or after the last is not on this bill; nor is a minimum
    for nodes that are there at the first step.
    """
    life = use.life
    if use.kept or life.startup_s or life.release_s or life.minimum_s > step_s:
        nodes = np.ascontiguousarray(use.nodes)
        return _lives(nodes, use.kept, (step_s, life.startup_s, life.release_s, life.minimum_s), HOUR_S)
    return seconds(use.nodes, step_s)


def seconds(counts: IntArray, step_s: int) -> IntArray:
    """Counts by step as seconds by hour, `[lane, step]` to `[lane, hour]`."""
    return _seconds(np.ascontiguousarray(counts), step_s, HOUR_S)


@compiled
def _seconds(counts: IntArray, step_s: int, hour_s: int) -> IntArray:
    lanes, steps = counts.shape
    per_hour = max(1, hour_s // step_s)
    summed = np.zeros((lanes, -(-steps // per_hour)), np.int64)
    for lane in range(lanes):
        for hour in range(summed.shape[1]):
            count = 0
            for step in range(hour * per_hour, min(steps, (hour + 1) * per_hour)):
                count += counts[lane, step]
            summed[lane, hour] = count * step_s
    return summed


@compiled
def _lives(nodes: IntArray, kept: int, times: tuple[int, int, int, int], hour_s: int) -> IntArray:
    """As `paid_seconds`; `times` are those of a step, a start, a release and the shortest bill."""
    lanes, steps = nodes.shape
    hour_s = max(hour_s, times[0])
    paid = np.zeros((lanes, -(-steps * times[0] // hour_s)), np.int64)
    for lane in range(lanes):
        if steps:
            _lane(nodes[lane], kept, times, paid[lane], hour_s)
    return paid


@compiled
def _lane(nodes: IntArray, kept: int, times: tuple[int, int, int, int], paid: IntArray, hour_s: int) -> None:
    step_s, startup_s, release_s, _ = times
    within, needed = (hour_s, nodes.size * step_s), max(kept, nodes[0])
    most = max(kept, nodes.max())
    began_s = np.full(most, LONG_AGO, np.int64)  # each node's present run
    left_s = np.full(most, LONG_AGO, np.int64)  # since when it is not needed
    for step in range(nodes.size):
        now_s, wanted = step * step_s, max(kept, nodes[step])
        left_s[wanted:needed] = now_s
        for node in range(needed, wanted):
            if now_s - left_s[node] <= startup_s + release_s:
                _pay(paid, left_s[node], now_s, within)
                continue
            _close(paid, began_s[node], left_s[node], times, within)
            began_s[node] = now_s - startup_s
            _pay(paid, began_s[node], now_s, within)
        needed = wanted
        paid[now_s // hour_s] += needed * step_s
    for node in range(needed, most):
        _close(paid, began_s[node], left_s[node], times, within)


@compiled
def _close(
    paid: IntArray, began_s: int, left_s: int, times: tuple[int, int, int, int], within: tuple[int, int]
) -> None:
    """Pay the release of a node that ran, and what is missing to the shortest time that is billed."""
    if left_s == LONG_AGO:
        return
    _, _, release_s, minimum_s = times
    hour_s, end_s = within
    _pay(paid, left_s, left_s + release_s, within)
    missing_s = minimum_s - (left_s + release_s - began_s)
    if missing_s > 0:
        paid[min(left_s, end_s - 1) // hour_s] += missing_s


@compiled
def _pay(paid: IntArray, from_s: int, until_s: int, within: tuple[int, int]) -> None:
    """Add one node from a time to another to the hours between them."""
    hour_s, end_s = within
    at_s, until_s = max(0, from_s), min(until_s, end_s)
    while at_s < until_s:
        next_s = min(until_s, (at_s // hour_s + 1) * hour_s)
        paid[at_s // hour_s] += next_s - at_s
        at_s = next_s
