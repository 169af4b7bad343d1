"""Regions and zones ranked by price, latency and GPU availability, with the user's weights; and why.

A place's score is price^w1 * latency^w2 / availability^w3 (the weighted product; Bridgman 1922, Dimensional Analysis).
A weight says what a factor counts beside price: at a latency weight of 0.5, twice the latency counts as much as 41 %
more price, for 2^0.5 = 1.41. The ratio of two scores depends on these two places alone, so no third one, and no unit of
money or time, turns their order. Lower is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.arrays import FloatArray, IntArray

FACTORS = ("price", "latency", "availability")
_LEAST_LATENCY_S = 1e-3  # a millisecond: nobody notices less, and twice nothing would be nothing
_DIGITS = 9  # of a score's logarithm: those that are as near are ties


@dataclass(frozen=True, slots=True)
class Places:
    """Where capacity may run, `[place]`; NaN where something is not known."""

    names: tuple[str, ...]
    usd_per_hour: FloatArray  # of the capacity that is wanted, above 0
    latency_s: FloatArray
    availability_ratio: FloatArray  # share of the time in which the wanted GPU can be had; 0 where it is not offered


@dataclass(frozen=True, slots=True)
class Wishes:
    """How much each factor counts, 0 for not at all; and limits that a place must keep."""

    price: float = 1.0
    latency: float = 0.0
    availability: float = 0.0
    most_usd_per_hour: float = np.inf
    most_latency_s: float = np.inf
    least_availability_ratio: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """Places from the best down, and why the others are none."""

    order: IntArray  # rows of places that keep the limits, the best first; ties in the order given
    factor: (
        FloatArray  # what each factor makes of a place's score over the best's, NaN where ruled out, [place, factor]
    )
    ruled_out: Mapping[int, str]  # why, by row

    @property
    def score(self) -> FloatArray:
        """Of each place over the best's: 1 for the best, 1.1 for one that is a tenth worse, `[place]`."""
        product: FloatArray = self.factor.prod(axis=1)
        return product


def ranked(places: Places, wishes: Wishes) -> Ranking:
    """Rank the places that keep every limit and of which all that counts is known."""
    reasons = [_ruled_out(places, wishes, row) for row in range(len(places.names))]
    kept = np.array([row for row, reason in enumerate(reasons) if reason is None], np.int64)
    facts = (places.usd_per_hour, np.maximum(_LEAST_LATENCY_S, places.latency_s), places.availability_ratio)
    weights = (wishes.price, wishes.latency, -wishes.availability)
    counts = np.zeros((kept.size, len(FACTORS)))
    for column, (fact, weight) in enumerate(zip(facts, weights, strict=True)):
        if weight:
            counts[:, column] = weight * np.log(fact[kept])
    order = np.argsort(counts.sum(axis=1).round(_DIGITS), kind="stable")
    factor = np.full((len(reasons), len(FACTORS)), np.nan)
    factor[kept] = np.exp(counts - counts[order[:1]])
    return Ranking(kept[order], factor, {row: reason for row, reason in enumerate(reasons) if reason is not None})


def why(places: Places, ranking: Ranking, row: int) -> str:
    """One sentence on a place: how it compares with the best, or what rules it out."""
    if row in ranking.ruled_out:
        return f"ruled out: {ranking.ruled_out[row]}"
    best = int(ranking.order[0])
    if row == best:
        return "the best of those that keep the limits"
    parts = [
        f"{'adds' if factor > 1 else 'takes off'} {abs(factor - 1):.1%} by {name}"
        for name, factor in zip(FACTORS, ranking.factor[row].tolist(), strict=True)
        if abs(factor - 1) >= 0.0005  # what shows as 0.0 % says nothing  # noqa: PLR2004
    ]
    return f"beside {places.names[best]}, " + (", ".join(parts) if parts else "the same")


def _ruled_out(places: Places, wishes: Wishes, row: int) -> str | None:
    """The first reason why a place cannot be taken; None where there is none."""
    price, latency, available = (
        float(fact[row]) for fact in (places.usd_per_hour, places.latency_s, places.availability_ratio)
    )
    if unknown := _unknown((price, latency, available), wishes):
        return f"its {unknown} is not known"
    if available == 0:
        return "what is wanted is not offered there"
    if price > wishes.most_usd_per_hour:
        return f"{price:g} USD per hour is above {wishes.most_usd_per_hour:g}"
    if latency > wishes.most_latency_s:
        return f"{1e3 * latency:g} ms is above {1e3 * wishes.most_latency_s:g}"
    if available < wishes.least_availability_ratio:
        return f"it can be had {available:.1%} of the time, below {wishes.least_availability_ratio:.1%}"
    return None


def _unknown(facts: tuple[float, float, float], wishes: Wishes) -> str:
    """The first factor that counts, or is limited, and is not known; an empty text where all are."""
    counts = (
        wishes.price > 0 or np.isfinite(wishes.most_usd_per_hour),
        wishes.latency > 0 or np.isfinite(wishes.most_latency_s),
        wishes.availability > 0 or wishes.least_availability_ratio > 0,
    )
    return next((name for name, fact, used in zip(FACTORS, facts, counts, strict=True) if used and np.isnan(fact)), "")
