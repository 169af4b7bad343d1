"""The load of every run, with what a scenario says happens to it: what arrives, and where it is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.quantities import duration_text
from simulations import traffic
from simulations.protocol import ProtocolError, grid
from simulations.serving import DAY_S, HOUR_S
from simulations.traffic import Moments
from simulations.whatif.luck import LOAD, generator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.arrays import BoolArray, FloatArray, IntArray
    from simulations.load_file import Load as Samples
    from simulations.protocol import Grid
    from simulations.traffic import Shape
    from simulations.whatif.document import Scenario, Workload
    from simulations.whatif.loads import Change, Generate

_YEAR_S = 365 * DAY_S
_RISE_S = 60.0  # of a load that comes from a lost region
_FRIDAY = 4


class WhatIfError(ValueError):
    """A scenario that cannot be run with what it was given; the message names the place and the mend."""


class Arriving(NamedTuple):
    """The load of one workload in the runs of a block."""

    demand: FloatArray  # in its own unit [run, step]
    known: BoolArray  # where policies see it [run, step]
    start_s: float  # wall time of the first step


@dataclass(frozen=True, slots=True)
class Growing:
    """Growth that compounds; a `traffic.Shape`."""

    per_year: float

    def factor(self, moments: Moments, random: np.random.Generator) -> FloatArray:  # noqa: ARG002 - Shape's signature
        """1.5 after 365 days at 0.5 a year."""
        return np.asarray((1 + self.per_year) ** (np.maximum(0.0, moments.since_s) / _YEAR_S), np.float64)


@dataclass(frozen=True, slots=True)
class Hourly:
    """A factor at each full hour of the day (UTC), in a straight line between them; a `traffic.Shape`."""

    factors: tuple[float, ...]

    def factor(self, moments: Moments, random: np.random.Generator) -> FloatArray:  # noqa: ARG002 - Shape's signature
        """At half past seven, halfway between the factors of seven and of eight."""
        hour = moments.at_s % DAY_S / HOUR_S
        return np.interp(hour, np.arange(len(self.factors)), self.factors, period=float(len(self.factors)))


def arriving(scenario: Scenario, place: int, samples: Mapping[str, Samples], runs: range) -> Arriving:
    """The load of the workload at a place, in these runs.

    `samples` has the recorded loads by the workload's name. Raises WhatIfError where a record is too short or empty.
    """
    workload = scenario.workloads[place]
    if workload.load.generate is None:
        start_s, demand, known = _recorded(scenario, place, samples, runs)
    else:
        start_s = scenario.start_s
        demand = np.full((len(runs), scenario.steps), workload.load.generate.level, np.float64)
        known = np.ones(demand.shape, np.bool_)
    moments = _moments(scenario, start_s)
    plain, drawn = _shapes(workload)
    steady = np.ones(scenario.steps)
    for shape in plain:
        steady *= shape.factor(moments, np.random.default_rng(0))
    demand *= steady
    for row, run in enumerate(runs):
        for number, shape in enumerate(drawn):
            demand[row] *= shape.factor(moments, generator(scenario.seed, run, LOAD, place, number))
    for change in workload.changes:
        if change.metrics_outage is not None:
            since_s = moments.since_s - change.metrics_outage.after
            known &= ~((since_s >= 0) & (since_s < change.metrics_outage.lasts))
    return Arriving(demand, known, start_s)


def _moments(scenario: Scenario, start_s: float) -> Moments:
    since_s = np.arange(scenario.steps, dtype=np.float64) * scenario.step
    return Moments(start_s + since_s, since_s - scenario.warmup, scenario.step)


def _shapes(workload: Workload) -> tuple[list[Shape], list[Shape]]:
    """What multiplies the load: what is the same in every run, and what is drawn."""
    plain, drawn = _generated(workload.load.generate) if workload.load.generate else ([], [])
    return [*plain, *(shape for change in workload.changes for shape in _changed(change))], drawn


def _generated(load: Generate) -> tuple[list[Shape], list[Shape]]:
    plain: list[Shape] = []
    drawn: list[Shape] = []
    if load.daily is not None:
        plain.append(traffic.Daily(load.daily.swing, load.daily.peak_hour))
    if load.hourly is not None:
        plain.append(Hourly(load.hourly))
    if load.weekly is not None:
        monday, tuesday, wednesday, thursday, friday, saturday, sunday = load.weekly
        plain.append(traffic.Weekly((monday, tuesday, wednesday, thursday, friday, saturday, sunday)))
    if load.noise is not None:
        drawn.append(traffic.Noise(load.noise.sigma, load.noise.correlation))
    if load.flash_crowds is not None:
        crowds = load.flash_crowds
        drawn.append(traffic.FlashCrowds(crowds.per_day, crowds.typical_peak, crowds.rise, crowds.fade))
    return plain, drawn


def _changed(change: Change) -> Iterator[Shape]:
    """What a change multiplies the load by; a metrics outage leaves it as it is."""
    if (growth := change.growth) is not None:
        yield Growing(growth.per_year)
    if (launch := change.launch) is not None:
        yield traffic.Ramp(launch.after, launch.over, launch.to)
    if (crowd := change.flash_crowd) is not None:
        yield traffic.FlashCrowd(crowd.after, crowd.peak, crowd.rise, crowd.fade)
    if (lost := change.region_lost) is not None:
        yield traffic.Ramp(lost.after, _RISE_S, 1 + lost.extra)
        yield traffic.Ramp(lost.after + lost.lasts, _RISE_S, 1 / (1 + lost.extra))
    if (failure := change.failure) is not None:
        yield traffic.Outage(failure.after, failure.lasts, failure.left, failure.rebound, failure.fade)


def _recorded(
    scenario: Scenario, place: int, samples: Mapping[str, Samples], runs: range
) -> tuple[float, FloatArray, BoolArray]:
    """A recorded load: wall time of its first step, and what each run has of it."""
    workload = scenario.workloads[place]
    where = f"workloads[{place}].load"
    try:
        steps = grid(samples[workload.name], step_s=scenario.step)
    except ProtocolError as error:
        raise WhatIfError(f"{where}: {error}") from error
    redraw = workload.load.redraw == "days"
    held, needed = steps.demand.size, round(DAY_S / scenario.step) if redraw else scenario.steps
    if held < needed:
        has, wants = (duration_text(round(each * scenario.step)) for each in (held, needed))
        raise WhatIfError(
            f"{where}: holds {has} of load, and {wants} are needed; give more of it, or lower days or warmup"
        )
    if redraw:
        rows = np.array([_days(scenario, steps, generator(scenario.seed, run, LOAD, place, 0)) for run in runs])
    else:
        rows = np.tile(np.arange(scenario.steps), (len(runs), 1))
    return float(steps.at_s[0]), steps.demand[rows], steps.known[rows]


def _days(scenario: Scenario, steps: Grid, random: np.random.Generator) -> IntArray:
    """Which recorded step each step of a run takes: whole days, drawn from those of the same kind, `[step]`."""
    day_steps = round(DAY_S / scenario.step)
    recorded, days = steps.demand.size // day_steps, -(-scenario.steps // day_steps)
    at_work = _at_work(float(steps.at_s[0]), max(recorded, days))
    drawn = []
    for day in range(days):
        alike = np.flatnonzero(at_work[:recorded] == at_work[day])
        drawn.append(random.choice(alike if alike.size else np.arange(recorded)))
    of_day = np.array(drawn)[:, None] * day_steps + np.arange(day_steps)
    return of_day.ravel()[: scenario.steps]


def _at_work(start_s: float, days: int) -> BoolArray:
    """Whether each day from a wall time on is a working day, by its noon (UTC), `[day]`."""
    day = (start_s + DAY_S * np.arange(days)) // DAY_S
    at_work: BoolArray = (day + 3) % 7 <= _FRIDAY  # 1970-01-01 was a Thursday
    return at_work
