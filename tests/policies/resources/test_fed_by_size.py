"""Policies whose count follows the size that is recommended for them."""

from __future__ import annotations

import pytest

from policies.problems import PolicyError
from policies.resources.fed_by_size import fed_by_size
from tests.rig import policy

DEMAND = {"name": "cpu", "kind": "demand", "query": "usage", "capacityFromRequest": {"resource": "cpu"}}
MEMORY = {**DEMAND, "name": "memory", "capacityFromRequest": {"resource": "memory"}}


@pytest.mark.parametrize(
    ("resources", "signals", "paths"),
    [
        pytest.param("off", [DEMAND], [], id="nothing-is-recommended"),
        pytest.param("recommend", [DEMAND], ["spec.signals[0].capacityFromRequest"], id="the-count-follows"),
        pytest.param(
            "recommend",
            [MEMORY, DEMAND],
            ["spec.signals[0].capacityFromRequest", "spec.signals[1].capacityFromRequest"],
            id="each-signal-is-named",
        ),
        pytest.param(
            "recommend",
            [{"name": "load", "kind": "demand", "query": "load", "capacityPerReplica": 10}],
            [],
            id="a-declared-capacity-does-not-follow",
        ),
    ],
)
def test_a_count_that_follows_a_recommended_size_is_found(
    resources: str, signals: list[dict[str, object]], paths: list[str]
) -> None:
    found = fed_by_size(policy(resources=resources, signals=signals), source="web.yaml")
    assert [each.path for each in found] == paths
    assert all("capacityPerReplica" in each.message and each.source == "web.yaml" for each in found)


def test_off_is_off_in_yaml_that_reads_it_as_false() -> None:
    assert policy(resources=False).spec.resources == policy().spec.resources == "off"
    with pytest.raises(PolicyError, match="must be off or recommend"):
        policy(resources=True)
