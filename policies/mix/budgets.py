"""Budgets of money and GPUs for workloads, namespaces and the fleet: who gives up how many replicas, and to which cap.

Floors come first. Then priorities from the highest down, as Kubernetes' PriorityClass has it: while a higher one wants
more that would fit, lower ones keep no more than their floors. Within a priority, the replicas kept are worth most: a
bounded knapsack with several caps (Kellerer, Pferschy and Pisinger 2004, Knapsack Problems), solved exactly for small
fleets. For large ones caps are priced by the linear relaxation: its whole part, filled up by value over priced need.
The relaxation is also the bound that is stated; a vertex of it splits no more lanes than there are caps, so what is
lost is less than one replica's value for each cap of a namespace or of the fleet.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray, SmallArray

EXACT_LANES = 100  # of one priority, up to which the knapsack is solved exactly: within a second
_NODES = 20_000  # of the search tree, after which the best found so far is taken, with its bound
_MANY = 1e9  # replicas that fit where a replica needs nothing
SAME = 1e-6  # caps hold to a millionth of a dollar or GPU, which is the solver's own tolerance


class Resource(IntEnum):
    """What a budget counts: the columns of `[.., resource]`."""

    USD_PER_HOUR = 0
    GPUS = 1


class Scope(IntEnum):
    """Whose cap it is."""

    NONE = 0
    WORKLOAD = 1
    NAMESPACE = 2
    FLEET = 3


@dataclass(frozen=True, slots=True)
class Asks:
    """What each workload asks for. Replicas between floor and wanted are given up where caps demand it."""

    floor: IntArray  # [lane]
    wanted: IntArray  # at least the floor, [lane]
    need: FloatArray  # of one replica, 0 or more, [lane, resource]
    priority: IntArray  # higher goes first, [lane]
    value: FloatArray  # of one replica beside others of its priority, above 0, [lane]
    namespace: IntArray  # row of its caps, [lane]


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that may be used; infinity where nothing is capped."""

    workload: FloatArray  # [lane, resource]
    namespace: FloatArray  # [namespace, resource]
    fleet: FloatArray  # [resource]


@dataclass(frozen=True, slots=True)
class Unkept:
    """A cap that floors alone break: of which lane or namespace (row; 0 for the fleet), by how much."""

    scope: Scope
    row: int
    resource: Resource
    floors: float
    cap: float


@dataclass(frozen=True, slots=True)
class Shares:
    """Replicas that each workload keeps, whose cap made it give up the rest, and how good that is."""

    replicas: IntArray  # [lane]
    scope: SmallArray  # of the first cap that has no room for one more; NONE where all that is wanted is kept, [lane]
    resource: SmallArray  # of that cap, [lane]
    priorities: IntArray  # from the highest down, [priority]
    value: FloatArray  # of replicas kept above floors, [priority]
    bound: FloatArray  # no plan's value is above it, given what higher priorities keep, [priority]
    unkept: tuple[Unkept, ...]


def share(asks: Asks, caps: Caps, *, exact_lanes: int = EXACT_LANES) -> Shares:
    """Replicas that keep floors and caps; what needs a cap that floors alone break gets its floor and no more."""
    own = asks.floor[:, np.newaxis] * asks.need
    rows, cap = _shared_caps(asks, caps)
    floors = rows @ asks.floor
    room = np.maximum(0.0, cap - floors)
    most = np.minimum(asks.wanted - asks.floor, _fitting(caps.workload - own, asks.need))
    extra = np.zeros_like(asks.floor)
    priorities = np.unique(asks.priority)[::-1]
    value, bound = np.zeros(priorities.size), np.zeros(priorities.size)
    for place, priority in enumerate(priorities):
        lane = np.flatnonzero((asks.priority == priority) & (most > 0))
        if lane.size:
            problem = _Knapsack(asks.value[lane], most[lane], rows[:, lane].tocsc(), room)
            extra[lane], bound[place] = problem.exact() if lane.size <= exact_lanes else problem.rounded()
            value[place] = float(asks.value[lane] @ extra[lane])
            room = np.maximum(0.0, room - rows[:, lane] @ extra[lane])
    replicas = asks.floor + extra
    scope, resource = _limits(asks, caps, replicas, room)
    unkept = _unkept(caps, own, floors)
    return Shares(replicas, scope, resource, priorities, value, np.maximum(value, bound), unkept)


def _shared_caps(asks: Asks, caps: Caps) -> tuple[sparse.csc_array, FloatArray]:
    """What a replica of each lane needs of each shared cap, `[cap, lane]`; the caps: namespaces' first, money first."""
    lanes, names = asks.floor.size, caps.namespace.shape[0]
    lane = np.arange(lanes)
    fleet = np.full(lanes, 2 * names)
    row = np.concatenate([asks.namespace, names + asks.namespace, fleet, fleet + 1])
    need = np.tile(asks.need.T.ravel(), 2)
    rows = sparse.csc_array((need, (row, np.tile(lane, 4))), shape=(2 * names + 2, lanes))
    return rows, np.concatenate([caps.namespace.T.ravel(), caps.fleet])


