"""Recorded loads on steps: what is known of them, what serves them, and what is scored."""

from dataclasses import replace

import numpy as np
import pytest

from simulations.protocol import Grid
from simulations.recorded import RecordedLoad, warmup_s
from simulations.serving import DAY_S, Serving

NAN = float("nan")


def _load(at_s: list[float], demand: list[float]) -> RecordedLoad:
    return RecordedLoad("shop/web", np.array(at_s), np.array(demand), 0.8, (2, 30), 90.0, 0.01)


@pytest.mark.parametrize(
    ("at_s", "demand", "steps", "known"),
    [
        pytest.param([7, 22, 37, 52, 67], [1, 2, 3, 4, 5], {30: 2, 60: 4}, "11", id="the-newest-reading-stands"),
        pytest.param(
            [0, 15, 30, 45, 60, 75, 90], [1, 1, NAN, NAN, NAN, 4, 5], {0: 1, 30: 1, 60: 1, 90: 5}, "1001", id="a-hole"
        ),
        pytest.param(
            [0, 15, 30, 45, 150, 165], [1, 1, 2, 3, 4, 5], {0: 1, 30: 2, 60: 3, 90: 3, 120: 3, 150: 4}, "111001",
            id="the-daemon-was-down",
        ),
        pytest.param([0, 15, 30, 45], [NAN, NAN, 2, 3], {30: 2}, "1", id="begins-with-the-first-fresh-reading"),
        pytest.param([0, 60, 120, 180], [1, 2, 3, 4], {0: 1, 30: 1, 60: 2, 90: 2, 120: 3, 150: 3, 180: 4}, "1111111",
                     id="ticks-slower-than-steps"),
    ],
)  # fmt: skip
def test_grid(at_s: list[float], demand: list[float], steps: dict[float, float], known: str) -> None:
    grid = _load(at_s, demand).grid(30.0)
    assert grid is not None
    assert dict(zip(grid.at_s.tolist(), grid.demand.tolist(), strict=True)) == steps
    assert grid.known.astype(int).tolist() == [int(each) for each in known]


def test_there_may_be_no_load() -> None:
    assert _load([1, 16, 31], [NAN, NAN, NAN]).grid(30.0) is None


def test_serving_is_in_replicas_at_the_limit() -> None:
    """One replica serves 1 at the limit of 0.8, so 1 / 0.8 = 1.25 at 100 %."""
    load = _load([0], [1])
    assert load.serving(step_s=30.0) == Serving(30.0, 1.25, 0.8, 90.0, 2, 30, 0.0)
    assert load.serving(step_s=30.0, startup_s=60.0, dwell_s=600.0) == Serving(30.0, 1.25, 0.8, 60.0, 2, 30, 600.0)


@pytest.mark.parametrize(
    ("length_s", "expected_s"),
    [
        pytest.param(3600.0, 900.0, id="a-quarter-of-an-hour"),
        pytest.param(5 * DAY_S, DAY_S, id="a-day-of-a-week-or-less"),
        pytest.param(30 * DAY_S, 3 * DAY_S, id="three-days-of-more"),
    ],
)
def test_warm_up(length_s: float, expected_s: float) -> None:
    load = _load([0, length_s], [1, 1])
    assert warmup_s(load, _grid(load)) == expected_s


def test_a_past_is_not_scored() -> None:
    """Nine minutes of the past and a minute of ticks: a quarter of ten minutes is less than the nine."""
    at_s = [*(60.0 * minute for minute in range(9)), 540, 555, 570, 585, 600]
    load = replace(_load(at_s, [1.0] * 14), past=9)
    assert warmup_s(load, _grid(load)) == 540
    grid = load.grid(30.0)
    assert grid is not None
    assert grid.known.all()


def _grid(load: RecordedLoad) -> Grid:
    return Grid(load.at_s[[0, -1]], np.ones(2), 30.0, np.ones(2, np.bool_))
