"""The journal: what was observed, decided, intended and done, and the state to restart from.

Every write is taken at once into a bounded buffer and written in order by a task of its own. A caller waits for at
most `timeout_s` until it is safe, and not at all while the database is known to be down.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from controller.errors import Unavailable
from controller.journal import queries
from controller.journal.buffer import Buffer, Write
from controller.journal.database import Database
from controller.journal.rows import (
    Beginning,
    DecisionRow,
    Explained,
    Intent,
    JournalHealth,
    Page,
    Restored,
    Snapshot,
    StepRow,
    TickRow,
    decision_rows,
    rows_of,
    to_change,
    unlike,
)
from controller.journal.statistics import Statistics, statistics_of
from controller.journal.tables import (
    DECISIONS,
    FLEETS,
    HISTORY_BLOCKS,
    INTENTS,
    INTERVENTIONS,
    OUTCOMES,
    SNAPSHOT_BLOCKS,
    SNAPSHOTS,
    TICKS,
)
from controller.journal.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from controller.records import Intervention, Outcome, ScaleOrder

__all__ = [
    "Beginning",
    "DecisionRow",
    "Explained",
    "Intent",
    "Journal",
    "JournalHealth",
    "Page",
    "Restored",
    "Snapshot",
    "Statistics",
    "StepRow",
    "TickRow",
    "decision_rows",
    "rows_of",
    "to_change",
    "unlike",
]

TIMEOUT_S = 2.0
BUFFER_BYTES = 128 * 2**20
PAGE_TICKS = 200

_READING_S = 60.0
_NEVER_S = float("inf")


@dataclass(frozen=True, slots=True)
class _CurrentFleet:
    digest: str = ""
    write: Write | None = None


class Journal:
    """A journal on SQLite or PostgreSQL. Make one with `Journal.open`, or `Journal.reader` to look only.

    Writers raise Unavailable when the write is not safe yet; it is kept and written as soon as that is possible.
    Every row has a key of its own, so writing one again changes nothing.
    """

    def __init__(self, database: Database, *, timeout_s: float, buffer_bytes: int, now_s: Callable[[], float]) -> None:
        """Use `Journal.open`."""
        self._database = database
        self._timeout_s = timeout_s
        self._fleet = _CurrentFleet()
        self._snapshot: Write | None = None
        self._writer = Writer(database, now_s, Buffer(buffer_bytes), self._first_writes)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        buffer_bytes: int = BUFFER_BYTES,
        now_s: Callable[[], float] = time.time,
    ) -> Journal:
        """Open a journal to write, bringing its schema up to date.

        A database that is down is no error here: `health` tells, and what is written waits. Raises Rejected when the
        schema is newer than this program.
        """
        journal = cls(Database(url), timeout_s=timeout_s, buffer_bytes=buffer_bytes, now_s=now_s)
        await journal._writer.start()
        return journal

    @classmethod
    async def reader(cls, url: str) -> Journal:
        """Open a journal that is there, to read. Raises Unavailable, or Rejected when its schema is not ours."""
        journal = cls(Database(url, migrates=False), timeout_s=TIMEOUT_S, buffer_bytes=0, now_s=time.time)
        await journal._database.connect()
        return journal

    @property
    def health(self) -> JournalHealth:
        """How writing fares."""
        return self._writer.health

    async def record_fleet(self, at_s: float, fleet: bytes, policies: Mapping[str, str]) -> str:
        """Record the packed fleet, its policies' texts by uid and our version; ticks from now on belong to it.

        Returns its digest. Raises Unavailable or Rejected.
        """
        texts, ours = json.dumps(policies, sort_keys=True), version("foresail")
        digest = sha256(b"\0".join((fleet, texts.encode(), ours.encode()))).hexdigest()
        row = {"digest": digest, "at_s": at_s, "fleet": fleet, "policies": texts, "version": ours}
        write = Write([(FLEETS, [row])])
        self._fleet = _CurrentFleet(digest, write)
        await self._writer.write(write, self._timeout_s)
        return digest

    async def record_tick(self, at_s: float, observation: bytes, decisions: Sequence[DecisionRow]) -> None:
        """Record what a tick saw, packed, and what `decision_rows` made of it. Raises Unavailable or Rejected."""
        tick = {"at_s": at_s, "fleet_digest": self._fleet.digest, "observation": observation}
        rows = await asyncio.to_thread(_decisions, decisions)
        await self._writer.write(Write([(DECISIONS, rows)], [(TICKS, [tick])]), self._timeout_s)

    async def write_intents(self, at_s: float, orders: Sequence[ScaleOrder]) -> None:
        """Record what the tick at `at_s` is about to do, before it does. Raises Unavailable or Rejected."""
        if orders:
            rows = [_intent(at_s, order) for order in orders]
            await self._writer.write(Write([(INTENTS, rows)]), self._timeout_s)

    async def write_outcomes(self, at_s: float, outcomes: Sequence[Outcome]) -> None:
        """Record how the orders of the tick at `at_s` ended. Raises Unavailable or Rejected."""
        if outcomes:
            rows = [_outcome(at_s, outcome) for outcome in outcomes]
            await self._writer.write(Write([(OUTCOMES, rows)]), self._timeout_s)

    async def write_intervention(self, told: Intervention) -> None:
        """Record what somebody told Foresail to do. Raises Unavailable or Rejected."""
        await self._writer.write(Write([(INTERVENTIONS, [asdict(told)])]), self._timeout_s)

    async def interventions(self, *, since_s: float) -> tuple[Intervention, ...]:
        """What people told since a wall time, the oldest first. Raises Unavailable or Rejected."""
        async with self._reading() as connection:
            return await queries.interventions(connection, since_s)

    async def decisions(self, uid: str, *, before_s: float = _NEVER_S, limit: int) -> tuple[DecisionRow, ...]:
        """The last decisions on a workload that were made before a wall time, the newest first.

        Raises Unavailable or Rejected.
        """
        async with self._reading() as connection:
            return await queries.decisions(connection, uid, before_s, limit)

    async def orders(self, uid: str, *, until_s: float = _NEVER_S, limit: int) -> tuple[Intent, ...]:
        """The last orders for a workload until a wall time, the newest first. Raises Unavailable or Rejected."""
        async with self._reading() as connection:
            return await queries.orders(connection, uid, until_s, limit)

    async def orders_after(self, uid: str, after_s: float, *, limit: int) -> tuple[Intent, ...]:
        """The first orders for a workload after a wall time, the oldest first. Raises Unavailable or Rejected."""
        async with self._reading() as connection:
            return await queries.orders_after(connection, uid, after_s, limit)

    async def save_snapshot(self, at_s: float, core: bytes, blocks: Mapping[int, bytes]) -> None:
        """Save the state after the tick at `at_s`. Blocks whose bytes are stored already are not stored again.

        Raises Unavailable or Rejected.
        """
        if self._snapshot is not None:
            self._writer.buffer.withdraw(self._snapshot)
        self._snapshot = await asyncio.to_thread(_snapshot, at_s, self._fleet.digest, core, blocks)
        await self._writer.write(self._snapshot, self._timeout_s)
        self._snapshot = None

    async def restore(self, *, before_s: float = _NEVER_S, until_s: float = _NEVER_S) -> Restored:
        """The newest snapshot earlier than `before_s`, the ticks after it, and the orders that may still be open.

        Of the ticks after `until_s` only the first is read. Raises Unavailable or Rejected.
        """
        async with self._reading() as connection:
            return await queries.restored(connection, before_s, until_s)

    async def beginning(self, *, since_s: float = -_NEVER_S, until_s: float = _NEVER_S) -> Beginning:
        """From where the ticks between two wall times can be decided again. Raises Unavailable or Rejected."""
        async with self._reading() as connection:
            return await queries.beginning(connection, since_s, until_s)

    async def pages(self, after_s: float, *, until_s: float = _NEVER_S, size: int = PAGE_TICKS) -> AsyncIterator[Page]:
        """The ticks after a wall time, and what was decided, `size` at a time. Raises Unavailable or Rejected."""
        while True:
            async with self._reading() as connection:
                page = await queries.page(connection, after_s, until_s, size)
            yield page
            if len(page.ticks) < size:
                return
            after_s = page.ticks[-1].at_s

    async def tick_times(self, *, since_s: float, until_s: float = _NEVER_S) -> tuple[float, ...]:
        """When the ticks between two wall times were, rising. Raises Unavailable or Rejected."""
        async with self._reading() as connection:
            return await queries.tick_times(connection, since_s, until_s)

    async def ticks_at(
        self, at_s: Sequence[float], known: Collection[str] = ()
    ) -> tuple[tuple[TickRow, ...], Mapping[str, bytes]]:
        """The ticks of these times, rising, and the fleets that are not `known`, packed, by digest.

        Raises Unavailable or Rejected.
        """
        async with self._reading() as connection:
            return await queries.ticks_at(connection, at_s, known)

    async def statistics(self) -> Statistics:
        """How much there is of what, and where. Raises Unavailable or Rejected."""
        async with self._reading() as connection:
            return await statistics_of(connection)

    async def explain(self, uid: str, at_s: float) -> Explained | None:
        """The decision on a workload that stood at `at_s`; None when none is known. Raises Unavailable or Rejected."""
        async with self._reading() as connection:
            return await queries.explained(connection, uid, at_s)

    async def prune(self, retention_s: float, now_s: float) -> bool:
        """Remove a few snapshots that need not be kept; then what is older than `retention_s` and no restart needs.

        Whether there was more to remove than one call does. Raises Unavailable or Rejected.
        """
        cutoff_s = now_s - retention_s
        async with self._writer.lock, self._database.writing() as connection:
            if await queries.thin_out(connection, cutoff_s, now_s):
                return True
        async with self._writer.lock, self._database.writing() as connection:
            await queries.prune(connection, cutoff_s, self._fleet.digest)
        return False

    async def close(self) -> None:
        """Write what waits if that takes no longer than two seconds, and close."""
        await self._writer.close()
        await self._database.close()

    def _first_writes(self) -> Sequence[Write]:
        return () if self._fleet.write is None else (self._fleet.write,)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with asyncio.timeout(_READING_S), self._database.reading() as connection:
                yield connection
        except TimeoutError as error:
            raise Unavailable(f"the journal did not answer within {_READING_S:g} s") from error


def _decisions(rows: Sequence[DecisionRow]) -> list[dict[str, Any]]:
    return [_decision(row) for row in rows]


def _decision(row: DecisionRow) -> dict[str, Any]:
    return {
        "uid": row.uid,
        "at_s": row.at_s,
        "action": row.action,
        "mode": row.mode,
        "before": row.before,
        "target": row.target,
        "reason": row.reason,
        "steps": json.dumps([[step.rule, step.before, step.after] for step in row.steps]),
    }


def _intent(at_s: float, order: ScaleOrder) -> dict[str, Any]:
    return asdict(order.ref) | {
        "at_s": at_s,
        "uid": order.uid,
        "resource_version": order.resource_version,
        "before": order.before,
        "after": order.after,
        "reason": order.reason,
    }


def _outcome(at_s: float, outcome: Outcome) -> dict[str, Any]:
    return {
        "intent_at_s": at_s,
        "uid": outcome.order.uid,
        "resource_version": outcome.order.resource_version,
        "at_s": outcome.at_s,
        "result": outcome.result,
        "message": outcome.message,
    }


def _snapshot(at_s: float, fleet_digest: str, core: bytes, blocks: Mapping[int, bytes]) -> Write:
    digests = {start_s: sha256(block).hexdigest() for start_s, block in blocks.items()}
    stored = [
        {"digest": digests[start_s], "start_s": start_s, "size": len(block), "block": block}
        for start_s, block in blocks.items()
    ]
    uses = [{"at_s": at_s, "start_s": start_s, "digest": digest} for start_s, digest in digests.items()]
    snapshot = {"at_s": at_s, "fleet_digest": fleet_digest, "core": core}
    return Write([(HISTORY_BLOCKS, stored), (SNAPSHOT_BLOCKS, uses), (SNAPSHOTS, [snapshot])])
