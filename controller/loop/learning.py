"""What is learned beside the ticks: history read from the source once, and refits in a worker process."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import structlog

from controller.errors import ForesailError, Unavailable
from policies.forecast.seasonal import REFIT_EVERY_S, refit
from policies.history import Backfill
from policies.model import Kind

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from controller.collect.questions import Questions
    from controller.ports import Clock, MetricsSource
    from policies.forecast.seasonal import SeasonalFit
    from policies.model import Fleet
    from policies.state import EngineState

log = structlog.get_logger("foresail.learning")

DAY_S = 86_400.0
STEP_S = 60.0
DAY_DEADLINE_S = 60.0  # for one query over one day
RETRY_REFIT_S = 600.0  # while no row of the fit is known
RETRY_PAST_S = 60.0  # while the source does not answer


@dataclass(slots=True)
class Learning:
    """Reads the past of new demand tracks day by day, newest first, and refits when a fit is due."""

    source: MetricsSource
    clock: Clock
    executor: Executor | None = None  # None runs refits in a thread
    _days: deque[tuple[tuple[str, ...], Backfill]] = field(default_factory=deque)
    _reading: asyncio.Task[None] | None = None
    _waiting: bool = False  # for a source that did not answer
    _fitting: asyncio.Future[SeasonalFit] | None = None
    _fitted_at_s: float = -np.inf

    def read_past(self, fleet: Fleet, questions: Questions, *, known_s: float = 0.0) -> None:
        """Begin to read what the demand tracks of `fleet` were, as far back as models look or since `known_s`."""
        self.stop_reading()
        since_s = max(known_s, self.clock.now_s() - float(fleet.history_s.max()))
        self._reading = asyncio.create_task(self._read(fleet, questions, since_s), name="history")

    def stop_reading(self) -> None:
        """Give up reading the past."""
        if self._reading is not None:
            self._reading.cancel()
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
        reading = bool(self._days) or (self._reading is not None and not self._reading.done() and not self._waiting)
        known = state.fit is not None and bool(state.fit.known.any())
        due = now_s - self._fitted_at_s >= (REFIT_EVERY_S if known else RETRY_REFIT_S)
        if reading or not due or self._fitting is not None or not state.history.hours:
            return
        self._fitted_at_s = now_s
        window = state.history.window(history_s, now_s)
        loop = asyncio.get_running_loop()
        work = partial(refit, window, now_s=now_s, rows=state.rows)
        self._fitting = asyncio.ensure_future(loop.run_in_executor(self.executor, work))

    async def _read(self, fleet: Fleet, questions: Questions, since_s: float) -> None:
        rows = [track for track in range(fleet.tracks.lane.size) if fleet.tracks.kind[track] == Kind.DEMAND]
        uids = tuple(fleet.tracks.uid[track] for track in rows)
        end_s = self.clock.now_s()
        while end_s - since_s > STEP_S:
            start_s = max(since_s, end_s - DAY_S)
            try:
                day = await self._day(rows, questions, start_s, end_s)
            except Unavailable as error:
                log.warning("history not read yet", since_s=since_s, until_s=end_s, err=str(error))
                self._waiting = True
                await self.clock.sleep(RETRY_PAST_S)
                self._waiting = False
                continue
            except ForesailError as error:
                log.warning("history not read", since_s=since_s, until_s=end_s, err=str(error))
                return
            self._days.append((uids, day))
            end_s = start_s

    async def _day(self, rows: list[int], questions: Questions, start_s: float, end_s: float) -> Backfill:
        minutes = max(1, int((end_s - start_s) // STEP_S))
        value = np.zeros((len(rows), minutes), np.float32)
        known = np.zeros((len(rows), minutes), np.bool_)
        wanted: dict[int, dict[tuple[str, ...], int]] = {}
        for row, track in enumerate(rows):
            place = questions.places[track]
            wanted.setdefault(place.query, {})[place.key] = row
        for query, row_of in wanted.items():
            asked = questions.queries[query]
            found = await self.source.past(
                asked, start_s=start_s, end_s=end_s - STEP_S, step_s=STEP_S, deadline_s=DAY_DEADLINE_S
            )
            for series in found:
                row = row_of.get(series.key[:-1] if asked.per_pod else series.key, -1)
                minute = np.round((np.asarray(series.at_s) - start_s) / STEP_S).astype(np.int64)
                inside = (minute >= 0) & (minute < minutes)
                if row >= 0:
                    np.add.at(value[row], minute[inside], np.asarray(series.values, np.float32)[inside])
                    known[row, minute[inside]] = True
        return Backfill(start_s, STEP_S, value, known)
