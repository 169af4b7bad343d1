"""Replay: the core on virtual time makes the judge's plans, and forecasts ahead of load."""

from dataclasses import replace

import numpy as np
import pytest

from simulations.load_file import read_load
from simulations.protocol import Capacity, grid
from simulations.replay import Lane, ReplayPolicy, replay
from simulations.scenario import Pace, ReplayError, check_length, scored
from simulations.serving import Figures, Serving
from simulations.traffic import Daily, FlashCrowds, Noise, Traffic, generate
from tests.simulations.shared import judge_module, load_file

HPA = ReplayPolicy.parse("hpa:0.70")
PREDICTIVE = ReplayPolicy.parse("predictive")
PACE = Pace(step_s=30.0, sync_s=15.0, metric_delay_s=30.0)
MONDAY_S = 1_700_438_400.0
SERVING = Serving(step_s=30.0, capacity=100.0, serving_limit_ratio=0.8, startup_s=60.0)


def _day(steps: int, *, seed: int = 1, swing: float = 0.6) -> np.ndarray:
    shapes = (Daily(swing), Noise(0.15, 120.0), FlashCrowds(6.0, 2.5))
    return generate(Traffic(1500.0, shapes, seed), start_s=MONDAY_S, steps=steps, step_s=30.0)


@pytest.mark.parametrize(("target", "lag_steps"), [("0.7", 1), ("0.7", 3), ("0.35", 0)])
def test_the_kubernetes_rule_makes_the_judges_plan(target: str, lag_steps: int) -> None:
    judge = judge_module("baselines")
    demand = _day(500)
    pace = replace(PACE, metric_delay_s=30.0 * lag_steps)
    plan = replay([Lane(demand, SERVING)], ReplayPolicy.parse(f"hpa:{target}"), pace, start_s=MONDAY_S)
    assert plan[0].tolist() == judge.hpa(demand, 30.0, 100.0, float(target), lag_steps).tolist()


def test_the_kubernetes_rule_by_hand() -> None:
    # Capacity 100 at a target of 50 %: 50 per replica. One decision a step on the load of the step before.
    # 100 -> 2. 1000 asks for 20: +4 or x2 a run, 2 -> 6 -> 12 -> 20. 100 asks for 2, after 300 s (10 steps) of 20.
    demand = np.array([100.0] * 2 + [1000.0] * 4 + [100.0] * 14)
    pace = Pace(step_s=30.0, sync_s=30.0, metric_delay_s=30.0)
    plan = replay([Lane(demand, SERVING)], ReplayPolicy.parse("hpa:0.5"), pace)
    assert plan[0].tolist() == [2, 2, 2, 6, 12, 20, 20, *[20] * 9, 2, 2, 2, 2]


@pytest.mark.integration
@pytest.mark.parametrize("name", ["ms_mongo_02_1m.parquet", "clarknet_http_1m.parquet"])
def test_the_judges_plan_and_figures_on_a_real_load(name: str) -> None:
    baselines, judge = judge_module("baselines"), judge_module("replay")
    steps = grid(read_load(load_file(name)), step_s=30.0)
    capacity = Capacity.parse("p99.9/40").of(steps.demand, serving_limit_ratio=0.8)
    lane = Lane(steps.demand, Serving(30.0, capacity, 0.8, 60.0))
    plan = replay([lane], HPA, PACE, start_s=float(steps.at_s[0]))[0]
    assert np.array_equal(plan, baselines.hpa(steps.demand, 30.0, capacity, 0.70, 1))
    for startup_s in (60.0, 300.0):
        warm = steps.warmup_steps
        told = scored(plan, replace(lane, serving=Serving(30.0, capacity, 0.8, startup_s)), warmup_steps=warm)
        expected = judge.judge(plan[warm:], steps.demand[warm:], 30.0, capacity, 0.8, startup_s)
        names = ("cost", "oracle_cost", "cost_ratio", "late", "unserved", "churn_per_day")
        assert told == Figures(*(expected[each] for each in names))


def test_lanes_decide_as_they_would_alone() -> None:
    loads = [_day(300, seed=seed) for seed in range(3)]
    together = replay([Lane(load, SERVING) for load in loads], HPA, PACE)
    alone = [replay([Lane(load, SERVING)], HPA, PACE)[0] for load in loads]
    assert together.tolist() == np.array(alone).tolist()


