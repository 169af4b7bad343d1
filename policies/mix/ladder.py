"""How many units to hold now when demand drifts: what is bought binds for a term, what is not can be bought later.

The n-th unit of demand is decided on its own: commit to it for one of the terms, or look again in two weeks. Its saving
depends on where n lies beside the level of demand, and that level walks. Which choice is worth most follows backwards
from a far horizon (optimal stopping by dynamic programming; Puterman 1994, Markov Decision Processes). So a unit is
bought where a term of it is worth more than what waiting may teach: early where demand grows or stays, late where it
shrinks or strays, for a short term where a long one is too bold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from policies.mix.commitments import Savings
from policies.mix.drift import Drift, drift_of

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.mix.commitments import Prices

REVIEW_WEEKS = 2
_SHAPE_WEEKS = 4  # from which the shape of a week is taken
_LEAST_KNOWN = 0.9  # of a week's hours, for the week to have a level
_HORIZON_TERMS = 2  # how far the reckoning looks, in longest terms
_REACH, _LAYERS = 1.6, 121  # units from 0.2 to 5 times what stationary demand would have, in steps of 2.7 %
_TRENDS = ((-np.sqrt(3.0), 1 / 6), (0.0, 2 / 3), (np.sqrt(3.0), 1 / 6))  # Gauss-Hermite: standard deviations, weights
_NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Holding:
    """What to hold now of each term, in units, `[term]`, and the drift that it rests on."""

    units: FloatArray
    drift: Drift


def hold_now(demand: FloatArray, prices: Prices) -> Holding:
    """Units of each term worth holding, from weeks of demand, `[week, hour]`, the newest last, NaN where not known.

    Buy what is missing, and ask again in two weeks. Raises ValueError where fewer than 8 of the last 53 weeks know nine
    tenths of their hours and have demand.
    """
    weekly = _weekly_mean(demand)
    drift = drift_of(weekly)
    return Holding(np.exp(drift.level) * worth_holding(_shape(demand, weekly, drift), drift, prices), drift)


def worth_holding(shape: FloatArray, drift: Drift, prices: Prices) -> FloatArray:
    """Units of each term over the level of demand, `[term]`, where the hours of a week are `shape` times the level."""
    savings = Savings.of(shape, prices)
    ratios = np.array([term.price for term in prices.terms]) / prices.on_demand
    middle = savings.worth(float(ratios.min(initial=1.0)))
    if middle <= 0:
        return np.zeros(ratios.size)
    layer = np.log(middle) + np.linspace(-_REACH, _REACH, _LAYERS)
    steps = np.array([max(1, round(term.weeks / REVIEW_WEEKS)) for term in prices.terms])
    offers = _Offers(layer, savings.at(np.exp(layer)), steps, ratios)
    choice = np.zeros((1 + ratios.size, _LAYERS))
    for deviations, weight in _TRENDS:
        choice += weight * offers.worth(drift.trend + deviations * drift.trend_sd, drift.spread)
    return _nested(layer, choice, steps)


def _weekly_mean(demand: FloatArray) -> FloatArray:
    known = np.isfinite(demand)
    hours = known.sum(axis=1)
    mean = np.where(known, demand, 0.0).sum(axis=1) / np.maximum(hours, 1)
    return np.where((hours >= _LEAST_KNOWN * demand.shape[1]) & (mean > 0), mean, np.nan)


def _shape(demand: FloatArray, weekly: FloatArray, drift: Drift) -> FloatArray:
    """Hours of the newest weeks that have a level, over the level that the drift gives those weeks, `[hour]`."""
    week = np.flatnonzero(np.isfinite(weekly))[-_SHAPE_WEEKS:]
    level = np.exp(drift.level - drift.trend * (weekly.size - 1 - week))
    shape: FloatArray = (demand[week] / level[:, np.newaxis]).ravel()
    return shape[np.isfinite(shape)]


@dataclass(frozen=True, slots=True)
class _Offers:
    """Layers of demand by the logarithm of n over the level, what each saves, and the terms on offer."""

    layer: FloatArray  # [layer]
    saved: FloatArray  # of the on-demand price, [layer]
    steps: IntArray  # length of each term in reviews, [term]
    ratios: FloatArray  # price of each term over on-demand, [term]

    def worth(self, trend: float, spread: float) -> FloatArray:
        """What waiting and each term are worth from now on, in on-demand unit-hours a review, `[1 + term, layer]`.

        Terms that reach behind the horizon are paid and used up to it.
        """
        walk = self._walk(trend * REVIEW_WEEKS, spread * np.sqrt(REVIEW_WEEKS))
        longest = int(self.steps.max())
        horizon = _HORIZON_TERMS * longest
        saved = np.zeros((longest + 1, self.layer.size))  # by so many reviews from now on
        for review in range(longest):
            saved[review + 1] = self.saved + walk @ saved[review]
        through = [np.linalg.matrix_power(walk, int(steps)) for steps in self.steps]
        ahead = np.zeros((horizon + longest + 1, self.layer.size))
        choice = np.zeros((1 + self.steps.size, self.layer.size))
        for review in range(horizon - 1, -1, -1):
            choice[0] = walk @ ahead[review + 1]
            for row, steps in enumerate(self.steps, 1):
                paid = min(int(steps), horizon - review)
                later = through[row - 1] @ ahead[review + int(steps)]
                choice[row] = saved[paid] - paid * self.ratios[row - 1] + later
            ahead[review] = choice.max(axis=0)
        return choice

    def _walk(self, trend: float, spread: float) -> FloatArray:
        """Where a layer lies after a review, `[layer, layer]`: demand that grows carries it down; edges hold."""
        between = (self.layer[1:] + self.layer[:-1]) / 2
        below = ndtr((between - (self.layer[:, np.newaxis] - trend)) / spread)
        ends = np.zeros((self.layer.size, 1))
        walk: FloatArray = np.diff(below, axis=1, prepend=ends, append=ends + 1)
        return walk


def _nested(layer: FloatArray, choice: FloatArray, steps: IntArray) -> FloatArray:
    """Units of each term, `[term]`: the lowest layers for the longest, and so on up."""
    units, taken = np.zeros(steps.size), 0.0
    order = np.argsort(-steps, kind="stable")
    for place, term in enumerate(order):
        gain = choice[1 + order[: place + 1]].max(axis=0) - choice[[0, *(1 + order[place + 1 :])]].max(axis=0)
        upto = max(taken, _upto(layer, gain))
        units[term], taken = upto - taken, upto
    return units


def _upto(layer: FloatArray, gain: FloatArray) -> float:
    """Up to where layers gain, from the lowest on, as a number of units; between two layers, by the gain of both."""
    gains = gain > _NOTHING
    if gains.all():
        return float(np.exp(layer[-1]))
    first = int(np.argmin(gains))
    if first == 0:
        return 0.0
    inside, outside = gain[first - 1], min(gain[first], 0.0)
    return float(np.exp(layer[first - 1] + (layer[1] - layer[0]) * inside / (inside - outside)))
