"""Some batches of generated fleets, and that a rule which is broken is noticed; `make bench` looks at very many."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies import engine
from policies.model import Status
from tests.properties import many
from tests.properties.many import checked

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.arrays import IntArray
    from policies.model import Decision, Fleet, Observation
    from policies.state import EngineState

    Broken = Callable[[Fleet, Observation, Decision], IntArray]


def test_a_batch_of_fleets_without_a_violation() -> None:
    assert checked(0) == []


def above_bounds(_fleet: Fleet, _seen: Observation, decision: Decision) -> IntArray:
    return decision.replicas.target + 1_000_000


def lower_on_stale(fleet: Fleet, _seen: Observation, decision: Decision) -> IntArray:
    stale = np.isin(np.arange(fleet.lanes), fleet.tracks.lane[decision.readings.status == Status.STALE])
    return np.where(stale, decision.min_replicas, decision.replicas.target)


def fewer_for_more(fleet: Fleet, seen: Observation, decision: Decision) -> IntArray:
    load = np.bincount(fleet.tracks.lane, seen.readings.value_milli / 2**40, fleet.lanes)
    return np.where(load % 1.0 < 0.5, decision.max_replicas, decision.replicas.target)


def by_its_company(fleet: Fleet, _seen: Observation, decision: Decision) -> IntArray:
    return decision.replicas.target + int(fleet.lanes > 10)


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        pytest.param(above_bounds, "bounds", id="bounds"),
        pytest.param(lower_on_stale, "no shrink on missing data", id="missing data"),
        pytest.param(fewer_for_more, "monotone in load", id="monotone"),
        pytest.param(by_its_company, "the same alone as in a fleet", id="company"),
    ],
)
def test_a_broken_rule_is_found(monkeypatch: pytest.MonkeyPatch, rule: Broken, found: str) -> None:
    def broken(fleet: Fleet, state: EngineState, seen: Observation) -> tuple[EngineState, Decision]:
        after, decision = engine.decide(fleet, state, seen)
        target = rule(fleet, seen, decision)
        return after, replace(decision, replicas=replace(decision.replicas, target=target))

    monkeypatch.setattr(many, "decide", broken)
    assert found in {violation.what for violation in checked(0, 12)}


def test_a_decision_that_hangs_on_what_is_not_saved_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def forgetful(fleet: Fleet, state: EngineState, seen: Observation) -> tuple[EngineState, Decision]:
        calls.append(1)
        after, decision = engine.decide(fleet, state, seen)
        return after, replace(decision, at_s=decision.at_s + len(calls))

    monkeypatch.setattr(many, "decide", forgetful)
    assert "replay equals live" in {violation.what for violation in checked(0, 4)}
