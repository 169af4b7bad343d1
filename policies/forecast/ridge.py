"""Ridge regressions of many rows at once, fitted again and again on what came before each block of a window.

Normal equations are summed over blocks of pairs, so that the fit before each block costs one more solve and not one
more pass. The result is that of `sklearn.linear_model.Ridge(alpha, fit_intercept=False)` on the same pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.forecast.shape import Real


_FEW = 0.1  # below this share it is quicker to set single pairs than all


@dataclass(frozen=True, slots=True)
class Pairs:
    """What was seen and what came of it, `[row, feature, pair]` and `[row, pair]`, in the order of time.

    Features of a pair that is not known are 0.
    """

    x: Real
    y: Real
    known: BoolArray  # whether both ends are
    origin_block: IntArray  # [pair], rising
    target_block: IntArray  # [pair], rising; of the same blocks of time

    @property
    def blocks(self) -> int:
        """How many blocks of time there are, with or without pairs."""
        return int(self.target_block[-1]) + 1 if self.target_block.size else 0


def emptied(x: Real, known: BoolArray) -> None:
    """Set the features of pairs that are not known to 0."""
    missing = known.size - np.count_nonzero(known)
    if missing > _FEW * known.size:
        x *= known[:, np.newaxis]
    elif missing:
        row, pair = np.nonzero(~known)
        x[row, :, pair] = 0


def rolling_fit(pairs: Pairs, blocks: int, *, alpha: float, keep: float) -> tuple[FloatArray, FloatArray]:
    """As `rolling_fits` of one alpha, without its axis."""
    coefficient, number = rolling_fits(pairs, blocks, alphas=(alpha,), keep=keep)
    return coefficient[0], number


def rolling_fits(pairs: Pairs, blocks: int, *, alphas: tuple[float, ...], keep: float) -> tuple[FloatArray, FloatArray]:
    """Coefficients `[alpha, block + 1, row, feature]` and the pairs behind each, `[block + 1, row]`.

    Those of block b are fitted on pairs whose target lies before block b; the last ones on all pairs. A pair counts
    `keep` times as much as one of the block after it.
    """
    rows, features, _ = pairs.x.shape
    gram: FloatArray = np.zeros((rows, features, features))
    moment: FloatArray = np.zeros((rows, features))
    count: FloatArray = np.zeros(rows)
    grams, moments = np.zeros((blocks, rows, features, features)), np.zeros((blocks, rows, features))
    number = np.zeros((blocks + 1, rows))
    edges = np.searchsorted(pairs.target_block, np.arange(blocks + 1))
    for block in range(blocks):
        part = slice(edges[block], edges[block + 1])
        if part.stop > part.start:
            x = pairs.x[:, :, part]
            gram = np.add(keep * gram, x @ x.transpose(0, 2, 1), dtype=np.float64)
            moment = np.add(keep * moment, (x @ pairs.y[:, part, np.newaxis])[:, :, 0], dtype=np.float64)
            count = keep * count + np.count_nonzero(pairs.known[:, part], axis=1)
        grams[block], moments[block], number[block + 1] = gram, moment, count
    coefficient = np.zeros((len(alphas), blocks + 1, rows, features))
    for place, alpha in enumerate(alphas):
        coefficient[place, 1:] = _solved(grams, moments, alpha)
    return coefficient, number


def rolling_said(pairs: Pairs, coefficient: FloatArray) -> Real:
    """What the fit before each pair's origin says of it, `[row, pair]`."""
    said = np.zeros(pairs.y.shape, np.float32)
    edges = np.searchsorted(pairs.origin_block, np.arange(coefficient.shape[0] + 1))
    for block in range(1, coefficient.shape[0]):
        part = slice(edges[block], edges[block + 1])
        if part.stop > part.start:
            said[:, part] = (coefficient[block].astype(np.float32)[:, np.newaxis] @ pairs.x[:, :, part])[:, 0]
    return said


def _solved(gram: FloatArray, moment: FloatArray, alpha: float) -> FloatArray:
    pulled = gram + alpha * np.eye(gram.shape[-1])
    return np.asarray(np.linalg.solve(pulled, moment[..., np.newaxis]), np.float64)[..., 0]
