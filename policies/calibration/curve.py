"""The latency curve: affine in how many requests are under way per replica, and what it says of throughput.

Latency is a + c n with n under way, as a step of a batch takes a fixed time and some for each request in it, and as the
response of shared processors grows. By Little's law n is throughput times latency, so latency at throughput y is
a / (1 - c y), and 1 / c is what throughput tends to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from policies.calibration.estimates import LEAST_BLOCKS, Interval, clustered, freedom, spread

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

_PASSES = 4
_LEAST_RANGE = 1.2  # of throughput, 95th percentile over 5th
_STEEPEST = 0.98  # of 1 / c, where weights are taken from the curve
_BURSTS = 2.0
_BENT, _BENT_P = 0.03, 0.001  # a bend counts from this share of the latency on, and when chance hardly makes it


@dataclass(frozen=True, slots=True)
class Flow:
    """Throughput and requests under way per replica, `[window]`, all above 0."""

    per_s: FloatArray
    under_way: FloatArray
    events: FloatArray  # in the window
    block: IntArray

    @property
    def latency_s(self) -> FloatArray:
        """The mean latency, by Little's law."""
        return self.under_way / self.per_s


@dataclass(frozen=True, slots=True)
class Curve:
    """A fitted curve: `base_s` + `each_s` n, with the covariance of the two."""

    base_s: float
    each_s: float
    covariance: FloatArray
    freedom: float
    under_way: tuple[float, float]  # least and most that was seen: 1st and 99th percentile
    bent: bool  # the latency is not affine within that range

    def latency_s(self, under_way: float) -> Interval:
        """The mean latency with so many under way per replica."""
        value_s, half_s = self.base_s + self.each_s * under_way, self._half(np.array([1.0, under_way]))
        return Interval(value_s, value_s - half_s, value_s + half_s)

    def base(self) -> Interval:
        """The latency of a request alone, less its own share.

        What is under way varies within a window, and more requests see the larger numbers: by their variance over their
        mean, 1 for arrivals at random, more in bursts. The lower end leaves room for that.
        """
        half_s = self._half(np.array([1.0, 0.0]))
        low_s = self.base_s - half_s - _BURSTS * max(self.each_s, 0.0)
        return Interval(self.base_s, max(low_s, 0.0), self.base_s + half_s)

    def each(self) -> Interval:
        """What each request under way adds; the upper end leaves room for bursts that are seen at low loads alone."""
        half_s = self._half(np.array([0.0, 1.0]))
        few, many = self.under_way
        more = _BURSTS * self.base_s / (self.base_s + max(self.each_s, 0.0) * few)  # requests seen above the mean
        room_s = max(self.each_s, 0.0) * more / max(many - few, 1e-9)
        return Interval(self.each_s, self.each_s - half_s, self.each_s + half_s + room_s)

    def most_per_s(self) -> Interval:
        """What throughput per replica tends to with more and more under way, 1 / c; without an end where c may be 0."""
        low, high = self.each().low, self.each().high
        if self.each_s <= 0 or low is None or high is None:
            return Interval(None, None, None)
        return Interval(1 / self.each_s, 1 / high, 1 / low if low > 0 else None)

    def _half(self, of: FloatArray) -> float:
        return spread(self.freedom) * math.sqrt(max(float(of @ self.covariance @ of), 0.0))


def fit_curve(flow: Flow) -> Curve | str:
    """The curve that a workload's windows tell, or why they tell none.

    Latency and requests under way hold the same error (one is the other times the throughput), so the fit is by
    instrumental variables, with the throughput as instrument; windows weigh by relative errors.
    """
    if np.unique(flow.block).size < LEAST_BLOCKS:
        return f"only {flow.block.size} windows can be used"
    low, high = np.quantile(flow.per_s, [0.05, 0.95])
    if high < _LEAST_RANGE * low:
        return f"throughput hardly varied ({low:.4g} to {high:.4g} a second per replica)"
    try:
        return _fitted(flow)
    except np.linalg.LinAlgError:
        return "all that tells it lies in one stretch of time"


def _fitted(flow: Flow) -> Curve | str:
    weight = _weights(flow, flow.latency_s)
    base_s, each_s = 0.0, 0.0
    for _ in range(_PASSES):
        base_s, each_s = _solved(flow, weight, 1)
        slowed = np.clip(1 - each_s * flow.per_s, 1 - _STEEPEST, None)
        weight = _weights(flow, max(base_s, 1e-12) / slowed)
    if base_s <= 0:
        return "latency does not grow with throughput as on a server that shares its time"
    covariance, free = _covariance(flow, weight, np.array([base_s, each_s]))
    low, high = np.quantile(flow.under_way, [0.01, 0.99])
    return Curve(base_s, each_s, covariance, free, (float(low), float(high)), _bent(flow, weight))


def _weights(flow: Flow, latency_s: FloatArray) -> FloatArray:
    usual = float(np.median(flow.events))
    return np.asarray(flow.events / (flow.events + usual) / latency_s**2, np.float64)


def _powers(values: FloatArray, degree: int) -> FloatArray:
    return np.vander(values, degree + 1, increasing=True)


def _solved(flow: Flow, weight: FloatArray, degree: int) -> FloatArray:
    instruments = _powers(flow.per_s, degree) * weight[:, np.newaxis]
    return np.asarray(
        np.linalg.solve(instruments.T @ _powers(flow.under_way, degree), instruments.T @ flow.latency_s), np.float64
    )


def _covariance(flow: Flow, weight: FloatArray, found: FloatArray) -> tuple[FloatArray, float]:
    degree = found.size - 1
    design, instruments = _powers(flow.under_way, degree), _powers(flow.per_s, degree) * weight[:, np.newaxis]
    misses = flow.latency_s - design @ found
    breads = _outer(instruments, design)
    covariance = clustered(breads, instruments * misses[:, np.newaxis], flow.block)
    leverage = np.einsum("ijk,kj->i", breads, np.linalg.inv(breads.sum(axis=0)))
    return covariance, freedom(flow.block, leverage, found.size)


def _outer(left: FloatArray, right: FloatArray) -> FloatArray:
    return left[:, :, np.newaxis] * right[:, np.newaxis, :]


def _bent(flow: Flow, weight: FloatArray) -> bool:
    """Whether a quadratic term is beyond chance, and makes out a share of the latency that matters."""
    size = float(np.quantile(flow.under_way, 0.99))
    scaled = Flow(flow.per_s / flow.per_s.max(), flow.under_way / size, flow.events, flow.block)
    latency_s = flow.latency_s
    design, instruments = _powers(scaled.under_way, 2), _powers(scaled.per_s, 2) * weight[:, np.newaxis]
    found = np.linalg.solve(instruments.T @ design, instruments.T @ latency_s)
    misses = latency_s - design @ found
    covariance = clustered(_outer(instruments, design), instruments * misses[:, np.newaxis], flow.block)
    error = float(covariance[2, 2]) ** 0.5
    sagitta = abs(float(found[2])) / 4  # how far the middle of the range is off the straight line
    chance = 2 * stats.t.sf(abs(float(found[2])) / max(error, 1e-300), freedom(flow.block, weight * latency_s**2, 3))
    return bool(sagitta > _BENT * float(np.median(latency_s)) and chance < _BENT_P)
