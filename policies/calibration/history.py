"""What was seen of a workload in windows of time, and which windows can be learned from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray

SETTLING_WINDOWS = 2  # after a change of the count, replicas that start serve some of their first windows in part
_BLOCKS, _LEAST_IN_BLOCK = 40, 4
_PRESSED = 1.0  # requests that wait per replica; a batch that is being formed makes less


class Kind(StrEnum):
    """Which latency: until the first token, between two tokens, or of a whole request."""

    TTFT = "ttft"
    ITL = "itl"
    LATENCY = "latency"


@dataclass(frozen=True, slots=True)
class Latencies:
    """A histogram of one latency in each window. What is missing is NaN."""

    kind: Kind
    bounds_s: FloatArray  # upper bounds, rising, the last infinite [bound]
    below_per_s: FloatArray  # events a second at or below each bound [window, bound]
    sum_ratio: FloatArray  # seconds of latency in each second: how many are under way, by Little's law [window]

    @property
    def per_s(self) -> FloatArray:
        """All events a second, `[window]`."""
        return self.below_per_s[:, -1]


@dataclass(frozen=True, slots=True)
class History:
    """Windows of `step_s`, sorted by group, then by time: sums over the replicas of a group. What is missing is NaN."""

    step_s: float
    at_s: FloatArray  # end of the window, wall time [window]
    groups: tuple[str, ...]  # pods or versions that are told apart; one name where none are
    group: IntArray  # [window]
    served_per_s: FloatArray  # throughput, in the unit that the capacity is to have [window]
    replicas: FloatArray  # that serve [window]
    waiting: FloatArray  # requests that wait to be served [window]
    rejected_per_s: FloatArray  # in the unit of the throughput [window]
    in_flight: FloatArray  # requests that are being served [window]
    latencies: tuple[Latencies, ...] = ()

    def part(self, rows: BoolArray) -> History:
        """Some of the windows."""
        latencies = tuple(
            Latencies(each.kind, each.bounds_s, each.below_per_s[rows], each.sum_ratio[rows]) for each in self.latencies
        )
        return History(
            self.step_s,
            self.at_s[rows],
            self.groups,
            self.group[rows],
            self.served_per_s[rows],
            self.replicas[rows],
            self.waiting[rows],
            self.rejected_per_s[rows],
            self.in_flight[rows],
            latencies,
        )

    @property
    def load(self) -> FloatArray:
        """What arrived per replica and second: served, and rejected where that is known, `[window]`."""
        return (self.served_per_s + np.nan_to_num(self.rejected_per_s)) / self.replicas

    @property
    def pressed(self) -> BoolArray:
        """Whether requests wait or are rejected, `[window]`."""
        with np.errstate(invalid="ignore"):
            waits: BoolArray = self.waiting >= _PRESSED * self.replicas
            refused: BoolArray = self.rejected_per_s > 0
        return waits | refused


@dataclass(frozen=True, slots=True)
class Left:
    """How many windows there were, and why some are not learned from."""

    windows: int
    missing: int  # no throughput, or no count of replicas
    idle: int
    stale: int  # repeat the one before to the last digit
    unsettled: int  # the count of replicas changed


def usable(history: History) -> tuple[BoolArray, Left]:
    """Which windows can be learned from, `[window]`, and what became of the others."""
    served, replicas = history.served_per_s, history.replicas
    missing = ~np.isfinite(served) | ~np.isfinite(replicas) | (np.nan_to_num(replicas) < 1)
    idle = ~missing & ~(served > 0)
    follows = _follows(history)
    stale = ~missing & ~idle & follows & _repeats(history)
    changed = follows & (_before(replicas) != replicas) & ~missing
    unsettled = changed.copy()
    for windows in range(1, SETTLING_WINDOWS + 1):
        unsettled[windows:] |= changed[:-windows] & (history.group[windows:] == history.group[:-windows])
    if np.isfinite(replicas).any():
        unsettled[:-1] |= changed[1:]
    unsettled &= ~missing & ~idle & ~stale
    kept: BoolArray = ~(missing | idle | stale | unsettled)
    return kept, Left(kept.size, *(int(each.sum()) for each in (missing, idle, stale, unsettled)))


def blocks_of(at_s: FloatArray) -> IntArray:
    """Stretches of time with about as many windows in each, by number, `[window]`: what is within one is alike."""
    times = np.unique(at_s)
    count = max(1, min(_BLOCKS, times.size // _LEAST_IN_BLOCK))
    return (np.searchsorted(times, at_s) * count) // max(times.size, 1)


def _follows(history: History) -> BoolArray:
    """Whether a window comes right after the one before it in the table."""
    follows = np.zeros(history.at_s.size, np.bool_)
    near = np.diff(history.at_s) <= 1.5 * history.step_s  # one step and some jitter
    follows[1:] = near & (history.group[1:] == history.group[:-1])
    return follows


def _repeats(history: History) -> BoolArray:
    """Whether nothing at all differs from the window before: rates of a live workload always do."""
    columns = [history.served_per_s, *(each.sum_ratio for each in history.latencies)]
    columns += [each.per_s for each in history.latencies]
    if len(columns) == 1:
        return np.zeros(history.at_s.size, np.bool_)  # a count of few requests may well come again
    same = [np.nan_to_num(_before(each), nan=-1.0) == np.nan_to_num(each, nan=-1.0) for each in columns]
    return np.asarray(np.all(same, axis=0), np.bool_)


def _before(values: FloatArray) -> FloatArray:
    return np.concatenate((np.full(1, np.nan), values[:-1]))
