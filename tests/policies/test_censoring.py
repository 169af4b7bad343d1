"""Near saturation, what was served is a lower bound."""

from __future__ import annotations

import numpy as np
import pytest

from policies.censoring import with_censored
from policies.fleet import fleet_of
from policies.model import Fleet, Pods, Status, Why
from tests.builders import FREE, demand, one, policy, pressure, readings, ready_pods, seen

LOAD, QUEUE = demand(), pressure(average=5)
LATENCY = pressure("latency", value="200m")
CACHE = pressure("cache", average="800m", per_pod=True)


def statuses(fleet: Fleet, values: tuple[float, ...], pods: Pods, per_replica: int = 1) -> list[tuple[Status, Why]]:
    """Status and why of each track for four replicas."""
    lanes = fleet.lanes
    given = seen([4] * lanes, readings(values), pods=pods, pods_per_replica=np.full(lanes, per_replica))
    found = with_censored(fleet, given).readings
    return [(Status(status), Why(why)) for status, why in zip(found.status, found.why, strict=True)]


FRESH, CENSORED = (Status.FRESH, Why.OK), (Status.CENSORED, Why.SATURATED)


@pytest.mark.parametrize(
    ("fleet", "values", "pods", "expected"),
    [
        pytest.param(one(LOAD), (31.9,), ready_pods(4), [FRESH], id="below-the-serving-limit"),
        pytest.param(one(LOAD), (32,), ready_pods(4), [CENSORED], id="at-the-serving-limit"),
        pytest.param(one(LOAD), (24,), ready_pods(3), [CENSORED], id="of-the-pods-that-are-ready"),
        pytest.param(one(LOAD), (99,), Pods.none(), [FRESH], id="without-pods-nobody-knows"),
        pytest.param(one(LOAD, QUEUE), (7, 20), ready_pods(4), [FRESH, FRESH], id="a-pressure-at-its-target"),
        pytest.param(one(LOAD, QUEUE), (7, 20.1), ready_pods(4), [CENSORED, FRESH], id="a-pressure-above-its-target"),
        pytest.param(one(LOAD, QUEUE), (7, 21), Pods.none(), [CENSORED, FRESH], id="a-pressure-tells-without-pods"),
        pytest.param(one(LOAD, LATENCY), (7, 0.3), ready_pods(4), [CENSORED, FRESH], id="a-total-above-its-target"),
    ],
)
def test_saturation(fleet: Fleet, values: tuple[float, ...], pods: Pods, expected: list[tuple[Status, Why]]) -> None:
    assert statuses(fleet, values, pods) == expected


def test_a_target_per_pod_is_meant_for_every_pod_of_a_replica() -> None:
    """Four replicas of four pods: 16 pods at 0.8 are 12.8."""
    fleet = one(LOAD, CACHE)

    assert statuses(fleet, (7, 12.8), ready_pods(16), per_replica=4) == [FRESH, FRESH]
    assert statuses(fleet, (7, 12.9), ready_pods(16), per_replica=4) == [CENSORED, FRESH]


def test_other_lanes_pods_change_nothing() -> None:
    fleet = fleet_of([policy("a", LOAD, QUEUE), policy("b")], FREE)

    for pods in (Pods.none(), ready_pods(0, 4)):
        assert statuses(fleet, (7, 21, 7), pods) == [CENSORED, FRESH, FRESH]


@pytest.mark.parametrize("status", [Status.STALE, Status.MISSING])
def test_only_fresh_values_are_marked(status: Status) -> None:
    given = seen([4], readings([99], status, Why.TOO_OLD), pods=ready_pods(4))

    assert with_censored(one(LOAD), given) is given
