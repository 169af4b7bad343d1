"""A constant load does not swing between two counts: a step down that was wrong is not made again for a while."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from policies.consolidation import Tried, consolidated
from policies.explain import sentences, steps_of
from policies.fleet import fleet_of
from policies.model import Limits
from policies.proposal import Proposal
from policies.snapshot import snapshot_of, state_from
from tests.builders import TICK_S, Ticks, demand, policy, pressure, readings, ready_pods, seen

FREE = Limits(removal_ratio=1.0)
QUICK = {"scaleDown": {"stabilizationWindowSeconds": 60}}
QUEUE, LOAD = pressure(average=5), demand(capacity=20)


@dataclass
class Served:
    """One workload whose replicas serve 10 a second each; what is more waits in a queue."""

    ticks: Ticks
    demand_too: bool = False
    queue: float = 0.0
    changes: int = 0

    def run(self, seconds: float, load: float) -> list[int]:
        """The counts of each tick."""
        counts = []
        for _ in range(round(seconds / TICK_S)):
            before = self.ticks.replicas[0]
            self.queue = min(max(0.0, self.queue + (load - 10.0 * before) * TICK_S), 500.0)
            values = (self.queue, load) if self.demand_too else (self.queue,)
            self.ticks.tick(readings(values), pods=ready_pods(before))
            self.changes += self.ticks.replicas[0] != before
            counts.append(self.ticks.replicas[0])
        return counts


def served(*signals: dict[str, object], limits: Limits = FREE, replicas: int = 2, most: int = 2) -> Served:
    made = policy("web", *(signals or (QUEUE,)), behavior=QUICK, replicas={"min": 1, "max": most})
    return Served(Ticks(fleet_of([made], limits), [replicas]), demand_too=len(signals) > 1)


def test_a_constant_load_that_two_serve_and_one_does_not() -> None:
    """Without the rule it goes down a minute after each time that the queue is empty: 50 times in three hours."""
    without, with_rule = served(limits=replace(FREE, cautious=False)), served()
    without.run(3 * 3600, 14)
    with_rule.run(3 * 3600, 14)
    assert without.changes > 40
    # down at 1 min, up; again after 15, 30 and 60 min, and the next time would be two hours later
    assert with_rule.changes == 8


def test_it_says_so() -> None:
    found = served()
    found.run(300, 14)
    decision = found.ticks.tick(readings((0.0,)), pods=ready_pods(2))
    assert ("consolidation", 1, 2) in steps_of(decision, 0)
    words = " ".join(sentences(found.ticks.fleet, seen([2], readings((0.0,))), decision, 0))
    assert "A count below 2 was too few just now" in words


def test_with_less_demand_it_goes_down_at_once() -> None:
    found = served(QUEUE, LOAD)
    found.run(600, 11)
    assert found.ticks.replicas == [2]
    assert found.run(120, 9)[-1] == 1


def test_a_step_down_that_is_right_lifts_the_ban() -> None:
    found = served()
    found.run(300, 14)
    assert found.run(1200, 8)[-1] == 1
    found.run(660, 8)
    assert found.ticks.state is not None
    assert (found.ticks.state.tried.too_few[0], found.ticks.state.tried.wait_s[0]) == (0, 0.0)


def test_pressure_long_after_a_step_down_is_not_put_down_to_it() -> None:
    found = served()
    assert found.run(900, 8)[-1] == 1
    assert found.run(30, 14)[-1] == 2
    assert found.run(300, 8)[-1] == 1


def test_a_restart_remembers_it() -> None:
    found = served()
    found.run(300, 14)
    assert found.ticks.state is not None
    found.ticks.state = state_from(*snapshot_of(found.ticks.state))
    assert found.run(600, 14)[-1] == 2


@pytest.mark.parametrize(
    ("current", "target", "high", "least"),
    [
        pytest.param(5, 1, 9, 4, id="one-more-than-was-too-few"),
        pytest.param(5, 4, 9, 4, id="enough"),
        pytest.param(3, 1, 9, 3, id="it-raises-nothing"),
        pytest.param(5, 1, 3, 3, id="within-the-bounds"),
    ],
)
def test_a_count_that_was_too_few(current: int, target: int, high: int, least: int) -> None:
    tried = replace(Tried.none(1), too_few=np.array([3]), until_s=np.array([np.inf]))
    given = seen([current], readings((0.0,)))
    once = consolidated(Proposal(np.array([target])), tried, given, np.zeros(1), np.array([high]))
    again = consolidated(once, tried, given, np.zeros(1), np.array([high]))
    assert (once.target.tolist(), again) == ([least], once)


def test_lanes_follow_their_workloads() -> None:
    tried = replace(Tried.none(2), too_few=np.array([3, 4]), until_s=np.array([7.0, 8.0]))
    moved = tried.aligned(np.array([-1, 1]))
    assert (moved.too_few.tolist(), moved.until_s.tolist()) == ([0, 4], [-np.inf, 8.0])
