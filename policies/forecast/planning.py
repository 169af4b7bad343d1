"""What the horizon layer learns and tells of some lanes in one go: a piece of work for a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.events import spans_between
from policies.forecast.horizon import HorizonFit, refit
from policies.forecast.maximum import LEADS_MIN, LEVELS, LOW, first_above
from policies.forecast.outlook import PAST_MIN, Asked, quantiles
from policies.history import MINUTE_S, Window
from policies.model import signal_name
from policies.rows import demand_rows, demand_tracks
from policies.schedules import bounds_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from policies.arrays import FloatArray, IntArray
    from policies.events import Spans
    from policies.model import Fleet

AHEAD_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lanes and their past: all that a piece of work needs."""

    fleet: Fleet  # of those lanes alone
    window: Window  # of their demand tracks, up to the minute of `now_s`
    serving: FloatArray  # load that one replica serves in time [row]; 0 where nobody knows
    quota: FloatArray  # replicas that the namespace's quotas allow [lane]; infinite: any, NaN: nobody knows
    now_s: float
    before: HorizonFit  # what was known of the rows


@dataclass(frozen=True, slots=True)
class Horizon:
    """What came of a piece: the fit, and each lane's demand over the next week as seen from `made_at_s`."""

    fit: HorizonFit
    uid: tuple[str, ...]  # [lane]
    made_at_s: float
    replicas: NDArray[np.float32]  # needed at LEADS_MIN [lane, lead, level]; NaN where nothing is said
    low: NDArray[np.float32]  # the same at LOW [lane, lead]
    above_at_s: FloatArray  # first time that more than maximum or quota is needed [lane, level]; as `first_above`
    maximum: IntArray  # in force at that time, or now [lane, level]
    quota: FloatArray  # as the piece has it: what is allowed now [lane]
    since_s: FloatArray  # the first known minute [lane]; infinite where there is none


def refitted(piece: Piece) -> Horizon:
    """Fit the rows of `piece` and look a week ahead. What each row may serve is told in replicas, as `looked` does."""
    events = spans_of(piece.fleet, from_s=float(piece.window.start_s), until_s=piece.now_s + AHEAD_S)
    rows = demand_rows(piece.fleet)
    return looked(piece, refit(piece.window, now_s=piece.now_s, rows=rows, before=piece.before, events=events))


def looked(piece: Piece, fit: HorizonFit | None = None) -> Horizon:
    """Look a week ahead with what was learned before, or with `fit`.

    A lane needs what the most demanding of its signals asks for; nothing is said of signals whose capacity nobody
    knows. Quantiles of several signals are taken one by one, so that of their largest is a little higher.
    """
    fleet, lanes = piece.fleet, piece.fleet.lanes
    fit = piece.before if fit is None else fit
    lane = fleet.tracks.lane[demand_tracks(fleet)]
    recent = _recent(piece.window)
    events = spans_of(fleet, from_s=float(recent.start_s), until_s=piece.now_s + AHEAD_S)
    newest = np.array([recent.value.shape[1] - 1])
    load = quantiles(fit, recent, Asked(newest, LEADS_MIN, (*LEVELS, LOW)), events)[:, 0]
    serving = np.where(piece.serving > 0, piece.serving, np.nan)
    needed = np.full((lanes, len(LEADS_MIN), len(LEVELS) + 1), np.nan)
    np.fmax.at(needed, lane, load / serving[:, np.newaxis, np.newaxis])
    replicas, low = needed[..., :-1], needed[..., -1]
    maximum = _maximum(fleet, piece.now_s)
    room = np.fmin(maximum, piece.quota[:, np.newaxis])
    minutes = first_above(replicas, np.array(LEADS_MIN), room)
    place = np.searchsorted(LEADS_MIN, np.where(np.isfinite(minutes), minutes, 0.0))
    return Horizon(
        fit=fit,
        uid=fleet.uid,
        made_at_s=piece.now_s,
        replicas=replicas.astype(np.float32),
        low=low.astype(np.float32),
        above_at_s=piece.now_s + MINUTE_S * minutes,
        maximum=np.take_along_axis(maximum, place, axis=1),
        quota=piece.quota,
        since_s=_since(piece.window, lane, lanes),
    )


def spans_of(fleet: Fleet, *, from_s: float, until_s: float) -> Spans:
    """When the fleet's demand tracks differ by declared events, by their row among the demand tracks."""
    tracks = demand_tracks(fleet)
    names = [signal_name(fleet.tracks.uid[track]) for track in tracks.tolist()]
    return spans_between(fleet.events, fleet.tracks.lane[tracks], names, from_s=from_s, until_s=until_s)


def _recent(window: Window) -> Window:
    """As much of the past as features look back at."""
    first = max(0, window.value.shape[1] - PAST_MIN)
    return Window(window.start_s + MINUTE_S * first, window.value[:, first:], window.known[:, first:])


def _maximum(fleet: Fleet, now_s: float) -> IntArray:
    """Replicas that each lane may have at LEADS_MIN from now, schedules included, `[lane, lead]`."""
    if not fleet.schedules.windows:
        return np.repeat(fleet.max_replicas[:, np.newaxis], len(LEADS_MIN), axis=1)
    own = fleet.min_replicas, fleet.max_replicas
    return np.stack([bounds_at(fleet.schedules, *own, now_s=now_s + MINUTE_S * lead)[1] for lead in LEADS_MIN], axis=1)


def _since(window: Window, lane: IntArray, lanes: int) -> FloatArray:
    known = window.known.any(axis=1)
    first = window.start_s + MINUTE_S * np.argmax(window.known, axis=1)
    since: FloatArray = np.full(lanes, np.inf)
    np.minimum.at(since, lane[known], first[known])
    return since
