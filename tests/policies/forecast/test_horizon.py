"""The horizon layer: honest quantiles from a minute to a week, and sane answers for series of every kind."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.arrays import BoolArray, FloatArray, floats
from policies.events import Spans
from policies.forecast.features import taken
from policies.forecast.governance import Expert
from policies.forecast.horizon import OLDEST_FIT_S, HorizonFit, refit
from policies.forecast.maximum import LEADS_MIN, first_above
from policies.forecast.outlook import Asked, quantiles
from policies.history import Window
from policies.packing import pack, unpack

DAY, WEEK = 1440, 10_080
START_S = 1_700_006_400  # a Wednesday, 00:00 UTC
LEADS = (1, 5, 60, 360, DAY, 3 * DAY, WEEK)
LEVELS = (0.05, 0.5, 0.95, 0.99)


def window_of(value: FloatArray, known: BoolArray | None = None) -> Window:
    there = np.isfinite(value) if known is None else known
    return Window(START_S, np.where(there, value, 0).astype(np.float32), there)


def names(rows: int) -> tuple[str, ...]:
    return tuple(f"team/app-{row}/load" for row in range(rows))


def fitted(window: Window, before: HorizonFit | None = None, events: Spans | None = None) -> HorizonFit:
    minutes = window.value.shape[1]
    rows = names(window.value.shape[0])
    return refit(window, now_s=START_S + 60.0 * minutes, rows=rows, before=before, events=events)


def outlook(fit: HorizonFit, window: Window, leads: tuple[int, ...] = LEADS) -> FloatArray:
    """Quantiles from the end of the window, `[row, lead, level]`."""
    return quantiles(fit, window, Asked(np.array([window.value.shape[1] - 1]), leads, LEVELS))[:, 0]


def daily(rows: int, days: int, seed: int = 1) -> FloatArray:
    """Rows of a day's wave with noise of 10 % that lasts ten minutes."""
    random = np.random.default_rng(seed)
    minute = np.arange(days * DAY)
    noise = random.normal(0, 0.044, (rows, minute.size))
    for at in range(1, minute.size):
        noise[:, at] += 0.9 * noise[:, at - 1]
    wave = 2 - np.cos(2 * np.pi * (minute / DAY - random.random((rows, 1))))
    return 100 * wave * np.exp(noise)


@pytest.fixture(scope="module")
def series() -> FloatArray:
    return daily(8, 16)


@pytest.fixture(scope="module")
def fit(series: FloatArray) -> HorizonFit:
    return fitted(window_of(series[:, : 14 * DAY]))


@pytest.mark.parametrize("lead", [1, 5, 15, 60, 240, DAY])
def test_quantiles_hold_what_they_promise_out_of_sample(series: FloatArray, fit: HorizonFit, lead: int) -> None:
    at = np.arange(14 * DAY, 15 * DAY, 11)
    said = quantiles(fit, window_of(series), Asked(at, (lead,), (0.1, 0.5, 0.9, 0.95)))[:, :, 0]
    covered = (series[:, at + lead, np.newaxis] <= said).mean(axis=(0, 1))

    assert 0.05 <= covered[0] <= 0.15
    assert 0.42 <= covered[1] <= 0.58
    assert 0.86 <= covered[2] <= 0.94
    assert 0.92 <= covered[3] <= 0.98


def test_an_hour_ahead_it_beats_the_last_value_and_yesterday(series: FloatArray, fit: HorizonFit) -> None:
    at = np.arange(14 * DAY, 15 * DAY, 11)
    said = quantiles(fit, window_of(series), Asked(at, (60,), (0.5,)))[:, :, 0, 0]
    came = series[:, at + 60]

    assert np.abs(came - said).mean() < 0.7 * np.abs(came - series[:, at]).mean()
    assert np.abs(came - said).mean() < np.abs(came - series[:, at + 60 - DAY]).mean()


def test_nothing_after_an_origin_changes_its_forecast(series: FloatArray) -> None:
    value = series.copy()
    value[:, 15 * DAY + 1 :] = np.random.default_rng(3).gamma(1, 1000, (8, DAY - 1))
    at = np.array([14 * DAY + 7, 15 * DAY])
    before, after = (
        quantiles(fitted(window_of(one[:, : 14 * DAY])), window_of(one), Asked(at, LEADS, LEVELS))
        for one in (series, value)
    )

    assert np.array_equal(before, after)


def sparse() -> FloatArray:
    return np.where(np.random.default_rng(2).random(14 * DAY) < 0.01, 500.0, 0.0)


