"""A journal as a daemon leaves it: ticks of changing load, a hole, a restart, workloads that come and go."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.journal import Journal
from policies.model import Limits
from tests.rig import ListedPolicies, Rig, policy

if TYPE_CHECKING:
    from pathlib import Path

TICKS = 70
WEB, API = "shop/web", "shop/api"
SALE = {"name": "sale", "at": "2023-11-14T22:20:00Z", "duration": "30m", "factor": 2}  # after 400 s


@dataclass(frozen=True, slots=True)
class Left:
    """The file that was left, and where it is as a URL."""

    file: Path

    @property
    def url(self) -> str:
        return f"sqlite+aiosqlite:///{self.file}"


def journal_of(file: Path) -> Left:
    """The journal of a quarter of an hour, and of some minutes later."""
    asyncio.run(_lived(left := Left(file)))
    return left


async def _lived(left: Left) -> None:
    journal = await Journal.open(left.url, timeout_s=10.0)
    try:
        world = Rig(
            ListedPolicies([policy(), policy("api", forecast={"events": [SALE]})]),
            journal=journal,
            limits=Limits(removal_ratio=0.3),
        )
        await _ticks(world, 10, web=30.0, api=50.0)
        await _ticks(world, 10, web=180.0, api=50.0)  # a flash crowd
        world.source.load = None  # a hole
        await world.ticks(5)
        world.restart()
        await _ticks(world, 10, web=40.0, api=60.0)
        world.policies.policies, world.policies.version = [], 1  # no tick is decided meanwhile
        await world.ticks(3)
        world.policies.policies, world.policies.version = (
            [policy("api", forecast={"events": [SALE]}), policy(replicas={"min": 2, "max": 40})],
            2,
        )
        await _ticks(world, 15, web=20.0, api=20.0)
        world.clock.advance(300.0)
        await _ticks(world, 15, web=70.0, api=20.0)
        world.restart()
        await _ticks(world, 5, web=70.0, api=20.0)
    finally:
        await journal.close()


async def _ticks(world: Rig, count: int, **load: float) -> None:
    world.source.load = load
    await world.ticks(count)
