"""How a lane's replicas are split over base and surge, and what is never taken away too early."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.arrays import booleans, integers, small
from policies.engine import decide
from policies.explain import sentences
from policies.explain_split import SPLIT_SENTENCES
from policies.fleet import fleet_of
from policies.model import Applied, Hold, Limits
from policies.places import Places, Zones
from policies.snapshot import core_again, core_of, snapshot_of, state_from
from policies.split import SPLIT_RULES
from policies.state import EngineState
from tests.builders import FREE, NOW_S, TICK_S, policy, readings, ready_pods, seen

if TYPE_CHECKING:
    from policies.model import Decision, Fleet, Observation

CAPACITY = 7.0  # what Kubernetes' rule has a replica of capacity 10 serve


def placement(price: float = 0.35, short: object = "1%", low: int = 1) -> dict[str, object]:
    surge = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-spot"}
    return {"spot": {"target": surge, "price": price, "short": short}, "onDemand": {"min": low}}


def placed(limits: Limits = FREE, low: int = 1) -> Fleet:
    return fleet_of([policy("web", placement=placement(low=low), forecast={"enabled": False})], limits)


@dataclass
class World:
    """One lane with base and surge; what is ordered is carried out at once."""

    fleet: Fleet
    base: int = 5
    surge: int = 0
    now_s: float = NOW_S
    state: EngineState | None = None
    base_ready: int | None = None  # None: all of it
    zones: dict[str, list[int]] = field(default_factory=dict)  # ready, starting, waiting, noticed, lost
    known: bool = True
    hold: Hold = Hold.NONE
    lane_hold: Hold = Hold.NONE
    applied: list[tuple[int, float, int, int]] = field(default_factory=list)

    def observation(self, load: float) -> Observation:
        counts = np.array(list(self.zones.values()), np.int64).reshape(-1, 5)
        zones = Zones(integers(len(self.zones)), tuple(self.zones), *counts.T.copy())
        ready = self.base if self.base_ready is None else self.base_ready
        there = Places(
            surge=np.array([self.surge]),
            hold=small(1, self.hold),
            known=booleans(1, value=self.known),
            base_ready=np.array([ready]),
            base_starting=np.array([self.base - ready]),
            base_waiting=integers(1),
            zones=zones if self.known else Zones.none(),
        )
        rows = sorted(self.applied) if self.applied else []
        changes = Applied(*(np.array(column) for column in zip(*rows, strict=True))) if rows else Applied.none()
        spot = sum(each[0] for each in self.zones.values())
        return seen(
            [self.base + self.surge],
            readings([load]),
            self.now_s,
            pods=ready_pods(ready + spot),
            places=there,
            applied=changes,
            hold=small(1, self.lane_hold),
        )

    def tick(self, load: float, *, acts: bool = True) -> Decision:
        self.now_s += TICK_S
        self.state, decision = decide(self.fleet, self.state or EngineState.fresh(self.fleet), self.observation(load))
        self.applied = []
        if acts:
            self.carry_out(decision)
        return decision

    def carry_out(self, decision: Decision) -> None:
        base, surge = split_of(decision)
        moves = [(self.base, base), (self.surge, surge)]
        self.applied = [(0, self.now_s, before, after) for before, after in moves if before != after]
        self.base, self.surge = base, surge


def split_of(decision: Decision) -> tuple[int, int]:
    return int(decision.split.on_demand[0]), int(decision.split.spot[0])


def on_spot() -> World:
    """Of six replicas one on demand, and five on spot in zone a, ready, as they were decided."""
    world = World(placed(), base=1, surge=5, zones={"a": [5, 0, 0, 0, 0]})
    world.tick(6 * CAPACITY)
    return world


def test_without_nodes_all_is_on_demand_and_the_surge_stays() -> None:
    world = World(placed(), base=2, surge=4, known=False)
    decision = world.tick(6 * CAPACITY)
    assert split_of(decision) == (6, 4)
    assert decision.replicas.target.tolist() == [6]


def test_nothing_goes_on_demand_before_spot_is_ready() -> None:
    world = World(placed(), base=6)
    first = world.tick(6 * CAPACITY)
    assert world.surge > 0, "the hedger wants some on spot"
    assert split_of(first)[0] == 6
    world.zones = {"a": [0, world.surge, 0, 0, 0]}
    assert split_of(world.tick(6 * CAPACITY))[0] == 6, "they are on their way"
    world.zones = {"a": [1, world.surge - 1, 0, 0, 0]}
    assert split_of(world.tick(6 * CAPACITY))[0] >= 5, "one of them is ready"


def test_the_total_is_what_was_decided_whatever_stands_in_for_spot() -> None:
    world = on_spot()
    world.zones = {"a": [5, 0, 0, 5, 0]}
    decision = world.tick(6 * CAPACITY)
    assert world.base + world.surge > 6, "replicas stand in for those that go"
    again = world.tick(6 * CAPACITY)
    assert (decision.replicas.target.tolist(), again.replicas.target.tolist()) == ([6], [6])
    assert again.current.tolist() == [6]


def test_a_notice_raises_on_demand_while_spot_still_serves() -> None:
    world = on_spot()
    world.zones = {"a": [5, 0, 0, 2, 0]}
    decision = world.tick(6 * CAPACITY)
    # 6 are needed, and of 5 on spot 3 stay.
    assert decision.split.on_demand[0] >= 3
    assert decision.split.spot[0] >= 3


def test_what_was_taken_back_is_covered_until_it_is_replaced() -> None:
    world = on_spot()
    world.zones = {"a": [3, 2, 0, 0, 2]}
    assert world.tick(6 * CAPACITY).split.missing.tolist() == [2]
    assert world.base >= 3
    world.base_ready = 3
    world.zones = {"a": [3, 2, 0, 0, 0]}
    decision = world.tick(6 * CAPACITY)
    assert decision.split.on_demand[0] >= 3, "the two on spot are still starting"
    world.base_ready = None
    world.zones = {"a": [5, 0, 0, 0, 0]}
    assert world.tick(6 * CAPACITY).split.missing.tolist() == [0]


def test_a_rise_or_fall_of_the_total_is_no_move() -> None:
    world = on_spot()
    world.zones = {"a": [5, 0, 0, 5, 0]}
    world.tick(6 * CAPACITY)
    assert world.applied, "replicas stand in for those that go"
    world.tick(6 * CAPACITY)
    assert world.state is not None
    assert world.state.rises.value.sum() == 0, "the total did not rise"


@pytest.mark.parametrize("hold", [Hold.OWNED, Hold.ANNOTATION, Hold.FORBIDDEN])
def test_a_surge_that_is_not_ours_to_change_stays_and_counts_as_far_as_it_is_ready(hold: Hold) -> None:
    world = World(placed(), base=4, surge=3, zones={"a": [2, 1, 0, 0, 0]}, hold=hold)
    # 7 are needed; 2 on spot are ready.
    assert split_of(world.tick(7 * CAPACITY)) == (5, 3)


def test_without_its_surge_all_is_on_demand() -> None:
    world = World(placed(), base=4, known=False, hold=Hold.NO_TARGET)
    assert split_of(world.tick(6 * CAPACITY)) == (6, 0)


def test_a_held_lane_keeps_both() -> None:
    world = World(placed(), base=4, surge=3, zones={"a": [3, 0, 0, 3, 0]}, lane_hold=Hold.KILL_SWITCH)
    assert split_of(world.tick(20 * CAPACITY)) == (4, 3)


def test_the_fleet_breaker_counts_what_moves() -> None:
    world = World(placed(Limits(removal_ratio=0.1)), base=6, surge=6, zones={"a": [6, 0, 0, 0, 0]})
    decision = world.tick(12 * CAPACITY)
    # A tenth of 12 is 1 replica in ten minutes, though all of 12 might be on spot by now.
    assert split_of(decision)[0] >= 5


def test_each_workload_has_its_own_turn_for_a_new_plan() -> None:
    planned = {}
    for name in ("web", "api"):
        fleet = fleet_of([policy(name, placement=placement(), forecast={"enabled": False})], FREE)
        world = World(fleet, base=1, surge=5, zones={"a": [5, 0, 0, 0, 0]})
        seen_s = set()
        for _ in range(30):
            world.tick(6 * CAPACITY, acts=False)
            assert world.state is not None
            seen_s.add(float(world.state.split.mix.lanes.planned_s[0]) - NOW_S)
        planned[name] = sorted(seen_s)
    assert all(len(times) == 30 * TICK_S // 300 + 1 for times in planned.values())
    assert planned["web"] != planned["api"]


def test_the_state_is_remembered_bit_for_bit() -> None:
    world = on_spot()
    world.zones = {"a": [3, 2, 0, 1, 2], "b": [1, 0, 0, 0, 0]}
    world.tick(6 * CAPACITY)
    assert world.state is not None
    core, hours = snapshot_of(world.state)
    restored = state_from(core, hours)
    assert snapshot_of(restored) == (core, hours)
    twin = replace(world, state=restored, zones=dict(world.zones), applied=list(world.applied))
    assert split_of(twin.tick(8 * CAPACITY)) == split_of(world.tick(8 * CAPACITY))


def test_it_is_told_in_sentences() -> None:
    world = on_spot()
    world.zones = {"a": [3, 2, 0, 2, 0], "b": [0, 0, 1, 0, 1]}
    seen_now = world.observation(6 * CAPACITY)
    decision = world.tick(6 * CAPACITY, acts=False)
    told = sentences(world.fleet, seen_now, decision, 0)
    assert "On spot: a 3 ready, 2 starting, 2 announced to go; b 1 refused a node, 1 taken back just now." in told
    base, spot = split_of(decision)
    assert told[-1] == f"Placement: {base} on demand (now 1) and {spot} on spot (now 5)."
    assert set(SPLIT_SENTENCES) == set(SPLIT_RULES)


def test_what_is_not_known_is_told() -> None:
    world = World(placed(), base=2, surge=4, known=False)
    seen_now = world.observation(6 * CAPACITY)
    told = sentences(world.fleet, seen_now, world.tick(6 * CAPACITY, acts=False), 0)
    assert "Where its spot replicas stand is not known, as nodes cannot be read, so all is on demand." in told


def test_a_state_from_before_placement_is_read() -> None:
    fleet = fleet_of([policy("web")])
    core, hours = snapshot_of(EngineState.fresh(fleet))
    older = _without(core, "split")
    assert len(older) < len(core)
    assert core_of(state_from(older, hours)) == core_again(older) == core


def _without(core: bytes, field: str) -> bytes:
    """A packed state as an older program packed it: without one field, which has no blocks."""
    body = zlib.decompress(core[4:])
    size = int.from_bytes(body[:4], "little")
    header = json.loads(body[4 : 4 + size])
    del header["value"][field]
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    packed = zlib.compressobj(1)
    rest = len(text).to_bytes(4, "little") + text + body[4 + size :]
    return core[:4] + packed.compress(rest) + packed.flush()
