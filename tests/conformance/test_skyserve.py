"""SkyServe's rule, by vectors that pass through the functions that a replay runs."""

from __future__ import annotations

import numpy as np
import pytest

from policies.mix.skyserve import RequestRate, Target, asked_by_accelerator, marked, placed, wanted
from tests.conformance.cases import Vector, cases


@cases("spot_fallback", "mix")
def test_the_mix(vector: Vector) -> None:
    spare, final = vector["num_overprovision"], vector["target"] + vector["num_overprovision"]
    spot, on_demand = wanted(final, spare, vector["base_ondemand"], vector["dynamic_fallback"], vector["spot_ready"])
    assert vector["expected"] == {
        "final_target": final,
        "spot_wanted": spot,
        "ondemand_wanted": on_demand,
        "spot_change": spot - vector["spot_alive"],
        "ondemand_change": on_demand - vector["ondemand_alive"],
    }


@cases("spot_fallback", "target_hysteresis")
def test_the_target_moves_after_its_delay(vector: Vector) -> None:
    rate = RequestRate(
        per_replica=vector["target_qps_per_replica"],
        least=vector["min_replicas"],
        most=vector["max_replicas"],
        window_s=vector["window_s"],
        decision_interval_s=vector["decision_interval_s"],
        upscale_delay_s=vector["upscale_delay_s"],
        downscale_delay_s=vector["downscale_delay_s"],
    )
    target, targets = Target(vector["start_target"]), []
    for _ in range(vector["decisions"]):
        target = target.after(vector["requests_in_window"], rate)
        targets.append(target.replicas)
    assert targets == vector["expected"]["targets"]


RATE = RequestRate(per_replica=5, least=1, most=9, upscale_delay_s=40, downscale_delay_s=60)


@pytest.mark.parametrize(
    ("requests", "targets"),
    [
        pytest.param([900, 900], [1, 3], id="up-in-the-second-period-of-40-s"),
        pytest.param([900, 300, 900, 900], [1, 1, 1, 3], id="a-period-that-asks-for-no-more-starts-the-count-again"),
        pytest.param([900, 1200], [1, 4], id="up-to-what-the-last-period-asks-for"),
    ],
)
def test_periods_in_a_row_count(requests: list[int], targets: list[int]) -> None:
    # A replica takes 5 a second, 300 in the window of 60 s: 900 ask for 3.
    target, seen = Target(1), []
    for each in requests:
        target = target.after(each, RATE)
        seen.append(target.replicas)
    assert seen == targets


def test_down_waits_for_three_periods() -> None:
    target, seen = Target(4), []
    for _ in range(3):
        target = target.after(600, RATE)
        seen.append(target.replicas)
    assert seen == [4, 4, 2]


@cases("spot_fallback", "overprovision")
def test_a_spare_comes_on_top(vector: Vector) -> None:
    spare = vector["num_overprovision"]
    spot, _ = wanted(vector["target"] + spare, spare, 0, dynamic=False, spot_ready=vector["alive"])
    assert spot - vector["alive"] == vector["expected"]["change"]


@cases("spot_fallback", "by_accelerator")
def test_replicas_with_rates_of_their_own(vector: Vector) -> None:
    rates = vector["target_qps_per_replica"]
    asked = asked_by_accelerator(
        vector["requests_in_window"] / vector["window_s"],
        [rates[accelerator] for accelerator in vector["ready"]],
        vector["alive"],
        largest=max(rates.values()),
    )
    assert asked == vector["expected"]["replicas"]


@pytest.mark.parametrize(
    ("active", "held", "chosen"),
    [
        pytest.param([True, True, True], [1, 0, 0], 2, id="the-cheapest-that-is-not-in-use"),
        pytest.param([True, True, True], [1, 1, 1], 0, id="all-in-use-the-cheapest"),
        pytest.param([False, True, False], [0, 2, 0], 1, id="the-only-one-that-is-active"),
        pytest.param([False, False, False], [0, 0, 0], -1, id="none"),
    ],
)
def test_the_placer(active: list[bool], held: list[int], chosen: int) -> None:
    price, limit = np.array([0.3, 0.5, 0.4]), np.full(3, 9)
    assert placed(np.array(active), np.array(held), limit, price) == chosen


def test_marks_are_cleared_when_fewer_than_two_pools_are_active() -> None:
    active = np.ones(3, np.bool_)
    marked(active, 1)
    assert active.tolist() == [True, False, True]
    marked(active, 0)
    assert active.tolist() == [True, True, True]