def _fitting(room: FloatArray, need: FloatArray) -> IntArray:
    """How many replicas of each lane fit into its own room, `[lane]`."""
    each = np.divide(np.maximum(0.0, room) + SAME, need, out=np.full(need.shape, np.inf), where=need > 0)
    fitting: IntArray = np.minimum(each.min(axis=1), _MANY).astype(np.int64)
    return fitting


@dataclass(frozen=True, slots=True)
class _Knapsack:
    """Lanes of one priority: what a replica is worth, how many more there may be, what one needs of each cap."""

    value: FloatArray
    most: IntArray
    rows: sparse.csc_array  # [cap, lane]
    room: FloatArray

    def exact(self) -> tuple[IntArray, float]:
        """The replicas worth most, and their value (or, where the search was cut, what bounds it), by HiGHS."""
        limits = LinearConstraint(self.rows, -np.inf, self.room)
        options = {"mip_rel_gap": 0.0, "node_limit": _NODES}
        found = milp(-self.value, integrality=1, bounds=Bounds(0, self.most), constraints=limits, options=options)
        if found.x is None:
            return self.rounded()
        bound = -found.fun if found.mip_dual_bound is None else -found.mip_dual_bound
        return self._filled(np.round(found.x).astype(np.int64), self.value), float(bound)

    def rounded(self) -> tuple[IntArray, float]:
        """The whole part of the linear relaxation, filled up by value over priced need; and the relaxation's value."""
        capped = np.flatnonzero(np.isfinite(self.room))
        limits = np.column_stack([np.zeros(self.most.size), self.most])
        found = linprog(-self.value, self.rows[capped], self.room[capped], bounds=limits, method="highs-ds")
        whole = np.floor(found.x + SAME).astype(np.int64)
        priced = -(self.rows[capped].T @ found.ineqlin.marginals)
        return self._filled(whole, self.value / np.maximum(priced, SAME)), float(-found.fun)

    def _filled(self, kept: IntArray, merit: FloatArray) -> IntArray:
        """As many more replicas as still fit, the lanes of most merit first."""
        kept = kept.copy()
        left = self.room - self.rows @ kept
        for lane in np.argsort(-merit, kind="stable"):
            if kept[lane] < self.most[lane]:
                part = slice(self.rows.indptr[lane], self.rows.indptr[lane + 1])
                cap, need = self.rows.indices[part], self.rows.data[part]
                fits = _fitting(left[np.newaxis, cap], need[np.newaxis])[0]
                more = min(int(fits), int(self.most[lane] - kept[lane]))
                kept[lane] += more
                left[cap] -= more * need
        return kept


def _limits(asks: Asks, caps: Caps, replicas: IntArray, room: FloatArray) -> tuple[SmallArray, SmallArray]:
    """Whose cap, and of what, has no room for one more replica of each lane that gives some up, `[lane]`."""
    names = caps.namespace.shape[0]
    own = caps.workload - replicas[:, np.newaxis] * asks.need
    namespaces = room[: 2 * names].reshape(2, names).T[asks.namespace]
    rooms = np.stack([own, namespaces, np.broadcast_to(room[2 * names :], own.shape)], axis=1)
    lacks = (rooms < asks.need[:, np.newaxis] - SAME).reshape(replicas.size, -1)  # [lane, scope x resource]
    first = np.argmax(lacks, axis=1)
    stopped = (replicas < asks.wanted) & lacks.any(axis=1)
    scope = np.where(stopped, Scope.WORKLOAD + first // len(Resource), Scope.NONE).astype(np.int8)
    return scope, (first % len(Resource)).astype(np.int8)


def _unkept(caps: Caps, own: FloatArray, shared: FloatArray) -> tuple[Unkept, ...]:
    """Caps below what floors need: `own` is `[lane, resource]`, `shared` as `_shared_caps` has its rows."""
    names = caps.namespace.shape[0]
    tables = (
        (Scope.WORKLOAD, own, caps.workload),
        (Scope.NAMESPACE, shared[: 2 * names].reshape(2, names).T, caps.namespace),
        (Scope.FLEET, shared[np.newaxis, 2 * names :], caps.fleet[np.newaxis]),
    )
    return tuple(
        Unkept(scope, int(row), Resource(resource), float(floors[row, resource]), float(cap[row, resource]))
        for scope, floors, cap in tables
        for row, resource in np.argwhere(floors > cap + SAME)
    )
