"""The rows that history and models have: the demand tracks of a fleet, in its order."""

from __future__ import annotations

from functools import lru_cache
from itertools import compress
from typing import TYPE_CHECKING

from policies.arrays import indices
from policies.model import Kind

if TYPE_CHECKING:
    from policies.arrays import IntArray
    from policies.model import Fleet


def demand_rows(fleet: Fleet) -> tuple[str, ...]:
    """The uids of the demand tracks, in order; the same object for the same fleet, so that comparing is quick."""
    demand = fleet.tracks.kind == Kind.DEMAND
    return fleet.tracks.uid if demand.all() else _chosen(fleet.tracks.uid, demand.tobytes())


@lru_cache(maxsize=4)
def _chosen(uid: tuple[str, ...], rows: bytes) -> tuple[str, ...]:
    return tuple(compress(uid, rows))


def demand_tracks(fleet: Fleet) -> IntArray:
    """The tracks that history, fits and forecasts have rows for, `[row]`."""
    return indices(fleet.tracks.kind == Kind.DEMAND)
