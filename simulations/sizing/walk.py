"""Walks a method of sizing forward over recorded usage: it decides by what came before, and is told each sample after.

A request decided at a time holds for samples from that time on; only earlier ones were seen. Resizing is in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray, booleans, floats, integers
from policies.resources.model import DAY_S, HOUR_S, Containers, Present, Recommendation, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.resources.model import Method, State
    from simulations.sizing.usage_file import Usage

WARMUP_S: dict[Resource, float] = {"cpu": 3 * DAY_S, "memory": 6 * HOUR_S}
KILL_BUMP = 1.2  # times the request of a container that was killed for want of memory
_SHORT = 4 / 3  # warm-ups: of a series shorter than these, a part is watched
_PART = 4
_ROUNDING = 1e-9  # of changes that come back little by little


@dataclass(frozen=True, slots=True)
class Rules:
    """What is sized, and how often its request may change."""

    resource: Resource
    every_s: float = HOUR_S
    changes_per_day: float = np.inf  # on average, and twice as many in a day; kills for want of memory are beyond it


@dataclass(frozen=True, slots=True)
class Walked:
    """What came of a walk: the requests that met the samples, `[sample]` (NaN in the warm-up), and the last advice."""

    usage: Usage
    rules: Rules
    request: FloatArray
    advice: Recommendation
    why: tuple[str, ...]  # of the advice, `[series]`


def walked(usage: Usage, method: Method[State], rules: Rules) -> Walked:
    """Walk all series, those of a step side by side."""
    request = floats(usage.at_s.size, np.nan)
    last = [floats(len(usage.series), np.nan) for _ in range(3)]
    why = [""] * len(usage.series)
    step_s = steps_s(usage)
    for step in np.unique(step_s):
        which = np.flatnonzero(step_s == step)
        advice, words = _Walk.of(usage, which, float(step), rules).through(method, request)
        for n, sentence in zip(which.tolist(), words, strict=True):
            why[n] = sentence
        for whole, part in zip(last, (advice.lower, advice.target, advice.upper), strict=True):
            whole[which] = part
    return Walked(usage, rules, request, Recommendation(*last), tuple(why))


def steps_s(usage: Usage) -> FloatArray:
    """The usual time between two samples, `[series]`: the median, to the second."""
    spans = zip(usage.start[:-1], usage.start[1:], strict=True)
    return np.array([max(1.0, np.round(np.median(np.diff(usage.at_s[a:b])))) for a, b in spans])


def warmups_s(usage: Usage, resource: Resource) -> FloatArray:
    """How long each series is watched before its first request, `[series]`.

    CPU 3 days, memory 6 hours; a quarter of a series shorter than 4 days or 8 hours, as 6 hours of a day of CPU.
    """
    span_s = usage.at_s[usage.start[1:] - 1] - usage.at_s[usage.start[:-1]]
    return np.where(span_s < _SHORT * WARMUP_S[resource], span_s / _PART, WARMUP_S[resource])


@dataclass(slots=True)
class _Walk:
    """Series of one step as columns of samples, `[container]`; a column is a step, empty cells are gaps."""

    rules: Rules
    step_s: float
    sample: IntArray  # place in the file's arrays, `[container, column]`; -1 for none
    usage: Usage
    first_s: FloatArray
    begin_s: FloatArray  # of the first request
    request: FloatArray
    turn: IntArray  # how many intervals had begun at the last decision
    changes: _Changes

    @classmethod
    def of(cls, usage: Usage, which: IntArray, step_s: float, rules: Rules) -> _Walk:
        first_s = usage.at_s[usage.start[which]]
        return cls(
            rules,
            step_s,
            _columns(usage, which, step_s),
            usage,
            first_s,
            first_s + warmups_s(usage, rules.resource)[which],
            floats(which.size, np.nan),
            integers(which.size, -1),
            _Changes.none(which.size, rules.changes_per_day),
        )

    def through(self, method: Method[State], out: FloatArray) -> tuple[Recommendation, list[str]]:
        """Go through all columns, leave requests in `out`, and return what is advised at the end, and why."""
        count = self.request.size
        state = method.start(Containers(self.rules.resource, floats(count, self.step_s)))
        now_s = self.first_s.copy()
        for at_s, value, place in self._samples():
            there = place >= 0
            now_s = np.where(there, at_s, now_s)
            due = self._due(now_s, there)
            if due.any():
                advice = method.recommend(state, now_s)
                self._change(now_s, due, method.decided(state, now_s, advice, self._present(now_s)))
            out[place[there]] = self.request[there]
            state = method.observe(state, at_s, value)
            if self.rules.resource == "memory":
                state = self._kill(method, state, now_s, np.flatnonzero(value > self.request))
            serving = there & ~np.isnan(self.request)
            if serving.any():
                self._change(now_s, serving, method.urgent(state, now_s, self._present(now_s)))
        advice = method.recommend(state, now_s + self.step_s)
        return advice, [method.why(state, row) for row in range(count)]

    def _samples(self) -> Iterator[tuple[FloatArray, FloatArray, IntArray]]:
        """Times, usage and places of each column, empty ones as well, so that hours of the day stay in step."""
        for place in self.sample.T:
            yield (
                np.where(place >= 0, self.usage.at_s[place], np.nan),
                np.where(place >= 0, self.usage.value[place], np.nan),
                place,
            )

    def _due(self, now_s: FloatArray, there: BoolArray) -> BoolArray:
        """Where an interval of decisions has begun since the last one."""
        turn = np.floor((now_s - self.begin_s) / self.rules.every_s)
        due = there & (now_s >= self.begin_s) & (turn > self.turn)
        self.turn = np.where(due, turn, self.turn).astype(np.int64)
        return due | (there & (now_s >= self.begin_s) & np.isnan(self.request))

    def _present(self, now_s: FloatArray) -> Present:
        return Present(self.request.copy(), self.changes.left(now_s))

    def _change(self, now_s: FloatArray, rows: BoolArray, wanted: FloatArray) -> None:
        """Take what is wanted where it is another request and a change is left."""
        first = rows & np.isnan(self.request) & ~np.isnan(wanted)
        self.changes.begin(now_s, first)
        other = rows & ~np.isnan(self.request) & ~np.isnan(wanted) & (wanted != self.request)
        other &= self.changes.left(now_s) >= 1
        self.changes.note(now_s, other)
        self.request = np.where(first | other, wanted, self.request)

    def _kill(self, method: Method[State], state: State, now_s: FloatArray, rows: IntArray) -> State:
        """Containers above their request are killed, and come back with more."""
        if not rows.size:
            return state
        state = method.killed(state, rows, now_s[rows], self.request[rows])
        self.request = self.request.copy()
        self.request[rows] *= KILL_BUMP
        bumped = booleans(self.request.size)
        bumped[rows] = True
        self.changes.note(now_s, bumped)
        return state


@dataclass(slots=True)
class _Changes:
    """How many changes are left, `[container]`: they come evenly from the first request on, and a day's are kept."""

    at_s: FloatArray  # of the last look; NaN before the first request
    held: FloatArray
    bound: float

    @classmethod
    def none(cls, containers: int, bound: float) -> _Changes:
        return cls(floats(containers, np.nan), floats(containers, 0.0 if np.isfinite(bound) else bound), bound)

    def begin(self, now_s: FloatArray, rows: BoolArray) -> None:
        """These containers have their first request now."""
        self.at_s = np.where(rows, now_s, self.at_s)

    def left(self, now_s: FloatArray) -> FloatArray:
        """How many more changes each container may have now, `[container]`."""
        if np.isfinite(self.bound):
            passed_s = np.nan_to_num(now_s - self.at_s)
            self.held = np.minimum(self.held + self.bound * passed_s / DAY_S, self.bound)
            self.at_s = np.where(np.isnan(self.at_s), np.nan, now_s)
        return self.held + _ROUNDING

    def note(self, now_s: FloatArray, rows: BoolArray) -> None:
        """Note a change of each of these containers."""
        self.left(now_s)
        self.held = np.where(rows, self.held - 1.0, self.held)


def _columns(usage: Usage, which: IntArray, step_s: float) -> IntArray:
    """Places of samples, `[container, column]`: a column a step; a gap of days is one of a day and its hours."""
    slots, day = [], max(1.0, np.round(DAY_S / step_s))
    for n in which.tolist():
        gaps = np.diff(usage.at_s[usage.start[n] : usage.start[n + 1]])
        steps = np.maximum(np.round(gaps / step_s), 1.0)
        passed = np.where(steps > day, day + steps % day, steps).astype(np.int64)
        slots.append(np.concatenate([integers(1), np.cumsum(passed)]))
    found = np.full((which.size, max(int(each[-1]) for each in slots) + 1), -1, np.int64)
    for row, (n, slot) in enumerate(zip(which.tolist(), slots, strict=True)):
        found[row, slot] = np.arange(usage.start[n], usage.start[n + 1])
    return found
