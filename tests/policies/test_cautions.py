"""What Foresail adds to Kubernetes' rule before anything is lowered, and how to do without."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.engine import decide
from policies.model import RULES, Limits, Status, Why
from policies.state import EngineState
from tests.builders import FREE, Ticks, one, pressure, readings, ready_pods, seen

BARE = replace(FREE, cautious=False)
MINUTE = 4  # ticks


@pytest.mark.parametrize(
    ("limits", "expected", "reason"),
    [
        # latency is twice its target, and overload left 3 of 10 pods ready: 2 x 3 = 6
        pytest.param(FREE, 10, "above_target", id="nothing-is-lowered-while-a-signal-is-above-its-target"),
        pytest.param(BARE, 10, "stabilization", id="kubernetes-alone-only-waits"),
    ],
)
def test_an_overload_that_makes_pods_unready(limits: Limits, expected: int, reason: str) -> None:
    fleet = replace(one(pressure("latency", value=1)), limits=limits)
    observation = seen([10], readings([2]), pods=ready_pods(3))

    _, decision = decide(fleet, EngineState.fresh(fleet), observation)

    assert (decision.replicas.target[0], RULES[decision.replicas.reason[0]]) == (expected, reason)


def lowered_after(limits: Limits) -> int:
    """Ticks with fresh low values until the count falls, after an outage of ten minutes."""
    ticks = Ticks(replace(one(), limits=limits), [10])
    ticks.values(70)
    for _ in range(10 * MINUTE):
        ticks.tick(readings([0], Status.MISSING, Why.SOURCE_DOWN))
    count = 0
    while ticks.values(14) == [10]:
        count += 1
    return count


def test_after_an_outage_the_window_begins_anew() -> None:
    assert lowered_after(FREE) == 5 * MINUTE - 1
    assert lowered_after(BARE) == 0
