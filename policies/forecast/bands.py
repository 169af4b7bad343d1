"""Conformal bands: how far forecasts missed on origins that they were not fitted on, in units of a learned scale.

The scale is a regression of ln|miss| on what drives it (restlessness, level, time of day). Quantiles of the misses
over that scale are split-conformal (Vovk et al. 2005; locally weighted as in Lei et al. 2018), over rolling origins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from policies.forecast.ridge import Pairs, emptied, rolling_fit, rolling_said

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray
    from policies.forecast.shape import Real, Units

LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
SCORED = (0.5, 0.9, 0.95, 0.99)
PLACES = np.array([LEVELS.index(level) for level in SCORED])
LEAST_MISS = 0.003  # in ln; smaller ones count as this
LEAST_PAIRS = 20.0  # before a block, without which nothing is said of it
THIN, THIN_MIDDLE = 20.0, 0.5  # independent misses that weigh as much as the prior
THIN_SCALE = 5.0
PRIOR_MISS, GROWTH = 0.06, 0.25
"""ln scale of the misses of a series nobody knows: PRIOR_MISS at a minute, growing with this power of the horizon: 0.17
at an hour, 0.37 at a day, 0.60 at a week."""

_ALPHA, _KEEP = 100.0, 0.9
PRIOR = 3.0 * ndtri(np.array(LEVELS))  # one and a half times the misses of a normal law, in units of the scale
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
    loss: FloatArray  # pinball at SCORED over all calibrated pairs, as a share of the row's scale [row]
    coverage: FloatArray  # at SCORED in the last block [row, scored]
    recent: FloatArray  # pinball at SCORED in the last block, likewise [row, scored]
    judged: FloatArray  # independent misses in the last block [row]


@dataclass(frozen=True, slots=True)
class Setting:
    """Of one horizon: how far ahead, in how many blocks, and which share of its pairs has targets of its own."""

    ahead_min: int
    blocks: int
    share: float


def band_of(misses: Misses, pairs: Pairs, units: Units, setting: Setting) -> Band:
    """Calibrate; `pairs.x` are the features of scale."""
    ahead_min, blocks, share = setting.ahead_min, setting.blocks, setting.share
    size = np.log(np.abs(misses.miss) + LEAST_MISS).astype(np.float32)
    independent = np.maximum(_independent(misses), share)
    sized = replace(pairs, y=size * misses.usable, known=misses.usable)
    spread, number = rolling_fit(_thinned(sized, pairs.known), blocks, alpha=_ALPHA, keep=_KEEP)
    usable = misses.usable & (number[:-1] >= LEAST_PAIRS).T[:, pairs.origin_block]
    flat = np.count_nonzero(usable, axis=1) * independent < LEAST_PAIRS
    usable = np.where(flat[:, np.newaxis], misses.usable, usable)
    count = independent * np.count_nonzero(usable, axis=1)
    middle = np.sum(size * misses.usable, axis=1) / np.maximum(np.count_nonzero(misses.usable, axis=1), 1)
    unsure = THIN_SCALE / (count + THIN_SCALE)
    middle = np.where(flat, (1 - unsure) * middle + unsure * np.log(PRIOR_MISS * ahead_min**GROWTH), middle)
    spread[:, flat] = 0
    spread[:, flat, 0] = middle[flat]
    width = width_of(rolling_said(sized, spread), middle)
    unit = np.where(usable, misses.miss / width, np.inf).astype(np.float32)
    newest = slice(int(np.searchsorted(pairs.origin_block, blocks - 1)), None)
    before = slice(0, int(np.searchsorted(pairs.target_block, blocks - 1)))
    earlier = blended(_quantiles(unit[:, before]), independent * np.count_nonzero(usable[:, before], axis=1))
    offset = blended(_quantiles(unit), count)
    over, _ = _beyond(misses, width, offset, units)
    lately, quantile = _beyond(_part(misses, newest), width[:, newest], earlier, units)
    within = lately <= np.float32(1e-6) * quantile
    return Band(
        spread=spread[-1],
        middle=middle,
        offset=offset,
        number=count,
        loss=_pinball(over, usable).sum(axis=1),
        coverage=_averaged(within, usable[:, newest]),
        recent=_pinball(lately, usable[:, newest]),
        judged=independent * np.count_nonzero(usable[:, newest], axis=1),
    )


def _independent(misses: Misses) -> FloatArray:
    """Which share of the misses counts as independent, `[row]`: (1 - r) / (1 + r) of neighbours' correlation r."""
    both = (misses.usable[:, 1:] & misses.usable[:, :-1]).astype(np.float32)
    before, after = misses.miss[:, :-1], misses.miss[:, 1:]
    square = np.einsum("rp,rp->r", before * before + after * after, both).astype(np.float64) / 2
    shared = np.einsum("rp,rp->r", before * after, both).astype(np.float64)
    r = np.clip(np.divide(shared, square, out=np.zeros_like(square), where=square > 0), 0.0, 1.0)
    share: FloatArray = (1 - r) / (1 + r)
    return share


