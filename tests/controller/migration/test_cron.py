"""KEDA's cron triggers: which become a schedule, and why others do not."""

from __future__ import annotations

import pytest

from controller.migration.cron import schedule_of


@pytest.mark.parametrize(
    ("start", "end", "duration"),
    [
        pytest.param("0 8 * * *", "0 18 * * *", "10h", id="every-day"),
        pytest.param("0 22 * * *", "30 5 * * *", "7h30m", id="over-midnight"),
        pytest.param("0 18 * * FRI", "0 6 * * MON", "2d12h", id="a-weekend"),
        pytest.param("0 6 1 * *", "0 6 2 * *", "1d", id="the-first-of-a-month"),
    ],
)
def test_a_start_and_an_end_become_a_duration(start: str, end: str, duration: str) -> None:
    given = {"timezone": "Asia/Kolkata", "start": start, "end": end, "desiredReplicas": "6"}
    assert schedule_of(given, 1, 4) == {"cron": start, "timezone": "Asia/Kolkata", "duration": duration, "min": 4}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(("0 0 28 * *", "0 0 2 * *", "6"), "its windows last from 2d to 5d", id="by-month"),
        pytest.param(("0 6 1 * *", "0 6 9 * *", "6"), "its windows last 8d, and a schedule at most 7d", id="too-long"),
        pytest.param(("0 6 * *", "0 6 9 * *", "6"), "cannot be read, or never comes", id="no-cron"),
        pytest.param(("0 6 30 2 *", "0 6 9 * *", "6"), "cannot be read, or never comes", id="never"),
        pytest.param(("0 6 * * *", "0 8 * * *", "2"), "its 2 replicas are no more than the minimum", id="no-more"),
        pytest.param(("0 6 * * *", "0 8 * * *", "many"), "invalid literal", id="no-count"),
    ],
)
def test_what_is_no_schedule_says_why(given: tuple[str, str, str], words: str) -> None:
    start, end, desired = given
    with pytest.raises(ValueError, match=words):
        schedule_of({"start": start, "end": end, "desiredReplicas": desired}, 2, 9)
