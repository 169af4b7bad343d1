"""Figures of plans by the day, by the judge's protocol: of Foresail, of plain rules, and of rules tuned in hindsight.

A day's cost, clairvoyant cost, late load and load are sums, so days can be drawn anew for all policies together.
"""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from simulations.backtest import Aim, plan_of
from simulations.contenders import Daemon, Hpa
from simulations.load_file import read_load
from simulations.protocol import Capacity, grid
from simulations.scenario import Pace, Scenario
from simulations.serving import Serving, clairvoyant, late, paid
from tests.simulations.shared import SHARED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policies.arrays import FloatArray, IntArray
    from simulations.protocol import Grid

Job = TypeVar("Job")
Result = TypeVar("Result")

LOADS = SHARED / "data" / "load"
STEP_S, STEPS_A_DAY = 30.0, 2880
NEARLY = STEPS_A_DAY // 50  # a last day counts as whole with so many steps less, as a load ends before its last step
SERVING_LIMIT = 0.8
PEAK = 40
TARGETS = np.arange(0.06, 0.821, 0.02)
TOLERANCES, WINDOWS_S = (0.0, 0.05, 0.1), (15.0, 60.0, 120.0, 300.0, 600.0)
USUAL = (0.1, 300.0)  # tolerance and window of Kubernetes
STAR, STARS = "HPA*", "HPA**"
DRAWS = 2000
SIDES = (0.05, 0.95)
LEAST = 1e-3  # excess in a draw, where days without any were drawn


class Setting(NamedTuple):
    """What a plan is judged under."""

    startup_s: float
    peak: int = PEAK  # replicas that the 99.9th percentile of the load needs
    dwell_s: float = 0.0


class Asked(NamedTuple):
    """A plan of Foresail: `objective` is the share of the load that may be late."""

    trace: str
    startup_s: float
    peak: int = PEAK
    objective: float = 0.01
    forecast: bool = True


class Days(NamedTuple):
    """Sums by the day after the warm-up, `[day]`; the last one may be a part of a day."""

    cost: FloatArray  # replica-steps
    clairvoyant: FloatArray  # replica-steps of the cheapest plan
    late: FloatArray  # load that came late
    load: FloatArray
    moved: FloatArray  # replicas started or stopped
    steps: int

    @property
    def ratio(self) -> float:
        """Cost over the clairvoyant's."""
        return float(self.cost.sum() / self.clairvoyant.sum())

    @property
    def late_ratio(self) -> float:
        """Share of the load that came late."""
        return float(self.late.sum() / self.load.sum())

    @property
    def churn(self) -> float:
        """Replicas started or stopped a day."""
        return float(self.moved.sum() / self.steps * STEPS_A_DAY)

    def drawn(self, days: IntArray) -> tuple[FloatArray, FloatArray]:
        """Cost over the clairvoyant's and late share of each draw of days `[draw, day]`."""
        cost, cheapest, missed, load = (each[days].sum(axis=1) for each in self[:4])
        return cost / cheapest, missed / load


class Tuned(NamedTuple):
    """The cheapest Kubernetes rule in hindsight that keeps a limit of lateness."""

    target: float
    tolerance: float
    window_s: float
    days: Days


@dataclass(frozen=True, slots=True)
class Trace:
    """A load on the judge's steps."""

    name: str
    steps: Grid

    def scenario(self, setting: Setting) -> Scenario:
        """This load served by replicas that are so large and so slow."""
        capacity = Capacity(quantile_ratio=0.999, replicas=setting.peak)
        served = capacity.of(self.steps.demand, serving_limit_ratio=SERVING_LIMIT)
        serving = Serving(STEP_S, served, SERVING_LIMIT, setting.startup_s, dwell_s=setting.dwell_s)
        return Scenario.of(self.steps, Pace(), serving)


def names(pattern: str) -> list[str]:
    """Names of the load files that are there, the longest load first, as it takes the longest."""
    found = sorted(path.stem for path in LOADS.glob(pattern)) if LOADS.is_dir() else []
    return sorted(found, key=lambda name: -trace(name).steps.demand.size)


@cache
def trace(name: str) -> Trace:
    """One load file."""
    return Trace(name, grid(read_load(LOADS / f"{name}.parquet"), step_s=STEP_S))


def at_once(work: Callable[[Job], Result], jobs: Sequence[Job]) -> dict[Job, Result]:
    """The result of each job, in processes of their own, as many as there are cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(jobs, pool.map(work, jobs), strict=True))


def planned(asked: Asked) -> IntArray:
    """Foresail's plan `[step]`, warm-up included."""
    scenario = trace(asked.trace).scenario(Setting(asked.startup_s, asked.peak))
    policy = Daemon("predictive" if asked.forecast else "reactive", asked.forecast)
    return plan_of(policy, scenario, Aim(asked.objective))


