"""How much capacity to commit to when demand stays as it was: the best plan, what it costs, and how sure it is.

A unit of commitment is the n-th unit of demand, for some n: it saves on-demand money in the hours in which that many
units are needed, and is paid in all. Where spot serves up to a share s of an hour's demand d, the n-th unit saves the
on-demand price while n is at most (1-s)d, the spot price while n is between that and d, and nothing above.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import FloatArray

DAY_HOURS = 24
FEWEST_DAYS = 3  # for an interval
_DRAWS = 400
_SIDES = (0.025, 0.975)
_SAME = 1e-12  # shares that differ by less are equal: sums of many small weights


@dataclass(frozen=True, slots=True)
class Term:
    """A commitment on offer: its name, its length, and its price per unit and hour, paid whether used or not."""

    name: str
    weeks: float
    price: float


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices per unit and hour, in one currency. Spot may serve up to `spot_share` of an hour's demand."""

    on_demand: float
    terms: tuple[Term, ...]
    spot: float | None = None
    spot_share: float = 0.0

    @property
    def spot_ratio(self) -> float:
        """Spot's price over on-demand's; 1 where there is no spot, or none that saves."""
        return 1.0 if self.spot is None else min(1.0, self.spot / self.on_demand)

    @property
    def uncommitted(self) -> Prices:
        """The same without commitments."""
        return Prices(self.on_demand, (), self.spot, self.spot_share)


@dataclass(frozen=True, slots=True)
class Savings:
    """What the unit at a level of demand saves an hour, as a share of the on-demand price: a falling step function."""

    level: FloatArray  # rising, [step]
    above: FloatArray  # the share saved by a unit above that level, up to the next one, [step]

    @classmethod
    def of(cls, demand: FloatArray, prices: Prices, weight: FloatArray | None = None) -> Savings:
        """Over hours of demand, `[hour]`, none of them NaN; `weight` says how much each hour counts, one where None.

        The share is P((1-s)d > n) + spot ratio * P((1-s)d <= n < d): n's survival in a mixture of (1-s)d and d.
        """
        level = np.concatenate([(1 - prices.spot_share) * demand, demand])
        counts = np.repeat([1 - prices.spot_ratio, prices.spot_ratio], demand.size)
        if weight is not None:
            counts *= np.tile(weight, 2)
        order = np.argsort(level, kind="stable")
        upto = np.cumsum(counts[order])
        return cls(level[order], 1 - upto / upto[-1])

    def at(self, level: FloatArray) -> FloatArray:
        """What a unit just above each of these levels saves, in their shape."""
        row = np.searchsorted(self.level, level, side="right")
        return np.concatenate([[1.0], self.above])[row]

    def worth(self, price_ratio: float) -> float:
        """How many units save at least `price_ratio` of the on-demand price each; 0 from a ratio of 1 on.

        Where a unit saves just its price, it is left out.
        """
        if price_ratio >= 1:
            return 0.0
        return float(self.level[np.argmax(self.above <= price_ratio + _SAME)])


def best(demand: FloatArray, prices: Prices) -> FloatArray:
    """Units of each term, `[term]`, that cost least over these hours of demand, `[hour]`, held through all of them.

    The linear program's optimum in closed form (a newsvendor's quantile; with spot, that of a mixture). While demand
    stays as it was, the cheapest term alone is best; of two at one price, the first.
    """
    units = np.zeros(len(prices.terms))
    if prices.terms:
        cheapest = min(range(units.size), key=lambda row: prices.terms[row].price)
        units[cheapest] = Savings.of(demand, prices).worth(prices.terms[cheapest].price / prices.on_demand)
    return units


@dataclass(frozen=True, slots=True)
class Bill:
    """What hours of demand cost, in the currency of the prices; the use of what is committed."""

    committed_usd: float
    spot_usd: float
    on_demand_usd: float
    used_ratio: float | None  # of committed unit-hours, those used; None with no commitments
    covered_ratio: float | None  # of the demand, what commitments served; None where there is no demand

    @property
    def total_usd(self) -> float:
        """All of it."""
        return self.committed_usd + self.spot_usd + self.on_demand_usd


def bill(demand: FloatArray, units: FloatArray, prices: Prices) -> Bill:
    """Cost of `[hour]` of demand with `[term]` units committed: these, then spot up to its share, then on-demand."""
    committed = float(units.sum())
    used = np.minimum(demand, committed)
    rest = demand - used
    spot = np.minimum(rest, prices.spot_share * demand) if prices.spot_ratio < 1 else np.zeros_like(rest)
    held, needed = committed * demand.size, float(demand.sum())
    return Bill(
        committed_usd=sum(float(n) * term.price for n, term in zip(units, prices.terms, strict=True)) * demand.size,
        spot_usd=float(spot.sum()) * (prices.spot or 0.0),
        on_demand_usd=float((rest - spot).sum()) * prices.on_demand,
        used_ratio=float(used.sum()) / held if held > 0 else None,
        covered_ratio=float(used.sum()) / needed if needed > 0 else None,
    )


def units_interval(demand: FloatArray, prices: Prices, seed: int = 0) -> tuple[float, float] | None:
    """Between which numbers of units the best plan lies in 95 % of draws of whole days anew; None below three days.

    `demand` is `[hour]`, whose first 24 are a day, and so on; a last day that is not whole is left out. NaN is an hour
    that is not known. Bootstrap over days (Efron and Tibshirani 1993, percentile method), 400 draws; it knows nothing
    of a level that shifts.
    """
    days = demand.size // DAY_HOURS
    if days < FEWEST_DAYS or not prices.terms:
        return None
    hour = np.flatnonzero(np.isfinite(demand[: days * DAY_HOURS]))
    hour = hour[np.argsort(demand[hour])]  # sorted once, every draw's own sorting is quick
    known, day = demand[hour], hour // DAY_HOURS
    price = min(term.price for term in prices.terms) / prices.on_demand
    random = np.random.default_rng(seed)
    drawn = np.empty(_DRAWS)
    for draw in range(_DRAWS):
        weight = np.bincount(random.integers(0, days, days), minlength=days)[day].astype(np.float64)
        drawn[draw] = Savings.of(known, prices, weight).worth(price) if weight.any() else np.nan
    low, high = np.nanquantile(drawn, _SIDES).tolist()
    return low, high
