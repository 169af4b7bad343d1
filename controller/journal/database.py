"""Connections to the journal's database, with its own limits on waiting, and its errors in our words."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from controller.errors import Rejected, Unavailable
from controller.journal.schema import check, migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import Connection

_BUSY_MS = 1500
_CONNECT_S = 5.0
_STATEMENT_S = 30.0
_WRITES = "foresail_writes"
_VALUE_STATES = ("22", "23")  # classes of SQLSTATE: data exception, integrity constraint violation


@dataclass(slots=True)
class Database:
    """One database by its URL: SQLite (aiosqlite) or PostgreSQL (asyncpg). Connects when first used.

    `migrates` is False for a reader, which neither makes nor changes a schema.
    """

    url: str
    migrates: bool = True
    _engine: AsyncEngine | None = None
    _inode: int = 0

    @property
    def connected(self) -> bool:
        """Whether the schema has been seen to, on the database that is there now."""
        return self._engine is not None and self._inode == self._present_inode()

    async def connect(self) -> None:
        """Make ready, migrations included. Raises Unavailable, or Rejected for a schema that is not ours."""
        await self.close()
        engine = self._made()
        try:
            async with _translated(), engine.connect() as connection:
                writer = await connection.execution_options(**{_WRITES: self.migrates})
                async with writer.begin():
                    await writer.run_sync(migrate if self.migrates else check)
            self._engine, self._inode = engine, self._present_inode()
        finally:
            if self._engine is not engine:
                await engine.dispose()

    async def close(self) -> None:
        """Close all connections."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes; SQLite's only writer from its start. Raises Unavailable or Rejected."""
        async with self._transaction(writes=True) as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the database. Raises Unavailable or Rejected."""
        async with self._transaction(writes=False) as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, *, writes: bool) -> AsyncIterator[AsyncConnection]:
        if not self.connected:
            await self.connect()
        engine = self._engine
        if engine is None:
            raise Unavailable("the journal is closed")
        async with _translated(), engine.connect() as connection:
            chosen = await connection.execution_options(**{_WRITES: writes})
            async with chosen.begin():
                yield chosen

    def _made(self) -> AsyncEngine:
        if self.file is None:
            return _postgresql(self.url)
        if self.migrates:
            _prepared(self.file)
        elif not self.file.exists():
            raise Unavailable(f"there is no journal at {self.file}")
        return _sqlite(self.url, writes=self.migrates)

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return make_url(self.url).render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """SQLite's file; None for another database."""
        url = make_url(self.url)
        return Path(url.database or "") if url.get_backend_name() == "sqlite" else None

    def _present_inode(self) -> int:
        """Which file SQLite has open: one that was removed goes on to take writes that nobody will read."""
        if self.file is None:
            return 0
        try:
            return self.file.stat().st_ino
        except OSError:
            return -1


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except (UnicodeEncodeError, OverflowError) as error:  # of SQLite's driver
        raise Rejected(f"the journal's database cannot hold a value: {error}") from error
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        words = str(getattr(error, "orig", error)).partition("\n")[0].rpartition(">: ")[2] or type(error).__name__
        state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
        if state[:2] in _VALUE_STATES:
            raise Rejected(f"the journal's database cannot hold a value: {words}") from error
        raise Unavailable(f"the journal's database failed: {words}") from error


def _prepared(file: Path) -> None:
    """The folder and an empty file that only its owner reads; SQLite gives its companions the same mode."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise Unavailable(f"the journal {file} cannot be opened: {error.strerror}") from error


def _sqlite(url: str, *, writes: bool) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=2, max_overflow=2)
    pragmas = [f"busy_timeout={_BUSY_MS}"]
    if writes:  # who reads leaves the file as it is: it may lie where nothing can be written
        pragmas += ["journal_mode=WAL", "synchronous=NORMAL", "journal_size_limit=67108864"]

    def connected(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection
        connection.isolation_level = None  # transactions begin where `began` says, also before DDL
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def began(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    _listen(engine, "connect", connected)
    _listen(engine, "begin", began)
    return engine


def _postgresql(url: str) -> AsyncEngine:
    limits = {
        "statement_timeout": f"{_STATEMENT_S:.0f}s",
        "lock_timeout": f"{_BUSY_MS}ms",
        "application_name": "foresail",
    }
    connecting = {"timeout": _CONNECT_S, "command_timeout": _STATEMENT_S, "server_settings": limits}
    return create_async_engine(
        url, pool_size=2, max_overflow=2, pool_pre_ping=True, pool_timeout=_CONNECT_S, connect_args=connecting
    )


def _listen(engine: AsyncEngine, name: str, handler: Callable[..., None]) -> None:
    event.listen(engine.sync_engine, name, handler)
