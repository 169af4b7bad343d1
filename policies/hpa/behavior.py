"""Stabilisation windows, rate policies and limits, for all lanes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.codes import Code, Select

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray, SmallArray
    from policies.behaviors import Behavior, Direction, Rates
    from policies.log import Log
    from policies.model import Limits

INT32_MAX = 2**31 - 1


class Limited(Code):
    """What bound a count, as the status condition ScalingLimited names it."""

    DESIRED_WITHIN_RANGE = 0
    TOO_FEW_REPLICAS = 1
    TOO_MANY_REPLICAS = 2
    SCALE_UP_LIMIT = 3
    SCALE_DOWN_LIMIT = 4


@dataclass(frozen=True, slots=True)
class Bounds:
    """Smallest and largest count allowed, `[lane]`."""

    low: IntArray
    high: IntArray


@dataclass(frozen=True, slots=True)
class Moves:
    """Rises and falls of scale that were carried out, newest included."""

    rises: Log
    falls: Log


@dataclass(frozen=True, slots=True)
class Moment:
    """What every rule of one decision shares: the behavior, the time and the count now, `[lane]`."""

    behavior: Behavior
    limits: Limits
    now_s: float
    current: IntArray


def stabilized(moment: Moment, log: Log, desired: IntArray) -> IntArray:
    """`desired` held within what was recommended in the windows, `[lane]`.

    With a behavior: not above the smallest of the up window, not below the largest of the down window, entries
    strictly younger than the window. Without: not below the largest of the last 300 s.
    """
    behavior, limits, now_s = moment.behavior, moment.limits, moment.now_s
    low = log.smallest(now_s, behavior.up.window_s, start=desired)
    high = log.largest(now_s, behavior.down.window_s, start=desired)
    with_behavior = np.minimum(np.maximum(moment.current, low), high)
    if behavior.given.all():
        return with_behavior
    window_s = np.full(desired.size, limits.downscale_stabilization_s + 1e-6)  # here the edge itself counts
    return np.where(behavior.given, with_behavior, log.largest(now_s, window_s, start=desired))


def log_window(behavior: Behavior, limits: Limits) -> FloatArray:
    """How long a recommendation is needed, `[lane]`: an older entry may be overwritten."""
    longest = np.maximum(behavior.up.window_s, behavior.down.window_s)
    return np.where(behavior.given, longest, limits.downscale_stabilization_s)


def longest_period(direction: Direction) -> FloatArray:
    """The longest period of the rate policies, `[lane]`, in seconds; 0 where there is none."""
    longest = np.zeros(direction.window_s.size)
    np.maximum.at(longest, direction.rates.lane, direction.rates.period_s)
    return longest


def limited(moment: Moment, moves: Moves, desired: IntArray, bounds: Bounds) -> tuple[IntArray, SmallArray]:
    """`desired` within rate policies and bounds, `[lane]`, and the `Limited` code of what bound it."""
    count, code = _by_rates(moment, moves, desired, bounds)
    behavior = moment.behavior
    if behavior.given.all():
        return count, code
    plain, plain_code = _by_plain_rules(moment.current, desired, bounds)
    return np.where(behavior.given, count, plain), np.where(behavior.given, code, plain_code)


def rate_limits(moment: Moment, moves: Moves) -> Bounds:
    """The smallest and largest count that the rate policies allow now, `[lane]`; staying is always allowed."""
    low, high = raw_rate_limits(moment, moves)
    return Bounds(np.minimum(low, moment.current), np.maximum(high, moment.current))


def raw_rate_limits(moment: Moment, moves: Moves) -> tuple[IntArray, IntArray]:
    """The two limits as the policies give them: a used-up budget puts one beyond the current count, `[lane]`."""
    return _down_limit(moment, moves), _up_limit(moment, moves)


def _by_rates(moment: Moment, moves: Moves, desired: IntArray, bounds: Bounds) -> tuple[IntArray, SmallArray]:
    current = moment.current
    if not (desired != current).any():
        return desired, np.zeros(desired.size, np.int8)
    rates = rate_limits(moment, moves)
    highest = np.minimum(bounds.high, rates.high)
    lowest = np.maximum(bounds.low, rates.low)
    too_high = (desired > current) & (desired > highest)
    too_low = (desired < current) & (desired < lowest)
    code = np.zeros(desired.size, np.int8)
    code[too_high] = np.where(bounds.high > rates.high, Limited.SCALE_UP_LIMIT, Limited.TOO_MANY_REPLICAS)[too_high]
    code[too_low] = np.where(bounds.low < rates.low, Limited.SCALE_DOWN_LIMIT, Limited.TOO_FEW_REPLICAS)[too_low]
    return np.where(too_high, highest, np.where(too_low, lowest, desired)), code


def _by_plain_rules(current: IntArray, desired: IntArray, bounds: Bounds) -> tuple[IntArray, SmallArray]:
    """The rule that preceded behaviors: at most twice the current count, or 4."""
    step = np.maximum(2 * current, 4)
    highest = np.minimum(bounds.high, step)
    too_low, too_high = desired < bounds.low, desired > highest
    code = np.zeros(desired.size, np.int8)
    code[too_high] = np.where(bounds.high > step, Limited.SCALE_UP_LIMIT, Limited.TOO_MANY_REPLICAS)[too_high]
    code[too_low] = Limited.TOO_FEW_REPLICAS
    return np.where(too_low, bounds.low, np.where(too_high, highest, desired)), code


def _period_start(moment: Moment, rates: Rates, moves: Moves) -> IntArray:
    """The count at the start of each policy's period, `[policy]`."""
    added = moves.rises.sum_since(moment.now_s, rates.lane, rates.period_s)
    removed = moves.falls.sum_since(moment.now_s, rates.lane, rates.period_s)
    return moment.current[rates.lane] - added + removed


def _up_limit(moment: Moment, moves: Moves) -> IntArray:
    """The largest count that the policies allow: +value pods, or start x (1 + percent) rounded up."""
    direction = moment.behavior.up
    rates = direction.rates
    start = _period_start(moment, rates, moves)
    percent = np.ceil(start * (1.0 + rates.value / 100)).astype(np.int64)
    allowed = np.where(rates.percent, percent, start + rates.value)
    return _selected(direction, allowed, moment.current, widest=np.maximum)


def _down_limit(moment: Moment, moves: Moves) -> IntArray:
    """The smallest count that the policies allow: -value pods, or start x (1 - percent) truncated."""
    direction = moment.behavior.down
    rates = direction.rates
    start = _period_start(moment, rates, moves)
    percent = np.trunc(start * (1.0 - rates.value / 100)).astype(np.int64)
    allowed = np.where(rates.percent, percent, start - rates.value)
    return _selected(direction, allowed, moment.current, widest=np.minimum)


def _selected(direction: Direction, allowed: IntArray, current: IntArray, *, widest: np.ufunc) -> IntArray:
    """One limit per lane: the widest, the narrowest, or no change when the direction is disabled."""
    narrowest = np.minimum if widest is np.maximum else np.maximum
    far = INT32_MAX if widest is np.maximum else -INT32_MAX - 1
    wide = np.full(current.size, -far - 1, np.int64)
    narrow = np.full(current.size, far, np.int64)
    lane = direction.rates.lane
    widest.at(wide, lane, allowed)
    narrowest.at(narrow, lane, allowed)
    chosen = np.where(direction.select == Select.MIN, narrow, wide)
    return np.where(direction.select == Select.DISABLED, current, chosen)
