"""What holds of shared GPU quotas for any fleet, whatever is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policies.engine import decide
from policies.gpu_quota import within_gpu_quota
from policies.gpu_room import GpuRoom
from policies.guardrails import holds_of
from policies.model import Hold, Mode
from policies.packing import pack
from policies.proposal import Proposal
from policies.snapshot import fleet_from, observation_from, snapshot_of, state_from
from policies.state import EngineState
from policies.subset import fleet_for, observation_for
from tests.builders import NOW_S
from tests.properties.generate import fleets, random_seen, seeds

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from policies.gpu_quota import GpuShares
    from policies.model import Fleet, Observation

CAPS = 3


@st.composite
def cases(draw: DrawFn) -> tuple[Fleet, Observation, Proposal]:
    """Any fleet with priorities, what is seen of it under up to three caps, and any proposal of moderate rises."""
    fleet = draw(fleets())
    priority = np.array([draw(st.integers(-1, 1)) for _ in range(fleet.lanes)], np.int64)
    fleet = replace(fleet, budget=replace(fleet.budget, priority=priority))
    seen = random_seen(np.random.default_rng(draw(seeds)), fleet, NOW_S)
    rows = [(lane, cap) for lane in range(fleet.lanes) for cap in range(CAPS) if draw(st.booleans())]
    room = GpuRoom(
        names=tuple(f"shop/nvidia.com/mig-{cap}g.5gb" for cap in range(CAPS)),
        left_milli=np.array([draw(st.sampled_from([0, 500, 3000, 20_000, 10**9])) for _ in range(CAPS)], np.int64),
        lane=np.array([lane for lane, _ in rows], np.int64),
        cap=np.array([cap for _, cap in rows], np.int64),
        need_milli=np.array([draw(st.sampled_from([500, 1000, 3000, 8000])) for _ in rows], np.int64),
    )
    target = np.maximum(seen.spec_replicas, 0) + [draw(st.integers(-3, 40)) for _ in range(fleet.lanes)]
    return fleet, replace(seen, gpu_room=room), Proposal(np.maximum(target, 0))


def acting(fleet: Fleet) -> Fleet:
    """The same without shadow, whose lanes count apart."""
    return replace(fleet, mode=np.where(fleet.mode == Mode.SHADOW, np.int8(Mode.ACTIVE), fleet.mode))


def left_over(room: GpuRoom, shares: GpuShares) -> np.ndarray:
    """What is left under each cap after the shares."""
    taken = np.zeros(CAPS, np.int64)
    np.add.at(taken, room.cap, room.need_milli * shares.given[room.lane])
    return shares.left_milli - taken


@given(cases())
def test_the_sum_stays_within_the_quota(case: tuple[Fleet, Observation, Proposal]) -> None:
    fleet, seen, proposal = case
    assert seen.gpu_room is not None
    _, shares = within_gpu_quota(proposal, acting(fleet), seen)
    if shares.asked.size:
        assert (left_over(seen.gpu_room, shares) >= 0).all()
        assert (shares.left_milli <= seen.gpu_room.left_milli).all()


@given(cases())
def test_rises_are_cut_and_nothing_is_lowered(case: tuple[Fleet, Observation, Proposal]) -> None:
    fleet, seen, proposal = case
    found, shares = within_gpu_quota(proposal, fleet, seen)
    current = np.maximum(seen.spec_replicas, 0)
    assert (found.target <= proposal.target).all()
    assert (found.target >= np.minimum(proposal.target, current)).all()
    if shares.asked.size:
        held = holds_of(fleet, seen.hold) != Hold.NONE
        assert (found.target == proposal.target)[held].all()
        assert ((found.target < proposal.target) == (shares.withheld > 0)).all()


@given(cases())
def test_no_replica_more_would_fit_that_is_asked_for(case: tuple[Fleet, Observation, Proposal]) -> None:
    fleet, seen, proposal = case
    room = seen.gpu_room
    assert room is not None
    _, shares = within_gpu_quota(proposal, acting(fleet), seen)
    for lane in np.flatnonzero(shares.withheld):
        rows = room.lane == lane
        assert (left_over(room, shares)[room.cap[rows]] < room.need_milli[rows]).any()


@given(cases())
def test_who_asks_below_changes_nothing_above(case: tuple[Fleet, Observation, Proposal]) -> None:
    fleet, seen, proposal = case
    fleet = acting(fleet)
    high = fleet.budget.priority == fleet.budget.priority.max()
    _, shares = within_gpu_quota(proposal, fleet, seen)
    quiet = Proposal(np.where(high, proposal.target, np.maximum(seen.spec_replicas, 0)))
    _, alone = within_gpu_quota(quiet, fleet, seen)
    assert shares.given[high[: shares.given.size]].tolist() == alone.given[high[: alone.given.size]].tolist()


@given(cases())
def test_what_was_given_is_given_again(case: tuple[Fleet, Observation, Proposal]) -> None:
    fleet, seen, proposal = case
    first, _ = within_gpu_quota(proposal, acting(fleet), seen)
    second, _ = within_gpu_quota(first, acting(fleet), seen)
    assert second.target.tolist() == first.target.tolist()


@given(cases())
def test_the_same_bytes_give_the_same_decision(case: tuple[Fleet, Observation, Proposal]) -> None:
    fleet, seen, _ = case
    state, decision = decide(fleet, EngineState.fresh(fleet), seen)
    core, hours = snapshot_of(EngineState.fresh(fleet))
    other, same = decide(fleet_from(pack(fleet)), state_from(core, hours), observation_from(pack(seen)))
    assert pack(same.replicas) == pack(decision.replicas)
    assert pack(same.gpu_shares) == pack(decision.gpu_shares)
    assert snapshot_of(other) == snapshot_of(state)


@given(cases())
def test_some_lanes_are_seen_as_they_were(case: tuple[Fleet, Observation, Proposal]) -> None:
    fleet, seen, proposal = case
    keep = np.arange(fleet.lanes) % 2 == 0
    part = observation_for(fleet, seen, keep)
    assert part.gpu_room is not None
    _, shares = within_gpu_quota(Proposal(proposal.target[keep]), fleet_for(fleet, keep), part)
    asked = np.where(holds_of(fleet, seen.hold) != Hold.NONE, 0, proposal.target - np.maximum(seen.spec_replicas, 0))
    if shares.asked.size:
        assert shares.asked.tolist() == np.maximum(asked, 0)[keep].tolist()
