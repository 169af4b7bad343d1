"""What a fit says from origins in a window: quantiles of rows at leads from a minute to a week."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from policies.forecast.bands import LEVELS, width_of
from policies.forecast.features import mean_features, scale_features, seasonal_value
from policies.forecast.governance import Expert
from policies.forecast.horizon import OLDEST_FIT_S
from policies.forecast.rolling import HORIZONS_MIN
from policies.forecast.shape import DAY_MIN, WEEK_MIN, shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.forecast.horizon import HorizonFit
    from policies.forecast.shape import Shape
    from policies.history import Window

NEEDED_PAST_MIN = 9 * DAY_MIN  # before an origin: what features look at
_PEAKS = 3.0  # times the largest value seen: nothing is forecast beyond
_ROWS_AT_ONCE = 64


def quantiles(
    fit: HorizonFit,
    window: Window,
    *,
    at: IntArray,
    leads_min: Sequence[int],
    levels: Sequence[float],
    expert: Expert | None = None,
) -> FloatArray:
    """Forecasts `[row, origin, lead, level]` from columns `at` of `window`, in the unit of the values.

    Each is made from minutes up to its origin. NaN where nothing is said: the row is not known, the fit is over
    OLDEST_FIT_S from the origin, or nobody is in charge. `expert` asks one expert instead of the one in charge.
    Leads are 1 to 10,080 minutes, levels 0.01 to 0.999; beyond, the nearest counts.
    """
    rows = len(fit.uid)
    found = np.full((rows, at.size, len(leads_min), len(levels)), np.nan)
    for start in range(0, rows, _ROWS_AT_ONCE):
        chunk = np.arange(start, min(start + _ROWS_AT_ONCE, rows))
        part = type(window)(window.start_s, window.value[chunk], window.known[chunk])
        shape = shape_of(part, fit.units(chunk))
        for place, lead in enumerate(leads_min):
            found[chunk, :, place] = _of_lead(fit, chunk, shape, at, lead, np.asarray(levels), expert)
    origin_s = window.start_s + 60.0 * at
    found[:, np.abs(origin_s - fit.fitted_at_s) > OLDEST_FIT_S] = np.nan
    return found


def _of_lead(
    fit: HorizonFit, rows: IntArray, shape: Shape, at: IntArray, lead: int, levels: FloatArray, expert: Expert | None
) -> FloatArray:
    """`[row, origin, level]`: between the two nearest horizons in proportion to the logarithm of the lead."""
    lead = min(max(int(lead), HORIZONS_MIN[0]), HORIZONS_MIN[-1])
    depth = np.log(np.array(HORIZONS_MIN, np.float64))
    far = max(1, int(np.searchsorted(depth, np.log(lead))))
    weight = (np.log(lead) - depth[far - 1]) / (depth[far] - depth[far - 1])
    x, sized = mean_features(shape, at, lead), scale_features(shape, at, lead)
    seasons = [seasonal_value(shape, at, lead, period) for period in (DAY_MIN, WEEK_MIN)]
    z = np.zeros((rows.size, at.size, levels.size))
    silent = ~fit.known[rows]
    for place, share in ((far - 1, 1 - weight), (far, weight)):
        if share <= 0:
            continue
        charge = fit.charge[rows, place] if expert is None else np.full(rows.size, expert)
        silent = silent | (charge == Expert.NONE)
        z += share * _side(fit, rows, place, (shape, at, x, sized, seasons), charge, levels)
    units = fit.units(rows)
    most = np.maximum(fit.peak[rows, np.newaxis], units.value(shape.last[:, at]))
    value = np.minimum(units.value(z), _PEAKS * most[:, :, np.newaxis])
    value[silent] = np.nan
    return value


def _side(fit, rows, place, seen, charge, levels):
    shape, at, x, sized, seasons = seen
    last, level = shape.last[:, at], shape.means[2][:, at]
    reach = fit.reach[rows, place, np.newaxis]
    ridge = last + np.clip((fit.mean[rows, place][:, np.newaxis] @ x)[:, 0], -reach, reach)
    seasonal = level
    for period, (value, there) in zip((DAY_MIN, WEEK_MIN), seasons, strict=True):
        seasonal = np.where((fit.period_min[rows, place] == period)[:, np.newaxis] & there, value, seasonal)
    speaks = np.minimum(charge, Expert.SEASONAL).astype(np.int64)
    center = np.where((speaks == Expert.RIDGE)[:, np.newaxis], ridge, seasonal)
    width = width_of((fit.spread[rows, speaks, place][:, np.newaxis] @ sized)[:, 0], fit.middle[rows, speaks, place])
    return center[:, :, np.newaxis] + width[:, :, np.newaxis] * _between(fit.offset[rows, speaks, place], levels)[:, np.newaxis]


def _between(offset, levels):
    """Offsets `[row, level]` at other levels, in proportion to the normal quantile."""
    depth = ndtri(np.array(LEVELS))
    wanted = np.clip(ndtri(np.clip(levels, LEVELS[0], LEVELS[-1])), depth[0], depth[-1])
    low = np.minimum(np.searchsorted(depth, wanted, side="right"), depth.size - 1) - 1
    share = (wanted - depth[low]) / (depth[low + 1] - depth[low])
    return (1 - share) * offset[:, low] + share * offset[:, low + 1]
