"""What a restart makes of the orders of before, and of a memory that is damaged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from controller.journal import Intent, Journal
from controller.loop.recall import resolved
from controller.records import ClusterView, Outcome, ScaleOrder, TargetRef, TargetView
from tests.rig import ListedPolicies, Rig, policy

if TYPE_CHECKING:
    from pathlib import Path

WEB = TargetRef("apps/v1", "Deployment", "shop", "web")
AT_S = 1000.0


def intent(before: int, after: int, at_s: float = AT_S) -> Intent:
    return Intent(at_s, ScaleOrder("shop/web", WEB, before, after, "1", "signals"))


NOW_S = AT_S + 20


def view(target: TargetView | None) -> ClusterView:
    return ClusterView({} if target is None else {WEB: target}, {}, AT_S)


def test_an_order_waits_for_its_target_to_be_read() -> None:
    order = intent(10, 5)
    outcomes, still_open = resolved(
        [order], view(TargetView(WEB, 0, 0, "", problem="deployments in shop: not read")), NOW_S
    )
    assert outcomes == ()
    assert still_open == (order,)

    outcomes, still_open = resolved(still_open, view(TargetView(WEB, 5, 5, "2")), NOW_S)
    assert [(outcome.result, outcome.at_s) for outcome in outcomes] == [("applied", AT_S)]
    assert still_open == ()


def test_an_order_was_carried_out_if_the_next_one_began_with_its_count() -> None:
    outcomes, _ = resolved([intent(10, 8), intent(8, 6, AT_S + 15)], view(TargetView(WEB, 6, 6, "3")), NOW_S)
    assert [outcome.result for outcome in outcomes] == ["applied", "applied"]


def test_nobody_knows_of_an_order_whose_count_is_not_there() -> None:
    outcomes, _ = resolved([intent(10, 5)], view(TargetView(WEB, 10, 10, "2")), NOW_S)
    assert [outcome.result for outcome in outcomes] == ["unknown"]
    outcomes, still_open = resolved([intent(10, 5)], view(None), NOW_S)
    assert [outcome.result for outcome in outcomes] == ["unknown"]
    assert still_open == ()


def test_an_order_waits_while_the_watch_shows_the_object_as_it_was() -> None:
    order = intent(10, 5)
    as_it_was = view(TargetView(WEB, 10, 10, "1"))
    assert resolved([order], as_it_was, NOW_S) == ((), (order,))
    outcomes, _ = resolved([order], as_it_was, AT_S + 121)
    assert [outcome.result for outcome in outcomes] == ["unknown"]


def test_a_recorded_end_is_believed_before_what_the_cluster_shows() -> None:
    order = intent(10, 5)
    done = Outcome(order.order, AT_S + 1, "applied")
    somebody_else_since = view(TargetView(WEB, 7, 7, "9"))
    assert resolved([replace(order, outcome=done)], somebody_else_since, NOW_S) == ((done,), ())
    lost = replace(order, outcome=replace(done, result="unavailable"))
    outcomes, _ = resolved([lost], view(TargetView(WEB, 5, 5, "9")), NOW_S)
    assert [outcome.result for outcome in outcomes] == ["applied"]


async def test_damaged_memory_is_left_alone(tmp_path: Path) -> None:
    journal = await Journal.open(f"sqlite+aiosqlite:///{tmp_path / 'journal.db'}")
    try:
        await journal.record_fleet(AT_S, b"no fleet", {})
        await journal.record_tick(AT_S, b"no observation", [])
        world = Rig(ListedPolicies([policy()]), journal=journal)
        await world.loop.start()
        world.source.load = {"web": 35.0}
        await world.ticks(2)
        assert world.scale_of() == 5
        world.restart()
        await world.loop.start()
        await world.ticks(1)
        assert world.scale_of() == 5
    finally:
        await journal.close()
