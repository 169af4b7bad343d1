"""Windows of time: which are active at a moment, and the smallest and largest replicas that scheduled ones allow."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
from cronsim import CronSim
from numpy.typing import NDArray

from policies.freeze import Freeze
from policies.spec import Replicas, Schedule

Int64 = NDArray[np.int64]

_DAY_S = 86_400
_NONE = -1


@dataclass(frozen=True, slots=True)
class Window:
    """When bounds hold: from each time the cron expression names in the zone, for `duration_s` seconds."""

    cron: str
    timezone: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class ScheduleTable:
    """The schedules of a fleet, one row each, sorted by lane.

    `lane`, `min`, `max` and `window` are int64 of one length; -1 in `min` or `max` means that the schedule gives
    none; `window` points into `windows`, where equal ones stand once.
    """

    lane: Int64
    min: Int64
    max: Int64
    window: Int64
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class FreezeTable:
    """One row for each window of each lane, sorted by lane; `window` points into `windows`."""

    lane: Int64
    still: NDArray[np.bool_]  # the count stays as it is; else it may rise
    window: Int64
    windows: tuple[Window, ...]

    @classmethod
    def none(cls) -> Self:
        """No freeze window."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0, np.int64), ())

    @classmethod
    def of(cls, freezes: Sequence[Sequence[Freeze]]) -> Self:
        """Of the windows of each lane, its namespace's and the fleet's included."""
        index: dict[Window, int] = {}
        rows = [
            (lane, each.allow == "nothing", index.setdefault(_window(each), len(index)))
            for lane, windows in enumerate(freezes)
            for each in windows
        ]
        lane, still, window = zip(*rows, strict=True) if rows else ((), (), ())
        return cls(np.array(lane, np.int64), np.array(still, np.bool_), np.array(window, np.int64), tuple(index))


def schedule_table(fleet: Sequence[Replicas]) -> ScheduleTable:
    """Lay the schedules of `fleet` (one entry per lane) out as a table."""
    rows = [(lane, schedule) for lane, replicas in enumerate(fleet) for schedule in replicas.schedules]
    index: dict[Window, int] = {}
    window = [index.setdefault(_window(schedule), len(index)) for _, schedule in rows]
    return ScheduleTable(
        lane=np.array([lane for lane, _ in rows], dtype=np.int64),
        min=np.array([_NONE if schedule.min is None else schedule.min for _, schedule in rows], dtype=np.int64),
        max=np.array([_NONE if schedule.max is None else schedule.max for _, schedule in rows], dtype=np.int64),
        window=np.array(window, dtype=np.int64),
        windows=tuple(index),
    )


def bounds_at(table: ScheduleTable, min_replicas: Int64, max_replicas: Int64, *, now_s: float) -> tuple[Int64, Int64]:
    """Return the bounds `(min[lane], max[lane])` that hold at `now_s` (wall time).

    While windows of a lane are active, the larger of their mins and the larger of their maxes replace the lane's own;
    a window that gives none counts with the lane's own (`min_replicas[lane]`, `max_replicas[lane]`).
    """
    if not table.windows:
        return min_replicas, max_replicas
    window_active = np.array([is_active(window, now_s=now_s) for window in table.windows], dtype=np.bool_)
    active = window_active[table.window]
    lane = table.lane[active]
    return (
        _largest(min_replicas, lane, table.min[active]),
        _largest(max_replicas, lane, table.max[active]),
    )


def active_bounds(replicas: Replicas, *, now_s: float) -> tuple[int, int]:
    """Return the bounds `(min, max)` of one policy that hold at `now_s` (wall time)."""
    own = np.array([replicas.min], dtype=np.int64), np.array([replicas.max], dtype=np.int64)
    low, high = bounds_at(schedule_table([replicas]), *own, now_s=now_s)
    return int(low[0]), int(high[0])


def is_active(window: Window, *, now_s: float) -> bool:
    """Return whether the window's latest beginning at or before `now_s` lies less than its duration back.

    A beginning that the clocks skip in spring happens right after the skip; one in the hour repeated in autumn
    happens once, the first time. A cron expression whose hour or minute begins with `*` follows the clock instead:
    skipped hours do not come and repeated ones come twice (cron of Debian, as cronsim follows it). The duration is
    elapsed time, so a window of 8h lasts 8 hours on those days too.
    """
    today = int(now_s // _DAY_S)
    first = int((now_s - window.duration_s) // _DAY_S)
    for day in range(today, first - 1, -1):
        begins_s = _begins_s(window.cron, window.timezone, day)
        begun = bisect_right(begins_s, now_s)
        if begun:
            return now_s - begins_s[begun - 1] < window.duration_s
    return False


def begun_between(window: Window, *, from_s: float, until_s: float) -> list[float]:
    """When the windows begin that are active at some time from `from_s` up to `until_s`, ascending, in wall seconds."""
    first, last = int((from_s - window.duration_s) // _DAY_S), int(until_s // _DAY_S)
    begins_s = (at_s for day in range(first, last + 1) for at_s in _begins_s(window.cron, window.timezone, day))
    return [at_s for at_s in begins_s if from_s - window.duration_s < at_s < until_s]


def _window(given: Schedule | Freeze) -> Window:
    return Window(given.cron, given.timezone, given.duration)


def _largest(own: Int64, lane: Int64, given: Int64) -> Int64:
    replaced = own.copy()
    replaced[lane] = 0
    np.maximum.at(replaced, lane, np.where(given == _NONE, own[lane], given))
    return replaced


@lru_cache(maxsize=65_536)
def _begins_s(cron: str, timezone: str, day: int) -> tuple[float, ...]:
    """Times within one UTC day (days since 1970) at which windows begin, ascending, in wall seconds."""
    start_s, end_s = day * _DAY_S, (day + 1) * _DAY_S
    begins_s: set[float] = set()
    for moment in CronSim(cron, datetime.fromtimestamp(start_s - 1, tz=ZoneInfo(timezone))):
        at_s = moment.timestamp()
        if at_s >= end_s:
            break
        if at_s >= start_s:
            begins_s.add(at_s)
    return tuple(sorted(begins_s))
