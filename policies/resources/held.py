"""Foresail's sizing of containers that live on: what each request is held at, and when a change of it is worth making.

A request that is resized in place changes when the estimator says so, at most eight times a day. One whose change is a
restart changes once a day at most, in an hour of its own, and is never below what the vertical autoscaler's method
would restart it for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray, floats
from policies.resources import cpu, memory
from policies.resources.cpu import CpuState
from policies.resources.memory import MemoryState
from policies.resources.methods import Aims
from policies.resources.model import DAY_S, HOUR_S, Present, Recommendation, followed
from policies.resources.rows import in_order, placed

CPU, MEMORY = 0, 1  # columns
STEP_S = 300.0  # a sample: of CPU the mean, of memory the largest of it
PER_HOUR, PER_DAY = int(HOUR_S / STEP_S), int(DAY_S / STEP_S)
IN_PLACE, RESTARTS = Aims(), Aims(changes_per_day=1.0, every_s=DAY_S)
NEEDED_S = np.array([3 * DAY_S, DAY_S])  # of samples, before Foresail's own method speaks
BAND = 0.02  # of a request that is resized in place: what differs by more is to be changed now
RESTART_DEAD = 0.1  # below it the vertical autoscaler's updater restarts nothing
_ROUNDING = 1e-6  # of changes that come back little by little
_SHARED = ("terms",)


class Guide(NamedTuple):
    """What the vertical autoscaler's method says, and what a container's least is, `[container, resource]`."""

    lower: FloatArray
    target: FloatArray
    upper: FloatArray
    least: FloatArray


@dataclass(slots=True)
class HeldState:
    """What is known of each container, and the request it is held at. Written to by the functions below."""

    cpu: CpuState
    memory: MemoryState
    request: FloatArray  # [container, resource]; NaN before the first
    left: FloatArray  # changes, [container, resource]
    seen: IntArray  # samples, [container, resource]
    in_place: BoolArray  # [container]
    turn: IntArray  # the hour of the day at which one that is restarted is looked at, [container]

    @classmethod
    def start(cls, containers: int, step: int) -> HeldState:
        """Nothing was seen of any container before this step, which is counted since 1970."""
        found = cls(
            CpuState.start(containers, _terms(IN_PLACE)),
            MemoryState.start(containers),
            np.full((containers, 2), np.nan),
            np.ones((containers, 2)),
            np.zeros((containers, 2), np.int64),
            np.zeros(containers, np.bool_),
            np.zeros(containers, np.int64),
        )
        found.cpu.now = step
        return found

    def aligned(self, rows: IntArray) -> None:
        """Have these rows in this order; -1 is one of which nothing is known."""
        in_order(self, HeldState.start(1, self.cpu.now), rows, but=_SHARED)


def ready(state: HeldState) -> BoolArray:
    """Where enough was seen for Foresail's own method, `[container, resource]`: 3 days of CPU, a day of memory."""
    return np.asarray(state.seen * STEP_S >= NEEDED_S, np.bool_)


def observe(state: HeldState, usage: FloatArray) -> None:
    """Take the next step's use in cores and bytes, `[container, resource]`; NaN where there is none."""
    at_s = np.full(usage.shape[0], state.cpu.now * STEP_S)
    cpu.observe(state.cpu, usage[:, CPU])
    memory.observe(state.memory, at_s, usage[:, MEMORY])
    state.seen += np.isfinite(usage)


def restore(state: HeldState, rows: IntArray, past: FloatArray, first: int) -> None:
    """Learn what these containers used from step `first` on, `[step, row, resource]`, as if it had been watched.

    Steps after the past that were watched already are left out of CPU's; of memory their peak and kills stay.
    """
    part = HeldState.start(rows.size, first)
    for usage in past:
        observe(part, usage)
    none = np.full((rows.size, 2), np.nan)
    for _ in range(state.cpu.now - part.cpu.now):
        cpu.observe(part.cpu, none[:, CPU])
    at_s, lived = np.full(rows.size, state.cpu.now * STEP_S), state.memory
    memory.observe(part.memory, at_s, np.fmax.reduce(lived.hours[rows], axis=1))
    part.memory.floor = np.maximum(part.memory.floor, lived.floor[rows])
    placed(state.cpu, part.cpu, rows, but=_SHARED)
    placed(state.memory, part.memory, rows)
    state.seen[rows] = np.maximum(state.seen[rows], part.seen)


def killed(state: HeldState, rows: IntArray, requested: FloatArray, speaks: BoolArray) -> None:
    """Note that containers were killed for want of memory at these requests in bytes, `[row]`, and raise them."""
    memory.killed(state.memory, rows, requested)
    raise_memory(state, rows, state.memory.floor[rows], speaks)


def raise_memory(state: HeldState, rows: IntArray, least: FloatArray, speaks: BoolArray) -> None:
    """Hold no less than so many bytes, `[row]`, where Foresail's own method speaks, whatever the budget of changes."""
    mine = speaks[rows, MEMORY]
    state.request[rows[mine], MEMORY] = np.fmax(state.request[rows[mine], MEMORY], least[mine])


