"""The rule of HPA v2 as one compiled loop: for shadow replay, where millions of decisions are made at once.

It decides as `candidates.kubernetes_rule` does for a lane with one demand signal of a declared capacity: same
rounding, tolerances, windows, rate policies and bounds, and a missing value counts as a recommendation to stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray, integers
from policies.compiled import compiled
from policies.model import Select

if TYPE_CHECKING:
    from policies.hpa.behavior import Bounds
    from policies.model import Behavior, Direction

UNITS = 1e9  # a value is rounded to this share of what one replica serves, the milli-units of a replay
INT32_MAX = 2**31 - 1
ROUNDING = 1e-9  # a first need this close above a whole number of replicas is that number
_MAX, _DISABLED = int(Select.MAX), int(Select.DISABLED)  # as numbers that compiled code knows


class Way(NamedTuple):
    """One direction of the behavior, counted in runs of the rule, `[lane]`; rate policies are rows of a table."""

    window: IntArray  # runs whose recommendations count, the present one included
    first_counts: IntArray  # runs in which the count at first sight still counts as a recommendation
    tolerance_ratio: FloatArray
    select: SmallArray
    row: IntArray  # policies of a lane: row[lane] up to row[lane + 1], [lane + 1]
    percent: BoolArray  # else pods [policy]
    value: IntArray  # [policy]
    period: IntArray  # runs before the present one that lie within the period [policy]


class HpaRule(NamedTuple):
    """What each lane's HPA is told, `[lane]`. A named tuple, as that is what compiled code can read."""

    capacity: FloatArray  # load that one replica serves at 100 %
    target_ratio: FloatArray  # of the capacity
    low: IntArray
    high: IntArray
    up: Way
    down: Way

    @property
    def lanes(self) -> int:
        """How many lanes there are."""
        return int(self.capacity.size)

    @property
    def longest_window(self) -> int:
        """Recommendations that a lane must remember."""
        return int(max(self.up.window.max(initial=1), self.down.window.max(initial=1)))

    @property
    def longest_period(self) -> int:
        """Counts that a lane must remember."""
        return 1 + int(max(self.up.period.max(initial=0), self.down.period.max(initial=0)))


def hpa_rule(
    capacity: FloatArray, target_ratio: FloatArray, *, behavior: Behavior, bounds: Bounds, sync_s: float
) -> HpaRule:
    """The rule of lanes whose behavior is written out (see `fleet.fleet_of`), run every `sync_s` seconds.

    `bounds.low` must be at least 1: nothing here wakes a lane from zero. Raises ValueError where it is not.
    """
    if bounds.low.size and bounds.low.min() < 1:
        raise ValueError(f"the smallest count must be at least 1 replica, not {bounds.low.min()}")
    up, down = (_way(direction, sync_s) for direction in (behavior.up, behavior.down))
    return HpaRule(capacity.astype(np.float64), target_ratio.astype(np.float64), bounds.low, bounds.high, up, down)


def _way(direction: Direction, sync_s: float) -> Way:
    rates, lanes = direction.rates, direction.window_s.size
    within = _runs_within(direction.window_s, sync_s)
    return Way(
        window=np.maximum(within, 1),
        first_counts=within,
        tolerance_ratio=direction.tolerance_ratio,
        select=direction.select,
        row=np.searchsorted(rates.lane, np.arange(lanes + 1)).astype(np.int64),
        percent=rates.percent,
        value=rates.value,
        period=np.maximum(_runs_within(rates.period_s, sync_s) - 1, 0),
    )


def _runs_within(window_s: FloatArray, sync_s: float) -> IntArray:
    """Runs strictly younger than a window, the present one included: 20 of 300 s at every 15 s, none of 0 s."""
    return np.ceil(window_s / sync_s - ROUNDING).astype(np.int64)


@dataclass(frozen=True, slots=True)
class HpaState:
    """What each lane's HPA remembers: counts by run, the run number modulo the width of the ring."""

    runs: IntArray  # decisions made so far [lane]
    first: IntArray  # count at first sight [lane]
    replicas: IntArray  # count now [lane]
    recommended: IntArray  # [lane, run]
    stood: IntArray  # count that stood before each run [lane, run]

    @classmethod
    def begun(cls, rule: HpaRule, demand: FloatArray) -> HpaState:
        """Lanes that begin with the replicas that this demand `[lane]` needs at the target."""
        needed = np.ceil(np.rint(demand / rule.capacity * UNITS) / np.rint(rule.target_ratio * UNITS) - ROUNDING)
        return cls.at(rule, np.clip(needed, rule.low, rule.high).astype(np.int64))

    @classmethod
    def at(cls, rule: HpaRule, replicas: IntArray) -> HpaState:
        """Lanes that begin with these replicas `[lane]`, within their bounds."""
        lanes = rule.lanes
        rings = (np.zeros((lanes, width), np.int64) for width in (rule.longest_window, rule.longest_period))
        return cls(integers(lanes), replicas.copy(), replicas.copy(), *rings)


