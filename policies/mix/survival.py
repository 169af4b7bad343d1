"""How long spot capacity lasts, learned from what was seen of each pool.

What predicts the loss of a pool is the age of its present spell, and almost nothing else: of 1,900 losses in public
availability traces, 2.0 an hour came in the first ten minutes, 0.75 between half an hour and an hour, 0.2 between three
hours and six, 0.05 after a day. The hazard is m / (age + 0.8 h), as in the Lomax distribution; m is a factor of the
lane and of the pool, each a Gamma-shrunk ratio of the losses seen and those expected at m = 1.

All that a pool holds goes together. A pool that is not held is known by launches alone: a refused one is free and tells
that the pool is closed, an accepted one is a probe and is paid for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from policies.compiled import compiled_with
from policies.mix import columns as at
from policies.mix import model
from policies.mix.columns import (
    EXPECTED_LOSSES,
    KNOWN,
    LOSSES,
    LOST,
    POOL_BACKOFF_S,
    POOL_TRY_S,
    PROBE_S,
    READY,
    REFUSED,
    SEEN_S,
    SINCE_S,
    STARTING,
)
from policies.mix.model import NEVER_S, Known

if TYPE_CHECKING:
    from policies.arrays import FloatArray

HOUR_S = 3600.0
YOUNG_H = 0.8  # added to the age
FOUND_AGE_S = HOUR_S  # of a pool that was open when first looked at: such pools last like ones that are an hour old
BACKOFF_LEAST_S, BACKOFF_MOST_S = 60.0, 600.0  # between launches into a pool that refuses
LANE_LOSSES, POOL_LOSSES = 5.0, 10.0  # losses that the factors of the lane and of its pools are shrunk by

UNKNOWN, OPEN, CLOSED = int(Known.UNKNOWN), int(Known.OPEN), int(Known.CLOSED)


@compiled_with(at, model)
def hazard_per_hour(age_s: float) -> float:
    """Losses an hour of a pool whose spell is so old, at m = 1: 1.25 at once, 0.56 after an hour, 0.04 after a day."""
    return 1.0 / (max(age_s, 0.0) / HOUR_S + YOUNG_H)


@compiled_with(at, model)
def remember(now_s: float, dt_s: float, row: int, pools: FloatArray, memory: FloatArray) -> bool:
    """Note what happened to the pool in `row` since the last call, `dt_s` ago; whether it asks for a new plan."""
    held = pools[READY, row] + pools[STARTING, row]
    known = int(memory[KNOWN, row])
    if pools[LOST, row] > 0:
        memory[LOSSES, row] += 1
        memory[SINCE_S, row] = memory[SEEN_S, row] = now_s
        _wait(now_s, BACKOFF_LEAST_S, row, memory)
        memory[KNOWN, row] = OPEN if held > 0 else CLOSED
        return True
    if pools[REFUSED, row] > 0:
        _wait(now_s, min(max(2 * memory[POOL_BACKOFF_S, row], BACKOFF_LEAST_S), BACKOFF_MOST_S), row, memory)
        if held == 0:
            _found_closed(now_s, row, memory)
        return True
    if held > 0:
        _found_open(now_s, dt_s, row, memory)
        memory[EXPECTED_LOSSES, row] += hazard_per_hour(now_s - memory[SINCE_S, row]) * dt_s / HOUR_S
        memory[SEEN_S, row], memory[POOL_BACKOFF_S, row] = now_s, 0.0
        memory[KNOWN, row] = OPEN
    return known != int(memory[KNOWN, row])


@compiled_with(at, model)
def lane_factor(first: int, end: int, memory: FloatArray) -> float:
    """The factor m of a lane: losses of its pools over those expected, shrunk to 1."""
    losses = expected = LANE_LOSSES
    for row in range(first, end):
        losses += memory[LOSSES, row]
        expected += memory[EXPECTED_LOSSES, row]
    return losses / expected


@compiled_with(at, model)
def hazard_now(now_s: float, row: int, memory: FloatArray, factor: float) -> float:
    """Losses an hour that the pool in `row` faces; `factor` is the lane's, to which the pool's own is shrunk.

    The time since a pool was last seen counts half: it may have closed and opened meanwhile.
    """
    own = (memory[LOSSES, row] + POOL_LOSSES) / (factor * memory[EXPECTED_LOSSES, row] + POOL_LOSSES)
    age_s = FOUND_AGE_S
    if int(memory[KNOWN, row]) == OPEN:
        age_s = memory[SEEN_S, row] - memory[SINCE_S, row] + (now_s - memory[SEEN_S, row]) / 2
    return float(factor * own * hazard_per_hour(age_s))


@compiled_with(at, model)
def _wait(now_s: float, backoff_s: float, row: int, memory: FloatArray) -> None:
    memory[POOL_BACKOFF_S, row], memory[POOL_TRY_S, row], memory[PROBE_S, row] = backoff_s, now_s + backoff_s, NEVER_S


@compiled_with(at, model)
def _found_closed(now_s: float, row: int, memory: FloatArray) -> None:
    if int(memory[KNOWN, row]) == OPEN:  # it was lost somewhere since it was last seen
        gap_s = now_s - memory[SEEN_S, row]
        middle_s = memory[SEEN_S, row] + gap_s / 2
        memory[LOSSES, row] += 1
        memory[EXPECTED_LOSSES, row] += hazard_per_hour(middle_s - memory[SINCE_S, row]) * gap_s / HOUR_S
    if int(memory[KNOWN, row]) != CLOSED:
        memory[SINCE_S, row] = now_s
    memory[KNOWN, row], memory[SEEN_S, row] = CLOSED, now_s


@compiled_with(at, model)
def _found_open(now_s: float, dt_s: float, row: int, memory: FloatArray) -> None:
    """Where the spell began: half-way since a closed pool refused, before the first look at an unknown one.

    An open pool that was not held for a while is in the same spell or in a younger one: the age is such that the hazard
    is the mean of both.
    """
    known, gap_s = int(memory[KNOWN, row]), now_s - memory[SEEN_S, row]
    if known == UNKNOWN:
        memory[SINCE_S, row] = now_s - FOUND_AGE_S
    elif known == CLOSED:
        memory[SINCE_S, row] = now_s - gap_s / 2
    elif gap_s > 2 * dt_s + 1:
        age_s = memory[SEEN_S, row] - memory[SINCE_S, row]
        passed = hazard_per_hour(age_s + gap_s / 2) * gap_s / HOUR_S
        same = math.exp(-passed / 2)
        mean = same * hazard_per_hour(age_s + gap_s) + (1 - same) * hazard_per_hour(gap_s / 2)
        memory[SINCE_S, row] = now_s - max(0.0, (1 / mean - YOUNG_H) * HOUR_S)
        memory[EXPECTED_LOSSES, row] += passed
