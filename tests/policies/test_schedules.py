"""Scheduled bounds: windows across midnight, weeks and clock changes, and how overlapping ones combine."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.schedules import Window, active_bounds, bounds_at, is_active, schedule_table
from policies.spec import Replicas, Schedule

HOUR_S = 3_600.0


def at_s(text: str) -> float:
    """Wall seconds of `2026-03-29 01:30+01:00`, the offset being UTC's when none is given."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo("UTC"))).timestamp()


@pytest.mark.parametrize(
    ("cron", "hours", "moment", "active"),
    [
        pytest.param("0 8 * * *", 8, "2026-01-05 07:59:59", False, id="a-second-before-it-begins"),
        pytest.param("0 8 * * *", 8, "2026-01-05 08:00:00", True, id="as-it-begins"),
        pytest.param("0 8 * * *", 8, "2026-01-05 15:59:59", True, id="a-second-before-it-ends"),
        pytest.param("0 8 * * *", 8, "2026-01-05 16:00:00", False, id="as-it-ends"),
        pytest.param("0 22 * * *", 8, "2026-01-05 05:59:59", True, id="past-midnight"),
        pytest.param("0 8 * * 1", 168, "2026-01-04 23:00:00", True, id="on-the-seventh-day"),
        pytest.param("0 8 * * 1", 24, "2026-01-07 12:00:00", False, id="two-days-after-a-day-long-one"),
        pytest.param("*/30 * * * *", 1, "2026-01-05 12:45:00", True, id="windows-that-overlap-themselves"),
        pytest.param("0 0 L * *", 24, "2028-02-29 12:00:00", True, id="the-last-day-of-a-leap-february"),
        pytest.param("0 0 29 2 *", 24, "2026-02-28 12:00:00", False, id="a-day-that-does-not-come-this-year"),
    ],
)
def test_a_window_is_active_from_its_beginning_until_its_duration_is_over(
    cron: str, hours: int, moment: str, *, active: bool
) -> None:
    assert is_active(Window(cron, "UTC", hours * HOUR_S), now_s=at_s(moment)) is active


# On 29 March 2026 Berlin's clocks go from 02:00 (+01:00) to 03:00 (+02:00).
@pytest.mark.parametrize(
    ("cron", "hours", "moment", "active"),
    [
        pytest.param("30 2 * * *", 1, "2026-03-29 01:59:59+01:00", False, id="skipped-beginning-not-before-the-skip"),
        pytest.param("30 2 * * *", 1, "2026-03-29 03:00:00+02:00", True, id="skipped-beginning-right-after-the-skip"),
        pytest.param("30 2 * * *", 1, "2026-03-29 03:59:59+02:00", True, id="and-lasts-its-whole-hour"),
        pytest.param("30 2 * * *", 1, "2026-03-29 04:00:00+02:00", False, id="and-no-longer"),
        pytest.param("30 2 * * *", 1, "2026-03-30 02:30:00+02:00", True, id="the-next-day-is-as-ever"),
        pytest.param("0 1 * * *", 2, "2026-03-29 03:59:59+02:00", True, id="two-hours-elapsed-across-the-skip"),
        pytest.param("0 1 * * *", 2, "2026-03-29 04:00:00+02:00", False, id="two-hours-over-across-the-skip"),
        pytest.param("30 * * * *", 0.25, "2026-03-29 03:00:00+02:00", False, id="hourly-ones-follow-the-clock"),
        pytest.param("30 * * * *", 0.25, "2026-03-29 03:30:00+02:00", True, id="and-go-on-after-the-skip"),
    ],
)
def test_in_spring_a_skipped_beginning_happens_right_after_the_skip(
    cron: str, hours: float, moment: str, *, active: bool
) -> None:
    assert is_active(Window(cron, "Europe/Berlin", hours * HOUR_S), now_s=at_s(moment)) is active


# On 25 October 2026 Berlin's clocks go from 03:00 (+02:00) back to 02:00 (+01:00).
@pytest.mark.parametrize(
    ("cron", "hours", "moment", "active"),
    [
        pytest.param("30 2 * * *", 0.5, "2026-10-25 02:30:00+02:00", True, id="begins-the-first-time"),
        pytest.param("30 2 * * *", 0.5, "2026-10-25 02:00:00+01:00", False, id="ends-after-its-elapsed-time"),
        pytest.param("30 2 * * *", 0.5, "2026-10-25 02:30:00+01:00", False, id="does-not-begin-a-second-time"),
        pytest.param("0 1 * * *", 3, "2026-10-25 02:59:59+01:00", True, id="three-hours-end-at-three-by-the-clock"),
        pytest.param("0 1 * * *", 3, "2026-10-25 03:00:00+01:00", False, id="and-not-at-four"),
        pytest.param("30 * * * *", 0.25, "2026-10-25 02:30:00+02:00", True, id="hourly-ones-come-the-first-time"),
        pytest.param("30 * * * *", 0.25, "2026-10-25 02:30:00+01:00", True, id="and-the-second-time"),
    ],
)
def test_in_autumn_a_repeated_beginning_happens_once(cron: str, hours: float, moment: str, *, active: bool) -> None:
    assert is_active(Window(cron, "Europe/Berlin", hours * HOUR_S), now_s=at_s(moment)) is active


