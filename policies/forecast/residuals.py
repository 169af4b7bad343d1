"""What forecasts from a season missed: how long a difference lasts, and how large the rest is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray

HORIZONS_MIN = (1, 2, 5, 10, 15, 30, 60)
LEVELS = (0.5, 0.9, 0.95, 0.99, 0.999)
SEASON_ONLY = len(HORIZONS_MIN)  # the place after the horizons: a forecast that knows no value of today
SMALLEST_CENTER = 0.05  # of a row's mean: relative offsets do not shrink below that

_JUDGED_AT = LEVELS.index(0.99)  # where additive and relative offsets are compared,
_JUDGED_STEP = 5  # at a usual objective and lead
_SURE = 1e-9
_FEWEST = 100  # misses at a horizon; fewer say nothing of a tail


@dataclass(frozen=True, slots=True)
class Spread:
    """Per row and horizon, with the season alone in the last place; in the unit of the values given."""

    enough: BoolArray  # [row]
    rho: FloatArray  # [row, horizon]
    offset: FloatArray  # [row, horizon, level]
    relative: BoolArray  # offsets are shares of the forecast [row]


@dataclass(frozen=True, slots=True)
class _Misses:
    """What forecasts of one horizon missed, `[row, minute]`, where `pair` says that both ends are known."""

    rho: FloatArray  # [row]
    center: FloatArray
    miss: FloatArray
    pair: BoolArray

    @classmethod
    def of(cls, value: FloatArray, known: BoolArray, season: FloatArray, step: int) -> _Misses:
        """Forecasts `step` minutes ahead; 0 stands for the season alone."""
        end = value.shape[1] - step
        pair = known[:, :end] & known[:, step:]
        surplus = np.where(known, value - season, 0.0)
        rho = _lasting(surplus[:, :end], surplus[:, step:], pair) if step else np.zeros(value.shape[0])
        center = np.maximum(season[:, step:] + rho[:, np.newaxis] * surplus[:, :end], 0.0)
        return cls(rho, center, value[:, step:] - center, pair)

    def offsets(self, relative: BoolArray) -> FloatArray:
        """Order statistics `[row, level]`: the ceil((n + 1) q)-th of n, which a new miss exceeds with 1 - q at most."""
        ordered = np.sort(np.where(self.pair, self.miss / self._unit(relative), np.inf), axis=1)
        count = self.pair.sum(axis=1)[:, np.newaxis]
        rank = np.ceil((count + 1) * np.array(LEVELS) - _SURE).astype(np.int64) - 1
        found = np.take_along_axis(ordered, np.clip(rank, 0, np.maximum(count - 1, 0)), axis=1)
        return np.where(count > 0, found, 0.0)

    def loss(self, relative: BoolArray) -> FloatArray:
        """Pinball loss of the offsets where kinds are compared, `[row]`."""
        level = LEVELS[_JUDGED_AT]
        over = self.miss - self.offsets(relative)[:, _JUDGED_AT, np.newaxis] * self._unit(relative)
        loss: FloatArray = np.sum(np.where(self.pair, np.maximum(level * over, (level - 1) * over), 0.0), axis=1)
        return loss

    def _unit(self, relative: BoolArray) -> FloatArray:
        return np.where(relative[:, np.newaxis], np.maximum(self.center, SMALLEST_CENTER), 1.0)


def spread_of(value: FloatArray, known: BoolArray, season: FloatArray) -> Spread:
    """Of `value`, `[row, minute]`, with a mean near 1, against a `season` that has not seen the minute it speaks of.

    Each row takes additive or relative offsets, whichever have the smaller pinball loss.
    """
    rows, horizons = value.shape[0], len(HORIZONS_MIN) + 1
    judged = _Misses.of(value, known, season, _JUDGED_STEP)
    additive = judged.loss(np.zeros(rows, np.bool_))
    relative = judged.loss(np.ones(rows, np.bool_)) < additive * (1 - _SURE)
    enough = np.ones(rows, np.bool_)
    rho, offset = np.zeros((rows, horizons)), np.zeros((rows, horizons, len(LEVELS)))
    for place, step in enumerate((*HORIZONS_MIN, 0)):
        misses = _Misses.of(value, known, season, step)
        rho[:, place], offset[:, place] = misses.rho, misses.offsets(relative)
        enough &= misses.pair.sum(axis=1) >= _FEWEST
    return Spread(enough, rho, offset, relative)


def _lasting(before: FloatArray, after: FloatArray, pair: BoolArray) -> FloatArray:
    """Least-squares share of a difference that is still there later, 0 to 1, `[row]`.

    A row that never differed has nothing to say: what differs then, lasts.
    """
    shared = np.sum(before * after * pair, axis=1)
    square = np.sum(before * before * pair, axis=1)
    lasting: FloatArray = np.divide(shared, square, out=np.ones_like(shared), where=square > 0)
    return np.clip(lasting, 0.0, 1.0)
