"""What a change of a policy would have done on a recorded load, beside the policy as it is and what really happened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.model import UNKNOWN
from simulations.backtest import Aim, plans_of
from simulations.contenders import Daemon
from simulations.recorded import warmup_s
from simulations.scenario import Pace, ReplayError, Scenario
from simulations.serving import DAY_S, HOUR_S, in_time, paid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import BoolArray, FloatArray, IntArray
    from simulations.contenders import Hpa
    from simulations.protocol import Grid
    from simulations.recorded import RecordedLoad

PACE = Pace()  # the daemon's own: its fast drive takes no other
_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class Terms:
    """What a policy allows and asks for. `rule` stands alone in charge where the policy forecasts nothing."""

    late_ratio: float  # share of requests that may be late
    replicas: tuple[int, int]  # smallest and largest number
    price: float | None = None  # of one replica for an hour
    rule: Hpa | None = None


@dataclass(frozen=True, slots=True)
class Happened:
    """What a daemon saw of a workload, `[tick]` of its recorded load without the load's past."""

    wanted: IntArray  # replicas; UNKNOWN where its scale was not seen
    ready: IntArray
    censored: BoolArray  # the load was no less than what could be served: a lower bound of what was wanted


@dataclass(frozen=True, slots=True)
class WorstHour:
    """The hour of the clock in which most load came late, and the share of its load that did."""

    at_s: float
    late_ratio: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What one way of scaling cost and missed. The late share is of the load that is known; None where none came."""

    replica_hours: float
    cost: float | None
    late_ratio: float | None
    worst: WorstHour | None  # None: nothing came late
    churn_per_day: float  # replicas started or stopped


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the figures rest on, after the time that only warms policies up."""

    span_s: tuple[float, float]  # wall times of the first step judged, and of the end of the last
    load_hours: float  # of which the load is known
    censored_ratio: float  # share of these in which the load is a lower bound
    unknown_ratio: float  # share of the whole time of which the load is not known
    warmup_hours: float


@dataclass(frozen=True, slots=True)
class Compared:
    """What happened, and what policies would have done: figures for each of the terms, in their order."""

    evidence: Evidence
    happened: Figures | None  # None where its scale was never seen
    policies: tuple[Figures, ...]


def compared(load: RecordedLoad, happened: Happened, policies: Sequence[Terms]) -> Compared:
    """Replay each of the policies on the load, and judge all of them, and what happened, on the same steps.

    The first policy's price is that of what happened. Raises ReplayError where there is nothing to judge.
    """
    grid = load.grid(PACE.step_s)
    if grid is None:
        raise ReplayError("no fresh reading of a demand signal is recorded, so there is no load to replay")
    first = int(np.ceil(warmup_s(load, grid) / PACE.step_s))
    if first >= grid.demand.size:
        raise ReplayError("the recorded load is too short: all of it only warms policies up")
    tick = np.maximum(np.searchsorted(load.at_s[load.past :], grid.at_s, side="right") - 1, 0)
    judge, wanted = _Judge.of(grid, first), _bridged(happened.wanted)
    ready = happened.ready[tick].astype(np.float64)
    return Compared(
        judge.evidence(happened.censored[tick]),
        None if wanted is None else judge.figures(wanted[tick], ready, policies[0].price),
        tuple(_replayed(load, grid, terms, judge) for terms in policies),
    )


def _bridged(wanted: IntArray) -> IntArray | None:
    """Counts with the last known one where none is, or the first before that; None where none is known."""
    known = np.flatnonzero(wanted != UNKNOWN)
    if known.size == 0:
        return None
    last = np.searchsorted(known, np.arange(wanted.size), side="right") - 1
    return wanted[known[np.maximum(last, 0)]]


def _replayed(load: RecordedLoad, grid: Grid, terms: Terms, judge: _Judge) -> Figures:
    serving = replace(load, replicas=terms.replicas).serving(step_s=PACE.step_s)
    policy = Daemon("predictive") if terms.rule is None else terms.rule
    (plan,) = plans_of(policy, [Scenario.of(grid, PACE, serving)], Aim(terms.late_ratio))
    return judge.figures(paid(plan, serving), in_time(plan, serving), terms.price)


@dataclass(frozen=True, slots=True)
class _Judge:
    """The steps on which all are judged, `[step]` from `first` of the grid on."""

    first: int
    at_s: FloatArray
    demand: FloatArray  # 0 where it is not known
    known: BoolArray

    @classmethod
    def of(cls, grid: Grid, first: int) -> _Judge:
        demand = np.where(grid.known, grid.demand, 0.0)
        return cls(first, grid.at_s[first:], demand[first:], grid.known[first:])

    def evidence(self, censored: BoolArray) -> Evidence:
        """What there is to judge by; `censored` is `[step]` of the grid."""
        known = int(self.known.sum())
        return Evidence(
            (float(self.at_s[0]), float(self.at_s[-1]) + PACE.step_s),
            known * PACE.step_s / HOUR_S,
            float((censored[self.first :] & self.known).sum()) / max(1, known),
            1.0 - known / self.known.size,
            self.first * PACE.step_s / HOUR_S,
        )

    def figures(self, replicas: IntArray, able: FloatArray, price: float | None) -> Figures:
        """Of replicas asked for, and of the load that those which are ready serve in time, `[step]` of the grid."""
        replicas, able = replicas[self.first :], able[self.first :]
        hours = float(replicas.sum()) * PACE.step_s / HOUR_S
        late = np.where(self.demand > able + _NOISE, self.demand, 0.0)
        total = float(self.demand.sum())
        return Figures(
            hours,
            None if price is None else hours * price,
            float(late.sum()) / total if total else None,
            self._worst(late),
            float(np.abs(np.diff(replicas)).sum()) / (replicas.size * PACE.step_s / DAY_S),
        )

    def _worst(self, late: FloatArray) -> WorstHour | None:
        hours, place = np.unique(self.at_s // HOUR_S, return_inverse=True)
        late_load, load = np.bincount(place, late), np.bincount(place, self.demand)
        worst = int(late_load.argmax())
        if late_load[worst] == 0:
            return None
        return WorstHour(float(hours[worst] * HOUR_S), float(late_load[worst] / load[worst]))
