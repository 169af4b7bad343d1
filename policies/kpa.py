"""Knative's pod autoscaler (KPA) as a compiled loop: a stable window, and a panic window when the load doubles.

The rule and its defaults are those of Knative Serving's `scaling` package and its configuration `config-autoscaler`;
it is held to its own test tables in `tests/conformance`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray, floats, integers
from policies.compiled import compiled

if TYPE_CHECKING:
    from policies.hpa.behavior import Bounds

STABLE_WINDOW_S, PANIC_WINDOW_S = 60.0, 6.0
TARGET_RATIO = 0.70  # of what a replica can serve
TICK_S = 2.0  # of Knative's own loop
INT32_MAX = 2**31 - 1
ROUNDING = 1e-9  # a need this close above a whole number of replicas is that number


@dataclass(frozen=True, slots=True)
class KpaSettings:
    """What `config-autoscaler` and the annotations of a revision say, the same for every lane."""

    panic_threshold: float = 2.0  # replicas that the panic window needs, over the ready ones
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    stable_window_s: float = STABLE_WINDOW_S
    panic_window_s: float = PANIC_WINDOW_S
    scale_down_delay_s: float = 0.0
    tick_s: float = TICK_S  # counts of one tick are one entry of the delay's window
    activation_scale: int = 1
    reachable: bool = True  # whether the revision receives requests
    target_burst_capacity: float = 211.0  # 0 = never through the activator, below 0 = always

    @property
    def delay_ticks(self) -> int:
        """Ticks within the delay; 0 where falls are not delayed."""
        return int(np.ceil(self.scale_down_delay_s / self.tick_s - ROUNDING))


@dataclass(frozen=True, slots=True)
class KpaState:
    """What each lane's autoscaler remembers."""

    steps: IntArray  # decisions made on a load [lane]
    replicas: IntArray  # asked for now [lane]
    panic_since_s: FloatArray  # NaN outside of panic [lane]
    max_panic: IntArray  # most replicas asked for in this panic [lane]
    recent: FloatArray  # load of the last steps, NaN where missing, step modulo width [lane, step]
    delayed: MaxWindow  # counts within the delay

    @classmethod
    def created(cls, ready: IntArray, settings: KpaSettings, *, now_s: float) -> KpaState:
        """An autoscaler that was made at `now_s`: where more than one replica is ready `[lane]`, it begins in panic."""
        settled = cls.settled(ready, settings, step_s=TICK_S)
        return replace(settled, panic_since_s=np.where(ready > 1, now_s, np.nan), max_panic=ready.copy())

    @classmethod
    def settled(cls, replicas: IntArray, settings: KpaSettings, *, step_s: float) -> KpaState:
        """An autoscaler that has kept these replicas `[lane]` and is out of panic, for loads on steps of `step_s`."""
        lanes = replicas.size
        recent = np.full((lanes, _steps_within(settings.stable_window_s, step_s)), np.nan)
        delayed = MaxWindow.empty(lanes, settings.delay_ticks)
        return cls(integers(lanes), replicas.copy(), floats(lanes, np.nan), integers(lanes), recent, delayed)


class MaxWindow(NamedTuple):
    """The largest count of the last ticks, tick modulo the width of the ring. Readable by compiled code."""

    tick: IntArray  # of the entry; below 0 = none [lane, place]
    largest: IntArray  # count of its tick [lane, place]

    @classmethod
    def empty(cls, lanes: int, ticks: int) -> MaxWindow:
        """A window of so many ticks without an entry."""
        return cls(np.full((lanes, ticks), -1, np.int64), np.zeros((lanes, ticks), np.int64))

    def copied(self) -> MaxWindow:
        """The same entries in arrays of their own."""
        return MaxWindow(self.tick.copy(), self.largest.copy())


@dataclass(frozen=True, slots=True)
class KpaSeen:
    """What one decision sees, `[lane]`: ready replicas, and the mean load of both windows; NaN where unknown."""

    now_s: float
    ready: IntArray
    stable: FloatArray
    panic: FloatArray


@dataclass(frozen=True, slots=True)
class KpaDecision:
    """Replicas wanted, `[lane]`. Where not `valid` the state stays as it was and the other numbers mean nothing."""

    valid: BoolArray
    desired: IntArray
    excess_burst_capacity: IntArray