def decide(state: HeldState, guide: Guide, speaks: BoolArray) -> None:
    """Change what is held, after each step, where Foresail's own method speaks, `[container, resource]`."""
    rate = np.where(state.in_place, IN_PLACE.changes_per_day, RESTARTS.changes_per_day)[:, None]
    state.left = np.minimum(state.left + rate * STEP_S / DAY_S, rate)
    wanted = state.request.copy()
    lifted = cpu.urgent(state.cpu, _present(state, np.flatnonzero(speaks[:, CPU]), state.request.shape[0]))
    wanted[:, CPU] = np.where(speaks[:, CPU], lifted, wanted[:, CPU])
    short = speaks[:, MEMORY] & (_this_hour(state.memory) > state.request[:, MEMORY])
    if state.cpu.now % PER_HOUR == 0:
        _look(state, wanted, _aims(state, guide), speaks)
    if short.any():  # what uses more than it requests may be killed
        aim = _floored(state, guide, MEMORY, memory.recommended(state.memory))
        wanted[:, MEMORY] = np.where(short, aim, wanted[:, MEMORY])
    _change(state, wanted, speaks)
    low = speaks & ~state.in_place[:, None] & (state.request < guide.lower)
    state.request = np.where(low, guide.target, state.request)


def follow(state: HeldState, guide: Guide, where: BoolArray) -> None:
    """Hold what the guide says, `[container, resource]`, so that Foresail's first word is a change like any other."""
    state.request = np.where(where & ~np.isnan(guide.target), guide.target, state.request)


def begin(state: HeldState, guide: Guide, speaks: BoolArray) -> None:
    """Have a first request where Foresail's own method speaks and there is none."""
    if (first := speaks & np.isnan(state.request)).any():
        state.request = np.where(first, _aims(state, guide), state.request)


def bounds(state: HeldState, guide: Guide) -> Recommendation:
    """What is held, and the range in which a running request may stay, `[container, resource]`.

    In place it is narrow, for the updater changes what is outside at once. Where a change is a restart it is that of
    the vertical autoscaler's method, so that nothing is restarted at once which that one would leave.
    """
    held, in_place = state.request, state.in_place[:, None]
    lower = np.where(in_place, held * (1.0 - BAND), np.fmin(guide.lower, held))
    upper = np.where(in_place, held * (1.0 + BAND), np.fmax(guide.upper, held))
    return Recommendation(lower, held, upper)


def _aims(state: HeldState, guide: Guide) -> FloatArray:
    """What the estimators ask for, no less than must be, `[container, resource]`; NaN where nothing was seen."""
    both = (cpu.recommended(state.cpu), memory.recommended(state.memory))
    return np.stack([_floored(state, guide, column, advice) for column, advice in enumerate(both)], axis=1)


def _floored(state: HeldState, guide: Guide, column: int, advice: Recommendation) -> FloatArray:
    """A resource's target, `[container]`, no less than its least, nor than what it would be restarted for."""
    least, lower, target = guide.least[:, column], guide.lower[:, column], advice.target
    floor = np.where(state.in_place, least, np.fmax(least, lower))
    return np.where(np.isnan(target), np.nan, np.fmax(target, floor))


def _look(state: HeldState, wanted: FloatArray, aims: FloatArray, speaks: BoolArray) -> None:
    """The hour's decisions, into `wanted`; those that are restarted have their turn once a day."""
    hour = state.cpu.now // PER_HOUR
    due = state.in_place | (hour % 24 == state.turn)
    aim = aims[:, CPU]
    for pace, asked in ((True, IN_PLACE), (False, RESTARTS)):
        rows = np.flatnonzero(due & speaks[:, CPU] & (state.in_place == pace))
        view = replace(state.cpu, own=state.cpu.own[rows], terms=_terms(asked))
        said = Recommendation(aim[rows], aim[rows], aim[rows])
        new = cpu.decided(view, said, Present(state.request[rows, CPU], state.left[rows, CPU] + _ROUNDING))
        raised = wanted[rows, CPU] > state.request[rows, CPU]  # by what was used just now
        wanted[rows, CPU] = np.where(raised, np.fmax(wanted[rows, CPU], new), new)
        state.cpu.own[rows] = view.own
    aim, held = aims[:, MEMORY], state.request[:, MEMORY]
    decided = memory.decided(Recommendation(aim, aim, aim), held)
    rows = np.flatnonzero(speaks[:, MEMORY] & due)
    wanted[rows, MEMORY] = np.where(state.in_place, decided, followed(aim, held, RESTART_DEAD))[rows]


def _change(state: HeldState, wanted: FloatArray, speaks: BoolArray) -> None:
    """Take what is wanted where a change is left. A restart changes both resources, and is counted for both."""
    other = speaks & ~np.isnan(wanted) & ~np.isnan(state.request) & (wanted != state.request)
    other &= state.left >= 1.0 - _ROUNDING
    charged = np.where(state.in_place[:, None], other, other.any(axis=1, keepdims=True))
    state.left -= charged
    state.request = np.where(other, wanted, state.request)


def _this_hour(state: MemoryState) -> FloatArray:
    """The peak of the hour of each container's last sample, `[container]`; NaN before the first."""
    return np.asarray(state.hours[np.arange(state.kept.size), state.kept % memory.RING_H], np.float64)


def _present(state: HeldState, rows: IntArray, count: int) -> Present:
    """What the rows request of CPU; NaN elsewhere."""
    request = floats(count, np.nan)
    request[rows] = state.request[rows, CPU]
    return Present(request, state.left[:, CPU] + _ROUNDING)


def _terms(aims: Aims) -> FloatArray:
    """Both paces are learned by the hour; they differ in how dear a change is."""
    return cpu.terms_of(
        step_s=STEP_S, every_s=HOUR_S, overrun_ratio=aims.overrun_ratio, changes_per_day=aims.changes_per_day
    )
