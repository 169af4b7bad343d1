"""Which allocated devices are idle, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.gpus.idle import Idle, IdleRule, idle_devices
from policies.gpus.model import Devices, Holders, Supply, device_micros, gpu_share
from policies.model import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

RULE = IdleRule(below=0.02, window_s=3600.0)
NODES = Supply(  # two nodes of four GPUs, at 2 an hour each
    node=np.array([0, 1]),
    resource=("nvidia.com/gpu",) * 2,
    devices=np.array([4, 4]),
    asked=np.array([4, 2]),
    micros=np.array([2e6, np.nan]),
)


def holders(*rows: tuple[int, int], age_s: float = 7200.0) -> Holders:
    """Row of supply and devices of each."""
    return Holders(
        np.array([row for row, _ in rows]), np.array([count for _, count in rows]), np.full(len(rows), age_s)
    )


def devices(*rows: tuple[int, int, float], memory: Sequence[float] | float = 0.9) -> Devices:
    """Node, holder and peak of each."""
    node, holder, peak = (np.array(column) for column in zip(*rows, strict=True))
    count = len(rows)
    return Devices(node, holder, peak, peak / 2, np.broadcast_to(np.asarray(memory, np.float64), (count,)).copy())


def found(told: Idle) -> tuple[list[bool], list[int], list[int], list[int]]:
    return told.known.tolist(), told.idle.tolist(), told.holding_memory.tolist(), told.unassigned.tolist()


def test_devices_that_are_told_with_their_pod() -> None:
    told = idle_devices(
        NODES,
        holders((0, 2), (0, 2), (1, 2)),
        devices(
            (0, 0, 0.0), (0, 0, 0.5), (0, 1, 0.0), (0, 1, 0.019), (1, 2, 0.02), memory=[0.9, 0.9, 0.0, np.nan, 0.5]
        ),
        RULE,
    )
    assert found(told) == ([True, True, True], [1, 2, 0], [1, 0, 0], [0, 0])
    assert told.micros.tolist() == [2e6, 4e6, 0.0]


def test_what_has_no_price_is_idle_all_the_same() -> None:
    told = idle_devices(NODES, holders((1, 2)), devices((1, 0, 0.0), (1, 0, 0.0)), RULE)
    assert told.idle.tolist() == [2]
    assert np.isnan(told.micros).all()


def test_unnamed_pods_younger_than_the_window_are_not_judged() -> None:
    read = devices(*((1, UNKNOWN, 0.0) for _ in range(4)))
    assert found(idle_devices(NODES, holders((1, 2), age_s=1800.0), read, RULE)) == ([False], [0], [0], [0, 0])
    assert found(idle_devices(NODES, holders((1, 2)), read, RULE)) == ([True], [2], [2], [0, 0])


def test_a_pod_without_readings_is_not_known() -> None:
    told = idle_devices(NODES, holders((0, 2), (1, 2)), devices((0, 0, 0.0), (0, 0, 0.0)), RULE)
    assert found(told)[:2] == ([True, False], [2, 0])


@pytest.mark.parametrize(
    ("peaks", "known", "idle", "unassigned"),
    [
        pytest.param([0.0] * 4, [True, True], [1, 1], [0, 0], id="all-of-a-node-is-idle-so-its-pods-are"),
        pytest.param([0.0, 0.0, 0.0, 0.7], [False, False], [0, 0], [0, 1], id="more-than-nobody-asked-for"),
        pytest.param([0.0, 0.0, 0.7, 0.7], [False, False], [0, 0], [0, 0], id="what-nobody-asked-for"),
        pytest.param([0.0, 0.0, 0.0], [False, False], [0, 0], [0, 0], id="a-device-that-is-not-read"),
    ],
)
def test_a_node_whose_readings_name_no_pod(
    peaks: list[float], known: list[bool], idle: list[int], unassigned: list[int]
) -> None:
    read = devices(*((1, UNKNOWN, peak) for peak in peaks))
    told = idle_devices(NODES, holders((1, 1), (1, 1)), read, RULE)
    assert (told.known.tolist(), told.idle.tolist(), told.unassigned.tolist()) == (known, idle, unassigned)


def test_nothing_at_all() -> None:
    none = Supply(np.zeros(0, np.int64), (), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    nobody = Holders(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    unread = Devices(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0))
    told = idle_devices(none, nobody, unread, RULE)
    assert (told.idle.size, told.unassigned.size) == (0, 0)


def test_a_mig_profile_is_the_part_of_a_gpu_that_it_is() -> None:
    assert [gpu_share(name) for name in ("nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "nvidia.com/mig-3g.40gb.me")] == [
        1.0,
        1 / 7,
        3 / 7,
    ]
    # A node at 8 an hour, three quarters of it for GPUs: one whole GPU, and one cut in 3g, 2g and 2g.
    rows = (
        np.array([0, 0, 0]),
        ("nvidia.com/gpu", "nvidia.com/mig-2g.20gb", "nvidia.com/mig-3g.40gb"),
        np.array([1, 2, 1]),
    )
    price = device_micros(np.array([8e6]), np.array([0.75]), rows)
    assert price.tolist() == pytest.approx([3e6, 3e6 * 2 / 7, 3e6 * 3 / 7])
    assert (price * rows[2]).sum() == pytest.approx(6e6)


@pytest.mark.parametrize(("below", "window_s"), [(0.0, 60.0), (1.0, 60.0), (0.02, 0.0)])
def test_a_rule_that_cannot_be(below: float, window_s: float) -> None:
    with pytest.raises(ValueError, match="must"):
        IdleRule(below, window_s)
