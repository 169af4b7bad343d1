"""A piece of work: lanes fitted and looked at, in replicas, with events, schedules and several signals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.fleet import fleet_of
from policies.forecast.horizon import HorizonFit
from policies.forecast.maximum import LEADS_MIN
from policies.forecast.planning import Piece, looked, refitted
from policies.history import Window
from policies.rows import demand_rows
from tests.builders import demand, policy
from tests.policies.test_events import DEMAND, policy_of

if TYPE_CHECKING:
    from policies.arrays import FloatArray
    from policies.model import Fleet

DAY = 1440
DAYS = 4
START_S = 1_795_651_200 - DAYS * 86_400  # four days before 2026-11-26 00:00 UTC, a Thursday
NOW_S = START_S + 86_400.0 * DAYS


def piece_of(fleet: Fleet, *load: float, serving: float = 8.0) -> Piece:
    """Four days of about this load by row, up to the minute before NOW_S, and what a replica serves."""
    rows = demand_rows(fleet)
    noise = np.random.default_rng(1).normal(0, 0.02, (len(rows), DAYS * DAY))
    value = np.array(load)[:, np.newaxis] * np.exp(noise)
    window = Window(START_S, value.astype(np.float32), np.ones(value.shape, np.bool_))
    nobody_knows = np.full(fleet.lanes, np.nan)
    return Piece(fleet, window, np.full(len(rows), serving), nobody_knows, NOW_S, HorizonFit.empty(rows))


def minutes_to_maximum(above_at_s: FloatArray) -> list[float]:
    minutes: list[float] = ((above_at_s - NOW_S) / 60).tolist()
    return minutes


def test_a_declared_sale_fills_a_lane_when_it_begins() -> None:
    capacity = DEMAND | {"capacityPerReplica": 10}  # 10 replicas at 80 % serve 80
    sale = {"name": "sale", "at": "2026-11-27T08:00:00Z", "duration": "8h", "factor": 3}
    fleet = fleet_of([policy_of(sale, name="a", signals=(capacity,)), policy_of(name="b", signals=(capacity,))])
    horizon = refitted(piece_of(fleet, 40, 40))

    assert horizon.fit.known.tolist() == [True, True]
    # The sale begins 32 h after now; the window's last minute is one before now, and leads are whole hours.
    assert minutes_to_maximum(horizon.above_at_s[0]) == [1980, 1980]
    assert np.isinf(horizon.above_at_s[1]).all()
    assert horizon.since_s.tolist() == [START_S, START_S]


def test_a_bound_that_a_schedule_sets_counts_from_its_hour_on() -> None:
    night = {"cron": "0 22 * * *", "timezone": "UTC", "duration": "2h", "max": 3}
    fleet = fleet_of([policy("a", demand("load", 10), high=20, schedules=[night])])
    horizon = refitted(piece_of(fleet, 40))

    # 5 replicas are needed, and the night begins 22 h after now.
    assert minutes_to_maximum(horizon.above_at_s[0]) == [22 * 60] * 2
    assert horizon.maximum.tolist() == [[3, 3]]


def test_a_quota_counts_where_it_is_lower_than_the_maximum_then_in_force() -> None:
    night = {"cron": "0 22 * * *", "timezone": "UTC", "duration": "2h", "max": 3}
    names = ("quota", "night", "unlimited")
    fleet = fleet_of([policy(name, demand("load", 10), high=20, schedules=[night]) for name in names])
    # 5 replicas are needed; the night, 22 h from now, allows 3.
    quota = np.array([{"shop/quota": 4.0, "shop/night": 12.0}.get(uid, np.inf) for uid in fleet.uid])
    horizon = refitted(replace(piece_of(fleet, 40, 40, 40), quota=quota))

    lane = [fleet.uid.index(f"shop/{name}") for name in names]
    found = [minutes_to_maximum(horizon.above_at_s[each]) for each in lane]
    assert found == [[5, 5], [22 * 60] * 2, [22 * 60] * 2]
    assert horizon.maximum[lane].tolist() == [[20, 20], [3, 3], [3, 3]]
    assert horizon.quota.tolist() == quota.tolist()


def test_the_most_demanding_signal_counts_and_one_without_a_capacity_does_not() -> None:
    fleet = fleet_of([policy("a", demand("rps", 10), demand("tokens", 10))])
    both = refitted(piece_of(fleet, 40, 80))
    alone = looked(replace(piece_of(fleet, 40, 80), serving=np.array([8.0, 0.0]), before=both.fit))
    nobody = looked(replace(piece_of(fleet, 40, 80), serving=np.zeros(2), before=both.fit))
    an_hour = LEADS_MIN.index(60)

    assert both.replicas[0, an_hour, 0] == pytest.approx(10, rel=0.05)
    assert alone.replicas[0, an_hour, 0] == pytest.approx(5, rel=0.05)
    assert (both.low < both.replicas[..., 0]).all()
    assert both.low[0, an_hour] == pytest.approx(10, rel=0.2)
    assert np.isnan(nobody.replicas).all()
    assert np.isnan(nobody.low).all()
    assert np.isnan(nobody.above_at_s).all()


def test_a_look_says_what_the_refit_said() -> None:
    fleet = fleet_of([policy("a", demand("load", 10)), policy("b", demand("load", 10))])
    piece = piece_of(fleet, 40, 80)
    horizon = refitted(piece)
    again = looked(replace(piece, before=horizon.fit))

    np.testing.assert_array_equal(again.replicas, horizon.replicas)
    np.testing.assert_array_equal(again.above_at_s, horizon.above_at_s)


def test_without_a_fit_nothing_is_said() -> None:
    horizon = looked(piece_of(fleet_of([policy("a", demand("load", 10))]), 40))
    assert np.isnan(horizon.replicas).all()
    assert np.isnan(horizon.above_at_s).all()
