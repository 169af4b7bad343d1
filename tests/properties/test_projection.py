"""Properties of projections, from any state, for anything that may be seen, and for any load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policies.engine import decide
from policies.fleet import fleet_of
from policies.forecast.horizon import HorizonFit
from policies.guardrails import holds_of
from policies.lead_time import serving_per_replica
from policies.model import Hold
from policies.projection.course import Count, Whatif, under
from policies.projection.load import MINUTES, Load, Untold
from policies.projection.origin import Actor, Left, Origin, Tick, Told, origin_of
from policies.projection.words import course_sentence, notes
from policies.rows import demand_rows
from policies.schedules import bounds_at
from policies.state import EngineState
from tests.builders import FREE, NOW_S
from tests.properties.generate import policies, random_seen, seeds

if TYPE_CHECKING:
    from policies.arrays import FloatArray
    from policies.spec import WorkloadPolicy

loads = st.lists(st.floats(0.0, 500.0), min_size=2, max_size=5)


def begun(document: WorkloadPolicy, seed: int) -> Origin:
    """One lane after a tick that saw anything."""
    fleet, random = fleet_of([document], FREE), np.random.default_rng(seed)
    observation = random_seen(random, fleet, NOW_S)
    state, decision = decide(fleet, EngineState.fresh(fleet), observation)
    asked = int(decision.replicas.target[0])
    tick = Tick(fleet, observation, decision, Left(state, HorizonFit.empty(demand_rows(fleet))))
    return origin_of(tick, 0, Told(max(asked, 0)))


def load_of(origin: Origin, replicas: FloatArray) -> Load:
    """A load through some values, the same at both levels but for 10 % more at p90."""
    median = np.interp(np.arange(MINUTES + 1), np.linspace(0, MINUTES, replicas.size), replicas)
    both = np.stack([median, 1.1 * median], axis=1)
    serving = np.minimum(np.maximum(serving_per_replica(origin.fleet, origin.seen), 0.0), 1e6)
    return Load(serving[:, np.newaxis, np.newaxis] * both, both)


@given(policies(), seeds, loads)
def test_nobody_changes_a_count_in_a_pause(document: WorkloadPolicy, seed: int, through: list[float]) -> None:
    origin = begun(document, seed)
    paused = under(origin, load_of(origin, np.array(through)), Whatif()).courses[1].count
    if isinstance(paused, Count):
        assert (paused.ordered == origin.told.asked).all()
        assert (np.diff(paused.ready, axis=0) >= 0).all()
        assert (paused.ready <= paused.ordered).all()


@given(policies(), seeds, loads)
def test_what_foresail_orders_is_within_the_bounds_or_where_it_was(
    document: WorkloadPolicy, seed: int, through: list[float]
) -> None:
    origin = begun(document, seed)
    if origin.actor is not Actor.FORESAIL or origin.fixed is not None:
        return
    count = under(origin, load_of(origin, np.array(through)), Whatif()).courses[0].count
    if isinstance(count, Untold):
        return
    assert (count.ready <= count.ordered).all()
    for minute in range(1, MINUTES + 1):
        at_s, fleet = origin.at_s + 60.0 * minute, origin.fleet
        _, high = bounds_at(fleet.schedules, fleet.min_replicas, fleet.max_replicas, now_s=at_s)
        before, after = count.ordered[minute - 1], count.ordered[minute]
        assert ((after <= high) | (after <= before)).all()


@given(loads, st.floats(0.0, 100.0), st.integers(0, 500))
def test_more_load_never_needs_fewer_nor_is_served_sooner(through: list[float], more: float, ready: int) -> None:
    median = np.interp(np.arange(MINUTES + 1), np.linspace(0, MINUTES, len(through)), through)
    less, larger = (Load(np.zeros((0, 0, 0)), np.stack([each, each], axis=1)) for each in (median, median + more))
    count = np.full((MINUTES + 1, 2), ready)
    assert (larger.needed >= less.needed).all()
    assert (larger.above(count) >= less.above(count)).all()


@given(policies(), seeds, st.integers(0, 50))
def test_without_a_forecast_no_number_is_made_up(document: WorkloadPolicy, seed: int, override: int) -> None:
    origin = begun(document, seed)
    told = under(origin, Untold("nobody knows"), Whatif(override=override))
    assert all(course.short is None for course in told.courses)
    if origin.actor is Actor.FORESAIL and origin.fixed is None:
        assert isinstance(told.courses[0].count, Untold)
    assert all(course_sentence(told, course).endswith(".") for course in told.courses)
    assert all(note.endswith(".") for note in notes(told))


@given(policies(), seeds, loads)
def test_a_hold_that_nobody_ends_stands(document: WorkloadPolicy, seed: int, through: list[float]) -> None:
    origin = begun(document, seed)
    held = holds_of(origin.fleet, np.array([int(origin.hold)], np.int8))[0] != Hold.NONE
    if held and origin.actor is Actor.NOBODY:
        as_now = under(origin, load_of(origin, np.array(through)), Whatif()).courses[0].count
        assert isinstance(as_now, Untold) or (as_now.ordered == origin.told.asked).all()