@pytest.mark.parametrize(
    ("value", "lowest", "highest"),
    [
        pytest.param(np.full(3 * DAY, 40.0), 35, 45, id="constant"),
        pytest.param(np.zeros(3 * DAY), 0, 0.2, id="zeros"),
        pytest.param(sparse(), 0, 1500, id="sparse"),
        pytest.param(np.where(np.arange(14 * DAY) % 3 == 0, 40.0, np.nan), 35, 45, id="a-sample-every-three-minutes"),
        pytest.param(np.where(np.arange(14 * DAY) < 9 * DAY, 40.0, np.nan), 20, 80, id="silent-for-five-days"),
        pytest.param(np.where(np.arange(14 * DAY) < 13 * DAY, 40.0, 90.0), 20, 400, id="shifted-a-day-ago"),
        pytest.param(np.linspace(100, 300, 14 * DAY), 200, 900, id="growing"),
        pytest.param(np.full(30, 40.0), 1, 400, id="half-an-hour-old"),
        pytest.param(np.full(3 * DAY, 3e38), 1e38, 3.4e38 * 3, id="largest-float32"),
    ],
)
def test_every_kind_of_series_gets_a_sane_answer(value: FloatArray, lowest: float, highest: float) -> None:
    window = window_of(value[np.newaxis])
    said = outlook(fitted(window), window)[0]

    assert np.isfinite(said).all()
    assert (np.diff(said, axis=1) >= 0).all()
    assert (said >= 0).all()
    assert ((lowest <= said[:, 1]) & (said[:, 1] <= highest)).all()


def test_the_young_are_wide_and_grow_narrower() -> None:
    value = 100 * np.exp(np.random.default_rng(5).normal(0, 0.02, 14 * DAY))
    widths = []
    for minutes in (40, 300, DAY, 7 * DAY):
        window = window_of(value[np.newaxis, :minutes])
        said = outlook(fitted(window), window, (15,))[0, 0]
        widths.append(said[2] - said[0])

    assert widths[0] > 9
    assert 4 < min(widths[1:]) <= max(widths[1:]) < 9  # 2 x 1.645 x 2 = 6.6 is what the noise has


def test_growth_is_carried_on() -> None:
    window = window_of(np.linspace(100, 300, 14 * DAY)[np.newaxis])  # 14.3 a day
    said = outlook(fitted(window), window, (DAY, WEEK))[0]

    assert 300 <= said[0, 1] <= 335
    assert 330 <= said[1, 1] <= 500


def test_a_row_with_too_little_is_not_known() -> None:
    window = window_of(np.where(np.arange(2 * DAY) >= 2 * DAY - 14, 5.0, np.nan)[np.newaxis])
    fit = fitted(window)

    assert fit.known.tolist() == [False]
    assert np.isnan(outlook(fit, window)).all()


def test_no_rows_and_no_minutes() -> None:
    assert fitted(window_of(np.zeros((0, DAY)))).uid == ()
    assert fitted(window_of(np.zeros((2, 0)))).known.tolist() == [False, False]
    with pytest.raises(ValueError, match="the window has 1 rows and 2 names"):
        refit(window_of(np.zeros((1, DAY))), now_s=0.0, rows=("a", "b"))


def test_a_row_is_the_same_alone_and_in_a_fleet(series: FloatArray) -> None:
    known = np.random.default_rng(2).random((8, 8 * DAY)) < 0.9
    known[3, : 6 * DAY] = False
    fleet = fitted(window_of(series[:, : 8 * DAY], known))
    for row in (0, 3, 7):
        alone = fitted(window_of(series[row : row + 1, : 8 * DAY], known[row : row + 1]))
        for each in dataclasses.fields(HorizonFit):
            if isinstance(column := getattr(fleet, each.name), np.ndarray):
                np.testing.assert_allclose(getattr(alone, each.name)[0], column[row], rtol=1e-3, atol=1e-3)


def test_a_fit_follows_its_rows_and_survives_packing(fit: HorizonFit, series: FloatArray) -> None:
    moved = fit.aligned((fit.uid[3], "team/new/load"))
    window = window_of(series[[3, 0], : 14 * DAY])
    said = outlook(unpack(HorizonFit, pack(moved)), window)

    np.testing.assert_allclose(said[0], outlook(fit, window_of(series[:, : 14 * DAY]))[3], rtol=1e-5)
    assert np.isnan(said[1]).all()


