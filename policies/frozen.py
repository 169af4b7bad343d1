"""What freeze windows keep lanes from at a moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import any_by, booleans
from policies.fixed import fixed_lanes
from policies.model import Hold
from policies.schedules import is_active

if TYPE_CHECKING:
    from policies.arrays import BoolArray, IntArray
    from policies.fixed import Fixed
    from policies.model import Decision, Fleet, Observation


@dataclass(frozen=True, slots=True)
class Frozen:
    """Lanes in a freeze window now, whose count nobody has fixed, `[lane]`."""

    no_fall: BoolArray
    still: BoolArray


def frozen_at(fleet: Fleet, fixed: Fixed | None, now_s: float) -> Frozen:
    """What is frozen at `now_s` (wall time). A count that people have fixed is not."""
    table, lanes = fleet.freezes, fleet.lanes
    if not table.windows:
        return Frozen(booleans(lanes), booleans(lanes))
    active = np.array([is_active(window, now_s=now_s) for window in table.windows], np.bool_)[table.window]
    free = ~fixed_lanes(fixed, lanes)
    still = any_by(table.lane, active & table.still, lanes) & free
    return Frozen(any_by(table.lane, active & ~table.still, lanes) & free & ~still, still)


def with_frozen(seen: Observation, still: BoolArray) -> Observation:
    """`seen` where lanes whose count must stay have the hold FREEZE, if they have no other."""
    if not still.any():
        return seen
    hold = np.where(still & (seen.hold == Hold.NONE), Hold.FREEZE, seen.hold).astype(np.int8)
    return replace(seen, hold=hold)


def not_below(low: IntArray, high: IntArray, current: IntArray, frozen: Frozen) -> IntArray:
    """The smallest counts in force: in a freeze window those that there are, within the largest."""
    if not frozen.no_fall.any():
        return low
    return np.where(frozen.no_fall, np.maximum(low, np.minimum(current, high)), low)


def freeze_sentences(fleet: Fleet, decision: Decision, lane: int) -> tuple[str, ...]:
    """That a lane is in a freeze window, where it is."""
    if frozen_at(fleet, decision.fixed, decision.at_s).no_fall[lane]:
        return ("A freeze window is in force: the count may rise and is not lowered.",)
    return ()
