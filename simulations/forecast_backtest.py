"""Forecasts at rolling origins of a load, as the horizon layer would have made them, and what came of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.forecast.governance import Expert
from policies.forecast.horizon import REFIT_EVERY_S, HorizonFit, refit
from policies.forecast.outlook import PAST_MIN, Asked, quantiles
from policies.history import LARGEST, MINUTE_S, Window
from simulations.protocol import ProtocolError, warmup_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.arrays import FloatArray, IntArray
    from simulations.load_file import Load

HISTORY_MIN = 14 * 24 * 60
FORESAIL, RIDGE, SEASONAL_NAIVE, LAST_VALUE = "foresail", "ridge", "seasonal_naive", "last_value"
MODELS = (FORESAIL, RIDGE, SEASONAL_NAIVE, LAST_VALUE)

_EXPERT = {FORESAIL: None, RIDGE: Expert.RIDGE, SEASONAL_NAIVE: Expert.SEASONAL}
_REFIT_MIN = int(REFIT_EVERY_S / MINUTE_S)
_NOTHING = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which forecasts to make. Whole minutes; the median comes first among the levels."""

    horizons_min: tuple[int, ...]
    every_min: int  # between origins
    levels: tuple[float, ...]
    warmup_s: float | None = None  # None: as the protocol has it


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What each model said from each origin, and what came, NaN where that is missing."""

    origin_s: FloatArray  # [origin]
    said: dict[str, FloatArray]  # by model [origin, horizon, level]; NaN where it said nothing
    came: FloatArray  # [origin, horizon]
    change: FloatArray  # mean size of the change over the horizon in the warm-up; NaN if unknown [horizon]
    fit_s: dict[str, float]  # by model, seconds a fit took on average


def on_minutes(load: Load) -> Window:
    """A load as one row of minutes, from its first sample on; of several samples in a minute the last one stands."""
    measured = np.isfinite(load.value)
    minute = np.floor(load.at_s / MINUTE_S).astype(np.int64)
    if not measured.any():
        raise ProtocolError("the load has no measured sample")
    size = int(minute[-1] - minute[0]) + 1
    value, known = np.zeros((1, size), np.float32), np.zeros((1, size), np.bool_)
    at = minute[measured] - minute[0]
    value[0, at] = np.clip(load.value[measured], 0, LARGEST)
    known[0, at] = True
    return Window(int(minute[0]) * MINUTE_S, value, known)


def backtest(load: Load, plan: Plan, on_origin: Callable[[int, int], None] | None = None) -> Forecasts:
    """Make the forecasts of `plan`; the models are refitted every six hours, on at most 14 days before.

    A forecast from an origin sees samples up to that minute and none later; `on_origin` hears
    how many are done, of how many. Raises ProtocolError for a load that ends within the warm-up.
    """
    window = on_minutes(load)
    minutes = window.value.shape[1]
    warmup_s = warmup_of(float(load.at_s[-1] - load.at_s[0])) if plan.warmup_s is None else plan.warmup_s
    first = max(1, round(warmup_s / MINUTE_S))
    origins = np.arange(first, minutes, plan.every_min)
    if origins.size == 0:
        raise ProtocolError(f"the load ends within its warm-up of {first} minutes; more than that is needed")
    said = {model: np.full((origins.size, len(plan.horizons_min), len(plan.levels)), np.nan) for model in MODELS}
    fitting, fit, took_s = 0, None, dict.fromkeys(MODELS, 0.0)
    for start in range(first, minutes, _REFIT_MIN):
        chosen = np.flatnonzero((origins >= start) & (origins < start + _REFIT_MIN))
        if chosen.size == 0:
            continue
        past = _part(window, max(0, start + 1 - HISTORY_MIN), start + 1)
        began_s = time.perf_counter()
        fit = refit(past, now_s=window.start_s + 60.0 * start, rows=("load",), before=fit)
        fitted_s = time.perf_counter()
        offsets = _changes(past, plan)
        for model in _EXPERT:
            took_s[model] += fitted_s - began_s
        took_s[LAST_VALUE] += time.perf_counter() - fitted_s
        fitting += 1
        for model, values in _said(fit, window, origins[chosen], plan).items():
            said[model][chosen] = values
        said[LAST_VALUE][chosen] = _last_value(window, origins[chosen], offsets)
        if on_origin is not None:
            on_origin(int(chosen[-1]) + 1, origins.size)
    return Forecasts(
        origin_s=np.asarray(window.start_s + 60.0 * origins, np.float64),
        said=said,
        came=_came(window, origins, plan),
        change=_change(_part(window, 0, first + 1), plan),
        fit_s={model: total / fitting for model, total in took_s.items()},
    )


def _part(window: Window, first: int, end: int) -> Window:
    return Window(window.start_s + MINUTE_S * first, window.value[:, first:end], window.known[:, first:end])


def _said(fit: HorizonFit, window: Window, origins: IntArray, plan: Plan) -> dict[str, FloatArray]:
    first = max(0, int(origins[0]) - PAST_MIN)
    seen = _part(window, first, int(origins[-1]) + 1)
    at = origins - first
    return {
        model: quantiles(fit, seen, Asked(at, plan.horizons_min, plan.levels, expert))[0]
        for model, expert in _EXPERT.items()
    }


def _pairs(window: Window, horizon_min: int) -> FloatArray:
    """Changes over the horizon between minutes that are known."""
    value, known = window.value[0].astype(np.float64), window.known[0]
    if value.size <= horizon_min:
        return _NOTHING
    both = known[:-horizon_min] & known[horizon_min:]
    changes: FloatArray = (value[horizon_min:] - value[:-horizon_min])[both]
    return changes


def _changes(past: Window, plan: Plan) -> FloatArray:
    """Quantiles of the changes that came over each horizon, `[horizon, level]`; NaN where there was none."""
    found = np.full((len(plan.horizons_min), len(plan.levels)), np.nan)
    for place, horizon in enumerate(plan.horizons_min):
        changes = _pairs(past, horizon)
        if changes.size:
            found[place] = np.quantile(changes, plan.levels)
    return found


def _last_value(window: Window, origins: IntArray, offsets: FloatArray) -> FloatArray:
    """The newest value plus quantiles of its changes, `[origin, horizon, level]`; the median is the value itself."""
    newest = np.maximum.accumulate(np.where(window.known[0], np.arange(window.known.shape[1]), -1))[origins]
    value = np.where(newest >= 0, window.value[0, np.maximum(newest, 0)].astype(np.float64), np.nan)
    said = value[:, np.newaxis, np.newaxis] + offsets
    said[:, :, 0] = np.where(np.isnan(said[:, :, 0]), np.nan, value[:, np.newaxis])
    return np.maximum(said, 0.0)


def _came(window: Window, origins: IntArray, plan: Plan) -> FloatArray:
    target = origins[:, np.newaxis] + np.array(plan.horizons_min)
    inside = np.minimum(target, window.value.shape[1] - 1)
    there = (target == inside) & window.known[0, inside]
    return np.where(there, window.value[0, inside].astype(np.float64), np.nan)


def _change(warmup: Window, plan: Plan) -> FloatArray:
    changes = [_pairs(warmup, horizon) for horizon in plan.horizons_min]
    return np.array([float(np.abs(each).mean()) if each.size else np.nan for each in changes])
