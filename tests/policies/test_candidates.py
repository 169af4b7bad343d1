"""What a replica serves, and what the forecast makes of values that are only a lower bound."""

from __future__ import annotations

import numpy as np
import pytest

from policies.candidates import capacity_per_replica
from policies.engine import decide
from policies.fleet import fleet_of
from policies.model import UNKNOWN, PodSamples, Status, Why
from policies.state import EngineState
from tests.builders import (
    FREE,
    demand,
    level_fit,
    one,
    policy,
    pressure,
    readings,
    ready_pods,
    requested,
    samples,
    seen,
)


@pytest.mark.parametrize(
    ("found", "pods", "expected"),
    [
        pytest.param(samples(1, 0.1, 0.2, request=0.5), 1, [10.0, 0.5], id="the-mean-request"),
        pytest.param(samples(1, 0.1, 0.2, request=0.5), 4, [10.0, 2.0], id="times-the-pods-of-a-replica"),
        pytest.param(PodSamples.none(), 1, [10.0, 0.0], id="unknown-without-pods"),
    ],
)
def test_capacity(found: PodSamples, pods: int, expected: list[float]) -> None:
    fleet = one(demand(), requested())
    observation = seen([2], readings([7, 0.3]), samples=found, pods=ready_pods(2), pods_per_replica=np.array([pods]))

    assert capacity_per_replica(fleet, observation).tolist() == expected


def lasting_fit_counts(value: float, status: Status, level: float) -> int:
    """Replicas that a forecast asks for when half of today's difference from `level` lasts."""
    fleet = one()
    fit = level_fit(fleet, level)
    fit.rho[:, :-1] = 0.5
    why = Why.OK if status == Status.FRESH else Why.SATURATED
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([1], readings([value], status, why), fit=fit))
    return int(decision.forecast.replicas[0])


@pytest.mark.parametrize(
    ("value", "status", "expected"),
    [
        pytest.param(80, Status.FRESH, 10, id="as-usual"),
        pytest.param(160, Status.FRESH, 15, id="half-of-a-surplus-lasts"),  # 80 + 80 / 2 = 120
        pytest.param(16, Status.FRESH, 6, id="half-of-a-lack-lasts"),  # 80 - 64 / 2 = 48
        pytest.param(160, Status.CENSORED, 15, id="a-lower-bound-raises-it"),
        pytest.param(16, Status.CENSORED, 10, id="a-lower-bound-never-lowers-it"),
        pytest.param(16, Status.STALE, 10, id="an-old-value-says-nothing"),
        pytest.param(160, Status.STALE, 10, id="an-old-value-says-nothing-upwards-either"),
    ],
)
def test_a_value_in_the_forecast(value: float, status: Status, expected: int) -> None:
    assert lasting_fit_counts(value, status, 80) == expected


def test_the_largest_need_of_several_demands() -> None:
    fleet = one(demand("a", 10), pressure(average=5), demand("b", 20))
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([1], readings([7, 1, 7]), fit=level_fit(fleet, 40, 160)))

    assert decision.forecast.median.tolist() == [10.0]  # 40 / 8 = 5 and 160 / 16 = 10
    assert decision.forecast.replicas.tolist() == [10]
    assert decision.demand.tolist() == [0.875]  # 7 / 8


def test_the_quantile_of_the_objective() -> None:
    rows = [policy(f"lane-{late}", objective={"late": float(late)}) for late in ("0.001", "0.1", "0.5")]
    fleet = fleet_of(rows, FREE)
    fit = level_fit(fleet, 80, 80, 80)
    fit.offset[:] = [0, 8, 16, 24, 32]  # at 50, 90, 95, 99 and 99.9 %
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([1, 1, 1], readings([80, 80, 80]), fit=fit))

    assert decision.forecast.upper.tolist() == pytest.approx([14.0, 11.0, 10.0])


def test_a_fleet_without_demand() -> None:
    fleet = one(pressure(average=5))
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([4], readings([40])))

    assert decision.replicas.target.tolist() == [8]
    assert not decision.forecast.known.any()
    assert not decision.demand_known.any()
    assert decision.proposed.tolist() == [8]
    assert UNKNOWN not in decision.proposed
