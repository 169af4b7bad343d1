"""What a fleet's horizon layer learns and tells in one go: the work of a refit, for a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.events import spans_between
from policies.forecast.horizon import HorizonFit, refit
from policies.forecast.maximum import minutes_until_full, of_lanes
from policies.forecast.outlook import PAST_MIN
from policies.history import MINUTE_S, Window
from policies.model import signal_name
from policies.rows import demand_tracks

if TYPE_CHECKING:
    from policies.arrays import FloatArray
    from policies.events import Spans
    from policies.model import Fleet

AHEAD_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Horizon:
    """A refit, and when each lane will need more than its maximum, seen from then."""

    fit: HorizonFit
    full_in_min: FloatArray  # `[lane, level]` at maximum.LEVELS; infinite: not within a week, NaN: not known


def horizon_of(
    fleet: Fleet, window: Window, *, now_s: float, rows: tuple[str, ...], before: HorizonFit | None = None
) -> Horizon:
    """Refit the demand tracks of `fleet`, whose uids are `rows`, on `window` `[row, minute]`, and look a week ahead.

    What a lane may serve is its maximum of replicas times the declared capacity times its serving limit; where the
    capacity is not declared nothing is told of its maximum.
    """
    tracks = demand_tracks(fleet)
    lane = fleet.tracks.lane[tracks]
    events = spans_of(fleet, from_s=float(window.start_s), until_s=now_s + AHEAD_S)
    fit = refit(window, now_s=now_s, rows=rows, before=before, events=events)
    capacity = fleet.tracks.capacity_milli[tracks] / 1000.0
    room = np.where(capacity > 0, capacity * fleet.serving_limit_ratio[lane] * fleet.max_replicas[lane], np.inf)
    first = max(0, window.value.shape[1] - PAST_MIN)
    recent = Window(window.start_s + MINUTE_S * first, window.value[:, first:], window.known[:, first:])
    minutes = minutes_until_full(fit, recent, room, events)
    minutes[~np.isfinite(room)] = np.nan
    return Horizon(fit, of_lanes(minutes, lane, fleet.lanes))


def spans_of(fleet: Fleet, *, from_s: float, until_s: float) -> Spans:
    """When the fleet's demand tracks differ by declared events, by their row among the demand tracks."""
    tracks = demand_tracks(fleet)
    names = [signal_name(fleet.tracks.uid[track]) for track in tracks.tolist()]
    return spans_between(fleet.events, fleet.tracks.lane[tracks], names, from_s=from_s, until_s=until_s)
