"""Two years of drifting demand with the weekly shapes of recorded loads, and what policies that commit pay for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.mix.commitments import Prices, best, bill
from policies.mix.hours import WEEK_HOURS, Hours
from policies.mix.ladder import REVIEW_WEEKS, hold_now
from simulations.load_file import read_load
from tests.bench.judged import LOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policies.arrays import FloatArray

    Policy = Callable[[FloatArray, float], float]  # demand so far [week, hour], units held: units to buy

BEFORE, WEEKS, YEAR = 26, 104, 52
TRENDS = (-0.4, 0.0, 0.5, 1.5)
STEP_SD = 0.02
SEEDS = range(3)
PEAK, LEAST = 40.0, 5.0
TOO_SHORT = "azure_llm_2023_conv_10s"
LADDER_SHARE = 0.35
_GAUSS = np.polynomial.hermite_e.hermegauss(5)


class Run(NamedTuple):
    """Half a year before, and the two years that are paid, `[week, hour]`."""

    trace: str
    trend: float
    demand: FloatArray


def hourly() -> dict[str, Hours]:
    """Loads by the hour as units: the 99.9th percentile is 40, and none is below 5."""
    found = {}
    for path in sorted(LOADS.glob("*.parquet")):
        if path.stem != TOO_SHORT:
            load = read_load(path)
            hours = Hours.of(load.at_s, load.value)
            scale = PEAK / np.quantile(hours.known, 0.999)
            found[path.stem] = Hours(hours.start_s, np.maximum(LEAST, hours.units * scale))
    return found


def runs(*, in_turn: bool) -> Iterator[Run]:
    """Every load by every trend, thrice: its mean week, or its whole weeks in turn, times a level that walks."""
    for trace, hours in hourly().items():
        known = np.flatnonzero(np.isfinite(hours.units))
        weeks = Hours(0, np.interp(np.arange(hours.units.size), known, hours.units[known])).weeks()
        shape = weeks if in_turn else weeks.mean(axis=0)[np.newaxis]
        for trend in TRENDS:
            for seed in SEEDS:
                random = np.random.default_rng([seed, int(100 * (trend + 1)), *trace.encode()])
                steps = np.log1p(trend) / YEAR + STEP_SD * random.standard_normal(BEFORE + WEEKS)
                level = np.cumsum(steps)
                turn = np.arange(level.size) % shape.shape[0]
                yield Run(trace, trend, shape[turn] * np.exp(level - level[BEFORE])[:, np.newaxis])


def paid(run: Run, policy: Policy, prices: Prices, *, every_weeks: int = REVIEW_WEEKS) -> float:
    """Cost of two years: the policy buys every so many weeks for a term, which is paid no further than the end."""
    (term,) = prices.terms
    held, committed = np.zeros(WEEKS + round(term.weeks)), 0.0
    for week in range(0, WEEKS, every_weeks):
        units = max(0.0, policy(run.demand[: BEFORE + week], float(held[week])))
        held[week : week + round(term.weeks)] += units
        committed += units * term.price * WEEK_HOURS * min(term.weeks, WEEKS - week)
    demand = run.demand[BEFORE:]
    beside = np.maximum(0.0, demand - held[:WEEKS, np.newaxis])
    spot = np.minimum(beside, prices.spot_share * demand)
    return committed + float(spot.sum()) * (prices.spot or 0.0) + float((beside - spot).sum()) * prices.on_demand


@dataclass(frozen=True, slots=True)
class HoldNow:
    """Foresail: what is worth holding, less what is held."""

    prices: Prices

    def __call__(self, seen: FloatArray, held: float) -> float:
        return float(hold_now(seen, self.prices).units[0]) - held


@dataclass(frozen=True, slots=True)
class Newsvendor:
    """The best constant plan for the newest weeks, bought at once, or topped up at each look."""

    prices: Prices
    weeks: int = 4

    def __call__(self, seen: FloatArray, held: float) -> float:
        return float(best(seen[-self.weeks :].ravel(), self.prices)[0]) - held


@dataclass(frozen=True, slots=True)
class QuantileLadder:
    """35 % of what is missing to the best constant plan for the year that is forecast.

    The forecast: the shape of the last 4 weeks, half the logarithmic trend of 26 weeks, the spread of the walk.
    """

    prices: Prices

    def __call__(self, seen: FloatArray, held: float) -> float:
        level = seen.mean(axis=1)
        newest = (seen[-4:] / level[-4:, np.newaxis]).ravel() * level[-1]
        trend = 0.5 * np.log(level[-1] / level[-26]) / 25
        ahead = np.arange(2, YEAR, 4)
        nodes, weights = _GAUSS
        strayed = trend * ahead + STEP_SD * np.sqrt(ahead) * nodes[:, np.newaxis]
        demand = (np.exp(strayed)[..., np.newaxis] * newest).ravel()
        chance = np.repeat(weights, ahead.size * newest.size)
        order = np.argsort(demand)
        upto = np.cumsum(chance[order]) / chance.sum()
        target = demand[order][np.searchsorted(upto, 1 - self.prices.terms[0].price / self.prices.on_demand)]
        return LADDER_SHARE * (float(target) - held)


def uncommitted(run: Run, prices: Prices) -> float:
    """Cost of two years without commitments."""
    return bill(run.demand[BEFORE:].ravel(), np.zeros(0), prices.uncommitted).total_usd
