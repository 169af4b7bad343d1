"""Criteria for the next mode: what is met, what is not, and what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.readiness import Measured, Shadow, Step, criteria

DAY_S = 86_400.0
SHADOW = Shadow(
    replicas=8.0,
    late_ratio=0.006,
    incumbent_replicas=10.0,
    incumbent_late_ratio=0.002,
    realised_late_ratio=0.005,
    budget_ratio=0.01,
)
GOOD = Measured(evidence_s=8 * DAY_S, shadow=SHADOW, data_ratio=0.999, coverage=0.95)


def missing(measured: Measured, step: Step) -> dict[str, str]:
    """What is not met, in words."""
    return {each.name: each.sentence for each in criteria(measured, step) if not each.ok}


def test_all_that_is_asked_for_is_met_and_nothing_is_to_be_done() -> None:
    assert missing(GOOD, "floor") == missing(GOOD, "active") == {}
    assert {each.mend for each in criteria(GOOD, "active")} == {""}
    names = ["target", "owner", "evidence", "data", "calibration", "capacity", "missed", "realised", "cost"]
    assert [each.name for each in criteria(GOOD, "active")] == names
    assert [each.name for each in criteria(GOOD, "floor")] == [name for name in names if name != "owner"]


@pytest.mark.parametrize(
    ("changed", "floor", "active"),
    [
        pytest.param({"evidence_s": DAY_S}, [], ["evidence"], id="a-day-is-enough-for-floor"),
        pytest.param({"evidence_s": DAY_S - 30}, ["evidence"], ["evidence"], id="less-than-a-day"),
        pytest.param({"data_ratio": 0.96}, [], ["data"], id="holes"),
        pytest.param({"data_ratio": None}, ["data"], ["data"], id="never-read"),
        pytest.param({"coverage": 0.87}, [], ["calibration"], id="bands-too-low"),
        pytest.param({"coverage": None}, ["calibration"], ["calibration"], id="never-judged"),
        pytest.param({"contradicted": ("No.",)}, ["capacity"], ["capacity"], id="capacity-contradicted"),
        pytest.param({"owner": "HPA a scales it; delete it"}, [], ["owner"], id="an-autoscaler-stays-for-floor"),
        pytest.param({"unseen": "gone"}, ["target"], ["target"], id="no-target"),
        pytest.param({"shadow": None}, ["missed", "cost"], ["missed", "cost"], id="nothing-replayed"),
        pytest.param({"shadow": replace(SHADOW, late_ratio=0.011)}, ["missed"], ["missed"], id="late-in-shadow"),
        pytest.param(
            {"shadow": replace(SHADOW, realised_late_ratio=0.02)}, ["realised"], ["realised"], id="late-for-real"
        ),
        pytest.param({"shadow": replace(SHADOW, replicas=10.5)}, [], ["cost"], id="five-per-cent-more"),
        pytest.param({"shadow": replace(SHADOW, replicas=12.0)}, ["cost"], ["cost"], id="a-fifth-more"),
        pytest.param(
            {"shadow": replace(SHADOW, replicas=12.0, incumbent_late_ratio=0.05)}, [], [], id="the-other-was-too-late"
        ),
    ],
)
def test_what_is_not_met_by_step(changed: dict[str, object], floor: list[str], active: list[str]) -> None:
    measured = replace(GOOD, **changed)  # type: ignore[arg-type]  # fields of the dataclass, from the table
    assert list(missing(measured, "floor")) == floor
    assert list(missing(measured, "active")) == active


def test_sentences_have_value_and_bound() -> None:
    dear = replace(SHADOW, replicas=12.0)
    told = missing(replace(GOOD, evidence_s=30 * 3600.0 + 30, data_ratio=0.9, shadow=dear), "active")
    assert told == {
        "evidence": "its load is known for 1d6h of 7d",
        "data": "90 % of the last day's minutes tell its demand; 99 % are asked for",
        "cost": "12.0 replicas in shadow, and 10.0 of the autoscaler in place; 102 % of these are allowed",
    }
