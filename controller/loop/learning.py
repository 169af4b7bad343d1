"""What is learned beside the ticks: history read from the source once, and refits in a worker process."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
import structlog

from controller.errors import Rejected, Unavailable
from policies.forecast.seasonal import REFIT_EVERY_S, refit
from policies.history import Backfill
from policies.model import Kind

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from controller.collect.questions import Questions
    from controller.ports import Clock, MetricsSource
    from controller.records import PastSeries, SignalQuery
    from policies.arrays import BoolArray
    from policies.forecast.seasonal import SeasonalFit
    from policies.model import Fleet
    from policies.state import EngineState

log = structlog.get_logger("foresail.learning")

DAY_S = 86_400.0
STEP_S = 60.0
DAY_DEADLINE_S = 60.0  # for one query over one day
RETRY_REFIT_S = 600.0  # while no row of the fit is known
RETRY_PAST_S = 60.0  # while the source does not answer


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is read of the past: which rows want it, and where each query's answer belongs."""

    uids: tuple[str, ...]  # [row]
    wanted: frozenset[str]  # of the uids
    since_s: float
    rows_of: dict[SignalQuery, dict[tuple[str, ...], list[int]]]  # a query that is refused leaves it


@dataclass(slots=True)
class Learning:
    """Reads the past of new demand tracks day by day, newest first, and refits when a fit is due."""

    source: MetricsSource
    clock: Clock
    executor: Executor | None = None  # None runs refits in a thread
    _days: deque[tuple[tuple[str, ...], Backfill]] = field(default_factory=deque)
    _reading: _Reading | None = None
    _task: asyncio.Task[None] | None = None
    _waiting: bool = False  # for a source that did not answer
    _fitting: asyncio.Future[SeasonalFit] | None = None
    _fitted_at_s: float = -np.inf

    def read_past(
        self, fleet: Fleet, questions: Questions, *, rows: BoolArray | None = None, known_s: float = 0.0
    ) -> None:
        """Begin to read what demand tracks of `fleet` were, as far back as models look or since `known_s`.

        `rows`, `[row]` of the demand tracks, says which need it; None means all. Those that an earlier call asked for
        and that have not been read yet are read as well.
        """
        uids = tuple(fleet.tracks.uid[track] for track in _demand(fleet))
        wanted = frozenset(uids if rows is None else compress(uids, rows.tolist()))
        since_s = max(known_s, self.clock.now_s() - float(fleet.history_s.max()))
        if self._reading is not None and self._unread():
            left = self._reading.wanted & set(uids)
            since_s = min(since_s, self._reading.since_s) if left else since_s
            wanted |= left
        self.stop_reading()
        if wanted:
            self._reading = _Reading(uids, wanted, since_s, _rows_of(fleet, questions, wanted))
            self._task = asyncio.create_task(self._read(self._reading), name="history")

    def stop_reading(self) -> None:
        """Give up reading the past."""
        if self._task is not None:
            self._task.cancel()
        self._reading = None
        self._waiting = False
        self._days.clear()

    def stop(self) -> None:
        """Give up reading the past, and a refit under way."""
        self.stop_reading()
        if self._fitting is not None:
            self._fitting.cancel()

    def next_day(self, rows: tuple[str, ...]) -> Backfill | None:
        """A day that has been read for these rows, once."""
        while self._days:
            of_rows, backfill = self._days.popleft()
            if of_rows == rows:
                return backfill
        return None

    def next_fit(self) -> SeasonalFit | None:
        """A refit that has finished, once."""
        done, self._fitting = self._fitting, None
        if done is None or not done.done():
            self._fitting = done
            return None
        if done.exception() is not None:
            log.warning("refit failed", err=str(done.exception()))
            return None
        return done.result()

    def refit_when_due(self, state: EngineState, history_s: float) -> None:
        """Start a refit if the last is too old, none runs and no history is still being read."""
        now_s = self.clock.now_s()
        reading = self._unread() and not self._waiting
        known = state.fit is not None and bool(state.fit.known.any())
        due = now_s - self._fitted_at_s >= (REFIT_EVERY_S if known else RETRY_REFIT_S)
        if reading or not due or self._fitting is not None or not state.history.hours:
            return
        self._fitted_at_s = now_s
        window = state.history.window(history_s, now_s)
        loop = asyncio.get_running_loop()
        work = partial(refit, window, now_s=now_s, rows=state.rows)
        self._fitting = asyncio.ensure_future(loop.run_in_executor(self.executor, work))

    def _unread(self) -> bool:
        """Whether the past is still being read, or a day of it waits to be taken."""
        return bool(self._days) or (self._task is not None and not self._task.done())

    async def _read(self, reading: _Reading) -> None:
        end_s = self.clock.now_s()
        while end_s - reading.since_s > STEP_S and reading.rows_of:
            start_s = max(reading.since_s, end_s - DAY_S)
            try:
                day = await self._day(reading, start_s, end_s)
            except Unavailable as error:
                log.warning("history not read yet", since_s=reading.since_s, until_s=end_s, err=str(error))
                self._waiting = True
                await self.clock.sleep(RETRY_PAST_S)
                self._waiting = False
                continue
            self._days.append((reading.uids, day))
            end_s = start_s

    async def _day(self, reading: _Reading, start_s: float, end_s: float) -> Backfill:
        minutes = max(1, int((end_s - start_s) // STEP_S))
        shape = (len(reading.uids), minutes)
        day = Backfill(start_s, STEP_S, np.zeros(shape, np.float32), np.zeros(shape, np.bool_))
        for query, rows_of in tuple(reading.rows_of.items()):
            try:
                found = await self.source.past(
                    query, start_s=start_s, end_s=end_s - STEP_S, step_s=STEP_S, deadline_s=DAY_DEADLINE_S
                )
            except Rejected as error:
                del reading.rows_of[query]
                log.warning("history not read", query=query.text, until_s=end_s, err=str(error))
                continue
            for series in found:
                _put(day, rows_of.get(series.key[:-1] if query.per_pod else series.key, []), series)
        return day


def _demand(fleet: Fleet) -> list[int]:
    """The tracks that have a row of history, in order."""
    demand: list[int] = np.flatnonzero(fleet.tracks.kind == Kind.DEMAND).tolist()
    return demand


def _rows_of(
    fleet: Fleet, questions: Questions, wanted: frozenset[str]
) -> dict[SignalQuery, dict[tuple[str, ...], list[int]]]:
    rows_of: dict[SignalQuery, dict[tuple[str, ...], list[int]]] = {}
    for row, track in enumerate(_demand(fleet)):
        if fleet.tracks.uid[track] in wanted:
            place = questions.places[track]
            rows_of.setdefault(questions.queries[place.query], {}).setdefault(place.key, []).append(row)
    return rows_of


def _put(day: Backfill, rows: list[int], series: PastSeries) -> None:
    """Add a series to the rows that it is of; per-pod series of one key add up."""
    minute = np.round((np.asarray(series.at_s) - day.start_s) / day.step_s).astype(np.int64)
    inside = (minute >= 0) & (minute < day.value.shape[1])
    for row in rows:
        np.add.at(day.value[row], minute[inside], np.asarray(series.values, np.float32)[inside])
        day.known[row, minute[inside]] = True
