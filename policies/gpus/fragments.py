"""Free GPUs that replicas cannot use, and what moving pods together would free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.pricing.nodes import Headroom, placed
from policies.pricing.shapes import MILLI

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from policies.arrays import BoolArray, IntArray
    from policies.pricing.shapes import NodeShape, Request


@dataclass(frozen=True, slots=True)
class Fragments:
    """What of the free devices of some nodes replicas of some sizes can use, each size alone, `[node, size]`."""

    free: IntArray  # devices [node]
    by_count: IntArray  # replicas that fit by the number of devices alone
    fitting: IntArray  # replicas that fit by CPU, memory and pods as well
    asked: IntArray  # devices of a replica [size]

    @property
    def together(self) -> IntArray:
        """Replicas that would fit if all free devices were on one node, `[size]`."""
        most: IntArray = self.free.sum() // self.asked
        return most

    @property
    def stranded(self) -> IntArray:
        """Free devices that no size can use, for want of CPU, memory or pods beside them, `[node]`."""
        by_count = (self.by_count * self.asked).max(axis=1, initial=0)
        usable = (self.fitting * self.asked).max(axis=1, initial=0)
        lost: IntArray = by_count - usable
        return lost


def fragments(free: Headroom, sizes: Sequence[Request]) -> Fragments:
    """Which replicas fit into free room; every size must ask for whole devices."""
    asked = np.array([max(1, each.gpu_milli // MILLI) for each in sizes], np.int64)
    by_count = free.gpus[:, np.newaxis] // asked
    fitting = by_count.copy()
    for column, amounts in (
        (free.cpu_milli, [each.cpu_milli for each in sizes]),
        (free.memory_milli, [each.memory_milli for each in sizes]),
        (free.pods, [1] * len(sizes)),
    ):
        needs = np.array(amounts, np.int64)
        most = np.maximum(column, 0)[:, np.newaxis] // np.maximum(needs, 1)
        fitting = np.where(needs > 0, np.minimum(fitting, most), fitting)
    return Fragments(free.gpus, by_count, fitting, asked)


@dataclass(frozen=True, slots=True)
class Standing:
    """Nodes of one kind, the free room on them, and what stands there and could stand elsewhere."""

    shape: NodeShape
    free: Headroom
    pods: tuple[Counter[Request], ...]  # that may be moved, of each node
    fixed: BoolArray  # something on it may not be moved, or more than one kind of device is in use [node]


@dataclass(frozen=True, slots=True)
class Emptied:
    """What moving pods together comes to."""

    nodes: tuple[int, ...]  # emptied, in order
    moved: int  # pods
    free: Headroom  # afterwards, emptied nodes with all their room


def emptied(standing: Standing) -> Emptied:
    """Empty nodes by moving their pods into the free room of others, those with the fewest devices in use first.

    First fit decreasing into the free room (`policies.pricing.nodes`); a node is emptied when all its pods fit. Nodes
    without pods are left as they are: they are free already. Affinity, spread, volumes and disruption budgets are not
    looked at, so that it is the most that can be hoped for from moves of this kind.
    """
    free, gone, moved = standing.free, [], 0
    pods = [each.copy() for each in standing.pods]
    used = np.array([sum(each.gpu_milli * count for each, count in of.items()) for of in pods], np.int64)
    left = {node for node, of in enumerate(pods) if of}
    for node in np.argsort(used, kind="stable").tolist():
        if node not in left or standing.fixed[node]:
            continue
        others = np.array(sorted(left - {node}), np.int64)
        requests = list(pods[node])
        counts = np.array([pods[node][each] for each in requests], np.int64)
        held = _held(counts, requests, standing.shape, _at(free, others))
        if (held.sum(axis=0) == counts).all():
            free, left = _moved(free, (node, others), held, requests), left - {node}
            gone.append(node)
            moved += int(counts.sum())
            for row, place in np.argwhere(held).tolist():
                pods[others[row]][requests[place]] += int(held[row, place])
    return Emptied(tuple(gone), moved, free)


def _held(counts: IntArray, requests: Sequence[Request], shape: NodeShape, room: Headroom) -> IntArray:
    """Replicas of each request on each node of the room, `[node, request]`."""
    return placed(counts, requests, shape, headroom=room, most_nodes=0)


def _at(free: Headroom, nodes: IntArray) -> Headroom:
    return Headroom(*(column[nodes] for column in (free.cpu_milli, free.memory_milli, free.pods, free.gpus)))


def _moved(free: Headroom, between: tuple[int, IntArray], held: IntArray, requests: Sequence[Request]) -> Headroom:
    """The free room once what stood on one node stands on others."""
    node, others = between
    asks = np.array([(each.cpu_milli, each.memory_milli, 1, each.gpu_milli // MILLI) for each in requests], np.int64)
    columns = np.stack([free.cpu_milli, free.memory_milli, free.pods, free.gpus], axis=1)
    columns[others] -= held @ asks
    columns[node] += held.sum(axis=0) @ asks
    return Headroom(*columns.T)
