"""History keeps readings in the minute in which they were measured and shares what did not change."""

import numpy as np
import pytest

from policies.arrays import BoolArray, FloatArray, booleans, floats
from policies.history import BLOCK_MINUTES, BLOCK_S, LARGEST, Backfill, Block, History

HOUR_S = 1_700_000_000 // BLOCK_S * BLOCK_S  # the start of an hour
NAN = float("nan")


def history_of(*readings: tuple[float, float, float]) -> History:
    """One track, told as (seconds since HOUR_S, value, age_s)."""
    history = History.empty(1)
    for at_s, value, age_s in readings:
        history = history.append(HOUR_S + at_s, np.array([value]), booleans(1, value=True), np.array([age_s]))
    return history


def shown(history: History, minutes: int, until_s: float) -> list[float | None]:
    """The last minutes of track 0; None where not known."""
    window = history.window(minutes * 60, HOUR_S + until_s)
    return [float(value) if known else None for value, known in zip(window.value[0], window.known[0], strict=True)]


def backfill_of(start_s: float, step_s: float, *values: float) -> Backfill:
    value = np.array([values], np.float32)
    return Backfill(HOUR_S + start_s, step_s, np.nan_to_num(value), np.isfinite(value))


@pytest.mark.parametrize(
    ("readings", "until_s", "expected"),
    [
        pytest.param([(0, 1, 0), (60, 2, 0)], 60, [None, 1, 2], id="one-slot-per-minute"),
        pytest.param([(0, 1, 0), (15, 3, 0), (45, 2, 0)], 45, [None, None, 2], id="the-last-of-a-minute-stands"),
        pytest.param([(0, 1, 0), (70, 5, 30)], 70, [None, 5, None], id="a-late-one-goes-to-its-minute"),
        pytest.param([(0, 1, 0), (180, 4, 0)], 180, [None, None, 4], id="a-gap-stays-unknown"),
        pytest.param([(0, 1, 0), (60, 2, -5)], 60, [None, 1, 2], id="from-the-future-counts-as-now"),
        pytest.param([(0, 1, 0), (60, NAN, 0)], 60, [None, 1, None], id="not-finite-is-not-known"),
        pytest.param([(0, 1, 0), (60, 2, NAN)], 60, [None, 1, None], id="unknown-age-is-not-placed"),
        pytest.param([(3599, 1, 0), (3605, 2, 10)], 3605, [None, 2, None], id="late-into-the-hour-before"),
        pytest.param([(3599, 1, 0), (3605, 2, 0)], 3605, [None, 1, 2], id="across-the-hour"),
        pytest.param([(5, 2, 10)], 5, [None, None, None], id="older-than-the-first-hour-is-ignored"),
        pytest.param([(3600, 1, 0), (3500, 9, 0)], 3600, [None, None, 1], id="a-clock-before-the-open-hour-is-ignored"),
        pytest.param([(120, 1, 0), (60, 9, 0)], 120, [None, 9, 1], id="a-clock-back-within-the-hour-is-taken"),
        pytest.param([(7200, 1, 0), (7260, 9, 7000)], 7260, [None, 1, None], id="older-than-two-hours-is-ignored"),
    ],
)
def test_readings_land_in_the_minute_in_which_they_were_measured(
    readings: list[tuple[float, float, float]], until_s: float, expected: list[float | None]
) -> None:
    assert shown(history_of(*readings), 3, until_s) == expected


def test_an_unknown_reading_leaves_what_is_there() -> None:
    history = history_of((0, 7, 0)).append(HOUR_S + 1, np.array([9.0]), booleans(1), floats(1))

    assert shown(history, 1, 0) == [7]


def test_values_beyond_float32_are_cut_to_its_range() -> None:
    assert shown(history_of((0, 1e300, 0), (60, -1e300, 0)), 2, 60) == [LARGEST, -LARGEST]


def test_earlier_versions_stay_and_closed_hours_are_shared() -> None:
    first = history_of((0, 1, 0), (3600, 2, 0))
    second = first.append(HOUR_S + 7200, np.array([3.0]), booleans(1, value=True), floats(1))

    assert shown(first, 1, 7200) == [None]
    assert second.blocks[HOUR_S] is first.blocks[HOUR_S]
    assert list(second.blocks) == [HOUR_S, HOUR_S + 3600, HOUR_S + 7200]


def test_hours_without_readings_are_absent_and_read_as_unknown() -> None:
    history = history_of((0, 1, 0), (5 * 3600, 2, 0))
    window = history.window(6 * 3600, HOUR_S + 5 * 3600 + 59)

    assert list(history.blocks) == [HOUR_S, HOUR_S + 5 * 3600]
    assert window.value.shape == window.known.shape == (1, 360)
    assert window.start_s == HOUR_S - 59 * 60  # the minute of 5:00 is the last of 360
    assert list(np.flatnonzero(window.known[0])) == [59, 359]


