"""While pods wait for a node, pressure asks for no more of them: it grows until they are there, whatever is ordered.

A queue over too few ready pods asks for more at each tick, up to the maximum, and each new pod waits like the others.
Demand still asks: load that needs more than was ordered is a reason of its own, also to whoever brings the nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import any_by, max_by
from policies.model import UNKNOWN, Kind

if TYPE_CHECKING:
    from policies.arrays import BoolArray, IntArray
    from policies.model import Fleet, Observation
    from policies.proposal import Proposal


def waiting_lanes(fleet: Fleet, seen: Observation) -> BoolArray:
    """Lanes of which a pod that is starting waits for a node now, `[lane]`."""
    starts = seen.starts
    return any_by(starts.lane, ~starts.finished & (starts.waited == 1), fleet.lanes)


def without_room(proposal: Proposal, fleet: Fleet, seen: Observation, proposed: IntArray, least: IntArray) -> Proposal:
    """No rise of waiting lanes beyond what demand asks for, now or ahead.

    `proposed` are the replicas that each track asks for, `[track]`; `least` what the bounds and the lead-time layer ask
    for, `[lane]`.
    Raises nothing and lowers nothing below the present count. Idempotent.
    """
    waiting = waiting_lanes(fleet, seen)
    if not waiting.any():
        return proposal
    tracks = fleet.tracks
    asks = (tracks.kind == Kind.DEMAND) & (proposed != UNKNOWN)
    demand = max_by(tracks.lane[asks], proposed[asks], fleet.lanes, empty=0)
    most = np.maximum(seen.spec_replicas, np.maximum(demand, least))
    return proposal.where(waiting, np.minimum(proposal.target, most), rule="no_room")
