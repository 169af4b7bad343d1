"""What is read from the journal's tables, and what is removed from them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, func, select

from controller.journal.rows import (
    Beginning,
    DecisionRow,
    Explained,
    Intent,
    Page,
    Restored,
    Snapshot,
    StepRow,
    TickRow,
)
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
from controller.journal.thinning import thinned
from controller.records import LONGEST_INTERVENTION_S, Intervention, Outcome, ScaleOrder, TargetRef

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Row, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

_MILLISECOND_S = 0.001
_NEIGHBOURS = 5
_AT_ONCE_TICKS = 10  # a first tick may wait for answers that long after its fleet
_SNAPSHOTS_AT_ONCE = 2  # removed in one transaction: one of ten thousand workloads takes half a second, writers wait
_WINDOW_S = 600.0  # an order of unknown end that is older than this is history


async def restored(connection: AsyncConnection, before_s: float, until_s: float) -> Restored:
    """The newest snapshot earlier than `before_s`, the ticks after it up to `until_s`, and the first later one."""
    snapshot = await _snapshot(connection, before_s)
    since_s = float("-inf") if snapshot is None else snapshot.at_s
    next_s = await connection.scalar(select(func.min(TICKS.c.at_s)).where(TICKS.c.at_s > until_s))
    wanted_ticks = TICKS.c.at_s.between(since_s, until_s if next_s is None else next_s) & (TICKS.c.at_s > since_s)
    found = await connection.execute(select(TICKS).where(wanted_ticks).order_by(TICKS.c.at_s))
    ticks = tuple(TickRow(row.at_s, row.fleet_digest, row.observation) for row in found)
    wanted = {tick.fleet_digest for tick in ticks} | ({snapshot.fleet_digest} if snapshot else set())
    fleets = (await connection.execute(select(FLEETS).where(FLEETS.c.digest.in_(wanted)))).all()
    return Restored(
        snapshot,
        ticks,
        {row.digest: row.fleet for row in fleets},
        {row.digest: row.policies for row in fleets},
        await _intents(connection, ticks[-1].at_s if ticks else since_s),
    )


async def explained(connection: AsyncConnection, uid: str, at_s: float) -> Explained | None:
    """The newest decision at or before `at_s`, with up to five before and after it.

    Times are told to the millisecond, cut off: one that is asked for stands for the whole of its millisecond.
    """
    at_s += _MILLISECOND_S
    of_uid = select(DECISIONS).where(DECISIONS.c.uid == uid)
    until = of_uid.where(DECISIONS.c.at_s < at_s).order_by(DECISIONS.c.at_s.desc()).limit(_NEIGHBOURS + 1)
    after = of_uid.where(DECISIONS.c.at_s >= at_s).order_by(DECISIONS.c.at_s).limit(_NEIGHBOURS)
    known = [_decision(row) for row in await connection.execute(until)]
    if not known:
        return None
    later = tuple([_decision(row) for row in await connection.execute(after)])
    return Explained(known[0], tuple(reversed(known[1:])), later)


async def beginning(connection: AsyncConnection, since_s: float, until_s: float) -> Beginning:
    """From where the ticks between two wall times can be decided again.

    That is the newest snapshot at or before `since_s`; where there is none, nothing at all if the first tick is the
    first of its daemon, else the earliest snapshot.
    """
    at_s = await begins_at(connection, since_s)
    ticks = await _ticks(connection, at_s, until_s)
    if at_s == -math.inf:
        return Beginning(at_s, None, {}, ticks)
    snapshot = await _snapshot(connection, math.nextafter(at_s, math.inf))
    standing = [_decision(row) for row in await connection.execute(standing_at(at_s))]
    return Beginning(at_s, snapshot, {row.uid: row for row in standing}, ticks)


async def begins_at(connection: AsyncConnection, since_s: float) -> float:
    """When the snapshot of `beginning` was taken; -inf where it needs none."""
    times = select(SNAPSHOTS.c.at_s)
    at_s = await connection.scalar(times.where(SNAPSHOTS.c.at_s <= since_s).order_by(SNAPSHOTS.c.at_s.desc()).limit(1))
    if at_s is None and not await _is_whole(connection):
        at_s = await connection.scalar(times.order_by(SNAPSHOTS.c.at_s).limit(1))
    return -math.inf if at_s is None else float(at_s)


def standing_at(at_s: float) -> Select[Any]:
    """Each workload's last decision until `at_s`."""
    newest = select(DECISIONS.c.uid, func.max(DECISIONS.c.at_s).label("at_s")).where(DECISIONS.c.at_s <= at_s)
    last = newest.group_by(DECISIONS.c.uid).subquery()
    return select(DECISIONS).join(last, and_(DECISIONS.c.uid == last.c.uid, DECISIONS.c.at_s == last.c.at_s))


