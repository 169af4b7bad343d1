"""Steps, capacity and warm-up of a load."""

import numpy as np
import pytest

from simulations.load_file import Load, read_load
from simulations.protocol import Capacity, Grid, ProtocolError, grid
from tests.simulations.shared import judge_module, load_file

NAN = float("nan")


def _load(at_s: list[float], value: list[float]) -> Load:
    return Load(np.array(at_s), np.array(value))


@pytest.mark.parametrize(
    ("at_s", "value", "demand"),
    [
        pytest.param([0, 60, 120], [1, 2, 9], [1, 1, 2, 2], id="minutes-are-held"),
        pytest.param([0, 120, 240], [1, 3, 9], [1, 1.5, 2, 2.5, 3, 4.5, 6, 7.5], id="coarser-ones-are-interpolated"),
        pytest.param(
            [0, 60, 120, 180, 240], [1, NAN, 3, 5, 9], [1] * 4 + [3, 3, 5, 5], id="a-gap-holds-the-value-before"
        ),
        pytest.param([0, 60, 120], [-4, 2, 9], [0, 0, 2, 2], id="a-load-below-zero-is-none"),
        pytest.param([7, 67, 127], [1, 2, 9], [1, 1, 2, 2], id="steps-begin-with-the-first-sample"),
    ],
)
def test_grid(at_s: list[float], value: list[float], demand: list[float]) -> None:
    steps = grid(_load(at_s, value), step_s=30.0)
    assert steps.demand.tolist() == demand
    assert steps.at_s[0] == at_s[0]


@pytest.mark.parametrize(
    ("at_s", "value", "known"),
    [
        pytest.param([0, 60, 120], [1, 2, 9], "1111", id="nothing-is-missing"),
        pytest.param([0, 60, 120, 180, 240], [1, NAN, 3, 5, 9], "11001111", id="a-sample-without-a-value"),
        pytest.param([0, 60, 180, 240, 300], [1, 2, 5, 9, 9], "1111001111", id="a-sample-that-is-not-there"),
        pytest.param([0, 60, 121, 180, 240], [1, 2, 3, 5, 9], "11111111", id="samples-that-come-a-little-late"),
        pytest.param([0, 0.5, 1, 1.5, 90], [1, 2, 3, 4, 5], "100", id="samples-finer-than-the-step"),
        pytest.param(
            [0, 120, 240, 360], [1, 3, NAN, 9], "111110000000", id="between-coarse-ones-of-which-one-is-missing"
        ),
        pytest.param([0, 120, 360, 480], [1, 3, 9, 9], "1111100000001111", id="a-coarse-sample-that-is-not-there"),
        pytest.param([0, 60, 120, 180], [NAN, 2, 3, 4], "1111", id="what-is-missing-before-the-first-is-no-step"),
    ],
)
def test_steps_without_data_are_known_as_such(at_s: list[float], value: list[float], known: str) -> None:
    steps = grid(_load(at_s, value), step_s=30.0)
    assert "".join("01"[int(each)] for each in steps.known) == known


def test_a_load_of_one_sample_is_refused() -> None:
    with pytest.raises(ProtocolError, match="1 measured samples; a replay needs at least 2"):
        grid(_load([0, 60], [1, NAN]), step_s=30.0)


@pytest.mark.parametrize(
    ("days", "warmup_days"),
    [pytest.param(2, 1, id="days"), pytest.param(7, 1, id="a-week"), pytest.param(8, 3, id="more-than-a-week")],
)
def test_warm_up(days: int, warmup_days: int) -> None:
    at_s = np.arange(0, days * 86400, 30.0)
    assert Grid(at_s, at_s, 30.0, at_s >= 0).warmup_steps == warmup_days * 2880


def test_capacity_by_a_percentile() -> None:
    # 0, 1 .. 1000: the 99.9th percentile is 999, and 40 replicas serve it at 0.8: 999 / 32.
    capacity = Capacity.parse("p99.9/40").of(np.arange(1001.0), serving_limit_ratio=0.8)
    assert capacity == 999 / 32


def test_capacity_as_a_number() -> None:
    assert Capacity.parse("12.5").of(np.arange(3.0), serving_limit_ratio=0.8) == 12.5


@pytest.mark.parametrize("text", ["", "p99.9", "p101/40", "p99/0", "0", "-3", "forty", "nan"])
def test_a_capacity_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="neither a number above 0"):
        Capacity.parse(text)


def test_a_percentile_of_zero_is_refused() -> None:
    with pytest.raises(ProtocolError, match="the load's 50th percentile is 0"):
        Capacity.parse("p50/40").of(np.zeros(10), serving_limit_ratio=0.8)


@pytest.mark.parametrize("name", ["ms_mongo_02_1m.parquet", "clarknet_http_1m.parquet", "nab_elb_requests_5m.parquet"])
def test_steps_capacity_and_warm_up_are_the_judges(name: str) -> None:
    judge, path = judge_module("protocol"), load_file(name)
    pandas = pytest.importorskip("pandas")
    at_s, demand = judge.grid(pandas.read_parquet(path)[["timestamp", "value"]])
    steps = grid(read_load(path), step_s=30.0)
    assert np.array_equal(steps.at_s, at_s)
    assert np.array_equal(steps.demand, demand)
    assert Capacity.parse("p99.9/40").of(steps.demand, serving_limit_ratio=0.8) == judge.capacity(demand)
    assert steps.warmup_steps == judge.warm(at_s)