def _thinned(pairs: Pairs, filled: BoolArray) -> Pairs:
    """Every other pair, which is plenty for a scale; features are 0 where a pair is not known (and not `filled`)."""
    part = slice(None, None, 2)
    x, known = pairs.x[:, :, part], pairs.known[:, part]
    x = np.ascontiguousarray(x)
    if not np.array_equal(known, filled[:, part]):
        emptied(x, known)
    return Pairs(x, pairs.y[:, part], known, pairs.origin_block[part], pairs.target_block[part])


def width_of(ln_scale: Real, middle: FloatArray) -> Real:
    """The scale of misses `[row, pair]` that its logarithm stands for, within reach of the row's usual one `[row]`."""
    usual = middle[:, np.newaxis].astype(np.float32)
    return np.exp(np.clip(ln_scale, usual - _REACH_LN, usual + _REACH_LN))


def blended(offset: FloatArray, number: FloatArray) -> FloatArray:
    """Measured offsets `[row, level]` mixed with the prior, by how many independent misses `[row]` there are.

    The spread is half measured, half prior at THIN of them; the middle, by which a trend shows, at THIN_MIDDLE.
    """
    measured: BoolArray = np.asarray(np.isfinite(offset).all(axis=1))
    found = np.where(measured[:, np.newaxis], offset, 0.0)
    middle = found[:, LEVELS.index(0.5), np.newaxis]
    spread = np.where(measured, number / (number + THIN), 0.0)[:, np.newaxis]
    place = np.where(measured, number / (number + THIN_MIDDLE), 0.0)[:, np.newaxis]
    mixed: FloatArray = place * middle + spread * (found - middle) + (1 - spread) * PRIOR
    return mixed


def _quantiles(unit: Real) -> FloatArray:
    """Order statistics `[row, level]`, the ceil((n + 1) q)-th of n; infinite entries do not count."""
    if unit.shape[1] == 0:
        return np.full((unit.shape[0], len(LEVELS)), np.nan)
    ordered = np.sort(unit, axis=1)
    count = np.count_nonzero(np.isfinite(unit), axis=1)[:, np.newaxis]
    rank = np.ceil((count + 1) * np.array(LEVELS) - 1e-9).astype(np.int64) - 1
    found = np.take_along_axis(ordered, np.clip(rank, 0, np.maximum(count - 1, 0)), axis=1)
    return np.where(count > 0, found, np.nan).astype(np.float64)


def _part(misses: Misses, chosen: slice) -> Misses:
    return Misses(
        said=misses.said[:, chosen],
        miss=misses.miss[:, chosen],
        usable=misses.usable[:, chosen],
        last=misses.last[:, chosen],
        value=misses.value[:, chosen],
    )


def _beyond(misses: Misses, width: Real, offset: FloatArray, units: Units) -> tuple[Real, Real]:
    """How far each value lies above the quantile, and the quantile, as shares of the scale, `[row, scored, pair]`."""
    z = width[:, np.newaxis] * offset[:, PLACES, np.newaxis].astype(np.float32)
    z += (misses.last + misses.said)[:, np.newaxis]
    scale = units.scale[:, np.newaxis]
    quantile = units.relative(z)
    np.minimum(quantile, _most(misses, scale), out=quantile)
    return (misses.value / scale).astype(np.float32)[:, np.newaxis] - quantile, quantile


def _pinball(over: Real, usable: BoolArray) -> FloatArray:
    """Means over the usable pairs of max(q over, (q - 1) over), which is q over - min(over, 0), `[row, scored]`."""
    return np.array(SCORED) * _averaged(over, usable) - _averaged(np.minimum(over, 0), usable)


def _most(misses: Misses, scale: FloatArray) -> Real:
    most = PEAKS * (misses.value.max(axis=1, initial=0)[:, np.newaxis] / scale)
    found: Real = most.astype(np.float32)[:, np.newaxis]
    return found


def _averaged(figure: Real | BoolArray, usable: BoolArray) -> FloatArray:
    """Means over the usable pairs, `[row, scored]`; 0 where there is none."""
    total = (figure @ usable.astype(np.float32)[:, :, np.newaxis])[:, :, 0].astype(np.float64)
    mean: FloatArray = total / np.maximum(np.count_nonzero(usable, axis=1), 1)[:, np.newaxis]
    return mean
