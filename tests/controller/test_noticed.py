"""What the log says of workloads that are held."""

from __future__ import annotations

from dataclasses import replace

from structlog.testing import capture_logs

from controller.loop.noticed import Noticed
from tests.rig import ListedPolicies, Rig, policy

UNREAD = "pods in all namespaces: not read yet"


async def test_workloads_that_are_held_for_one_reason_are_one_line_and_told_once() -> None:
    world = Rig(ListedPolicies([policy()]))
    await world.ticks()
    held = {f"shop/w{number:02}": UNREAD for number in range(12)} | {"shop/x": "HPA x scales it"}
    noticed = Noticed()
    with capture_logs() as logs:
        for owners in (held, held, {"shop/x": "HPA x scales it"}):
            noticed.tick(replace(world.last(), owners=owners))
    said = [(line["event"], line["count"], line["workloads"][0], len(line["workloads"])) for line in logs]
    assert said == [
        ("workloads held or not read", 12, "shop/w00", 10),
        ("workloads held or not read", 1, "shop/x", 1),
        ("workloads free again", 12, "shop/w00", 10),
    ]
