"""Fewer points for a plot, with every extreme kept."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

MOST_POINTS = 1000


def thinned(value: FloatArray, *, most: int = MOST_POINTS) -> IntArray:
    """Indices of at most `most` points of `value` `[point]`: of each stretch the least and the greatest, in order.

    A stretch of missing values keeps one missing point, so that a gap stays a gap.
    """
    if value.size <= most:
        return np.arange(value.size)
    edges = np.linspace(0, value.size, most // 2 + 1).astype(np.int64)
    kept = [index for first, last in pairwise(edges.tolist()) for index in _extremes(value, first, last)]
    return np.array(kept, np.int64)


def _extremes(value: FloatArray, first: int, last: int) -> list[int]:
    part = value[first:last]
    missing = np.isnan(part)
    if missing.all():
        return [first]
    least, greatest = int(np.nanargmin(part)), int(np.nanargmax(part))
    kept = {first + least, first + greatest}
    if missing.any():
        kept.add(first + int(np.argmax(missing)))
    return sorted(kept)[:3]
