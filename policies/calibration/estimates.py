"""A number with its interval, and the variance of estimates whose errors are alike within blocks of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

CONFIDENCE = 0.95
LEAST_BLOCKS = 6
NEIGHBOURS = 0.5


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between the ends of its 95 % interval. An end that nothing seen bounds is None, as the estimate."""

    value: float | None
    low: float | None
    high: float | None


def clustered(breads: FloatArray, scores: FloatArray, block: IntArray) -> FloatArray:
    """The variance of an estimate, `[parameter, parameter]`, by leaving out one block after the other.

    `breads` are the derivatives of each window's score `[window, parameter, parameter]`, `scores` those of each window
    `[window, parameter]`. Errors within a block may be correlated in any way (the jackknife form of the clustered
    sandwich: Bell and McCaffrey 2002), and with half the weight those of neighbours (Bartlett's kernel).
    """
    blocks, parameters = int(block.max()) + 1, scores.shape[1]
    total = np.zeros((blocks, parameters))
    np.add.at(total, block, scores)
    bread = np.zeros((blocks, parameters, parameters))
    np.add.at(bread, block, breads)
    there = np.bincount(block, minlength=blocks) > 0
    moved = np.linalg.solve(bread.sum(axis=0) - bread[there], total[there][:, :, np.newaxis])[:, :, 0]
    count = moved.shape[0]
    near = NEIGHBOURS * (moved[1:].T @ moved[:-1])
    values, vectors = np.linalg.eigh(near + near.T)
    alike = (vectors * np.maximum(values, 0.0)) @ vectors.T  # neighbours that differ by chance make nothing surer
    return np.asarray((count - 1) / count * (moved.T @ moved + alike), np.float64)


def freedom(block: IntArray, weight: FloatArray, parameters: int) -> float:
    """Degrees of freedom: as many blocks as there would be if all weighed the same, less the parameters."""
    by_block = np.bincount(block, weight)
    effective = by_block.sum() ** 2 / max(float((by_block**2).sum()), 1e-300)
    return max(float(effective) - parameters, 1.0)


def spread(freedom_: float) -> float:
    """How many standard errors the interval reaches to either side."""
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom_))


def mean_interval(values: FloatArray, block: IntArray) -> Interval:
    """The mean of `[window]`, and its interval; without ends where there are fewer than three blocks."""
    mean = float(values.mean())
    if np.unique(block).size < 3:  # noqa: PLR2004 - two blocks tell nothing of how blocks differ
        return Interval(mean, None, None)
    variance = clustered(np.ones((values.size, 1, 1)), (values - mean)[:, np.newaxis], block)
    half = spread(freedom(block, np.ones(values.size), 1)) * float(variance[0, 0]) ** 0.5
    return Interval(mean, mean - half, mean + half)
