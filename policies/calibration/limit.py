"""The serving limit: the largest load per replica at which no more than a share of events is later than an objective.

The share that is late is regressed on the load near where it crosses what may be late: a probit with a bend, by
quasi-likelihood with more variance than a binomial has. The interval is the set of loads at which the share may be
what is allowed, by variances that let windows of one block be alike (inverse regression; Fieller 1954).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from policies.calibration.estimates import LEAST_BLOCKS, Interval, clustered, freedom, spread

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray

_TOP = 10  # windows at or above what counts as the highest load seen
_WIDEST, _NARROWEST = 0.4, 0.06  # logarithm of the load on either side of the limit
_LEAST_WINDOWS = 40
_ROUNDS = 6
_SAME = 1e-3  # of the load: nearer than that, another round changes nothing
_GRID = 400
_MIDDLE = 0.5  # of the reach on either side, where the share that is late must rise
_RIDGE = 1e-3
_MOST_ETA = 6.0
_MOST_STEPS, _LOOKS, _STILL = 60, (5, 10, 15), 1e-7  # looks at the variance of windows


@dataclass(frozen=True, slots=True)
class Late:
    """Events and late ones in each window by the load per replica, `[window]`."""

    load: FloatArray
    events: FloatArray
    late: FloatArray
    block: IntArray

    def part(self, rows: BoolArray) -> Late:
        """Some of the windows."""
        return Late(self.load[rows], self.events[rows], self.late[rows], self.block[rows])

    @property
    def highest(self) -> float:
        """The highest load that enough windows had."""
        return float(np.sort(self.load)[-min(_TOP, self.load.size)])

    @property
    def lowest(self) -> float:
        """The lowest load that enough windows had."""
        return float(np.sort(self.load)[min(_TOP, self.load.size) - 1])


@dataclass(frozen=True, slots=True)
class Limit:
    """Where the limit lies. Without `value` it was not seen: above `low`, or below `high`, or nobody can tell."""

    interval: Interval
    highest: float  # load that was seen per replica
    late_at_highest: float  # share that was late at the highest loads
    windows: int  # that speak of it


def limit_of(late: Late, allowed: float) -> Limit:
    """The largest load at which no more than the share `allowed` is late, by what was seen."""
    late = late.part((late.events > 0) & (late.load > 0))
    if late.load.size < _LEAST_WINDOWS or np.unique(late.block).size < LEAST_BLOCKS:
        highest = late.highest if late.load.size else 0.0
        return Limit(Interval(None, None, None), highest, _share_at_top(late), late.load.size)
    try:
        found, windows = _found(late, allowed)
    except np.linalg.LinAlgError:  # all that tells it lies in one stretch of time
        found, windows = Interval(None, None, None), late.load.size
    return Limit(found, late.highest, _share_at_top(late), windows)


def _found(late: Late, allowed: float) -> tuple[Interval, int]:
    centre, reach = _about(late, allowed)
    found, windows = Interval(None, None, None), 0
    for _ in range(_ROUNDS):
        found, windows = _near(late, allowed, centre, reach)
        moved = _next(late, found, centre, reach)
        if abs(moved / centre - 1) < _SAME:
            break
        centre = moved
    return found, windows


def _next(late: Late, found: Interval, centre: float, reach: float) -> float:
    """Where to look next: at the crossing, or further down where all that was near is late already."""
    if found.value is not None:
        return found.value
    return centre if found.low is not None else max(late.lowest, centre * float(np.exp(-reach)))


def _share_at_top(late: Late) -> float:
    top = late.load >= late.highest if late.load.size else np.zeros(0, np.bool_)
    return float(late.late[top].sum() / max(late.events[top].sum(), 1e-300))


def _about(late: Late, allowed: float) -> tuple[float, float]:
    """About where the crossing is, and how far around it to look: from a tenth of what is allowed to most of all."""
    order = np.argsort(late.load)
    load = late.load[order]
    rising = IsotonicRegression().fit(load, (late.late / late.events)[order], sample_weight=late.events[order])
    share = np.asarray(rising.predict(load), np.float64)

    def at(level: float) -> float:
        return float(load[min(int(np.searchsorted(share, level, side="right")), load.size - 1)])

    centre = float(np.clip(at(allowed), late.lowest, late.highest))
    below, above = at(allowed / 10), at(min(10 * allowed, 0.8))
    reach = 1.5 * max(np.log(centre / below), np.log(above / centre))
    return centre, float(np.clip(reach, _NARROWEST, _WIDEST))


def _near(late: Late, allowed: float, centre: float, reach: float) -> tuple[Interval, int]:
    """The crossing by the windows around `centre`, and how many these are."""
    away = np.log(late.load / centre)
    near = np.abs(away) < reach
    while (near.sum() < _LEAST_WINDOWS or np.unique(late.block[near]).size < LEAST_BLOCKS) and not near.all():
        reach *= 1.3
        near = np.abs(away) < reach
    part, place = late.part(near), away[near] / reach
    kernel = (1 - np.abs(place) ** 3) ** 3  # tricube
    top = min(float(np.log(late.highest / centre)) / reach, float(place.max()))
    grid = np.linspace(max(float(place.min()), -1.0), top, _GRID)
    fitted = _fitted(part, place, kernel, 2)
    slope = fitted.beta[1] + 2 * fitted.beta[2] * grid[np.abs(grid) <= _MIDDLE]
    if (slope <= 0).any():
        fitted = _fitted(part, place, kernel, 1)
    return _crossing(fitted, grid, float(stats.norm.ppf(allowed)), (centre, reach)), int(near.sum())


@dataclass(frozen=True, slots=True)
class _Fitted:
    beta: FloatArray
    covariance: FloatArray
    freedom: float

    def at(self, place: FloatArray) -> FloatArray:
        return np.asarray(_powers(place, self.beta.size - 1) @ self.beta, np.float64)

    def error(self, place: FloatArray) -> FloatArray:
        design = _powers(place, self.beta.size - 1)
        return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design)), np.float64)


def _crossing(fitted: _Fitted, grid: FloatArray, level: float, scale: tuple[float, float]) -> Interval:
    """Where the fitted share passes the level for good, on a grid of places; `scale` makes a load of a place."""
    centre, reach = scale
    middle, half = fitted.at(grid), spread(fitted.freedom) * fitted.error(grid)
    value, low, high = (_passes(grid, line, level) for line in (middle, middle + half, middle - half))
    first = float(grid[0])

    def load(place: float) -> float:
        return centre * float(np.exp(reach * place))

    return Interval(  # what is passed at the lowest load already lies below it
        value=load(value) if first < value < np.inf else None,
        low=load(min(low, float(grid[-1]))) if low > first else None,
        high=load(high) if high < np.inf else None,
    )


def _passes(grid: FloatArray, line: FloatArray, level: float) -> float:
    """The place from which on a line stays above the level; infinite where it does not end above it."""
    below = np.flatnonzero(line <= level)
    if not below.size:
        return float(grid[0])
    left = int(below[-1])
    if left == grid.size - 1:
        return float("inf")
    part = (level - line[left]) / (line[left + 1] - line[left])
    return float(grid[left] + part * (grid[left + 1] - grid[left]))


def _powers(values: FloatArray, degree: int) -> FloatArray:
    return np.vander(values, degree + 1, increasing=True)


def _fitted(part: Late, place: FloatArray, kernel: FloatArray, degree: int) -> _Fitted:
    """A probit by iterated least squares; windows vary by more than a binomial does (Williams 1982)."""
    design, share = _powers(place, degree), part.late / part.events
    penalty = np.diag([0.0] + [_RIDGE] * degree)
    beta, own = np.zeros(degree + 1), 0.0
    beta[0] = stats.norm.ppf(np.clip(float((kernel * share).sum() / kernel.sum()), 1e-4, 1 - 1e-4))
    for step in range(_MOST_STEPS):
        p, breads, scores = _scored(design, beta, kernel, (share, 1 / part.events + own))
        move = np.linalg.solve(breads.sum(axis=0) + penalty, scores.sum(axis=0) - penalty @ beta)
        beta = beta + move / max(1.0, float(np.abs(move).max()))
        if step in _LOOKS:
            own = _own_variance(share, p, part.events, kernel)
        elif step > max(_LOOKS) and np.abs(move).max() < _STILL:
            break
    _, breads, scores = _scored(design, beta, kernel, (share, 1 / part.events + own))
    return _Fitted(beta, clustered(breads, scores, part.block), freedom(part.block, kernel, degree + 1))


def _scored(
    design: FloatArray, beta: FloatArray, kernel: FloatArray, seen: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The share that is expected, and the derivatives and scores of each window; `seen` are shares and variances."""
    share, variance = seen
    eta = np.clip(design @ beta, -_MOST_ETA, _MOST_ETA)
    p, density = stats.norm.cdf(eta), stats.norm.pdf(eta)
    factor = kernel * density / (p * (1 - p) * variance)
    breads = (design * (factor * density)[:, np.newaxis])[:, :, np.newaxis] * design[:, np.newaxis, :]
    return p, breads, design * (factor * (share - p))[:, np.newaxis]


def _own_variance(share: FloatArray, p: FloatArray, events: FloatArray, kernel: FloatArray) -> float:
    """Variance that windows have besides the binomial's, in its unit p (1 - p), by moments."""
    excess = kernel * ((share - p) ** 2 - p * (1 - p) / events)
    return float(np.clip(excess.sum() / (kernel * p * (1 - p)).sum(), 0.0, 1.0))
