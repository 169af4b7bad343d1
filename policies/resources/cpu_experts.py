"""The compiled loops of CPU sizing over a container's samples: the ring of them, windows' counts, what experts say.

An expert is a quantile of usage in a window. Windows are counts of samples by code, brought up to date before experts
are asked: until then a sample is in the ring alone, for counts of thousands of containers do not fit in caches.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from policies.compiled import compiled_with
from policies.resources import codes
from policies.resources.codes import COUNT, VALUES

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.resources.codes import CodeArray

WINDOWS_H = np.array([1, 3, 6, 24, 72, 168])
QUANTILES = np.array([0.5, 0.75, 0.9, 0.95, 0.98, 1.0])
SEASONS_D = np.array(
    [3, 7]
)  # days whose same hour, and half an hour on both sides, are a window; each more than before
EXPERTS = (WINDOWS_H.size + SEASONS_D.size) * QUANTILES.size + 1
RING_H = 168  # hours that are looked at; the ring has the samples of a period more, which windows have yet to count
WEEK_HIGH = WINDOWS_H.size * QUANTILES.size - 2  # the expert of 98 % of the week


@compiled_with(codes)
def counted_to(ring: CodeArray, since: int, now: int, per_hour: int, counted: IntArray, span: IntArray) -> None:
    """Put samples from `since` to `now` in the counts of the windows, and take those out that leave them.

    No more samples than a period has are uncounted, also of a container that came late and of which none is counted.
    """
    since = max(since, now - (ring.size - RING_H * per_hour))
    for window in range(WINDOWS_H.size):
        counts, total = counted[window], 0
        length = WINDOWS_H[window] * per_hour
        came, gone = since % ring.size, (since - length) % ring.size
        for at in range(since, now):
            code = ring[came]
            if code > 0:
                counts[code] += 1
                total += 1
            left = ring[gone] if at >= length else 0
            if left > 0:
                counts[left] -= 1
                total -= 1
            came = came + 1 if came + 1 < ring.size else 0
            gone = gone + 1 if gone + 1 < ring.size else 0
        counts[0] += total
    place = since % ring.size
    for _ in range(since, now):
        code = ring[place]
        place = place + 1 if place + 1 < ring.size else 0
        if code > 0:
            span[0] = min(span[0], code) if span[1] > 0 else code
            span[1] = max(span[1], code)
    longest = counted[WINDOWS_H.size - 1]
    if longest[0] == 0:
        return
    while longest[span[1]] == 0:
        span[1] -= 1
    while longest[span[0]] == 0:
        span[0] += 1


@compiled_with(codes)
def quantiles_of(counts: IntArray, low: int, out: FloatArray) -> bool:
    """The quantiles of samples counted by code, of which `low` is the lowest, into `out`; whether there was any sample.

    Code 0 counts them all.
    """
    total = int(counts[0])
    if total == 0:
        return False
    reached, code = 0, low - 1
    for place in range(QUANTILES.size):
        needed = max(1, math.ceil(QUANTILES[place] * total - 1e-9))
        while reached < needed:
            code += 1
            reached += counts[code]
        out[place] = VALUES[code]
    return True


@compiled_with(codes)
def seasonal(ring: CodeArray, now: int, days: tuple[int, int], per_hour: int, counts: IntArray) -> int:
    """Count the samples of the same hour of past days, from one to another; the lowest code of them.

    It is COUNT where there is none.
    """
    low = COUNT
    for day in range(days[0], days[1] + 1):
        start = now - day * 24 * per_hour - per_hour // 2
        begin = max(start, now - RING_H * per_hour, 0)
        place = begin % ring.size
        for _ in range(begin, min(start + 2 * per_hour, now)):
            code = ring[place]
            place = place + 1 if place + 1 < ring.size else 0
            if code > 0:
                counts[code] += 1
                counts[0] += 1
                low = min(low, code)
    return low


@compiled_with(codes)
def mean_of(ring: CodeArray, begin: int, end: int) -> float:
    """Mean usage from one sample to another; -1 where there is none."""
    total, count, place = 0.0, 0, begin % ring.size
    for _ in range(begin, end):
        code = ring[place]
        place = place + 1 if place + 1 < ring.size else 0
        if code > 0:
            total += VALUES[code]
            count += 1
    return total / count if count else -1.0


@compiled_with(codes)
def ask_experts(ring: CodeArray, now: int, per_hour: int, counted: IntArray, span: IntArray, out: FloatArray) -> None:
    """What each expert says, into `out`, `[expert]`; an expert that knows nothing says what the day's window does."""
    width = QUANTILES.size
    for window in range(WINDOWS_H.size):
        here = out[window * width : (window + 1) * width]
        if not quantiles_of(counted[window], span[0], here):
            for place in range(width):
                here[place] = out[(window - 1) * width + place] if window else VALUES[span[1]]
    day = out[3 * width : 4 * width]
    counts = np.zeros(COUNT, np.int64)
    low, days = COUNT, 0
    for season in range(SEASONS_D.size):
        place = WINDOWS_H.size + season
        low = min(low, seasonal(ring, now, (days + 1, SEASONS_D[season]), per_hour, counts))
        days = SEASONS_D[season]
        if not quantiles_of(counts, low, out[place * width : (place + 1) * width]):
            out[place * width : (place + 1) * width] = day
    lately, before = mean_of(ring, now - per_hour, now), mean_of(ring, max(now - 25 * per_hour, 0), now - 24 * per_hour)
    level = out[EXPERTS - 1 - width + 3]  # the highest usual of this hour of the day, times how today compares
    known = lately > 0 and before > 0 and now >= 25 * per_hour
    out[EXPERTS - 1] = level * lately / before if known else level


@compiled_with(codes)
def peak_of(ring: CodeArray, now: int, look: int) -> float:
    """The largest of the last `look` samples."""
    most, begin = 0, max(now - look, 0)
    place = begin % ring.size
    for _ in range(begin, now):
        most = max(most, ring[place])
        place = place + 1 if place + 1 < ring.size else 0
    return float(VALUES[most]) if most else 0.0
