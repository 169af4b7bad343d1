"""What an answer comes to in words: which policy to take, and whether it hurts the service."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.report.conclusion import conclusion, kept
from simulations.whatif.answer import COLUMNS, Answer, Runs, summary
from simulations.whatif.document import scenario_from
from tests.simulations.whatif.builders import document

CHEAPEST = "The cheapest that keeps its objective (1 % late):"


def answer(costs: dict[str, float], late: dict[str, list[float]]) -> Answer:
    """Policies whose cost has no chance in it, and their late share in two runs; the first is the incumbent."""
    policies = [{"name": name, "replicas": "hpa:0.70"} for name in costs]
    values = np.zeros((len(COLUMNS), len(costs), 2))
    values[COLUMNS.index("cost")] = np.array(list(costs.values()))[:, None]
    values[COLUMNS.index("late_ratio")] = list(late.values())
    return summary(scenario_from(document(policies=policies), source="test"), Runs(tuple(costs), np.arange(2), values))


@pytest.mark.parametrize(
    ("costs", "late", "told"),
    [
        pytest.param(
            {"today": 100.0, "lean": 60.0, "late": 40.0},
            {"today": [0.001, 0.001], "lean": [0.001, 0.001], "late": [0.02, 0.02]},
            [
                f"{CHEAPEST} lean, which saves 40.0 %. Late: 0.10 %; today: 0.10 %.",
                "It is no worse than today, late or unserved.",
            ],
            id="one-that-is-too-late-is-not-taken",
        ),
        pytest.param(
            {"today": 100.0, "lean": 60.0, "late": 40.0},
            {"today": [0.001, 0.001], "lean": [0.001, 0.001], "late": [0.009, 0.009]},
            [
                f"{CHEAPEST} late, which saves 60.0 %. Late: 0.90 %; today: 0.10 %.",
                "The cheapest that is no worse than today, late or unserved: lean, which saves 40.0 %.",
            ],
            id="within-its-objective-and-yet-worse",
        ),
        pytest.param(
            {"today": 100.0, "late": 40.0},
            {"today": [0.015, 0.015], "late": [0.02, 0.02]},
            [
                "No policy keeps its objective.",
                "No cheaper one is as seldom late as today and leaves as little unserved.",
            ],
            id="none",
        ),
        pytest.param(
            {"today": 100.0, "more": 140.0},
            {"today": [0.001, 0.001], "more": [0.0, 0.0]},
            ["Of those that keep their objective none is cheaper than today, the incumbent."],
            id="the-incumbent-itself",
        ),
    ],
)
def test_the_policy_to_take(costs: dict[str, float], late: dict[str, list[float]], told: list[str]) -> None:
    assert list(conclusion(answer(costs, late))) == told


def test_an_objective_inside_the_interval_is_kept_or_not_and_unsure() -> None:
    found = answer(dict.fromkeys("abc", 1.0), {"a": [0.001, 0.001], "b": [0.005, 0.012], "c": [0.005, 0.018]})
    assert [kept(each) for each in found.policies] == ["yes", "yes, unsure", "no, unsure"]


def test_later_by_chance_is_not_worse() -> None:
    found = answer({"a": 2.0, "b": 1.0}, {"a": [0.001, 0.002], "b": [0.002, 0.0015]})
    # 0.001 later in one run and 0.0005 less in the other: the interval reaches below 0
    assert found.policies[1].no_worse
