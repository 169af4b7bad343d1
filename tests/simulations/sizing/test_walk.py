"""Walks over recorded usage: what a method may know, how often a request may change, and what the figures mean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.resources.methods import METHODS, Aims
from policies.resources.model import Recommendation
from simulations.sizing.scores import scores
from simulations.sizing.usage_file import Usage
from simulations.sizing.walk import Rules, steps_s, walked, warmups_s

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.resources.model import Containers, Present

HOUR_S, DAY_S = 3600.0, 86400.0


def _usage(*series: tuple[FloatArray, FloatArray]) -> Usage:
    start = np.concatenate([[0], np.cumsum([at_s.size for at_s, _ in series])]).astype(np.int64)
    names = tuple(f"s{n}" for n in range(len(series)))
    return Usage(names, start, np.concatenate([s[0] for s in series]), np.concatenate([s[1] for s in series]))


def _steady(days: float, step_s: float = 300.0, first_s: float = 0.0) -> tuple[FloatArray, FloatArray]:
    at_s = first_s + np.arange(0, days * DAY_S, step_s)
    return at_s, np.ones(at_s.size)


@dataclass(frozen=True)
class Scripted:
    """Asks for a number that grows at each decision; raises at once to twice a sample, where it is told to."""

    name: str = "scripted"
    urgently: bool = False
    grows: float = 1.0
    kills: list[float] = field(default_factory=list)

    def start(self, containers: Containers) -> dict[str, FloatArray]:
        return {"asked": np.zeros(containers.step_s.size), "seen": np.full(containers.step_s.size, np.nan)}

    def observe(self, state: dict[str, FloatArray], at_s: FloatArray, usage: FloatArray) -> dict[str, FloatArray]:
        del at_s
        return {**state, "seen": usage}

    def killed(
        self, state: dict[str, FloatArray], rows: IntArray, at_s: FloatArray, request: FloatArray
    ) -> dict[str, FloatArray]:
        del rows, at_s
        self.kills.extend(request.tolist())
        return state

    def recommend(self, state: dict[str, FloatArray], at_s: FloatArray) -> Recommendation:
        del at_s
        target = 10.0 + state["asked"]
        return Recommendation(target, target, target)

    def decided(
        self, state: dict[str, FloatArray], at_s: FloatArray, advice: Recommendation, present: Present
    ) -> FloatArray:
        del at_s, present
        state["asked"] = state["asked"] + self.grows
        return advice.target

    def urgent(self, state: dict[str, FloatArray], at_s: FloatArray, present: Present) -> FloatArray:
        del at_s
        over = state["seen"] > present.request
        return np.where(over, 2 * state["seen"], present.request) if self.urgently else present.request

    def why(self, state: dict[str, FloatArray], row: int) -> str:
        return f"{state['asked'][row]:g} decisions"


def test_decisions_are_an_hour_apart_after_the_warm_up_and_requests_are_held_between() -> None:
    usage = _usage(_steady(7))
    walk = walked(usage, Scripted(), Rules("cpu"))
    made = walk.request[~np.isnan(walk.request)]
    assert np.isnan(walk.request).sum() == 3 * 288  # three days of 5 minutes
    assert made[:13].tolist() == [10.0] * 12 + [11.0]
    assert np.unique(made).size == 4 * 24
    assert walk.advice.target.tolist() == [106.0]
    assert walk.why == ("96 decisions",)


def test_series_of_other_steps_and_starts_walk_as_they_would_alone() -> None:
    rng = np.random.default_rng(7)
    one, two, three = _steady(6.5, 300.0), _steady(7, 60.0, first_s=1e9), _steady(6.2, 300.0, first_s=777.0)
    series = [(at_s, rng.gamma(3.0, 1.0, at_s.size)) for at_s, _ in (one, two, three)]
    for method in METHODS.values():
        together = walked(_usage(*series), method(Aims()), Rules("cpu", changes_per_day=8))
        alone = [walked(_usage(each), method(Aims()), Rules("cpu", changes_per_day=8)).request for each in series]
        np.testing.assert_array_equal(together.request, np.concatenate(alone))


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("resource", ["cpu", "memory"])
@settings(max_examples=4)  # each walks two weeks
@given(seed=st.integers(0, 1000), cut=st.integers(300, 980), every_s=st.sampled_from([600.0, HOUR_S]))
def test_the_future_changes_no_earlier_request(method: str, resource: str, seed: int, cut: int, every_s: float) -> None:
    rng = np.random.default_rng(seed)
    at_s, _ = _steady(7, 600.0)
    scale = 1.0 if resource == "cpu" else 1e9
    kept = np.sort(rng.choice(at_s.size, 990, replace=False))
    value = scale * rng.gamma(2.0, 1.0, kept.size)
    usage = _usage((at_s[kept], value))
    other = replace(usage, value=np.concatenate([value[:cut], scale * rng.gamma(9.0, 5.0, kept.size - cut)]))
    rules = Rules("cpu" if resource == "cpu" else "memory", every_s, 8)
    first, second = (walked(each, METHODS[method](Aims()), rules).request for each in (usage, other))
    # The request that meets sample `cut` was made before it came.
    np.testing.assert_array_equal(first[: cut + 1], second[: cut + 1])


@pytest.mark.parametrize("method", list(METHODS))
def test_a_file_that_ends_earlier_has_the_same_requests_until_then(method: str) -> None:
    at_s, _ = _steady(8, 600.0)
    value = np.random.default_rng(5).gamma(2.0, 1.0, at_s.size)
    whole, part = (
        walked(_usage((at_s[:count], value[:count])), METHODS[method](Aims()), Rules("cpu", changes_per_day=8)).request
        for count in (8 * 144, 5 * 144)
    )
    np.testing.assert_array_equal(whole[: part.size], part)


@pytest.mark.parametrize("bound", [0, 1, 8])
def test_changes_come_evenly_and_those_of_a_day_are_kept(bound: int) -> None:
    walk = walked(_usage(_steady(9)), Scripted(), Rules("cpu", changes_per_day=bound))
    made = walk.request[~np.isnan(walk.request)]
    changed_s = 300.0 * (np.flatnonzero(np.diff(made)) + 1)
    within = [int(((changed_s > at_s - DAY_S) & (changed_s <= at_s)).sum()) for at_s in changed_s]
    assert max(within, default=0) <= 2 * bound
    assert all(count + 1 <= bound * at_s / DAY_S + 1e-9 for count, at_s in enumerate(changed_s))
    assert 6 * bound - 1 <= changed_s.size <= 6 * bound  # of 6 days after the warm-up


def test_a_raise_that_cannot_wait_holds_from_the_next_sample() -> None:
    at_s, value = _steady(7)
    value[1000] = 50.0  # after 3 days and 136 samples; decisions ask for 10
    walk = walked(_usage((at_s, value)), Scripted(urgently=True, grows=0.0), Rules("cpu"))
    assert walk.request[1000:1002].tolist() == [10.0, 100.0]
    assert walk.request[1008] == 10.0  # the next decision


def test_a_kill_for_want_of_memory_raises_the_request_by_a_fifth() -> None:
    at_s, value = _steady(1)
    value[100:102] = 11.0
    method = Scripted(grows=0.0)
    walk = walked(_usage((at_s, value)), method, Rules("memory", changes_per_day=0))
    assert walk.request[99:103].tolist() == [10.0, 10.0, 12.0, 12.0]
    assert method.kills == [10.0]
    score = scores(walk)[0]
    assert score.excursions_per_week == pytest.approx(7 / 0.75)  # one in the 18 hours after the warm-up
    assert score.changes_per_day == pytest.approx(1 / 0.75)


def test_the_figures_of_a_request_of_two_cores() -> None:
    at_s = np.arange(0.0, 8 * DAY_S, DAY_S)
    value = np.array([2.0, 2, 2, 1, 3, 3, 2, 5])
    score = scores(walked(_usage((at_s, value)), METHODS["static"](Aims()), Rules("cpu", DAY_S)))[0]
    assert score.target == 5.0
    # Served are the last five: 1, 3, 3, 2, 5 of a request of 2; slack is (0.5 + 0 + 0 + 0 + 0) / 5.
    assert score.slack_ratio == pytest.approx(0.1)
    assert score.overrun_ratio == pytest.approx(0.6)
    assert score.excursions_per_week == pytest.approx(2 * 7 / 5)  # two runs in five days
    assert score.changes_per_day == 0.0


def test_a_series_that_gets_no_request_has_no_figures() -> None:
    at_s = np.arange(0.0, 6000.0, 300.0)
    walk = walked(_usage((at_s, np.ones(20)), _steady(7)), METHODS["krr"](Aims()), Rules("cpu"))
    first, second = scores(walk)
    assert (first.target, first.slack_ratio, first.changes_per_day) == (None, None, None)
    assert second.slack_ratio == 0.0


@pytest.mark.parametrize(
    ("resource", "days", "warmup_h"),
    [
        pytest.param("cpu", 8, 72, id="three-days-of-cpu"),
        pytest.param("cpu", 1, 6, id="a-quarter-of-a-day-of-cpu"),
        pytest.param("memory", 1, 6, id="six-hours-of-memory"),
        pytest.param("memory", 0.25, 1.5, id="a-quarter-of-six-hours"),
    ],
)
def test_the_warm_up(resource: str, days: float, warmup_h: float) -> None:
    at_s = np.array([0.0, days * DAY_S])
    found = warmups_s(_usage((at_s, at_s)), "cpu" if resource == "cpu" else "memory")
    assert found.tolist() == [warmup_h * HOUR_S]


def test_the_step_of_a_series_is_its_usual_one() -> None:
    gaps = np.array([60.0, 60, 600, 60, 61])
    assert steps_s(_usage((np.concatenate([[0.0], np.cumsum(gaps)]), np.zeros(6)))).tolist() == [60.0]


def test_a_gap_is_no_sample_and_decisions_go_on_after_it() -> None:
    at_s, value = _steady(8)
    kept = np.r_[0:1000, 1500:2304]
    walk = walked(_usage((at_s[kept], value[kept])), Scripted(), Rules("cpu"))
    assert walk.request.size == kept.size
    # 136 samples of 5 minutes before the gap are 12 decisions; the next one is the first after it.
    assert walk.request[999:1001].tolist() == [21.0, 22.0]


def test_a_gap_of_years_costs_no_memory() -> None:
    one, two = _steady(4, 60.0), _steady(4, 60.0, first_s=1e9)
    usage = _usage((np.concatenate([one[0], two[0]]), np.concatenate([one[1], two[1]])))
    assert np.nanmax(walked(usage, METHODS["vpa"](Aims()), Rules("cpu")).request) == 1.168


def test_a_series_is_sized_the_same_alone_and_beside_others_whatever_gaps_it_has() -> None:
    at_s = np.arange(0, 9 * DAY_S, 300.0)
    used = 1.0 + np.sin(2 * np.pi * at_s / DAY_S) ** 2
    there = (at_s < 5 * DAY_S) | (at_s > 5.6 * DAY_S)
    mine, rules = (at_s[there], used[there]), Rules("cpu", changes_per_day=2)
    alone = walked(_usage(mine), METHODS["foresail"](Aims()), rules)
    beside = walked(_usage(mine, _steady(3.5), (at_s, used)), METHODS["foresail"](Aims()), rules)
    np.testing.assert_array_equal(alone.request, beside.request[: mine[0].size])


def test_changes_are_not_saved_up_before_the_first_request() -> None:
    usage = _usage(_steady(8), _steady(3.5))  # the second has its first request after 21 hours, the first after 3 days
    walk = walked(usage, Scripted(), Rules("cpu", changes_per_day=2))
    request = walk.request[: int(usage.start[1])]
    assert np.count_nonzero(np.diff(request[~np.isnan(request)])) <= 10  # of 5 days


@pytest.mark.parametrize(("gap_d", "columns"), [(0.5, 144), (1.0, 288), (2.5, 432), (9.0, 288)])
def test_a_gap_keeps_the_hour_of_the_day_and_is_no_longer_than_two_days(gap_d: float, columns: int) -> None:
    at_s, used = _steady(4)
    at_s = np.where(at_s >= 2 * DAY_S, at_s + gap_d * DAY_S - 300.0, at_s)
    method = Counting()
    walked(_usage((at_s, used)), method, Rules("cpu"))
    assert method.columns[0] == at_s.size - 1 + columns


@dataclass(frozen=True)
class Counting(Scripted):
    """Counts the columns that it is told."""

    columns: list[int] = field(default_factory=lambda: [0])

    def observe(self, state: dict[str, FloatArray], at_s: FloatArray, usage: FloatArray) -> dict[str, FloatArray]:
        self.columns[0] += 1
        return super().observe(state, at_s, usage)