class _Numbers(NamedTuple):
    """Settings as compiled code reads them."""

    panic_threshold: float
    max_scale_up_rate: float
    max_scale_down_rate: float
    stable_window_s: float
    tick_s: float
    activation_scale: int
    reachable: bool


class _Memory(NamedTuple):
    """The part of the state that a decision changes, as compiled code reads it."""

    panic_since_s: FloatArray
    max_panic: IntArray
    delayed: MaxWindow


def decide(
    settings: KpaSettings, state: KpaState, seen: KpaSeen, *, target: FloatArray, total: FloatArray
) -> tuple[KpaState, KpaDecision]:
    """One decision of each lane. `target` is the load that one replica should serve and `total` what it can, `[lane]`.

    Without readable replicas (a negative count) or a mean load the decision is not valid. Bounds are for the caller.
    """
    after = replace(
        state,
        panic_since_s=state.panic_since_s.copy(),
        max_panic=state.max_panic.copy(),
        delayed=state.delayed.copied(),
    )
    valid = (seen.ready >= 0) & np.isfinite(seen.stable) & np.isfinite(seen.panic)
    desired, memory = integers(valid.size), _memory(after)
    for lane in np.flatnonzero(valid).tolist():
        loads = (float(seen.stable[lane]), float(seen.panic[lane]), float(target[lane]))
        desired[lane] = _desired(_numbers(settings), memory, lane, (seen.now_s, int(seen.ready[lane])), loads)
    return after, KpaDecision(valid, desired, _excess(settings, seen, total))


