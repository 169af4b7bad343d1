"""The compiled loops of CPU sizing: experts, what each would have cost, the choice, and the request between choices.

An expert is a quantile of usage in a window; a candidate is an expert times a scale. Each period, every candidate is
replayed on what came: its loss is the mean slack, 1 - usage / request, and `price` times the share of samples above
it. The request is the geometric mean of the candidates with the least loss of late.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from policies.compiled import compiled_with
from policies.resources import codes
from policies.resources.codes import COUNT, LEAST, RATIO, VALUES

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.resources.codes import CodeArray

WINDOWS_H = np.array([1, 3, 6, 24, 72, 168])
QUANTILES = np.array([0.5, 0.75, 0.9, 0.95, 0.98, 1.0])
SEASONS_D = np.array([3, 7])  # days whose same hour, and half an hour on both sides, are a window
SCALES = np.array([0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.8, 2.2, 3.0])
STEPS = np.rint(np.log(SCALES) / math.log(RATIO)).astype(np.int64)  # the scales in steps of codes
EXPERTS = (WINDOWS_H.size + SEASONS_D.size) * QUANTILES.size + 1
CANDIDATES = EXPERTS * SCALES.size
RING_H = 168
WEEK_HIGH = WINDOWS_H.size * QUANTILES.size - 2  # the expert of 98 % of the week
BEST = 5

# Columns of the numbers that a container has, `[container, column]`.
ASKED, HELD, RUN, LOG_PRICE, WEIGHT, PEAK_24H, LOWER, UPPER, ABOVE, SAMPLES = range(10)
COLUMNS = 10
# Rows of the terms that all containers share.
PRICE, OVERRUN, RATE, FADE, RAISE_AFTER, PERIOD, PER_HOUR = range(7)
TERMS = 7

RAISE, HOLD_H, LOOK_H = 1.1, 1.0, 0.5  # a raise: times the largest of the last half hour, kept for an hour
DEAD, DEAD_SCARCE = 0.05, 1.0  # a change is worth it from 5 % on, and from 105 % when no changes are left
RESERVE = 0.5  # share of a day's changes but one that lowering leaves for raises
SCARCE = 4.0  # changes left below which a raise goes further, up to the day's peak
PEAK_MARGIN = 1.1
STEER, STEER_MOST = 0.15, 3.0  # of the price, by what came above the request; natural logarithms
YOUNG_H, YOUNG_MARGIN = 24.0, 1.15
_LOG_RATIO = math.log(RATIO)


@compiled_with(codes)
def code_of(value: float) -> int:
    """The code nearest to a value."""
    return min(max(round(math.log(max(value, LEAST) / LEAST) / _LOG_RATIO) + 1, 1), COUNT - 1)


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
def seasonal(ring: CodeArray, now: int, days: int, per_hour: int, counts: IntArray) -> tuple[int, int]:
    """Count the samples of the same hour of past days; the lowest and highest code, or (1, 0) where there is none."""
    low, high = COUNT, 0
    for day in range(1, days + 1):
        start = now - day * 24 * per_hour - per_hour // 2
        begin = max(start, now - ring.size, 0)
        place = begin % ring.size
        for _ in range(begin, min(start + 2 * per_hour, now)):
            code = ring[place]
            place = place + 1 if place + 1 < ring.size else 0
            if code > 0:
                counts[code] += 1
                counts[0] += 1
                low, high = min(low, code), max(high, code)
    return (low, high) if high > 0 else (1, 0)


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
    for season in range(SEASONS_D.size):
        place = WINDOWS_H.size + season
        low, high = seasonal(ring, now, SEASONS_D[season], per_hour, counts)
        if not quantiles_of(counts, low, out[place * width : (place + 1) * width]):
            out[place * width : (place + 1) * width] = day
        counts[low : high + 1] = 0
        counts[0] = 0
    lately, before = mean_of(ring, now - per_hour, now), mean_of(ring, max(now - 25 * per_hour, 0), now - 24 * per_hour)
    level = out[EXPERTS - 1 - width + 3]  # the highest usual of this hour of the day, times how today compares
    known = lately > 0 and before > 0 and now >= 25 * per_hour and now - 25 * per_hour >= now - ring.size
    out[EXPERTS - 1] = level * lately / before if known else level


@compiled_with(codes)
def replayed(ring: CodeArray, begin: int, end: int, terms: FloatArray, request: float) -> tuple[float, float]:
    """Mean slack, and share of samples above, of a request from one sample to another, with raises in between."""
    look, run, slack, above, count = look_of(terms), 0, 0.0, 0, 0
    place = begin % ring.size
    for at in range(begin, end):
        code = ring[place]
        place = place + 1 if place + 1 < ring.size else 0
        if code == 0:
            continue
        count += 1
        used = VALUES[code]
        if used <= request:
            slack += 1.0 - used / request
            run = 0
            continue
        above += 1
        run += 1
        if run >= terms[RAISE_AFTER]:
            request = max(request, RAISE * peak_of(ring, at + 1, look))
            run = 0
    return (slack / count, above / count) if count else (0.0, 0.0)


@compiled_with(codes)
def look_of(terms: FloatArray) -> int:
    """How many samples a raise looks back at: half an hour, and the last one where they are rare."""
    return max(1, int(LOOK_H * terms[PER_HOUR]))


@compiled_with(codes)
def peak_of(ring: CodeArray, now: int, look: int) -> float:
    """The largest of the last `look` samples."""
    most, begin = 0, max(now - look, 0)
    place = begin % ring.size
    for _ in range(begin, now):
        most = max(most, ring[place])
        place = place + 1 if place + 1 < ring.size else 0
    return float(VALUES[most]) if most else 0.0


@compiled_with(codes)
def score(ring: CodeArray, now: int, terms: FloatArray, own: FloatArray, said: FloatArray, loss: FloatArray) -> None:
    """Add what each candidate lost in the period that ends now to its losses, which fade."""
    period = int(terms[PERIOD])
    begin = now - period
    price = terms[PRICE] * math.exp(own[LOG_PRICE])
    mean, most = mean_of(ring, begin, now), peak_of(ring, now, period)
    if most <= 0.0:
        return
    known = np.full(COUNT, -1.0)
    fade = terms[FADE]
    for expert in range(said.size):
        first = code_of(said[expert])
        for scale in range(SCALES.size):
            code = min(max(first + STEPS[scale], 1), COUNT - 1)
            if known[code] < 0.0 and VALUES[code] >= most:
                known[code] = 1.0 - mean / VALUES[code]
            elif known[code] < 0.0:
                slack, above = replayed(ring, begin, now, terms, VALUES[code])
                known[code] = slack + price * above
            place = expert * SCALES.size + scale
            loss[place] = fade * loss[place] + known[code]
    own[WEIGHT] = fade * own[WEIGHT] + 1.0


@compiled_with(codes)
def choose(loss: FloatArray, said: FloatArray, own: FloatArray) -> float:
    """The geometric mean of the candidates with the least loss, by its inverse square; the range goes to `own`."""
    best = np.full(BEST, -1)
    for place in range(loss.size):
        rank = BEST
        while rank > 0 and (best[rank - 1] < 0 or loss[place] < loss[best[rank - 1]]):
            rank -= 1
        if rank < BEST:
            best[rank + 1 :] = best[rank:-1].copy()
            best[rank] = place
    total, mean, low, high = 0.0, 0.0, np.inf, 0.0
    for place in best:
        value = said[place // SCALES.size] * SCALES[place % SCALES.size]
        weight = 1.0 / max(loss[place] / own[WEIGHT], 1e-6) ** 2
        total += weight
        mean += weight * math.log(max(value, LEAST))
        low, high = min(low, value), max(high, value)
    own[LOWER], own[UPPER] = low, high
    return math.exp(mean / total)


@compiled_with(codes)
def scarcity(left: float) -> float:
    """How far changes are used up: 0 with four left, 1 with none."""
    return min(1.0, max(0.0, 1.0 - left / SCARCE))


@compiled_with(codes)
def leaning(target: float, peak: float, share: float) -> float:
    """A request between two, by the share of the higher one; never below the first."""
    return math.exp((1.0 - share) * math.log(target) + share * math.log(max(target, peak)))


@compiled_with(codes)
def steer(terms: FloatArray, own: FloatArray) -> None:
    """Move the price of what comes above the request, so that its share comes to what was asked for."""
    if own[SAMPLES] > 0:
        days = own[SAMPLES] / (24.0 * terms[PER_HOUR])
        share = own[ABOVE] / own[SAMPLES]
        moved = own[LOG_PRICE] + STEER * days * min(share / terms[OVERRUN] - 1.0, 3.0)
        own[LOG_PRICE] = min(max(moved, -STEER_MOST), STEER_MOST)
    own[SAMPLES] = own[ABOVE] = 0.0


@compiled_with(codes)
def learn(
    usage: CodeArray,
    now: int,
    terms: FloatArray,
    ring: CodeArray,
    counted: IntArray,
    span: IntArray,
    own: FloatArray,
    said: FloatArray,
    loss: FloatArray,
) -> None:
    """Take sample `now` of all containers, `[container]`; at the end of a period score candidates and ask experts.

    All but `usage` and `terms` are written to.
    """
    per_hour, period = int(terms[PER_HOUR]), int(terms[PERIOD])
    for row in range(usage.size):
        note(ring[row], now, usage[row], per_hour, counted[row], span[row])
        if (now + 1) % period == 0 and span[row, 1] > 0:
            if own[row, ASKED] > 0.0:
                score(ring[row], now + 1, terms, own[row], said[row], loss[row])
            ask(ring[row], now + 1, per_hour, counted[row], span[row], own[row], said[row])


@compiled_with(codes)
def ask_all(
    now: int, terms: FloatArray, ring: CodeArray, counted: IntArray, span: IntArray, own: FloatArray, said: FloatArray
) -> None:
    """Ask the experts of all containers in the midst of a period; `own` and `said` are written to."""
    for row in range(own.shape[0]):
        if span[row, 1] > 0:
            ask(ring[row], now, int(terms[PER_HOUR]), counted[row], span[row], own[row], said[row])


@compiled_with(codes)
def ask(
    ring: CodeArray, now: int, per_hour: int, counted: IntArray, span: IntArray, own: FloatArray, said: FloatArray
) -> None:
    """Note what each expert of a container says after sample `now - 1`."""
    ask_experts(ring, now, per_hour, counted, span, said)
    own[ASKED] = 1.0
    own[PEAK_24H] = said[4 * QUANTILES.size - 1]


@compiled_with(codes)
def aimed(now: int, terms: FloatArray, own: FloatArray, said: FloatArray, loss: FloatArray) -> FloatArray:
    """The request of each container, were a change for nothing, `[container]`.

    It is that of the best candidates, and more while the container is young; NaN where no expert was asked. The range
    of the candidates goes to `own`.
    """
    out = np.full(own.shape[0], np.nan)
    for row in range(out.size):
        mine = own[row]
        if mine[ASKED] <= 0.0:
            continue
        young = YOUNG_MARGIN * mine[PEAK_24H]
        target = choose(loss[row], said[row], mine) if mine[WEIGHT] > 0 else young
        if math.isinf(terms[RAISE_AFTER]):  # nothing would raise it: no less than nearly all of the week
            target = max(target, said[row, WEEK_HIGH])
        out[row] = leaning(target, young, max(0.0, 1.0 - now / (YOUNG_H * terms[PER_HOUR])))
    return out


@compiled_with(codes)
def wanted(
    now: int, terms: FloatArray, target: FloatArray, request: FloatArray, left: FloatArray, own: FloatArray
) -> FloatArray:
    """The request of each container at a decision, `[container]`: the one it has where no change is worth its price.

    `request` is NaN where there is none, `left` are the changes that are left; before a period is whole nothing is
    decided. `own` is written to.
    """
    out = request.copy()
    for row in range(request.size):
        mine = own[row]
        if mine[ASKED] <= 0.0:
            continue
        seen = 2.0 * mine[SAMPLES] >= terms[PERIOD]
        steer(terms, mine)
        dead = DEAD + DEAD_SCARCE * (1.0 - min(left[row] / terms[RATE], 1.0))
        may_lower = seen and now >= mine[HELD] and left[row] >= 1.0 + RESERVE * (terms[RATE] - 1.0)
        raised = math.isnan(request[row]) or target[row] > request[row] * (1.0 + dead)
        if raised or (may_lower and target[row] < request[row] * (1.0 - dead)):
            out[row] = target[row]
    return out


@compiled_with(codes)
def lifted(
    usage: CodeArray,
    now: int,
    terms: FloatArray,
    request: FloatArray,
    left: FloatArray,
    own: FloatArray,
    ring: CodeArray,
) -> FloatArray:
    """Requests after sample `now - 1`, `[container]`: raised where usage stays above. `own` is written to."""
    out = request.copy()
    for row in range(request.size):
        mine = own[row]
        if usage[row] == 0 or math.isnan(request[row]):
            continue
        mine[SAMPLES] += 1.0
        if VALUES[usage[row]] <= request[row]:
            mine[RUN] = 0.0
            continue
        mine[ABOVE] += 1.0
        mine[RUN] += 1.0
        if mine[RUN] < terms[RAISE_AFTER]:
            continue
        mine[RUN] = 0.0
        if left[row] < 1.0:
            continue
        target = RAISE * peak_of(ring[row], now, look_of(terms))
        target = leaning(target, PEAK_MARGIN * mine[PEAK_24H], scarcity(left[row]))
        out[row] = max(target, request[row])
        mine[HELD] = now + HOLD_H * terms[PER_HOUR]
    return out


@compiled_with(codes)
def note(ring: CodeArray, at: int, code: int, per_hour: int, counted: IntArray, span: IntArray) -> None:
    """Put a sample in the ring and in the counts of the windows, and take those out that leave them."""
    here = at % ring.size
    for window in range(WINDOWS_H.size):
        length = WINDOWS_H[window] * per_hour
        if at >= length:
            gone = ring[here - length if here >= length else here - length + ring.size]
            if gone > 0:
                counted[window, gone] -= 1
                counted[window, 0] -= 1
        if code > 0:
            counted[window, code] += 1
            counted[window, 0] += 1
    ring[here] = code
    if code > 0:
        span[0] = min(span[0], code) if span[1] > 0 else code
        span[1] = max(span[1], code)
    longest = counted[WINDOWS_H.size - 1]
    while span[1] > span[0] and longest[span[1]] == 0:
        span[1] -= 1
    while span[0] < span[1] and longest[span[0]] == 0:
        span[0] += 1
