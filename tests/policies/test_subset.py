"""Some lanes of a fleet and of an observation, renumbered."""

from dataclasses import replace

import numpy as np
import pytest

from policies.arrays import small
from policies.engine import decide
from policies.fleet import fleet_of
from policies.history import Backfill
from policies.model import UNKNOWN, Starts
from policies.packing import pack
from policies.state import EngineState
from policies.subset import fleet_for, observation_for
from tests.builders import FREE, applied, demand, ordering, policy, pressure, readings, ready_pods, samples, seen

ROWS = [
    policy("a", demand(), pressure(average=5), objective={"slo": {"target": 0.999}, "churn": 7}),
    policy("b", pressure("cache", average="800m", per_pod=True), demand(), behavior={"scaleUp": {"tolerance": "0.3"}}),
    policy("c", schedules=[{"cron": "0 8 * * *", "duration": "1h", "min": 2}]),
]
FLEET = fleet_of(ROWS, FREE)
SEEN = seen(
    [1, 2, 3],
    replace(readings([10, 20, 30, 40, 50]), targets=np.array([1, 2, 3, UNKNOWN, 5])),
    pods=ready_pods(1, 2, 3),
    samples=replace(samples(2, 0.1, 0.2, 9.0), pod=np.array([1, 2, UNKNOWN])),  # two pods of lane 1 and an orphan
    starts=Starts(
        np.array([0, 1, 2]), np.array([10.0, 20.0, 30.0]), np.ones(3, np.bool_), small(3, 1), np.array([4, 5, 6])
    ),
    applied=applied((0, 1, 1, 2), (2, 3, 3, 4)),
    learned=ordering(FLEET, 1, 2, 3),
    backfill=Backfill(0.0, 60.0, np.array([[1], [2], [3]], np.float32), np.ones((3, 1), np.bool_)),
)


@pytest.mark.parametrize("keep", [[True, True, True], [False, True, False], [True, False, True], [False, False, True]])
def test_a_part_of_a_fleet_is_the_fleet_of_these_policies(keep: list[bool]) -> None:
    part = fleet_for(FLEET, np.array(keep))
    made = fleet_of([row for row, kept in zip(ROWS, keep, strict=True) if kept], FREE)

    assert part.uid == made.uid
    assert part.tracks.uid == made.tracks.uid
    assert part.schedules.lane.tolist() == made.schedules.lane.tolist()
    assert pack(part.behavior) == pack(made.behavior)
    assert pack(part.tracks) == pack(made.tracks)
    assert pack(part.aims) == pack(made.aims)


def test_a_part_of_an_observation_is_renumbered() -> None:
    part = observation_for(FLEET, SEEN, np.array([False, True, True]))

    assert part.spec_replicas.tolist() == [2, 3]
    assert part.readings.value_milli.tolist() == [30_000, 40_000, 50_000]
    assert part.readings.targets.tolist() == [3, UNKNOWN, 5]
    assert part.pods.lane.tolist() == [0, 0, 1, 1, 1]
    assert part.samples.track.tolist() == [0, 0, 0]
    assert part.samples.pod.tolist() == [0, 1, UNKNOWN]
    assert (part.starts.lane.tolist(), part.starts.together.tolist()) == ([0, 1], [5, 6])
    assert (part.applied.lane.tolist(), part.applied.after.tolist()) == ([1], [4])
    assert part.learned is SEEN.learned  # by uid
    assert part.backfill is not None
    assert part.backfill.value.tolist() == [[2], [3]]


def test_no_lane_at_all_can_be_decided_for() -> None:
    nothing = np.zeros(3, np.bool_)
    fleet = fleet_for(FLEET, nothing)
    _, decision = decide(fleet, EngineState.fresh(fleet), observation_for(FLEET, SEEN, nothing))

    assert decision.replicas.target.size == 0
    assert decision.steps == ()
