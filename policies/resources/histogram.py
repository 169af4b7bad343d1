"""Histograms of usage with decaying weights, one a container, as Kubernetes' vertical autoscaler keeps them.

Source: kubernetes/autoscaler, vertical-pod-autoscaler/pkg/recommender/util.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import FloatArray, IntArray, floats, integers

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKPOINT_WEIGHT = 10_000  # of the heaviest bucket
_MOST_HALF_LIVES = 100  # after which weights are told of a later time


class CheckpointError(ValueError):
    """A checkpoint that cannot be restored."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where buckets begin: evenly (`ratio` 1) or each `ratio` times as wide as the one before; a value's bucket."""

    first: float
    count: int
    ratio: float = 1.0
    epsilon: float = 1e-4  # a bucket with less weight is empty

    @classmethod
    def linear(cls, most: float, size: float, epsilon: float) -> Buckets:
        """Buckets of one size; what is above `most` belongs to the last."""
        return cls(size, math.ceil(most / size) + 1, epsilon=epsilon)

    @classmethod
    def exponential(cls, most: float, first: float, ratio: float, epsilon: float) -> Buckets:
        """Bucket n begins at first x (ratio^n - 1) / (ratio - 1): of 0.01 by 5 %, at 0, 0.01, 0.0205, 0.0315."""
        return cls(first, math.ceil(math.log(most * (ratio - 1) / first + 1) / math.log(ratio)) + 1, ratio, epsilon)

    def starts(self) -> FloatArray:
        """Lower edges, `[bucket]`."""
        at = np.arange(self.count, dtype=np.float64)
        if self.ratio == 1.0:
            return at * self.first
        return self.first * (self.ratio**at - 1.0) / (self.ratio - 1.0)

    def of(self, values: FloatArray) -> IntArray:
        """The bucket of each value, `[any]`."""
        values = np.maximum(values, 0.0)
        if self.ratio == 1.0:
            found = values / self.first
        else:
            found = np.log(values * (self.ratio - 1.0) / self.first + 1.0) / math.log(self.ratio)
        return np.where(values < self.first, 0, np.minimum(found, self.count - 1)).astype(np.int64)


CPU = Buckets.exponential(1000.0, 0.01, 1.05, 0.001 * 0.1)
MEMORY = Buckets.exponential(1e12, 1e7, 1.05, 0.001 * 0.1)


