"""What the lead-time layer would have learned, had it watched: its steps over the recorded past of some lanes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import floats, integers
from policies.contest import Came
from policies.forecast.nearby import STEP_S
from policies.history import MINUTE_S
from policies.hpa.behavior import Bounds
from policies.lead_time import KNOWN, NOTHING, LeadTime, Learned, bound_of, decided, log_demand, past_around
from policies.model import UNKNOWN
from policies.rows import demand_tracks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from policies.arrays import FloatArray
    from policies.history import Window
    from policies.model import Fleet

DAYS = 7.0  # that are gone through; a week before them is looked back at
BLOCK_MIN = 60
_STEPS_A_MINUTE = round(MINUTE_S / STEP_S)


def learned_of(fleet: Fleet, past: Window, serving: FloatArray, startup_s: FloatArray) -> Learned:
    """What the layer makes of the last week of `past` `[row, minute]`, the demand of all lanes of `fleet`.

    `serving` is what one replica serves in time, `[row]`, and `startup_s` the start-up time to plan with, `[lane]`.
    Each minute is two steps, seen one step later. Schedules are left out: the bounds are those of the policy. A lane
    that has no known minute learns nothing.
    """
    lane, lanes = fleet.tracks.lane[demand_tracks(fleet)], fleet.lanes
    level = log_demand(past, serving, lane, lanes)
    bounds, lag = Bounds(fleet.min_replicas, fleet.max_replicas), integers(lanes, 1)
    bound, lead = bound_of(fleet, startup_s, lag, bounds), LeadTime.empty(lanes)
    known = ~np.isnan(level)
    first = max(level.shape[1] - round(DAYS * 86_400 / MINUTE_S), int(known.any(axis=0).argmax()))
    first_min = past.start_s // MINUTE_S

    def window(start_min: int, end_min: int) -> NDArray[np.float32]:
        cut = np.full((lanes, end_min - start_min), np.nan, np.float32)
        low, high = (min(max(each - first_min, 0), level.shape[1]) for each in (start_min, end_min))
        into = low + first_min - start_min
        cut[:, into : into + high - low] = level[:, low:high]
        return cut

    for begin in range(first, level.shape[1] if known.any() else first, BLOCK_MIN):
        minutes = slice(begin, min(begin + BLOCK_MIN, level.shape[1]))
        demand = np.where(known[:, minutes], np.exp(level[:, minutes]) - 0.5, 0.0).repeat(_STEPS_A_MINUTE, axis=1)
        usable = np.where(known[:, minutes], KNOWN, NOTHING).astype(np.int64).repeat(_STEPS_A_MINUTE, axis=1)
        nobody = np.full(demand.shape, float(UNKNOWN))
        step = (first_min + begin) * _STEPS_A_MINUTE + 1
        around = past_around(window, step, demand.shape[1], bound.lead)
        decided(lead, around, Came(np.maximum(demand, 0.0), usable, nobody, nobody), bound, step)
    return Learned(fleet.uid, replace(lead, lag=lag, ready=floats(lanes, UNKNOWN)))
