"""Two answers beside each other: by name, run by run where luck is shared, and by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from simulations.sweep.changes import changes
from simulations.sweep.compare import CompareError, Side, compared, side_from
from simulations.whatif.answer import COLUMNS, Runs


def side(costs: dict[str, list[float]], *, source: str = "a", seed: int = 1, runs: range | None = None) -> Side:
    policies = tuple(costs)
    number = np.array(runs or range(len(next(iter(costs.values())))), np.int64)
    values = np.zeros((len(COLUMNS), len(policies), number.size))
    values[[COLUMNS.index(name) for name in ("cost", "replicas", "driver:replicas")]] = list(costs.values())
    return Side(source, "peak", "USD", seed, 7.0, Runs(policies, number, values))


def test_one_seed_is_compared_run_by_run() -> None:
    before, after = side({"hpa": [100.0, 200.0, 300.0]}), side({"hpa": [90.0, 189.0, 291.0]}, source="b")
    found = compared(before, after)
    (pair,) = found.policies
    cost = pair.figures["cost"]
    # Differences -10, -11, -9: mean -10, deviation 1; t of 2 degrees is 4.303, so half is 4.303 / sqrt(3) = 2.484.
    assert found.paired == 3
    assert cost.change.mean == pytest.approx(-10)
    assert cost.change.low == pytest.approx(-12.484, abs=1e-3)
    assert cost.change.high == pytest.approx(-7.516, abs=1e-3)
    assert (cost.before.mean, cost.after.mean) == (200.0, 190.0)
    assert pair.saving_ratio.mean == pytest.approx(0.05)
    assert pair.drivers["replicas"] == cost.change
    assert found.notes == ()


def test_two_seeds_are_independent_and_their_intervals_wider() -> None:
    before, after = side({"hpa": [100.0, 200.0, 300.0]}), side({"hpa": [90.0, 189.0, 291.0]}, source="b", seed=2)
    found = compared(before, after)
    change = found.policies[0].figures["cost"].change
    # Variances 10,000 and 10,101 of 3 runs each: the deviation is sqrt(20101 / 3) = 81.86, t of 4 degrees 2.776.
    assert found.paired is None
    assert change.mean == pytest.approx(-10)
    assert change.high is not None
    assert change.high + 10 == pytest.approx(227.3, abs=0.2)
    assert found.notes == (
        "the two have seeds 1 and 2, so their luck differs: intervals of differences are wider than with one",
    )


def test_runs_that_both_have_are_paired() -> None:
    before = side({"hpa": [1.0, 2.0, 3.0, 4.0]})
    after = side({"hpa": [13.0, 14.0, 15.0]}, source="b", runs=range(2, 5))
    found = compared(before, after)
    assert found.paired == 2
    assert found.policies[0].figures["cost"].change.mean == 10.0
    assert found.notes == ("differences are over the 2 runs that both have",)


def test_runs_that_do_not_meet_are_independent() -> None:
    found = compared(side({"hpa": [1.0, 2.0]}), side({"hpa": [1.0, 2.0]}, source="b", runs=range(2, 4)))
    assert found.paired is None
    assert "other runs of the seed" in found.notes[0]


def test_a_single_run_has_no_interval() -> None:
    for seed in (1, 2):
        (pair,) = compared(side({"hpa": [4.0]}), side({"hpa": [3.0]}, source="b", seed=seed)).policies
        assert (pair.figures["cost"].change.mean, pair.figures["cost"].change.low) == (-1.0, None)
        assert (pair.saving_ratio.mean, pair.saving_ratio.low) == (0.25, None)


def test_policies_go_by_name_and_the_others_are_told() -> None:
    before = side({"hpa": [2.0, 2.0], "fixed": [5.0, 5.0]})
    after = side({"spot": [1.0, 1.0], "hpa": [1.0, 1.0]}, source="b")
    found = compared(before, after)
    assert [pair.name for pair in found.policies] == ["hpa"]
    assert found.policies[0].figures["cost"].change.mean == -1.0
    assert found.notes == ("only a has fixed", "only b has spot")


def test_single_policies_are_compared_whatever_their_names() -> None:
    found = compared(side({"hpa": [2.0, 2.0]}), side({"spot": [1.0, 1.0]}, source="b"))
    assert [pair.name for pair in found.policies] == ["hpa -> spot"]


def test_what_cannot_be_compared_is_refused() -> None:
    one = side({"hpa": [2.0], "x": [1.0]})
    with pytest.raises(CompareError, match="a is in USD and b in EUR; use one currency"):
        compared(one, replace(one, source="b", currency="EUR"))
    with pytest.raises(CompareError, match="no policy is in both: a has hpa, x; b has y, z"):
        compared(one, side({"y": [2.0], "z": [1.0]}, source="b"))


def test_different_spans_are_told() -> None:
    one = side({"hpa": [2.0, 3.0]})
    assert compared(one, replace(one, days=30.0)).notes == ("costs are over 7 days there and 30 days here",)


def test_an_interval_of_two_seeds_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    inside = 0
    for _ in range(1000):
        before = side({"hpa": random.normal(100, 10, 12).tolist()})
        after = side({"hpa": random.normal(90, 3, 20).tolist()}, source="b", seed=2)
        change = compared(before, after).policies[0].figures["cost"].change
        inside += change.low is not None and change.high is not None and change.low <= -10 <= change.high
    assert 930 <= inside <= 970  # 95 %, with three standard errors of 0.7 %


def test_an_answer_is_read_from_its_json() -> None:
    made = side({"hpa": [1.5, math.pi]})
    text = json.dumps(
        {
            "apiVersion": "foresail.dev/v1alpha1",
            "kind": "Answer",
            "scenario": "peak",
            "currency": "USD",
            "seed": 1,
            "days": 7.0,
            "by_run": {
                "run": [0, 1],
                "policies": ["hpa"],
                "columns": {name: made.runs.column(name).tolist() for name in COLUMNS},
            },
        }
    )
    read = side_from(json.loads(text), "a.json")
    assert read.runs.values.tobytes() == made.runs.values.tobytes()
    assert (read.scenario, read.seed, read.source) == ("peak", 1, "a.json")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        pytest.param([], "is no answer; give what `foresail simulate -o json` wrote", id="a-list"),
        pytest.param({"kind": "Sweep"}, "is no answer", id="a-sweep"),
        pytest.param({"kind": "Answer"}, "cannot be read (KeyError('by_run'))", id="without-runs"),
        pytest.param(
            {"kind": "Answer", "by_run": {"run": [0], "policies": ["a"], "columns": {"cost": [[1]]}}},
            "cannot be read (KeyError('cost_per_million'))",
            id="without-a-figure",
        ),
    ],
)
def test_what_is_no_answer_is_refused(document: object, told: str) -> None:
    with pytest.raises(CompareError) as refused:
        side_from(document, "a.json")
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="nothing"),
        pytest.param({"a": "1%"}, {"a": "5%"}, ["a: 1% -> 5%"], id="a-value"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 1, "c": True}}, ["a.c: absent -> true"], id="a-new-field"),
        pytest.param({"a": [1, 2]}, {"a": [1, 3]}, ["a[1]: 2 -> 3"], id="an-entry"),
        pytest.param({"a": [1]}, {"a": [1, 3]}, ["a: [1] -> [1, 3]"], id="a-longer-list"),
        pytest.param(
            {"p": [{"name": "x", "v": 1}, {"name": "y"}]},
            {"p": [{"name": "y"}, {"name": "x", "v": 2}, {"name": "z"}]},
            ["p[x].v: 1 -> 2", "p[z]: absent -> {name: z}"],
            id="entries-by-name",
        ),
        pytest.param({"a": {"b": 1}}, {"a": None}, ["a: {b: 1} -> null"], id="another-kind"),
    ],
)
def test_changes_name_each_place(before: object, after: object, told: list[str]) -> None:
    assert list(map(str, changes(before, after))) == told
