"""How late workloads really are, where a signal of kind `late` tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import any_by, floats
from policies.model import Kind, Status

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray
    from policies.model import Fleet, Readings, Tracks

PER_MILLE = 1000.0
"""A late track's reading is in requests per thousand, so that its `value_milli` are millionths of them.

Readings are kept in thousandths, rounded up; a share of 0.0002 would come out as 0.001.
"""


def realised(fleet: Fleet, readings: Readings) -> tuple[FloatArray, BoolArray]:
    """The share of requests that are late or fail now, and whether that is known, `[lane]`.

    The largest of a lane's late signals that are fresh; 0 where none is.
    """
    tracks, lanes = fleet.tracks, fleet.lanes
    told = (tracks.kind == Kind.LATE) & (readings.status == Status.FRESH)
    late = floats(lanes)
    np.maximum.at(late, tracks.lane[told], readings.value_milli[told] / (1000.0 * PER_MILLE))
    return late, any_by(tracks.lane, told, lanes)


def base_value(tracks: Tracks, readings: Readings, track: int) -> float:
    """A track's value in the unit of its query: that of a late one as a share from 0 to 1."""
    value = float(readings.value_milli[track]) / 1000.0
    return value / PER_MILLE if tracks.kind[track] == Kind.LATE else value
