"""A past on steps: gaps stay gaps, and nothing becomes zero."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.audit.case import on_track, scored_steps, track_of_load, track_of_points
from simulations.load_file import Load
from tests.simulations.audit.builders import DAY, START_S, case

NAN = float("nan")


def test_a_hole_in_a_load_file_is_bridged_for_replay_and_not_known() -> None:
    at_s = np.array([0.0, 60, 120, 600, 660, 720])
    track = track_of_load(Load(at_s, np.array([1.0, 2, 3, 4, 5, 6])), step_s=60)
    # The distance is 60 s but for one of 480 s, from 120 s on: the steps at 180, ... 540 s have no sample.
    assert track.known.tolist() == [True, True, True] + [False] * 7 + [True, True]
    assert track.demand[2:10].tolist() == [3.0] * 8


def test_points_are_held_over_finer_steps_and_their_holes_are_not_known() -> None:
    at_s = START_S + 60 * np.arange(4.0)
    track = track_of_points(at_s, np.array([NAN, 5.0, NAN, 7.0]), step_s=30)
    assert track is not None
    assert track.known.tolist() == [True, True, False, False, True, True]
    assert track.demand.tolist() == [5, 5, 5, 5, 7, 7]
    assert track.at_s[:3].tolist() == [START_S + 60, START_S + 90, START_S + 120]


def test_what_is_before_the_first_point_is_cut_off_and_warms_nothing_up() -> None:
    value = np.full(3 * 1440, NAN)
    value[2 * 1440 + 10 :] = 1.0
    track = track_of_points(START_S + 60 * np.arange(float(value.size)), value, step_s=60)
    assert track is not None
    assert track.at_s[0] == START_S + 2 * 86_400 + 600
    assert track.at_s.size == 1430
    assert track.known.all()


@pytest.mark.parametrize("value", [[NAN, NAN], [NAN, 3.0]], ids=["none", "one-point"])
def test_too_few_points_make_no_track(value: list[float]) -> None:
    assert track_of_points(np.array([0.0, 60.0]), np.array(value), step_s=30) is None


def test_points_outside_of_a_track_are_missing() -> None:
    track = track_of_points(np.array([0.0, 60, 120]), np.ones(3), step_s=30)
    assert track is not None
    found = on_track(track, np.array([60.0, 120.0]), np.array([4.0, 5.0]))
    np.testing.assert_array_equal(found, [NAN, NAN, 4, 4, 5, 5])


@pytest.mark.parametrize(
    ("days", "warm"), [pytest.param(7, 1, id="a-week-or-less"), pytest.param(8, 3, id="more-than-a-week")]
)
def test_the_warm_up_and_unknown_steps_are_not_scored(days: int, warm: int) -> None:
    known = np.ones(days * DAY, np.bool_)
    known[-5:] = False
    paid = np.full(days * DAY, 2.0)
    paid[-10:-5] = NAN
    scored = scored_steps(case(np.ones(days * DAY), paid=paid, known=known))
    assert int(scored.sum()) == (days - warm) * DAY - 10
    assert not scored[: warm * DAY].any()
