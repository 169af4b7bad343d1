"""What to hold now when demand drifts: the drift that is learned, and units that follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.mix.commitments import Prices, Term
from policies.mix.drift import Drift, drift_of
from policies.mix.hours import Hours
from policies.mix.ladder import hold_now, worth_holding

if TYPE_CHECKING:
    from policies.arrays import FloatArray

YEAR = Term("1y", 52, 0.63)
THREE = Term("3y", 156, 0.43)
DAY_AND_NIGHT = np.tile(np.repeat([10.0, 30.0], 12), 7)  # mean 20
STEADY = Prices(1, (YEAR,))


def weeks(growth_per_year: float, count: int = 60, shape: FloatArray = DAY_AND_NIGHT) -> FloatArray:
    """Weeks of one shape whose level ends at 1 and grows so much a year, `[week, hour]`."""
    level = (1 + growth_per_year) ** (np.arange(1 - count, 1) / 52)
    grown: FloatArray = level[:, np.newaxis] * shape
    return grown


def test_a_steady_trend_is_learned_and_believed() -> None:
    drift = drift_of(weeks(0.5).mean(axis=1))
    assert np.exp(drift.level) == pytest.approx(20, rel=0.01)
    assert 52 * drift.trend == pytest.approx(np.log(1.5), rel=0.1)
    assert drift.spread <= 0.01  # half of what is believed before anything is seen


def test_a_trend_that_noise_may_have_made_is_not_believed() -> None:
    random = np.random.default_rng(3)
    noisy = 20 * np.exp(random.normal(0, 0.3, 12))
    assert abs(52 * drift_of(noisy).trend) < 0.2
    assert 52 * drift_of(noisy).trend_sd > 0.3


def test_unknown_weeks_are_passed_over_and_too_few_are_refused() -> None:
    holes = weeks(0.5).mean(axis=1)
    holes[20:40] = np.nan
    assert 52 * drift_of(holes).trend == pytest.approx(np.log(1.5), rel=0.15)
    with pytest.raises(ValueError, match="7 known weeks tell no trend; 8 would"):
        drift_of(holes[:7])


@pytest.mark.parametrize(
    ("growth", "units"),
    [
        # By night 10 units are needed, by day 30: below 10 a unit is always used, above it half the time, below 63 %.
        pytest.param(0.0, 10.0, id="steady"),
        pytest.param(1.5, 10.0, id="growing-buys-nothing-before-its-time"),
        # A unit that nights need for 0.26 years more, and days all year, is used 0.5 + 0.5 * 0.26 = 63 % of the year:
        # 10 * 0.5^0.26 = 8.35.
        pytest.param(-0.5, 8.35, id="shrinking-buys-what-a-year-will-use"),
    ],
)
def test_holding_follows_the_drift(growth: float, units: float) -> None:
    assert hold_now(weeks(growth), STEADY).units[0] == pytest.approx(units, rel=0.03)


@pytest.mark.parametrize("spread", [0.02, 0.04, 0.08])
def test_a_level_that_strays_more_leaves_more_for_later(spread: float) -> None:
    shape = DAY_AND_NIGHT / 20
    less, more = (worth_holding(shape, Drift(0.0, 0.0, 0.0, each), STEADY)[0] for each in (spread, spread / 2))
    assert 0.1 < less < more < 0.5  # nights need half the level


def test_long_terms_for_what_lasts_short_ones_for_what_will_go() -> None:
    both = Prices(1, (YEAR, THREE))
    year, three = hold_now(weeks(0.0), both).units
    assert (year, three) == (0, pytest.approx(20.8, rel=0.03))  # days use a unit half the time, above 43 %
    # Falling to 0.3 a year: by nights or days, nearly nothing is used 43 % of three years; much is 63 % of one.
    year, three = hold_now(weeks(-0.7), both).units
    assert (year, three) == (pytest.approx(7.3, rel=0.05), 0)  # 10 * 0.3^0.26


def test_units_scale_with_demand_and_prices_with_their_currency() -> None:
    once = hold_now(weeks(0.2), Prices(1, (YEAR,), 0.35, 0.3)).units
    tenfold = hold_now(10 * weeks(0.2), Prices(3, (Term("1y", 52, 1.89),), 1.05, 0.3)).units
    assert tenfold == pytest.approx(10 * once, rel=1e-6)


def test_nothing_is_held_where_nothing_is_worth_its_price() -> None:
    rare = np.zeros(168)
    rare[:20] = 50.0  # needed in 12 % of the hours
    assert hold_now(weeks(0.0, shape=rare), STEADY).units.tolist() == [0]


def test_hours_average_samples_and_leave_holes_unknown() -> None:
    # Half past zero to four: hour 2 has no sample, hour 3 one without a value.
    hours = Hours.of(np.array([1800.0, 3600.0, 5400.0, 10800.0, 14400.0]), np.array([1.0, 2.0, 4.0, np.nan, 5.0]))
    assert hours.start_s == 0
    assert hours.units.tolist() == pytest.approx([1, 3, np.nan, np.nan, 5], nan_ok=True)
    assert hours.known.tolist() == [1, 3, 5]
    assert hours.before(2 * 3600 + 1800).units.size == 2
    assert hours.since(2 * 3600 + 1800).start_s == 3 * 3600
    assert hours.before(-5).units.size == 0
    assert hours.since(0).units.size == 5
    with pytest.raises(ValueError, match="no sample has a value"):
        Hours.of(np.array([1.0]), np.array([np.nan]))


def test_weeks_are_the_newest_whole_ones() -> None:
    assert Hours(0, np.arange(400.0)).weeks()[:, 0].tolist() == [64, 232]
