"""An engine state as bytes and back: a small core, and hours of history that are stored once each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.behaviors import Behavior
from policies.budget_terms import BudgetTerms, StepLimits
from policies.consolidation import Tried
from policies.contradiction import Doubt
from policies.events import EventTable
from policies.fixed import Fixed
from policies.forecast.nearby import Near
from policies.forecast.recursive import Models
from policies.gpu_room import GpuRoom
from policies.history import Backfill, Block, History
from policies.incumbent import Incumbent
from policies.lead_time import LeadTime, Learned
from policies.log import Log
from policies.mass_drop import Drops
from policies.mix.model import LaneMemory, MixState, PoolMemory
from policies.model import Fleet, Observation
from policies.packing import pack, unpack
from policies.placed import SplitState
from policies.places import Places, SpotTerms, Zones
from policies.schedules import FreezeTable, ScheduleTable, Window
from policies.startup import StartTimes
from policies.state import VERSION, EngineState, Removals
from policies.tournament import Scores

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES = (
    *(Backfill, Behavior, Block, BudgetTerms, EventTable, History, Log, Removals, ScheduleTable, StartTimes, Window),
    *(Doubt, Drops, Fixed, FreezeTable, GpuRoom, Incumbent, Learned, LeadTime, Models, Near, Scores, Tried),
    *(LaneMemory, MixState, Places, PoolMemory, SplitState, SpotTerms, StepLimits, Zones),
)
OPEN_HOURS = 2  # the newest hours still take readings, so they travel with the core


@dataclass(frozen=True, slots=True)
class Hour:
    """A closed hour and the demand tracks that its rows belong to."""

    rows: tuple[str, ...]
    block: Block


def snapshot_of(state: EngineState) -> tuple[bytes, dict[int, bytes]]:
    """The core, and the closed hours by their start in wall seconds."""
    closed = state.history.hours[:-OPEN_HOURS]
    return core_of(state), {block.start_s: pack(Hour(state.rows, block)) for block in closed}


def core_of(state: EngineState) -> bytes:
    """The core alone: all but the closed hours."""
    return pack(replace(state, history=replace(state.history, hours=state.history.hours[-OPEN_HOURS:])))


def state_from(core: bytes, hours: Mapping[int, bytes]) -> EngineState:
    """The state that `snapshot_of` packed.

    Raises ValueError when the bytes are damaged or come from a version that is not known.
    """
    state = unpack(EngineState, core, types=_TYPES)
    if state.version != VERSION:
        raise ValueError(f"the snapshot has version {state.version} and this program reads version {VERSION}")
    blocks = dict(state.history.blocks)
    for start_s, packed in hours.items():
        if start_s not in blocks:
            blocks[start_s] = _aligned(unpack(Hour, packed, types=_TYPES), state.rows)
    return replace(state, history=History.of_blocks(len(state.rows), blocks))


def core_again(core: bytes) -> bytes:
    """A core as this program would pack it: what an older one did not know is at its default.

    Raises ValueError when the bytes are damaged.
    """
    return pack(unpack(EngineState, core, types=_TYPES))


def observation_from(data: bytes) -> Observation:
    """The observation that was packed. Raises ValueError when the bytes are damaged."""
    return unpack(Observation, data, types=_TYPES)


def fleet_from(data: bytes) -> Fleet:
    """The fleet that was packed. Raises ValueError when the bytes are damaged."""
    return unpack(Fleet, data, types=_TYPES)


def _aligned(hour: Hour, rows: tuple[str, ...]) -> Block:
    if hour.rows == rows:
        return hour.block
    place = {uid: index for index, uid in enumerate(hour.rows)}
    return hour.block.aligned(np.array([place.get(uid, -1) for uid in rows], np.int64))