@dataclass(slots=True)
class Histograms:
    """Weights by bucket, `[container, bucket]`, as of each container's reference time. Written to by its methods."""

    buckets: Buckets
    half_life_s: float | None  # None: weights stay
    weights: FloatArray
    total: FloatArray
    least: IntArray  # first bucket that is not empty
    most: IntArray  # last one
    reference_s: FloatArray

    @classmethod
    def empty(cls, containers: int, buckets: Buckets, half_life_s: float | None) -> Histograms:
        """Nothing was seen of any container."""
        return cls(
            buckets,
            half_life_s,
            np.zeros((containers, buckets.count)),
            floats(containers),
            integers(containers, buckets.count - 1),
            integers(containers),
            floats(containers),
        )

    def add(self, rows: IntArray, values: FloatArray, weight: float, at_s: FloatArray) -> None:
        """Add a sample to each of these containers, which are all different."""
        weights = weight * self._factor(rows, at_s)
        bucket = self.buckets.of(values)
        self.weights[rows, bucket] += weights
        self.total[rows] += weights
        full = self.weights[rows, bucket] >= self.buckets.epsilon
        self.least[rows] = np.where(full, np.minimum(self.least[rows], bucket), self.least[rows])
        self.most[rows] = np.where(full, np.maximum(self.most[rows], bucket), self.most[rows])

    def subtract(self, rows: IntArray, values: FloatArray, weight: float, at_s: FloatArray) -> None:
        """Take a sample that was added away again; what is left below epsilon is nothing."""
        weights = weight * self._factor(rows, at_s)
        bucket = self.buckets.of(values)
        self.weights[rows, bucket] = self._left(self.weights[rows, bucket] - weights)
        self.total[rows] = self._left(self.total[rows] - weights)
        self._find_ends(rows)

    def is_empty(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Where nothing weighs anything, `[container]`."""
        return self.weights[np.arange(self.least.size), self.least] < self.buckets.epsilon

    def percentile(self, share: float) -> FloatArray:
        """The end of the bucket in which `share` of the weight is reached, `[container]`; 0 where empty.

        The last bucket has no end: there it is its start.
        """
        held = np.arange(self.buckets.count) >= self.least[:, None]
        sums = np.cumsum(np.where(held, self.weights, 0.0), axis=1)
        reached = held & (sums >= (share * self.total)[:, None])
        bucket = np.where(reached.any(axis=1), reached.argmax(axis=1), self.buckets.count)
        bucket = np.minimum(np.maximum(bucket, self.least), np.maximum(self.most, self.least))
        ends = self.buckets.starts()[np.minimum(bucket + 1, self.buckets.count - 1)]
        return np.where(self.is_empty(), 0.0, ends)

    def merge(self, other: Histograms) -> None:
        """Add another's weights, container by container, as of the later reference time of the two."""
        for one, reference_s in ((self, other.reference_s), (other, self.reference_s)):
            late = np.flatnonzero(one.reference_s < reference_s)
            one._shift(late, reference_s[late])  # noqa: SLF001 - of the same class
        self.weights += other.weights
        self.total += other.total
        self.least, self.most = np.minimum(self.least, other.least), np.maximum(self.most, other.most)

    def saved(self, row: int) -> tuple[float, dict[int, int]]:
        """A container's total weight, and whole weights of its buckets, of which the heaviest has 10,000."""
        ends = slice(int(self.least[row]), int(self.most[row]) + 1)
        held = self.weights[row, ends]
        heaviest = held.max(initial=0.0)
        if heaviest <= 0:
            return float(self.total[row]), {}
        whole = np.floor(held * (CHECKPOINT_WEIGHT / heaviest) + 0.5).astype(int)
        return float(self.total[row]), {ends.start + n: int(weight) for n, weight in enumerate(whole) if weight > 0}

    def restore(self, row: int, total: float, weights: Mapping[int, int], *, reference_s: float = 0.0) -> None:
        """Add what was saved to a container. Raises CheckpointError: negative weights, buckets that are not there."""
        for bucket, weight in weights.items():
            if not 0 <= bucket < self.buckets.count:
                raise CheckpointError(f"bucket {bucket} is none of 0 to {self.buckets.count - 1}")
            if weight < 0:
                raise CheckpointError(f"bucket {bucket} has the weight {weight}, which is below 0")
        if not total >= 0:
            raise CheckpointError(f"the total weight {total:g} is below 0")
        self.reference_s[row] = reference_s
        if not (whole := sum(weights.values())):
            return
        for bucket, weight in weights.items():
            self.weights[row, bucket] += weight * total / whole
        self.total[row] += total
        full = np.flatnonzero(self.weights[row] >= self.buckets.epsilon)
        if full.size:
            self.least[row], self.most[row] = full[0], full[-1]

    def _factor(self, rows: IntArray, at_s: FloatArray) -> FloatArray | float:
        if self.half_life_s is None:
            return 1.0
        latest_s = self.reference_s[rows] + self.half_life_s * _MOST_HALF_LIVES
        if (late := at_s > latest_s).any():
            lives = np.floor(at_s[late] / self.half_life_s + 0.5)
            self._shift(rows[late], lives * self.half_life_s)
        return np.asarray(2.0 ** ((at_s - self.reference_s[rows]) / self.half_life_s))

    def _shift(self, rows: IntArray, reference_s: FloatArray) -> None:
        """Tell weights as of other times, whole half-lives away."""
        if rows.size == 0 or self.half_life_s is None:
            return
        factor = 2.0 ** np.floor((self.reference_s[rows] - reference_s) / self.half_life_s + 0.5)
        self.reference_s[rows] = reference_s
        self.weights[rows] *= factor[:, None]
        self.total[rows] *= factor
        self._find_ends(rows)

    def _find_ends(self, rows: IntArray) -> None:
        full = self.weights[rows] >= self.buckets.epsilon
        some, last = full.any(axis=1), self.buckets.count - 1
        self.least[rows] = np.where(some, full.argmax(axis=1), last)
        self.most[rows] = np.where(some, last - full[:, ::-1].argmax(axis=1), 0)

    def _left(self, weights: FloatArray) -> FloatArray:
        return np.where(weights < self.buckets.epsilon, 0.0, weights)
