"""First fit decreasing: which replicas stand on which nodes of one shape, as compiled loops.

With `d` resources, first fit takes at most d + 7/10 times the nodes of the best packing (Garey, Graham, Johnson and Yao
1976, Resource constrained scheduling as generalized bin packing), and first fit decreasing with one resource at most
11/9 times and one more (Dosa 2007). How far a packing is from a lower bound is told with each one: see `cheapest`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.compiled import compiled
from policies.pricing.shapes import MILLI
from policies.pricing.usage import NodeLife, PoolUse, Share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import IntArray
    from policies.pricing.shapes import NodeShape, Request


@dataclass(frozen=True, slots=True)
class Headroom:
    """Free room on nodes that are there and paid for anyway; every column is `[node]`."""

    cpu_milli: IntArray
    memory_milli: IntArray
    pods: IntArray
    gpus: IntArray  # whole free ones

    @property
    def columns(self) -> IntArray:
        """As packing takes it, `[node, column]`."""
        return np.stack([self.cpu_milli, self.memory_milli, self.pods, self.gpus * MILLI], axis=1).astype(np.int64)


NO_HEADROOM = Headroom(*(np.zeros(0, np.int64),) * 4)


def fits(request: Request, shape: NodeShape) -> int:
    """How many replicas of a workload alone fit on a node of this shape."""
    counts = np.array([shape.pods], np.int64)
    return int(placed(counts, [request], shape, most_nodes=1).sum())


@dataclass(frozen=True, slots=True)
class Needed:
    """Nodes that replicas need beside the headroom, and how many replicas stand on them."""

    nodes: IntArray  # [lane, step]
    replicas: IntArray  # [workload, lane, step]


def nodes_for(
    replicas: IntArray, requests: Sequence[Request], shape: NodeShape, headroom: Headroom = NO_HEADROOM
) -> Needed:
    """Pack replicas (`[workload, lane, step]`) anew at every step: into the headroom, and on nodes of one shape.

    Raises ValueError when a workload that has replicas does not fit on an empty node, or when so many workloads share
    the nodes that their counts have more than 2^63 combinations.
    """
    _check_fit(replicas.reshape(len(requests), -1).max(axis=1, initial=0), requests, shape)
    rows = replicas.reshape(len(requests), -1)
    sizes = tuple(int(most) + 1 for most in rows.max(axis=1, initial=0))
    key = np.ravel_multi_index(tuple(rows.astype(np.int64)), sizes)  # the same counts are packed once
    known, place = np.unique(key, return_inverse=True)
    distinct = np.stack(np.unravel_index(known, sizes), axis=1).astype(np.int64)
    counted = _counts(distinct, _asked(requests, shape), headroom.columns, _room(shape))
    on_them = rows - counted[place, 1:].T if headroom.cpu_milli.size else rows
    return Needed(counted[place, 0].reshape(replicas.shape[1:]), on_them.reshape(replicas.shape))


def node_pool(
    replicas: IntArray,
    requests: Sequence[Request],
    shape: NodeShape,
    life: NodeLife | None = None,
    headroom: Headroom = NO_HEADROOM,
) -> PoolUse:
    """The nodes that these workloads share, to be billed; `replicas` is `[workload, lane, step]`. Raises ValueError."""
    needed = nodes_for(replicas, requests, shape, headroom)
    shares = tuple(
        Share(request.workload, count, shape.node_ratio(request))
        for request, count in zip(requests, needed.replicas, strict=True)
    )
    return PoolUse(shape.offer, needed.nodes, life or NodeLife(), shares=shares)


def placed(
    counts: IntArray,
    requests: Sequence[Request],
    shape: NodeShape,
    *,
    headroom: Headroom = NO_HEADROOM,
    most_nodes: int | None = None,
) -> IntArray:
    """Replicas of each workload on each node, `[node, workload]`: first those of the headroom, then new ones.

    With `most_nodes` new nodes, what does not fit is left out.
    """
    new = int(counts.sum()) if most_nodes is None else most_nodes
    held, used = _pack_once(counts, _asked(requests, shape), headroom.columns, _room(shape), new)
    return held[: headroom.cpu_milli.size + used]


def _check_fit(counts: IntArray, requests: Sequence[Request], shape: NodeShape) -> None:
    for count, request in zip(counts, requests, strict=True):
        if count and not fits(request, shape):
            raise ValueError(
                f"a replica of {request.workload} ({request.cpu_milli} m of CPU, {request.memory_milli // MILLI} bytes,"
                f" {request.gpu_milli / MILLI:g} GPUs) does not fit on a node of {shape.offer}; take a larger one"
            )


def _asked(requests: Sequence[Request], shape: NodeShape) -> IntArray:
    """`[workload, column]`."""
    rows = [(each.cpu_milli, each.memory_milli, 1, shape.gpu_asked(each)) for each in requests]
    return np.array(rows, np.int64).reshape(-1, 4)


def _room(shape: NodeShape) -> IntArray:
    return np.array([shape.cpu_milli, shape.memory_milli, shape.pods, shape.gpus * MILLI], np.int64)


@compiled
def _counts(distinct: IntArray, asked: IntArray, headroom: IntArray, room: IntArray) -> IntArray:
    """For each row of replicas (`[row, workload]`) the new nodes, and then the replicas of each in the headroom."""
    rows, workloads = distinct.shape
    counted = np.zeros((rows, 1 + workloads), np.int64)
    most = headroom.shape[0] + (distinct.sum(axis=1).max() if rows else 0)
    free, gpus, held = _empty(headroom, room, most, workloads)
    for row in range(distinct.shape[0]):
        counted[row, 0] = _pack(distinct[row], asked, headroom, room, (free, gpus, held))
        for node in range(headroom.shape[0]):
            counted[row, 1:] += held[node]
    return counted


@compiled
def _pack_once(
    counts: IntArray, asked: IntArray, headroom: IntArray, room: IntArray, most: int
) -> tuple[IntArray, int]:
    """Replicas on each node, `[node, workload]`, and how many new nodes hold some."""
    free, gpus, held = _empty(headroom, room, headroom.shape[0] + most, counts.size)
    used = _pack(counts, asked, headroom, room, (free, gpus, held))
    return held, used


@compiled
def _empty(headroom: IntArray, room: IntArray, most: int, workloads: int) -> tuple[IntArray, IntArray, IntArray]:
    """Room for the state of nodes: free `[node, column]`, their GPUs `[node, gpu]`, replicas `[node, workload]`."""
    devices = max(room[3], headroom[:, 3].max() if headroom.shape[0] else 0) // MILLI
    shape = (most, devices)
    return np.zeros((most, 3), np.int64), np.zeros(shape, np.int64), np.zeros((most, workloads), np.int64)


@compiled
def _pack(
    counts: IntArray, asked: IntArray, headroom: IntArray, room: IntArray, nodes: tuple[IntArray, IntArray, IntArray]
) -> int:
    """Fill `nodes`, the headroom first; new ones are opened while there is space for them. Say how many were."""
    free, gpus, held = nodes
    old, opened = headroom.shape[0], 0
    for node in range(old):
        _open(free, gpus, held, node, headroom[node])
    for workload in _decreasing(asked, room):
        left, node = counts[workload], 0
        while left > 0 and node < len(free):
            if node == old + opened:
                _open(free, gpus, held, node, room)
            taken = _fill(free[node], gpus[node], asked[workload], left)
            if node == old + opened:
                if taken == 0:
                    break
                opened += 1
            held[node, workload] = taken
            left -= taken
            node += 1
    return opened


@compiled
def _open(free: IntArray, gpus: IntArray, held: IntArray, node: int, room: IntArray) -> None:
    free[node] = room[:3]
    gpus[node] = 0
    gpus[node, : room[3] // MILLI] = MILLI
    held[node] = 0


@compiled
def _decreasing(asked: IntArray, room: IntArray) -> IntArray:
    """Workloads by the largest share of a node that a replica asks for, the largest first; ties as they stand."""
    size = np.zeros(asked.shape[0])
    for workload in range(asked.shape[0]):
        for column in range(4):
            size[workload] = max(size[workload], asked[workload, column] / max(room[column], 1))
    return np.argsort(-size, kind="mergesort")


@compiled
def _fill(free: IntArray, gpus: IntArray, asked: IntArray, most: int) -> int:
    """Put as many replicas on a node as there are and as fit; say how many."""
    for column in range(3):
        if asked[column] > 0:
            most = min(most, free[column] // asked[column])
    taken = most if asked[3] == 0 else _take_gpus(gpus, asked[3], most)
    for column in range(3):
        free[column] -= taken * asked[column]
    return taken


@compiled
def _take_gpus(gpus: IntArray, asked: int, most: int) -> int:
    """Give replicas their GPUs: parts of one GPU each, or whole free ones. Say how many got theirs."""
    taken = 0
    if asked < MILLI:
        for gpu in range(gpus.size):
            count = min(most - taken, gpus[gpu] // asked)
            gpus[gpu] -= count * asked
            taken += count
        return taken
    whole = asked // MILLI
    free = 0
    for gpu in range(gpus.size):
        free += gpus[gpu] == MILLI
    taken = min(most, free // whole)
    left = taken * whole
    for gpu in range(gpus.size):
        if left > 0 and gpus[gpu] == MILLI:
            gpus[gpu] = 0
            left -= 1
    return taken
