"""A workload's orders through the API: what the real loop wrote, and how each write ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.controller.web.running import staged
from tests.controller.web.test_projection import WEB, asked

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_last_orders_are_told_with_how_they_ended(tmp_path: Path) -> None:
    async with staged(tmp_path, "web", ticks=1) as stage:
        stage.rig.source.load = {"web": 90.0}
        await stage.tick()
        status, found = await asked(stage, f"{WEB}/orders")
        _, newest = await asked(stage, f"{WEB}/orders?limit=1")
    assert (status, found["kind"]) == (200, "OrderList")
    assert newest["items"] == found["items"][:1]
    told = found["items"][-1]
    # 30 at 7 each is 5, from the 2 that there were.
    assert (told["before"], told["after"], told["result"], told["message"]) == (2, 5, "applied", "")
    assert told["target"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    assert found["items"][0]["before"] == 5


async def test_a_limit_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    async with staged(tmp_path, "web", ticks=1) as stage:
        assert (await asked(stage, f"{WEB}/orders?limit=0"))[0] == 400
        assert (await asked(stage, f"{WEB}/orders?limit=501"))[0] == 400
        assert (await asked(stage, "/api/v1/workloads/shop/gone/orders"))[0] == 404
