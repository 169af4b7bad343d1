"""From GPU quotas to a sentence: which quota gives a lane less than it asks for, and who has the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import integers
from policies.model import UNKNOWN, Mode

if TYPE_CHECKING:
    from policies.arrays import IntArray
    from policies.gpu_room import GpuRoom
    from policies.model import Decision, Fleet, Observation


def quota_sentences(fleet: Fleet, seen: Observation, decision: Decision, lane: int) -> tuple[str, ...]:
    """Which quota gives a lane fewer replicas more than it asks for; nothing where none does."""
    shares, room = decision.gpu_shares, seen.gpu_room
    if room is None or not shares.cap.size or shares.cap[lane] == UNKNOWN:
        return ()
    cap = int(shares.cap[lane])
    namespace, _, resource = room.names[cap].partition("/")
    given = shares.given if fleet.mode[lane] == Mode.SHADOW else np.where(fleet.mode == Mode.SHADOW, 0, shares.given)
    need = _needs(room, cap, fleet.lanes)
    taken, higher = need * given, fleet.budget.priority > fleet.budget.priority[lane]
    others = int(taken.sum() - taken[lane])
    of_higher = int(taken[higher].sum())
    keep = ((of_higher, "workloads of higher priority take"), (others - of_higher, "others take"))
    why = [f"{words} {_amount(milli)}" for milli, words in keep if milli > 0]
    left = f"it leaves {_amount(int(shares.left_milli[cap]))}"
    told = ", ".join([left, *why, f"a replica takes {_amount(int(need[lane]))}"])
    more = f"{int(shares.given[lane])} of the {int(shares.asked[lane])} replicas more that are asked for"
    return (f"The quota of {resource} in namespace {namespace} gives {more}: {told}.",)


def _needs(room: GpuRoom, cap: int, lanes: int) -> IntArray:
    """What one replica of each lane takes under a cap, in thousandths, `[lane]`."""
    rows = room.cap == cap
    need = integers(lanes)
    need[room.lane[rows]] = room.need_milli[rows]
    return need


def _amount(milli: int) -> str:
    return f"{milli / 1000:g}"
