"""While pods wait for a node, a queue asks for no more of them; demand does."""

from __future__ import annotations

import numpy as np
import pytest

from policies.explain import steps_of
from policies.model import Starts
from tests.builders import Ticks, demand, one, pressure, readings, ready_pods

QUEUE, LOAD = pressure(average=5), demand(capacity=10)  # 7 are served by each replica within the target


def starting(*, waited: int = 1, finished: bool = False) -> Starts:
    """A pod that has been starting for a minute, and whether it waits for a node."""
    return Starts(np.array([0]), np.array([60.0]), np.array([finished]), np.array([waited], np.int8), np.array([1]))


def test_a_queue_over_pods_that_wait_does_not_run_to_the_maximum() -> None:
    world = Ticks(one(QUEUE), [4])
    for queue in range(40, 400, 40):
        world.tick(readings((float(queue),)), pods=ready_pods(4), starts=starting())
    assert world.replicas == [4]
    decision = world.tick(readings((400.0,)), pods=ready_pods(4), starts=starting())
    assert steps_of(decision, 0)[-1] == ("no_room", 8, 4)


@pytest.mark.parametrize(
    ("signals", "values", "starts", "replicas"),
    [
        pytest.param((QUEUE, LOAD), (400.0, 42.0), starting(), 6, id="what-demand-asks-for"),
        pytest.param((QUEUE, LOAD), (400.0, 7.0), starting(), 4, id="and-no-more-though-the-queue-does"),
        pytest.param((QUEUE,), (40.0,), starting(waited=0), 8, id="pods-that-start-on-a-node"),
        pytest.param((QUEUE,), (40.0,), starting(waited=-1), 8, id="pods-of-which-nobody-knows"),
        pytest.param((QUEUE,), (40.0,), starting(finished=True), 8, id="pods-that-waited-and-are-there"),
    ],
)
def test_what_still_rises(
    signals: tuple[dict[str, object], ...], values: tuple[float, ...], starts: Starts, replicas: int
) -> None:
    world = Ticks(one(*signals, forecast={"enabled": False}), [4])
    world.tick(readings(values), pods=ready_pods(4), starts=starts)
    assert world.replicas == [replicas]


def test_a_minimum_is_ordered_all_the_same() -> None:
    world = Ticks(one(QUEUE, replicas={"min": 6, "max": 9}, forecast={"enabled": False}), [4])
    world.tick(readings((0.0,)), pods=ready_pods(4), starts=starting())
    assert world.replicas == [6]
