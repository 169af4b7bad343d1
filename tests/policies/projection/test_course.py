"""Courses of the next half hour: what goes on as now, what a pause and an override come to, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.arrays import small
from policies.engine import decide
from policies.fleet import fleet_of
from policies.forecast.horizon import HorizonFit
from policies.model import Applied, Hold, Limits
from policies.projection.course import Count, Projection, Whatif, under
from policies.projection.load import MINUTES, Untold
from policies.projection.origin import Actor, Left, Tick, Told, origin_of
from policies.rows import demand_rows
from policies.startup import StartTimes
from policies.state import EngineState
from policies.tournament import EVIDENCE_STEPS
from tests.builders import FREE, NOW_S, applied, budget, demand, one, policy, readings, ready_pods, seen
from tests.policies.projection.half_hours import after, origin, ramp, starting, steady
from tests.policies.test_gpu_quota import gpu_room

if TYPE_CHECKING:
    from policies.model import Observation

NOTHING = Whatif()
MINUTE_S = 60.0


def counts(told: Projection, name: str = "asNow") -> Count:
    (count,) = (course.count for course in told.courses if course.name == name)
    assert isinstance(count, Count)
    return count


def test_nobody_changes_anything_in_a_pause() -> None:
    told = under(origin(), ramp(3.5, 7.9, high=1.0), NOTHING)
    count, (_, paused) = counts(told, "paused"), told.courses
    assert (count.ordered == 4).all()
    assert (count.ready == 4).all()
    # 3.5 + 4.4 * m / 30 is above 4 from minute 4 on, and with 1 more from minute 1.
    assert (paused.first_short(0), paused.first_short(1)) == (4, 1)


def test_a_rise_is_ready_one_start_up_later() -> None:
    # 6 replicas at the serving limit are 48 of load, and Kubernetes' rule aims at 7 for each: 7, ordered in a minute.
    count = counts(under(origin(), steady(6.0), NOTHING))
    assert count.ordered[:3, 0].tolist() == [4, 7, 7]
    assert count.ready[:5, 0].tolist() == [4, 4, 4, 7, 7]  # 120 s are assumed of a lane that never started a pod


def test_a_fall_waits_for_the_stabilisation_window_and_is_gone_at_once() -> None:
    told = under(origin(), steady(2.0), NOTHING)  # 16 of load: 3 at 7 each
    assert counts(told).ordered[:7, 0].tolist() == [4, 4, 4, 4, 4, 3, 3]  # the 4 of minute 0 is 300 s old at minute 5
    assert counts(told).ready[:7, 0].tolist() == [4, 4, 4, 4, 4, 3, 3]
    assert counts(told).narrowed == {"stabilization": 1}


def test_what_starts_is_ready_when_starts_usually_are_and_what_hangs_is_not_counted_on() -> None:
    begun = origin(replicas=7, ready=4, load=49.0, told=Told(7), starts=starting(200.0, 60.0))
    usual = replace(begun, state=replace(begun.state, starts=StartTimes.empty(1)))  # 120 s
    count = counts(under(usual, steady(4.0), NOTHING), "paused")
    # One has 60 s to go, one is overdue, and one that is not seen to start yet starts now.
    assert count.ready[:4, 0].tolist() == [4, 5, 6, 6]
    assert count.ready[-1, 0] == 6
    assert (count.ordered == 7).all()


@pytest.mark.parametrize("hold", [Hold.KILL_SWITCH, Hold.ANNOTATION, Hold.FORBIDDEN, Hold.OWNED])
def test_what_holds_a_workload_holds_it_for_the_half_hour(hold: Hold) -> None:
    held = origin(hold=small(1, hold))
    told = under(held, steady(9.0), Whatif(override=6))
    assert held.actor is Actor.NOBODY
    for name in ("asNow", "paused", "override"):
        assert (counts(told, name).ordered == 4).all()


@pytest.mark.parametrize("hold", [Hold.NO_TARGET, Hold.CLUSTER_DOWN])
def test_of_what_cannot_be_seen_no_count_is_told(hold: Hold) -> None:
    told = under(origin(hold=small(1, hold)), steady(4.0), Whatif(override=6))
    assert all(isinstance(course.count, Untold) and course.short is None for course in told.courses)


def test_without_pods_no_count_is_told() -> None:
    told = under(origin(pods=ready_pods(0)), steady(4.0), NOTHING)
    assert [course.count for course in told.courses] == [Untold("no pod of it is seen")] * 2


def test_without_a_forecast_what_foresail_does_is_not_known_and_a_pause_is() -> None:
    as_now, paused = under(origin(), Untold("signal load is missing"), NOTHING).courses
    assert (as_now.count, as_now.short) == (Untold("signal load is missing"), None)
    assert isinstance(paused.count, Count)
    assert paused.short is None


def test_without_a_forecast_an_override_is_still_known() -> None:
    count = counts(under(origin(), Untold("no model"), Whatif(override=6)), "override")
    assert count.ordered[:3, 0].tolist() == [4, 6, 6]
    assert count.ready[:4, 1].tolist() == [4, 4, 6, 6]  # ordered at the next tick


def test_a_pause_in_force_ends_and_the_rule_goes_on() -> None:
    told = Told(4, paused_until_s=NOW_S + 10 * MINUTE_S)
    count = counts(under(origin(hold=small(1, Hold.OPERATOR), told=told), steady(6.0), NOTHING))
    assert count.ordered[:10, 0].tolist() == [4] * 10
    assert count.ordered[10:, 0].tolist() == [7] * 21


def test_a_pause_for_a_while_ends() -> None:
    count = counts(under(origin(), steady(6.0), Whatif(pause_s=5 * MINUTE_S)), "paused")
    assert count.ordered[:7, 0].tolist() == [4, 4, 4, 4, 4, 7, 7]


def test_an_override_in_force_stands_while_it_lasts() -> None:
    told = Told(9, override=9, override_until_s=NOW_S + 3 * MINUTE_S)
    count = counts(under(origin(replicas=9, load=28.0, told=told), steady(6.0), NOTHING))
    assert count.ordered[:3, 0].tolist() == [9, 9, 9]
    assert count.ordered[8:, 0].tolist() == [7] * 23  # then 9 stays for its window, as 7 needs no more


def test_the_incumbent_scales_what_foresail_only_watches() -> None:
    fleet = one(mode="shadow", incumbent={"target": 0.5, "window": "0s"})
    watched = origin(fleet=fleet, replicas=6)
    assert watched.actor is Actor.OTHER
    # 48 of load at 0.5 of 10 need 10; it may go from 6 to 24 in 30 s.
    assert counts(under(watched, steady(6.0), NOTHING)).ordered[:2, 0].tolist() == [6, 10]


def test_a_recommendation_raises_what_the_autoscaler_in_place_would_have() -> None:
    incumbent = {"target": 0.8, "window": "0s"}
    alone = under(origin(fleet=one(mode="shadow", incumbent=incumbent), replicas=6), steady(6.0), NOTHING)
    beside = under(origin(fleet=one(mode="floor", incumbent=incumbent), replicas=6), steady(6.0), NOTHING)
    assert counts(alone).ordered[-1, 0] == 6  # 48 at 8 each
    assert counts(beside).ordered[-1, 0] == 7  # 48 at 7 each, as Foresail recommends


def test_nobody_is_known_to_scale_a_shadow_workload_without_an_autoscaler() -> None:
    assert origin(fleet=one(mode="shadow")).actor is Actor.NOBODY
    assert origin(fleet=one(mode="shadow"), told=Told(4, autoscaled=True)).actor is Actor.OTHER
    assert origin(hold=small(1, Hold.OWNED), told=Told(4, autoscaled=True)).actor is Actor.OTHER


def test_the_maximum_binds() -> None:
    count = counts(under(origin(fleet=one(high=6)), steady(6.0), NOTHING))
    assert count.ordered.max() == 6
    assert count.narrowed["maximum"] == 1


def test_schedules_move_the_bounds_within_the_half_hour() -> None:
    schedules = [{"cron": "10 0 * * *", "timezone": "UTC", "duration": "1h", "min": 12}]  # NOW_S is 00:00
    count = counts(under(origin(fleet=one(schedules=schedules)), steady(3.5), NOTHING))
    assert count.ordered[9:11, 0].tolist() == [4, 12]


def test_a_budget_leaves_what_the_others_do_not_have() -> None:
    documents = [policy(name, objective={"prices": {"replicaHour": 1}}) for name in ("api", "web")]
    fleet = fleet_of(documents, FREE, [budget("shop", usdPerHour=10)])
    observation = seen([5, 4], readings([35.0, 28.0]), pods=ready_pods(5, 4))
    count = counts(under(after(fleet, observation, lane=1), steady(9.0), NOTHING))
    assert count.ordered.max() == 5  # 10 USD an hour less the 5 of api
    assert count.narrowed["budget"] == 1


@pytest.mark.parametrize(
    ("mode", "api", "most"),
    [
        pytest.param("active", 7.0, 7, id="what-is-left"),
        pytest.param("active", 21.0, 5, id="what-is-left-once-another-has-its-two-more"),
        pytest.param("shadow", 21.0, 7, id="a-shadow-takes-nothing"),
    ],
)
def test_a_gpu_quota_leaves_what_the_others_were_not_given(mode: str, api: float, most: int) -> None:
    fleet = fleet_of([policy("api", mode=mode), policy("web")], FREE)
    observation = seen([1, 4], readings([api, 28.0]), pods=ready_pods(1, 4), gpu_room=gpu_room(3, [1, 1]))
    count = counts(under(after(fleet, observation, lane=1), steady(9.0), NOTHING))
    assert count.ordered.max() == most
    assert count.narrowed["gpu_quota"] == 1


def test_the_breaker_is_that_of_the_fleet() -> None:
    fleet = fleet_of([policy(name) for name in ("api", "web")], Limits(removal_ratio=0.1))
    observation = seen([90, 10], readings([630.0, 70.0]), pods=ready_pods(90, 10))
    count = counts(under(after(fleet, observation, lane=1), steady(0.5), NOTHING))
    assert count.ordered[:7, 0].tolist() == [10, 10, 10, 10, 10, 1, 1]  # 10 of 100 may go, alone it were 1 of 10


def _minutes(lead_known: int) -> tuple[Tick, list[int]]:
    """Three hours of a rising and falling load, a tick a minute, each decision carried out."""
    fleet, replicas, change = one(), 4, Applied.none()
    observation = _observation(replicas, 28.0, 0, change)
    state, decision = decide(fleet, EngineState.fresh(fleet), observation)
    before, replicas = replicas, int(decision.replicas.target[0])
    for minute in range(1, 180):
        observation = _observation(replicas, 28.0 + 12.0 * float(np.sin(minute / 20.0)), minute, change)
        state, decision = decide(fleet, state, observation)
        before, replicas = replicas, int(decision.replicas.target[0])
        change = applied((0, observation.now_s, before, replicas)) if replicas != before else Applied.none()
    state.lead.scores.known[:] = lead_known
    return Tick(fleet, observation, decision, Left(state, HorizonFit.empty(demand_rows(fleet)))), [before, replicas]


def _observation(replicas: int, load: float, minute: int, change: Applied) -> Observation:
    return seen([replicas], readings([load]), NOW_S + MINUTE_S * minute, applied=change)


@pytest.mark.parametrize("known", [0, 150, EVIDENCE_STEPS], ids=["unheard", "heard", "alone"])
def test_a_load_that_comes_as_forecast_is_answered_as_projected(known: int) -> None:
    tick, (before, replicas) = _minutes(known)
    shown = replace(tick.seen, pods=ready_pods(before))
    load = ramp(3.5, 6.5)
    count = counts(under(origin_of(replace(tick, seen=shown), 0, Told(replicas)), load, NOTHING))
    fleet, state = replace(tick.fleet, limits=replace(FREE, tick_s=MINUTE_S)), tick.left.state
    ordered = [replicas]
    change = applied((0, tick.seen.now_s, before, replicas)) if replicas != before else Applied.none()
    for minute in range(1, MINUTES + 1):
        value = float(load.signals[0, minute, 0])
        observation = _observation(replicas, value, 179 + minute, change)
        state, decision = decide(fleet, state, observation)
        before, replicas = replicas, int(decision.replicas.target[0])
        change = applied((0, observation.now_s, before, replicas)) if replicas != before else Applied.none()
        ordered.append(replicas)
    assert count.ordered[:, 0].tolist() == ordered
    assert len(set(ordered)) > 2


def test_signals_of_pressure_and_requests_are_taken_as_totals() -> None:
    fleet = one(demand(), {"kind": "pressure", "name": "queue", "query": "queue", "target": {"averageValue": 4}})
    told = under(origin(fleet=fleet, load=28.0), steady(6.0), NOTHING)
    assert told.origin.fleet.tracks.uid == (fleet.tracks.uid[0],)
    assert counts(told).ordered[-1, 0] == 7
