"""The journal on SQLite: what every journal does, and what happens to the file, the disk and the process."""

# ruff: noqa: ASYNC220, ASYNC240 - the test has the event loop to itself

from __future__ import annotations

import asyncio
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.errors import Rejected, Unavailable
from controller.journal import Journal, StepRow, decision_rows
from controller.journal.buffer import Buffer, Write
from controller.journal.database import Database
from controller.journal.writer import Writer
from policies.model import Mode
from policies.proposal import Step
from tests.controller.decisions import decided, with_plan
from tests.controller.journal_contract import CHAT, CONTRACT, last_of, opened, order, row
from tests.integration.servers.process import eventually, eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "foresail.db"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


@pytest.mark.parametrize("case", CONTRACT, ids=lambda case: case.__name__)
async def test_contract(case: Callable[[str], Awaitable[None]], url: str) -> None:
    await case(url)


async def test_only_its_owner_reads_the_file(url: str, file: Path) -> None:
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == {"foresail.db": 0o600, "foresail.db-wal": 0o600, "foresail.db-shm": 0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_a_reader_makes_no_journal_and_no_schema(url: str, file: Path) -> None:
    with pytest.raises(Unavailable, match="there is no journal at"):
        await Journal.reader(url)
    assert not file.exists()
    file.parent.mkdir()
    file.touch()
    with pytest.raises(Rejected, match="has schema none, this Foresail needs 0004"):
        await Journal.reader(url)


async def test_a_reader_reads_while_the_daemon_writes(url: str) -> None:
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        await journal.record_tick(10.0, b"", [row(10.0)])
        reader = await Journal.reader(url)
        await journal.record_tick(20.0, b"", [row(20.0)])
        assert await last_of(reader, CHAT) == row(20.0)
        await reader.close()


async def test_a_locked_database_delays_nobody_and_is_written_when_it_is_free(url: str, file: Path) -> None:
    async with opened(url, timeout_s=0.2) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        with closing(sqlite3.connect(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            start = time.perf_counter()
            with pytest.raises(Unavailable, match=r"did not write within 0\.2 s"):
                await journal.record_tick(10.0, b"seen", [row(10.0)])
            assert time.perf_counter() - start < 1.0
            await eventually_async(lambda: told(journal, "locked"))
            start = time.perf_counter()
            with pytest.raises(Unavailable, match=r"locked; 2 wait to be written"):
                await journal.write_intents(25.0, [order()])
            assert time.perf_counter() - start < 0.1
            other.rollback()
        await eventually_async(lambda: told(journal, ""))
        assert journal.health.pending == 0
        assert journal.health.failures >= 1
        restored = await journal.restore()
    assert [tick.observation for tick in restored.ticks] == [b"seen"]
    assert [intent.order for intent in restored.intents] == [order()]


async def test_a_full_disk_delays_nobody_and_is_written_when_there_is_room(full_disk: Path) -> None:
    ballast = full_disk / "ballast"
    async with opened(f"sqlite+aiosqlite:///{full_disk}/foresail.db") as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        ballast.write_bytes(b"")
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(b"\0" * 4096):
                pass
        with pytest.raises(Unavailable, match=r"full|disk I/O"):
            await journal.record_tick(10.0, bytes(range(256)) * 512, [row(10.0)])
        with pytest.raises(Unavailable):
            await journal.write_intents(10.0, [order()])
        ballast.unlink()
        await eventually_async(lambda: told(journal, ""))
        restored = await journal.restore()
    assert [tick.observation for tick in restored.ticks] == [bytes(range(256)) * 512]
    assert len(restored.intents) == 1


@pytest.fixture
def full_disk(tmp_path: Path) -> object:
    """A file system of 1 MiB, which only root may mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a file system that is full needs root: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_database_that_was_removed_is_made_again(url: str, file: Path) -> None:
    async with opened(url) as journal:
        digest = await journal.record_fleet(1.0, b"fleet", {})
        await journal.record_tick(10.0, b"lost", [])
        for path in file.parent.iterdir():
            path.unlink()
        await journal.record_tick(25.0, b"kept", [])
        restored = await journal.restore()
    assert [tick.observation for tick in restored.ticks] == [b"kept"]
    assert restored.fleets == {digest: b"fleet"}


async def test_a_folder_that_cannot_be_made_stops_no_daemon(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder belongs")
    async with opened(f"sqlite+aiosqlite:///{tmp_path}/state/foresail.db") as journal:
        assert "cannot be opened" in journal.health.problem
        with pytest.raises(Unavailable, match="cannot be opened"):
            await journal.restore()
        with pytest.raises(Unavailable, match="1 wait"):
            await journal.record_tick(10.0, b"seen", [])


async def test_a_file_that_is_no_database_is_unavailable(url: str, file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"no database" * 1000)
    async with opened(url) as journal:
        assert "not a database" in journal.health.problem


@dataclass(slots=True)
class Faulty(Database):
    """A database whose code has a fault that nobody foresaw."""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        async with super(Faulty, self).writing() as connection:
            yield connection
            raise KeyError("a column that nobody has")


async def test_a_writer_that_ends_by_a_fault_says_so_and_lets_nobody_wait(url: str) -> None:
    writer = Writer(Faulty(url), lambda: 123.0, Buffer(2**20), tuple)
    await writer.start()
    start = time.perf_counter()
    with pytest.raises(Unavailable, match=r"writer ended by KeyError.*a column that nobody has.*; 1 wait"):
        await writer.write(Write([]), 10.0)
    with pytest.raises(Unavailable, match="2 wait"):
        await writer.write(Write([]), 10.0)
    assert time.perf_counter() - start < 5.0
    assert "writer ended by KeyError" in writer.health.problem
    assert (writer.health.pending, writer.health.failures) == (2, 1)
    await writer.close()
    await writer.database.close()


async def test_while_down_the_oldest_observations_go_first_and_the_rest_keeps_its_order(url: str, file: Path) -> None:
    async with opened(url, timeout_s=0.05, buffer_bytes=10_000) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        with closing(sqlite3.connect(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            for tick in range(1, 9):
                with pytest.raises(Unavailable):
                    await journal.record_tick(float(tick), b"x" * 2000, [row(float(tick))])
            assert journal.health.dropped > 0
            other.rollback()
        await eventually_async(lambda: told(journal, "", pending=0))
        kept = [tick.at_s for tick in (await journal.restore()).ticks]
        found = await journal.explain(CHAT, 4.0)
    assert kept == [float(tick) for tick in range(9 - len(kept), 9)]
    assert len(kept) + journal.health.dropped == 8
    assert found is not None
    assert found.decision == row(4.0)  # the decision outlives its observation
    assert [each.at_s for each in found.earlier] == [1.0, 2.0, 3.0]


async def test_only_the_newest_snapshot_waits(url: str, file: Path) -> None:
    async with opened(url, timeout_s=0.05) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        with closing(sqlite3.connect(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            for at_s in (10.0, 20.0, 30.0):
                with pytest.raises(Unavailable):
                    await journal.save_snapshot(at_s, b"core", {0: b"hour"})
            assert journal.health.pending == 1
            other.rollback()
        await eventually_async(lambda: told(journal, "", pending=0))
        restored = await journal.restore()
    assert restored.snapshot is not None
    assert restored.snapshot.at_s == 30.0


WRITER = """
import asyncio, sys
from controller.journal import Journal
from tests.controller.journal_contract import row

async def main() -> None:
    journal = await Journal.open(sys.argv[1])
    await journal.record_fleet(1.0, b"fleet", {})
    tick = 0
    while True:
        tick += 1
        await journal.record_tick(float(tick), bytes(100_000), [row(float(tick), uid=f"shop/w{i}") for i in range(300)])
        print(tick, flush=True)

asyncio.run(main())
"""


@pytest.mark.integration
@pytest.mark.parametrize("seconds", [0.0, 0.013, 0.029])
async def test_a_kill_in_the_midst_of_writing_loses_nothing_that_was_told_safe(url: str, seconds: float) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) == 5:
            break
    await asyncio.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    told_safe = [5, *map(int, writer.stdout.read().split())]
    writer.stdout.close()
    eventually(lambda: writer.poll() is not None)
    async with opened(url) as journal:
        restored = await journal.restore()
        ticks = [int(tick.at_s) for tick in restored.ticks]
        last = [await last_of(journal, f"shop/w{i}") for i in (0, 299)]
    assert ticks == list(range(1, len(ticks) + 1))
    assert ticks[-1] >= told_safe[-1]
    # A tick is there with all of its decisions or not at all.
    assert [decision and decision.at_s for decision in last] == [ticks[-1], ticks[-1]]


async def told(journal: Journal, problem: str, pending: int | None = None) -> bool:
    health = journal.health
    right = problem in health.problem if problem else not health.problem
    return right and pending in (None, health.pending)


def test_rows_are_of_lanes_that_changed_or_changed_their_reason() -> None:
    before = np.array([3, 3, 3, 3], np.int64)
    made = decided("a/moved", "b/same", "c/renamed", "d/wants")
    fleet, same = made.fleet, made.decision
    last = with_plan(same, target=[3, 3, 3, 4], reason=["signals"] * 4)
    now = replace(
        with_plan(same, target=[5, 3, 3, 4], reason=["bounds", "signals", "stabilization", "signals"]),
        steps=(
            Step("signals", np.array([0, 3]), np.array([3, 3]), np.array([9, 4])),
            Step("bounds", np.array([0]), np.array([9]), np.array([5])),
        ),
    )
    rows = decision_rows(fleet, now, before, last)
    assert [each.uid for each in rows] == ["a/moved", "c/renamed", "d/wants"]
    assert rows[0].steps == (StepRow("signals", 3, 9), StepRow("bounds", 9, 5))
    assert (rows[0].before, rows[0].target, rows[0].action) == (3, 5, "raise")
    assert (rows[0].reason, rows[0].mode) == ("bounds", "active")
    assert len(decision_rows(fleet, now, before, None)) == 4


def test_what_is_wanted_for_long_is_told_again_only_where_it_may_be_done() -> None:
    before, made = np.array([3, 3], np.int64), decided("a/watched", "b/scaled")
    fleet = replace(made.fleet, mode=np.array([Mode.SHADOW, Mode.ACTIVE], np.int8))
    wants = with_plan(made.decision, target=[5, 5], reason=["signals"] * 2)
    assert [each.uid for each in decision_rows(fleet, wants, before, wants)] == ["b/scaled"]


@pytest.mark.bench
async def test_bench_a_tick_of_ten_thousand_workloads(url: str) -> None:
    rows = [row(10.0, uid=f"shop/w{i}") for i in range(1_000)]
    times = []
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        for tick in range(20):
            start = time.perf_counter()
            moved = [replace(each, at_s=float(tick)) for each in rows]
            await journal.record_tick(float(tick), b"x" * 600_000, moved)
            times.append(time.perf_counter() - start)
    print(f"a tick of 600 kB with 1,000 decisions: {1e3 * float(np.median(times)):.1f} ms median")  # noqa: T201
