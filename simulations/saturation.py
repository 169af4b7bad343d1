"""Loads of which only what was served is seen: the closed loop of a saturated workload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import booleans, small
from policies.model import Phase, Pods

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Saturation:
    """What one replica really serves at most, as a share of what it was declared to, and how many come back.

    What is not served is tried again in the next step: `retries` attempts for each request, for up to as much as the
    load itself.
    """

    most_ratio: float = np.inf
    retries: float = 0.0


class Served:
    """What is seen of lanes whose load is cut off; loads are in replicas at 100 %."""

    def __init__(self, lanes: Sequence[Saturation]) -> None:
        """Nothing was turned away yet."""
        self._most = np.array([each.most_ratio for each in lanes])
        self._retries = np.array([each.retries for each in lanes])
        self._turned_away = np.zeros(len(lanes))

    def step(self, load: FloatArray, ready: IntArray) -> FloatArray:
        """What is served, and seen, of one step's load, `[lane]`."""
        offered = load + np.minimum(self._turned_away, load) * self._retries
        served = np.minimum(offered, self._most * ready)
        self._turned_away = offered - served
        return np.asarray(served, np.float64)


def pods_of(ready: IntArray, replicas: IntArray) -> Pods:
    """The pods of all lanes: the first `ready` of `replicas` are ready, the others start."""
    lane = np.repeat(np.arange(replicas.size), replicas)
    number = np.arange(lane.size) - np.repeat(np.cumsum(replicas) - replicas, replicas)
    is_ready = (number < ready[lane]).astype(np.int8)
    hour_s = np.full(lane.size, 3600.0)
    return Pods(lane, small(lane.size, Phase.RUNNING), booleans(lane.size), is_ready, hour_s, hour_s.copy())
