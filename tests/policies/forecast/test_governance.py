"""Experts that leave their range stop speaking, and return when they are back in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.forecast.governance import Expert, demoted_now, in_charge

if TYPE_CHECKING:
    from policies.arrays import BoolArray

RIDGE, SEASONAL, NONE = Expert.RIDGE, Expert.SEASONAL, Expert.NONE


def judged(
    covered: tuple[float, float],
    loss: tuple[float, float] = (1.0, 1.0),
    *,
    before: tuple[bool, bool] = (False, False),
    on: float = 50.0,
) -> list[bool]:
    coverage = np.zeros((1, 2, 1, 4))
    coverage[0, :, 0, 2] = covered
    recent = np.full((1, 2, 1, 4), np.array(loss)[np.newaxis, :, np.newaxis, np.newaxis] / 4)
    was = np.array(before).reshape(1, 2, 1)
    found: list[bool] = demoted_now(coverage, recent, np.full((1, 2, 1), on), was)[0, :, 0].tolist()
    return found


def test_lost_coverage_demotes_and_only_more_of_it_brings_back() -> None:
    assert judged((0.84, 0.95)) == [True, False]
    assert judged((0.87, 0.95)) == [False, False]
    assert judged((0.87, 0.95), before=(True, False)) == [True, False]
    assert judged((0.91, 0.95), before=(True, False)) == [False, False]


def test_a_loss_far_above_the_others_demotes_and_a_nearer_one_brings_back() -> None:
    assert judged((0.95, 0.95), (1.6, 1.0)) == [True, False]
    assert judged((0.95, 0.95), (1.4, 1.0)) == [False, False]
    assert judged((0.95, 0.95), (1.4, 1.0), before=(True, False)) == [True, False]
    assert judged((0.95, 0.95), (1.1, 1.0), before=(True, False)) == [False, False]


def test_nobody_is_judged_on_a_handful_of_misses() -> None:
    assert judged((0.2, 0.95), on=11.0) == [False, False]
    assert judged((0.99, 0.95), on=11.0, before=(True, False)) == [True, False]


def charge(
    loss: tuple[float, float],
    covered: tuple[float, float] = (0.95, 0.95),
    demoted: tuple[bool, bool] = (False, False),
    before: int | None = None,
) -> int:
    coverage = np.zeros((1, 2, 1, 4))
    coverage[0, :, 0, 2] = covered
    out: BoolArray = np.array(demoted).reshape(1, 2, 1)
    was = None if before is None else np.array([[before]], np.int8)
    return int(in_charge(np.array(loss).reshape(1, 2, 1), coverage, out, was)[0, 0])


@pytest.mark.parametrize(
    ("loss", "before", "expected"),
    [
        pytest.param((1.0, 0.97), None, RIDGE, id="a-near-tie-goes-to-the-ridge"),
        pytest.param((1.0, 0.90), None, SEASONAL, id="a-clear-win"),
        pytest.param((0.97, 1.0), SEASONAL, SEASONAL, id="the-one-in-charge-stays-in-a-near-tie"),
        pytest.param((0.90, 1.0), SEASONAL, RIDGE, id="and-goes-when-clearly-beaten"),
        pytest.param((np.inf, 5.0), RIDGE, SEASONAL, id="one-that-cannot-speak"),
        pytest.param((np.inf, np.inf), None, SEASONAL, id="neither-has-a-past"),
    ],
)
def test_the_smaller_loss_is_in_charge(loss: tuple[float, float], before: int | None, expected: int) -> None:
    assert charge(loss, before=before) == expected


def test_a_demoted_expert_gives_way_whatever_its_loss() -> None:
    assert charge((1.0, 5.0), demoted=(True, False)) == SEASONAL
    assert charge((5.0, 1.0), demoted=(False, True)) == RIDGE


def test_with_both_demoted_the_better_covered_one_stands_in_unless_it_covers_next_to_nothing() -> None:
    assert charge((1.0, 2.0), (0.70, 0.80), (True, True)) == SEASONAL
    assert charge((1.0, 2.0), (0.30, 0.59), (True, True)) == NONE
