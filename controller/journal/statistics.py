"""How much a journal holds: rows by table, bytes, the schema's revision, the time that its ticks span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from controller.journal.tables import METADATA, TICKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

_BYTES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    "postgresql": "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables",
}


@dataclass(frozen=True, slots=True)
class Statistics:
    """`ticks_s` are the wall times of the first and the last tick; None where there is none."""

    database: str  # sqlite or postgresql
    revision: str  # of the schema
    size_bytes: int
    rows: Mapping[str, int]  # by table
    ticks_s: tuple[float, float] | None


async def statistics_of(connection: AsyncConnection) -> Statistics:
    """Count what is there."""
    database = connection.dialect.name
    rows = {
        table.name: await connection.scalar(select(func.count()).select_from(table)) or 0
        for table in METADATA.sorted_tables
    }
    first, last = (await connection.execute(select(func.min(TICKS.c.at_s), func.max(TICKS.c.at_s)))).one()
    revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    size = await connection.scalar(text(_BYTES[database]))
    return Statistics(database, str(revision), int(size or 0), rows, None if first is None else (first, last))
