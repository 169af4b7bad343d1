"""Methods of sizing: KRR, the plain peak, the VPA recommender, and what all must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.resources.methods import METHODS, Aims
from policies.resources.model import Containers, Present, amount_text, followed
from policies.resources.peers import Krr, Past
from policies.resources.vpa import VpaState, killed, observe, recommended

if TYPE_CHECKING:
    from policies.arrays import FloatArray
    from policies.resources.model import Recommendation

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0
GIB = float(1 << 30)


def _advised(method: str, resource: str, rows: list[list[float]], step_s: float) -> Recommendation:
    usage = np.array(rows, np.float64)
    made = METHODS[method](Aims())
    state = made.start(Containers("cpu" if resource == "cpu" else "memory", np.full(usage.shape[0], step_s)))
    for n, column in enumerate(usage.T):
        state = made.observe(state, np.full(usage.shape[0], n * step_s), column)
    return made.recommend(state, np.full(usage.shape[0], usage.shape[1] * step_s))


def test_krr_is_the_95th_percentile_of_cpu() -> None:
    # Of 1 to 101, evenly, the place of 95 % is 0.95 x 100 = the 96th.
    advice = _advised("krr", "cpu", [[n + 1.0 for n in range(101)]], 5 * MINUTE_S)
    assert advice.target.tolist() == [96.0]
    assert advice.lower is advice.target


def test_krr_is_the_largest_memory_and_15_percent() -> None:
    advice = _advised("krr", "memory", [[GIB, 3 * GIB, *[2 * GIB] * 40]], 5 * MINUTE_S)
    assert advice.target[0] == pytest.approx(3.45 * GIB)


def test_krr_says_nothing_before_three_hours_and_never_less_than_its_floor() -> None:
    usage = [[0.001] * 36 + [np.nan] * 2, [0.001] * 38]
    advice = _advised("krr", "cpu", usage, 5 * MINUTE_S)  # 35 and 37 steps of 5 minutes
    assert np.isnan(advice.target[0])
    assert advice.target[1] == 0.010


def test_krr_forgets_what_is_older_than_14_days() -> None:
    days = [[9.0, *[1.0] * 15], [1.0, 9.0, *[1.0] * 14]]
    assert _advised("krr", "memory", [[each * GIB for each in row] for row in days], DAY_S).target == pytest.approx(
        [1.15 * GIB, 1.15 * GIB]
    )
    assert _advised("krr", "memory", [[9 * GIB, *[GIB] * 12]], DAY_S).target == pytest.approx([10.35 * GIB])


def test_a_past_grows_to_14_days_and_no_further() -> None:
    past = Krr().start(Containers("cpu", np.array([10 * MINUTE_S])))
    assert isinstance(past, Past)
    for n in range(3000):
        past.note(np.array([n * 600.0]), np.array([float(n)]))
    # 14 days of 10 minutes are 2016 samples.
    assert past.usage.shape == (1, 2017)
    recent = past.recent(np.array([2999 * 600.0]))
    assert np.nanmin(recent) == 984.0
    assert np.isfinite(recent).sum() == 2016


def test_the_static_peak_is_decided_once() -> None:
    static = METHODS["static"](Aims())
    state = static.start(Containers("cpu", np.full(2, MINUTE_S)))
    for usage in ([1.0, 4.0], [3.0, np.nan]):
        state = static.observe(state, np.zeros(2), np.array(usage))
    advice = static.recommend(state, np.zeros(2))
    assert advice.target.tolist() == [3.0, 4.0]
    found = static.decided(state, np.zeros(2), advice, Present(np.array([2.0, np.nan]), np.full(2, np.inf)))
    assert found.tolist() == [2.0, 4.0]


def test_the_vpa_target_is_the_end_of_the_bucket_of_the_90th_percentile_and_15_percent() -> None:
    # 1 core is in the bucket from 0.9943 to 1.0540 (n = 37: 0.2 x (1.05^37 - 1) = 1.0163, n = 36: 0.9584): 1016 of
    # thousandths, and 15 % of it, cut to 152, are 1168.
    advice = _advised("vpa", "cpu", [[1.0] * 100], MINUTE_S)
    assert advice.target.tolist() == [1.168]
    assert advice.lower[0] < 1.168 < advice.upper[0]


def test_vpa_bounds_close_in_with_age() -> None:
    def bounds(days: float) -> tuple[float, float]:
        advice = _advised("vpa", "cpu", [[1.0] * int(days * 1440)], MINUTE_S)
        return advice.lower[0], advice.upper[0]

    half, two = bounds(0.5), bounds(2)
    assert two[1] == pytest.approx(1.168 * 1.5, abs=0.002)  # (1 + 1 / 2 days)
    assert half[1] == pytest.approx(1.168 * 3, rel=0.01)  # (1 + 1 / half a day)
    assert half[0] < two[0] < 1.168


def test_vpa_keeps_a_container_at_its_pods_least() -> None:
    advice = _advised("vpa", "cpu", [[0.001] * 10, [np.nan] * 10], MINUTE_S)
    assert advice.target[0] == 0.025
    assert np.isnan(advice.target[1])
    state = VpaState.start(1, "memory")
    observe(state, 0.0, np.array([1e6]))
    assert recommended(state, containers_per_pod=2).target[0] == 125 << 20


def test_a_kill_raises_the_vpa_above_what_was_requested() -> None:
    state = VpaState.start(2, "memory")
    observe(state, 0.0, np.array([GIB, GIB]))
    before = recommended(state).target
    assert killed(state, np.array([1]), np.array([60.0]), np.array([2 << 30])).tolist() == [True]
    after = recommended(state).target
    assert after[0] == before[0]
    assert after[1] > 2.4 * GIB * 1.15  # 1.2 times the request, and the margin


def test_a_sample_that_comes_late_or_not_at_all_changes_nothing() -> None:
    state = VpaState.start(1, "cpu")
    assert [bool(observe(state, at_s, np.array([usage]))[0]) for at_s, usage in (
        (60.0, 1.0),
        (60.0, 9.0),
        (120.0, np.nan),
        (180.0, -1.0),
        (240.0, 1.0),
    )] == [True, False, False, False, True]  # fmt: skip
    assert state.samples.tolist() == [2]


def test_what_differs_by_no_more_than_the_dead_band_is_left() -> None:
    target: FloatArray = np.array([1.04, 1.06, 0.94, np.nan, 2.0])
    found = followed(target, np.array([1.0, 1.0, 1.0, 1.0, np.nan]), 0.05)
    assert found.tolist() == [1.0, 1.06, 0.94, 1.0, 2.0]


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("resource", ["cpu", "memory"])
def test_containers_are_sized_alone_as_in_a_fleet(method: str, resource: str) -> None:
    usage = np.random.default_rng(1).gamma(2.0, 1.0 if resource == "cpu" else GIB, (5, 200)).tolist()
    together = _advised(method, resource, usage, 5 * MINUTE_S)
    alone = [_advised(method, resource, [row], 5 * MINUTE_S).target[0] for row in usage]
    assert together.target.tolist() == alone


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("resource", ["cpu", "memory"])
def test_every_method_says_why(method: str, resource: str) -> None:
    made = METHODS[method](Aims())
    state = made.start(Containers("cpu" if resource == "cpu" else "memory", np.full(1, MINUTE_S)))
    state = made.observe(state, np.zeros(1), np.array([3 * GIB]))
    assert made.why(state, 0)


@pytest.mark.parametrize(
    ("amount", "resource", "text"),
    [
        pytest.param(0.25, "cpu", "0.25 cores", id="cores"),
        pytest.param(1.5 * GIB, "memory", "1.5 GiB", id="gibibytes"),
        pytest.param(250.0 * (1 << 20), "memory", "250.0 MiB", id="mebibytes"),
        pytest.param(12.0, "memory", "12 B", id="bytes"),
    ],
)
def test_amounts_are_shown_in_their_unit(amount: float, resource: str, text: str) -> None:
    assert amount_text(amount, "cpu" if resource == "cpu" else "memory") == text
