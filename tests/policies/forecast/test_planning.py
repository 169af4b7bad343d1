"""A refit of a whole fleet and when its lanes will need more than they may have."""

from __future__ import annotations

import numpy as np

from policies.fleet import fleet_of
from policies.forecast.planning import horizon_of
from policies.history import Window
from policies.rows import demand_rows
from tests.policies.test_events import DEMAND, policy_of

DAY = 1440
START_S = 1_795_651_200 - 4 * 86_400  # four days before 2026-11-26 00:00 UTC


def test_a_declared_sale_fills_a_lane_when_it_begins() -> None:
    capacity = DEMAND | {"capacityPerReplica": 10}  # 10 replicas at 80 % serve 80
    sale = {"name": "sale", "at": "2026-11-27T08:00:00Z", "duration": "8h", "factor": 3}
    fleet = fleet_of([policy_of(sale, name="a", signals=(capacity,)), policy_of(name="b", signals=(capacity,))])
    value = 40 * np.exp(np.random.default_rng(1).normal(0, 0.02, (2, 4 * DAY)))
    window = Window(START_S, value.astype(np.float32), np.ones(value.shape, np.bool_))
    now_s = START_S + 4 * 86_400.0
    horizon = horizon_of(fleet, window, now_s=now_s, rows=demand_rows(fleet))

    assert horizon.fit.known.tolist() == [True, True]
    # The sale begins 32 h after now; the window's last minute is one before now, and leads are whole hours.
    assert horizon.full_in_min[0].tolist() == [1980, 1980]
    assert np.isinf(horizon.full_in_min[1]).all()
