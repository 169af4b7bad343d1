"""The seasonal forecaster on series whose future is known: honest quantiles, sound edges, rows on their own."""

import dataclasses

import numpy as np
import pytest

from policies.arrays import BoolArray, FloatArray, floats
from policies.forecast.seasonal import OLDEST_FIT_S, SeasonalFit, predict, refit
from policies.history import Window

DAY = 1440
START_S = 1_700_006_400  # a Wednesday, 00:00 UTC
ROWS = 16


def window_of(value: FloatArray, known: BoolArray | None = None) -> Window:
    there = np.isfinite(value) if known is None else known
    return Window(START_S, np.where(there, value, 0).astype(np.float32), there)


def fitted(value: FloatArray, known: BoolArray | None = None) -> SeasonalFit:
    names = tuple(f"team/app-{row}/load" for row in range(value.shape[0]))
    return refit(window_of(value, known), now_s=START_S + value.shape[1] * 60.0, rows=names)


def forecast(
    fit: SeasonalFit, minute: int, value: FloatArray | list[float], lead_min: float = 5, quantile: float = 0.99
) -> tuple[list[bool], FloatArray, FloatArray]:
    rows = len(fit.uid)
    known, median, upper = predict(
        fit,
        at_s=START_S + minute * 60.0,
        value=np.nan_to_num(np.array(value, np.float64)),
        known=np.isfinite(np.array(value, np.float64)),
        lead_s=floats(rows, lead_min * 60),
        quantile=floats(rows, quantile),
    )
    return known.tolist(), median, upper


def weekly(days: int, seed: int = 1) -> FloatArray:
    """Rows of a day shape with weaker weekends, noise with a memory of ten minutes, half of it multiplicative."""
    random = np.random.default_rng(seed)
    minute = np.arange(days * DAY)
    weekend = np.where((minute // DAY + 2) % 7 >= 5, 0.6, 1.0)
    shape = (2 - np.cos(2 * np.pi * (minute / DAY - random.random((ROWS, 1))))) * weekend
    noise = random.normal(0, 0.03, (ROWS, minute.size))
    for at in range(1, minute.size):
        noise[:, at] += 0.9 * noise[:, at - 1]
    factor = np.where(np.arange(ROWS)[:, np.newaxis] % 2 == 0, shape, 1.0)
    return np.maximum(100 * (shape + factor * noise), 0)


@pytest.fixture(scope="module")
def series() -> FloatArray:
    return weekly(22)


@pytest.fixture(scope="module")
def fit(series: FloatArray) -> SeasonalFit:
    return fitted(series[:, : 14 * DAY])


@pytest.fixture(scope="module")
def fits(series: FloatArray) -> dict[int, SeasonalFit]:
    """One for each of four days, by its first minute: a Wednesday, a Friday, a Sunday and a Tuesday."""
    return {day * DAY: fitted(series[:, : day * DAY]) for day in (14, 16, 18, 20)}


@pytest.mark.parametrize("lead_min", [1, 5, 12, 60])
@pytest.mark.parametrize(
    ("quantile", "lowest", "highest"), [(0.5, 0.4, 0.6), (0.9, 0.85, 0.94), (0.99, 0.975, 0.999), (0.999, 0.99, 1.0)]
)
def test_quantiles_are_honest_out_of_sample(
    series: FloatArray, fits: dict[int, SeasonalFit], lead_min: int, quantile: float, lowest: float, highest: float
) -> None:
    covered = [
        series[:, minute + lead_min] <= forecast(fit, minute, series[:, minute], lead_min, quantile)[2]
        for start, fit in fits.items()
        for minute in range(start, start + DAY, 7)
    ]

    assert lowest <= np.mean(covered) <= highest


def test_it_beats_the_last_value_an_hour_ahead(series: FloatArray, fit: SeasonalFit) -> None:
    minutes = range(14 * DAY, 15 * DAY, 11)
    missed = [np.abs(series[:, at + 60] - forecast(fit, at, series[:, at], 60)[1]).mean() for at in minutes]
    last_value = [np.abs(series[:, at + 60] - series[:, at]).mean() for at in minutes]

    assert np.mean(missed) < 0.6 * np.mean(last_value)


def test_without_a_value_the_season_speaks_with_its_own_spread(
    series: FloatArray, fits: dict[int, SeasonalFit]
) -> None:
    nothing = np.full(ROWS, np.nan)
    covered = [
        series[:, at + 5] <= forecast(fit, at, nothing)[2]
        for start, fit in fits.items()
        for at in range(start, start + DAY, 7)
    ]

    assert forecast(fits[14 * DAY], 14 * DAY, nothing)[0] == [True] * ROWS
    assert 0.97 <= np.mean(covered) <= 0.999


def test_a_row_is_the_same_alone_and_in_a_fleet(series: FloatArray) -> None:
    known = np.random.default_rng(2).random((ROWS, 8 * DAY)) < 0.9
    known[3, : 4 * DAY] = False
    known[5] = False
    fleet = fitted(series[:, : 8 * DAY], known)
    for row in (0, 3, 5, ROWS - 1):
        alone = fitted(series[row : row + 1, : 8 * DAY], known[row : row + 1])
        for name in ("known", "scale", "coefficient", "rho", "offset", "relative"):
            in_fleet = getattr(fleet, name)[row]
            np.testing.assert_allclose(getattr(alone, name)[0], in_fleet, rtol=1e-9, atol=1e-11, err_msg=name)


def test_the_same_window_gives_the_same_fit(series: FloatArray) -> None:
    first, second = fitted(series[:, : 3 * DAY]), fitted(series[:, : 3 * DAY])

    for field in dataclasses.fields(SeasonalFit):
        assert np.array_equal(getattr(first, field.name), getattr(second, field.name))


def test_holes_hardly_change_the_forecast(series: FloatArray, fit: SeasonalFit) -> None:
    known = np.random.default_rng(4).random((ROWS, 14 * DAY)) < 0.8
    known[:, 5 * DAY : 5 * DAY + 300] = False
    holed = fitted(series[:, : 14 * DAY], known)
    at = 14 * DAY

    whole, part = (forecast(one, at, series[:, at], 30)[1] for one in (fit, holed))
    np.testing.assert_allclose(part, whole, rtol=0.05)


@pytest.mark.parametrize(
    ("value", "now", "lowest", "highest"),
    [
        pytest.param(np.full(3 * DAY, 40.0), 40.0, 40, 40.01, id="constant"),
        pytest.param(np.full(3 * DAY, 40.0), 90.0, 90, 90.01, id="constant-that-jumps"),
        pytest.param(np.zeros(3 * DAY), 0.0, 0, 0, id="zeros"),
        pytest.param(np.zeros(3 * DAY), 5.0, 5, 5.01, id="zeros-that-wake"),
        pytest.param(np.where(np.arange(3 * DAY) % 97 == 0, 500.0, 10.0), 10.0, 10, 600, id="spikes"),
        pytest.param(np.linspace(100, 200, 9 * DAY), 200.0, 198, 215, id="growth"),
        pytest.param(50 + np.arange(DAY) % 7.0, 53.0, 53, 57.01, id="one-day-alone"),
        pytest.param(np.full(3 * DAY, 3.4e38), 3.4e38, 3.39e38, 3.42e38, id="largest-float32"),
        pytest.param(np.full(3 * DAY, 1e-45), 1e-45, 1e-45, 2e-45, id="smallest-float32"),
        pytest.param(np.full(3 * DAY, 8.0), 0.0, 0, 8, id="falls-to-nothing"),
    ],
)
def test_edges(value: FloatArray, now: float, lowest: float, highest: float) -> None:
    known, median, upper = forecast(fitted(value[np.newaxis]), value.size, [now])

    assert known == [True]
    assert lowest <= upper[0] <= highest
    assert 0 <= median[0] <= upper[0]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        pytest.param(np.zeros(2 * DAY, np.bool_), False, id="all-missing"),
        pytest.param(np.arange(2 * DAY) >= 2 * DAY - 30, False, id="brand-new"),
        pytest.param(np.arange(2 * DAY) >= DAY + 1, False, id="a-minute-short-of-a-day"),
        pytest.param(np.arange(2 * DAY) >= DAY, True, id="a-day"),
        pytest.param(np.arange(2 * DAY) % 5 < 2, False, id="two-minutes-of-five"),
        pytest.param(np.arange(2 * DAY) % 2 == 0, True, id="every-other-minute"),
        pytest.param(np.arange(2 * DAY) < DAY, True, id="half-and-then-an-outage"),
    ],
)
def test_rows_with_too_little_data_are_not_known(there: BoolArray, expected: bool) -> None:  # noqa: FBT001 - a column
    value = 10.0 + (np.arange(2 * DAY) % 3).astype(np.float64)
    known, median, upper = forecast(fitted(value[np.newaxis], there[np.newaxis]), 2 * DAY, [11.0])

    assert known == [expected]
    assert (median[0] > 0, upper[0] > 0) == (expected, expected)


