"""The GPU quotas of namespaces on the way up: what they leave is shared by priority, and nobody's replicas are lowered.

A ResourceQuota stops pods at their creation, first come, first served. Here the workload of the highest priority has
what is left first; within one priority the next replica goes to the workload that has the smallest share of what it
asks for. What others use, pods outside Foresail among them, the quota itself has counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import booleans, indices, integers
from policies.guardrails import holds_of
from policies.model import UNKNOWN, Hold, Mode, Phase

if TYPE_CHECKING:
    from policies.arrays import BoolArray, IntArray
    from policies.gpu_room import GpuRoom
    from policies.model import Fleet, Observation
    from policies.proposal import Proposal


@dataclass(frozen=True, slots=True)
class GpuShares:
    """Replicas more that lanes asked for and were given, `[lane]`; all empty where no quota counts GPUs."""

    asked: IntArray
    given: IntArray
    cap: IntArray  # row of the quotas' caps that left less than was asked for, or UNKNOWN
    left_milli: IntArray  # GPUs under each cap that were to be shared, in thousandths [cap]

    @classmethod
    def none(cls) -> GpuShares:
        """No quota counts GPUs."""
        return cls(integers(0), integers(0), integers(0), integers(0))

    @property
    def withheld(self) -> IntArray:
        """Replicas that were asked for and not given, `[lane]`."""
        return self.asked - self.given


def within_gpu_quota(proposal: Proposal, fleet: Fleet, seen: Observation) -> tuple[Proposal, GpuShares]:
    """`proposal` with its rises within what quotas leave of GPUs, and how that was shared.

    `seen` has the totals of placed lanes. Held lanes ask for nothing. Shadow lanes take nothing from others; they
    themselves are told what they would have if all shadow were active. Never below what is there or was proposed;
    lanes do not decide the same alone as in a fleet here, where a namespace has such a quota.
    """
    room = seen.gpu_room
    if room is None or not room.lane.size:
        return proposal, GpuShares.none()
    current, held = np.maximum(seen.spec_replicas, 0), holds_of(fleet, seen.hold) != Hold.NONE
    asked = np.where(held, 0, np.maximum(proposal.target - current, 0))
    left = _left(room, seen, current)
    shares = _shared(room, left, _Asking(asked, current, fleet.budget.priority))
    shadow = fleet.mode == Mode.SHADOW
    if shadow.any() and not (shadow | held).all():
        acting = _shared(room, left, _Asking(np.where(shadow, 0, asked), current, fleet.budget.priority))
        given, cap = (np.where(shadow, *pair) for pair in ((shares.given, acting.given), (shares.cap, acting.cap)))
        shares = GpuShares(asked, given, cap, left)
    return proposal.where(shares.withheld > 0, current + shares.given, rule="gpu_quota"), shares


def _left(room: GpuRoom, seen: Observation, current: IntArray) -> IntArray:
    """What is left under each cap once pods that are wanted and not there yet have taken theirs, `[cap]`."""
    living = (seen.pods.phase == Phase.PENDING) | (seen.pods.phase == Phase.RUNNING)
    pods = np.bincount(seen.pods.lane[living], minlength=current.size)[: current.size]
    coming = np.maximum(current * seen.pods_per_replica - pods, 0)[room.lane]
    promised = integers(room.left_milli.size)
    np.add.at(promised, room.cap, room.need_milli * coming // np.maximum(seen.pods_per_replica[room.lane], 1))
    left: IntArray = np.maximum(room.left_milli - promised, 0)
    return left


@dataclass(frozen=True, slots=True)
class _Asking:
    """What lanes ask for, `[lane]`."""

    asked: IntArray
    current: IntArray
    priority: IntArray


def _shared(room: GpuRoom, left: IntArray, asking: _Asking) -> GpuShares:
    """Lanes under caps that suffice are given all; the others get one replica at a time until nothing more fits."""
    asked = asking.asked
    use = integers(left.size)
    np.add.at(use, room.cap, asked[room.lane] * room.need_milli)
    scarce = (use > left)[room.cap]
    given, cap = asked.copy(), integers(asked.size, UNKNOWN)
    lanes = np.unique(room.lane[scarce & (asked[room.lane] > 0)])
    given[lanes] = 0
    _give(given, cap, (_needs(room, scarce, lanes), left.copy()), asking)
    return GpuShares(asked, given, cap, left)


def _needs(room: GpuRoom, scarce: BoolArray, lanes: IntArray) -> dict[int, tuple[IntArray, IntArray]]:
    """By lane, the scarce caps that it is under and what a replica takes of each."""
    chosen = booleans(int(room.lane.max(initial=0)) + 1)
    chosen[lanes] = True
    rows = indices(scarce & chosen[room.lane])
    first = np.searchsorted(room.lane[rows], lanes)
    parts = np.split(rows, first[1:]) if lanes.size else []
    return {int(lane): (room.cap[of], room.need_milli[of]) for lane, of in zip(lanes, parts, strict=True)}


def _give(
    given: IntArray, cap: IntArray, under: tuple[dict[int, tuple[IntArray, IntArray]], IntArray], asking: _Asking
) -> None:
    """Give out what is left, in place; of a lane that gets no more, name the cap that stopped it."""
    needs, left = under

    def turn(lane: int) -> tuple[int, float, int]:
        had = asking.current[lane] + given[lane]
        return -int(asking.priority[lane]), float(had / (asking.current[lane] + asking.asked[lane])), lane

    queue = [turn(lane) for lane in needs]
    heapify(queue)
    while queue:
        lane = heappop(queue)[-1]
        caps, need = needs[lane]
        lacks = left[caps] < need
        if lacks.any():
            cap[lane] = caps[int(np.argmax(lacks))]
            continue
        left[caps] -= need
        given[lane] += 1
        if given[lane] < asking.asked[lane]:
            heappush(queue, turn(lane))
