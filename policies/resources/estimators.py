"""Estimators of a request that wrap each other: a percentile, a margin, more of it for young containers, a minimum.

Source: kubernetes/autoscaler, vertical-pod-autoscaler/pkg/recommender/logic/estimator.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from policies.resources.amounts import amounts_of, scaled

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.resources.histogram import Histograms

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one resource of each container, and how long and how often."""

    histograms: Histograms
    amounts_per_unit: float  # 1000 for cores, 1 for bytes
    confidence: FloatArray  # `[container]`


class Estimator(Protocol):
    """Amounts, `[container]`."""

    def __call__(self, seen: Seen) -> IntArray:
        """What to request of the resource."""


@dataclass(frozen=True, slots=True)
class Percentile:
    """The end of the bucket that a share of the weight reaches."""

    share: float

    def __call__(self, seen: Seen) -> IntArray:
        """See Estimator."""
        return amounts_of(seen.histograms.percentile(self.share) * seen.amounts_per_unit)


@dataclass(frozen=True, slots=True)
class Margin:
    """More by a fraction: 3140 and 10 % are 3454."""

    inner: Estimator
    fraction: float

    def __call__(self, seen: Seen) -> IntArray:
        """See Estimator."""
        base = self.inner(seen)
        return base + scaled(base, self.fraction)


@dataclass(frozen=True, slots=True)
class WhileYoung:
    """Scaled by (1 + multiplier / confidence)^exponent.

    Multiplier 1, exponent 1: x3 after 12 hours, x2 after a day, x1.14 after a week. 0.001 and -2: x0.91 after half an
    hour, x0.998 after a day. Without confidence it is the largest amount, or none.
    """

    inner: Estimator
    multiplier: float
    exponent: float

    def __call__(self, seen: Seen) -> IntArray:
        """See Estimator."""
        return widened(self.inner(seen), seen.confidence, self.multiplier, self.exponent)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """No less than so much, `[container]` or the same for all."""

    inner: Estimator
    amounts: IntArray | int

    def __call__(self, seen: Seen) -> IntArray:
        """See Estimator."""
        return np.maximum(self.inner(seen), self.amounts)


def confidence_of(lifespan_s: FloatArray, samples: IntArray, interval_s: float) -> FloatArray:
    """Intervals of history, by the time it spans and by samples of one a minute, whichever is less, `[container]`.

    With a day as interval, 9 samples two minutes apart are min(960 s / 86400 s, 9 / 1440) = 0.00625.
    """
    return np.asarray(np.minimum(lifespan_s / interval_s, samples / (interval_s / MINUTE_S)), np.float64)


def widened(amounts: IntArray, confidence: FloatArray, multiplier: float, exponent: float) -> IntArray:
    """Amounts as WhileYoung scales them, `[container]`."""
    with np.errstate(divide="ignore", over="ignore"):
        return scaled(amounts, (1.0 + multiplier / np.asarray(confidence, np.float64)) ** exponent)


def pod_minimum(amount: float, containers: IntArray) -> IntArray:
    """A pod's minimum shared evenly by its containers, `[container]`: 25 thousandths of a core by two are 12."""
    return scaled(amounts_of(np.asarray(amount)), 1.0 / np.asarray(containers, np.float64))
