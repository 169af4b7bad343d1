"""What a fit says where a row has no misses of a horizon: those of the nearest horizon, or a wide prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import floats, indices
from policies.forecast.bands import GROWTH, LEVELS, PRIOR_MISS, blended
from policies.forecast.governance import EXPERTS, Expert
from policies.forecast.rolling import HORIZONS_MIN
from policies.forecast.shape import DAY_MIN

if TYPE_CHECKING:
    from policies.arrays import IntArray
    from policies.forecast.horizon import HorizonFit


def borrowed(fit: HorizonFit) -> None:
    """Fill in horizons of `fit` without misses of their own.

    The next longer horizon with misses lends its own as they are, else the longest shorter one, widened. What a ridge
    fitted on a shorter horizon says is not believed further ahead, so its loss is infinite there.
    """
    for expert in EXPERTS:
        own = fit.number[:, expert] > 0
        for place in range(len(HORIZONS_MIN)):
            lacking = fit.known & ~own[:, place]
            if not lacking.any():
                continue
            longer, shorter = own[:, place + 1 :], own[:, :place]
            from_longer, any_shorter = longer.any(axis=1), shorter.any(axis=1)
            rows = indices(lacking & from_longer)
            if rows.size:
                _copy(fit, rows, _Place(expert, place), place + 1 + np.argmax(longer[rows], axis=1))
            rows = indices(lacking & ~from_longer & any_shorter)
            if rows.size:
                _widened(fit, rows, _Place(expert, place), place - 1 - np.argmax(shorter[rows][:, ::-1], axis=1))
            _prior(fit, indices(lacking & ~from_longer & ~any_shorter), _Place(expert, place))


@dataclass(frozen=True, slots=True)
class _Place:
    """A horizon of an expert."""

    expert: Expert
    horizon: int

    @property
    def ahead_min(self) -> int:
        """How far ahead it is."""
        return HORIZONS_MIN[self.horizon]


def _copy(fit: HorizonFit, rows: IntArray, to: _Place, source: IntArray) -> None:
    expert, place = to.expert, to.horizon
    for column in (fit.spread, fit.middle, fit.offset, fit.number, fit.loss):
        column[rows, expert, place] = column[rows, expert, source]
    if expert is Expert.RIDGE:
        fit.mean[rows, place], fit.reach[rows, place] = fit.mean[rows, source], fit.reach[rows, source]
    else:
        fit.period_min[rows, place] = fit.period_min[rows, source]


def _widened(fit: HorizonFit, rows: IntArray, to: _Place, source: IntArray) -> None:
    _copy(fit, rows, to, source)
    wider = GROWTH * np.log(to.ahead_min / np.array(HORIZONS_MIN)[source])
    fit.spread[rows, to.expert, to.horizon, 0] += wider
    fit.middle[rows, to.expert, to.horizon] += wider
    _season_by_default(fit, rows, to)
    if to.expert is Expert.RIDGE:
        fit.loss[rows, to.expert, to.horizon] = np.inf


def _prior(fit: HorizonFit, rows: IntArray, to: _Place) -> None:
    ln_scale = np.log(PRIOR_MISS * to.ahead_min**GROWTH)
    fit.spread[rows, to.expert, to.horizon] = 0
    fit.spread[rows, to.expert, to.horizon, 0] = ln_scale
    fit.middle[rows, to.expert, to.horizon] = ln_scale
    fit.offset[rows, to.expert, to.horizon] = blended(np.full((rows.size, len(LEVELS)), np.nan), floats(rows.size))
    _season_by_default(fit, rows, to)


def _season_by_default(fit: HorizonFit, rows: IntArray, to: _Place) -> None:
    """From half a day on the same time of an earlier day says more than the last hour's level."""
    if to.expert is Expert.SEASONAL and to.ahead_min >= DAY_MIN // 2:
        fit.period_min[rows, to.horizon] = np.maximum(fit.period_min[rows, to.horizon], DAY_MIN)