def advance(
    rule: HpaRule, state: HpaState, demand: FloatArray, *, known: BoolArray, runs: int = 1
) -> tuple[HpaState, IntArray]:
    """Decide `runs` times on each step's demand; the state after it, and what stands after each step.

    `demand` and `known` are `[lane, step]`, as the rule sees them: a metric's delay is the caller's to add. Blocks of
    any length give what one step at a time gives.
    """
    rings = (state.recommended.copy(), state.stood.copy())
    now = HpaState(state.runs.copy(), state.first.copy(), state.replicas.copy(), *rings)
    plan = np.empty(demand.shape, np.int64)
    _advance(rule, (now.runs, now.first, now.replicas, now.recommended, now.stood), (demand, known), runs, plan)
    return now, plan


_Columns = tuple[IntArray, IntArray, IntArray, IntArray, IntArray]


@compiled
def _advance(rule: HpaRule, state: _Columns, seen: tuple[FloatArray, BoolArray], runs: int, plan: IntArray) -> None:
    """Fill `plan` and move `state` on, in place."""
    count, _, replicas, recommended, stood = state
    demand, known = seen
    width, places = recommended.shape[1], stood.shape[1]
    for lane in range(demand.shape[0]):
        target = np.rint(rule.target_ratio[lane] * UNITS)
        for step in range(demand.shape[1]):
            usage = np.rint(demand[lane, step] / rule.capacity[lane] * UNITS)
            for _ in range(runs):
                current = replicas[lane]
                stood[lane, count[lane] % places] = current
                wanted = current
                if known[lane, step]:
                    wanted = _wanted(rule, lane, usage, target, current)
                recommended[lane, count[lane] % width] = wanted
                if wanted != current:
                    steady = _stabilized(rule, state, lane, wanted)
                    replicas[lane] = _limited(rule, state, lane, steady)
                count[lane] += 1
            plan[lane, step] = replicas[lane]


@compiled
def _wanted(rule: HpaRule, lane: int, usage: float, target: float, current: int) -> int:
    """Usage over target, rounded up, unless it is within the tolerance."""
    ratio = usage / (target * current)
    if 1.0 - rule.down.tolerance_ratio[lane] <= ratio <= 1.0 + rule.up.tolerance_ratio[lane]:
        return current
    return int(np.ceil(min(usage / target, INT32_MAX)))


@compiled
def _stabilized(rule: HpaRule, state: _Columns, lane: int, wanted: int) -> int:
    """Not above the smallest of the up window, not below the largest of the down window."""
    count, first, replicas, recommended, _ = state
    width, run = recommended.shape[1], count[lane]
    low = high = wanted
    if wanted > replicas[lane]:
        for back in range(min(run + 1, rule.up.window[lane])):
            low = min(low, recommended[lane, (run - back) % width])
        if run < rule.up.first_counts[lane]:
            low = min(low, first[lane])
    steady = max(replicas[lane], low)
    if steady > high:
        for back in range(min(run + 1, rule.down.window[lane])):
            high = max(high, recommended[lane, (run - back) % width])
        if run < rule.down.first_counts[lane]:
            high = max(high, first[lane])
    return int(min(steady, high))


@compiled
def _limited(rule: HpaRule, state: _Columns, lane: int, steady: int) -> int:
    """Within the rate policies and the bounds."""
    current = state[2][lane]
    if steady > current:
        highest = min(rule.high[lane], max(_rate(rule.up, state, lane, 1), current))
        return int(min(steady, highest))
    if steady < current:
        lowest = max(rule.low[lane], min(_rate(rule.down, state, lane, -1), current))
        return int(max(steady, lowest))
    return int(current)


@compiled
def _rate(way: Way, state: _Columns, lane: int, sign: int) -> int:
    """The count that the rate policies of one direction allow; `sign` is 1 upwards and -1 downwards."""
    count, _, replicas, _, stood = state
    if way.select[lane] == _DISABLED:
        return int(replicas[lane])
    chosen, found = 0, False
    for policy in range(way.row[lane], way.row[lane + 1]):
        back = min(way.period[policy], count[lane])
        start = stood[lane, (count[lane] - back) % stood.shape[1]]
        allowed = start + sign * way.value[policy]
        if way.percent[policy]:
            scaled = start * (1.0 + sign * way.value[policy] / 100)
            allowed = int(np.ceil(scaled)) if sign > 0 else int(np.trunc(scaled))
        wider = sign * allowed > sign * chosen
        if not found or wider == (way.select[lane] == _MAX):
            chosen = allowed
        found = True
    return int(chosen)
