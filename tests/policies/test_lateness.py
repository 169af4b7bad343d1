"""How late workloads are, where a late signal tells: measured beside the decision, and no part of it."""

from __future__ import annotations

import numpy as np
import pytest

from policies.engine import decide
from policies.fleet import fleet_of
from policies.lateness import base_value, realised
from policies.model import UNKNOWN, Status, Why
from policies.state import EngineState
from tests.builders import FREE, Document, demand, late, one, policy, pressure, readings, seen

PER_MILLE = 1000.0
NO_WINDOW: Document = {"scaleDown": {"stabilizationWindowSeconds": 0}}


def test_the_largest_fresh_share_of_a_lane_counts() -> None:
    rows = [
        policy("a", late("slow"), late("failed"), demand()),
        policy("b", demand(), late()),
        policy("c", demand()),
    ]
    fleet = fleet_of(rows, FREE)
    told = [0.25, 3.0, 10, 10, 500, 10]  # late ones in per mille
    status = [Status.FRESH, Status.FRESH, Status.FRESH, Status.FRESH, Status.STALE, Status.FRESH]
    share, known = realised(fleet, readings(told, status))

    assert share.tolist() == [0.003, 0.0, 0.0]
    assert known.tolist() == [True, False, False]


def test_values_are_shown_in_the_unit_of_their_query() -> None:
    fleet = one(demand(), late())
    read = readings([70, 0.2])

    assert [base_value(fleet.tracks, read, track) for track in (0, 1)] == pytest.approx([70, 0.0002])


@pytest.mark.parametrize(
    ("status", "why"),
    [
        pytest.param(Status.FRESH, Why.OK, id="fresh"),
        pytest.param(Status.STALE, Why.TOO_OLD, id="stale"),
        pytest.param(Status.MISSING, Why.NO_SERIES, id="missing"),
        pytest.param(Status.CENSORED, Why.PARTIAL_SERIES, id="partial"),
    ],
)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("other", [demand(), pressure(average=7)], ids=["demand", "pressure"])
def test_a_late_signal_neither_raises_nor_holds(other: Document, share: float, status: Status, why: Why) -> None:
    fleet = one(late(), other, behavior=NO_WINDOW)
    read = readings([share * PER_MILLE, 14], [status, Status.FRESH], [why, Why.OK])
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([4], read))

    assert decision.replicas.target.tolist() == [2]  # 14 / 7
    assert decision.proposed.tolist() == [UNKNOWN, 2]
    assert decision.readings.status.tolist() == [status, Status.FRESH]
    assert decision.readings.value_milli.tolist() == [share * 1e6, 14_000]


def test_a_hole_in_a_late_signal_hides_no_hole_in_another() -> None:
    fleet = one(late(), demand(), behavior=NO_WINDOW)
    read = readings([0, 0], [Status.FRESH, Status.MISSING], [Why.OK, Why.NO_SERIES])
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([4], read))

    assert decision.replicas.target.tolist() == [4]
    assert not np.any(decision.demand_known)