def days_of(plan: IntArray, scenario: Scenario, warmup_steps: int) -> Days:
    """Figures of a plan `[step]` by the day after the warm-up."""
    demand, scored, serving = scenario.demand[warmup_steps:], plan[warmup_steps:], scenario.serving
    begins = np.arange(0, demand.size, STEPS_A_DAY)
    moved = np.abs(np.diff(np.maximum(scored, serving.min_replicas), prepend=scored[:1]))

    def daily(part: FloatArray | IntArray) -> FloatArray:
        return np.asarray(np.add.reduceat(part, begins), np.float64)

    return Days(
        cost=daily(paid(scored, serving)),
        clairvoyant=daily(paid(clairvoyant(demand, serving), serving)),
        late=daily(late(scored, demand, serving)),
        load=daily(demand),
        moved=daily(moved),
        steps=demand.size,
    )


def tuned(job: tuple[str, tuple[Setting, ...], tuple[float, ...]]) -> dict[tuple[Setting, float, str], Tuned]:
    """HPA* and HPA** of one trace under settings of one peak and limits of lateness; absent where none keeps it."""
    name, settings, limits = job
    load = trace(name)
    cases = {setting: load.scenario(setting) for setting in settings}
    least: dict[tuple[Setting, float, str], tuple[float, Hpa, IntArray]] = {}
    for tolerance, window_s, target in itertools.product(TOLERANCES, WINDOWS_S, TARGETS):
        rule = Hpa("", float(target), tolerance, window_s)
        plan = plan_of(rule, cases[settings[0]])
        kinds = (STAR, STARS) if (tolerance, window_s) == USUAL else (STARS,)
        for setting, (cost, missed) in _briefly(plan, cases, load.steps.warmup_steps).items():
            for place in itertools.product((setting,), (each for each in limits if missed <= each), kinds):
                if place not in least or cost < least[place][0]:
                    least[place] = (cost, rule, plan)
    return {
        place: Tuned(
            rule.target_ratio,
            rule.tolerance_ratio,
            rule.window_s,
            days_of(plan, cases[place[0]], load.steps.warmup_steps),
        )
        for place, (_, rule, plan) in least.items()
    }


def _briefly(
    plan: IntArray, cases: Mapping[Setting, Scenario], warmup_steps: int
) -> dict[Setting, tuple[float, float]]:
    """Cost in replica-steps and late share under each setting; what settings share is computed once."""
    cost: dict[float, float] = {}
    missed: dict[float, float] = {}
    scored = plan[warmup_steps:]
    for setting, scenario in cases.items():
        demand = scenario.demand[warmup_steps:]
        if setting.dwell_s not in cost:
            cost[setting.dwell_s] = float(paid(scored, scenario.serving).sum())
        if setting.startup_s not in missed:
            missed[setting.startup_s] = float(late(scored, demand, scenario.serving).sum() / demand.sum())
    return {setting: (cost[setting.dwell_s], missed[setting.startup_s]) for setting in cases}


def geometric(values: Sequence[float]) -> float:
    """The geometric mean."""
    return float(np.exp(np.mean(np.log(values))))


def draws_of(days: Sequence[Days], seed: int = 0) -> list[IntArray]:
    """Whole days of each load drawn anew, `[draw, day]` by load; every policy of a load is given the same ones."""
    random = np.random.default_rng(seed)
    whole = [(each.steps + NEARLY) // STEPS_A_DAY for each in days]
    return [random.integers(0, count, (DRAWS, count)) for count in whole]


def relative(days: Sequence[Days], others: Sequence[Days], *, less: float) -> tuple[float, float, float]:
    """Cost relative to another's in geometric mean over loads, with its 90 % interval.

    `less` is taken off both: 1 for the excess over the clairvoyant, 0 for all of the cost.
    """
    pairs = list(zip(days, others, strict=True))
    point = geometric([(mine.ratio - less) / (theirs.ratio - less) for mine, theirs in pairs])
    logs = np.zeros(DRAWS)
    for (mine, theirs), drawn in zip(pairs, draws_of(days), strict=True):
        cost, other = (np.maximum(each.drawn(drawn)[0] - less, LEAST) for each in (mine, theirs))
        logs += np.log(cost / other) / len(pairs)
    low, high = np.quantile(np.exp(logs), SIDES).tolist()
    return point, low, high


def late_interval(days: Days) -> tuple[float, float]:
    """The 90 % interval of the late share over days drawn anew."""
    low, high = np.quantile(days.drawn(draws_of([days])[0])[1], SIDES).tolist()
    return low, high


def show(*lines: str) -> None:
    """A benchmark shows its figures, as Markdown."""
    print("\n" + "\n".join(lines))  # noqa: T201 - its result


def row(*cells: object) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def header(*cells: str) -> list[str]:
    """The head of a Markdown table."""
    return ["", row(*cells), "|" + "---|" * len(cells)]
