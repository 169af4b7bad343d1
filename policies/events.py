"""Declared events: when load is known to differ and by how much, as a table of the fleet and as spans of time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import FloatArray, IntArray, floats, integers
from policies.schedules import Window, begun_between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.spec import Event

ONCE = -1  # in `window`: the event happens at `at_s` alone


@dataclass(frozen=True, slots=True)
class EventTable:
    """The events of a fleet, one row each, sorted by lane; `window` points into `windows`, or is ONCE."""

    lane: IntArray
    name: tuple[str, ...]
    signal: tuple[str, ...]  # the demand signal it changes; empty for all of the lane
    factor: FloatArray  # of usual load; 1 where the event adds
    extra: FloatArray  # load on top, in the signal's unit; 0 where the event multiplies
    at_s: FloatArray  # wall time; 0 for one that happens again and again
    duration_s: FloatArray
    window: IntArray
    windows: tuple[Window, ...]

    @classmethod
    def none(cls) -> EventTable:
        """No event was declared."""
        return cls(integers(0), (), (), floats(0), floats(0), floats(0), floats(0), integers(0), ())

    def of_lanes(self, lanes: IntArray) -> EventTable:
        """The events of `lanes`; they keep their numbers."""
        kept = np.isin(self.lane, lanes)
        return EventTable(
            lane=self.lane[kept],
            name=tuple(compress(self.name, kept)),
            signal=tuple(compress(self.signal, kept)),
            factor=self.factor[kept],
            extra=self.extra[kept],
            at_s=self.at_s[kept],
            duration_s=self.duration_s[kept],
            window=self.window[kept],
            windows=self.windows,
        )


@dataclass(frozen=True, slots=True)
class Spans:
    """Stretches of wall time in which rows (tracks of demand) differ, a flat table. They may overlap."""

    row: IntArray
    from_s: FloatArray
    until_s: FloatArray
    factor: FloatArray
    extra: FloatArray

    @classmethod
    def none(cls) -> Spans:
        """Nothing differs."""
        return cls(integers(0), floats(0), floats(0), floats(0), floats(0))

    def of_rows(self, rows: IntArray, count: int) -> Spans:
        """Those of `rows`, of `count` there are, renumbered in their order."""
        place = np.full(count, -1, np.int64)
        place[rows] = np.arange(rows.size)
        kept = place[self.row] >= 0
        return Spans(place[self.row[kept]], self.from_s[kept], self.until_s[kept], self.factor[kept], self.extra[kept])


def event_table(fleet: Sequence[Sequence[Event]]) -> EventTable:
    """Lay the events of `fleet` (one entry per lane) out as a table."""
    rows = [(lane, event) for lane, events in enumerate(fleet) for event in events]
    index: dict[Window, int] = {}
    window = [
        ONCE if event.cron is None else index.setdefault(Window(event.cron, event.timezone, event.duration), len(index))
        for _, event in rows
    ]
    return EventTable(
        lane=np.array([lane for lane, _ in rows], np.int64),
        name=tuple(event.name for _, event in rows),
        signal=tuple(event.signal or "" for _, event in rows),
        factor=np.array([1.0 if event.factor is None else float(event.factor) for _, event in rows], np.float64),
        extra=np.array([0.0 if event.extra is None else float(event.extra) for _, event in rows], np.float64),
        at_s=np.array([event.at or 0.0 for _, event in rows], np.float64),
        duration_s=np.array([event.duration for _, event in rows], np.float64),
        window=np.array(window, np.int64),
        windows=tuple(index),
    )


def spans_between(
    table: EventTable, row_lane: IntArray, row_signal: Sequence[str], *, from_s: float, until_s: float
) -> Spans:
    """When and how rows differ at some time from `from_s` up to `until_s`.

    Row i is the track of demand `row_signal[i]` of lane `row_lane[i]`; rows are sorted by lane.
    """
    found: list[tuple[int, float, float, float, float]] = []
    begun = [begun_between(window, from_s=from_s, until_s=until_s) for window in table.windows]
    first, end = (np.searchsorted(row_lane, table.lane + more).tolist() for more in (0, 1))
    columns = zip(table.window.tolist(), *(_floats(table)), table.signal, first, end, strict=True)
    for window, at_s, lasts_s, factor, extra, wanted, low, high in columns:
        once = [at_s] if from_s - lasts_s < at_s < until_s else []
        for begins_s in once if window == ONCE else begun[window]:
            rows = (row for row in range(low, high) if wanted in ("", row_signal[row]))
            found += [(row, begins_s, begins_s + lasts_s, factor, extra) for row in rows]
    spans = np.array(found, np.float64).reshape(-1, 5).T
    return Spans(spans[0].astype(np.int64), *spans[1:])


def _floats(table: EventTable) -> tuple[list[float], ...]:
    return tuple(column.tolist() for column in (table.at_s, table.duration_s, table.factor, table.extra))
