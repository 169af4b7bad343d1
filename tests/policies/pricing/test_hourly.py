"""What standing nodes cost an hour, by owner and kind."""

from __future__ import annotations

import numpy as np

from policies.pricing.bill import Kind
from policies.pricing.hourly import Standing, hourly_cost
from policies.pricing.table import Commitment
from tests.policies.pricing.shared import NODE, SPOT


def standing(ratio: list[float]) -> Standing:
    """Two on-demand nodes at 1.0 and a spot node at 0.35; a pod on each of them, and one more on the first."""
    return Standing(
        offers=(NODE, NODE, SPOT),
        micros=np.array([1_000_000, 1_000_000, 350_000]),
        node=np.array([0, 1, 2, 0]),
        owner=np.array([0, 0, 0, 1]),
        ratio=np.array(ratio),
    )


def test_what_pods_ask_for_is_theirs_and_the_rest_is_idle() -> None:
    found = hourly_cost(standing([0.5, 0.25, 1.0, 0.2]), 2)
    assert found.total == 2.35
    assert found.by_owner[:, Kind.ON_DEMAND].tolist() == [0.75, 0.2, 1.05]
    assert found.by_owner[:, Kind.SPOT].tolist() == [0.35, 0, 0]


def test_a_node_that_is_asked_for_too_much_is_split_in_proportion() -> None:
    found = hourly_cost(standing([1.5, 0, 0, 0.5]), 2)
    assert found.by_owner[:, Kind.ON_DEMAND].tolist() == [0.75, 0.25, 1.0]


def test_commitments_cover_nodes_that_stand() -> None:
    found = hourly_cost(standing([1, 1, 1, 0]), 2, [Commitment("c", 1_800_000, nodes=3)])
    assert found.by_owner[:, Kind.COMMITTED].tolist() == [1.2, 0, 0]
    assert found.by_owner[:, Kind.UNUSED].tolist() == [0, 0, 0.6]
    assert found.total == 2.15


def test_a_cluster_without_nodes_costs_what_is_committed() -> None:
    empty = Standing((), *(np.zeros(0, np.int64),) * 3, np.zeros(0))
    assert hourly_cost(empty, 0).total == 0
    assert hourly_cost(empty, 0, [Commitment("c", 1_000_000, nodes=1)]).total == 1
