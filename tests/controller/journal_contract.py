"""What every journal does, whatever its database: each case takes the URL of an empty one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from controller.errors import Rejected
from controller.journal import Beginning, DecisionRow, Journal, StepRow
from controller.records import Outcome, ScaleOrder, TargetRef

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHAT = "shop/chat"
BOTH = bytes(range(256)) * 300


@asynccontextmanager
async def opened(url: str, *, timeout_s: float = 10.0, buffer_bytes: int = 2**20) -> AsyncIterator[Journal]:
    journal = await Journal.open(url, timeout_s=timeout_s, buffer_bytes=buffer_bytes, now_s=lambda: 123.0)
    try:
        yield journal
    finally:
        await journal.close()


def row(at_s: float, target: int = 5, uid: str = CHAT) -> DecisionRow:
    return DecisionRow(at_s, uid, "raise", "active", 3, target, "kubernetes", (StepRow("kubernetes", 3, target),))


def order(uid: str = CHAT, version: str = "17") -> ScaleOrder:
    namespace, name = uid.split("/")
    return ScaleOrder(uid, TargetRef("apps/v1", "Deployment", namespace, name), 3, 5, version, "kubernetes")


async def pruned(journal: Journal, retention_s: float, now_s: float) -> None:
    """Prune until nothing more is there to remove."""
    while await journal.prune(retention_s, now_s):
        pass


async def last_of(journal: Journal, uid: str) -> DecisionRow | None:
    found = await journal.explain(uid, float("inf"))
    return None if found is None else found.decision


async def comes_back_after_a_restart(url: str) -> None:
    async with opened(url) as journal:
        digest = await journal.record_fleet(1.0, b"fleet", {CHAT: "spec: {}"})
        await journal.record_tick(10.0, b"first", [])
        await journal.save_snapshot(10.0, b"core", {0: b"hour 0", 3600: BOTH})
        await journal.record_tick(25.125, BOTH, [row(25.125)])
        await journal.write_intents(40.0, [order(), order("shop/search")])
        await journal.write_outcomes(40.0, [Outcome(order(), 40.5, "applied")])
        assert (journal.health.problem, journal.health.pending, journal.health.last_write_at_s) == ("", 0, 123.0)
    async with opened(url) as journal:
        restored = await journal.restore()
    assert restored.snapshot is not None
    assert (restored.snapshot.at_s, restored.snapshot.core) == (10.0, b"core")
    assert restored.snapshot.blocks == {0: b"hour 0", 3600: BOTH}
    assert [(tick.at_s, tick.fleet_digest, tick.observation) for tick in restored.ticks] == [(25.125, digest, BOTH)]
    assert restored.fleets == {digest: b"fleet"}
    assert restored.policies == {digest: '{"shop/chat": "spec: {}"}'}
    assert [(intent.at_s, intent.order) for intent in restored.intents] == [
        (40.0, order()),
        (40.0, order("shop/search")),
    ]
    assert [intent.outcome and intent.outcome.result for intent in restored.intents] == ["applied", None]


async def is_empty_at_first(url: str) -> None:
    async with opened(url) as journal:
        restored = await journal.restore()
        assert (restored.snapshot, restored.ticks, restored.intents) == (None, (), ())
        assert await last_of(journal, CHAT) is None


async def writes_the_same_row_only_once(url: str) -> None:
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        for _ in range(2):
            await journal.record_fleet(2.0, b"fleet", {})
            await journal.record_tick(10.0, b"seen", [row(10.0)])
            await journal.write_intents(10.0, [order()])
            await journal.save_snapshot(9.0, b"core", {0: b"hour"})
        restored = await journal.restore()
    assert (len(restored.ticks), len(restored.intents)) == (1, 1)


async def brings_back_orders_of_which_no_observation_tells(url: str) -> None:
    ends = ("applied", "rejected", "conflict", "unavailable", None)
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        for tick in (399.0, 400.0, 985.0, 1000.0, 1015.0):  # the newest observation is of 1000
            for number, end in enumerate(ends):
                each = order(f"shop/w{number}")
                await journal.write_intents(tick, [each])
                await journal.write_outcomes(tick, [Outcome(each, tick, end)] if end else [])
            if tick <= 1000.0:
                await journal.record_tick(tick, b"", [])
        restored = await journal.restore()
    found = {
        at_s: [intent.outcome and intent.outcome.result for intent in restored.intents if intent.at_s == at_s]
        for at_s in (399.0, 400.0, 985.0, 1000.0, 1015.0)
    }
    unknown, every = ["unavailable", None], list(ends)
    assert found == {399.0: [], 400.0: unknown, 985.0: unknown, 1000.0: every, 1015.0: every}
    assert [intent.at_s for intent in restored.intents] == sorted(intent.at_s for intent in restored.intents)


async def restores_from_an_earlier_snapshot(url: str) -> None:
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        for at_s in (10.0, 20.0, 30.0):
            await journal.record_tick(at_s, b"", [])
            await journal.save_snapshot(at_s, b"core %d" % at_s, {})
        newest, earlier = await journal.restore(), await journal.restore(before_s=30.0)
    assert newest.snapshot is not None
    assert earlier.snapshot is not None
    assert (newest.snapshot.core, newest.ticks) == (b"core 30", ())
    assert earlier.snapshot.core == b"core 20"
    assert [tick.at_s for tick in earlier.ticks] == [30.0]


async def explains_the_decision_that_stood(url: str) -> None:
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        for at_s in (10.0, 20.0, 30.0):
            await journal.record_tick(at_s, b"", [row(at_s, target=int(at_s)), row(at_s, uid="shop/search")])
        found = await journal.explain(CHAT, 29.9)
        assert found is not None
        assert found.decision == row(20.0, target=20)
        assert (found.earlier, found.later) == ((row(10.0, target=10),), (row(30.0, target=30),))
        assert await journal.explain(CHAT, 9.0) is None
        await journal.record_tick(40.0006, b"", [row(40.0006, target=40)])
        told = await journal.explain(CHAT, 40.0)  # as the API tells 40.0006, to the millisecond
        assert told is not None
        assert told.decision.target == 40
        assert await last_of(journal, CHAT) == row(40.0006, target=40)


async def keeps_when_pruned_what_a_restart_needs(url: str) -> None:
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"old fleet", {})
        await journal.record_tick(10.0, b"", [row(10.0)])
        await journal.save_snapshot(10.0, b"core 10", {0: b"old hour", 3600: b"hour"})
        await journal.record_fleet(15.0, b"fleet", {})
        await journal.record_tick(20.0, b"", [row(20.0)])
        await journal.save_snapshot(20.0, b"core 20", {3600: b"hour"})
        await journal.record_tick(30.0, b"", [])
        await pruned(journal, 60.0, 1000.0)
        restored = await journal.restore()
        assert restored.snapshot is not None
        assert (restored.snapshot.core, restored.snapshot.blocks) == (b"core 20", {3600: b"hour"})
        assert [tick.at_s for tick in restored.ticks] == [30.0]
        assert list(restored.fleets.values()) == [b"fleet"]
        assert await last_of(journal, CHAT) == row(20.0)
        assert await journal.explain(CHAT, 10.0) is None
        assert (await journal.restore(before_s=20.0)).snapshot is None
    assert await scalar(url, "SELECT count(*) FROM history_blocks") == 1
    assert await scalar(url, "SELECT count(*) FROM fleets") == 1


async def stores_a_block_once_for_all_its_snapshots(url: str) -> None:
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        await journal.save_snapshot(10.0, b"", {0: b"hour", 3600: b"another"})
        await journal.save_snapshot(20.0, b"", {0: b"hour", 3600: b"another, written over"})
    assert await scalar(url, "SELECT count(*) FROM history_blocks") == 3


async def gives_its_ticks_page_by_page(url: str) -> None:
    async with opened(url) as journal:
        digest = await journal.record_fleet(9.0, b"fleet", {})
        for at_s in (10.0, 20.0, 30.0, 40.0):
            await journal.record_tick(at_s, b"%d" % at_s, [row(at_s)] if at_s != 30.0 else [])
        pages = [page async for page in journal.pages(10.0, until_s=35.0, size=1)]
        await journal.save_snapshot(20.0, b"core", {})
        (whole,) = [page async for page in journal.pages(-float("inf"))]
    assert [[tick.at_s for tick in page.ticks] for page in pages] == [[20.0], [30.0], []]
    assert [list(page.decisions) for page in pages] == [[row(20.0)], [], []]
    assert [page.fleets for page in pages] == [{digest: b"fleet"}, {digest: b"fleet"}, {}]
    assert [tick.observation for tick in whole.ticks] == [b"10", b"20", b"30", b"40"]
    assert [each.at_s for each in whole.decisions] == [10.0, 20.0, 40.0]
    assert (whole.cores, pages[0].cores) == ({20.0: b"core"}, {})


async def gives_single_ticks_by_their_times(url: str) -> None:
    async with opened(url) as journal:
        first = await journal.record_fleet(9.0, b"fleet", {})
        await journal.record_tick(10.125, b"a", [])
        await journal.record_tick(20.3, b"b", [])
        second = await journal.record_fleet(25.0, b"another", {})
        await journal.record_tick(30.7, b"c", [])
        assert await journal.tick_times(since_s=10.0) == (10.125, 20.3, 30.7)
        assert await journal.tick_times(since_s=15.0, until_s=30.0) == (20.3,)
        ticks, fleets = await journal.ticks_at([30.7, 10.125, 11.0], known=[first])
    assert [(tick.at_s, tick.fleet_digest, tick.observation) for tick in ticks] == [
        (10.125, first, b"a"),
        (30.7, second, b"c"),
    ]
    assert fleets == {second: b"another"}


async def tells_how_much_it_holds(url: str) -> None:
    async with opened(url) as journal:
        empty = await journal.statistics()
        await journal.record_fleet(9.0, b"fleet", {})
        for at_s in (10.0, 20.0):
            await journal.record_tick(at_s, b"seen", [row(at_s)])
        await journal.save_snapshot(20.0, b"core", {0: b"hour"})
        found = await journal.statistics()
    assert (empty.ticks_s, empty.rows["ticks"]) == (None, 0)
    assert found.database == make_url(url).get_backend_name()
    assert found.revision == await scalar(url, "SELECT version_num FROM alembic_version")
    assert found.ticks_s == (10.0, 20.0)
    assert {name: count for name, count in found.rows.items() if count} == {
        "fleets": 1,
        "ticks": 2,
        "decisions": 2,
        "snapshots": 1,
        "snapshot_blocks": 1,
        "history_blocks": 1,
    }
    assert 10_000 < found.size_bytes < 10_000_000


async def begins_where_ticks_can_be_decided_again(url: str) -> None:
    async with opened(url) as journal:
        assert await journal.beginning() == Beginning(-float("inf"), None, {}, 0)
        await journal.record_fleet(9.0, b"fleet", {})
        for at_s in (10.0, 20.0, 30.0, 40.0):
            await journal.record_tick(at_s, b"", [row(at_s)] if at_s != 30.0 else [row(at_s, uid="shop/search")])
            await journal.save_snapshot(at_s, b"core %d" % at_s, {0: b"hour"})
        assert await journal.beginning() == Beginning(-float("inf"), None, {}, 4)
        begin = await journal.beginning(since_s=30.0, until_s=40.0)
        assert begin.snapshot is not None
        assert (begin.at_s, begin.snapshot.core, begin.snapshot.blocks) == (30.0, b"core 30", {0: b"hour"})
        assert begin.standing == {CHAT: row(20.0), "shop/search": row(30.0, uid="shop/search")}
        assert begin.ticks == 1


async def begins_with_the_first_snapshot_where_its_own_beginning_was_pruned(url: str) -> None:
    async with opened(url) as journal:
        await journal.record_fleet(9.0, b"fleet", {})
        for at_s in range(10, 1000, 10):
            await journal.record_tick(float(at_s), b"", [])
            if at_s % 300 == 0:
                await journal.save_snapshot(float(at_s), b"core", {})
        await pruned(journal, 600.0, 1000.0)  # up to 400
        begin = await journal.beginning()
    assert (begin.at_s, begin.ticks) == (300.0, 69)  # so that the ticks from 400 on can be decided again


async def keeps_fewer_snapshots_of_older_times(url: str) -> None:
    ten_minutes, hour, days = 600.0, 3600.0, 3
    now_s = days * 24 * hour
    async with opened(url) as journal:
        await journal.record_fleet(9.0, b"fleet", {})
        for number in range(1, days * 144 + 1):
            at_s = number * ten_minutes
            await journal.record_tick(at_s, b"", [])
            closed = {int(at_s // hour) - 1: b"closed hour before %d" % (at_s // hour), -99: b"an old hour"}
            await journal.save_snapshot(at_s, b"core %d" % at_s, closed)
            if number % 24 == 0:
                await pruned(journal, 54 * hour, at_s)
        kept = [at_s async for at_s in _snapshots(journal)]
        begins = [await journal.beginning(since_s=since_s) for since_s in (18 * hour, 31.4 * hour, 52 * hour, now_s)]
        whole = await journal.beginning()
    # Kept is what 54 hours need: from hour 18 on quarters of a day, from 48 on hours, from 69 on every one.
    quarters, hours = [18.0, 24.0, 30.0, 36.0, 42.0], [float(each) for each in range(48, 69)]
    assert [at_s / hour for at_s in kept] == pytest.approx([*quarters, *hours, *(69 + each / 6 for each in range(19))])
    assert [begin.at_s / hour for begin in begins] == pytest.approx([18.0, 30.0, 52.0, 72.0])
    assert [begin.ticks for begin in begins] == [324, 252, 120, 0]  # all of them up to the end: 54 hours have 324
    assert (whole.at_s, whole.ticks) == (18 * hour, 324)
    assert whole.snapshot is not None
    assert whole.snapshot.blocks == {17: b"closed hour before 18", -99: b"an old hour"}
    assert await scalar(url, "SELECT count(*) FROM history_blocks") == 1 + len({int(at_s // hour) for at_s in kept})


async def _snapshots(journal: Journal) -> AsyncIterator[float]:
    """The times of all snapshots, oldest first."""
    before_s, found = float("inf"), []
    while (snapshot := (await journal.restore(before_s=before_s, until_s=0.0)).snapshot) is not None:
        before_s = snapshot.at_s
        found.append(before_s)
    for at_s in reversed(found):
        yield at_s


async def gives_up_a_value_that_the_database_cannot_hold_and_goes_on(url: str) -> None:
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        bad, good = replace(order("shop/bad"), before=2**70), order()
        ends = await asyncio.gather(
            journal.write_intents(10.0, [bad]), journal.write_intents(10.0, [good]), return_exceptions=True
        )
        assert isinstance(ends[0], Rejected)
        assert "cannot hold a value" in str(ends[0])
        assert ends[1] is None
        restored = await journal.restore()
        assert [intent.order for intent in restored.intents] == [good]
        assert (journal.health.problem, journal.health.failures, journal.health.pending) == ("", 1, 0)


async def tells_the_last_orders_and_how_they_ended(url: str) -> None:
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
        ended = []
        for number, result in enumerate(["applied", "conflict", "rejected", ""]):
            at_s, made = 10.0 + number, order(version=str(number))
            await journal.write_intents(at_s, [made, order("shop/search")])
            if result:
                ended.append(Outcome(made, at_s + 0.5, result, f"{number}"))
                await journal.write_outcomes(at_s, ended[-1:])
        found = await journal.orders(CHAT, limit=3)
        assert [each.at_s for each in found] == [13.0, 12.0, 11.0]
        assert [each.outcome for each in found] == [None, ended[2], ended[1]]
        assert found[0].order == order(version="3")
        assert len(await journal.orders(CHAT, limit=20)) == 4
        assert await journal.orders("shop/gone", limit=20) == ()


async def refuses_a_newer_schema(url: str) -> None:
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
    await scalar(url, "UPDATE alembic_version SET version_num = '9999' RETURNING version_num")
    with pytest.raises(Rejected, match=r"schema 9999, newer than 0004 of this Foresail"):
        await Journal.open(url)


async def refuses_a_schema_of_two_versions(url: str) -> None:
    async with opened(url) as journal:
        await journal.record_fleet(1.0, b"fleet", {})
    await scalar(url, "INSERT INTO alembic_version VALUES ('0000') RETURNING version_num")
    for opening in (Journal.open, Journal.reader):
        with pytest.raises(Rejected, match=r"the journal's schema cannot be told: .*more than one"):
            await opening(url)


CONTRACT = (
    comes_back_after_a_restart,
    is_empty_at_first,
    writes_the_same_row_only_once,
    brings_back_orders_of_which_no_observation_tells,
    restores_from_an_earlier_snapshot,
    explains_the_decision_that_stood,
    keeps_when_pruned_what_a_restart_needs,
    stores_a_block_once_for_all_its_snapshots,
    gives_its_ticks_page_by_page,
    gives_single_ticks_by_their_times,
    tells_how_much_it_holds,
    begins_where_ticks_can_be_decided_again,
    begins_with_the_first_snapshot_where_its_own_beginning_was_pruned,
    keeps_fewer_snapshots_of_older_times,
    gives_up_a_value_that_the_database_cannot_hold_and_goes_on,
    tells_the_last_orders_and_how_they_ended,
    refuses_a_newer_schema,
    refuses_a_schema_of_two_versions,
)


async def scalar(url: str, statement: str) -> object:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            return (await connection.execute(text(statement))).scalar()
    finally:
        await engine.dispose()
