"""Freeze windows: counts are not lowered, or stay, whoever wrote the window; what people fix still takes effect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from policies.budget import budget_from
from policies.documents import documents_from
from policies.explain import sentences
from policies.fixed import Fixed, FixedBy
from policies.fleet import fleet_of
from policies.model import RULES, Action, Hold, Limits
from policies.packing import pack
from policies.problems import PolicyError
from policies.snapshot import fleet_from
from policies.subset import fleet_for
from tests.builders import FREE, NOW_S, Ticks, demand, policy, readings, seen

AT_ONCE = {"scaleDown": {"stabilizationWindowSeconds": 0}}
NIGHT = {"cron": "0 0 * * *", "duration": "2h"}  # the clock of these tests begins on a Wednesday at 00:00 UTC
STILL = NIGHT | {"allow": "nothing"}


def frozen_by(*freeze: dict[str, str], namespace: str | None = None, kind: str = "policy") -> Ticks:
    """A workload with ten replicas, frozen by its policy or by a budget of its namespace or of the fleet."""
    own: dict[str, Any] = {"freeze": list(freeze)} if kind == "policy" else {}
    made = policy("web", demand(capacity=10), behavior=AT_ONCE, forecast={"enabled": False}, **own)
    spec = {"freeze": list(freeze)} | ({} if namespace is None else {"namespace": namespace})
    document = {"apiVersion": "foresail.dev/v1alpha1", "kind": "Budget", "metadata": {"name": "b"}, "spec": spec}
    budgets = [] if kind == "policy" else [budget_from(document, source="test")]
    return Ticks(fleet_of([made], FREE, budgets), [10])


@pytest.mark.parametrize(
    ("world", "load", "replicas"),
    [
        pytest.param(frozen_by(NIGHT), 14, 10, id="not-lowered"),
        pytest.param(frozen_by(NIGHT), 140, 20, id="raised"),
        pytest.param(frozen_by(STILL), 14, 10, id="still-and-not-lowered"),
        pytest.param(frozen_by(STILL), 140, 10, id="still-and-not-raised"),
        pytest.param(frozen_by(NIGHT, STILL), 140, 10, id="of-two-windows-the-stricter-one-holds"),
        pytest.param(frozen_by(NIGHT, kind="budget"), 14, 10, id="by-the-fleet's"),
        pytest.param(frozen_by(NIGHT, kind="budget", namespace="shop"), 14, 10, id="by-its-namespace's"),
        pytest.param(frozen_by(NIGHT, kind="budget", namespace="bank"), 14, 2, id="not-by-another-namespace's"),
        pytest.param(frozen_by(NIGHT | {"cron": "0 3 * * *"}), 14, 2, id="not-by-a-window-that-is-not-active"),
        pytest.param(frozen_by(NIGHT | {"timezone": "Asia/Tokyo"}), 14, 2, id="it-is-09:00-in-tokyo"),
        pytest.param(frozen_by(), 14, 2, id="no-window"),
    ],
)
def test_a_window(world: Ticks, load: float, replicas: int) -> None:
    assert world.values(load) == [replicas]


def test_it_ends_when_its_time_is_over() -> None:
    world = frozen_by(STILL)
    world.now_s = NOW_S + 7_170.0
    assert [world.values(14), world.values(14)] == [[10], [2]]


def test_a_count_that_people_fix_takes_effect() -> None:
    for world in (frozen_by(NIGHT), frozen_by(STILL)):
        told = Fixed(np.array([3]), np.array([FixedBy.OVERRIDE], np.int8))
        assert world.values(140, fixed=told) == [3]


def test_a_maximum_that_was_lowered_still_holds() -> None:
    made = policy("web", demand(capacity=10), replicas={"min": 1, "max": 6}, freeze=[NIGHT], behavior=AT_ONCE)
    assert Ticks(fleet_of([made], FREE), [10]).values(14) == [6]


def test_what_stays_is_held_and_says_why() -> None:
    world = frozen_by(STILL)
    decision = world.tick(readings((14.0,)))
    assert decision.hold.tolist() == [Hold.FREEZE]
    assert decision.replicas.action.tolist() == [Action.HOLD]
    assert RULES[decision.replicas.reason[0]] == "freeze"
    told = sentences(world.fleet, seen([10], readings((14.0,))), decision, 0)
    assert "A freeze window is in force: 10 stays, where 2 was decided." in told


def test_what_may_only_rise_says_so() -> None:
    world = frozen_by(NIGHT)
    decision = world.tick(readings((14.0,)))
    assert decision.min_replicas.tolist() == [10]
    told = sentences(world.fleet, seen([10], readings((14.0,))), decision, 0)
    assert "A freeze window is in force: the count may rise and is not lowered." in told


def test_lanes_of_a_fleet_and_packed_fleets_keep_their_windows() -> None:
    signal = demand(capacity=10)
    fleet = fleet_of([policy("a", signal), policy("b", signal, freeze=[NIGHT]), policy("c", signal)], Limits())
    assert fleet_for(fleet, np.array([False, True, True])).freezes.lane.tolist() == [0]
    assert fleet_from(pack(fleet)).freezes.windows == fleet.freezes.windows


@pytest.mark.parametrize(
    ("freeze", "problem"),
    [
        pytest.param({"cron": "0 0 * * *"}, "duration", id="without-duration"),
        pytest.param(NIGHT | {"allow": "lower"}, "allow", id="of-another-kind"),
        pytest.param(NIGHT | {"duration": "8d"}, "7d", id="too-long"),
        pytest.param(NIGHT | {"cron": "night"}, "cron", id="no-cron"),
    ],
)
def test_what_is_no_window(freeze: dict[str, str], problem: str) -> None:
    document = policy("web").model_dump(mode="json", by_alias=True, exclude_defaults=True)
    document = {"apiVersion": "foresail.dev/v1alpha1", "kind": "WorkloadPolicy", **document}
    document["spec"]["freeze"] = [freeze]
    with pytest.raises(PolicyError, match=problem):
        documents_from([document], source="test")
