"""For how long nodes are paid: one case a rule, an hour or two in steps of five minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.pricing.paid import paid_seconds
from policies.pricing.usage import NodeLife, PoolUse
from tests.policies.pricing.shared import NODE, lane

if TYPE_CHECKING:
    from policies.arrays import IntArray

STEP_S = 300


def paid(counts: IntArray, life: NodeLife, kept: int = 0, step_s: int = STEP_S) -> list[int]:
    return list(map(int, paid_seconds(PoolUse(NODE, counts, life, kept), step_s)[0]))


@pytest.mark.parametrize(
    ("counts", "life", "seconds"),
    [
        pytest.param([0, 2, 2, 0], NodeLife(), 1200, id="only-what-is-needed"),
        pytest.param([0, 2, 2, 0], NodeLife(startup_s=240), 1680, id="start-up-before"),
        pytest.param([0, 2, 2, 0], NodeLife(release_s=180), 1560, id="consolidation-and-drain-after"),
        # One node: 300 + gap of 600 (within 400 + 240) + 300.
        pytest.param(
            [1, 0, 0, 1], NodeLife(startup_s=240, release_s=400), 1200, id="a-node-that-is-still-there-is-used-again"
        ),
        # 300 + 359 of release; 240 of start-up + 300 + nothing after the end.
        pytest.param(
            [1, 0, 0, 1], NodeLife(startup_s=240, release_s=359), 1199, id="one-that-is-gone-is-started-again"
        ),
        # The second node runs 300 s and is billed for 1,000; the first was there at the start.
        pytest.param([1, 2, 1, 1, 1], NodeLife(minimum_s=1000), 5 * 300 + 1000, id="the-shortest-bill"),
        pytest.param([2, 2, 0, 0], NodeLife(startup_s=600), 1200, id="nothing-before-the-first-step"),
        pytest.param([0, 0, 1], NodeLife(release_s=600), 300, id="nothing-after-the-last"),
    ],
)
def test_seconds(counts: list[int], life: NodeLife, seconds: int) -> None:
    assert paid(lane(*counts), life) == [seconds]


def test_nodes_that_stay_on() -> None:
    assert paid(lane(0, 1, 3, 0), NodeLife(), kept=2) == [(2 + 2 + 3 + 2) * STEP_S]


def test_time_falls_into_its_own_hour() -> None:
    # Needed from 1:00 to 1:05; started at 0:56, released until 1:11.
    counts = lane(*([0] * 12), 1, *([0] * 11))
    assert paid(counts, NodeLife(startup_s=240, release_s=360)) == [240, 660]


def test_the_last_hour_may_be_a_part_and_a_long_step_is_one() -> None:
    assert paid(lane(1, 1, 1), NodeLife(), step_s=1800) == [3600, 1800]
    assert paid(lane(1, 2), NodeLife(startup_s=600), step_s=7200) == [7200 + 600, 2 * 7200]


@pytest.mark.parametrize("kind", [np.uint8, np.int32])
def test_any_integer_type_will_do(kind: type[np.integer]) -> None:
    counts = np.array([[200, 250, 0]], kind)
    assert paid_seconds(PoolUse(NODE, counts, NodeLife(startup_s=60, release_s=60)), STEP_S).tolist() == [
        [450 * 300 + 50 * 60 + 250 * 60]
    ]