def test_no_rows_and_no_minutes() -> None:
    assert fitted(np.zeros((0, DAY))).uid == ()
    assert fitted(np.zeros((2, 0))).known.tolist() == [False, False]
    assert forecast(fitted(np.zeros((0, DAY))), DAY, [])[0] == []


def test_a_fit_follows_its_rows(series: FloatArray, fit: SeasonalFit) -> None:
    moved = fit.aligned((fit.uid[3], "team/new/load", fit.uid[0]))
    at = 14 * DAY
    whole = forecast(fit, at, series[:, at])[2]
    known, median, upper = forecast(moved, at, [series[3, at], 50.0, series[0, at]])

    assert known == [True, False, True]
    assert upper.tolist() == [whole[3], 0.0, whole[0]]
    assert median[1] == 0
    assert fit.aligned(fit.uid) is fit


def test_a_fit_serves_for_a_day(series: FloatArray, fit: SeasonalFit) -> None:
    last = int(OLDEST_FIT_S // 60)

    assert forecast(fit, 14 * DAY + last, series[:, 0])[0] == [True] * ROWS
    assert forecast(fit, 14 * DAY + last + 1, series[:, 0])[0] == [False] * ROWS


def test_more_load_never_forecasts_less(series: FloatArray, fit: SeasonalFit) -> None:
    at = 14 * DAY + 400
    levels = [forecast(fit, at, series[:, at] * factor)[2] for factor in (0, 0.5, 1, 2, 10)]

    assert (np.diff(np.array(levels), axis=0) >= 0).all()


@pytest.mark.parametrize(("lead_min", "other"), [(0, 1), (-3, 1), (61, 60), (600, 60)])
def test_leads_beyond_the_horizons_take_the_nearest_spread(lead_min: int, other: int) -> None:
    fit = fitted((100 + np.random.default_rng(6).normal(0, 5, DAY))[np.newaxis])

    np.testing.assert_allclose(forecast(fit, DAY, [100.0], lead_min)[2], forecast(fit, DAY, [100.0], other)[2])
