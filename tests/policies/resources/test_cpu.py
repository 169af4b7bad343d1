"""Foresail's own sizing of CPU: what it asks for, when it raises, and what must hold whatever comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.arrays import FloatArray, floats
from policies.resources import cpu
from policies.resources.codes import COUNT, RATIO, VALUES, codes_of
from policies.resources.cpu import CpuState, terms_of
from policies.resources.cpu_experts import WINDOWS_H
from policies.resources.cpu_loops import PRICE, RAISE_AFTER, STEPS
from policies.resources.model import Present

STEP_S = 300.0
PER_HOUR = 12
PLENTY = 8.0


def _state(containers: int = 1, overrun: float = 0.01) -> CpuState:
    terms = terms_of(step_s=STEP_S, every_s=3600.0, overrun_ratio=overrun, changes_per_day=8.0)
    return CpuState.start(containers, terms)


def _after(usage: list[float], state: CpuState | None = None) -> CpuState:
    state = state or _state()
    for used in usage:
        cpu.observe(state, floats(1, used))
    return state


def _decided(state: CpuState, request: float = np.nan, left: float = PLENTY) -> float:
    return float(cpu.decided(state, cpu.recommended(state), Present(floats(1, request), floats(1, left)))[0])


def _urgent(state: CpuState, request: float, left: float = PLENTY) -> float:
    return float(cpu.urgent(state, Present(floats(1, request), floats(1, left)))[0])


@pytest.mark.parametrize(
    ("used", "code"), [(np.nan, 0), (0.0, 1), (1e-4, 1), (1e9, VALUES.size - 1)], ids=["none", "idle", "least", "most"]
)
def test_codes_at_the_ends(used: float, code: int) -> None:
    assert codes_of(np.array([used]))[0] == code


@given(st.floats(1e-3, 1e3))
def test_a_code_stands_for_its_value_within_its_step(used: float) -> None:
    assert 1.0 - 1e-6 <= VALUES[codes_of(np.array([used]))[0]] / used <= RATIO * (1.0 + 1e-6)


def test_steady_use_is_asked_for_closely_after_days() -> None:
    request = _decided(_after([2.0] * PER_HOUR * 72))
    assert 2.0 <= request <= 2.2


def test_a_young_container_has_its_peak_and_a_margin() -> None:
    # 0.5 then 1.0 within the first hour: 1.15 times the peak, but for 1 / 24 of what was learned.
    assert _decided(_after([0.5] * 6 + [1.0] * 6)) == pytest.approx(1.15, rel=0.05)


def test_nothing_is_decided_before_the_first_period_is_whole() -> None:
    assert np.isnan(_decided(_after([1.0] * (PER_HOUR - 1))))
    assert np.isnan(cpu.recommended(_after([np.nan] * 3)).target[0])


def test_use_above_the_request_raises_it_at_once() -> None:
    state = _after([1.0] * PER_HOUR * 48 + [5.0])
    assert _urgent(state, 1.1) == pytest.approx(5.5, rel=RATIO - 1.0)


def test_a_raise_needs_a_change_that_is_left() -> None:
    state = _after([1.0] * PER_HOUR * 48 + [5.0])
    assert _urgent(state, 1.1, left=0.5) == 1.1


def test_where_more_may_be_above_a_raise_waits() -> None:
    state = _after([1.0] * PER_HOUR * 48, _state(overrun=0.1))  # 20 minutes: the fourth sample
    found = []
    for _ in range(4):
        cpu.observe(state, floats(1, 5.0))
        found.append(_urgent(state, 1.1))
    assert found[:3] == [1.1, 1.1, 1.1]
    assert found[3] > 5.0


def test_missing_samples_never_lower() -> None:
    state = _after([4.0] * PER_HOUR * 24 + [1.0] * PER_HOUR * 24)
    for _ in range(PER_HOUR):
        cpu.observe(state, floats(1, np.nan))
        _urgent(state, 9.0)
    assert _decided(state, 9.0) == 9.0


def test_lowering_leaves_changes_for_raises() -> None:
    def lowered(left: float) -> float:
        state = _after([1.0] * PER_HOUR * 72)
        for _ in range(PER_HOUR):
            cpu.observe(state, floats(1, 1.0))
            _urgent(state, 9.0, left)
        return _decided(state, 9.0, left)

    assert lowered(8.0) < 2.0
    assert lowered(4.0) == 9.0  # 1 and 0.5 x 7 = 4.5 are needed


@settings(max_examples=10, deadline=None)
@given(st.integers(-200, 200), st.integers(0, 2**32 - 1))
def test_so_many_times_the_use_asks_for_so_many_times_as_much(steps: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(400, 500, PER_HOUR * 30)
    one, other = (_decided(_after(VALUES[codes + moved].tolist())) for moved in (0, steps))
    assert other == pytest.approx(one * RATIO**steps, rel=1e-6)


def test_a_container_is_sized_alone_as_in_a_fleet() -> None:
    rng = np.random.default_rng(1)
    usage = rng.gamma(2.0, 1.0, (3, PER_HOUR * 30))
    fleet, alone = _state(3), _state()
    for column in usage.T:
        cpu.observe(fleet, column)
        cpu.observe(alone, column[1:2])
    assert cpu.recommended(fleet).target[1] == cpu.recommended(alone).target[0]


def test_bounds_lie_around_the_target() -> None:
    advice = cpu.recommended(_after(np.random.default_rng(2).gamma(2.0, 1.0, PER_HOUR * 60).tolist()))
    assert 0 < advice.lower[0] <= advice.target[0] <= advice.upper[0]


def test_the_reason_names_a_window_a_quantile_and_a_scale() -> None:
    words, quantile, scale = cpu.best_of(_after([2.0] * PER_HOUR * 72), 0)
    assert words.startswith(("the last", "the same hour"))
    assert 0.5 <= quantile <= 1.0
    assert 0.8 <= scale <= 3.0


def test_a_request_that_nothing_raises_has_room_for_what_the_week_had() -> None:
    # 3 % of the week at 4, and quiet since: 98 % of the week is 4.
    usage = [4.0] * 61 + [0.5] * (PER_HOUR * 168 - 61)
    terms = terms_of(step_s=STEP_S, every_s=86400.0, overrun_ratio=0.01, changes_per_day=0.0)
    once = _after(usage, CpuState.start(1, terms))
    assert cpu.recommended(once).target[0] >= 4.0


def test_hourly_samples_raise_as_well() -> None:
    terms = terms_of(step_s=3600.0, every_s=3600.0, overrun_ratio=0.01, changes_per_day=8.0)
    state = _after([1.0] * 24 + [5.0], CpuState.start(1, terms))
    assert _urgent(state, 1.0) == pytest.approx(5.5, rel=0.03)  # 1.1 times the sample


def test_a_week_of_seconds_is_counted_whole() -> None:
    terms = terms_of(step_s=5.0, every_s=3600.0, overrun_ratio=0.01, changes_per_day=8.0)
    state = _after([1.0] * 70_000, CpuState.start(1, terms))  # more than two bytes count
    cpu.recommended(state)
    assert state.counted[0, -1, 0] == 70_000


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sets(st.integers(0, 399)), st.sampled_from([0, 5, 1_000_003]))
def test_windows_count_what_they_span(seed: int, looks: set[int], first: int) -> None:
    rng = np.random.default_rng(seed)
    usage = np.where(rng.random(400) < 0.1, np.nan, rng.gamma(2.0, 1.0, 400))
    terms = terms_of(step_s=1800.0, every_s=4 * 3600.0, overrun_ratio=0.01, changes_per_day=8.0)  # 336 are a week
    state = CpuState.start(1, terms)
    state.now = first
    for n, used in enumerate(usage):
        cpu.observe(state, floats(1, used))
        if n in looks:
            cpu.recommended(state)
    cpu.recommended(state)
    for window, hours in enumerate(WINDOWS_H):
        codes = codes_of(usage[-2 * hours :])
        expected = np.bincount(codes[codes > 0], minlength=COUNT)
        expected[0] = expected.sum()
        assert (state.counted[0, window] == expected).all()
    codes = codes_of(usage[-336:])
    assert state.span[0].tolist() == [codes[codes > 0].min(), codes.max()]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.03, 0.1]))
def test_a_candidate_loses_what_its_replay_loses(seed: int, overrun: float) -> None:
    rng = np.random.default_rng(seed)
    usage = np.where(rng.random(4 * PER_HOUR) < 0.1, np.nan, rng.gamma(2.0, 1.0, 4 * PER_HOUR))
    terms = terms_of(step_s=STEP_S, every_s=2 * 3600.0, overrun_ratio=overrun, changes_per_day=8.0)
    state = _after(usage[: 2 * PER_HOUR].tolist(), CpuState.start(1, terms))
    asked = state.said[0].astype(np.float64)[:, None] * np.power(RATIO, STEPS)
    for used in usage[2 * PER_HOUR :]:
        cpu.observe(state, floats(1, used))
    seen = np.where(np.isnan(usage), 0.0, VALUES[codes_of(usage)])
    expected = [_lost(seen, request, terms) for request in asked.ravel()]
    assert state.loss[0] == pytest.approx(expected, rel=1e-4)


def _lost(seen: FloatArray, request: float, terms: FloatArray) -> float:
    """Mean slack, and the price of those above, of a request on the last two hours, raised as `urgent` does."""
    lost, run, count = 0.0, 0, 0
    for n in range(2 * PER_HOUR, seen.size):
        if seen[n] <= 0:
            continue
        count += 1
        fits = seen[n] <= request * (1.0 + 1e-5)
        lost += max(0.0, 1.0 - seen[n] / request) if fits else terms[PRICE]
        run = 0 if fits else run + 1
        if run >= terms[RAISE_AFTER]:
            request, run = 1.1 * seen[n + 1 - PER_HOUR // 2 : n + 1].max(), 0
    return lost / count


def test_advice_knows_the_last_samples_of_a_period_that_is_not_over() -> None:
    terms = terms_of(step_s=STEP_S, every_s=86400.0, overrun_ratio=0.01, changes_per_day=0.0)
    few = _after([1.0] * 100, CpuState.start(1, terms))  # of the 288 of a day
    assert cpu.recommended(few).target[0] == pytest.approx(1.15, rel=0.03)
    later = _after([1.0] * (2 * 288) + [4.0] * 200, CpuState.start(1, terms))
    assert cpu.recommended(later).target[0] >= 4.0
    assert not few.own[0].any()  # an advice is no decision
