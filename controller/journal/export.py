"""A part of a journal as a file of its own, itself a journal: from the snapshot before it on, all that happened.

Texts that people write are redacted; everything else is copied as it is, so that it is decided again bit for bit.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Select, func, insert, select

from controller.errors import Rejected, Unavailable
from controller.journal.database import Database
from controller.journal.queries import begins_at, standing_at
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
from controller.records import LONGEST_INTERVENTION_S
from controller.redaction import STARS, clean, redacted
from policies.packing import header_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

_OPEN_S = 600.0  # orders of unknown end are taken up by a restart for so long
_AT_ONCE = 20  # rows of a table with blobs, some of which are large
_PACKED = {"fleet", "observation", "core", "block"}
_TEXTS = {OUTCOMES.name: "message", INTERVENTIONS.name: "reason"}  # that servers and people wrote
_BARE_STARS = re.compile(rf"(?m)([:-] )({re.escape(STARS)}.*)$")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was taken out. `begins_at_s` is when the snapshot was saved, None where the daemon's beginning is there."""

    begins_at_s: float | None
    span_s: tuple[float, float]  # wall times of the first and the last tick in the file
    rows: Mapping[str, int]  # by table
    versions: tuple[str, ...]  # of the Foresail that decided


@dataclass(frozen=True, slots=True)
class Part:
    """Which time is asked for, and the secrets that are known."""

    since_s: float
    until_s: float
    secrets: Collection[str] = ()


async def export(source: str, file: Path, part: Part) -> Exported:
    """Write a part of the journal at the URL `source` to a file that is not there yet.

    Raises Unavailable when no tick is recorded then, and Rejected when a secret would be in the file or bytes are
    damaged; what is written until then stays.
    """
    taken = Database(URL.create("sqlite+aiosqlite", database=str(file)).render_as_string())
    journal = Database(source, migrates=False)
    try:
        await journal.connect()
        await taken.connect()
        async with journal.reading() as reading, taken.writing() as writing:
            begins_at_s = await begins_at(reading, part.since_s)
            of_ticks = select(func.min(TICKS.c.at_s), func.max(TICKS.c.at_s)).where(TICKS.c.at_s > begins_at_s)
            first_s, last_s = (await reading.execute(of_ticks.where(TICKS.c.at_s <= part.until_s))).one()
            if last_s is None or last_s < part.since_s:
                raise Unavailable("no tick is recorded in this time that can be decided again")
            rows = {
                table.name: await _copied(reading, writing, (table, wanted), part.secrets)
                for table, wanted in _wanted(begins_at_s, last_s)
            }
            versions = (await writing.execute(select(FLEETS.c.version).distinct())).scalars().all()
    finally:
        await journal.close()
        await taken.close()
    _alone(file)
    begun = None if math.isinf(begins_at_s) else begins_at_s
    return Exported(begun, (first_s, last_s), rows, tuple(sorted(versions)))


def _wanted(begins_at_s: float, until_s: float) -> Iterator[tuple[Table, Select[Any]]]:
    """What belongs to the ticks after a snapshot, each table in turn."""

    def of(table: Table, *, before_s: float = 0.0, at: str = "at_s") -> Select[Any]:
        return select(table).where(table.c[at].between(begins_at_s - before_s, until_s))

    ticks = of(TICKS).where(TICKS.c.at_s > begins_at_s)
    used = select(ticks.subquery().c.fleet_digest).union(select(of(SNAPSHOTS).subquery().c.fleet_digest))
    blocks = select(of(SNAPSHOT_BLOCKS).subquery().c.digest)
    yield TICKS, ticks
    yield FLEETS, select(FLEETS).where(FLEETS.c.digest.in_(used))
    yield SNAPSHOTS, of(SNAPSHOTS)
    yield SNAPSHOT_BLOCKS, of(SNAPSHOT_BLOCKS)
    yield HISTORY_BLOCKS, select(HISTORY_BLOCKS).where(HISTORY_BLOCKS.c.digest.in_(blocks))
    later = of(DECISIONS).where(DECISIONS.c.at_s > begins_at_s)
    yield DECISIONS, select(standing_at(begins_at_s).union_all(later).subquery())
    yield INTENTS, of(INTENTS, before_s=_OPEN_S)
    yield OUTCOMES, of(OUTCOMES, before_s=_OPEN_S, at="intent_at_s")
    yield INTERVENTIONS, of(INTERVENTIONS, before_s=LONGEST_INTERVENTION_S)


async def _copied(
    reading: AsyncConnection, writing: AsyncConnection, asked: tuple[Table, Select[Any]], secrets: Collection[str]
) -> int:
    """Copy the rows asked for, some at a time; how many they were."""
    (table, wanted), count = asked, 0
    found = await reading.stream(wanted.execution_options(yield_per=_AT_ONCE))
    async for rows in found.mappings().partitions():
        await writing.execute(insert(table), [_redacted(table, dict(row), secrets) for row in rows])
        count += len(rows)
    return count


def _redacted(table: Table, row: dict[str, Any], secrets: Collection[str]) -> dict[str, Any]:
    """A row without secrets. Raises Rejected where one would be in packed bytes, which are copied as they are."""
    for name in _PACKED & row.keys():
        _check(row[name], secrets)
    if table is FLEETS:
        texts = {uid: _policy(text, secrets) for uid, text in json.loads(row["policies"]).items()}
        row["policies"] = json.dumps(texts, sort_keys=True)
    elif table.name in _TEXTS:
        row[_TEXTS[table.name]] = redacted(row[_TEXTS[table.name]], secrets)
    return row


def _policy(text: str, secrets: Collection[str]) -> str:
    """A policy's YAML, redacted, which stays YAML: bare stars would begin an alias."""
    return _BARE_STARS.sub(lambda found: found[1] + json.dumps(found[2]), redacted(text, secrets))


def _check(packed: bytes, secrets: Collection[str]) -> None:
    try:
        header = header_of(packed)
    except ValueError as error:
        raise Rejected(f"the journal is damaged: {error}") from error
    if not clean(header.encode(), secrets):
        raise Rejected("a secret of this Foresail would be in the file, as the name of something: rename that")


def _alone(file: Path) -> None:
    """Leave one file that can be read where nothing can be written."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=DELETE")
        database.execute("VACUUM")
