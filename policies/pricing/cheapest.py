"""The cheapest nodes for some replicas, among the shapes that can be had, and how far from the least possible."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import lil_array, vstack

from policies.pricing.nodes import NO_HEADROOM, Headroom, fits, placed
from policies.pricing.shapes import MILLI

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import IntArray
    from policies.pricing.shapes import NodeShape, Request

SOLVED = 1e-7  # relative exactness of the solver


@dataclass(frozen=True, slots=True)
class Packing:
    """Nodes to buy, and what stands on them. No packing costs less than `bound_micros`."""

    shapes: tuple[NodeShape, ...]  # of each node
    held: IntArray  # replicas [node, workload]
    in_headroom: IntArray  # replicas that nodes hold which are there anyway [workload]
    bound_micros: int

    @property
    def micros(self) -> int:
        """What an hour of all nodes costs, in millionths."""
        return sum(shape.micros for shape in self.shapes)

    @property
    def gap_ratio(self) -> float:
        """How much dearer it is than the bound, at most; 0.0 is proven to be the cheapest."""
        return self.micros / self.bound_micros - 1 if self.bound_micros else 0.0


def cheapest(
    counts: Sequence[int], requests: Sequence[Request], shapes: Sequence[NodeShape], headroom: Headroom = NO_HEADROOM
) -> Packing:
    """Pack replicas (`[workload]`) on the cheapest nodes that are found: free room first, then new nodes.

    Tried are each shape alone, and a greedy choice that always adds the node with the lowest price for what it takes;
    then every node becomes the cheapest that holds the same. The bound is a linear program's: shapes in parts, each
    resource by volume, and no more replicas of a workload on a node than fit alone.

    Raises ValueError when a workload that has replicas fits on no shape.
    """
    wanted = np.asarray(counts, np.int64)
    limits = np.array([[fits(request, shape) for shape in shapes] for request in requests], np.int64)
    limits = limits.reshape(len(requests), len(shapes))
    free = _in_headroom(wanted, requests, shapes, headroom)
    left = wanted - free
    for count, most, request in zip(left, limits, requests, strict=True):
        if count and not most.any():
            raise ValueError(f"no shape holds a replica of {request.workload}: add a larger one")
    prices = np.array([shape.micros for shape in shapes], np.int64)
    tried = [
        _alone(left, requests, shapes, place) for place in range(len(shapes)) if (limits[left > 0, place] > 0).all()
    ]
    tried.append(_greedy(left, requests, shapes, limits))
    best = min((_shrunk(each, requests, shapes) for each in tried), key=lambda each: prices[each[0]].sum())
    bound = _bound(wanted, requests, shapes, limits, headroom)
    return Packing(tuple(shapes[place] for place in best[0]), best[1], free, min(bound, int(prices[best[0]].sum())))


_Nodes = tuple["IntArray", "IntArray"]  # the shape of each node, and the replicas on it [node, workload]


def _in_headroom(
    wanted: IntArray, requests: Sequence[Request], shapes: Sequence[NodeShape], headroom: Headroom
) -> IntArray:
    if not headroom.cpu_milli.size:
        return np.zeros_like(wanted)
    return np.asarray(placed(wanted, requests, shapes[0], headroom=headroom, most_nodes=0).sum(axis=0), np.int64)


def _alone(left: IntArray, requests: Sequence[Request], shapes: Sequence[NodeShape], place: int) -> _Nodes:
    held = placed(left, requests, shapes[place])
    return np.full(len(held), place, np.int64), held


def _greedy(left: IntArray, requests: Sequence[Request], shapes: Sequence[NodeShape], limits: IntArray) -> _Nodes:
    """Add the node with the lowest price for what it takes, as often as the same fits again."""
    prices = np.array([shape.micros for shape in shapes], np.float64)
    with np.errstate(divide="ignore"):
        worth = np.where(limits > 0, np.maximum(prices, 1) / limits, np.inf).min(axis=1)  # of a replica at its best
    worth = np.where(np.isfinite(worth), worth, 0.0)
    places, rows = [], []
    while left.any():
        held = np.array([placed(left, requests, shape, most_nodes=1).sum(axis=0) for shape in shapes])
        takes = held @ worth
        score = np.where(takes > 0, prices / np.maximum(takes, 1e-12), np.inf)
        place = int(np.argmin(score))
        row = held[place]
        times = int((left[row > 0] // row[row > 0]).min())
        places += [place] * times
        rows += [row] * times
        left = left - times * row
    return np.array(places, np.int64), np.array(rows, np.int64).reshape(-1, left.size)


def _shrunk(nodes: _Nodes, requests: Sequence[Request], shapes: Sequence[NodeShape]) -> _Nodes:
    """Every node as the cheapest that holds the same."""
    by_price = sorted(range(len(shapes)), key=lambda place: shapes[place].micros)
    known: dict[bytes, int] = {}
    places = nodes[0].copy()
    for node, row in enumerate(nodes[1]):
        key = row.tobytes()
        if key not in known:
            known[key] = next(
                place
                for place in by_price
                if place == places[node]
                or (placed(row, requests, shapes[place], most_nodes=1).sum(axis=0) == row).all()
            )
        places[node] = known[key]
    return places, nodes[1]


def _bound(
    wanted: IntArray, requests: Sequence[Request], shapes: Sequence[NodeShape], limits: IntArray, headroom: Headroom
) -> int:
    """The least that any packing costs, in millionths: prices are whole, so that the program's optimum is rounded up.

    Columns are nodes of each shape and replicas of each workload on each shape and in the headroom.
    """
    kinds, count = len(shapes), len(requests)
    replicas = kinds + np.arange(count * (kinds + 1)).reshape(count, kinds + 1)
    room = np.array([*map(_columns_of, shapes), headroom.columns.sum(axis=0)]).reshape(kinds + 1, 4)
    asked = np.array([[_asks(each, shape) for shape in (*shapes, shapes[-1])] for each in requests])
    asked = asked.reshape(count, kinds + 1, 4)
    volume = lil_array((4 * (kinds + 1), kinds + replicas.size))
    alone = lil_array((kinds * count, volume.shape[1]))
    all_placed = lil_array((count, volume.shape[1]))
    for kind in range(kinds + 1):
        volume[4 * kind : 4 * kind + 4, replicas[:, kind]] = (asked[:, kind] / np.maximum(room[kind], 1)).T
    for kind in range(kinds):
        volume[4 * kind : 4 * kind + 4, kind] = -1.0
        for workload in range(count):
            alone[kind * count + workload, [kind, replicas[workload, kind]]] = [-limits[workload, kind], 1.0]
    for workload in range(count):
        all_placed[workload, replicas[workload]] = 1.0
    impossible = ((asked > 0) & (room == 0)).any(axis=2).reshape(-1)
    most = np.concatenate([np.full(kinds, np.inf), np.where(impossible, 0.0, np.inf)])
    solved = linprog(
        np.concatenate([[shape.micros for shape in shapes], np.zeros(replicas.size)]),
        A_ub=vstack([volume, alone]).tocsr(),
        b_ub=np.concatenate([np.zeros(4 * kinds), np.ones(4), np.zeros(alone.shape[0])]),
        A_eq=all_placed.tocsr(),
        b_eq=wanted,
        bounds=np.stack([np.zeros(most.size), most], axis=1),
        method="highs",
    )
    return math.ceil(solved.fun * (1 - SOLVED)) if solved.status == 0 else 0


def _columns_of(shape: NodeShape) -> tuple[int, int, int, int]:
    return shape.cpu_milli, shape.memory_milli, shape.pods, shape.gpus * MILLI


def _asks(request: Request, shape: NodeShape) -> tuple[int, int, int, int]:
    return request.cpu_milli, request.memory_milli, 1, shape.gpu_asked(request)