async def page(connection: AsyncConnection, after_s: float, until_s: float, size: int) -> Page:
    """The first `size` ticks after `after_s`, up to `until_s`."""
    wanted = (TICKS.c.at_s > after_s) & (TICKS.c.at_s <= until_s)
    found = await connection.execute(select(TICKS).where(wanted).order_by(TICKS.c.at_s).limit(size))
    ticks = tuple(TickRow(row.at_s, row.fleet_digest, row.observation) for row in found)
    end_s = ticks[-1].at_s if len(ticks) == size else until_s
    rows = select(DECISIONS).where(DECISIONS.c.at_s > after_s, DECISIONS.c.at_s <= end_s).order_by(DECISIONS.c.at_s)
    saved = select(SNAPSHOTS.c.at_s, SNAPSHOTS.c.core).where(SNAPSHOTS.c.at_s > after_s, SNAPSHOTS.c.at_s <= end_s)
    digests = {tick.fleet_digest for tick in ticks}
    fleets = (await connection.execute(select(FLEETS).where(FLEETS.c.digest.in_(digests)))).all()
    return Page(
        ticks,
        tuple([_decision(row) for row in await connection.execute(rows)]),
        {row.digest: row.fleet for row in fleets},
        {row.at_s: row.core for row in await connection.execute(saved)},
        {row.digest: row.version for row in fleets},
    )


async def tick_times(connection: AsyncConnection, since_s: float, until_s: float) -> tuple[float, ...]:
    """When the ticks between two wall times were, rising."""
    wanted = select(TICKS.c.at_s).where(TICKS.c.at_s.between(since_s, until_s)).order_by(TICKS.c.at_s)
    return tuple([row.at_s for row in await connection.execute(wanted)])


async def ticks_at(
    connection: AsyncConnection, at_s: Sequence[float], known: Collection[str]
) -> tuple[tuple[TickRow, ...], dict[str, bytes]]:
    """The ticks of these times, rising, and their fleets by digest, but for those that are `known`."""
    found = await connection.execute(select(TICKS).where(TICKS.c.at_s.in_(at_s)).order_by(TICKS.c.at_s))
    ticks = tuple([TickRow(row.at_s, row.fleet_digest, row.observation) for row in found])
    digests = {tick.fleet_digest for tick in ticks}.difference(known)
    fleets = (await connection.execute(select(FLEETS).where(FLEETS.c.digest.in_(digests)))).all()
    return ticks, {row.digest: row.fleet for row in fleets}


async def interventions(connection: AsyncConnection, since_s: float) -> tuple[Intervention, ...]:
    """What people told since a wall time, the oldest first."""
    ordered = (
        select(INTERVENTIONS).where(INTERVENTIONS.c.at_s >= since_s).order_by(INTERVENTIONS.c.at_s, INTERVENTIONS.c.id)
    )
    return tuple([Intervention(**row._mapping) for row in await connection.execute(ordered)])  # noqa: SLF001 - its public name


