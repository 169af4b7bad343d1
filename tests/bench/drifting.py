"""Two years of drifting demand with the weekly shapes of recorded loads, and what policies that commit pay for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.mix.commitments import Prices, Savings, best, bill
from policies.mix.hours import WEEK_HOURS, Hours
from policies.mix.ladder import REVIEW_WEEKS, hold_now
from simulations.load_file import read_load
from tests.bench.judged import LOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policies.arrays import FloatArray

    Policy = Callable[[FloatArray], FloatArray]  # demand so far [week, hour]: units of each term to hold [term]

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


def runs(
    *, in_turn: bool = False, weeks: int = WEEKS, seeds: range = SEEDS, trends: tuple[float, ...] = TRENDS
) -> Iterator[Run]:
    """Every load by every trend and seed: its mean week, or its whole weeks in turn, times a level that walks."""
    for trace, hours in hourly().items():
        known = np.flatnonzero(np.isfinite(hours.units))
        whole = Hours(0, np.interp(np.arange(hours.units.size), known, hours.units[known])).weeks()
        shape = whole if in_turn else whole.mean(axis=0)[np.newaxis]
        for trend in trends:
            for seed in seeds:
                random = np.random.default_rng([seed, int(100 * (trend + 1)), *trace.encode()])
                steps = np.log1p(trend) / YEAR + STEP_SD * random.standard_normal(BEFORE + weeks)
                level = np.cumsum(steps)
                turn = np.arange(level.size) % shape.shape[0]
                yield Run(trace, trend, shape[turn] * np.exp(level - level[BEFORE])[:, np.newaxis])


class Buying(NamedTuple):
    """How often it is looked at what to buy, how much of what is missing is bought, and for how long this goes on."""

    every_weeks: int = REVIEW_WEEKS
    bought_ratio: float = 1.0
    years: int | None = None  # all of them


ALWAYS = Buying()


def paid(run: Run, policy: Policy, prices: Prices, buying: Buying = ALWAYS) -> float:
    """Cost of the years after the first half: at each look, what is missing to the policy's units is bought.

    A term is paid no further than the end. Of several terms, the longest come first and stand lowest: what all terms
    hold together is not bought again as another term.
    """
    demand = run.demand[BEFORE:]
    weeks = demand.shape[0]
    lengths = [round(term.weeks) for term in prices.terms]
    held, committed = np.zeros(weeks + max(lengths)), 0.0
    last = weeks if buying.years is None else buying.years * YEAR
    for week in range(0, last, buying.every_weeks):
        units = policy(run.demand[: BEFORE + week])
        upto = 0.0
        for place in sorted(range(units.size), key=lambda row: -lengths[row]):
            upto += float(units[place])
            missing = buying.bought_ratio * max(0.0, upto - float(held[week]))
            held[week : week + lengths[place]] += missing
            committed += missing * prices.terms[place].price * WEEK_HOURS * min(lengths[place], weeks - week)
    beside = np.maximum(0.0, demand - held[:weeks, np.newaxis])
    spot = np.minimum(beside, prices.spot_share * demand)
    return committed + float(spot.sum()) * (prices.spot or 0.0) + float((beside - spot).sum()) * prices.on_demand


@dataclass(frozen=True, slots=True)
class HoldNow:
    """Foresail: what is worth holding."""

    prices: Prices

    def __call__(self, seen: FloatArray) -> FloatArray:
        return hold_now(seen, self.prices).units


@dataclass(frozen=True, slots=True)
class Newsvendor:
    """The best constant plan for the newest weeks."""

    prices: Prices
    weeks: int = 4

    def __call__(self, seen: FloatArray) -> FloatArray:
        return best(seen[-self.weeks :].ravel(), self.prices)


@dataclass(frozen=True, slots=True)
class QuantileLadder:
    """The best constant plan for the year that is forecast, of which 35 % of what is missing is bought at each look.

    The forecast: the shape of the last 4 weeks, half the logarithmic trend of 26 weeks, the spread of the walk.
    """

    prices: Prices

    def __call__(self, seen: FloatArray) -> FloatArray:
        level = seen.mean(axis=1)
        newest = (seen[-4:] / level[-4:, np.newaxis]).ravel() * level[-1]
        trend = 0.5 * np.log(level[-1] / level[-26]) / 25
        ahead = np.arange(2, YEAR, 4)
        nodes, weights = _GAUSS
        strayed = trend * ahead + STEP_SD * np.sqrt(ahead) * nodes[:, np.newaxis]
        demand = (np.exp(strayed)[..., np.newaxis] * newest).ravel()
        chance = np.repeat(weights, ahead.size * newest.size)
        price = self.prices.terms[0].price / self.prices.on_demand
        return np.array([Savings.of(demand, self.prices, chance).worth(price)])


def uncommitted(run: Run, prices: Prices) -> float:
    """Cost without commitments."""
    return bill(run.demand[BEFORE:].ravel(), np.zeros(0), prices.uncommitted).total_usd
