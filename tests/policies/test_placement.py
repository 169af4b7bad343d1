"""spec.placement: what it says where it says nothing, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from policies.documents import documents_from
from policies.fleet import fleet_of
from policies.placement import late_parts
from policies.spec import PolicyError, policy_from
from tests.policies.test_spec import document

SPOT = {"target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-spot"}}


def placed(spot: dict[str, Any] | None = None, low: int | None = None, **spec: object) -> dict[str, Any]:
    on_demand = {} if low is None else {"onDemand": {"min": low}}
    return document(placement={"spot": SPOT | (spot or {}), **on_demand}, **spec)


def test_the_defaults() -> None:
    fleet = fleet_of([policy_from(placed(objective={"late": "2%"}), source=""), policy_from(_other(), source="")])
    spot = fleet.spot
    assert spot.placed.tolist() == [False, True]
    assert (spot.price_ratio[1], spot.short_ratio[1], spot.min_on_demand[1]) == (0.35, 0.01, 1)
    assert fleet.late_ratio.tolist() == [0.01, 0.01]  # one lane has its 1 %, the other half of its 2 %


@pytest.mark.parametrize(
    ("short", "replicas", "spot"),
    [
        pytest.param(None, 0.005, 0.005, id="half-each"),
        pytest.param(0.002, 0.008, 0.002, id="what-spot-leaves"),
        pytest.param(0.02, 0.005, 0.02, id="half-at-least"),
    ],
)
def test_the_objective_is_shared(short: float | None, replicas: float, spot: float) -> None:
    made = policy_from(placed({} if short is None else {"short": short}, objective={"late": "1%"}), source="")
    parts = late_parts(0.01, made.spec.placement)
    assert parts == pytest.approx((replicas, spot))


def test_what_is_written() -> None:
    made = policy_from(placed({"price": "40%", "short": 0.001}, low=2), source="")
    spot = fleet_of([made]).spot
    assert (spot.price_ratio[0], spot.short_ratio[0], spot.min_on_demand[0]) == (0.4, 0.001, 2)
    assert policy_from(made.document(), source="") == made


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param(
            placed({"target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}),
            "spec.placement.spot.target: is spec.target itself; name the second object, which runs on spot nodes",
            id="the-base-itself",
        ),
        pytest.param(
            placed({"target": {"apiVersion": "x.io/v1", "kind": "Fleet", "name": "f"}}),
            "spec.placement.spot.target.kind: must be one of Deployment, StatefulSet, ReplicaSet,"
            " ReplicationController beside placement, not 'Fleet'",
            id="replicas-of-several-pods",
        ),
        pytest.param(
            placed(mode="floor"),
            "spec.mode: floor publishes one number, which nobody can split for placement; use shadow or active",
            id="floor",
        ),
        pytest.param(
            placed(low=11),
            "spec.placement.onDemand.min: (11) is above spec.replicas.max (10); lower it or raise max",
            id="a-base-above-the-maximum",
        ),
        pytest.param(
            placed({"price": 1.5}),
            "spec.placement.spot.price: must be above 0 and at most 1 (100%), not 1.5",
            id="dearer-than-on-demand",
        ),
        pytest.param(document(placement={}), "spec.placement.spot: is required", id="no-surge"),
    ],
)
def test_what_is_refused(made: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as refused:
        policy_from(made, source="web.yaml")
    assert str(refused.value) == f"web.yaml: {message}"


def test_an_object_is_scaled_by_one_policy() -> None:
    surge = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-spot"}
    other = document(target=surge) | {"metadata": {"name": "other"}}
    with pytest.raises(PolicyError) as refused:
        documents_from([placed(), other], source="a.yaml")
    where = "default/web in a.yaml (document 1)"
    assert str(refused.value) == (
        f"a.yaml (document 2): spec.target: Deployment web-spot is already scaled by {where}; remove one"
    )
    with pytest.raises(PolicyError, match=r"spec\.placement\.spot\.target: Deployment web-spot is already scaled"):
        documents_from([other, placed()], source="a.yaml")


def _other() -> dict[str, Any]:
    return document() | {"metadata": {"name": "other"}}
