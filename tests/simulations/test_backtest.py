"""Backtest: the compiled rules decide as `decide` does, as the judge's plans have it, and without seeing the future."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.arrays import FloatArray, IntArray
from simulations.backtest import plan_of, plans_of
from simulations.contenders import Hpa, parse_contender
from simulations.load_file import read_load
from simulations.protocol import Capacity, Grid, grid
from simulations.replay import Lane, ReplayPolicy, replay
from simulations.scenario import Pace, ReplayError, Scenario
from simulations.serving import Serving
from simulations.traffic import Daily, FlashCrowds, Noise, Traffic, generate
from tests.simulations.leaks import scrambled_after
from tests.simulations.shared import SHARED, judge_module, load_file

MONDAY_S = 1_700_438_400.0
SERVING = Serving(step_s=30.0, capacity=100.0, serving_limit_ratio=0.8, startup_s=60.0)
TRACES = sorted(path.name for path in (SHARED / "data" / "load").glob("*_1m.parquet")) or ["absent.parquet"]


def _scenario(demand: FloatArray, *, pace: Pace = Pace(), serving: Serving = SERVING) -> Scenario:  # noqa: B008
    known = np.isfinite(demand)
    return Scenario(np.where(known, demand, 0.0), known, MONDAY_S, pace, serving)


def _day(steps: int = 2880, *, seed: int = 1) -> FloatArray:
    shapes = (Daily(0.6), Noise(0.15, 120.0), FlashCrowds(6.0, 2.5))
    return generate(Traffic(1500.0, shapes, seed), start_s=MONDAY_S, steps=steps, step_s=30.0)


def _sequential(policy: Hpa, scenarios: list[Scenario]) -> IntArray:
    """The plan of the daemon's own `decide`."""
    lanes = [Lane(each.demand, each.serving, each.known) for each in scenarios]
    return replay(lanes, ReplayPolicy.of(policy), scenarios[0].pace, start_s=scenarios[0].start_s)


LOADS = st.one_of(
    st.just(float("nan")),
    st.just(0.0),
    st.floats(0.0, 4000.0),
    st.floats(900.0, 1100.0),
    st.integers(0, 60).map(lambda replicas: 70.0 * replicas),  # whole numbers of replicas at 70 %
    st.integers(1, 60).map(lambda replicas: 77.0 * replicas),  # on the edge of the tolerance
    st.floats(1e5, 1e8),
)
PACES = st.sampled_from([Pace(), Pace(30.0, 30.0, 0.0), Pace(15.0, 5.0, 45.0), Pace(60.0, 60.0, 60.0)])


@settings(max_examples=25)
@given(
    loads=st.lists(st.lists(LOADS, min_size=45, max_size=45), min_size=1, max_size=4),
    first=st.floats(0.0, 4000.0),
    pace=PACES,
    policy=st.sampled_from(["hpa:0.70", "hpa:0.35", "hpa:0.70,tolerance=0", "hpa:0.5,tolerance=0.05,window=60s"]),
    bounds=st.sampled_from([(1, 10_000_000), (3, 30)]),
)
def test_the_compiled_hpa_decides_as_decide_does(
    loads: list[list[float]], first: float, pace: Pace, policy: str, bounds: tuple[int, int]
) -> None:
    serving = replace(SERVING, step_s=pace.step_s, min_replicas=bounds[0], max_replicas=bounds[1])
    scenarios = [_scenario(np.array([first, *load]), pace=pace, serving=serving) for load in loads]
    hpa = parse_contender(policy)
    assert isinstance(hpa, Hpa)
    assert [plan.tolist() for plan in plans_of(hpa, scenarios)] == _sequential(hpa, scenarios).tolist()


def test_the_compiled_hpa_decides_as_decide_does_for_a_day() -> None:
    loads = [_day(seed=seed) for seed in range(3)]
    loads[1][500:520] = np.nan
    scenarios = [_scenario(load) for load in loads]
    hpa = parse_contender("hpa:0.70")
    assert isinstance(hpa, Hpa)
    assert [plan.tolist() for plan in plans_of(hpa, scenarios)] == _sequential(hpa, scenarios).tolist()


@pytest.mark.parametrize("trace", TRACES)
def test_plans_are_the_judges_at_every_step(trace: str) -> None:
    judge, (steps, capacity) = judge_module("baselines"), _trace(trace)
    for lag_steps in (1, 3):
        pace = Pace(metric_delay_s=30.0 * lag_steps)
        scenario = Scenario.of(steps, pace, replace(SERVING, capacity=capacity))
        for target, tolerance, window_s in itertools.product((0.7, 0.5, 0.3), (0.1, 0.05, 0.0), (300, 60)):
            plan = plan_of(parse_contender(f"hpa:{target},tolerance={tolerance},window={window_s}s"), scenario)
            told = {"down_window": float(window_s), "tolerance": tolerance}
            expected = judge.hpa(steps.demand, 30.0, capacity, target, lag_steps, **told)
            assert np.array_equal(plan, expected), (target, tolerance, window_s)
        plan = plan_of(parse_contender("kpa"), scenario)
        assert np.array_equal(plan, judge.kpa(steps.demand, 30.0, capacity, 0.7, lag_steps))


def _trace(name: str) -> tuple[Grid, float]:
    """A load in which nothing is missing: the judge sees gaps bridged, and a policy must not."""
    steps = grid(read_load(load_file(name)), step_s=30.0)
    capacity = Capacity.parse("p99.9/40").of(steps.demand, serving_limit_ratio=0.8)
    return replace(steps, known=np.ones_like(steps.known)), capacity


def test_scenarios_of_several_lengths_and_servings_share_a_call() -> None:
    demand = _day(600)
    scenarios = [
        _scenario(demand),
        _scenario(demand[:200]),
        _scenario(demand, serving=replace(SERVING, capacity=50.0)),
    ]
    for text in ("hpa:0.70", "kpa"):
        policy = parse_contender(text)
        together = plans_of(policy, scenarios)
        assert [plan.tolist() for plan in together] == [plan_of(policy, each).tolist() for each in scenarios]
        assert [plan.size for plan in together] == [600, 200, 600]


@pytest.mark.parametrize("policy", ["hpa:0.70", "kpa", "reactive"])
def test_missing_load_never_lowers(policy: str) -> None:
    demand = np.full(120, 1500.0)
    demand[40:] = np.nan
    plan = plan_of(parse_contender(policy), _scenario(demand))
    assert (plan[40:] == plan[39]).all()


@pytest.mark.parametrize("now", [0, 1, 150, 299])
@pytest.mark.parametrize("policy", ["hpa:0.70", "hpa:0.70,tolerance=0.05,window=60s", "kpa", "reactive", "predictive"])
def test_no_decision_sees_the_future(policy: str, now: int) -> None:
    contender = parse_contender(policy)
    scrambled_after(lambda scenario: plan_of(contender, scenario), _scenario(_day(300)), now)


def test_a_policy_that_sees_the_future_is_found() -> None:
    def clairvoyant(scenario: Scenario) -> IntArray:
        return np.ceil(np.roll(scenario.demand, -1) / 80.0).astype(np.int64)

    with pytest.raises(AssertionError):
        scrambled_after(clairvoyant, _scenario(_day(300)), 150)


def test_a_scenario_whose_arrays_do_not_match_is_refused() -> None:
    with pytest.raises(ReplayError, match="not 3 of demand and 2 known"):
        Scenario(np.zeros(3), np.ones(2, np.bool_), 0.0, Pace(), SERVING)
