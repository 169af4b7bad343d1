"""Verdicts on how full a fleet is: windows, hysteresis, holes."""

from __future__ import annotations

import numpy as np
import pytest

from policies.gpus.fleet import FleetRule, Verdict, verdict

RULE = FleetRule(window_s=120.0)  # two steps
HOLE = np.nan


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        pytest.param([0.95, 0.95], Verdict.ADD, id="full-all-through-a-window"),
        pytest.param([0.95, 0.85], Verdict.KEEP, id="not-all-through"),
        pytest.param([0.90, 0.90], Verdict.KEEP, id="at-the-bound"),
        pytest.param([0.5, 0.59], Verdict.CONSOLIDATE, id="empty-all-through-a-window"),
        pytest.param([0.95, 0.95, 0.88, 0.88], Verdict.ADD, id="it-stays-until-it-is-well-back"),
        pytest.param([0.95, 0.95, 0.85, 0.85], Verdict.KEEP, id="and-then-ends"),
        pytest.param([0.5, 0.5, 0.64, 0.64], Verdict.CONSOLIDATE, id="so-does-the-other"),
        pytest.param([0.5, 0.5, 0.65, 0.65], Verdict.KEEP, id="which-ends-as-well"),
        pytest.param([0.95, 0.95, 0.3, 0.3], Verdict.CONSOLIDATE, id="from-one-to-the-other"),
        pytest.param([0.7, 0.7, 0.88, 0.88], Verdict.KEEP, id="without-having-been-full-it-is-not"),
        pytest.param([HOLE, 0.95], Verdict.ADD, id="half-of-a-window-is-enough"),
        pytest.param([0.95, 0.95, HOLE, HOLE, HOLE], Verdict.ADD, id="a-hole-changes-nothing"),
        pytest.param([HOLE, HOLE], Verdict.UNKNOWN, id="nothing-is-known"),
        pytest.param([0.95], Verdict.UNKNOWN, id="shorter-than-a-window"),
        pytest.param([], Verdict.UNKNOWN, id="no-past"),
    ],
)
def test_verdict(ratio: list[float], expected: Verdict) -> None:
    assert verdict(np.array(ratio, np.float64), 60.0, RULE) is expected


@pytest.mark.parametrize(
    "given",
    [
        {"add_above": 0.5, "consolidate_below": 0.6},
        {"add_above": 1.2},
        {"consolidate_below": -0.1},
        {"hysteresis": 0.2},
        {"window_s": 0.0},
    ],
)
def test_a_rule_that_cannot_be(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        FleetRule(**given)
