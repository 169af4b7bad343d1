"""What a fit says where a row has no misses of a horizon: those of the nearest horizon, or a wide prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import indices
from policies.forecast.bands import blended
from policies.forecast.governance import EXPERTS, Expert
from policies.forecast.rolling import HORIZONS_MIN
from policies.forecast.shape import DAY_MIN

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.forecast.horizon import HorizonFit

_PRIOR_MISS = 0.06  # ln scale of a minute's misses of a series nobody knows, growing with
_GROWTH = 0.25  # this power of the horizon: 0.06 at 1 min, 0.17 at an hour, 0.37 at a day, 0.60 at a week


def borrowed(fit: HorizonFit) -> None:
    """Fill in horizons of `fit` without misses of their own.

    The next longer horizon with misses lends its own as they are, else the longest shorter one, widened. What a ridge
    fitted on a shorter horizon says is not believed further ahead, so its loss is infinite there.
    """
    for expert in EXPERTS:
        own = fit.number[:, expert] > 0
        for place, ahead in enumerate(HORIZONS_MIN):
            lacking = indices(fit.known & ~own[:, place])
            if lacking.size:
                _lend(fit, expert, place, ahead, lacking, own[lacking])


def _lend(fit: HorizonFit, expert: Expert, place: int, ahead: int, rows: IntArray, own: np.ndarray) -> None:
    longer, shorter = own[:, place + 1 :], own[:, :place]
    from_longer = indices(longer.any(axis=1))
    if from_longer.size:
        source = place + 1 + np.argmax(longer[from_longer], axis=1)
        _copy(fit, expert, rows[from_longer], source, place)
    rest = indices(~longer.any(axis=1) & shorter.any(axis=1))
    if rest.size:
        source = place - 1 - np.argmax(shorter[rest][:, ::-1], axis=1)
        _copy(fit, expert, rows[rest], source, place)
        wider = _GROWTH * np.log(ahead / np.array(HORIZONS_MIN)[source])
        fit.spread[rows[rest], expert, place, 0] += wider
        fit.middle[rows[rest], expert, place] += wider
        _season_by_default(fit, expert, rows[rest], place, ahead)
        if expert is Expert.RIDGE:
            fit.loss[rows[rest], expert, place] = np.inf
    unknown = rows[indices(~own.any(axis=1))]
    if unknown.size:
        fit.spread[unknown, expert, place] = 0
        fit.spread[unknown, expert, place, 0] = np.log(_PRIOR_MISS * ahead**_GROWTH)
        fit.middle[unknown, expert, place] = np.log(_PRIOR_MISS * ahead**_GROWTH)
        fit.offset[unknown, expert, place] = _prior(unknown.size)
        _season_by_default(fit, expert, unknown, place, ahead)


def _copy(fit: HorizonFit, expert: Expert, rows: IntArray, source: IntArray, place: int) -> None:
    for column in (fit.spread, fit.middle, fit.offset, fit.number, fit.loss):
        column[rows, expert, place] = column[rows, expert, source]
    if expert is Expert.RIDGE:
        fit.mean[rows, place] = fit.mean[rows, source]
        fit.reach[rows, place] = fit.reach[rows, source]
    else:
        fit.period_min[rows, place] = fit.period_min[rows, source]


def _season_by_default(fit: HorizonFit, expert: Expert, rows: IntArray, place: int, ahead: int) -> None:
    """From half a day on the same time of an earlier day says more than the last hour's level."""
    if expert is Expert.SEASONAL and ahead >= DAY_MIN // 2:
        fit.period_min[rows, place] = np.maximum(fit.period_min[rows, place], DAY_MIN)


def _prior(rows: int) -> FloatArray:
    from policies.forecast.bands import LEVELS  # noqa: PLC0415

    return blended(np.full((rows, len(LEVELS)), np.nan), np.zeros(rows))
