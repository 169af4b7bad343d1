"""What runs say: means, Student's t, paired differences, ratios; and intervals that hold on a known answer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from simulations.whatif.answer import COLUMNS, Estimate, Runs, estimate, merged, ratio_of_means, summary
from tests.simulations.whatif.builders import scenario
from tests.simulations.whatif.known import covered


def test_the_interval_of_a_mean_is_students() -> None:
    # mean 3, standard deviation sqrt(2.5) = 1.5811 over sqrt(5) = 0.7071; t of 4 degrees is 2.7764: 1.9633 each way
    found = estimate(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert (found.mean, found.low, found.high) == pytest.approx((3.0, 1.0367, 4.9633), abs=1e-4)
    assert estimate(np.array([4.0])) == Estimate(4.0, None, None)


def test_a_ratio_of_paired_runs_is_surer_than_its_parts() -> None:
    whole = np.array([100.0, 200.0, 300.0])
    found = ratio_of_means(0.4 * whole, whole)
    assert (found.mean, found.low, found.high) == pytest.approx((0.4, 0.4, 0.4))
    assert ratio_of_means(np.zeros(2), np.zeros(2)) == Estimate(0.0, 0.0, 0.0)


def runs(cost: list[list[float]]) -> Runs:
    values = np.zeros((len(COLUMNS), len(cost), len(cost[0])))
    values[COLUMNS.index("cost")] = cost
    values[COLUMNS.index("late_ratio")] = [[0.0, 0.0, 0.03], [0.1, 0.1, 0.1]]
    return Runs(("a", "b"), np.arange(3), values)


TWO = scenario(runs=3, policies=[{"name": name, "replicas": "fixed:1"} for name in ("a", "b")], incumbent="b")


def test_differences_are_paired_with_the_incumbent() -> None:
    first, second = summary(TWO, runs([[90.0, 180.0, 270.0], [100.0, 200.0, 300.0]])).policies
    assert first.difference["cost"].mean == pytest.approx(-20.0)
    assert (first.saving_ratio.mean, first.saving_ratio.low) == pytest.approx((0.1, 0.1))
    assert second.difference["cost"] == Estimate(0.0, 0.0, 0.0)


def test_the_interval_of_a_share_ends_at_0() -> None:
    late = summary(TWO, runs([[1.0] * 3, [2.0] * 3])).policies[0].figures["late_ratio"]
    assert late.mean == pytest.approx(0.01)
    assert late.low == 0.0


def test_the_document_is_plain_json_with_every_run() -> None:
    document = json.loads(
        json.dumps(summary(TWO, runs([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])).document(), allow_nan=False)
    )
    assert document["kind"] == "Answer"
    assert document["incumbent"] == "b"
    assert set(document["policies"][0]) == {
        "name",
        "figures",
        "cost_by_capacity_type",
        "difference",
        "saving_ratio",
        "drivers",
        "objective",
        "keeps_objective",
        "sure",
    }
    assert document["policies"][0]["figures"]["cost"]["mean"] == 2.0
    assert document["by_run"]["columns"]["cost"] == [[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]]


def test_nothing_cannot_be_merged() -> None:
    with pytest.raises(ValueError, match="no runs"):
        merged([])


def test_the_known_answer_lies_in_about_95_of_100_intervals() -> None:
    share = covered(range(60))
    assert set(share) == {"cost", "cost:spot", "available_time_ratio", "saving_ratio", "late_ratio"}
    assert min(share.values()) >= 0.85  # 95 % of 60 is 57, less four standard deviations of 1.7