async def decisions(connection: AsyncConnection, uid: str, before_s: float, limit: int) -> tuple[DecisionRow, ...]:
    """The last decisions on a workload before a wall time, the newest first."""
    wanted = (DECISIONS.c.uid == uid) & (DECISIONS.c.at_s < before_s)
    ordered = select(DECISIONS).where(wanted).order_by(DECISIONS.c.at_s.desc()).limit(limit)
    return tuple([_decision(row) for row in await connection.execute(ordered)])


async def orders(connection: AsyncConnection, uid: str, until_s: float, limit: int) -> tuple[Intent, ...]:
    """The last orders for a workload until a wall time and how each ended, the newest first."""
    wanted = (INTENTS.c.uid == uid) & (INTENTS.c.at_s <= until_s)
    newest = _ended().where(wanted).order_by(INTENTS.c.at_s.desc(), INTENTS.c.name).limit(limit)
    return tuple([_intent(row) for row in await connection.execute(newest)])


async def orders_after(connection: AsyncConnection, uid: str, after_s: float, limit: int) -> tuple[Intent, ...]:
    """The first orders for a workload after a wall time, the oldest first."""
    wanted = (INTENTS.c.uid == uid) & (INTENTS.c.at_s > after_s)
    oldest = _ended().where(wanted).order_by(INTENTS.c.at_s, INTENTS.c.name).limit(limit)
    return tuple([_intent(row) for row in await connection.execute(oldest)])


async def thin_out(connection: AsyncConnection, cutoff_s: float, now_s: float) -> bool:
    """Remove a few of the snapshots that need not be kept; whether there were any.

    Of those from before `cutoff_s` the newest stays, so that all later ticks can be decided again.
    """
    kept = [row.at_s for row in await connection.execute(select(SNAPSHOTS.c.at_s).order_by(SNAPSHOTS.c.at_s))]
    gone = thinned(kept, cutoff_s, now_s)[:_SNAPSHOTS_AT_ONCE]
    await connection.execute(delete(SNAPSHOT_BLOCKS).where(SNAPSHOT_BLOCKS.c.at_s.in_(gone)))
    await connection.execute(delete(SNAPSHOTS).where(SNAPSHOTS.c.at_s.in_(gone)))
    return bool(gone)


async def prune(connection: AsyncConnection, cutoff_s: float, fleet_digest: str) -> None:
    """Remove what is older than `cutoff_s`.

    Kept besides are the oldest snapshot with all ticks after it, each workload's last decision, and the present fleet.
    """
    oldest_s = await connection.scalar(select(func.min(SNAPSHOTS.c.at_s)))
    first_s = cutoff_s if oldest_s is None else min(cutoff_s, oldest_s)
    if oldest_s is not None:
        await connection.execute(delete(TICKS).where(TICKS.c.at_s < first_s))
    await connection.execute(delete(DECISIONS).where(DECISIONS.c.at_s < first_s, _superseded()))
    await connection.execute(delete(INTENTS).where(INTENTS.c.at_s < cutoff_s))
    await connection.execute(delete(OUTCOMES).where(OUTCOMES.c.intent_at_s < cutoff_s))
    await connection.execute(delete(INTERVENTIONS).where(INTERVENTIONS.c.at_s < cutoff_s - LONGEST_INTERVENTION_S))
    unused = HISTORY_BLOCKS.c.digest.not_in(select(SNAPSHOT_BLOCKS.c.digest))
    await connection.execute(delete(HISTORY_BLOCKS).where(unused))
    used = select(TICKS.c.fleet_digest).union(select(SNAPSHOTS.c.fleet_digest))
    gone = (FLEETS.c.at_s < cutoff_s, FLEETS.c.digest.not_in(used), FLEETS.c.digest != fleet_digest)
    await connection.execute(delete(FLEETS).where(*gone))


