"""How workloads fare in a word, and which need looking at first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from controller.web.condition import Condition, Standings
from policies.fixed import Fixed, FixedBy
from policies.model import Hold, Status
from policies.proposal import Step
from tests.controller.decisions import decided
from tests.controller.web.test_api import report


@pytest.mark.parametrize(
    ("hold", "condition"),
    [
        pytest.param(Hold.NONE, Condition.WELL, id="nothing"),
        pytest.param(Hold.KILL_SWITCH, Condition.BLOCKED, id="kill-switch"),
        pytest.param(Hold.FORBIDDEN, Condition.BLOCKED, id="forbidden"),
        pytest.param(Hold.OWNED, Condition.OWNED, id="another-controller"),
        pytest.param(Hold.OPERATOR, Condition.PAUSED, id="paused-by-hand"),
        pytest.param(Hold.ANNOTATION, Condition.PAUSED, id="paused-by-annotation"),
    ],
)
def test_a_hold_is_a_condition_unless_the_workload_is_short(hold: Hold, condition: Condition) -> None:
    # 16 and 60 per second fill 2 and 7.5 replicas to the serving limit of 8 each; three are ready.
    made = Standings.of(report(decided("shop/a", "shop/b", load=[16, 60], hold=hold)))
    assert made.condition.tolist() == [condition, Condition.SHORT]
    assert made.saturation.tolist() == pytest.approx([2 / 3, 2.5])


@pytest.mark.parametrize(
    ("rule", "condition"),
    [
        ("bounds", Condition.AT_MAXIMUM),
        ("budget", Condition.LIMITED),
        ("gpu_quota", Condition.LIMITED),
        ("stabilization", Condition.WELL),
    ],
)
def test_what_gives_less_than_is_asked_for_is_a_condition(rule: str, condition: Condition) -> None:
    found = report(decided("shop/a", "shop/b", load=[16, 16]))
    step = Step(rule, np.array([0, 1]), np.array([9, 2]), np.array([5, 4]))  # less for the first, more for the second
    found = replace(found, decision=replace(found.decision, steps=(step,)))
    assert Standings.of(found).condition.tolist() == [condition, Condition.WELL]


def test_data_that_is_missing_and_counts_that_are_fixed() -> None:
    found = report(decided("shop/a"))
    made = Standings.of(found)
    assert (made.condition.tolist(), made.status.tolist()) == ([Condition.BLIND], [Status.MISSING])
    assert np.isnan(made.saturation).all()
    assert np.isnan(made.age_s).all()
    found = report(decided("shop/a", load=[16]))
    fixed = Fixed(np.array([4]), np.array([FixedBy.OVERRIDE], np.int8))
    made = Standings.of(replace(found, decision=replace(found.decision, fixed=fixed)))
    assert (made.condition.tolist(), made.age_s.tolist()) == ([Condition.FIXED], [5.0])


def test_the_worst_come_first_then_the_fullest_then_by_name() -> None:
    found = report(decided("shop/a", "shop/b", "shop/c", "shop/d", load=[8, 30, 60, 8]))
    assert Standings.of(found).worst_first().tolist() == [2, 1, 0, 3]


def test_a_load_for_which_nothing_is_ready_is_the_worst() -> None:
    found = report(decided("shop/a", "shop/b", load=[60, 8], replicas=0))
    made = Standings.of(found)
    assert made.saturation.tolist() == [np.inf, np.inf]
    assert made.condition.tolist() == [Condition.SHORT, Condition.SHORT]
