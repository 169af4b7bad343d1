"""The cheapest nodes for some replicas, and the bound beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.pricing.cheapest import cheapest
from policies.pricing.nodes import Headroom
from policies.pricing.shapes import NodeShape
from tests.policies.pricing.shared import NODE
from tests.policies.pricing.test_nodes import GIB_MILLI, asks

if TYPE_CHECKING:
    from policies.pricing.cheapest import Packing

SMALL = NodeShape(NODE, 100_000, 2000, 8 * GIB_MILLI)
LARGE = NodeShape(NODE, 350_000, 8000, 32 * GIB_MILLI)
GPU = NodeShape(NODE, 1_000_000, 4000, 16 * GIB_MILLI, gpus=1)


def bought(found: Packing) -> list[int]:
    return sorted(shape.micros for shape in found.shapes)


def test_large_nodes_with_a_small_one_for_the_rest() -> None:
    # 10 replicas of a core: 8 on a large node at 0.35, 2 on a small one at 0.10; five small ones cost 0.50.
    found = cheapest([10], [asks()], [SMALL, LARGE])
    assert bought(found) == [100_000, 350_000]
    assert (found.micros, found.held.sum()) == (450_000, 10)
    assert found.bound_micros == pytest.approx(10 / 8 * 350_000, abs=1)
    assert found.gap_ratio == pytest.approx(450 / 437.5 - 1, abs=1e-4)


def test_what_needs_no_gpu_goes_where_gpus_stand_anyway() -> None:
    found = cheapest([2, 4], [asks(gpu=1000, name="llm"), asks(name="web")], [SMALL, GPU])
    assert bought(found) == [1_000_000, 1_000_000]
    assert found.gap_ratio == pytest.approx(0, abs=1e-6)


def test_free_room_costs_nothing() -> None:
    room = Headroom(*(np.array([each]) for each in (3000, 8 * GIB_MILLI, 10, 0)))
    found = cheapest([5], [asks()], [SMALL, LARGE], room)
    assert (found.in_headroom.tolist(), bought(found)) == ([3], [100_000])


def test_nothing_needs_no_nodes() -> None:
    found = cheapest([0], [asks()], [SMALL])
    assert (found.shapes, found.micros, found.gap_ratio) == ((), 0, 0)


def test_a_replica_that_no_shape_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="no shape holds a replica of chat"):
        cheapest([1], [asks(gpu=1000)], [SMALL, LARGE])
