"""The lead-time models: a mean and a scale per lane, learned from every step by recursive least squares.

Two means are learned from the same features: of the largest load until an order made now serves (what must stay up),
and of the load at that time (what such an order can still serve). The scale is that of the misses of each.
Recursive least squares with forgetting as in Ljung, "System Identification", 2nd ed., section 11.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import BoolArray, FloatArray
from policies.compiled import compiled
from policies.forecast.nearby import LONGEST_LEAD, MEAN_FEATURES, SCALE_FEATURES, STEPS_A_DAY

if TYPE_CHECKING:
    from policies.arrays import IntArray
    from policies.forecast.nearby import Lead, Shape

TARGETS = 2  # the largest until then, the value then
HALF_LIFE_STEPS = 3.0 * STEPS_A_DAY  # one day blows up on some loads, seven are no better
CLIP_SCALES = 1.5  # an innovation counts for so many scales at most: a jump must not swing the coefficients,
CLIP_LEAST, CLIP_MOST = 0.05, 0.5  # between these
SCALE_LEAST, SCALE_MOST = 0.002, 1.0
MEAN_MOST = 2.0
UNUSUAL = 4.0  # times as far from what was learned as usual, squared: beyond, a mean below the base counts for less
_SCALE_CLIP = 3.0
_TINY = 0.003
_MOST = 30.0  # of a coefficient, either way
_WIND_UP = 2.0  # the gain stops growing at so many times its first trace
_RING = 128  # forecasts remembered until their targets are known: more than the longest lead and lag


@dataclass(frozen=True, slots=True)
class Models:
    """Coefficients and gains of each lane, and the forecasts whose targets are not known yet (a ring by sample)."""

    mean: FloatArray  # [lane, target, feature]
    mean_gain: FloatArray  # [lane, feature, feature]
    scale: FloatArray  # [lane, target, feature]
    scale_gain: FloatArray  # [lane, feature, feature]
    told: FloatArray  # mean, then scale, of each target [lane, ring, 2 * target]
    steps: IntArray  # [lane]

    @classmethod
    def empty(cls, lanes: int) -> Models:
        """Models that have learned nothing: the load stays as it is, its scale that of the last hour."""
        return cls(
            np.zeros((lanes, TARGETS, MEAN_FEATURES)),
            np.broadcast_to(np.eye(MEAN_FEATURES), (lanes, MEAN_FEATURES, MEAN_FEATURES)).copy(),
            np.zeros((lanes, TARGETS, SCALE_FEATURES)),
            np.broadcast_to(np.eye(SCALE_FEATURES), (lanes, SCALE_FEATURES, SCALE_FEATURES)).copy(),
            np.zeros((lanes, _RING, 2 * TARGETS)),
            np.zeros(lanes, np.int64),
        )

    def copied(self) -> Models:
        """Arrays of its own, to be written to."""
        names = ("mean", "mean_gain", "scale", "scale_gain", "told", "steps")
        return Models(*(getattr(self, name).copy() for name in names))


def forecasts(models: Models, shape: Shape, lead: Lead, *, learned: BoolArray) -> FloatArray:
    """Mean above the base and scale of each target at each step, `[lane, step, 2 * target]`; `models` written in place.

    The order is mean of the largest, mean of the last, and their scales. Lanes where `learned` is False have a mean
    of 0 and learn a scale alone: the reactive rule.
    """
    lanes, steps = shape.base.shape
    told = np.zeros((lanes, steps, 2 * TARGETS))
    columns = (models.mean, models.mean_gain, models.scale, models.scale_gain, models.told, models.steps)
    _forecasts(columns, shape, lead, learned, told)
    return told


_Columns = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, "IntArray"]


@compiled
def _forecasts(models: _Columns, shape: Shape, lead: Lead, learned: BoolArray, told: FloatArray) -> None:
    mean, mean_gain, scale, scale_gain, ring, count = models
    target = np.zeros(TARGETS)
    for lane in range(told.shape[0]):
        behind = lead.startup[lane] + lead.lag[lane]
        for step in range(told.shape[1]):
            n = count[lane]
            if shape.learn[lane, step] and n > behind and behind <= LONGEST_LEAD + lead.lag[lane]:
                target[0], target[1] = shape.largest[lane, step], shape.last[lane, step]
                then = ring[lane, (n - behind) % _RING]
                mean_then, scale_then = shape.mean_then[lane, step], shape.scale_then[lane, step]
                if learned[lane]:
                    _mean_learned(mean[lane], mean_gain[lane], mean_then, target, then)
                _scale_learned(
                    scale[lane], scale_gain[lane], scale_then, target, then, math.sqrt(1.0 + lead.startup[lane])
                )
            far = -1.0
            for which in range(TARGETS):
                ahead = 0.0
                if learned[lane]:
                    for feature in range(MEAN_FEATURES):
                        ahead += mean[lane, which, feature] * shape.mean[lane, step, feature]
                if ahead < 0.0:
                    far = _far(mean_gain[lane], shape.mean[lane, step]) if far < 0.0 else far
                    ahead /= math.sqrt(max(far / UNUSUAL, 1.0))  # so that no NaN comes of it
                size = _usual(shape.scale[lane, step], math.sqrt(1.0 + lead.startup[lane]))
                for feature in range(SCALE_FEATURES):
                    size += scale[lane, which, feature] * shape.scale[lane, step, feature]
                told[lane, step, which] = min(max(ahead, -MEAN_MOST), MEAN_MOST)
                told[lane, step, TARGETS + which] = min(max(math.exp(size), SCALE_LEAST), SCALE_MOST)
            ring[lane, n % _RING] = told[lane, step]
            count[lane] += 1


@compiled
def _far(gain: FloatArray, features: FloatArray) -> float:
    """How far features are from those that were learned of, growing with the square: 1 for usual ones, or less.

    Less where features were so quiet for long that forgetting has stopped.
    """
    total = 0.0
    for row in range(features.size):
        along = 0.0
        for column in range(features.size):
            along += gain[row, column] * features[column]
        total += features[row] * along
    return float(total / (features.size * (1.0 - 0.5 ** (1.0 / HALF_LIFE_STEPS))))


@compiled
def _usual(features: FloatArray, spread: float) -> float:
    """Log scale before anything is learned: the mean change of the last hour, spread over the start-up like a walk."""
    return float(features[2] - 3.0 + math.log(spread) - 0.5)


@compiled
def _gained(gain: FloatArray, features: FloatArray, forget: float) -> FloatArray:
    """The gain after these features, in place, and the step along which coefficients move per unit of innovation.

    A gain that rounding has made indefinite begins anew; it is kept symmetric, so that this is rare.
    """
    size = features.size
    along = np.zeros(size)
    weight = forget
    for row in range(size):
        total = 0.0
        for column in range(size):
            total += gain[row, column] * features[column]
        along[row] = total
        weight += features[row] * total
    if not weight >= forget:
        gain[:] = np.eye(size)
        return np.zeros(size)
    trace = 0.0
    for row in range(size):
        share = along[row] / weight
        for column in range(row, size):
            gain[row, column] -= share * along[column]
            gain[column, row] = gain[row, column]
        trace += gain[row, row]
    if trace < _WIND_UP * size:
        for row in range(size):
            for column in range(size):
                gain[row, column] /= forget
    return along / weight


@compiled
def _mean_learned(
    mean: FloatArray, gain: FloatArray, features: FloatArray, target: FloatArray, then: FloatArray
) -> None:
    move = _gained(gain, features, 0.5 ** (1.0 / HALF_LIFE_STEPS))
    for which in range(TARGETS):
        miss = target[which]
        for feature in range(MEAN_FEATURES):
            miss -= mean[which, feature] * features[feature]
        most = min(max(CLIP_SCALES * then[TARGETS + which], CLIP_LEAST), CLIP_MOST)
        miss = min(max(miss, -most), most)
        for feature in range(MEAN_FEATURES):
            mean[which, feature] = min(max(mean[which, feature] + move[feature] * miss, -_MOST), _MOST)


@compiled
def _scale_learned(  # noqa: PLR0913 - compiled code takes columns
    scale: FloatArray, gain: FloatArray, features: FloatArray, target: FloatArray, then: FloatArray, spread: float
) -> None:
    move = _gained(gain, features, 0.5 ** (1.0 / HALF_LIFE_STEPS))
    for which in range(TARGETS):
        miss = math.log(abs(target[which] - then[which]) + _TINY) - _usual(features, spread)
        for feature in range(SCALE_FEATURES):
            miss -= scale[which, feature] * features[feature]
        miss = min(max(miss, -_SCALE_CLIP), _SCALE_CLIP)
        for feature in range(SCALE_FEATURES):
            scale[which, feature] = min(max(scale[which, feature] + move[feature] * miss, -_MOST), _MOST)
