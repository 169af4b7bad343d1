"""The compiled loops of CPU sizing: what candidates would have cost, the choice, and the request between choices.

A candidate is an expert times a scale. Each period, every candidate is
replayed on what came: its loss is the mean slack, 1 - usage / request, and `price` times the share of samples above
it. The request is the geometric mean of the candidates with the least loss of late.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from policies.compiled import compiled_with
from policies.resources import codes, cpu_experts
from policies.resources.codes import COUNT, LEAST, RATIO, VALUES
from policies.resources.cpu_experts import (
    EXPERTS,
    QUANTILES,
    WEEK_HIGH,
    ask_experts,
    counted_to,
    peak_of,
)

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.resources.codes import CodeArray

SCALES = np.array([0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.8, 2.2, 3.0])
STEPS = np.rint(np.log(SCALES) / math.log(RATIO)).astype(np.int64)  # the scales in steps of codes
CANDIDATES = EXPERTS * SCALES.size
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
def look_of(terms: FloatArray) -> int:
    """How many samples a raise looks back at: half an hour, and the last one where they are rare."""
    return max(1, int(LOOK_H * terms[PER_HOUR]))


@compiled_with(codes)
def came_in(ring: CodeArray, begin: int, end: int) -> tuple[FloatArray, IntArray]:
    """Usage from one sample to another in cores, and which samples it is of; those that are missing left out."""
    used, at_of, count = np.empty(end - begin), np.empty(end - begin, np.int64), 0
    for at in range(begin, end):
        code = ring[at % ring.size]
        if code > 0:
            used[count], at_of[count] = VALUES[code], at
            count += 1
    return used[:count], at_of[:count]


@compiled_with(codes)
def walked_to_raise(used: FloatArray, begin: int, request: float, wait: float) -> tuple[float, int, int]:
    """Slack and samples above, summed, of a request from one sample up to its next raise; and the sample of the raise.

    That is the end where nothing raises it. Without branches but for the last: a request amidst its samples is above
    or below at random.
    """
    room, total, above, run = 0, 0.0, 0, 0
    for at in range(begin, used.size):
        fits = int(used[at] <= request)
        room += fits
        total += used[at] * fits
        above += 1 - fits
        run = (run + 1) * (1 - fits)
        if run >= wait:
            return room - total / request, above, at
    return room - total / request, above, used.size


@compiled_with(codes, cpu_experts)
def lost_after(
    ring: CodeArray, used: FloatArray, at_of: IntArray, raised: int, terms: FloatArray, price: float
) -> float:
    """What a request that is raised at a sample loses after it, summed, with further raises."""
    lost, look = 0.0, look_of(terms)
    while raised < used.size:
        request = RAISE * peak_of(ring, at_of[raised] + 1, look)
        slack, above, raised = walked_to_raise(used, raised + 1, request, terms[RAISE_AFTER])
        lost += slack + price * above
    return lost


@compiled_with(codes, cpu_experts)
def score(ring: CodeArray, now: int, terms: FloatArray, own: FloatArray, said: FloatArray, loss: FloatArray) -> None:
    """Add what each candidate lost in the period that ends now to its losses, which fade.

    What comes after its first raise depends on when that is alone, not on the candidate.
    """
    used, at_of = came_in(ring, now - int(terms[PERIOD]), now)
    if not used.size:
        return
    price, fade = terms[PRICE] * math.exp(own[LOG_PRICE]), terms[FADE]
    mean, most = used.mean(), used.max()
    known, after = np.full(COUNT, -1.0), np.full(used.size, -1.0)
    for expert in range(said.size):
        first = code_of(said[expert])
        for scale in range(SCALES.size):
            code = min(max(first + STEPS[scale], 1), COUNT - 1)
            request = VALUES[code]
            if known[code] < 0.0 and request >= most:
                known[code] = 1.0 - mean / request
            elif known[code] < 0.0:
                slack, above, raised = walked_to_raise(used, 0, request, terms[RAISE_AFTER])
                lost = slack + price * above
                if raised < used.size:
                    if after[raised] < 0.0:
                        after[raised] = lost_after(ring, used, at_of, raised, terms, price)
                    lost += after[raised]
                known[code] = lost / used.size
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


@compiled_with(codes, cpu_experts)
def learn(
    usage: CodeArray,
    now: int,
    terms: FloatArray,
    ring: CodeArray,
    counted: IntArray,
    span: IntArray,
    until: IntArray,
    own: FloatArray,
    said: FloatArray,
    loss: FloatArray,
) -> None:
    """Take sample `now` of all containers, `[container]`; at the end of a period score candidates and ask experts.

    All but `usage` and `terms` are written to.
    """
    here = now % ring.shape[1]
    for row in range(usage.size):
        ring[row, here] = usage[row]
    if (now + 1) % int(terms[PERIOD]) != 0:
        return
    count_all(now + 1, terms, ring, counted, span, until)
    for row in range(usage.size):
        if span[row, 1] > 0 and own[row, ASKED] > 0.0:
            score(ring[row], now + 1, terms, own[row], said[row], loss[row])
    ask_all(now + 1, terms, ring, counted, span, own, said)


@compiled_with(codes, cpu_experts)
def count_all(now: int, terms: FloatArray, ring: CodeArray, counted: IntArray, span: IntArray, until: IntArray) -> None:
    """Put samples up to `now - 1` of all containers in the counts of their windows; the last three are written to."""
    for row in range(until.size):
        counted_to(ring[row], until[row], now, int(terms[PER_HOUR]), counted[row], span[row])
        until[row] = now


@compiled_with(codes, cpu_experts)
def ask_all(
    now: int, terms: FloatArray, ring: CodeArray, counted: IntArray, span: IntArray, own: FloatArray, said: FloatArray
) -> None:
    """Ask the experts of all containers, whose samples are counted, after sample `now - 1`, into `own` and `said`."""
    for row in range(own.shape[0]):
        if span[row, 1] > 0:
            ask_experts(ring[row], now, int(terms[PER_HOUR]), counted[row], span[row], said[row])
            own[row, ASKED] = 1.0
            own[row, PEAK_24H] = said[row, 4 * QUANTILES.size - 1]


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


@compiled_with(codes, cpu_experts)
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