def test_the_forecast_comes_less_late() -> None:
    # A day and a half of a strong daily wave, decided once a minute: each tick is two steps of the lead-time layer.
    demand, pace = _day(2880 + 1440, swing=0.8)[::2], Pace(step_s=60.0, sync_s=60.0, metric_delay_s=60.0)
    lanes = [Lane(demand, replace(SERVING, step_s=60.0, startup_s=startup_s)) for startup_s in (60.0, 300.0)]
    reactive, ahead = (replay(lanes, policy, pace, start_s=MONDAY_S) for policy in (HPA, PREDICTIVE))
    assert (ahead >= reactive)[:, :1000].mean() > 0.95  # over the first day the larger of both stands
    for lane, plain, early in zip(lanes, reactive, ahead, strict=True):
        late = [scored(plan, lane, warmup_steps=1440).late_ratio for plan in (plain, early)]
        assert late[1] < late[0]
    # A longer start-up looks further ahead, so its plan is another.
    assert not np.array_equal(ahead[0], ahead[1])


def test_the_same_load_gives_the_same_plan() -> None:
    lanes = [Lane(_day(400), SERVING)]
    assert replay(lanes, HPA, PACE).tobytes() == replay(lanes, HPA, PACE).tobytes()


def test_every_step_is_told() -> None:
    told: list[int] = []
    replay([Lane(_day(5), SERVING)], HPA, PACE, on_step=told.append)
    assert told == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("text", ["", "hpa", "hpa:", "hpa:0", "hpa:1.2", "hpa:70%", "predict"])
def test_a_policy_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ReplayError, match="neither predictive nor hpa:TARGET"):
        ReplayPolicy.parse(text)


@pytest.mark.parametrize(
    ("step_s", "sync_s", "message"),
    [
        pytest.param(30.0, 60.0, "sync .60 s. must divide the step .30 s.", id="sync-above-step"),
        pytest.param(30.0, 20.0, "sync .20 s. must divide the step .30 s.", id="sync-does-not-divide"),
        pytest.param(30.0, 0.0, "must be above 0", id="no-sync"),
    ],
)
def test_a_pace_that_does_not_go_round_is_refused(step_s: float, sync_s: float, message: str) -> None:
    with pytest.raises(ReplayError, match=message):
        Pace(step_s, sync_s, 30.0)


def test_lanes_of_different_lengths_are_refused() -> None:
    with pytest.raises(ReplayError, match="lanes of the same number of steps"):
        replay([Lane(_day(3), SERVING), Lane(_day(4), SERVING)], HPA, PACE)


def test_a_load_no_longer_than_its_warm_up_is_refused() -> None:
    with pytest.raises(ReplayError, match="2880 steps, of which 2880 warm the policy up"):
        check_length(2880, warmup_steps=2880)


def test_a_load_that_is_missing_holds_its_lane_alone() -> None:
    # From the 60th step on the first lane's load is nowhere to be read, and the other's has gone.
    demand = np.full(120, 1500.0)
    demand[60:] = 0.0
    known = np.arange(120) < 60
    plan = replay([Lane(demand, SERVING, known), Lane(demand, SERVING)], HPA, PACE)
    assert (plan[0] == plan[0, 0]).all()
    assert plan[1, -1] == 1


def test_an_hpa_with_a_tolerance_and_a_window_of_its_own() -> None:
    # 50 per replica, 20 of them for 1000. At a tolerance of 1 % 1020 asks for 21; a window of 60 s holds a fall for
    # two runs.
    demand = np.array([1000.0, 1000.0, 1020.0, 1000.0, 1000.0, 1000.0, 1000.0])
    pace = Pace(step_s=30.0, sync_s=30.0, metric_delay_s=0.0)
    plans = [
        replay([Lane(demand, SERVING)], ReplayPolicy.parse(f"hpa:0.5{options}"), pace)[0].tolist()
        for options in ("", ",tolerance=0.01,window=60s")
    ]
    assert plans == [[20] * 7, [20, 20, 21, 21, 20, 20, 20]]


def test_a_wrong_option_of_an_hpa_is_named() -> None:
    with pytest.raises(ReplayError, match="speed: hpa takes the options tolerance and window"):
        ReplayPolicy.parse("hpa:0.5,speed=2")
