"""A typical day: the one with the median load, with what was needed, asked for and ready."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.load_file import Load
from simulations.whatif.day import typical_days
from simulations.whatif.document import scenario_from
from simulations.whatif.inputs import Inputs
from tests.simulations.sweep.scenarios import document

DAY = 1440
MONDAY_S = 1_767_571_200.0


def recorded(levels: list[float]) -> Inputs:
    """Days of one level each, by the minute, and the first minute of one more."""
    load = np.append(np.repeat(levels, DAY), 0.0)
    return Inputs({"chat": Load(np.asarray(MONDAY_S + 60.0 * np.arange(load.size), np.float64), load)})


def test_the_day_with_the_median_load_is_shown() -> None:
    written = document(days=3)
    written["workloads"][0]["load"] = {"file": "chat.csv", "redraw": "nothing"}
    asked = scenario_from(written, source="day")
    (day,) = typical_days(asked, recorded([10.0, 80.0, 40.0]))
    assert day.at_s[0] == MONDAY_S + 2 * 86_400
    assert day.at_s.size == DAY
    hpa, fixed = day.courses
    # A replica serves 5 at 100 %, and 4 in time: a load of 40 needs 10.
    assert (hpa.policy, fixed.policy) == ("hpa", "fixed")
    assert set(hpa.needed) == {10.0}
    assert set(fixed.asked) == {20.0}
    assert hpa.ready[-1] == hpa.asked[-1] == pytest.approx(12, abs=1)  # 40 / (5 * 0.7) is 11.4
    assert hpa.ready.max() <= hpa.asked.max()
    assert fixed.ready.min() < 20 <= fixed.ready.max() + 1  # spot comes and goes


def test_a_scenario_shorter_than_a_day_is_shown_whole() -> None:
    (day,) = typical_days(scenario_from(document(), source="day"), Inputs())
    assert day.at_s.size == 90