def test_a_fit_serves_for_a_day(fit: HorizonFit, series: FloatArray) -> None:
    last = 14 * DAY + int(OLDEST_FIT_S // 60)
    said = quantiles(fit, window_of(series), Asked(np.array([last, last + 1]), (5,), (0.5,)))

    assert np.isfinite(said[:, 0]).all()
    assert np.isnan(said[:, 1]).all()


def test_a_fit_brings_its_own_figures(fit: HorizonFit) -> None:
    ridge = fit.coverage[:, Expert.RIDGE, :4]  # up to an hour ahead: 0.5, 0.9, 0.95, 0.99

    assert (fit.judged[:, Expert.RIDGE, :4] > 12).all()
    assert 0.85 <= ridge[..., 1].mean() <= 0.95
    assert (fit.recent[:, Expert.RIDGE, :4] > 0).all()
    assert (fit.charge[:, 3] == Expert.RIDGE).all()


def spans(from_min: int, minutes: int, *, factor: float = 1.0, extra: float = 0.0) -> Spans:
    at_s = START_S + 60.0 * from_min
    return Spans(
        np.array([0]), np.array([at_s]), np.array([at_s + 60.0 * minutes]), floats(1, factor), floats(1, extra)
    )


@pytest.mark.parametrize(
    ("factor", "extra", "expected"), [(3.0, 0.0, 120.0), (1.0, 50.0, 90.0)], ids=["a-factor", "extra-load"]
)
def test_a_declared_event_raises_the_minutes_it_names(factor: float, extra: float, expected: float) -> None:
    window = window_of(np.full((1, 3 * DAY), 40.0))
    event = spans(3 * DAY + 55, 10, factor=factor, extra=extra)
    fit = fitted(window, events=event)
    said = quantiles(fit, window, Asked(np.array([3 * DAY - 1]), (30, 60, 90), (0.5,)), event)[0, 0, :, 0]

    np.testing.assert_allclose(said, [40.0, expected, 40.0], rtol=0.02)


def test_a_past_event_leaves_nothing_behind() -> None:
    value = 40 * np.exp(np.random.default_rng(4).normal(0, 0.05, (1, 8 * DAY)))
    loud = value.copy()
    loud[:, 7 * DAY : 7 * DAY + 300] *= 4
    event = spans(7 * DAY, 300, factor=4.0)
    plain, cleared = (
        quantiles(fitted(window, events=events), window, Asked(np.array([8 * DAY - 1]), (DAY,), (0.5, 0.95)), events)
        for window, events in ((window_of(value), None), (window_of(loud), event))
    )

    np.testing.assert_allclose(cleared, plain, rtol=1e-3)


def test_when_load_exceeds_its_room() -> None:
    window = window_of(np.linspace(100, 300, 14 * DAY)[np.newaxis].repeat(3, axis=0))
    said = quantiles(fitted(window), window, Asked(np.array([14 * DAY - 1]), LEADS_MIN, (0.5, 0.9)))[:, 0]
    room = np.array([330.0, 250.0, 1e9])[:, np.newaxis].repeat(len(LEADS_MIN), axis=1)
    minutes = first_above(said, np.array(LEADS_MIN), room)

    assert DAY < minutes[0, 0] < WEEK  # at 14.3 a day 30 more take 2.1 days
    assert minutes[0, 1] <= minutes[0, 0]
    assert minutes[1].tolist() == [5, 5]
    assert np.isinf(minutes[2]).all()


def test_the_first_lead_above() -> None:
    value = np.array([[[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]], [[np.nan] * 2, [np.nan] * 2]])
    minutes = first_above(value, np.array([5, 60]), np.array([[1.5, 1.5], [9.0, 0.5], [1.0, 1.0]]))

    assert minutes[0].tolist() == [60, 5]
    assert minutes[1].tolist() == [60, 60]
    assert np.isnan(minutes[2]).all()
    assert np.isinf(first_above(value[:2], np.array([5, 60]), np.full((2, 2), 9.0))).all()


def test_a_part_that_is_fitted_again_replaces_its_rows_alone(fit: HorizonFit) -> None:
    later = dataclasses.replace(fit, fitted_at_s=fit.fitted_at_s + 60, scale=fit.scale + 1)
    part = later.aligned((fit.uid[2], "team/gone/load"))
    merged = fit.with_rows(part)

    assert merged.uid == fit.uid
    assert (merged.fitted_at_s - fit.fitted_at_s).tolist() == [0, 0, 60, 0, 0, 0, 0, 0]
    assert (merged.scale - fit.scale).tolist() == pytest.approx([0, 0, 1, 0, 0, 0, 0, 0])


def test_columns_that_are_evenly_apart_are_those_that_are_named_one_by_one() -> None:
    table = np.arange(40, dtype=np.float32).reshape(2, 20) + 1
    for at in ([3, 8, 13, 18], [-7, -2, 3, 8], [-9, -6, -3], [-5], [4], [0, 1, 2], [5, 2, 9], [-3, 1, 2]):
        expected = [[row[each] if each >= 0 else 0 for each in at] for row in table.tolist()]
        assert taken(table, np.array(at)).tolist() == expected
