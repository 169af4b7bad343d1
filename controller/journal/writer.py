"""Writes what waits, in order, in a task of its own: a slow database delays nobody for longer than they allow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from controller.errors import ForesailError, Rejected, Unavailable
from controller.journal.rows import JournalHealth
from controller.journal.tables import HISTORY_BLOCKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from controller.journal.buffer import Buffer, Write
    from controller.journal.database import Database

log = structlog.get_logger("foresail.journal")

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
_CLOSING_S = 2.0
_CONNECTING_S = 30.0  # migrations included
_ROWS_AT_ONCE = 1000


@dataclass(slots=True)
class Writer:
    """Owns the buffer and the only writing transactions of this process.

    `on_connect` gives the writes that a database has to begin with, whenever one is newly connected.
    """

    database: Database
    now_s: Callable[[], float]
    buffer: Buffer
    on_connect: Callable[[], Sequence[Write]]
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _problem: ForesailError | None = None
    _failures: int = 0
    _last_write_at_s: float | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    @property
    def health(self) -> JournalHealth:
        """How writing fares."""
        return JournalHealth(
            str(self._problem or ""), len(self.buffer), self.buffer.dropped, self._failures, self._last_write_at_s
        )

    async def start(self) -> None:
        """Connect, or note why that fails, and begin to write. Raises Rejected for a schema that is not ours."""
        try:
            await asyncio.wait_for(self.database.connect(), _CONNECTING_S)
        except Unavailable as problem:
            self._problem = problem
        except TimeoutError:
            self._problem = Unavailable(f"the journal's database did not answer within {_CONNECTING_S:g} s")
        self._task = asyncio.create_task(self._run(), name="journal")
        self._task.add_done_callback(self._ended)

    async def write(self, write: Write, timeout_s: float) -> None:
        """Take a write and wait until it is safe. It stays in the buffer when it is not.

        Raises Unavailable after `timeout_s`, or at once while the database is known to be down; Rejected for good.
        """
        self.buffer.add(write)
        self._wake.set()
        if self._problem is not None:
            raise self._refusal()
        try:
            await asyncio.wait_for(write.settled.wait(), timeout_s)
        except TimeoutError as error:
            self._problem = Unavailable(f"the journal's database did not write within {timeout_s:g} s")
            raise self._refusal() from error
        if write.refusal:
            raise Rejected(write.refusal)
        if not write.done:
            raise self._refusal()

    async def close(self) -> None:
        """Write what waits, if the database lets us within two seconds, and stop."""
        if self._task is None:
            return
        if len(self.buffer) and self._problem is None:
            await self._emptied()
        self._task.cancel()
        await asyncio.wait([self._task], timeout=_CLOSING_S)
        self._task = None

    async def _emptied(self) -> None:
        """Wait for the last write there is."""
        last = self.buffer.last()
        try:
            await asyncio.wait_for(last.settled.wait(), _CLOSING_S)
        except TimeoutError:
            self._problem = Unavailable(f"{len(self.buffer)} writes were given up at the end")

    def _refusal(self) -> ForesailError:
        problem = self._problem or Unavailable("too much waits for the journal")
        return type(problem)(f"{problem}; {len(self.buffer)} wait to be written")

    async def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            if not len(self.buffer):
                self._wake.clear()
                await self._wake.wait()
            try:
                await self._flush()
            except ForesailError as problem:
                self._failed(problem)
                if isinstance(problem, Rejected):
                    return
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                self._problem, pause_s = None, _FIRST_PAUSE_S

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Tell that a fault nobody foresaw has ended the writing: nothing will be written any more."""
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            log.error("journal writer ended", exc_info=fault)
            self._failed(
                Unavailable(f"the journal's writer ended by {type(fault).__name__}: {fault}; restart Foresail")
            )

    def _failed(self, problem: ForesailError) -> None:
        self._problem = problem
        self._failures += 1
        self.buffer.failed()

    async def _flush(self) -> None:
        async with self.lock:
            first: Sequence[Write] = ()
            if not self.database.connected:
                await self.database.connect()
                first = self.on_connect()
            batch = self.buffer.head()
            try:
                await self._insert((*first, *batch))
            except Rejected:
                await self._one_by_one((*first, *batch))
        self.buffer.written(batch)
        self._last_write_at_s = self.now_s()

    async def _one_by_one(self, writes: Sequence[Write]) -> None:
        """Write what can be, and give up what holds a value that the database never takes."""
        for write in writes:
            try:
                await self._insert((write,))
            except Rejected as problem:
                self._failures += 1
                write.refusal = str(problem)
                log.warning("journal write given up", err=write.refusal)

    async def _insert(self, writes: Sequence[Write]) -> None:
        async with self.database.writing() as connection:
            for write in writes:
                await _insert(connection, write)


async def _insert(connection: AsyncConnection, write: Write) -> None:
    """Insert rows; those whose key is there already were written before the answer was lost."""
    kind = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for table, rows in write.every:
        new = await _not_stored(connection, rows) if table is HISTORY_BLOCKS else rows
        for start in range(0, len(new), _ROWS_AT_ONCE):
            await connection.execute(kind(table).on_conflict_do_nothing(), new[start : start + _ROWS_AT_ONCE])


async def _not_stored(connection: AsyncConnection, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    stored = set((await connection.execute(select(HISTORY_BLOCKS.c.digest))).scalars())
    return [block for block in blocks if block["digest"] not in stored]
