"""The autoscaler in place, in shadow: Kubernetes' rule at its own target, tolerance and window, run once a step.

Coarser than `hpa.loop`, which runs every sync period: it stands in the tournament beside the other candidates, which
order once a step as well. Kubernetes' default rates bind it: twice as many or 4 more every 15 s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from policies.arrays import FloatArray, IntArray, integers
from policies.compiled import compiled

CountArray = NDArray[np.int32]

LONGEST_WINDOW = 120  # steps
_NOISE = 1e-9


class Settings(NamedTuple):
    """What the autoscaler in place is told, `[lane]`."""

    target: FloatArray  # load of one replica that it aims at, in replicas at the serving limit
    tolerance_ratio: FloatArray
    window: IntArray  # steps of its stabilisation window of falls
    low: IntArray
    high: IntArray


@dataclass(frozen=True, slots=True)
class Incumbent:
    """What it remembers."""

    wanted: CountArray  # recommendations, newest first [lane, step]
    order: IntArray  # [lane]
    steps: IntArray  # [lane]

    @classmethod
    def empty(cls, lanes: int) -> Incumbent:
        """No step yet."""
        return cls(np.zeros((lanes, LONGEST_WINDOW + 1), np.int32), integers(lanes), integers(lanes))

    def copied(self) -> Incumbent:
        """Arrays of its own, to be written to."""
        return Incumbent(self.wanted.copy(), self.order.copy(), self.steps.copy())


def orders_of(incumbent: Incumbent, demand: FloatArray, usable: IntArray, settings: Settings) -> IntArray:
    """What it orders at each step, `[lane, step]`; `incumbent` is written in place.

    `demand` is in replicas at the serving limit; where `usable` is 0 it stays.
    """
    orders = np.zeros(demand.shape, np.int64)
    _orders((incumbent.wanted, incumbent.order, incumbent.steps), (demand, usable), settings, orders)
    return orders


@compiled
def _orders(
    state: tuple[CountArray, IntArray, IntArray],
    seen: tuple[FloatArray, IntArray],
    settings: Settings,
    orders: IntArray,
) -> None:
    wanted_before, order, steps = state
    demand, usable = seen
    for lane in range(orders.shape[0]):
        target, tolerance = settings.target[lane], settings.tolerance_ratio[lane]
        ring = wanted_before[lane]
        for step in range(orders.shape[1]):
            before, n = order[lane], steps[lane]
            wanted = before
            ratio = demand[lane, step] / (target * max(before, 1))
            if usable[lane, step] > 0 and (n == 0 or abs(ratio - 1.0) > tolerance + _NOISE):
                wanted = int(min(math.ceil(demand[lane, step] / target - _NOISE), 1 << 30))
            for back in range(ring.size - 1, 0, -1):
                ring[back] = ring[back - 1]
            ring[0] = wanted
            steady = wanted
            if wanted > before > 0:
                steady = min(wanted, max(4 * before, before + 8))
            elif wanted < before:
                for back in range(min(settings.window[lane], ring.size - 1) + 1):
                    steady = max(steady, ring[back])
                steady = min(steady, before)
            order[lane] = min(max(steady, settings.low[lane]), settings.high[lane])
            steps[lane] = n + 1
            orders[lane, step] = order[lane]
