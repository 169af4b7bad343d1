"""The serving model: hand-worked cases, the judge's figures, and properties."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.serving import Figures, Serving, clairvoyant, figures, needed_replicas, ready_replicas
from tests.simulations.shared import judge_module

# One step is an hour and one replica serves 8 of its 10 within the limit.
HOURLY = Serving(step_s=3600.0, capacity=10.0, serving_limit_ratio=0.8, startup_s=3600.0)


@pytest.mark.parametrize(
    ("plan", "startup_steps", "ready"),
    [
        pytest.param([2, 2, 5, 5], 0, [2, 2, 5, 5], id="no-start-up-serves-at-once"),
        pytest.param([2, 5, 5, 5, 5], 2, [2, 2, 2, 5, 5], id="a-rise-serves-after-its-start-up"),
        pytest.param([2, 5, 3, 3, 3], 2, [2, 2, 2, 3, 3], id="the-youngest-pending-are-cancelled-first"),
        pytest.param([2, 3, 5, 3, 5, 5], 2, [2, 2, 2, 3, 3, 3], id="a-cancelled-start-up-begins-anew"),
        pytest.param([4, 2, 4, 4], 1, [4, 2, 2, 4], id="released-replicas-stop-at-once"),
        pytest.param([3, 1], 9, [3, 1], id="a-start-up-longer-than-the-load"),
        pytest.param([3], 1, [3], id="one-step"),
    ],
)
def test_ready_replicas(plan: list[int], startup_steps: int, ready: list[int]) -> None:
    assert ready_replicas(np.array(plan), startup_steps=startup_steps).tolist() == ready


def test_ready_replicas_of_several_lanes_are_those_of_each() -> None:
    plans = np.array([[2, 5, 5, 5], [4, 2, 4, 4]])
    assert ready_replicas(plans, startup_steps=1).tolist() == [[2, 2, 5, 5], [4, 2, 2, 4]]


def test_need_is_rounded_up_and_an_exact_fit_is_no_more() -> None:
    # 8 per replica: 0 -> the minimum; 8 -> 1; 8.1 -> 2; 24 -> 3.
    assert needed_replicas(np.array([0.0, 8.0, 8.1, 24.0]), HOURLY).tolist() == [1, 1, 2, 3]


def test_the_clairvoyant_asks_a_start_up_ahead() -> None:
    assert clairvoyant(np.array([1.0, 1.0, 40.0, 1.0]), HOURLY).tolist() == [1, 5, 5, 1]


def test_figures_of_a_case_worked_by_hand() -> None:
    # Need 1 1 5 1; the clairvoyant pays 1 + 5 + 5 + 1 = 12. The plan pays 1 + 1 + 5 + 5 = 12 and has 1 1 1 5 ready,
    # so that of a load of 60 the third hour's 40 are late and 40 - 8 = 32 are above the limit; 4 starts in 4 h.
    told = figures(np.array([1, 1, 5, 5]), np.array([8.0, 4.0, 40.0, 8.0]), HOURLY)
    assert told == Figures(
        cost_replica_hours=12.0,
        clairvoyant_replica_hours=12.0,
        cost_ratio=1.0,
        late_ratio=40 / 60,
        unserved_ratio=32 / 60,
        churn_per_day=24.0,
    )


def test_released_replicas_are_paid_for_the_dwell() -> None:
    # Two hours of dwell: the plan's 5 are paid in hours 3 to 6, and so are those of the clairvoyant, from hour 2 on.
    serving = Serving(3600.0, 10.0, 0.8, 3600.0, dwell_s=7200.0)
    told = figures(np.array([1, 1, 5, 1, 1, 1]), np.array([8.0, 8.0, 40.0, 8.0, 8.0, 8.0]), serving)
    assert told.cost_replica_hours == 1 + 1 + 5 + 5 + 5 + 1
    assert told.clairvoyant_replica_hours == 1 + 5 + 5 + 5 + 5 + 1
    assert told.churn_per_day == 8 * 4


def test_what_the_largest_count_cannot_serve_is_told_apart() -> None:
    # Three replicas serve 24: the 40 are late whatever is decided, the 16 would not have been.
    serving = Serving(3600.0, 10.0, 0.8, 3600.0, max_replicas=3)
    told = figures(np.array([1, 3, 3, 1]), np.array([8.0, 16.0, 40.0, 8.0]), serving)
    assert told.late_ratio == pytest.approx(56 / 72)
    assert told.unavoidable_ratio == pytest.approx(40 / 72)
    assert told.clairvoyant_replica_hours == 2 + 3 + 3 + 1


def test_an_empty_load_is_never_late() -> None:
    told = figures(np.array([2, 2]), np.zeros(2), HOURLY)
    assert (told.late_ratio, told.unserved_ratio, told.cost_ratio) == (0.0, 0.0, 2.0)


def test_a_plan_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a plan of 2 steps cannot be judged on a load of 3 steps"):
        figures(np.array([1, 1]), np.zeros(3), HOURLY)


@pytest.mark.parametrize("dwell_s", [0.0, 30.0, 600.0])
@pytest.mark.parametrize("startup_s", [0.0, 30.0, 60.0, 300.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_judges_figures_to_the_last_digit(startup_s: float, seed: int, dwell_s: float) -> None:
    judge = judge_module("replay")
    random = np.random.default_rng(seed)
    demand = random.gamma(2.0, 700.0, 5000) * (1 + np.sin(np.arange(5000) / 300))
    plan = np.maximum(0, np.round(demand / 90 + random.normal(0, 4, 5000))).astype(np.int64)
    told = figures(plan, demand, Serving(30.0, 137.3, 0.8, startup_s, dwell_s=dwell_s))
    expected = judge.judge(plan, demand, 30.0, 137.3, 0.8, startup_s, dwell=dwell_s)
    assert told == Figures(
        *(expected[name] for name in ("cost", "oracle_cost", "cost_ratio", "late", "unserved", "churn_per_day"))
    )


COUNTS = st.lists(st.integers(0, 6), min_size=1, max_size=12)


@given(plan=COUNTS, more=st.integers(0, 3), startup_steps=st.integers(0, 5))
def test_more_replicas_are_never_later(plan: list[int], more: int, startup_steps: int) -> None:
    fewer = np.array(plan)
    ready = ready_replicas(fewer, startup_steps=startup_steps)
    assert (ready_replicas(fewer + more, startup_steps=startup_steps) >= ready).all()
    assert (ready <= fewer).all()


@given(load=st.lists(st.integers(0, 50), min_size=1, max_size=12), startup_steps=st.integers(0, 5))
def test_the_clairvoyant_is_never_late(load: list[int], startup_steps: int) -> None:
    demand = np.array(load, np.float64)
    serving = Serving(3600.0, 10.0, 0.8, startup_steps * 3600.0)
    assert figures(clairvoyant(demand, serving), demand, serving).late_ratio == 0.0


@given(load=st.lists(st.integers(0, 30), min_size=1, max_size=5), startup_steps=st.integers(0, 3))
def test_no_plan_that_is_never_late_is_cheaper_than_the_clairvoyants(load: list[int], startup_steps: int) -> None:
    demand = np.array(load, np.float64)
    serving = Serving(3600.0, 10.0, 0.8, startup_steps * 3600.0)
    need = needed_replicas(demand, serving)
    plans = np.array(list(itertools.product(range(1, 5), repeat=demand.size)))  # 30 need at most 4
    in_time = (ready_replicas(plans, startup_steps=startup_steps) >= need).all(axis=1)
    assert plans[in_time].sum(axis=1).min() == clairvoyant(demand, serving).sum()
