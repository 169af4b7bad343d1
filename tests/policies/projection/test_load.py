"""The load of the next half hour, by the models of the outlook; and when nothing is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies.engine import decide
from policies.forecast.horizon import HorizonFit, refit
from policies.history import Backfill
from policies.model import Status, Why
from policies.projection.load import MINUTES, Load, Untold, expected
from policies.projection.origin import Left, Origin, Tick, Told, origin_of
from policies.rows import demand_rows
from policies.state import EngineState
from tests.builders import NOW_S, late, one, pressure, readings, ready_pods, requested, samples, seen
from tests.policies.projection.half_hours import origin

HOURS = 4


def learned(load: float, now: float, *, event: object = None) -> Origin:
    """A lane whose load was `load` for some hours, and is `now`; the models are fitted to it."""
    fleet, minutes = one(forecast={"events": [] if event is None else [event]}), HOURS * 60
    state = EngineState.fresh(fleet)
    noise = 0.5 * np.sin(np.arange(minutes))
    values = (load + noise).astype(np.float32)[np.newaxis]
    past = Backfill(NOW_S - 60.0 * minutes, 60.0, values, np.ones((1, minutes), np.bool_))
    state = replace(state, history=state.history.filled_with(past))
    fit = refit(state.history.window(3600.0 * HOURS, NOW_S), now_s=NOW_S, rows=demand_rows(fleet))
    observation = seen([5], readings([now]), pods=ready_pods(5))
    state, decision = decide(fleet, state, observation)
    return origin_of(Tick(fleet, observation, decision, Left(state, fit)), 0, Told(5))


def test_the_load_begins_where_it_is_and_goes_where_the_models_say() -> None:
    told = expected(learned(40.0, 40.0))
    assert isinstance(told, Load)
    assert told.replicas.shape == (MINUTES + 1, 2)
    assert told.replicas[0].tolist() == [5.0, 5.0]  # 40 at 8 each
    assert told.replicas[1:, 0] == pytest.approx(5.0, abs=0.1)
    assert (told.replicas[:, 1] >= told.replicas[:, 0]).all()
    assert told.signals[0] == pytest.approx(8.0 * told.replicas)


def test_a_load_above_what_the_models_expect_is_taken_to_stay() -> None:
    told = expected(learned(40.0, 80.0))
    assert isinstance(told, Load)
    assert (told.replicas >= 10.0).all()  # 80 at 8 each, where 5 replicas were filled for hours
    begin, end = told.surprise.split("(p99: ")
    assert begin == "Its load now fills 10.0 replicas, more than the models expect "
    assert 5.0 <= float(end.split(")")[0]) < 8.0
    assert end.endswith("), and is taken to stay as high.")


def test_a_load_as_expected_is_no_surprise() -> None:
    told = expected(learned(40.0, 40.0))
    assert isinstance(told, Load)
    assert told.surprise == ""


def test_a_declared_event_is_in_it() -> None:
    told = expected(
        learned(40.0, 40.0, event={"name": "sale", "at": "2023-11-15T00:10:00Z", "duration": "1h", "factor": 2})
    )
    assert isinstance(told, Load)
    assert told.replicas[9, 0] == pytest.approx(5.0, abs=0.1)
    assert told.replicas[10:, 0] == pytest.approx(10.0, abs=0.2)


def test_what_is_needed_is_whole_and_above_is_more_than_is_ready() -> None:
    load = Load(np.zeros((1, 3, 2)), np.array([[4.0, 4.0], [4.2, 5.0], [6.0, 6.1]]))
    assert load.needed.tolist() == [[4, 4], [5, 5], [6, 7]]
    ready = np.array([[4, 4], [4, 5], [6, 6]])
    assert load.above(ready).tolist() == [[False, False], [True, False], [False, True]]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        pytest.param(origin, "no model speaks for signal load yet", id="nothing-fitted"),
        pytest.param(
            lambda: origin(fleet=one(forecast={"enabled": False})), "its policy turns forecasts off", id="turned-off"
        ),
        pytest.param(
            lambda: origin(fleet=one(pressure("queue", average=5))), "it has no signal of demand", id="pressure-alone"
        ),
        pytest.param(
            lambda: origin(fleet=one(requested("cpu"))),
            "nobody knows what a replica serves of signal cpu",
            id="no-request",
        ),
        pytest.param(
            lambda: origin(readings_of=(Status.MISSING, Why.NO_SERIES)),
            "signal load is missing (no series matches)",
            id="missing",
        ),
        pytest.param(
            lambda: origin(readings_of=(Status.STALE, Why.TOO_OLD)),
            "signal load is not fresh (the newest sample is too old)",
            id="stale",
        ),
    ],
)
def test_nothing_is_said_where_it_would_be_a_guess(made: object, why: str) -> None:
    assert callable(made)
    assert expected(made()) == Untold(why)


def test_an_old_fit_says_nothing() -> None:
    begun = learned(40.0, 40.0)
    old = replace(begun, fit=replace(begun.fit, fitted_at_s=begun.fit.fitted_at_s - 86_401.0))
    assert expected(old) == Untold("no model speaks for signal load yet")
    assert expected(replace(begun, fit=HorizonFit.empty(begun.fit.uid))) == expected(old)


def test_what_a_request_allows_is_a_capacity() -> None:
    fleet = one(requested("cpu"), late())
    cut = origin(fleet=fleet, load=2.8, replicas=4, samples=samples(0, 0.7, 0.7, 0.7, 0.7))
    tracks = cut.fleet.tracks
    # A pod requests 1: at a serving limit of 0.8 Kubernetes' rule aims at 70 % of it.
    assert (tracks.capacity_milli.tolist(), tracks.target_milli.tolist()) == ([1000], [700])
    assert cut.pressure == ()
