"""The hedger as it is called each tick."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies.arrays import integers
from policies.mix import columns
from policies.mix.hedge import hedged
from policies.mix.model import LaneMemory, Lanes, MixPlan, MixReason, MixState, PoolMemory, Pools
from policies.packing import pack, unpack

START_S = 1_000_000.0
DAY_S = 86_400.0


def _lanes(need: int = 4, **given: object) -> Lanes:
    lanes = Lanes.steady(integers(1, need), startup_s=300.0, objective=0.01)
    return replace(lanes, **{name: np.array([value]) for name, value in given.items()})


def _pools(*ready: int, **given: list[int] | list[bool]) -> Pools:
    pools = Pools.idle(integers(len(ready)), np.linspace(0.3, 0.4, len(ready)))
    return replace(pools, ready=np.array(ready), **{name: np.array(value) for name, value in given.items()})


def _watched(*ready: int, hours: float = 24.0, **lane: object) -> MixState:
    """The state of a lane whose pools ran undisturbed for so long."""
    state = MixState.start(1, len(ready))
    for at_s in np.arange(0.0, hours * 3600, 300.0):
        state, _ = hedged(_lanes(**lane), _pools(*ready), state, now_s=START_S + at_s)  # type: ignore[arg-type]
    return state


def _after(hours: float) -> float:
    return START_S + hours * 3600


def _spot(plan: MixPlan) -> int:
    return int(plan.wanted.sum())


def test_a_new_lane_starts_all_it_needs_at_once() -> None:
    _, plan = hedged(_lanes(), _pools(0, 0, 0), MixState.start(1, 3), now_s=START_S)
    assert _spot(plan) + plan.on_demand[0] >= 4


def test_a_lane_without_need_keeps_nothing_but_probes() -> None:
    _, plan = hedged(_lanes(0), _pools(0, 0), MixState.start(1, 2), now_s=START_S)
    assert plan.on_demand.tolist() == [0]
    assert plan.wanted.tolist() == [1, 1]
    assert plan.pool_reason.tolist() == [MixReason.PROBE, MixReason.PROBE]


def test_old_spot_is_trusted() -> None:
    state = _watched(2, 2, 2)
    _, plan = hedged(_lanes(), _pools(2, 2, 2), state, now_s=_after(24))
    assert plan.on_demand.tolist() == [0]
    assert (plan.hazard_per_hour < 0.05).all()  # 1 / (25 + 0.8) and a factor below 1


def test_a_lost_pool_is_left_and_covered() -> None:
    state = _watched(2, 2, 0)
    state, plan = hedged(
        _lanes(), _pools(0, 2, 0, lost=[2, 0, 0], refused=[False, False, True]), state, now_s=_after(24)
    )
    assert plan.wanted[0] == 0
    assert plan.pool_reason[0] == MixReason.CLOSED
    assert plan.wanted[1] + plan.on_demand[0] >= 4


def test_a_closed_pool_is_tried_again_when_its_back_off_ends() -> None:
    state = _watched(2, 2, 2)
    lost = _pools(0, 2, 2, lost=[2, 0, 0])
    state, plan = hedged(_lanes(), lost, state, now_s=_after(24))
    state, plan = hedged(_lanes(), _pools(0, 2, 2), state, now_s=_after(24) + 30)
    assert plan.wanted[0] == 0
    state, plan = hedged(_lanes(), _pools(0, 2, 2), state, now_s=_after(24) + 60)
    assert (plan.wanted[0], plan.pool_reason[0]) == (1, MixReason.RETRY)
    state, plan = hedged(_lanes(), _pools(0, 2, 2, refused=[True, False, False]), state, now_s=_after(24) + 60)
    assert plan.wanted[0] == 0
    state, plan = hedged(_lanes(), _pools(0, 2, 2), state, now_s=_after(24) + 150)
    assert plan.wanted[0] == 0  # 120 s after the second refusal
    state, plan = hedged(_lanes(), _pools(0, 2, 2), state, now_s=_after(24) + 180)
    assert plan.wanted[0] == 1


def test_noticed_replicas_count_as_leaving_and_serve_until_they_go() -> None:
    state = _watched(2, 2, 2)
    _, plan = hedged(_lanes(), _pools(2, 2, 2, noticed=[2, 0, 0]), state, now_s=_after(24) + 30)
    assert (plan.wanted[0], plan.pool_reason[0]) == (2, MixReason.NOTICED)
    assert plan.wanted[1:].sum() + plan.on_demand[0] >= 4


def test_what_is_released_waits_until_the_others_are_ready() -> None:
    pools = _pools(2, 2, 2)
    state, plan = hedged(_lanes(on_demand_ready=4), pools, _watched(2, 2, 2, on_demand_ready=4), now_s=_after(24))
    assert plan.on_demand[0] == 0
    state = _watched(0, 0, 0, on_demand_ready=4, hours=1)
    starting = replace(_pools(0, 0, 0), starting=np.array([2, 2, 2]))
    _, plan = hedged(_lanes(on_demand_ready=4), starting, state, now_s=_after(1))
    assert plan.on_demand[0] == 4


def test_refused_on_demand_is_tried_again_with_back_off_and_spot_stands_in() -> None:
    state = _watched(2, 2, 0, objective=0.001)
    _, calm = hedged(_lanes(objective=0.001), _pools(2, 2, 0), state, now_s=_after(24))
    refused = _lanes(on_demand_refused=True, objective=0.001)
    state, plan = hedged(refused, _pools(2, 2, 0), state, now_s=_after(24))
    assert plan.on_demand[0] == 0
    assert plan.lane_reason[0] == MixReason.CLOSED
    state, _ = hedged(refused, _pools(2, 2, 0), state, now_s=_after(24) + 60)
    assert state.lanes.try_s[0] == _after(24) + 60 + 120  # 1 min, then 2
    for at_s in range(600, 6 * 3600, 600):
        state, plan = hedged(refused, _pools(2, 2, 0), state, now_s=_after(24) + at_s)
    assert state.lanes.refusals[0] == pytest.approx(1, abs=0.1)  # one spell
    assert calm.wanted.sum() - calm.wanted.max() < 4  # on-demand would come within a start-up
    assert plan.wanted.sum() - plan.wanted.max() >= 4  # now any one pool may go


def test_a_tighter_objective_runs_more() -> None:
    def cost(objective: float) -> float:
        lanes = replace(_lanes(), objective=np.array([objective]))
        state = MixState.start(1, 3)
        state, plan = hedged(lanes, _pools(0, 0, 0), state, now_s=START_S)
        for at_s in np.arange(300.0, 4 * 3600, 300.0):
            state, plan = hedged(lanes, _pools(2, 2, 2), state, now_s=START_S + at_s)
        return float(plan.wanted @ [0.3, 0.35, 0.4] + plan.on_demand[0])

    assert cost(0.05) <= cost(0.01) <= cost(0.001)
    assert cost(0.05) < cost(0.001)


def test_shortness_raises_what_shortness_is_worth() -> None:
    def worth(ready: int) -> float:
        state = MixState.start(1, 2)
        for at_s in np.arange(0.0, DAY_S, 300.0):
            state, _ = hedged(_lanes(), _pools(ready, 2), state, now_s=START_S + at_s)
        return float(np.exp(state.lanes.log_multiplier[0]))

    assert worth(1) > worth(2)


def test_a_lane_decides_the_same_alone_and_in_a_fleet() -> None:
    random = np.random.default_rng(3)
    lanes = Lanes.steady(np.array([1, 4, 9]), startup_s=300.0, objective=0.01)
    lane = np.array([0, 1, 1, 1, 2, 2])
    pools = Pools.idle(lane, random.uniform(0.3, 0.4, 6))
    fleet, alone = MixState.start(3, 6), MixState.start(1, 3)
    for at_s in np.arange(0.0, 7200.0, 30.0):
        lost = (random.random(6) < 0.02).astype(np.int64)
        pools = replace(pools, ready=np.where(lost > 0, 0, random.integers(0, 4, 6)), lost=lost)
        fleet, plan = hedged(lanes, pools, fleet, now_s=START_S + at_s)
        mine = [getattr(pools, name)[1:4] for name in Pools.__slots__ if name != "lane"]
        alone, single = hedged(_lanes(4), Pools(integers(3), *mine), alone, now_s=START_S + at_s)
        assert plan.wanted[1:4].tolist() == single.wanted.tolist()
        assert plan.on_demand[1] == single.on_demand[0]


def test_plans_are_made_at_the_lane_s_own_phase() -> None:
    lanes = replace(Lanes.steady(np.array([4, 4]), startup_s=300.0, objective=0.01), phase_s=np.array([0.0, 120.0]))
    pools = replace(Pools.idle(np.array([0, 1]), np.array([0.3, 0.3])), ready=np.array([4, 4]))
    state, planned = MixState.start(2, 2), []
    for at_s in range(200, 1100, 30):  # 1,000,200 is a multiple of 300
        state, _ = hedged(lanes, pools, state, now_s=START_S + at_s)
        planned.append(state.lanes.planned_s - START_S)
    made = [sorted({float(at_s) for at_s in of_lane}) for of_lane in np.transpose(planned)]
    assert made == [[200, 500, 800], [200, 320, 620, 920]]


def test_the_state_goes_through_bytes_and_into_other_rows() -> None:
    state = _watched(2, 2, 2, hours=3)
    assert pack(unpack(MixState, pack(state))) == pack(state)
    moved = state.aligned(np.array([-1, 0]), np.array([-1, 2, 0]))
    assert moved.pools.since_s[1:].tolist() == [state.pools.since_s[2], state.pools.since_s[0]]
    assert moved.lanes.at_s[1] == state.lanes.at_s[0]
    assert moved.shadow.short[0].sum() == 0


def test_limits_hold() -> None:
    pools = replace(_pools(1, 1, 1), limit=np.array([1, 1, 1]))
    state = MixState.start(1, 3)
    for at_s in np.arange(0.0, 3600.0, 30.0):
        state, plan = hedged(_lanes(), pools, state, now_s=START_S + at_s)
        assert (plan.wanted <= 1).all()
        assert _spot(plan) + plan.on_demand[0] >= 4


def test_many_replicas_are_planned_in_blocks() -> None:
    _, plan = hedged(_lanes(1000), _pools(0, 0, 0), MixState.start(1, 3), now_s=START_S)
    assert 1000 <= _spot(plan) + plan.on_demand[0] <= 3000


@pytest.mark.parametrize(
    ("lanes", "pools", "words"),
    [
        pytest.param(1, [0, 1], "align the state first", id="other-number-of-pools"),
        pytest.param(1, [0, 1, 0], "must rise from 0 to at most 0", id="unsorted"),
        pytest.param(2, [0, 0, 0], "2 lanes were seen, 1 are remembered", id="other-number-of-lanes"),
    ],
)
def test_tables_that_do_not_fit_are_refused(lanes: int, pools: list[int], words: str) -> None:
    seen = Lanes.steady(integers(lanes, 1), startup_s=300.0, objective=0.01)
    with pytest.raises(ValueError, match=words):
        hedged(seen, Pools.idle(np.array(pools), np.ones(len(pools))), MixState.start(1, 3), now_s=START_S)


def test_columns_stand_where_the_loops_look() -> None:
    assert list(Lanes.__slots__)[columns.PHASE_S] == "phase_s"
    assert [name for name in Pools.__slots__ if name != "lane"][columns.REFUSED] == "refused"
    assert list(PoolMemory.__slots__)[columns.PROBE_S] == "probe_s"
    assert list(PoolMemory.__slots__)[columns.POOL_WANTED] == "wanted"
    assert list(LaneMemory.__slots__)[columns.SHORT_AHEAD] == "short_ahead"
    assert list(LaneMemory.__slots__)[columns.ON_DEMAND_WANTED] == "wanted"
