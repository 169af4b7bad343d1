"""What holds of base and surge whatever the hedger asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policies.arrays import floats, integers, small
from policies.engine import decide
from policies.fleet import fleet_of
from policies.mix.model import MixPlan
from policies.model import Hold, Limits
from policies.packing import pack
from policies.places import Places, SpotTerms, Zones
from policies.snapshot import fleet_from, observation_from, snapshot_of, state_from
from policies.split import Ground, Need, guarded
from policies.state import EngineState
from policies.subset import fleet_for, observation_for
from tests.builders import FREE, NOW_S, policy
from tests.properties.generate import fleets, random_seen, seeds

if TYPE_CHECKING:
    from policies.model import Decision, Fleet, Observation

SURGE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-spot"}
COUNTS = st.integers(0, 12)


def column(value: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([value], np.int64)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Ground, MixPlan, Need, int]:
    """One lane with one zone, in any state, and any plan of the hedger's; the policy's minimum on demand."""
    ready, starting, base, missing = draw(COUNTS), draw(COUNTS), draw(COUNTS), draw(st.integers(0, 6))
    noticed, need = draw(st.integers(0, ready)), draw(st.integers(1, 20))
    known, free, held = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    zones = Zones(column(0), ("a",), *map(column, (ready, starting, 0, noticed, 0)))
    ground = Ground(
        lane=column(0),
        zones=zones if known else Zones.none(),
        need=column(need),
        held=np.array([held]),
        known=np.array([known]),
        free=np.array([free]),
        base=column(base),
        surge=column(ready + starting + draw(st.integers(0, 3))),
        base_ready=column(draw(st.integers(0, base))),
        base_starting=column(0),
        base_waiting=column(0),
        ready=column(ready - noticed if known else 0),
        noticed=column(noticed if known else 0),
        missing=column(missing if known else 0),
    )
    rows = int(known)
    plan = MixPlan(
        wanted=integers(rows, draw(COUNTS)),
        on_demand=column(draw(COUNTS)),
        pool_reason=small(rows),
        lane_reason=small(1),
        hazard_per_hour=floats(rows),
        expected_short=floats(1),
        multiplier=floats(1, 1.0),
    )
    current = column(draw(st.integers(1, 20)))
    hold = small(1, Hold.OWNED if held else Hold.NONE)
    budget = draw(st.integers(0, 5))
    return ground, plan, Need(column(0), column(need), current, hold, floats(1, 300.0), budget), draw(st.integers(1, 3))


def decided(case: tuple[Ground, MixPlan, Need, int], limits: Limits = FREE) -> tuple[int, int]:
    ground, plan, need, low = case
    placement = {"spot": {"target": SURGE}, "onDemand": {"min": low}}
    base, spot = guarded(fleet_of([policy("web", placement=placement)], limits), ground, plan, need)
    return int(base.target[0]), int(spot[0])


@given(cases())
def test_never_fewer_are_ready_than_are_needed_or_were(case: tuple[Ground, MixPlan, Need, int]) -> None:
    ground = case[0]
    base, spot = decided(case)
    before = int(ground.base_ready[0] + ground.ready[0])
    after = min(base, int(ground.base_ready[0])) + min(spot, int(ground.ready[0]))
    assert after >= min(before, int(ground.need[0]))


@given(cases())
def test_what_goes_or_is_missing_on_spot_is_asked_for_on_demand(case: tuple[Ground, MixPlan, Need, int]) -> None:
    ground = case[0]
    base, _ = decided(case)
    gone = int(ground.noticed[0] + ground.missing[0])
    if gone and ground.known[0] and not ground.held[0]:
        assert base >= ground.need[0] - max(0, int(ground.surge[0]) - gone)


@given(cases())
def test_without_knowledge_of_spot_all_is_on_demand(case: tuple[Ground, MixPlan, Need, int]) -> None:
    ground = case[0]
    if not ground.known[0] and not ground.held[0]:
        assert decided(case) == (int(ground.need[0]), int(ground.surge[0]))


@given(cases())
def test_a_held_lane_and_a_surge_of_others_stay(case: tuple[Ground, MixPlan, Need, int]) -> None:
    ground = case[0]
    base, spot = decided(case)
    assert spot == ground.surge[0] or (ground.free[0] and not ground.held[0])
    assert base == ground.base[0] or not ground.held[0]


@given(cases())
def test_the_base_is_within_its_minimum_and_what_is_needed(case: tuple[Ground, MixPlan, Need, int]) -> None:
    ground, *_, low = case
    base, _ = decided(case)
    if not ground.held[0]:
        assert min(low, int(ground.need[0])) <= base <= ground.need[0]


@given(cases())
def test_what_moves_is_within_the_fleet_breaker(case: tuple[Ground, MixPlan, Need, int]) -> None:
    ground, _, need, _ = case
    base, spot = decided(case, Limits(removal_ratio=0.1))
    falls = max(0, int(ground.base[0]) - base) + max(0, int(ground.surge[0]) - spot)
    granted = max(0, int(need.current[0] - need.replicas[0]))
    assert falls <= max(granted, need.budget)


def with_places(random: np.random.Generator, fleet: Fleet, seen: Observation) -> Observation:
    """`seen` with anything that may stand in two zones, of placed lanes; counts of other lanes stay."""
    placed, lanes = fleet.spot.placed, fleet.lanes
    surge = np.where(placed, np.minimum(random.integers(0, 9, lanes), seen.spec_replicas), 0)
    known = placed & (random.random(lanes) < 0.8)
    lane = np.repeat(np.flatnonzero(known), 2)
    counts = [random.integers(0, most, lane.size) for most in (5, 3, 2, 3, 2)]
    counts[3] = np.minimum(counts[3], counts[0] + counts[1])
    names = tuple(("a", random.choice(["b", "c"]))[row % 2] for row in range(lane.size))
    return replace(
        seen,
        places=Places(
            surge=surge,
            hold=np.where(random.random(lanes) < 0.8, 0, random.choice(np.array(Hold), lanes)).astype(np.int8),
            known=known,
            base_ready=np.where(placed, random.integers(0, 6, lanes), 0),
            base_starting=np.where(placed, random.integers(0, 3, lanes), 0),
            base_waiting=np.where(placed, random.integers(0, 2, lanes), 0),
            zones=Zones(lane, names, *counts),
        ),
    )


def history(fleet: Fleet, seed: int, count: int) -> list[tuple[EngineState, Observation, EngineState, Decision]]:
    """Random observations, one after another: the state before, what was seen, the state after and the decision."""
    random = np.random.default_rng(seed)
    state, now_s, told = EngineState.fresh(fleet), NOW_S, []
    for _ in range(count):
        seen = with_places(random, fleet, random_seen(random, fleet, now_s))
        after, decision = decide(fleet, state, seen)
        told.append((state, seen, after, decision))
        state = after
        now_s += float(random.choice([15.0, 15.0, 70.0, 4000.0]))
    return told


def some_placed(fleet: Fleet, seed: int) -> Fleet:
    """The fleet with placement for some lanes, whatever their policies say."""
    random, lanes = np.random.default_rng(seed), fleet.lanes
    placed = random.random(lanes) < 0.7
    return replace(fleet, spot=SpotTerms(placed, floats(lanes, 0.35), floats(lanes, 0.01), integers(lanes, 1)))


@given(fleets(), seeds, st.integers(1, 6))
def test_a_placed_lane_decides_the_same_alone_or_in_a_fleet(fleet: Fleet, seed: int, count: int) -> None:
    fleet = some_placed(fleet, seed)
    keeps = [np.arange(fleet.lanes) == lane for lane in range(fleet.lanes)]
    own = [fleet_for(fleet, keep) for keep in keeps]
    states = [EngineState.fresh(each) for each in own]
    for _, seen, _, decision in history(fleet, seed, count):
        for lane, keep in enumerate(keeps):
            states[lane], alone = decide(own[lane], states[lane], observation_for(fleet, seen, keep))
            row = decision.split.lane == lane
            assert alone.split.on_demand.tolist() == decision.split.on_demand[row].tolist()
            assert alone.split.spot.tolist() == decision.split.spot[row].tolist()
            assert alone.current[0] == decision.current[lane]


@given(fleets(), seeds, st.integers(2, 6))
def test_placement_replays_bit_for_bit_from_a_snapshot(fleet: Fleet, seed: int, count: int) -> None:
    fleet = some_placed(fleet, seed)
    told = history(fleet, seed, count)[count // 2 :]
    core, hours = snapshot_of(told[0][0])
    state, kept = state_from(core, hours), fleet_from(pack(fleet))
    for before, seen, after, decision in told:
        untouched = pack(before), pack(seen)
        state, again = decide(kept, state, observation_from(pack(seen)))
        assert (pack(state), pack(again)) == (pack(after), pack(decision))
        assert (pack(before), pack(seen)) == untouched
