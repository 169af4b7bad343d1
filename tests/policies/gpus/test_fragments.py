"""Free devices that cannot be used, and what moving pods together frees."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policies.gpus.fragments import Standing, emptied, fragments
from policies.pricing.nodes import Headroom
from policies.pricing.shapes import NodeShape, Request
from policies.pricing.table import CapacityType, Offer

if TYPE_CHECKING:
    from collections.abc import Sequence

CORE, GIB = 1000, 2**30 * 1000
SHAPE = NodeShape(Offer("own", "h100-8", "r", "z", CapacityType.ON_DEMAND), 0, 96 * CORE, 800 * GIB, 8, 110, True)  # noqa: FBT003 - shares_gpus


def asks(gpus: int, cores: int = 1) -> Request:
    return Request("", cores * CORE, 10 * GIB, gpus * 1000)


def room(*gpus: int, cores: Sequence[int] | int = 96) -> Headroom:
    count = len(gpus)
    milli = np.broadcast_to(np.asarray(cores, np.int64) * CORE, (count,)).copy()
    return Headroom(milli, np.full(count, 800 * GIB), np.full(count, 110), np.array(gpus, np.int64))


def test_eight_gpu_replicas_on_nodes_with_four_free() -> None:
    found = fragments(room(4, 4, 4), [asks(8), asks(2)])
    assert found.together.tolist() == [1, 6]
    assert found.by_count.sum(axis=0).tolist() == [0, 6]
    assert found.stranded.tolist() == [0, 0, 0]


def test_gpus_without_cores_beside_them_are_stranded() -> None:
    found = fragments(room(4, 4, 3, cores=[96, 2, 0]), [asks(1, cores=2), asks(4, cores=8)])
    assert found.fitting.tolist() == [[4, 1], [1, 0], [0, 0]]
    assert found.stranded.tolist() == [0, 3, 3]


def standing(*pods: Sequence[int], cores: int = 1, fixed: Sequence[int] = ()) -> Standing:
    """Nodes of eight GPUs with pods of so many."""
    on = tuple(Counter(asks(gpus, cores) for gpus in each) for each in pods)
    free = room(*(8 - sum(each) for each in pods), cores=[96 - cores * len(each) for each in pods])
    return Standing(SHAPE, free, on, np.isin(np.arange(len(pods)), fixed))


def test_the_emptiest_nodes_go_first() -> None:
    done = emptied(standing([4, 2], [1, 1], [6]))
    # Two small ones fit beside the others, where three of 4, 2 and 1 would not.
    assert (done.nodes, done.moved) == ((1,), 2)
    assert done.free.gpus.tolist() == [0, 8, 2]


def test_one_after_the_other_and_what_has_moved_moves_again() -> None:
    done = emptied(standing([1], [1], [2], [4]))
    assert (done.nodes, done.free.gpus.tolist()) == ((0, 1, 2), [8, 8, 8, 0])
    assert done.free.cpu_milli.tolist() == [96 * CORE, 96 * CORE, 96 * CORE, 92 * CORE]


def test_nothing_moves_that_does_not_fit_or_may_not() -> None:
    assert emptied(standing([5], [5])).nodes == ()
    assert emptied(standing([2], [5], fixed=[0])).nodes == (1,)
    assert emptied(standing([2], [5], fixed=[0, 1])).nodes == ()
    assert emptied(standing([2], [5], cores=60)).nodes == ()


def test_free_nodes_take_nobody_in() -> None:
    assert emptied(standing([], [5])).nodes == ()


@given(st.lists(st.lists(st.sampled_from([1, 2, 4, 8]), max_size=4), min_size=1, max_size=7))
def test_no_device_is_won_or_lost(pods: list[list[int]]) -> None:
    fitting = [each if sum(each) <= 8 else each[:1] for each in pods]
    before = standing(*fitting)
    done = emptied(before)
    assert (done.free.gpus >= 0).all()
    assert (done.free.gpus <= 8).all()
    assert done.free.gpus.sum() == before.free.gpus.sum()
    assert done.free.cpu_milli.sum() == before.free.cpu_milli.sum()
    assert (done.free.gpus[list(done.nodes)] == 8).all()
