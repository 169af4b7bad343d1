"""The load that is expected in the next half hour, minute by minute, by the models that the outlook rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.explain import WHY_WORDS
from policies.forecast.maximum import LEVELS
from policies.forecast.outlook import PAST_MIN, Asked, quantiles
from policies.forecast.planning import spans_of
from policies.history import MINUTE_S
from policies.lead_time import serving_per_replica
from policies.model import Status, Why, signal_name

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.projection.origin import Origin

MINUTES = 30
SURE = 0.99
_ROUNDING = 1e-9  # a need this close above a whole number of replicas is that number


@dataclass(frozen=True, slots=True)
class Load:
    """What is expected at minute 0, which is now and known, to `MINUTES`; the levels are `LEVELS`."""

    signals: FloatArray  # in the units of the demand signals [row, minute, level]
    replicas: FloatArray  # that it fills to the serving limit, by the signal that asks for most [minute, level]
    surprise: str = ""  # that it is above what the models expect, in words

    @property
    def needed(self) -> IntArray:
        """Whole replicas that the objective needs, `[minute, level]`."""
        return np.ceil(self.replicas - _ROUNDING).astype(np.int64)

    def above(self, ready: IntArray) -> BoolArray:
        """Whether the load is more than `ready` replicas `[minute, level]` serve in time, `[minute, level]`."""
        above: BoolArray = self.replicas > ready + _ROUNDING
        return above


@dataclass(frozen=True, slots=True)
class Untold:
    """Why nothing is said, in words."""

    why: str


def expected(origin: Origin) -> Load | Untold:
    """The load from now on, forecast on what was seen up to now; `Untold` where that would be a guess.

    Models that look far ahead take a sudden rise for one that passes, as most did. So a load above what they expect of
    the next minute, at `SURE` of it, is taken to stay at least as high.
    """
    fleet, seen = origin.fleet, origin.seen
    serving = serving_per_replica(fleet, seen)
    if (why := _untold(origin, serving)) is not None:
        return Untold(why)
    window = origin.state.history.window(MINUTE_S * PAST_MIN, seen.now_s)
    events = spans_of(fleet, from_s=float(window.start_s), until_s=seen.now_s + MINUTE_S * (MINUTES + 1))
    newest, leads = np.array([window.value.shape[1] - 1]), tuple(range(1, MINUTES + 1))
    ahead = quantiles(origin.fit, window, Asked(newest, leads, (*LEVELS, SURE)), events)[:, 0]
    silent = np.flatnonzero(~np.isfinite(ahead).all(axis=(1, 2))).tolist()
    if silent:
        return Untold(f"no model speaks for signal {signal_name(fleet.tracks.uid[silent[0]])} yet")
    now, sure = seen.readings.value_milli / 1000.0, ahead[:, 0, -1]
    least = np.where(now > sure, now, 0.0)
    present = np.repeat(now[:, np.newaxis, np.newaxis], len(LEVELS), axis=2)
    signals = np.concatenate([present, np.maximum(ahead[:, :, :-1], least[:, np.newaxis, np.newaxis])], axis=1)
    replicas = (signals / serving[:, np.newaxis, np.newaxis]).max(axis=0)
    return Load(signals, replicas, _surprise(now / serving, sure / serving))


def _surprise(now: FloatArray, sure: FloatArray) -> str:
    """What is said of a load now above what is expected, `[row]`, both in replicas."""
    most = int(np.argmax(now))
    if now[most] <= sure[most]:
        return ""
    expects = f"more than the models expect (p{100 * SURE:g}: {sure[most]:.1f})"
    return f"Its load now fills {now[most]:.1f} replicas, {expects}, and is taken to stay as high."


def _untold(origin: Origin, serving: FloatArray) -> str | None:
    fleet, readings = origin.fleet, origin.seen.readings
    if not fleet.forecast[0]:
        return "its policy turns forecasts off"
    if not fleet.tracks.lane.size:
        return "it has no signal of demand"
    for track, status in enumerate(readings.status.tolist()):
        name = signal_name(fleet.tracks.uid[track])
        if serving[track] <= 0:
            return f"nobody knows what a replica serves of signal {name}"
        if status in (Status.MISSING, Status.STALE):
            state = "missing" if status == Status.MISSING else "not fresh"
            return f"signal {name} is {state} ({WHY_WORDS[Why(int(readings.why[track]))]})"
    return None
