"""A typical day of a scenario: what is needed, what each policy asks for, and what is ready, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulations.serving import DAY_S
from simulations.whatif.plans import Power
from simulations.whatif.simulate import followed

if TYPE_CHECKING:
    from policies.arrays import FloatArray
    from simulations.whatif.demand import Arriving
    from simulations.whatif.document import Scenario
    from simulations.whatif.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Course:
    """Replicas of one policy on that day, `[step]`; `needed` is the load in replicas at their serving limit."""

    policy: str
    needed: FloatArray
    asked: FloatArray
    ready: FloatArray


@dataclass(frozen=True, slots=True)
class Day:
    """One workload on its typical day; wall times `[step]`."""

    workload: str
    at_s: FloatArray
    courses: tuple[Course, ...]


def typical_days(scenario: Scenario, inputs: Inputs) -> list[Day]:
    """Of the first run, the scored day with the median load of each workload; all of it where it is shorter than a day.

    Raises WhatIfError as `answered` does.
    """
    days = []
    for workload, (load, courses) in zip(scenario.workloads, followed(scenario, inputs, 0), strict=True):
        steps = _median_day(scenario, load)
        made = []
        for each in courses:
            power = Power.of(workload, each.policy, scenario)
            needed = load.demand[0, steps] / (power.capacity * power.serving_limit_ratio)
            asked, ready = (column[steps].astype(np.float64) for column in (each.asked, each.ready))
            made.append(Course(each.policy.name, needed, asked, ready))
        at_s = load.start_s + scenario.step * np.arange(steps.start, steps.stop)
        days.append(Day(workload.name, at_s, tuple(made)))
    return days


def _median_day(scenario: Scenario, load: Arriving) -> slice:
    """The steps of the day from midnight (UTC) to midnight with the median load, among the scored ones."""
    steps = round(DAY_S / scenario.step)
    first = scenario.warmup_steps
    to_midnight = round(-(load.start_s + first * scenario.step) % DAY_S / scenario.step)
    if first + to_midnight + steps <= scenario.steps:
        first += to_midnight
    count = (scenario.steps - first) // steps
    if count == 0:
        return slice(first, scenario.steps)
    totals = load.demand[0, first : first + count * steps].reshape(count, steps).sum(axis=1)
    day = int(np.argsort(totals, kind="stable")[(count - 1) // 2])
    return slice(first + day * steps, first + (day + 1) * steps)
