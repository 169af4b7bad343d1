"""Answers: figures of every run, and what they say of each policy beside the incumbent, with intervals."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policies.arrays import FloatArray, IntArray
    from simulations.whatif.document import Scenario

COVER = 0.95
COSTS = ("on-demand", "spot", "committed")
DRIVERS = ("replicas", "price", "nodes", "mix", "commitments", "late")
FIGURES = (
    "cost",  # in the scenario's currency, over the scored days, late requests included where they have a price
    "cost_per_million",  # of units of load, in the same currency
    "late_ratio",  # load that arrives while the replicas are above the serving limit
    "unserved_ratio",
    "available_time_ratio",  # share of time in which nothing went unserved
    "available_request_ratio",
    "replicas",  # mean, starting ones included
    "churn_per_day",  # replicas started, stopped or lost
    "losses_per_day",  # replicas that were lost
)


SHARES = tuple(name for name in FIGURES if name.endswith("_ratio"))
COLUMNS = (*FIGURES, *(f"cost:{name}" for name in COSTS), *(f"driver:{name}" for name in DRIVERS))
"""What a run tells of a policy: its figures, its cost by capacity type, and what each driver adds to the cost."""


@dataclass(frozen=True, slots=True)
class Runs:
    """What came of each policy in each run. Runs of any split of the same scenario are the same numbers."""

    policies: tuple[str, ...]
    number: IntArray  # [run], rising
    values: FloatArray  # in the order of `COLUMNS` [column, policy, run]

    def column(self, name: str) -> FloatArray:
        """One column by its name, `[policy, run]`. Raises ValueError for a name that is not in `COLUMNS`."""
        return np.asarray(self.values[COLUMNS.index(name)], np.float64)


def merged(parts: Sequence[Runs]) -> Runs:
    """The runs of several parts of one scenario, in the order of their numbers. Raises ValueError without a part."""
    if not parts:
        raise ValueError("there are no runs to merge")
    number = np.concatenate([part.number for part in parts])
    order = np.argsort(number, kind="stable")
    values = np.concatenate([part.values for part in parts], axis=2)[:, :, order]
    return Runs(parts[0].policies, number[order], values)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over runs, and the interval that covers the scenario's own expectation in 95 of 100 such experiments.

    Student's t on the runs; None with a single run. It speaks of chance as the scenario describes it, and not of
    whether the scenario describes the world.
    """

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One policy: its figures, cost by capacity type, and what it makes of the incumbent's."""

    name: str
    figures: Mapping[str, Estimate]
    cost_by_capacity_type: Mapping[str, Estimate]
    difference: Mapping[str, Estimate]  # of each figure from the incumbent's, run by run
    saving_ratio: Estimate  # 1 - cost over the incumbent's
    drivers: Mapping[str, Estimate]  # of the difference in cost; they add up to it
    objective: float  # late share

    @property
    def keeps(self) -> bool:
        """Whether the mean late share is within the objective."""
        return self.figures["late_ratio"].mean <= self.objective

    @property
    def sure(self) -> bool:
        """Whether the whole interval of the late share is on the same side of the objective as its mean."""
        late = self.figures["late_ratio"]
        if late.low is None or late.high is None:
            return False
        return late.high <= self.objective or late.low > self.objective

    @property
    def no_worse(self) -> bool:
        """Whether it is not surely later than the incumbent, nor surely leaves more unserved."""
        worse = (self.difference[name] for name in ("late_ratio", "unserved_ratio"))
        return all((each.mean if each.low is None else each.low) <= 0 for each in worse)

    def document(self) -> dict[str, object]:
        """As plain JSON values; the keys are stable."""
        return {**asdict(self), "keeps_objective": self.keeps, "sure": self.sure}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a scenario comes to."""

    scenario: str
    currency: str
    seed: int
    days: float
    runs: int
    incumbent: str
    policies: tuple[Verdict, ...]
    by_run: Runs
    asked: Mapping[str, object]  # the scenario as plain values

    def cheapest(self, those: Callable[[Verdict], bool]) -> Verdict | None:
        """The cheapest policy of those; the first of equals, and None where there is none."""
        return min(filter(those, self.policies), key=lambda each: each.figures["cost"].mean, default=None)

    def document(self) -> dict[str, object]:
        """As plain JSON values; the keys are stable."""
        return {
            "apiVersion": "foresail.dev/v1alpha1",
            "kind": "Answer",
            "scenario": self.scenario,
            "currency": self.currency,
            "seed": self.seed,
            "days": self.days,
            "runs": self.runs,
            "incumbent": self.incumbent,
            "interval": COVER,
            "policies": [verdict.document() for verdict in self.policies],
            "by_run": {
                "run": self.by_run.number.tolist(),
                "policies": list(self.by_run.policies),
                "columns": {name: self.by_run.column(name).tolist() for name in COLUMNS},
            },
            "document": dict(self.asked),
        }


def summary(scenario: Scenario, runs: Runs) -> Answer:
    """What all runs say, side by side."""
    incumbent = scenario.incumbent_index
    verdicts = tuple(
        _verdict(runs, place, incumbent, policy.objective.late) for place, policy in enumerate(scenario.policies)
    )
    return Answer(
        scenario=scenario.name,
        currency=scenario.currency,
        seed=scenario.seed,
        days=scenario.days,
        runs=runs.number.size,
        incumbent=runs.policies[incumbent],
        policies=verdicts,
        by_run=runs,
        asked=scenario.document(),
    )


def _verdict(runs: Runs, place: int, incumbent: int, objective: float) -> Verdict:
    columns = {name: runs.column(name) for name in COLUMNS}
    own = {name: values[place] for name, values in columns.items()}
    beside = {name: values[place] - values[incumbent] for name, values in columns.items()}
    return Verdict(
        name=runs.policies[place],
        figures={name: _share(estimate(own[name])) if name in SHARES else estimate(own[name]) for name in FIGURES},
        cost_by_capacity_type={name: estimate(own[f"cost:{name}"]) for name in COSTS},
        difference={name: estimate(beside[name]) for name in FIGURES},
        saving_ratio=ratio_of_means(-beside["cost"], columns["cost"][incumbent]),
        drivers={name: estimate(beside[f"driver:{name}"]) for name in DRIVERS},
        objective=objective,
    )


def estimate(values: FloatArray) -> Estimate:
    """The mean of independent runs `[run]` and the interval of Student's t on it."""
    mean = float(values.mean())
    if values.size == 1:
        return Estimate(mean, None, None)
    half = _student(values.size) * float(values.std(ddof=1)) / math.sqrt(values.size)
    return Estimate(mean, mean - half, mean + half)


def _share(of: Estimate) -> Estimate:
    """An estimate of what lies from 0 to 1: the interval ends there, and covers as much as before."""
    return of if of.low is None or of.high is None else Estimate(of.mean, max(0.0, of.low), min(1.0, of.high))


def ratio_of_means(part: FloatArray, whole: FloatArray) -> Estimate:
    """The ratio of the means of paired runs `[run]`, its interval by the delta method (Fieller's first order).

    0 where the whole is 0 in every run.
    """
    total = float(whole.mean())
    if total == 0:
        return Estimate(0.0, 0.0, 0.0)
    ratio = float(part.mean()) / total
    around = estimate((part - ratio * whole) / total)
    if around.low is None or around.high is None:
        return Estimate(ratio, None, None)
    return Estimate(ratio, ratio + around.low, ratio + around.high)


def _student(runs: int) -> float:
    """The quantile of Student's t that leaves 2.5 % on each side: 2.09 of 20 runs."""
    return float(stats.t.ppf(0.5 + COVER / 2, runs - 1))
