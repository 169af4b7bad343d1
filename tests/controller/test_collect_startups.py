"""What drove a start-up, as pods tell it: whether they waited for a node, how many started at once, whose clock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from policies.fleet import fleet_of
from policies.model import UNKNOWN
from tests.builders import NOW_S, policy
from tests.controller.test_collect import World, pod, view_of

if TYPE_CHECKING:
    from controller.records import PodView
    from policies.model import Starts

ROWS = [policy()]


def starting(name: str, age_s: float, **more: Any) -> PodView:  # noqa: ANN401 - fields of a pod
    """A pod that was created so long ago and has not been on a node yet."""
    bare = pod(name, phase="Pending", ready=False, created_at_s=NOW_S - age_s, started_at_s=None, transition_at_s=None)
    return replace(bare, **more)


def first_look(*pods: PodView) -> Starts:
    return World(ROWS).look(view_of(ROWS, *pods)).starts


def after_watching(before: PodView, ready: PodView, now_s: float) -> list[tuple[float, bool]]:
    """Duration and end of what is seen of a pod that was watched before it became ready."""
    world = World(ROWS)
    world.look(view_of(ROWS, before))
    found = world.look(view_of(ROWS, ready), now_s).starts
    return list(zip(found.duration_s.tolist(), found.finished.tolist(), strict=True))


@pytest.mark.parametrize(
    ("seen", "waited"),
    [
        pytest.param(pod("a", scheduled_at_s=NOW_S - 3598), 0, id="scheduled-at-once"),
        pytest.param(pod("a", scheduled_at_s=NOW_S - 3570), 1, id="scheduled-half-a-minute-late"),
        pytest.param(pod("a"), 0, id="taken-up-by-the-kubelet-at-once"),
        pytest.param(pod("a", started_at_s=NOW_S - 3570), 1, id="taken-up-late"),
        pytest.param(pod("a", started_at_s=None), UNKNOWN, id="nobody-says-when"),
        pytest.param(starting("a", 5.0), UNKNOWN, id="too-young-to-tell"),
        pytest.param(starting("a", 5.0, unschedulable=True), 1, id="no-node-has-room"),
        pytest.param(starting("a", 25.0), 1, id="not-on-a-node-for-long"),
        pytest.param(starting("a", 25.0, scheduled_at_s=NOW_S - 24), 0, id="on-a-node-and-starting"),
        pytest.param(starting("a", 25.0, phase="Running"), UNKNOWN, id="running-where-nobody-says"),
    ],
)
def test_whether_a_pod_waited_for_a_node(seen: PodView, waited: int) -> None:
    assert first_look(seen).waited.tolist() == [waited]


def test_pods_created_within_half_a_minute_started_at_once() -> None:
    young = [starting(name, age_s) for name, age_s in (("a", 10.0), ("b", 20.0), ("c", 35.0))]
    found = first_look(pod("old"), *young, starting("d", 60.0))

    # old is alone; a: a, b, c; b: a, b, c; c: a, b, c and d, 25 s older; d: c and d.
    assert found.together.tolist() == [1, 3, 3, 4, 2]
    assert found.finished.tolist() == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("ready_at_s", "expected_s"),
    [
        pytest.param(NOW_S + 10, 40.0, id="the-node's-clock-is-right"),
        # Seen ready 45 s after it was created, by our clock.
        pytest.param(NOW_S - 100, 45.0, id="the-node-is-behind-and-it-was-ready-before-it-was-created"),
        pytest.param(NOW_S - 26, 45.0, id="the-node-is-behind-and-it-was-ready-before-it-was-scheduled"),
        pytest.param(NOW_S + 600, 45.0, id="the-node-is-ahead"),
        pytest.param(None, 45.0, id="the-node-does-not-tell"),
    ],
)
def test_a_node_whose_clock_is_off(ready_at_s: float | None, expected_s: float) -> None:
    before = starting("a", 30.0, scheduled_at_s=NOW_S - 25)
    ready = replace(before, phase="Running", ready=True, transition_at_s=ready_at_s)

    assert after_watching(before, ready, NOW_S + 15) == [(expected_s, True)]
    assert first_look(replace(ready, transition_at_s=NOW_S - 100)).lane.size == 0  # not watched, not believed


def test_our_own_clock_behind_the_api_servers() -> None:
    """Ten minutes behind, every pod seems to be created in the future; what nodes and API server tell fits together."""
    before = starting("a", -600.0, scheduled_at_s=NOW_S + 601)
    ready = replace(before, phase="Running", ready=True, transition_at_s=NOW_S + 660)

    assert after_watching(before, ready, NOW_S + 70) == [(60.0, True)]


def test_a_pod_that_is_never_scheduled_is_told_each_time() -> None:
    world, stuck = World(ROWS), starting("a", 0.0, unschedulable=True)
    told = [world.look(view_of(ROWS, stuck), NOW_S + after_s).starts for after_s in (15, 4000)]

    assert [starts.duration_s.tolist() for starts in told] == [[15.0], [4000.0]]
    assert [starts.waited.tolist() for starts in told] == [[1], [1]]


def test_a_restart_tells_no_start_up_twice() -> None:
    """One pod was ready before it, one became ready while nobody looked, one starts still; the view fills up late."""
    old, slow = pod("old"), starting("slow", 100.0, scheduled_at_s=NOW_S - 90)
    before = World(ROWS).look(view_of(ROWS, old, starting("meanwhile", 20.0), slow))
    meanwhile = pod("meanwhile", created_at_s=NOW_S - 20, scheduled_at_s=NOW_S - 19, transition_at_s=NOW_S + 40)
    world = World(ROWS)
    world.collector.recall(fleet_of(ROWS), before)
    world.look(view_of(ROWS), NOW_S + 90)
    found = world.look(view_of(ROWS, old, meanwhile, slow), NOW_S + 100).starts

    assert found.duration_s.tolist() == [60.0, 200.0]
    assert found.finished.tolist() == [True, False]


def test_thousands_of_pods_at_once() -> None:
    crowd = [starting(f"p-{number:04d}", 10.0) for number in range(5000)]
    found = first_look(*crowd)

    assert found.lane.size == 5000
    assert np.unique(found.together).tolist() == [5000]