def test_a_clock_change_at_midnight_utc_is_followed() -> None:
    # On 27 March 2026 Jerusalem's clocks go from 02:00 (+02:00) to 03:00 (+03:00), which is midnight UTC.
    window = Window("30 2 * * *", "Asia/Jerusalem", HOUR_S)
    assert not is_active(window, now_s=at_s("2026-03-26 23:59:59"))
    assert is_active(window, now_s=at_s("2026-03-27 00:00:00"))


def daily(hour: int, hours: int, *, low: int | None = None, high: int | None = None) -> Schedule:
    return Schedule.model_validate({"cron": f"0 {hour} * * *", "duration": f"{hours}h", "min": low, "max": high})


MORNING = daily(6, 6, low=4)
NOON = daily(10, 4, low=8, high=30)
EVENING = daily(18, 4, low=1)
NIGHT = daily(22, 6, high=5)
REPLICAS = Replicas(min=2, max=20, schedules=(MORNING, NOON, EVENING, NIGHT))


@pytest.mark.parametrize(
    ("time", "bounds"),
    [
        pytest.param("05:00", (2, 20), id="none-is-active"),
        pytest.param("07:00", (4, 20), id="a-min-alone-leaves-the-policy's-max"),
        pytest.param("11:00", (8, 30), id="of-two-the-larger-min-and-the-larger-max"),
        pytest.param("13:00", (8, 30), id="one-that-gives-both"),
        pytest.param("19:00", (1, 20), id="a-lower-min-than-the-policy's-holds-meanwhile"),
        pytest.param("23:00", (2, 5), id="a-max-alone-leaves-the-policy's-min"),
    ],
)
def test_active_windows_replace_the_bounds(time: str, bounds: tuple[int, int]) -> None:
    assert active_bounds(REPLICAS, now_s=at_s(f"2026-01-05 {time}")) == bounds


def test_a_window_without_a_max_counts_with_the_policy_s_own() -> None:
    narrow, open_ended = daily(8, 8, high=5), daily(8, 8, low=3)
    replicas = Replicas(min=2, max=20, schedules=(narrow, open_ended))
    # min: 2 of the policy against 3; max: 5 against 20 of the policy.
    assert active_bounds(replicas, now_s=at_s("2026-01-05 09:00")) == (3, 20)


def test_a_fleet_asks_each_distinct_window_once_and_leaves_its_own_bounds_alone() -> None:
    fleet = [
        Replicas(min=1, max=3),
        Replicas(min=2, max=20, schedules=(NOON,)),
        Replicas(min=5, max=9, schedules=(daily(10, 4, low=6), NIGHT)),
    ]
    table = schedule_table(fleet)
    assert len(table.windows) == 2
    assert table.lane.tolist() == [1, 2, 2]
    assert table.window.tolist() == [0, 0, 1]
    assert table.max.tolist() == [30, -1, 5]
    low, high = np.array([1, 2, 5]), np.array([3, 20, 9])
    held_low, held_high = bounds_at(table, low, high, now_s=at_s("2026-01-05 11:00"))
    assert (held_low.tolist(), held_high.tolist()) == ([1, 8, 6], [3, 30, 9])
    assert (low.tolist(), high.tolist()) == ([1, 2, 5], [3, 20, 9])


def test_a_fleet_without_schedules_keeps_its_bounds() -> None:
    table = schedule_table([Replicas(max=3), Replicas(max=4)])
    held_low, held_high = bounds_at(table, np.array([1, 1]), np.array([3, 4]), now_s=0.0)
    assert (held_low.tolist(), held_high.tolist()) == ([1, 1], [3, 4])


optional_count = st.none() | st.integers(1, 50)


@st.composite
def replicas_with_schedules(draw: st.DrawFn) -> Replicas:
    low = draw(st.integers(1, 20))
    schedules = draw(
        st.lists(
            st.builds(
                lambda hour, hours, least, more: daily(hour, hours, low=least, high=max(low, least or 1) + more),
                st.integers(0, 23),
                st.integers(1, 48),
                optional_count,
                st.integers(0, 20),
            ),
            max_size=4,
        )
    )
    return Replicas(min=low, max=low + draw(st.integers(0, 20)), schedules=tuple(schedules))


@given(fleet=st.lists(replicas_with_schedules(), min_size=1, max_size=5), now_s=st.floats(1.7e9, 1.9e9))
def test_bounds_never_cross_and_a_fleet_decides_as_its_lanes_alone(fleet: list[Replicas], now_s: float) -> None:
    low, high = np.array([one.min for one in fleet]), np.array([one.max for one in fleet])
    held_low, held_high = bounds_at(schedule_table(fleet), low, high, now_s=now_s)
    assert (held_low <= held_high).all()
    assert list(zip(held_low.tolist(), held_high.tolist(), strict=True)) == [
        active_bounds(one, now_s=now_s) for one in fleet
    ]
