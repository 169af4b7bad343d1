"""What holds of budgets for any fleet, whatever is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policies.arrays import any_by
from policies.budget_terms import BudgetTerms
from policies.budgeted import unseen_lanes, within_budgets
from policies.engine import decide
from policies.guardrails import holds_of
from policies.hpa.behavior import Bounds
from policies.mix.budgets import Scope
from policies.model import Hold, Kind, Mode, Status
from policies.packing import pack
from policies.proposal import Proposal
from policies.snapshot import fleet_from, observation_from, snapshot_of, state_from
from policies.state import EngineState
from tests.builders import NOW_S
from tests.properties.generate import fleets, random_seen, seeds

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from policies.budgeted import Budgeted
    from policies.model import Decision, Fleet, Observation

A_LITTLE = 1e-5
CAPS = st.sampled_from([0.5, 3.0, 7.5, 20.0, 400.0, np.inf])
NEEDS = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 3.0, 8.0])


@st.composite
def budgeted_fleets(draw: DrawFn) -> Fleet:
    """Any fleet, in two namespaces of which one has caps, under caps of its lanes and of the whole."""
    fleet = draw(fleets())
    lanes = fleet.lanes

    def table(values: st.SearchStrategy[float], rows: int) -> np.ndarray:
        return np.array([[draw(values), draw(values)] for _ in range(rows)])

    def column(low: int, high: int) -> np.ndarray:
        return np.array([draw(st.integers(low, high)) for _ in range(lanes)], np.int64)

    terms = BudgetTerms(
        priority=column(-1, 1),
        need=table(NEEDS, lanes),
        own=table(CAPS, lanes),
        namespace=column(0, 1),
        names=("shop",),
        namespaces=np.concatenate([table(CAPS, 1), np.full((1, 2), np.inf)]),
        fleet=table(CAPS, 1)[0],
    )
    return replace(fleet, budget=terms)


def decided(fleet: Fleet, seed: int) -> tuple[Observation, Decision]:
    seen = random_seen(np.random.default_rng(seed), fleet, NOW_S)
    return seen, decide(fleet, EngineState.fresh(fleet), seen)[1]


def again(fleet: Fleet, seen: Observation, decision: Decision, target: np.ndarray) -> tuple[Proposal, Budgeted]:
    """The rule alone, on any target."""
    bounds = Bounds(decision.min_replicas, decision.max_replicas)
    return within_budgets(Proposal(target), fleet, EngineState.fresh(fleet), seen, bounds)


def uses(fleet: Fleet, replicas: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """What replicas take under each cap, and the cap."""
    terms = fleet.budget
    use = replicas[:, np.newaxis] * np.maximum(terms.need, 0.0)
    rows = zip(use, terms.own, strict=True)
    return [*rows, (use[terms.namespace == 0].sum(0), terms.namespaces[0]), (use.sum(0), terms.fleet)]


@given(budgeted_fleets(), seeds)
def test_caps_hold_but_for_what_may_not_go(fleet: Fleet, seed: int) -> None:
    fleet = replace(fleet, mode=np.where(fleet.mode == Mode.SHADOW, np.int8(Mode.ACTIVE), fleet.mode))
    seen, decision = decided(fleet, seed)
    told, current = decision.budget, np.maximum(seen.spec_replicas, 0)
    if not told.wanted.size:
        return
    held = holds_of(fleet, seen.hold) != Hold.NONE
    stays = replace(seen, readings=decision.readings)
    slow = unseen_lanes(fleet, stays) | fleet.behavior.down.written
    may_stay = np.where(slow, np.maximum(current, decision.min_replicas), decision.min_replicas)
    least = np.where(held, current, np.minimum(told.wanted, may_stay))
    for (use, cap), (floors, _) in zip(uses(fleet, told.kept), uses(fleet, least), strict=True):
        assert (use <= np.maximum(cap, floors) + A_LITTLE).all()


@given(budgeted_fleets(), seeds)
def test_they_take_away_only_and_say_which_cap_it_was(fleet: Fleet, seed: int) -> None:
    seen, decision = decided(fleet, seed)
    told = decision.budget
    if told.wanted.size:
        assert (told.kept <= told.wanted).all()
        assert ((told.scope != Scope.NONE) == (told.kept < told.wanted)).all()
        held = holds_of(fleet, seen.hold) != Hold.NONE
        low = np.minimum(decision.min_replicas, told.wanted)
        assert (told.kept >= low)[~held].all()


@given(budgeted_fleets(), seeds)
def test_missing_data_is_never_lowered(fleet: Fleet, seed: int) -> None:
    seen, decision = decided(fleet, seed)
    missing = (seen.readings.status == Status.MISSING) | (seen.readings.status == Status.STALE)
    asks = fleet.tracks.kind != Kind.LATE
    doubtful = any_by(fleet.tracks.lane, asks & missing, fleet.lanes)
    floor = np.minimum(seen.spec_replicas, decision.max_replicas)
    assert (decision.replicas.target >= floor)[doubtful].all()


@given(budgeted_fleets(), seeds)
def test_what_was_left_is_left_again(fleet: Fleet, seed: int) -> None:
    seen, decision = decided(fleet, seed)
    fleet = replace(fleet, mode=np.where(fleet.mode == Mode.SHADOW, np.int8(Mode.ACTIVE), fleet.mode))
    seen = replace(seen, spec_replicas=np.maximum(seen.spec_replicas, 0), readings=decision.readings)
    first, _ = again(fleet, seen, decision, np.maximum(decision.replicas.target, 0))
    second, told = again(fleet, seen, decision, first.target)
    assert second.target.tolist() == first.target.tolist()
    assert (told.wanted == told.kept).all()


@given(budgeted_fleets(), seeds)
def test_the_same_bytes_give_the_same_decision(fleet: Fleet, seed: int) -> None:
    seen = random_seen(np.random.default_rng(seed), fleet, NOW_S)
    seen = replace(seen, gpus_milli=np.arange(fleet.lanes) * 500 - 1)
    state, decision = decide(fleet, EngineState.fresh(fleet), seen)
    core, hours = snapshot_of(EngineState.fresh(fleet))
    other, same = decide(fleet_from(pack(fleet)), state_from(core, hours), observation_from(pack(seen)))
    assert pack(same.replicas) == pack(decision.replicas)
    assert pack(same.budget) == pack(decision.budget)
    assert snapshot_of(other) == snapshot_of(state)


@given(budgeted_fleets(), seeds)
def test_what_suffices_changes_nothing(fleet: Fleet, seed: int) -> None:
    terms = fleet.budget
    lots = replace(terms, own=terms.own + 1e12, namespaces=terms.namespaces + 1e12, fleet=terms.fleet + 1e12)
    _, decision = decided(replace(fleet, budget=lots), seed)
    _, without = decided(replace(fleet, budget=BudgetTerms.none(fleet.lanes)), seed)
    assert pack(decision.replicas) == pack(without.replicas)
