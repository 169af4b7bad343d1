"""What a load looks like now: the features that the lead-time models see, and the targets that have become known.

Loads are in log replicas, `ln(demand in replicas + 0.5)`, on steps of `STEP_S`. Near features come from a ring of the
last hours, seasonal ones from windows of minutes around the same time some hours and days ago.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from policies.arrays import BoolArray, FloatArray, IntArray, floats, integers
from policies.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

NearArray = NDArray[np.float32]

STEP_S = 30.0
STEPS_A_DAY = 2880
HALF_REPLICA = 0.5  # added before the logarithm, so that an empty load is a number and small ones do not dominate
NEAR = 640  # steps of the ring: four hours, the longest lead, and a little
LONGEST_LEAD = 120  # steps, one hour
LAGS_MIN = (60, 120, 180, 240, 300, 1440, 2880, 4320, 10080)  # hours for what recurs hourly, then days and a week
HOURS, DAYS = 5, 3  # the first five lags are hours, the next three the last days
AROUND_MIN = 12  # minutes that a window reaches beyond the lead on either side
MEAN_FEATURES = 28
SCALE_FEATURES = 12

DIP = math.log(2.0)  # a sample below half of what was usual is a dip
DIP_STEPS = 4  # and one that is over within two minutes is taken for missing samples stored as zeros,
DIPS_SEEN = 5  # once that was so for five dips
DIPS_SHORT_RATIO = 0.8  # and for most of them
_USUAL = 20  # steps whose median is usual
_LONG_DIP = 40
_TINY = 0.003  # changes below 0.3 % are alike
_SMALL = 0.01
_SHIFT = 3.0  # centres logarithms of changes of 5 %
_ENOUGH_RATIO = 0.75  # of a window's minutes that must be known


class Past(NamedTuple):
    """Windows of minutes at each of `LAGS_MIN`, in log replicas; NaN where not known."""

    value: NDArray[np.float32]  # [lag, lane, minute]
    first_min: IntArray  # wall minute of the first column, [lag]


class Lead(NamedTuple):
    """How far ahead each lane looks, in steps, `[lane]`."""

    startup: IntArray  # from an order until the replica serves
    lag: IntArray  # age of what is seen when an order is made


class Shape(NamedTuple):
    """What the models see at each step, all `[lane, step]` or `[lane, step, feature]`."""

    base: FloatArray  # the newest log demand, from which forecasts count
    mean: FloatArray
    scale: FloatArray
    mean_then: FloatArray  # features of the step whose targets became known at this one
    scale_then: FloatArray
    largest: FloatArray  # its targets above its base: the largest up to one start-up later,
    last: FloatArray  # and the value then
    learn: BoolArray  # the targets are known and not cut off
    peak: FloatArray  # largest log demand of the last week or so, forgotten slowly

    @classmethod
    def empty(cls, lanes: int, steps: int) -> Shape:
        """Room for `steps` steps."""

        def plain() -> FloatArray:
            return np.zeros((lanes, steps))

        def features(width: int) -> FloatArray:
            return np.zeros((lanes, steps, width))

        return cls(
            base=plain(),
            mean=features(MEAN_FEATURES),
            scale=features(SCALE_FEATURES),
            mean_then=features(MEAN_FEATURES),
            scale_then=features(SCALE_FEATURES),
            largest=plain(),
            last=plain(),
            learn=np.zeros((lanes, steps), np.bool_),
            peak=plain(),
        )


@dataclass(frozen=True, slots=True)
class Near:
    """The last hours of each lane. A ring: sample n is at n modulo `NEAR`."""

    count: IntArray  # samples so far [lane]
    value: NearArray  # log demand, holes and dips filled with the value before [lane, NEAR]
    holes: IntArray  # steps since the last sample that was not known or cut off [lane]
    peak: FloatArray  # [lane]
    dips: FloatArray  # dips that were over soon, dips that lasted, and steps of the present one [lane, 3]

    @classmethod
    def empty(cls, lanes: int) -> Near:
        """Nothing seen."""
        return cls(
            integers(lanes),
            np.zeros((lanes, NEAR), np.float32),
            integers(lanes, NEAR),
            floats(lanes, -np.inf),
            np.zeros((lanes, 3)),
        )

    def copied(self) -> Near:
        """Arrays of its own, to be written to."""
        return Near(*(getattr(self, name).copy() for name in ("count", "value", "holes", "peak", "dips")))


def past_span_min(lead: Lead) -> tuple[int, int]:
    """Minutes before and after the time of a step that windows must cover."""
    longest = int((lead.startup + lead.lag).max(initial=0))
    return (longest + 1) // 2 + AROUND_MIN + 1, int(lead.startup.max(initial=0)) // 2 + AROUND_MIN + 1


def past_of(minutes: Sequence[NDArray[np.float32]], first_min: IntArray) -> Past:
    """Windows `[lane, minute]` of log demand, one per lag, with single-minute dips taken out.

    A minute below half of both its neighbours takes the smaller of them.
    """
    filled = []
    for value in minutes:
        smooth = value.copy()
        lower = np.minimum(value[:, :-2], value[:, 2:])
        smooth[:, 1:-1] = np.where(value[:, 1:-1] < lower - np.float32(DIP), lower, value[:, 1:-1])
        filled.append(smooth)
    return Past(np.stack(filled), first_min)


def shapes(near: Near, past: Past, lead: Lead, demand: FloatArray, usable: IntArray, first_step: int) -> Shape:
    """The shape at each of some steps, `near` written to in place.

    `demand` is `[lane, step]` in replicas; `usable` says 2 for a known value, 1 for a lower bound, 0 for none.
    `first_step` is the wall time of the first step divided by `STEP_S`.
    """
    lanes, steps = demand.shape
    shape = Shape.empty(lanes, steps)
    columns = (near.count, near.value, near.holes, near.peak, near.dips)
    _shapes(columns, past, lead, (demand, usable), first_step, shape)
    return shape


_Columns = tuple[IntArray, NearArray, IntArray, FloatArray, FloatArray]


@compiled
def _shapes(
    near: _Columns, past: Past, lead: Lead, seen: tuple[FloatArray, IntArray], first_step: int, shape: Shape
) -> None:
    demand, usable = seen
    count, ring, holes, peak, dips = near
    keep = 0.5 ** (1.0 / (7 * STEPS_A_DAY))
    scratch = np.empty(_USUAL, np.float32)
    for lane in range(demand.shape[0]):
        startup, lag = lead.startup[lane], lead.lag[lane]
        for step in range(demand.shape[1]):
            holes[lane] = holes[lane] + 1 if usable[lane, step] == 2 else 0
            z = _pushed(ring[lane], count[lane], demand[lane, step], usable[lane, step], dips[lane], scratch)
            count[lane] += 1
            if usable[lane, step] > 0:
                peak[lane] = max(z, z + (peak[lane] - z) * keep)
            n, wall = count[lane], first_step + step
            shape.base[lane, step] = z
            shape.peak[lane, step] = peak[lane]
            _features(ring[lane], n, past, lane, wall, startup, lag, shape.mean[lane, step], shape.scale[lane, step])
            behind = startup + lag
            if n <= behind + 1 or behind > LONGEST_LEAD + lag:
                continue
            then, scale = shape.mean_then[lane, step], shape.scale_then[lane, step]
            _features(ring[lane], n - behind, past, lane, wall - behind, startup, lag, then, scale)
            origin = ring[lane, (n - 1 - behind) % NEAR]
            largest = ring[lane, (n - 1) % NEAR]
            for back in range(1, startup + 1):
                largest = max(largest, ring[lane, (n - 1 - back) % NEAR])
            shape.largest[lane, step] = largest - origin
            shape.last[lane, step] = ring[lane, (n - 1) % NEAR] - origin
            shape.learn[lane, step] = holes[lane] > behind


@compiled
def _pushed(ring: NearArray, count: int, demand: float, usable: int, dips: FloatArray, scratch: NearArray) -> float:
    """The sample that goes into the ring: what was seen, or the one before for a hole and for a short dip."""
    before = ring[(count - 1) % NEAR] if count > 0 else np.float32(-1e9)
    z = np.float32(math.log(demand + HALF_REPLICA))
    if usable == 0:
        z = before if count > 0 else np.float32(math.log(HALF_REPLICA))
    elif usable == 1:
        z = max(z, before)
    elif count >= _USUAL:
        run = int(dips[2])
        for back in range(_USUAL):
            scratch[back] = ring[(count - 1 - back - min(run, NEAR - _USUAL - 1)) % NEAR]
        if z < np.median(scratch) - DIP:
            dips[2] += 1
            if run + 1 > DIP_STEPS:
                if run == DIP_STEPS:
                    dips[1] += 1
                if run >= _LONG_DIP:
                    dips[2] = 0
            elif dips[0] + dips[1] >= DIPS_SEEN and dips[0] >= DIPS_SHORT_RATIO * (dips[0] + dips[1]):
                z = before
        else:
            if 0 < run <= DIP_STEPS:
                dips[0] += 1
            dips[2] = 0
    ring[count % NEAR] = z
    return float(z)


@compiled
def _mean(ring: NearArray, newest: int, width: int) -> float:
    """Mean of the `width` samples up to number `newest`, or of as many as there are."""
    width = min(width, newest + 1)
    total = 0.0
    for back in range(width):
        total += ring[(newest - back) % NEAR]
    return float(total / width)


@compiled
def _features(
    ring: NearArray,
    count: int,
    past: Past,
    lane: int,
    wall: int,
    startup: int,
    lag: int,
    mean: FloatArray,
    scale: FloatArray,
) -> None:
    """Features of a decision at step `wall`, whose newest sample is number `count` - 1."""
    newest = count - 1
    now = ring[newest % NEAR]
    five, quarter, hour, hours = (
        _mean(ring, newest, 10),
        _mean(ring, newest, 30),
        _mean(ring, newest, 120),
        _mean(ring, newest, 480),
    )
    before = _mean(ring, max(newest - 30, 0), 10)
    mean[0] = 1.0
    mean[1] = now - ring[max(newest - 2, 0) % NEAR]
    mean[2], mean[3], mean[4], mean[5] = now - five, five - quarter, quarter - hour, hour - hours
    mean[6] = now - ring[max(newest - 10, 0) % NEAR]
    mean[7] = five - before
    _volatility(ring, newest, now, scale)
    jumps = np.full(9, np.nan)
    calm = math.log(_SMALL) + _SHIFT
    scale[8] = math.log(_TINY) + _SHIFT
    for which in range(9):
        jumps[which] = _seasonal(past.value[which, lane], past, which, wall, startup, lag, now, mean, scale)
    for number in range(1, 4):
        phase = 2.0 * math.pi * number * ((wall + startup) % STEPS_A_DAY) / STEPS_A_DAY
        mean[15 + 2 * number], mean[16 + 2 * number] = math.sin(phase), math.cos(phase)
    daily, fewest, widest = _jumps(jumps[HOURS : HOURS + DAYS])
    mean[23], mean[24] = daily, fewest
    scale[5] = math.log(widest + _SMALL) + _SHIFT if widest >= 0 else calm
    scale[7] = math.log(abs(daily) + _SMALL) + _SHIFT
    hourly, fewest, widest = _jumps(jumps[:HOURS])
    mean[25], mean[26] = hourly, fewest
    scale[6] = math.log(widest + _SMALL) + _SHIFT if widest >= 0 else calm
    mean[27] = 0.0 if math.isnan(jumps[8]) else jumps[8]


@compiled
def _volatility(ring: NearArray, newest: int, now: float, scale: FloatArray) -> None:
    """How much the load moved lately, and where it stands in the range of the last hour."""
    total, widest, lowest = 0.0, now, now
    width = min(480, newest + 1)
    scale[0] = 1.0
    for back in range(width):
        here = ring[(newest - back) % NEAR]
        if newest - back > 0:
            total += abs(here - ring[(newest - back - 1) % NEAR])
        if back < 121:
            widest, lowest = max(widest, here), min(lowest, here)
        if back == min(20, width) - 1:
            scale[1] = math.log(total / (back + 1) + _TINY) + _SHIFT
        if back == min(120, width) - 1:
            scale[2] = math.log(total / (back + 1) + _TINY) + _SHIFT
    scale[3] = math.log(total / width + _TINY) + _SHIFT
    scale[4] = -now / 2.0
    scale[9] = math.log(abs(now - ring[max(newest - 2, 0) % NEAR]) + _TINY) + _SHIFT
    scale[10] = math.log(widest - now + _SMALL) + _SHIFT
    scale[11] = math.log(now - lowest + _SMALL) + _SHIFT


@compiled
def _seasonal(
    window: NearArray,
    past: Past,
    which: int,
    wall: int,
    startup: int,
    lag: int,
    now: float,
    mean: FloatArray,
    scale: FloatArray,
) -> float:
    """Features of one lag into their places; the jump that came then, NaN where too little is known."""
    back = LAGS_MIN[which]
    first = past.first_min[which]
    seen = (wall - lag) // 2 - back - first
    start, end = wall // 2 - back - first, (wall + startup) // 2 - back - first
    middle = (wall + startup // 2) // 2 - back - first
    if seen - 5 < 0 or end + 5 >= window.size or (back < 1440 and end + 6 - seen >= back):
        return np.nan
    known, total = 0, 0.0
    for minute in range(seen - 5, end + 6):
        known += 0 if math.isnan(window[minute]) else 1
    if known < _ENOUGH_RATIO * (end - seen + 11) or math.isnan(window[seen]):
        return np.nan
    highest, five, fives = -np.inf, 0.0, 0
    for minute in range((wall - 2) // 2 - back - first, (wall + startup + 2) // 2 - back - first + 1):
        highest = window[minute] if window[minute] > highest else highest  # noqa: FURB136 - NaN must not win
    for minute in range(seen - 4, seen + 1):
        if not math.isnan(window[minute]):
            five, fives = five + window[minute], fives + 1
    jump = highest - max(window[seen], five / fives) if highest > -np.inf else np.nan
    place = 8 + 3 * (0 if back == 1440 else 1 if back == 2880 else 2 if back == 10080 else -9)
    if place < 0:
        return float(jump)
    level, ahead, highest = _around(window, seen), _around(window, middle), -np.inf
    for minute in range(start, end + 1):
        highest = window[minute] if window[minute] > highest else highest  # noqa: FURB136 - NaN must not win
    if not (highest > -np.inf and math.isfinite(level) and math.isfinite(ahead)):
        return float(jump)  # nothing is known of just that time
    mean[place], mean[place + 1], mean[place + 2] = highest - level, ahead - level, level - now
    if back == 1440:
        changes = 0
        for minute in range(end - 5, end + 5):
            change = abs(window[minute + 1] - window[minute])
            if not math.isnan(change):
                total, changes = total + change / 2.0, changes + 1
        scale[8] = math.log(total / max(changes, 1) + _TINY) + _SHIFT
    return float(jump)


@compiled
def _around(window: NearArray, minute: int) -> float:
    """Mean of eleven minutes around one; NaN where none is known."""
    total, known = 0.0, 0
    for near in range(minute - 5, minute + 6):
        if not math.isnan(window[near]):
            total, known = total + window[near], known + 1
    return float(total / known) if known else np.nan


@compiled
def _jumps(jumps: FloatArray) -> tuple[float, float, float]:
    """Median, smallest and largest size of the jumps that are known: 0, 0, -1 where fewer than two are."""
    known = jumps[~np.isnan(jumps)]
    if known.size < 2:
        return 0.0, 0.0, -1.0
    return float(np.median(known)), float(known.min()), float(np.abs(known).max())
