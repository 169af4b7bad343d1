"""What is learned beside the ticks: the past is read from the source once, and gone through in a worker process."""

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
from policies.history import Backfill
from policies.lead_time import serving_per_replica
from policies.model import Kind
from policies.pretraining import learned_of
from policies.rows import demand_tracks
from policies.subset import fleet_for
from policies.tournament import EVIDENCE_STEPS

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from controller.collect.questions import Questions
    from controller.ports import Clock, MetricsSource
    from controller.records import PastSeries, SignalQuery
    from policies.arrays import BoolArray
    from policies.lead_time import Learned
    from policies.model import Fleet, Observation
    from policies.state import EngineState

log = structlog.get_logger("foresail.learning")

HOUR_S, DAY_S = 3600.0, 86_400.0
STEP_S = 60.0
PIECE_DEADLINE_S = 60.0  # for one query over a day, or over less where it tells of many workloads
POINTS_AT_ONCE = 1_000_000  # that one query may be asked for: Prometheus gives up some millions in two minutes
LANES_AT_ONCE = 32  # whose past is gone through in one piece of work: a week takes about a second each
AGAIN_S = 6 * 3600.0  # a lane whose past was too short is tried again,
RETRY_S = 600.0  # and so are lanes for which learning failed
RETRY_PAST_S = 60.0  # while the source does not answer
PATIENCE_S = 3600.0  # what was read is learned from when the source tells no more of the past for so long


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is read of the past: which rows want it, and where each query's answer belongs."""

    uids: tuple[str, ...]  # [row]
    wanted: frozenset[str]  # of the uids
    lanes: frozenset[str]  # that they are of
    since_s: float
    rows_of: dict[SignalQuery, dict[tuple[str, ...], list[int]]]  # a query that is refused leaves it