def _excess(settings: KpaSettings, seen: KpaSeen, total: FloatArray) -> IntArray:
    """Load that the ready replicas could take in one burst, beyond the one to be kept free, `[lane]`."""
    burst = settings.target_burst_capacity
    if burst <= 0:
        return integers(seen.ready.size, 0 if burst == 0 else -1)
    return np.floor(np.nan_to_num(seen.ready * total - burst - seen.panic)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class KpaRule:
    """The autoscaler on a load whose every step is `step_s` long: settings, targets and bounds, `[lane]`."""

    settings: KpaSettings
    target: FloatArray  # load that one replica should serve
    bounds: Bounds
    step_s: float

    def begun(self, demand: FloatArray) -> KpaState:
        """Lanes that begin out of panic, with the replicas that this demand `[lane]` needs."""
        needed = np.ceil(demand / self.target)
        replicas = np.clip(needed, self.bounds.low, self.bounds.high).astype(np.int64)
        return KpaState.settled(replicas, self.settings, step_s=self.step_s)


def advance(rule: KpaRule, state: KpaState, demand: FloatArray, *, known: BoolArray) -> tuple[KpaState, IntArray]:
    """Decide once a step on the means of its windows; the state after it, and what is asked for at each step.

    `demand` and `known` are `[lane, step]`, as the rule sees them: a metric's delay is the caller's to add. Replicas
    count as ready when they are asked for. Without a known load in both windows nothing changes. Blocks of any length
    give what one step at a time gives.
    """
    after = KpaState(
        state.steps.copy(),
        state.replicas.copy(),
        state.panic_since_s.copy(),
        state.max_panic.copy(),
        state.recent.copy(),
        state.delayed.copied(),
    )
    plan = np.empty(demand.shape, np.int64)
    lanes = _Lanes(rule.target, rule.bounds.low, rule.bounds.high, after.steps, after.replicas, after.recent)
    panic_steps = _steps_within(rule.settings.panic_window_s, rule.step_s)
    pace = (rule.step_s, panic_steps)
    _advance(_numbers(rule.settings), lanes, _memory(after), (np.where(known, demand, np.nan), plan), pace)
    return after, plan


class _Lanes(NamedTuple):
    """What the loop reads of each lane and moves on."""

    target: FloatArray
    low: IntArray
    high: IntArray
    steps: IntArray
    replicas: IntArray
    recent: FloatArray


def _numbers(settings: KpaSettings) -> _Numbers:
    return _Numbers(
        settings.panic_threshold,
        settings.max_scale_up_rate,
        settings.max_scale_down_rate,
        settings.stable_window_s,
        settings.tick_s,
        settings.activation_scale,
        settings.reachable,
    )


def _memory(state: KpaState) -> _Memory:
    return _Memory(state.panic_since_s, state.max_panic, state.delayed)


def _steps_within(window_s: float, step_s: float) -> int:
    return max(1, int(window_s / step_s))


@compiled
def _advance(
    numbers: _Numbers,
    lanes: _Lanes,
    memory: _Memory,
    loads: tuple[FloatArray, IntArray],
    pace: tuple[float, int],
) -> None:
    """Fill the plan and move the state on, in place."""
    demand, plan = loads
    step_s, panic_steps = pace
    width = lanes.recent.shape[1]
    for lane in range(demand.shape[0]):
        for step in range(demand.shape[1]):
            count = lanes.steps[lane]
            lanes.recent[lane, count % width] = demand[lane, step]
            stable = _mean(lanes.recent, lane, count, min(width, count + 1))
            panic = _mean(lanes.recent, lane, count, min(panic_steps, width, count + 1))
            if not (np.isnan(stable) or np.isnan(panic)):
                moment = (count * step_s, lanes.replicas[lane])
                desired = _desired(numbers, memory, lane, moment, (stable, panic, lanes.target[lane]))
                lanes.replicas[lane] = min(max(desired, lanes.low[lane]), lanes.high[lane])
            lanes.steps[lane] += 1
            plan[lane, step] = lanes.replicas[lane]


@compiled
def _mean(recent: FloatArray, lane: int, count: int, steps: int) -> float:
    """The mean of the known loads among the last steps, added from the oldest on; NaN where none is known."""
    total, found = 0.0, 0
    for back in range(steps - 1, -1, -1):
        load = recent[lane, (count - back) % recent.shape[1]]
        if not np.isnan(load):
            total += load
            found += 1
    return total / found if found else np.nan


@compiled
def _desired(
    numbers: _Numbers, memory: _Memory, lane: int, moment: tuple[float, int], loads: tuple[float, float, float]
) -> int:
    """One decision: enter, prolong or leave panic, then the count; the state moves on in place."""
    now_s, replicas = moment
    stable, panic, target = loads
    ready = max(1, replicas)
    lowest = np.floor(ready / numbers.max_scale_down_rate) if numbers.reachable else 0.0
    highest = np.ceil(numbers.max_scale_up_rate * ready)
    needed, urgent = np.ceil(stable / target - ROUNDING), np.ceil(panic / target - ROUNDING)
    count = _activated(numbers, needed, min(max(needed, lowest), highest))
    surge = _activated(numbers, urgent, min(max(urgent, lowest), highest))
    since_s = memory.panic_since_s[lane]
    if urgent / ready >= numbers.panic_threshold:
        memory.panic_since_s[lane] = now_s
    elif since_s + numbers.stable_window_s < now_s:
        memory.panic_since_s[lane] = np.nan
        memory.max_panic[lane] = 0
    if not np.isnan(memory.panic_since_s[lane]):
        memory.max_panic[lane] = max(memory.max_panic[lane], count, surge)
        count = memory.max_panic[lane]
    if numbers.reachable and memory.delayed.tick.shape[1] > 0:
        count = largest_lately(memory.delayed, lane, int(np.floor(now_s / numbers.tick_s)), count)
    return int(count)


@compiled
def _activated(numbers: _Numbers, needed: float, count: float) -> int:
    """At least the activation scale where anything is needed at all."""
    whole = int(min(count, INT32_MAX))
    return max(whole, numbers.activation_scale) if needed > 0 and numbers.activation_scale > 1 else whole


@compiled
def largest_lately(window: MaxWindow, lane: int, tick: int, count: int) -> int:
    """Note a count at its tick; the largest of the window that ends there."""
    width = window.tick.shape[1]
    place = tick % width
    if window.tick[lane, place] == tick:
        window.largest[lane, place] = max(window.largest[lane, place], count)
    else:
        window.tick[lane, place], window.largest[lane, place] = tick, count
    largest = count
    for each in range(width):
        if window.tick[lane, each] > tick - width:
            largest = max(largest, window.largest[lane, each])
    return int(largest)
