"""A policy, another and what happened, judged on the same steps of a recorded load; figures by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies.model import UNKNOWN
from simulations.changed import Happened, Terms, compared
from simulations.recorded import RecordedLoad
from simulations.scenario import ReplayError

STEPS = 480  # four hours of 30 s, of which the first only warms up
HOUR = 120
BEGIN_S = 1_699_999_200.0  # a whole hour


def recorded(demand: list[float]) -> RecordedLoad:
    at_s = BEGIN_S + 30.0 * np.arange(len(demand), dtype=np.float64)
    return RecordedLoad("shop/web", at_s, np.array(demand), 0.8, (1, 50), 60.0, 0.01)


def happened(wanted: list[int], ready: list[int] | None = None, censored: list[bool] | None = None) -> Happened:
    none = [False] * len(wanted)
    return Happened(np.array(wanted), np.array(ready or wanted), np.array(censored or none))


def fixed(count: int, price: float | None = None) -> Terms:
    return Terms(0.01, (count, count), price)


def test_what_happened_is_judged_by_the_replicas_that_were_ready() -> None:
    load = recorded([2.0] * 3 * HOUR + [4.0] * HOUR)
    # Four were asked for as the load rose, and ready half an hour later: half of that hour's load came late.
    wanted, ready = [2] * 3 * HOUR + [4] * HOUR, [2] * (3 * HOUR + 60) + [4] * 60
    found = compared(load, happened(wanted, ready), [fixed(2, price=1.5)]).happened
    assert found is not None
    # Judged are two hours of two replicas and one of four: 8 replica-hours, at 1.5 each.
    assert found.replica_hours == pytest.approx(8.0)
    assert found.cost == pytest.approx(12.0)
    # Of 2 + 2 + 4 replica-hours of load, 4 x 0.5 were late.
    assert found.late_ratio == pytest.approx(0.25)
    assert found.worst is not None
    assert found.worst.at_s == BEGIN_S + 3 * 3600
    assert found.worst.late_ratio == pytest.approx(0.5)
    # Two were started in three hours: 16 a day.
    assert found.churn_per_day == pytest.approx(16.0)


def test_policies_stand_in_the_order_in_which_they_are_given() -> None:
    load = recorded([2.0] * STEPS)
    found = compared(load, happened([2] * STEPS), [fixed(1), fixed(3, price=2.0)])
    short, ample = found.policies
    # One replica for three hours is late with all; three of them cost 9 hours at 2.
    assert short.replica_hours == pytest.approx(3.0)
    assert (short.late_ratio, short.cost) == (1.0, None)
    assert ample.cost == pytest.approx(18.0)
    assert (ample.late_ratio, ample.worst) == (0.0, None)
    assert found.evidence.span_s == (BEGIN_S + 3600, BEGIN_S + STEPS * 30)
    assert found.evidence.load_hours == pytest.approx(3.0)
    assert found.evidence.warmup_hours == pytest.approx(1.0)


def test_holes_are_neither_late_nor_load_and_are_told() -> None:
    demand = [2.0] * 2 * HOUR + [np.nan] * HOUR + [2.0] * HOUR
    found = compared(recorded(demand), happened([1] * STEPS), [fixed(2)])
    # The last reading before the hole stands for two usual distances.
    assert found.evidence.unknown_ratio == pytest.approx(1 / 3, abs=0.01)
    assert found.evidence.load_hours == pytest.approx(2.0, abs=0.05)
    assert found.happened is not None
    assert found.happened.late_ratio == 1.0
    assert found.happened.replica_hours == pytest.approx(3.0)


def test_saturated_readings_are_counted() -> None:
    censored = [False] * 3 * HOUR + [True] * HOUR
    found = compared(recorded([2.0] * STEPS), happened([2] * STEPS, censored=censored), [fixed(2)])
    assert found.evidence.censored_ratio == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize(
    ("unseen", "hours"),
    [
        pytest.param(range(200, 300), 6.0, id="in-between-as-before"),
        pytest.param(range(300), 6.0, id="in-front-as-after"),
        pytest.param(range(STEPS), None, id="never"),
    ],
)
def test_a_scale_that_was_not_seen_is_bridged(unseen: range, hours: float | None) -> None:
    wanted = [UNKNOWN if step in unseen else 2 for step in range(STEPS)]
    found = compared(recorded([1.0] * STEPS), happened(wanted, [2] * STEPS), [fixed(2)]).happened
    assert (None if found is None else found.replica_hours) == (None if hours is None else pytest.approx(hours))


def test_no_load_is_no_lateness() -> None:
    found = compared(recorded([0.0] * STEPS), happened([1] * STEPS), [fixed(1)])
    assert [(each.late_ratio, each.worst) for each in found.policies] == [(None, None)]


def test_without_a_fresh_reading_there_is_nothing_to_judge() -> None:
    with pytest.raises(ReplayError, match="no fresh reading of a demand signal"):
        compared(recorded([np.nan] * 10), happened([1] * 10), [fixed(1)])


def test_without_a_step_after_the_past_there_is_nothing_to_judge() -> None:
    """Ten readings ten seconds after whole steps, of which nine are remembered: the last step is before the tenth."""
    load = recorded([1.0] * 10)
    load = replace(load, at_s=load.at_s + 10.0, past=9)
    with pytest.raises(ReplayError, match="too short"):
        compared(load, happened([1]), [fixed(1)])
