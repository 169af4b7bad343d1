"""The rule of HPA v2 as one compiled loop: for shadow replay, where millions of decisions are made at once.

It decides as `candidates.kubernetes_rule` does for a lane with one demand signal of a declared capacity: same
rounding, tolerances, windows, rate policies and bounds, and a missing value counts as a recommendation to stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray, integers
from policies.codes import Select
from policies.compiled import compiled

if TYPE_CHECKING:
    from policies.behaviors import Behavior, Direction
    from policies.hpa.behavior import Bounds

UNITS = 1e9  # a value is rounded to this share of what one replica serves, the milli-units of a replay
INT32_MAX = 2**31 - 1
ROUNDING = 1e-9  # a first need this close above a whole number of replicas is that number
_MAX, _DISABLED = int(Select.MAX), int(Select.DISABLED)  # as numbers that compiled code knows


class Way(NamedTuple):
    """One direction of the behavior, counted in runs of the rule, `[lane]`; rate policies are rows of a table."""

    window: IntArray  # runs before the present one whose recommendations count; -1 = not even the first sight's
    tolerance_ratio: FloatArray
    select: SmallArray
    row: IntArray  # policies of a lane: row[lane] up to row[lane + 1], [lane + 1]
    percent: BoolArray  # else pods [policy]
    value: IntArray  # [policy]
    period: IntArray  # runs before the present one that lie within the period [policy]


class Beside(NamedTuple):
    """Orders of another, `[lane, step]`: the larger count stands, or the order where it stands alone."""

    order: IntArray
    alone: BoolArray  # where the load is known


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
        """Recommendations that a lane must remember, the present one included."""
        return 1 + int(max(self.up.window.max(initial=0), self.down.window.max(initial=0)))

    @property
    def longest_period(self) -> int:
        """Counts that a lane must remember."""
        return 1 + int(max(self.up.period.max(initial=0), self.down.period.max(initial=0)))


def hpa_rule(
    capacity: FloatArray, target_ratio: FloatArray, *, behavior: Behavior, bounds: Bounds, sync_s: float
) -> HpaRule:
    """The rule of lanes whose behavior is written out (see `fleet.fleet_of`), run every `sync_s` seconds.

    A rate policy counts every move within its period. Kubernetes forgets moves of one direction after that direction's
    longest period, so it may allow another count where a policy of the other direction looks back further.

    `bounds.low` must be at least 1: nothing here wakes a lane from zero. Raises ValueError where it is not.
    """
    if bounds.low.size and bounds.low.min() < 1:
        raise ValueError(f"the smallest count must be at least 1 replica, not {bounds.low.min()}")
    up, down = (_way(direction, sync_s) for direction in (behavior.up, behavior.down))
    return HpaRule(capacity.astype(np.float64), target_ratio.astype(np.float64), bounds.low, bounds.high, up, down)


def _way(direction: Direction, sync_s: float) -> Way:
    rates, lanes = direction.rates, direction.window_s.size
    return Way(
        window=_runs_before(direction.window_s, sync_s),
        tolerance_ratio=direction.tolerance_ratio,
        select=direction.select,
        row=np.searchsorted(rates.lane, np.arange(lanes + 1)).astype(np.int64),
        percent=rates.percent,
        value=rates.value,
        period=_runs_before(rates.period_s, sync_s),
    )


def _runs_before(window_s: FloatArray, sync_s: float) -> IntArray:
    """Runs before the present one that are strictly younger than a window: 19 of 300 s at every 15 s, 0 of 15 s.

    A window of 0 s has -1, as it does not even hold what is as old as the present run.
    """
    return np.ceil(window_s / sync_s - ROUNDING).astype(np.int64) - 1


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


def advance(  # noqa: PLR0913 - all but the first three are named
    rule: HpaRule,
    state: HpaState,
    demand: FloatArray,
    *,
    known: BoolArray,
    runs: int = 1,
    beside: Beside | None = None,
) -> tuple[HpaState, IntArray]:
    """Decide `runs` times on each step's demand; the state after it, and what stands after each step.

    `demand` and `known` are `[lane, step]`, as the rule sees them: a metric's delay is the caller's to add. Blocks of
    any length give what one step at a time gives. With `beside` the rule goes on from the count that then stands.
    """
    nothing = np.zeros((0, 0), np.int64)
    beside = Beside(nothing, nothing > 0) if beside is None else beside
    rings = (state.recommended.copy(), state.stood.copy())
    now = HpaState(state.runs.copy(), state.first.copy(), state.replicas.copy(), *rings)
    plan = np.empty(demand.shape, np.int64)
    _advance(rule, (now.runs, now.first, now.replicas, now.recommended, now.stood), (demand, known), runs, beside, plan)
    return now, plan


_Columns = tuple[IntArray, IntArray, IntArray, IntArray, IntArray]


@compiled
def _advance(  # noqa: PLR0913 - compiled code takes columns
    rule: HpaRule, state: _Columns, seen: tuple[FloatArray, BoolArray], runs: int, beside: Beside, plan: IntArray
) -> None:
    """Fill `plan` and move `state` on, in place."""
    count, first, replicas, recommended, stood = state
    demand, known = seen
    for lane in range(demand.shape[0]):
        capacity, target = rule.capacity[lane], np.rint(rule.target_ratio[lane] * UNITS)
        lowest, highest = 1.0 - rule.down.tolerance_ratio[lane], 1.0 + rule.up.tolerance_ratio[lane]
        for step in range(demand.shape[1]):
            usage = np.rint(demand[lane, step] / capacity * UNITS)
            for _ in range(runs):
                current, run = replicas[lane], count[lane]
                stood[lane, run % stood.shape[1]] = current
                wanted = current
                if known[lane, step] and not lowest <= usage / (target * current) <= highest:
                    wanted = int(np.ceil(min(usage / target, INT32_MAX)))
                recommended[lane, run % recommended.shape[1]] = wanted
                steady = wanted
                if wanted != current:
                    window = rule.up.window[lane] if wanted > current else rule.down.window[lane]
                    steady = _held((recommended, first), (lane, run), window, (wanted, current))
                if steady > current:
                    replicas[lane] = min(steady, rule.high[lane], max(_rate(rule.up, state, lane, 1), current))
                elif steady < current:
                    replicas[lane] = max(steady, rule.low[lane], min(_rate(rule.down, state, lane, -1), current))
                if beside.order.size:
                    order = beside.order[lane, step]
                    alone = beside.alone[lane, step] and known[lane, step]
                    replicas[lane] = order if alone else max(replicas[lane], order)
                count[lane] = run + 1
            plan[lane, step] = replicas[lane]


@compiled
def _held(advice: tuple[IntArray, IntArray], place: tuple[int, int], window: int, ends: tuple[int, int]) -> int:
    """How far a move to what is wanted may go: to what was recommended nearest to the present count in the window.

    A rise goes to the smallest and a fall to the largest recommendation, and none beyond the present count. The count
    at first sight is one of them. The oldest come first, as it is they that hold a fall.
    """
    recommended, first = advice
    lane, run = place
    wanted, current = ends
    width = recommended.shape[1]
    sign = 1 if wanted > current else -1
    held = sign * wanted
    if run <= window:
        held = min(held, sign * first[lane])
    slot = (run - min(run, window)) % width
    for _ in range(min(run, window)):
        if held <= sign * current:
            return current
        held = min(held, sign * recommended[lane, slot])
        slot = slot + 1 if slot + 1 < width else 0
    return sign * max(held, sign * current)


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
