"""Conformal bands: how far forecasts missed on origins that they were not fitted on, in units of a learned scale.

The scale is a regression of ln|miss| on what drives it (restlessness, level, time of day). Quantiles of the misses
over that scale are split-conformal (Vovk et al. 2005; locally weighted as in Lei et al. 2018), over rolling origins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from policies.forecast.ridge import Pairs, rolling_fit, rolling_said

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray
    from policies.forecast.shape import Real, Units

LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
SCORED = (0.5, 0.9, 0.95, 0.99)
PLACES = np.array([LEVELS.index(level) for level in SCORED])
LEAST_MISS = 0.003  # in ln; smaller ones count as this
LEAST_PAIRS = 20.0  # before a block, without which nothing is said of it
THIN = 20.0  # independent misses that weigh as much as the prior

_ALPHA, _KEEP = 100.0, 0.9
_PRIOR = 3.0 * ndtri(np.array(LEVELS))  # one and a half times the misses of a normal law, in units of the scale
PEAKS = 3.0  # times the largest value: no quantile is scored beyond
_REACH_LN = 1.5  # a scale is from a seventh to seven times the usual one


@dataclass(frozen=True, slots=True)
class Misses:
    """What forecasts of one expert for one horizon missed, `[row, pair]` in z, where `usable`."""

    said: Real
    miss: Real
    usable: BoolArray
    last: Real  # of the origin
    value: Real  # that came


@dataclass(frozen=True, slots=True)
class Band:
    """Of one expert for one horizon, and how it did in the last block, which it was not calibrated on."""

    spread: FloatArray  # coefficients of ln scale [row, feature]
    middle: FloatArray  # usual ln scale [row]
    offset: FloatArray  # [row, level]
    number: FloatArray  # independent misses [row]
    loss: FloatArray  # pinball at SCORED over all calibrated pairs, mean of value [row]
    coverage: FloatArray  # at SCORED in the last block [row, scored]
    recent: FloatArray  # pinball at SCORED in the last block [row, scored]
    judged: FloatArray  # independent misses in the last block [row]


def band_of(misses: Misses, pairs: Pairs, units: Units, *, blocks: int, share: float) -> Band:
    """Calibrate; `pairs.x` are the features of scale, `share` says how many of the pairs are independent."""
    size = np.log(np.abs(misses.miss) + LEAST_MISS).astype(np.float32)
    sized = replace(pairs, y=size * misses.usable, known=misses.usable)
    spread, number = rolling_fit(_thinned(sized, pairs.known), blocks, alpha=_ALPHA, keep=_KEEP)
    usable = misses.usable & (number[:-1] >= LEAST_PAIRS).T[:, pairs.origin_block]
    flat = usable.sum(axis=1) * share < LEAST_PAIRS
    usable = np.where(flat[:, np.newaxis], misses.usable, usable)
    middle = np.sum(size * misses.usable, axis=1) / np.maximum(misses.usable.sum(axis=1), 1)
    spread[:, flat] = 0
    spread[:, flat, 0] = middle[flat]
    width = width_of(rolling_said(sized, spread), middle)
    unit = np.where(usable, misses.miss / width, np.inf).astype(np.float32)
    newest, before = pairs.origin_block >= blocks - 1, pairs.target_block < blocks - 1
    earlier = blended(_quantiles(unit[:, before]), share * usable[:, before].sum(axis=1))
    offset = blended(_quantiles(unit), share * usable.sum(axis=1))
    _, loss = _scores(misses, width, offset, units)
    within, recent = _scores(_part(misses, newest), width[:, newest], earlier, units)
    return Band(
        spread=spread[-1],
        middle=middle,
        offset=offset,
        number=share * usable.sum(axis=1),
        loss=_averaged(loss, usable).sum(axis=1),
        coverage=_averaged(within, usable[:, newest]),
        recent=_averaged(recent, usable[:, newest]),
        judged=share * usable[:, newest].sum(axis=1),
    )


def _thinned(pairs: Pairs, filled: BoolArray) -> Pairs:
    """Every other pair, which is plenty for a scale; features are 0 where a pair is not known (and not `filled`)."""
    part = slice(None, None, 2)
    x, known = pairs.x[:, :, part], pairs.known[:, part]
    x = np.ascontiguousarray(x) if (known == filled[:, part]).all() else x * known[:, np.newaxis]
    return Pairs(x, pairs.y[:, part], known, pairs.origin_block[part], pairs.target_block[part])


def width_of(ln_scale: Real, middle: FloatArray) -> Real:
    """The scale of misses `[row, pair]` that its logarithm stands for, within reach of the row's usual one `[row]`."""
    usual = middle[:, np.newaxis].astype(np.float32)
    return np.exp(np.clip(ln_scale, usual - _REACH_LN, usual + _REACH_LN))


def blended(offset: FloatArray, number: FloatArray) -> FloatArray:
    """Measured offsets `[row, level]` mixed with the prior: half of each at THIN independent misses `[row]`."""
    weight = (number / (number + THIN))[:, np.newaxis]
    mixed: FloatArray = (
        np.where(np.isfinite(offset), weight * offset, 0.0) + np.where(np.isfinite(offset), 1 - weight, 1.0) * _PRIOR
    )
    return mixed


def _quantiles(unit: Real) -> FloatArray:
    """Order statistics `[row, level]`, the ceil((n + 1) q)-th of n; infinite entries do not count."""
    if unit.shape[1] == 0:
        return np.full((unit.shape[0], len(LEVELS)), np.nan)
    ordered = np.sort(unit, axis=1)
    count = np.isfinite(unit).sum(axis=1)[:, np.newaxis]
    rank = np.ceil((count + 1) * np.array(LEVELS) - 1e-9).astype(np.int64) - 1
    found = np.take_along_axis(ordered, np.clip(rank, 0, np.maximum(count - 1, 0)), axis=1)
    return np.where(count > 0, found, np.nan).astype(np.float64)


def _part(misses: Misses, chosen: BoolArray) -> Misses:
    return Misses(
        said=misses.said[:, chosen],
        miss=misses.miss[:, chosen],
        usable=misses.usable[:, chosen],
        last=misses.last[:, chosen],
        value=misses.value[:, chosen],
    )


def _scores(misses: Misses, width: Real, offset: FloatArray, units: Units) -> tuple[FloatArray, FloatArray]:
    """Whether each value lies at or below the quantile, and its pinball loss, `[row, scored, pair]`."""
    base = (misses.last + misses.said)[:, np.newaxis]
    z = base + width[:, np.newaxis] * offset[:, PLACES, np.newaxis].astype(np.float32)
    quantile = np.minimum(units.value(z), PEAKS * misses.value.max(axis=1, initial=0)[:, np.newaxis, np.newaxis])
    over = misses.value[:, np.newaxis] - quantile
    level = np.array(SCORED, np.float32)[:, np.newaxis]
    return over <= 1e-6 * quantile, np.maximum(level * over, (level - 1) * over)


def _averaged(figure: FloatArray, usable: BoolArray) -> FloatArray:
    """Means over the usable pairs, `[row, scored]`; 0 where there is none."""
    total = np.einsum("rsp,rp->rs", figure, usable.astype(np.float32))
    mean: FloatArray = total / np.maximum(usable.sum(axis=1), 1)[:, np.newaxis]
    return mean
