"""Rolling origins of a load: what each forecast may see, and how it is scored."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.forecast_backtest import FORESAIL, LAST_VALUE, MODELS, Forecasts, Plan, backtest, on_minutes
from simulations.forecast_scores import pinball, scores
from simulations.load_file import Load
from simulations.protocol import ProtocolError
from simulations.traffic import Daily, Noise, Traffic, generate

DAY = 1440
START_S = 1_700_006_430.0  # half a minute past
PLAN = Plan((1, 60), 60, (0.5, 0.9, 0.95), warmup_s=2 * 86_400.0)


def load_of(days: float = 3) -> Load:
    steps = int(days * DAY)
    value = generate(Traffic(100.0, (Daily(), Noise(0.1, 600.0)), 3), start_s=START_S, steps=steps, step_s=60.0)
    return Load(np.asarray(START_S + 60.0 * np.arange(steps), np.float64), value)


def test_nothing_after_an_origin_changes_what_is_said_at_it() -> None:
    load = load_of()
    cut = int(2.5 * DAY)
    scrambled = load.value.copy()
    scrambled[cut + 1 :] = np.random.default_rng(1).permutation(scrambled[cut + 1 :]) * 50
    scrambled[cut + 10 : cut + 400] = np.nan
    before, after = (backtest(Load(load.at_s, value), PLAN) for value in (load.value, scrambled))
    kept = before.origin_s <= load.at_s[cut] // 60 * 60

    assert kept.sum() == 13
    for model in MODELS:
        np.testing.assert_array_equal(before.said[model][kept], after.said[model][kept])
    assert not np.array_equal(before.said[FORESAIL][~kept], after.said[FORESAIL][~kept])


def test_origins_begin_after_the_warm_up_and_what_came_is_the_value_then() -> None:
    load = load_of()
    forecasts = backtest(load, PLAN)

    assert forecasts.origin_s[0] == START_S - 30 + 2 * 86_400
    assert forecasts.origin_s.size == 24
    np.testing.assert_allclose(forecasts.came[0], load.value[[2 * DAY + 1, 2 * DAY + 60]], rtol=1e-6)
    assert np.isnan(forecasts.came[-1, 1])  # behind the end
    for said in forecasts.said.values():
        assert np.isfinite(said).all()
        assert (np.diff(said, axis=2) >= 0).all()


def test_gaps_are_missing_and_not_zero() -> None:
    load = load_of()
    value = load.value.copy()
    value[2 * DAY + 60 : 2 * DAY + 120] = np.nan
    whole, holed = backtest(load, PLAN), backtest(Load(load.at_s, value), PLAN)

    assert np.isnan(holed.came[0, 1])
    assert holed.said[LAST_VALUE][1, 0, 0] == pytest.approx(value[2 * DAY + 59])
    assert holed.said[FORESAIL][2, 1, 0] > 0.7 * whole.said[FORESAIL][2, 1, 0]


def test_of_several_samples_in_a_minute_the_last_one_stands() -> None:
    window = on_minutes(Load(np.array([0.0, 20.0, 40.0, 180.0]), np.array([1.0, 2.0, np.nan, 4.0])))

    assert window.value.tolist() == [[2.0, 0.0, 0.0, 4.0]]
    assert window.known.tolist() == [[True, False, False, True]]


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (load_of(1.5), "the load ends within its warm-up of 2880 minutes"),
        (Load(np.array([0.0]), np.array([np.nan])), "the load has no measured sample"),
    ],
    ids=["short", "empty"],
)
def test_loads_that_cannot_be_used(load: Load, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        backtest(load, PLAN)


def test_scores_by_hand() -> None:
    said = np.array([[[10.0, 12.0]], [[20.0, 24.0]], [[30.0, 30.0]], [[np.nan, np.nan]]])
    came = np.array([[12.0], [18.0], [np.nan], [5.0]])
    forecasts = Forecasts(np.arange(4.0), {"a": said}, came, np.array([4.0]), {"a": 0.25})
    (score,) = scores(forecasts, Plan((5,), 1, (0.5, 0.9)), (0.5, 0.9))

    assert (score.model, score.horizon_s, score.forecasts, score.fit_s) == ("a", 300, 2, 0.25)
    assert score.wape == pytest.approx(4 / 30)
    assert score.mase == pytest.approx(0.5)  # 2 missed on average, 4 changed
    assert score.pinball == {"0.5": 1.0, "0.9": pytest.approx(0.3)}  # (0 + 0.1 x 6) / 2
    assert score.coverage == {"0.5": 0.5, "0.9": 1.0}
    assert score.mean == 15


def test_nothing_to_compare_gives_no_figure() -> None:
    forecasts = Forecasts(
        np.zeros(1), {"a": np.zeros((1, 1, 1))}, np.full((1, 1), np.nan), np.array([np.nan]), {"a": 0.0}
    )
    (score,) = scores(forecasts, Plan((1,), 1, (0.5,)), (0.5,))

    assert (score.forecasts, score.wape, score.mase, score.mean) == (0, None, None, None)
    assert (score.pinball, score.coverage) == ({"0.5": None}, {"0.5": None})


def test_pinball_weighs_what_is_above_by_the_level() -> None:
    loss = pinball(np.array([10.0]), np.array([[8.0, 8.0, 14.0]]), (0.5, 0.9, 0.9))

    np.testing.assert_allclose(loss, [[1.0, 1.8, 0.4]])
