"""The journal on a real PostgreSQL: what every journal does, and what happens while the server is away."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from controller.errors import Unavailable
from tests.controller.journal_contract import CHAT, CONTRACT, last_of, opened, order, row, scalar
from tests.integration.servers.process import eventually_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from controller.journal import Journal
    from tests.integration.servers.postgresql import PostgreSQL

PATIENCE_S = 30.0  # reconnecting waits up to 5 s between attempts


@pytest.mark.parametrize("case", CONTRACT, ids=lambda case: case.__name__)
async def test_contract(case: Callable[[str], Awaitable[None]], database_url: str) -> None:
    await case(database_url)


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_what_was_written_while_the_server_was_away_is_there_afterwards(
    postgresql: PostgreSQL, database_url: str, end: str
) -> None:
    async with opened(database_url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        await journal.record_tick(10.0, b"before", [row(10.0)])
        getattr(postgresql, end)()
        with pytest.raises(Unavailable):
            await journal.record_tick(25.0, b"meanwhile", [row(25.0)])
        start = time.perf_counter()
        with pytest.raises(Unavailable, match="2 wait to be written"):
            await journal.write_intents(40.0, [order()])
        assert time.perf_counter() - start < 0.1
        postgresql.start()
        await eventually_async(lambda: recovered(journal), PATIENCE_S)
        await journal.record_tick(40.0, b"after", [])
        restored = await journal.restore()
        last = await last_of(journal, CHAT)
    assert [tick.observation for tick in restored.ticks] == [b"before", b"meanwhile", b"after"]
    assert [intent.order for intent in restored.intents] == [order()]
    assert last == row(25.0)


async def test_a_server_that_hangs_delays_nobody_for_longer_than_allowed(database_url: str) -> None:
    async with opened(database_url, timeout_s=0.5) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        backends = await scalar(
            database_url,
            "SELECT array_agg(pid) FROM pg_stat_activity"
            " WHERE application_name = 'foresail' AND datname = current_database()",
        )
        assert isinstance(backends, list)
        signal_all(backends, signal.SIGSTOP)
        try:
            start = time.perf_counter()
            with pytest.raises(Unavailable, match=r"did not write within 0\.5 s"):
                await journal.record_tick(10.0, b"seen", [])
            assert time.perf_counter() - start < 1.5
            start = time.perf_counter()
            with pytest.raises(Unavailable):
                await journal.write_intents(25.0, [order()])
            assert time.perf_counter() - start < 0.1
        finally:
            signal_all(backends, signal.SIGCONT)
        await eventually_async(lambda: recovered(journal), PATIENCE_S)
        restored = await journal.restore()
    assert [tick.observation for tick in restored.ticks] == [b"seen"]


async def test_a_server_that_is_away_at_the_start_stops_no_daemon(postgresql: PostgreSQL, database_url: str) -> None:
    postgresql.stop()
    async with opened(database_url) as journal:
        assert journal.health.problem
        with pytest.raises(Unavailable):
            await journal.restore()
        with pytest.raises(Unavailable):
            await journal.record_fleet(1.0, b"fleet", {})
        postgresql.start()
        await eventually_async(lambda: recovered(journal), PATIENCE_S)
        assert (await journal.restore()).ticks == ()


async def test_two_daemons_that_start_at_once_make_the_schema_once(database_url: str) -> None:
    async with opened(database_url) as one, opened(database_url) as other:
        await one.record_fleet(1.0, b"fleet", {})
        await other.record_fleet(2.0, b"fleet", {})
        assert (one.health.problem, other.health.problem) == ("", "")


def signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


async def recovered(journal: Journal) -> bool:
    return not journal.health.problem and journal.health.pending == 0
