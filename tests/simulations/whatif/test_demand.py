"""The load of each run: what happens to it, and how a recorded one is drawn anew."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulations.load_file import Load
from simulations.whatif.demand import WhatIfError, arriving
from tests.simulations.whatif.builders import Document, scenario, workload

HOUR = 60  # steps
DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("change", "factors"),
    [
        pytest.param({"growth": {"perYear": 1.0}}, {0: 1.0, 1439: 1.0019}, id="doubles-in-a-year"),  # 2 ** (1 / 365)
        pytest.param(
            {"launch": {"after": "2h", "over": "1h", "to": 3}},
            {119: 1.0, 150: 2.0, 180: 3.0, 1439: 3.0},
            id="a-launch-stays",
        ),
        pytest.param(
            {"flashCrowd": {"after": "2h", "peak": 5, "rise": "10m", "fade": "1h"}},
            {119: 1.0, 125: 3.0, 130: 5.0, 190: 1 + 4 / math.e},
            id="a-crowd-fades",
        ),
        pytest.param(
            {"regionLost": {"after": "2h", "lasts": "3h", "extra": 0.5}},
            {119: 1.0, 200: 1.5, 299: 1.5, 302: 1.0},
            id="a-lost-region-comes-here-for-a-time",
        ),
        pytest.param(
            {"failure": {"after": "2h", "lasts": "1h", "left": "10%", "rebound": 2, "fade": "10m"}},
            {119: 1.0, 120: 0.1, 179: 0.1, 180: 2.0, 190: 1 + 1 / math.e},
            id="a-failure-rebounds",
        ),
    ],
)
def test_changes(change: Document, factors: dict[int, float]) -> None:
    load = arriving(scenario(workloads=[workload(changes=[change])]), 0, {}, range(1)).demand[0]
    found = {step: float(load[step]) / 10 for step in factors}
    assert found == pytest.approx(factors, rel=1e-4)


def test_hours_and_weekdays() -> None:
    hourly, weekly = [1.0] * 24, [1, 1, 1, 1, 1, 0.5, 0.5]
    hourly[7], hourly[8] = 2.0, 4.0
    asked = scenario(days=6, workloads=[workload({"generate": {"level": 10, "hourly": hourly, "weekly": weekly}})])
    load = arriving(asked, 0, {}, range(1)).demand[0]
    assert load[7 * HOUR + 30] == pytest.approx(30.0)  # halfway from 2 to 4, on a Monday
    assert load[5 * 24 * HOUR + 8 * HOUR] == pytest.approx(20.0)  # half of 4, on a Saturday


def test_changes_are_timed_from_the_first_scored_step() -> None:
    asked = scenario(warmup="6h", workloads=[workload(changes=[{"launch": {"after": "1h", "to": 2}}])])
    load = arriving(asked, 0, {}, range(1)).demand[0]
    assert load[7 * HOUR - 1] == 10.0
    assert load[7 * HOUR] == 20.0


def test_a_metrics_outage_hides_the_load_and_leaves_it() -> None:
    asked = scenario(workloads=[workload(changes=[{"metricsOutage": {"after": "2h", "lasts": "30m"}}])])
    load = arriving(asked, 0, {}, range(2))
    hidden = np.flatnonzero(~load.known[1])
    assert hidden.tolist() == list(range(120, 150))
    assert (load.demand == 10).all()


def test_noise_and_crowds_differ_from_run_to_run_and_not_from_call_to_call() -> None:
    generate = {"level": 10, "noise": {"sigma": 0.2}, "flashCrowds": {"perDay": 3}}
    asked = scenario(workloads=[workload({"generate": generate})])
    load = arriving(asked, 0, {}, range(4)).demand
    assert np.unique(load[:, 7]).size == 4
    np.testing.assert_array_equal(arriving(asked, 0, {}, range(2, 3)).demand[0], load[2])


def recorded(days: int, *, first_day: int = 0) -> Load:
    """Day by day a load of its own: 0 on the first, 1 on the second; the first is a Monday unless said otherwise."""
    at_s = (4 + first_day) * DAY_S + 60.0 * np.arange(days * 24 * HOUR + 1, dtype=np.float64)
    value = np.floor((at_s - at_s[0]) / DAY_S)
    value[-1] = value[-2]
    return Load(at_s, value)


def test_a_recorded_load_is_taken_as_it_is() -> None:
    asked = scenario(days=2, workloads=[workload({"file": "load.csv", "redraw": "nothing"})])
    load = arriving(asked, 0, {"web": recorded(2)}, range(2))
    np.testing.assert_array_equal(load.demand[1], np.repeat([0.0, 1.0], 24 * HOUR))
    assert load.start_s == 4 * DAY_S
    with pytest.raises(WhatIfError, match=r"workloads\[0\].load: holds 1d of load, and 2d are needed"):
        arriving(asked, 0, {"web": recorded(1)}, range(1))


def test_days_are_drawn_from_those_of_their_kind() -> None:
    asked = scenario(days=14, workloads=[workload({"file": "load.csv"})])
    load = arriving(asked, 0, {"web": recorded(7)}, range(30)).demand
    day = load.reshape(30, 14, 24 * HOUR)[:, :, 0]
    assert (np.ptp(load.reshape(30, 14, 24 * HOUR), axis=2) == 0).all()  # days are whole
    weekend = np.isin(np.arange(14) % 7, (5, 6))
    assert set(day[:, weekend].ravel()) == {5.0, 6.0}
    assert set(day[:, ~weekend].ravel()) == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_a_recorded_gap_is_unknown_and_bridged() -> None:
    load = recorded(1)
    load.value[100:110] = np.nan
    asked = scenario(workloads=[workload({"file": "load.csv", "redraw": "nothing"})])
    made = arriving(asked, 0, {"web": load}, range(1))
    assert not made.known[0, 100:110].any()
    assert np.isfinite(made.demand).all()