async def _is_whole(connection: AsyncConnection) -> bool:
    """Whether nothing was removed from the front: the first fleet was recorded just before its first tick.

    A part that was taken out begins with a snapshot, which comes before its ticks.
    """
    joined = select(TICKS.c.at_s, FLEETS.c.at_s.label("fleet_at_s")).join(
        FLEETS, FLEETS.c.digest == TICKS.c.fleet_digest
    )
    first = (await connection.execute(joined.order_by(TICKS.c.at_s).limit(2))).all()
    saved_s = await connection.scalar(select(func.min(SNAPSHOTS.c.at_s)))
    if first and saved_s is not None and saved_s < first[0].at_s:
        return False
    if len(first) <= 1:
        return True
    return bool(first[0].at_s - first[0].fleet_at_s <= _AT_ONCE_TICKS * (first[1].at_s - first[0].at_s))


async def _ticks(connection: AsyncConnection, after_s: float, until_s: float) -> int:
    wanted = (TICKS.c.at_s > after_s) & (TICKS.c.at_s <= until_s)
    return await connection.scalar(select(func.count()).select_from(TICKS).where(wanted)) or 0


def _superseded() -> ColumnElement[bool]:
    """A later decision on the same workload exists."""
    later = DECISIONS.alias("later")
    newer = select(later.c.uid).where(later.c.uid == DECISIONS.c.uid, later.c.at_s > DECISIONS.c.at_s)
    return newer.exists()


async def _snapshot(connection: AsyncConnection, before_s: float) -> Snapshot | None:
    newest = select(SNAPSHOTS).where(SNAPSHOTS.c.at_s < before_s).order_by(SNAPSHOTS.c.at_s.desc()).limit(1)
    row = (await connection.execute(newest)).first()
    if row is None:
        return None
    blocks = (
        select(SNAPSHOT_BLOCKS.c.start_s, HISTORY_BLOCKS.c.block)
        .join(HISTORY_BLOCKS, HISTORY_BLOCKS.c.digest == SNAPSHOT_BLOCKS.c.digest)
        .where(SNAPSHOT_BLOCKS.c.at_s == row.at_s)
        .order_by(SNAPSHOT_BLOCKS.c.start_s)
    )
    stored = {each.start_s: each.block for each in await connection.execute(blocks)}
    return Snapshot(row.at_s, row.fleet_digest, row.core, stored)


async def _intents(connection: AsyncConnection, newest_s: float, *, window_s: float = _WINDOW_S) -> tuple[Intent, ...]:
    """Orders of the newest tick and later, and those of the `window_s` before it whose end nobody knows."""
    unknown = OUTCOMES.c.result.is_(None) | (OUTCOMES.c.result == "unavailable")
    wanted = (INTENTS.c.at_s >= newest_s) | (unknown & (INTENTS.c.at_s >= newest_s - window_s))
    found = await connection.execute(_ended().where(wanted).order_by(INTENTS.c.at_s, INTENTS.c.uid))
    return tuple([_intent(row) for row in found])


def _ended() -> Select[tuple[object, ...]]:
    """Orders with how they ended, where that is known."""
    matches = and_(
        OUTCOMES.c.intent_at_s == INTENTS.c.at_s,
        OUTCOMES.c.uid == INTENTS.c.uid,
        OUTCOMES.c.resource_version == INTENTS.c.resource_version,
    )
    ended = (OUTCOMES.c.at_s.label("ended_at_s"), OUTCOMES.c.result, OUTCOMES.c.message)
    return select(INTENTS, *ended).select_from(INTENTS.outerjoin(OUTCOMES, matches))


def _intent(row: Row[tuple[object, ...]]) -> Intent:
    ref = TargetRef(row.api_version, row.kind, row.namespace, row.name)
    order = ScaleOrder(row.uid, ref, row.before, row.after, row.resource_version, row.reason)
    outcome = None if row.result is None else Outcome(order, row.ended_at_s, row.result, row.message)
    return Intent(row.at_s, order, outcome)


def _decision(row: Row[tuple[object, ...]]) -> DecisionRow:
    steps = tuple(StepRow(*step) for step in json.loads(row.steps))
    return DecisionRow(row.at_s, row.uid, row.action, row.mode, row.before, row.target, row.reason, steps)
