"""What GPU quotas give of what workloads ask for more, case by case, and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from policies.engine import decide
from policies.explain import sentences
from policies.fleet import fleet_of
from policies.gpu_room import GpuRoom
from policies.model import RULES, UNKNOWN, Hold, Status
from policies.state import EngineState
from tests.builders import FREE, readings, ready_pods, seen
from tests.policies.test_budgeted import STEADY, lane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.model import Decision, Fleet, Observation
    from policies.spec import WorkloadPolicy


def gpu_room(left: int, needs: Sequence[int]) -> GpuRoom:
    """One cap of so many GPUs, and what a replica of each lane takes of it; nobody knows of a 0."""
    lanes = np.flatnonzero(needs)
    need = np.array(needs, np.int64)[lanes] * 1000
    return GpuRoom(("shop/nvidia.com/gpu",), np.array([left * 1000]), lanes, np.zeros(lanes.size, np.int64), need)


def decided(
    policies: Sequence[WorkloadPolicy],
    room: GpuRoom | None,
    now: Sequence[int],
    wants: Sequence[int],
    **more: Any,  # noqa: ANN401 - fields of an observation
) -> tuple[Fleet, Observation, Decision]:
    fleet = fleet_of(policies, FREE)
    read = readings([STEADY * count for count in wants], more.pop("status", Status.FRESH))
    more = {"pods": ready_pods(*(max(count, 0) for count in now)), **more}
    observation = seen(now, read, gpu_room=room, **more)
    return fleet, observation, decide(fleet, EngineState.fresh(fleet), observation)[1]


@pytest.mark.parametrize(
    ("priorities", "needs", "left", "now", "wants", "given"),
    [
        pytest.param([0, 0], [1, 1], 4, [1, 1], [3, 3], [3, 3], id="what-fits-is-given"),
        pytest.param([0, 9], [1, 1], 4, [1, 1], [5, 4], [2, 4], id="the-higher-priority-has-its-own-first"),
        pytest.param([9, 0], [1, 1], 4, [1, 1], [5, 4], [5, 1], id="and-the-lower-one-the-rest"),
        pytest.param([0, 0], [1, 1], 4, [1, 1], [9, 9], [3, 3], id="equals-share-alike"),
        # Of 9 one has 5 and the other 1: the next ones go to the second, up to the same share.
        pytest.param([0, 0], [1, 1], 4, [5, 1], [9, 9], [5, 5], id="equals-with-less-come-first"),
        pytest.param([9, 0], [8, 1], 4, [1, 1], [2, 9], [1, 5], id="what-a-large-replica-cannot-use-others-have"),
        pytest.param([0, 0], [1, 1], 0, [3, 3], [5, 2], [3, 2], id="nothing-is-left-and-nobody-is-lowered-for-it"),
        pytest.param([0, 0], [0, 1], 1, [1, 1], [7, 7], [7, 2], id="without-gpus-it-is-free"),
        pytest.param([0, 5], [1, 1], 3, [6, 1], [2, 9], [2, 4], id="what-falls-now-is-not-free-yet"),
    ],
)
def test_rises_share_what_is_left(
    priorities: list[int], needs: list[int], left: int, now: list[int], wants: list[int], given: list[int]
) -> None:
    policies = [lane(name, priority) for name, priority in zip("ab", priorities, strict=True)]
    assert decided(policies, gpu_room(left, needs), now, wants)[2].replicas.target.tolist() == given


def test_wanted_pods_that_are_not_there_yet_have_their_part() -> None:
    policies = [lane("a", 9), lane("b")]
    # Of b two of three pods were refused so far: they take 2 of the 4 left.
    _, _, decision = decided(policies, gpu_room(4, [1, 1]), [1, 3], [9, 3], pods=ready_pods(1, 1))
    assert decision.replicas.target.tolist() == [3, 3]
    assert decision.gpu_shares.left_milli.tolist() == [2000]


def test_each_quota_of_a_namespace_binds() -> None:
    room = GpuRoom(
        ("shop/nvidia.com/gpu", "shop/nvidia.com/mig-1g.10gb"),
        np.array([2000, 9000]),
        np.array([0, 1, 2, 2]),
        np.array([0, 1, 0, 1]),
        np.array([1000, 1000, 1000, 2000]),
    )
    _, _, decision = decided([lane("a"), lane("b"), lane("c", 1)], room, [1, 1, 1], [4, 9, 2], pods=ready_pods(1, 1, 1))
    # c takes 1 GPU and 2 slices; 1 GPU is left for a, 7 slices for b.
    assert decision.replicas.target.tolist() == [2, 8, 2]
    assert decision.gpu_shares.cap.tolist() == [0, 1, UNKNOWN]


@pytest.mark.parametrize("hold", [Hold.OWNED, Hold.ANNOTATION, Hold.NO_TARGET])
def test_held_workloads_take_nothing(hold: Hold) -> None:
    held = np.array([hold, Hold.NONE], np.int8)
    now = [UNKNOWN if hold == Hold.NO_TARGET else 1, 1]
    _, _, decision = decided([lane("a", 9), lane("b")], gpu_room(3, [1, 1]), now, [9, 9], hold=held)
    assert decision.replicas.target.tolist() == [now[0], 4]


def test_shadow_takes_nothing_from_others_and_is_told_what_it_would_have() -> None:
    policies = [lane("a", 9, mode="shadow"), lane("b")]
    _, _, decision = decided(policies, gpu_room(3, [1, 1]), [1, 1], [3, 9])
    assert decision.replicas.target.tolist() == [3, 4]


def test_missing_data_stays_where_it_is() -> None:
    status = np.array([Status.MISSING, Status.FRESH], np.int8)
    _, _, decision = decided([lane("a"), lane("b")], gpu_room(0, [1, 1]), [6, 1], [1, 9], status=status)
    assert decision.replicas.target.tolist() == [6, 1]


def test_it_is_told_which_quota_and_who_takes_the_rest() -> None:
    fleet, observation, decision = decided([lane("a"), lane("b", 5)], gpu_room(6, [2, 1]), [1, 1], [5, 4])
    lines = sentences(fleet, observation, decision, 0)
    assert (
        "The quota of nvidia.com/gpu in namespace shop gives 1 of the 4 replicas more that are asked for: it leaves 6,"
        " workloads of higher priority take 3, a replica takes 2."
    ) in lines
    assert "GPU quotas leave 2 instead of 5." in lines
    assert RULES[decision.replicas.reason[0]] == "gpu_quota"
    assert not any("quota" in line for line in sentences(fleet, observation, decision, 1))


def test_without_a_quota_of_gpus_nothing_is_computed() -> None:
    _, _, decision = decided([lane("a"), lane("b")], None, [1, 1], [5, 5])
    assert (decision.replicas.target.tolist(), decision.gpu_shares.asked.size) == ([5, 5], 0)
