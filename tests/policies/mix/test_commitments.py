"""Commitments for demand that stays: by hand, against the linear program, and what a plan costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.mix.commitments import Prices, Term, best, bill, units_interval
from tests.policies.mix.optimum import constant_optimum

YEAR = Term("1y", 52, 0.63)
THREE = Term("3y", 156, 0.43)
TEN = np.arange(1.0, 11.0)  # ten hours that need 1 to 10 units


@pytest.mark.parametrize(
    ("prices", "units"),
    [
        # The fourth unit is used in 7 hours of 10, worth 0.7; the fifth in 6, worth 0.6, less than 0.63.
        pytest.param(Prices(1, (YEAR,)), [4], id="a-unit-is-bought-while-it-is-used-more-than-its-price"),
        pytest.param(Prices(2, (Term("1y", 52, 1.26),)), [4], id="prices-count-over-on-demand"),
        # The sixth unit is used in 5 hours, the seventh in 4: below 0.43.
        pytest.param(Prices(1, (YEAR, THREE)), [0, 6], id="the-cheapest-term-alone"),
        # Half of each hour by spot at 0.4. Just above 2 units: 0.5d > 2 in hours 5 to 10, worth 1 each; hours 3 and 4
        # save spot: 0.6 + 0.2 * 0.4 = 0.68. Just above 2.5: 5 hours and 5 with spot's 3 (hours 3, 4, 5): 0.62 < 0.63.
        pytest.param(Prices(1, (YEAR,), 0.4, 0.5), [2.5], id="spot-takes-the-worth-out-of-units"),
        pytest.param(Prices(1, (Term("1y", 52, 1.0),)), [0], id="no-unit-at-the-price-of-on-demand"),
        pytest.param(Prices(1, ()), [], id="no-terms-no-units"),
    ],
)
def test_units_worked_by_hand(prices: Prices, units: list[float]) -> None:
    assert best(TEN, prices).tolist() == units


def test_a_bill_worked_by_hand() -> None:
    # 2 units committed over 3 hours; spot may serve half of 1, 4 and 8 units.
    cost = bill(np.array([1.0, 4.0, 8.0]), np.array([2.0]), Prices(1, (Term("1y", 52, 0.5),), 0.25, 0.5))
    assert cost.committed_usd == 3.0  # 2 units x 3 h x 0.5
    assert cost.spot_usd == 1.5  # 0, 2 and 4 units x 0.25
    assert cost.on_demand_usd == 2.0  # 0, 0 and 8 - 2 - 4
    assert cost.total_usd == 6.5
    assert cost.used_ratio == pytest.approx(5 / 6)  # 1, 2 and 2 of 6
    assert cost.covered_ratio == pytest.approx(5 / 13)


def test_shares_of_nothing_are_absent() -> None:
    cost = bill(np.zeros(3), np.zeros(1), Prices(1, (YEAR,)))
    assert (cost.total_usd, cost.used_ratio, cost.covered_ratio) == (0, None, None)


@given(
    demand=st.lists(st.floats(0, 100), min_size=1, max_size=30),
    price=st.floats(0.05, 0.99),
    other=st.floats(0.05, 0.99),
    spot=st.floats(0.05, 0.99),
    share=st.floats(0.01, 1),
)
def test_no_plan_is_cheaper_says_the_linear_program(
    demand: list[float], price: float, other: float, spot: float, share: float
) -> None:
    hours = np.array(demand)
    prices = Prices(1, (Term("1y", 52, price), Term("3y", 156, other)), spot, share)
    cost = bill(hours, best(hours, prices), prices).total_usd
    assert cost == pytest.approx(constant_optimum(hours, prices), rel=1e-6, abs=1e-6)


def test_an_interval_is_wider_where_days_differ_more() -> None:
    random = np.random.default_rng(1)
    alike = np.repeat(random.normal(20, 1, 30), 24)
    apart = np.repeat(random.normal(20, 5, 30), 24)
    prices = Prices(1, (YEAR,))
    narrow, wide = units_interval(alike, prices), units_interval(apart, prices)
    assert narrow is not None
    assert wide is not None
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])
    assert narrow[0] <= best(alike, prices)[0] <= narrow[1]


def test_two_days_have_no_interval_and_unknown_hours_are_left_out() -> None:
    assert units_interval(np.ones(48), Prices(1, (YEAR,))) is None
    holes = np.ones(96)
    holes[30:40] = np.nan
    assert units_interval(holes, Prices(1, (YEAR,))) == (1, 1)
