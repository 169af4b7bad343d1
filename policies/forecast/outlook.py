"""What a fit says from origins in a window: quantiles of rows at leads from a minute to a week."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from policies.forecast.bands import LEVELS, PEAKS, width_of
from policies.forecast.declared import with_events, without_events
from policies.forecast.features import mean_features, scale_features, seasonal_value
from policies.forecast.governance import Expert
from policies.forecast.rolling import HORIZONS_MIN
from policies.forecast.shape import DAY_MIN, WEEK_MIN, shape_of
from policies.history import Window

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.events import Spans
    from policies.forecast.horizon import HorizonFit
    from policies.forecast.shape import Real, Shape

PAST_MIN = 9 * DAY_MIN  # before an origin: as far back as features look
_ROWS_AT_ONCE = 64
_DEPTH = ndtri(np.array(LEVELS))
_AHEAD = np.log(np.array(HORIZONS_MIN, np.float64))


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be said. Leads are 1 to 10,080 minutes, levels 0.01 to 0.999; beyond, the nearest counts."""

    at: IntArray  # columns of the window from which to forecast [origin]
    leads_min: tuple[int, ...]
    levels: tuple[float, ...]
    expert: Expert | None = None  # one expert for all rows, instead of the one in charge of each


@dataclass(frozen=True, slots=True)
class _Seen:
    """What some rows look like from all origins, for one lead."""

    mean: Real  # features [row, feature, origin]
    scale: Real  # features [row, feature, origin]
    last: Real  # [row, origin]
    seasonal: dict[int, tuple[Real, BoolArray]]  # by period in minutes, 0 for the last hour's level; [row, origin]

    @classmethod
    def of(cls, shape: Shape, at: IntArray, lead: int) -> _Seen:
        level = shape.means[2][:, at]
        seasonal = {period: seasonal_value(shape, at, lead, period) for period in (DAY_MIN, WEEK_MIN)}
        everywhere = np.ones(level.shape, np.bool_)
        return cls(
            mean_features(shape, at, lead),
            scale_features(shape, at, lead),
            shape.last[:, at],
            {0: (level, everywhere), **seasonal},
        )


def quantiles(fit: HorizonFit, window: Window, asked: Asked, events: Spans | None = None) -> FloatArray:
    """Forecasts `[row, origin, lead, level]` from columns of `window` `[row, minute]`, in the unit of the values.

    Each is made from minutes up to its origin; `events` are taken out of the past and put on the minutes spoken of.
    NaN where nothing is said: the row is not known, the fit is over OLDEST_FIT_S from the origin, or both experts
    are out of their range. Quantiles rise with their level and are never below 0.
    """
    rows = len(fit.uid)
    seen = window if events is None else without_events(window, events)
    found = np.full((rows, asked.at.size, len(asked.leads_min), len(asked.levels)), np.nan)
    for start in range(0, rows, _ROWS_AT_ONCE):
        chunk = np.arange(start, min(start + _ROWS_AT_ONCE, rows))
        shape = shape_of(Window(seen.start_s, seen.value[chunk], seen.known[chunk]), fit.units(chunk))
        for place, lead in enumerate(asked.leads_min):
            found[chunk, :, place] = _of_lead(fit, chunk, shape, asked, lead)
    origin_s = np.asarray(window.start_s + 60.0 * asked.at, np.float64)
    found[~fit.usable_at(origin_s)] = np.nan
    if events is not None:
        for place, lead in enumerate(asked.leads_min):
            found[:, :, place] = with_events(found[:, :, place], np.asarray(origin_s + 60.0 * lead, np.float64), events)
    return found


def _of_lead(fit: HorizonFit, rows: IntArray, shape: Shape, asked: Asked, lead: int) -> FloatArray:
    """`[row, origin, level]`: between the two nearest horizons in proportion to the logarithm of the lead."""
    lead = min(max(lead, HORIZONS_MIN[0]), HORIZONS_MIN[-1])
    far = max(1, int(np.searchsorted(_AHEAD, np.log(lead))))
    weight = (np.log(lead) - _AHEAD[far - 1]) / (_AHEAD[far] - _AHEAD[far - 1])
    seen = _Seen.of(shape, asked.at, lead)
    z = np.zeros((rows.size, asked.at.size, len(asked.levels)))
    silent = ~fit.known[rows]
    for place, share in ((far - 1, 1 - weight), (far, weight)):
        if share > 0:
            charge = fit.charge[rows, place] if asked.expert is None else np.full(rows.size, asked.expert, np.int8)
            silent |= charge == Expert.NONE
            z += share * _at_horizon(fit, (rows, place), seen, np.minimum(charge, Expert.SEASONAL), asked.levels)
    units = fit.units(rows)
    most = np.maximum(fit.peak[rows, np.newaxis], units.value(seen.last))
    value: FloatArray = np.minimum(units.value(z), PEAKS * most[:, :, np.newaxis])
    value[silent] = np.nan
    return value


def _at_horizon(
    fit: HorizonFit, of: tuple[IntArray, int], seen: _Seen, expert: IntArray, levels: tuple[float, ...]
) -> FloatArray:
    """What each row's `expert` says with the coefficients of one fitted horizon, in z, `[row, origin, level]`."""
    rows, place = of
    reach = fit.reach[rows, place, np.newaxis]
    change = (fit.mean[rows, place][:, np.newaxis] @ seen.mean)[:, 0]
    ridge = seen.last + np.clip(change, -reach, reach)
    seasonal = seen.seasonal[0][0]
    for period, (value, there) in seen.seasonal.items():
        seasonal = np.where((fit.period_min[rows, place] == period)[:, np.newaxis] & there, value, seasonal)
    center = np.where((expert == Expert.RIDGE)[:, np.newaxis], ridge, seasonal)
    ln_scale = (fit.spread[rows, expert, place][:, np.newaxis] @ seen.scale)[:, 0]
    width = width_of(ln_scale, fit.middle[rows, expert, place])
    offset = _between(fit.offset[rows, expert, place], levels)
    said: FloatArray = center[:, :, np.newaxis] + width[:, :, np.newaxis] * offset[:, np.newaxis]
    return said


def _between(offset: Real, levels: tuple[float, ...]) -> FloatArray:
    """Offsets `[row, level]` at other levels, in proportion to the normal quantile."""
    wanted = ndtri(np.clip(np.array(levels), LEVELS[0], LEVELS[-1]))
    low = np.minimum(np.searchsorted(_DEPTH, wanted, side="right"), _DEPTH.size - 1) - 1
    share = (wanted - _DEPTH[low]) / (_DEPTH[low + 1] - _DEPTH[low])
    between: FloatArray = (1 - share) * offset[:, low] + share * offset[:, low + 1]
    return between