@dataclass(slots=True)
class Learning:
    """Reads the past of new demand tracks piece by piece, newest first, and has the lead-time layer learn from it."""

    source: MetricsSource
    clock: Clock
    executor: Executor | None = None  # None learns in a thread
    _pieces: deque[tuple[tuple[str, ...], Backfill]] = field(default_factory=deque)
    _reading: _Reading | None = None
    _task: asyncio.Task[None] | None = None
    _waiting: bool = False  # for a source that did not answer
    _told_at_s: float = np.inf  # monotonic: when it last told a piece of what is read now; inf before the first
    _learning: asyncio.Future[Learned] | None = None
    _tried_at_s: dict[str, float] = field(default_factory=dict)  # by uid of the lane

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
            lanes = frozenset(fleet.uid[fleet.tracks.lane[track]] for track in _of(fleet, wanted))
            self._reading = _Reading(uids, wanted, lanes, since_s, _rows_of(fleet, questions, wanted))
            self._task = asyncio.create_task(self._read(self._reading), name="history")

    @property
    def reading(self) -> bool:
        """Whether more of the past is to be expected soon: not while its source does not answer."""
        return self._unread() and not self._waiting

    def stop_reading(self) -> None:
        """Give up reading the past."""
        if self._task is not None:
            self._task.cancel()
        self._reading = None
        self._waiting = False
        self._told_at_s = np.inf
        self._pieces.clear()

    def stop(self) -> None:
        """Give up reading the past, and learning from it."""
        self.stop_reading()
        if self._learning is not None:
            self._learning.cancel()

    def next_piece(self, rows: tuple[str, ...]) -> Backfill | None:
        """A piece of the past that has been read for these rows, once."""
        while self._pieces:
            of_rows, backfill = self._pieces.popleft()
            if of_rows == rows:
                return backfill
        return None

    def next_learned(self) -> Learned | None:
        """What was learned, once."""
        done, self._learning = self._learning, None
        if done is None or not done.done():
            self._learning = done
            return None
        if done.exception() is not None:
            log.warning("learning failed", err=str(done.exception()))
            sooner_s = self.clock.now_s() - AGAIN_S + RETRY_S
            self._tried_at_s |= {uid: sooner_s for uid, at_s in self._tried_at_s.items() if at_s > sooner_s}
            return None
        return done.result()

    def learn_when_due(self, fleet: Fleet, state: EngineState, seen: Observation) -> None:
        """Have some lanes that know too little go through their past, once it is read and nothing else is learned.

        While the source does not answer, they wait for it: a lane that went through nothing is not tried again for
        long. If it told of some days and of no more for an hour, those are gone through; what it tells later on is
        gone through again by lanes that still know too little.
        """
        if self._learning is not None or self._awaited() or not state.history.hours:
            return
        keep = self._to_learn(fleet, state)
        if not keep.any():
            return
        rows = np.flatnonzero(keep[fleet.tracks.lane[demand_tracks(fleet)]])
        window = state.history.window(float(fleet.history_s.max()), seen.now_s, rows)
        serving = serving_per_replica(fleet, seen)[rows]
        work = partial(learned_of, fleet_for(fleet, keep), window, serving, state.starts.quantile_s[keep])
        loop = asyncio.get_running_loop()
        self._learning = asyncio.ensure_future(loop.run_in_executor(self.executor, work))

    def _to_learn(self, fleet: Fleet, state: EngineState) -> BoolArray:
        """The next few lanes that have demand and not evidence enough, `[lane]`; they count as tried."""
        now_s = self.clock.now_s()
        keep = np.zeros(fleet.lanes, np.bool_)
        self._forget_but(fleet)
        if not fleet.forecast.any():
            return keep
        keep[fleet.tracks.lane[demand_tracks(fleet)]] = True
        keep &= fleet.forecast & (state.lead.scores.known < EVIDENCE_STEPS)
        chosen = [
            lane
            for lane in np.flatnonzero(keep).tolist()
            if now_s - self._tried_at_s.get(fleet.uid[lane], -np.inf) >= AGAIN_S
        ][:LANES_AT_ONCE]
        self._tried_at_s |= {fleet.uid[lane]: now_s for lane in chosen}
        return np.isin(np.arange(fleet.lanes), chosen)

    def _forget_but(self, fleet: Fleet) -> None:
        """Forget that lanes were tried which are not in the fleet any more: should they come back, they are new."""
        if self._tried_at_s.keys() - fleet.uid:
            self._tried_at_s = {uid: self._tried_at_s[uid] for uid in fleet.uid if uid in self._tried_at_s}

    def _awaited(self) -> bool:
        """Whether so much of the past is still to come that learning waits for it."""
        patient = self.clock.elapsed_s() - self._told_at_s < PATIENCE_S
        return bool(self._pieces) or self.reading or (self._unread() and patient)

    def _unread(self) -> bool:
        """Whether the past is still being read, or a piece of it waits to be taken."""
        return bool(self._pieces) or (self._task is not None and not self._task.done())

    async def _read(self, reading: _Reading) -> None:
        """Read backwards piece by piece; a piece that is not answered is asked for again later, half as long."""
        end_s, most_s = self.clock.now_s(), DAY_S
        while end_s - reading.since_s > STEP_S and reading.rows_of:
            piece_s = min(most_s, _longest_piece_s(reading))
            start_s = max(reading.since_s, end_s - piece_s)
            try:
                piece = await self._piece(reading, start_s, end_s)
            except Unavailable as error:
                log.warning("history not read yet", since_s=reading.since_s, until_s=end_s, err=str(error))
                most_s = max(HOUR_S, piece_s / 2)
                self._waiting = True
                await self.clock.sleep(RETRY_PAST_S)
                self._waiting = False
                continue
            most_s = 2 * piece_s
            self._pieces.append((reading.uids, piece))
            self._told_at_s = self.clock.elapsed_s()
            for uid in reading.lanes:
                self._tried_at_s.pop(uid, None)
            end_s = start_s

    async def _piece(self, reading: _Reading, start_s: float, end_s: float) -> Backfill:
        minutes = max(1, int((end_s - start_s) // STEP_S))
        shape = (len(reading.uids), minutes)
        piece = Backfill(start_s, STEP_S, np.zeros(shape, np.float32), np.zeros(shape, np.bool_))
        for query, rows_of in tuple(reading.rows_of.items()):
            try:
                found = await self.source.past(
                    query, start_s=start_s, end_s=end_s - STEP_S, step_s=STEP_S, deadline_s=PIECE_DEADLINE_S
                )
            except Rejected as error:
                del reading.rows_of[query]
                log.warning("history not read", query=query.text, until_s=end_s, err=str(error))
                continue
            for series in found:
                _put(piece, rows_of.get(series.key[:-1] if query.per_pod else series.key, []), series)
        return piece


def _demand(fleet: Fleet) -> list[int]:
    """The tracks that have a row of history, in order."""
    demand: list[int] = np.flatnonzero(fleet.tracks.kind == Kind.DEMAND).tolist()
    return demand


def _of(fleet: Fleet, wanted: frozenset[str]) -> list[int]:
    """The demand tracks with these uids."""
    return [track for track in _demand(fleet) if fleet.tracks.uid[track] in wanted]


def _rows_of(
    fleet: Fleet, questions: Questions, wanted: frozenset[str]
) -> dict[SignalQuery, dict[tuple[str, ...], list[int]]]:
    rows_of: dict[SignalQuery, dict[tuple[str, ...], list[int]]] = {}
    for row, track in enumerate(_demand(fleet)):
        if fleet.tracks.uid[track] in wanted:
            place = questions.places[track]
            rows_of.setdefault(questions.queries[place.query], {}).setdefault(place.key, []).append(row)
    return rows_of


def _longest_piece_s(reading: _Reading) -> float:
    """How far back one question may go: a day, or less where it tells of many rows, and an hour at the least."""
    rows = max(sum(map(len, places.values())) for places in reading.rows_of.values())
    return min(DAY_S, max(HOUR_S, POINTS_AT_ONCE // rows * STEP_S))


def _put(piece: Backfill, rows: list[int], series: PastSeries) -> None:
    """Add a series to the rows that it is of; per-pod series of one key add up."""
    minute = np.round((np.asarray(series.at_s) - piece.start_s) / piece.step_s).astype(np.int64)
    inside = (minute >= 0) & (minute < piece.value.shape[1])
    for row in rows:
        np.add.at(piece.value[row], minute[inside], np.asarray(series.values, np.float32)[inside])
        piece.known[row, minute[inside]] = True
