"""The metrics of money: what replicas cost by the policies' own prices, and what is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from controller.telemetry.placement import TYPES
from policies import signals
from policies.arrays import integers
from policies.mix.budgets import Resource
from policies.model import UNKNOWN
from policies.standing import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controller.records import TickReport
    from policies.arrays import FloatArray, IntArray
    from policies.metric import Gauge

ANY = "any"  # the capacity type of replicas without placement: wherever they stand, the policy has one price
_IN_CHARGE, _INCUMBENT = ROLES.index("in_charge"), ROLES.index("incumbent")

Told = tuple["Gauge", list[str], "FloatArray"]


def by_workload(report: TickReport, labels: Sequence[str]) -> Iterator[Told]:
    """Gauges, the labels of their series and their values; `labels` are those of the lanes, without a closing brace."""
    price = report.fleet.budget.need[:, Resource.USD_PER_HOUR]
    names: list[str] = []
    prices: list[FloatArray] = []
    costs: list[FloatArray] = []
    for kind, replicas, rate in _replicas(report, price):
        known = np.flatnonzero((price > 0) & (replicas != UNKNOWN))
        names += [f'{labels[lane]},capacity_type="{kind}"}}' for lane in known.tolist()]
        prices.append(rate[known])
        costs.append(replicas[known] * rate[known])
    yield signals.PRICE, names, np.concatenate(prices)
    yield signals.COST, names, np.concatenate(costs)
    yield _held_at(report, labels)
    yield _savings(report, labels, price)


def _held_at(report: TickReport, labels: Sequence[str]) -> Told:
    """When each policy says that its prices held."""
    lane_of = dict(zip(report.fleet.uid, labels, strict=True))
    prices = ((policy.uid, policy.spec.objective.prices) for policy in report.policies.policies)
    at_s = {uid: each.as_of for uid, each in prices if each and each.as_of is not None and uid in lane_of}
    return signals.PRICE_TIME, [f"{lane_of[uid]}}}" for uid in at_s], np.array(list(at_s.values()), np.float64)


def _replicas(report: TickReport, price: FloatArray) -> Iterator[tuple[str, IntArray, FloatArray]]:
    """Each capacity type, the replicas of it that are asked for or UNKNOWN `[lane]`, and what one costs `[lane]`."""
    parts, placed = report.decision.split, report.fleet.spot.placed
    yield ANY, np.where(placed, UNKNOWN, report.seen.spec_replicas), price
    rates = (price, price * report.fleet.spot.price_ratio)
    for kind, asked, rate in zip(TYPES, (parts.base, parts.surge), rates, strict=True):
        replicas = integers(price.size, UNKNOWN)
        replicas[parts.lane] = asked
        yield kind, replicas, rate


def _savings(report: TickReport, labels: Sequence[str], price: FloatArray) -> Told:
    """Two replicas fewer than the incumbent, at 1.50, are 3; four on spot at 0.35 of that, against on demand, 3.90."""
    standing, parts = report.decision.standing, report.decision.split
    shadow = np.flatnonzero(standing.proven & (price > 0))
    less = standing.cost[shadow, _INCUMBENT] - standing.cost[shadow, _IN_CHARGE]
    on_spot = parts.surge * price[parts.lane] * (1.0 - report.fleet.spot.price_ratio[parts.lane])
    known = np.flatnonzero(price[parts.lane] > 0)
    names = [f'{labels[lane]},against="incumbent"}}' for lane in shadow.tolist()]
    names += [f'{labels[lane]},against="on_demand"}}' for lane in parts.lane[known].tolist()]
    return signals.SAVINGS, names, np.concatenate((less * price[shadow], on_spot[known]))
