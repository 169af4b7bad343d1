"""What a replica serves, and how far the load of several signals is known."""

from __future__ import annotations

import numpy as np
import pytest

from policies.candidates import capacity_per_replica
from policies.engine import decide
from policies.lead_time import BOUND, KNOWN, NOTHING, came_of
from policies.model import UNKNOWN, PodSamples
from policies.state import EngineState
from tests.builders import (
    demand,
    one,
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


DEMANDS = [
    pytest.param([70, 1], [0, 0], (7.0, KNOWN), id="the-largest-of-fresh-ones"),
    pytest.param([70, 1], [0, 1], (7.0, NOTHING), id="an-old-one-leaves-nothing-known"),
    pytest.param([70, 1], [0, 2], (7.0, NOTHING), id="so-does-a-missing-one"),
    pytest.param([70, 400], [0, 3], (20.0, BOUND), id="a-cut-off-one-is-a-lower-bound"),
    pytest.param([70, 400], [1, 3], (20.0, BOUND), id="beside-an-old-one-as-well"),
    pytest.param([70, 400], [2, 2], (0.0, NOTHING), id="nothing-at-all"),
]


@pytest.mark.parametrize(("values", "status", "expected"), DEMANDS)
def test_how_far_a_load_is_usable(values: list[float], status: list[int], expected: tuple[float, int]) -> None:
    fleet = one(demand("a", 10), pressure(average=5), demand("b", 20), objective={"servingLimit": 1})
    read = readings([values[0], 1, values[1]], np.array([status[0], 0, status[1]], np.int8))
    load, usable = came_of(fleet, seen([1], read))

    assert (load[0], usable[0]) == expected


def test_the_largest_need_of_several_demands() -> None:
    fleet = one(demand("a", 10), pressure(average=5), demand("b", 20))
    state, decision = decide(fleet, EngineState.fresh(fleet), seen([1], readings([40, 1, 160])))

    assert decision.demand.tolist() == [10.0]  # 40 / 8 = 5 and 160 / 16 = 10
    assert np.exp(state.lead.scores.level[0, 1, 0]) - 0.5 == pytest.approx(10.0)


def test_a_fleet_without_demand() -> None:
    fleet = one(pressure(average=5))
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([4], readings([40])))

    assert decision.replicas.target.tolist() == [8]
    assert not decision.forecast.known.any()
    assert not decision.demand_known.any()
    assert decision.proposed.tolist() == [8]
    assert UNKNOWN not in decision.proposed
