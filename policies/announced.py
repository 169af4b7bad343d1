"""Announced events: declared load finds its replicas there when it begins, though no signal shows it yet.

From one start-up before an event until the load itself shows it, the usual load with what was declared is a floor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.arrays import any_by, booleans, floats, indices, integers
from policies.candidates import written_limits
from policies.events import ONCE, spans_between
from policies.forecast.declared import without_events
from policies.forecast.nearby import STEP_S
from policies.history import MINUTE_S
from policies.hpa.behavior import INT32_MAX, Moment, Moves
from policies.lead_time import serving_per_replica
from policies.model import UNKNOWN, signal_name
from policies.rows import demand_tracks
from policies.schedules import begun_between
from policies.startup import Given

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.events import EventTable, Spans
    from policies.history import Window
    from policies.hpa.behavior import Bounds
    from policies.model import Fleet, Observation
    from policies.proposal import Proposal
    from policies.startup import StartTimes
    from policies.state import EngineState

SHOWN_S = 600.0  # after so long the load shows the event itself, and the other rules follow it
BEFORE_MIN = 10  # minutes before an event in which its usual load is looked for ...
NEWEST = 5  # ... as the largest of so many known ones
_PAST_S = SHOWN_S + MINUTE_S * (BEFORE_MIN + 1)
_ROUNDING_RATIO = 1e-6  # history keeps float32: a need so little above a whole number of replicas is that number


@dataclass(frozen=True, slots=True)
class Announced:
    """The events that are near, one row each, sorted by lane."""

    lane: IntArray
    name: tuple[str, ...]
    begins_s: FloatArray  # wall time
    replicas: IntArray  # that its lane needs for all that is near; UNKNOWN where no usual load is known
    floor: IntArray  # the part of them that is allowed

    @classmethod
    def none(cls) -> Announced:
        """No event is near."""
        return cls(integers(0), (), floats(0), integers(0), integers(0))


class _Rows(NamedTuple):
    """The demand tracks of the lanes with an event near."""

    row: IntArray  # among all demand tracks
    lane: IntArray
    signal: tuple[str, ...]
    lead_s: FloatArray


def announced(fleet: Fleet, state: EngineState, seen: Observation, bounds: Bounds) -> Announced:
    """The events that are near, the replicas that they need, and those that `bounds` and written rates allow.

    Near is an event from one start-up and a step before it begins, for its first ten minutes or until it ends. Usual is
    the largest of the five newest known minutes of the ten before it, or before now, as they would have been without
    declared events. `state` holds what this observation told. Lanes that are not to be forecast have no event, and a
    workload that somebody else took to zero replicas stays there.
    """
    table = fleet.events
    if not table.lane.size:
        return Announced.none()
    lead_s = _lead_s(state.starts)
    begins_s = _near_begins_s(table, lead_s[table.lane], seen.now_s)
    event = indices(fleet.forecast[table.lane] & np.isfinite(begins_s))
    if not event.size:
        return Announced.none()
    lane = table.lane[event]
    replicas = _needed(fleet, state, seen, lane)
    floor = np.clip(replicas, 0, _most(fleet, state, seen, bounds))
    name = tuple(table.name[row] for row in event.tolist())
    return Announced(lane, name, begins_s[event], replicas[lane], floor[lane])


def with_announced(proposal: Proposal, near: Announced) -> Proposal:
    """At least what events that are near may ask for."""
    target = proposal.target.copy()
    target[near.lane] = np.maximum(target[near.lane], near.floor)
    return proposal.limited_to(target, rule="announced_event")


def _most(fleet: Fleet, state: EngineState, seen: Observation, bounds: Bounds) -> IntArray:
    """The most replicas that an event may have, `[lane]`."""
    current = seen.spec_replicas
    rates = written_limits(Moment(fleet.behavior, fleet.limits, seen.now_s, current), Moves(state.rises, state.falls))
    awake = (current > 0) | (state.zeroed & fleet.limits.scale_to_zero)
    return np.where(awake, np.maximum(np.minimum(bounds.high, rates.high), 0), 0)


def _lead_s(starts: StartTimes) -> FloatArray:
    """How long before it an event is near, `[lane]`: a start-up, and a step.

    That of many at once or of new nodes, where one was measured: an event may ask for both. So it does not become
    shorter, and replicas do not go again, while pods come and go before the event.
    """
    longest_s = np.maximum(starts.measured_s(Given.MANY), starts.measured_s(Given.NODE))
    return np.maximum(starts.quantile_s, longest_s) + STEP_S


def _near_begins_s(table: EventTable, lead_s: FloatArray, now_s: float) -> FloatArray:
    """When each event begins that is near, the earliest time of it, `[event]`; infinite where none is."""
    once = table.window == ONCE
    begins_s = np.where(once & _near(table.at_s, table.at_s + table.duration_s, lead_s, now_s), table.at_s, np.inf)
    until_s = now_s + float(lead_s.max()) + 1.0
    for number, window in enumerate(table.windows):
        shown = replace(window, duration_s=min(window.duration_s, SHOWN_S))
        for at_s in reversed(begun_between(shown, from_s=now_s, until_s=until_s)):
            begins_s[(table.window == number) & (at_s - lead_s <= now_s)] = at_s
    return begins_s


def _near(from_s: FloatArray, until_s: FloatArray, lead_s: FloatArray, now_s: float) -> BoolArray:
    return (from_s - lead_s <= now_s) & (now_s < np.minimum(from_s + SHOWN_S, until_s))


def _needed(fleet: Fleet, state: EngineState, seen: Observation, lanes: IntArray) -> IntArray:
    """Replicas that `lanes` need for their events, `[lane]` of the fleet; UNKNOWN where no usual load is known."""
    rows, spans = _rows(fleet, state, lanes), fleet.events.of_lanes(lanes)
    window = state.history.window(_PAST_S, seen.now_s, rows.row)
    until_s = seen.now_s + float(rows.lead_s.max(initial=0.0)) + 1.0
    span = spans_between(spans, rows.lane, rows.signal, from_s=float(window.start_s), until_s=until_s)
    near = _near(span.from_s, span.until_s, rows.lead_s[span.row], seen.now_s)
    usual, known = _usual(without_events(window, span), span, near, seen.now_s)
    serving = serving_per_replica(fleet, seen)[rows.row]
    known &= serving > 0
    load = _load(usual, span, near, seen.now_s)
    need = np.ceil(load[known] / serving[known] * (1.0 - _ROUNDING_RATIO))
    replicas = integers(fleet.lanes, UNKNOWN)
    np.maximum.at(replicas, rows.lane[known], np.minimum(need, INT32_MAX).astype(np.int64))
    return replicas


def _rows(fleet: Fleet, state: EngineState, lanes: IntArray) -> _Rows:
    tracks, near = demand_tracks(fleet), booleans(fleet.lanes)
    near[lanes] = True
    row = indices(near[fleet.tracks.lane[tracks]])
    lane = fleet.tracks.lane[tracks[row]]
    signal = tuple(signal_name(fleet.tracks.uid[track]) for track in tracks[row].tolist())
    return _Rows(row, lane, signal, _lead_s(state.starts)[lane])


def _usual(window: Window, span: Spans, near: BoolArray, now_s: float) -> tuple[FloatArray, BoolArray]:
    """The load before the first event that is near, and whether there is one and it is known, `[row]`; else 0."""
    never_s = now_s + 2.0 * MINUTE_S
    first_s = np.full(window.value.shape[0], never_s)
    np.minimum.at(first_s, span.row[near], span.from_s[near])
    end = np.minimum(now_s // MINUTE_S + 1, first_s // MINUTE_S)[:, None]  # the first minute that may show the event
    minute = window.start_s // MINUTE_S + np.arange(window.value.shape[1])
    known = window.known & (end - BEFORE_MIN <= minute) & (minute < end)
    known &= any_by(span.row, near, first_s.size)[:, None]
    newer = known[:, ::-1].cumsum(axis=1)[:, ::-1]  # known minutes from each one on
    usual = np.where(known & (newer <= NEWEST), window.value, 0.0).max(axis=1, initial=0.0)
    return usual.astype(np.float64), known.any(axis=1)


def _load(usual: FloatArray, span: Spans, near: BoolArray, now_s: float) -> FloatArray:
    """The largest load from now until what is ordered now serves, `[row]`, where an event that is near holds; else 0.

    Events combine as in the forecasts that people plan with: factors multiply, then extra load is added.
    """
    largest = floats(usual.size)
    for at_s in np.unique(np.maximum(span.from_s[near], now_s)).tolist():
        holds = (span.from_s <= at_s) & (at_s < span.until_s)
        factor, extra, told = floats(usual.size, 1.0), floats(usual.size), booleans(usual.size)
        np.multiply.at(factor, span.row[holds], span.factor[holds])
        np.add.at(extra, span.row[holds], span.extra[holds])
        told[span.row[holds & near]] = True
        largest = np.maximum(largest, np.where(told, usual * factor + extra, 0.0))
    return largest
