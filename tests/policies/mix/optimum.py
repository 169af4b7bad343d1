"""The cheapest commitments as linear programs, solved by HiGHS: what closed forms and policies are held to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import FloatArray
    from policies.mix.commitments import Prices


def constant_optimum(demand: FloatArray, prices: Prices) -> float:
    """Least cost of `[hour]` of demand with constant units of each term: on-demand, spot and units are variables.

    Every hour: on-demand + spot + the units of all terms >= demand, and spot <= its share of the demand.
    """
    hours, terms = demand.size, len(prices.terms)
    cost = np.concatenate(
        [
            [term.price * hours for term in prices.terms],
            np.full(hours, prices.on_demand),
            np.full(hours, prices.on_demand if prices.spot is None else prices.spot),
        ]
    )
    served = sparse.hstack([sparse.csr_array(np.ones((hours, terms))), sparse.eye(hours), sparse.eye(hours)])
    most = [*[(0, None)] * (terms + hours), *((0, prices.spot_share * each) for each in demand)]
    return _least(cost, -served.tocsr(), -demand, most)


def drifting_optimum(demand: FloatArray, prices: Prices) -> float:
    """Least cost of `[week, hour]` of demand when units may be bought in any week for a term, and paid to the end."""
    weeks, hours = demand.shape
    # Variables: units bought in each week, of one term after the other; units held in each week; on-demand; spot. Held
    # units are variables of their own so that an hour's row has three entries and not a term's worth of them.
    ever, week, hour = np.tril(np.ones((weeks, weeks))), np.repeat(np.arange(weeks), hours), np.arange(demand.size)
    bought = [ever - np.tril(ever, -round(term.weeks)) for term in prices.terms]
    left = [term.price * hours * np.minimum(round(term.weeks), weeks - np.arange(weeks)) for term in prices.terms]
    spot = prices.on_demand if prices.spot is None else prices.spot
    cost = np.concatenate([*left, np.zeros(weeks), np.full(demand.size, prices.on_demand), np.full(demand.size, spot)])
    # Holding less than was bought is never better, so held <= bought does for held == bought.
    held = sparse.hstack([*map(sparse.csr_array, bought), -sparse.eye(weeks), sparse.csr_array((weeks, 2 * hour.size))])
    each = sparse.csr_array((np.ones(hour.size), (hour, week)), shape=(hour.size, weeks))
    none = sparse.csr_array((hour.size, weeks * len(bought)))
    served = sparse.hstack([none, each, sparse.eye(hour.size), sparse.eye(hour.size)])
    limits = np.concatenate([np.zeros(weeks), -demand.ravel()])
    free = [(0.0, None)] * (cost.size - demand.size)
    most = [*free, *((0.0, float(prices.spot_share * needed)) for needed in demand.ravel())]
    return _least(cost, sparse.vstack([-held, -served]).tocsr(), limits, most)


def _least(cost: FloatArray, rows: object, limits: FloatArray, most: Sequence[tuple[float, float | None]]) -> float:
    found = linprog(cost, A_ub=rows, b_ub=limits, bounds=most, method="highs")
    assert found.status == 0, found.message
    return float(found.fun)