def test_old_hours_and_those_of_a_clock_far_ahead_are_dropped() -> None:
    history = history_of((0, 1, 0), (3600, 2, 0), (7200, 3, 0), (400 * 86400, 9, 0))
    kept = history.kept(3600, HOUR_S + 7300)  # the first hour ended 3700 s ago

    assert list(kept.blocks) == [HOUR_S + 3600, HOUR_S + 7200]
    assert kept.kept(3600, HOUR_S + 7300) is kept
    assert shown(kept.append(HOUR_S + 7320, np.array([4.0]), booleans(1, value=True), floats(1)), 1, 7320) == [4]


def test_tracks_follow_their_rows() -> None:
    history = History.empty(2).append(HOUR_S, np.array([1.0, 2.0]), booleans(2, value=True), floats(2))
    window = history.aligned(np.array([1, -1, 0])).window(60, HOUR_S)

    assert window.value[:, 0].tolist() == [2, 0, 1]
    assert window.known[:, 0].tolist() == [True, False, True]
    assert history.aligned(np.array([0, 1])) is history


def test_a_window_of_some_rows() -> None:
    history = History.empty(3).append(HOUR_S, np.array([1.0, 2.0, 3.0]), booleans(3, value=True), floats(3))

    assert history.window(60, HOUR_S, np.array([2, 0])).value[:, 0].tolist() == [3, 1]


@pytest.mark.parametrize(
    ("backfill", "expected"),
    [
        pytest.param(backfill_of(0, 60, 1, 2, 3, 4), [1, 2, 50, 4], id="only-what-is-not-known"),
        pytest.param(backfill_of(0, 30, 1, 2, 3, 4), [2, 4, 50, None], id="the-last-sample-of-a-minute"),
        pytest.param(backfill_of(60, 120, 1, 2), [1, 1, 50, 2], id="apart-takes-the-next"),
        pytest.param(backfill_of(0, 60, 1, NAN, 3, NAN), [1, None, 50, None], id="holes-stay"),
        pytest.param(backfill_of(7, 60, 1, 2, 3, 4), [1, 2, 50, 4], id="not-aligned-to-minutes"),
        pytest.param(backfill_of(0, 60), [None, None, 50, None], id="nothing"),
    ],
)
def test_backfill(backfill: Backfill, expected: list[float | None]) -> None:
    history = history_of((120, 50, 0))

    assert shown(history.filled_with(backfill), 4, 180) == expected
    assert shown(history, 4, 180) == [None, None, 50, None]


def test_backfill_makes_the_hours_it_needs() -> None:
    value = np.arange(150, dtype=np.float32)[np.newaxis]
    history = History.empty(1).filled_with(Backfill(float(HOUR_S), 60.0, value, value >= 0))

    assert list(history.blocks) == [HOUR_S, HOUR_S + 3600, HOUR_S + 7200]
    assert shown(history, 150, 149 * 60) == list(range(150))


def test_backfill_of_other_tracks_is_refused() -> None:
    with pytest.raises(ValueError, match="backfill has 1 rows, the history 2 tracks"):
        History.empty(2).filled_with(backfill_of(0, 60, 1))


def test_a_history_is_rebuilt_from_its_blocks() -> None:
    history = history_of((0, 1, 0), (3600, 2, 0))
    rebuilt = History.of_blocks(1, dict(reversed(history.blocks.items())))

    assert rebuilt.blocks == history.blocks
    with pytest.raises(ValueError, match="is not an hour of 2 tracks"):
        History.of_blocks(2, history.blocks)


def test_a_random_walk_through_time_agrees_with_a_dictionary() -> None:
    random = np.random.default_rng(3)
    history, expected, now_s = History.empty(1), dict[int, float](), float(HOUR_S)
    for _ in range(500):
        now_s += float(random.choice([15, 30, 200, 4000]))
        value, age_s = float(random.integers(1000)), float(random.integers(120))
        history = history.append(now_s, *_one(value, age_s))
        if (now_s - age_s) // BLOCK_S == now_s // BLOCK_S or _hour(now_s - age_s) in list(history.blocks)[-2:]:
            expected[int((now_s - age_s) // 60)] = value
    window = history.window(now_s - HOUR_S + 7200, now_s)
    minutes = np.flatnonzero(window.known[0])

    assert {int(window.start_s // 60 + i): float(window.value[0, i]) for i in minutes} == expected


def test_an_empty_block_has_an_hour_of_unknown_minutes() -> None:
    block = Block.empty(HOUR_S, 2)

    assert block.known.shape == (2, BLOCK_MINUTES)
    assert not block.known.any()


def _hour(at_s: float) -> int:
    return int(at_s // BLOCK_S) * BLOCK_S


def _one(value: float, age_s: float) -> tuple[FloatArray, BoolArray, FloatArray]:
    return np.array([value]), booleans(1, value=True), np.array([age_s])
