"""While a rollout is under way counts are raised and not lowered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from policies.explain import steps_of
from tests.builders import Ticks, demand, one, readings, ready_pods

LOAD = demand(capacity=10)  # 7 are served by each replica within the target
NO_WINDOW: dict[str, Any] = {
    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
    "forecast": {"enabled": False},
}


@pytest.mark.parametrize(
    ("rolling", "load", "maximum", "replicas"),
    [
        pytest.param(True, 14.0, 9, 4, id="not-lowered"),
        pytest.param(False, 14.0, 9, 2, id="lowered-without-a-rollout"),
        pytest.param(True, 42.0, 9, 6, id="raised-as-before"),
        pytest.param(True, 14.0, 3, 3, id="a-maximum-still-binds"),
    ],
)
def test_what_a_rollout_lets_through(rolling: bool, load: float, maximum: int, replicas: int) -> None:  # noqa: FBT001 - a column
    world = Ticks(one(LOAD, replicas={"min": 1, "max": maximum}, **NO_WINDOW), [4])
    world.tick(readings((load,)), pods=ready_pods(5), rolling=np.array([rolling]))
    assert world.replicas == [replicas]


def test_the_step_names_the_rule_and_the_end_of_the_rollout_frees_the_count() -> None:
    world = Ticks(one(LOAD, **NO_WINDOW), [4])
    decision = world.tick(readings((14.0,)), pods=ready_pods(5), rolling=np.array([True]))
    assert steps_of(decision, 0)[-1] == ("rollout", 2, 4)
    world.tick(readings((14.0,)), pods=ready_pods(4))
    assert world.replicas == [2]
