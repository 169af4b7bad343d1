"""Keeps every target as rendered: at the start, every interval, and with a bounded backoff while one fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog

from controller.clock import or_stop
from controller.errors import ForesailError, Rejected
from controller.records import Publication

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from controller.ports import Clock, Publisher

log = structlog.get_logger("foresail.publish")

GLANCE_S = 5.0  # as often changed policies are looked for
FIRST_RETRY_S = 5.0  # twice as long after each failure, up to the interval
FAILED = ("conflict", "rejected", "unavailable")


class Guard(Protocol):
    """Runs work that may fail in ways that nobody foresaw; returns something else than its result then."""

    async def guarded(self, what: str, work: Awaitable[bool]) -> object:
        """The result of `work`, or its failure."""


@dataclass(slots=True)
class Publishing:
    """Runs a task for each publisher; `show` gets the target's name, what became of it, and whether all is well.

    `version` tells what a target's content is rendered from: nothing is published there while it is empty, so that a
    restart never publishes without what it needs, and a change is published at once.
    """

    publishers: Sequence[Publisher]
    clock: Clock
    guard: Guard
    interval_s: float
    show: Callable[[str, Sequence[Publication], bool], None]
    version: Callable[[str], str]
    _problems: dict[str, tuple[str, ...]] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; what is under way then is given up."""
        await asyncio.gather(*(self._keep(each, stop) for each in self.publishers))

    async def _keep(self, publisher: Publisher, stop: asyncio.Event) -> None:
        retry_s = FIRST_RETRY_S
        while not stop.is_set():
            version, again = self.version(publisher.name), list[bool]()
            if not version:
                await or_stop(stop, self.clock.sleep(GLANCE_S))
                continue
            await or_stop(stop, self._guarded(publisher, again))
            wait_s = min(retry_s, self.interval_s) if again == [True] else self.interval_s
            retry_s = 2 * wait_s if again == [True] else FIRST_RETRY_S
            until_s = self.clock.elapsed_s() + wait_s
            await self._pause(stop, until_s, partial(self._same, publisher.name, version))

    async def _pause(self, stop: asyncio.Event, until_s: float, same: Callable[[], bool]) -> None:
        """Wait for the next round; a change of what is rendered from is not kept waiting."""
        while not stop.is_set() and same() and (left_s := until_s - self.clock.elapsed_s()) > 0:
            await or_stop(stop, self.clock.sleep(min(GLANCE_S, left_s)))

    def _same(self, target: str, version: str) -> bool:
        return self.version(target) == version

    async def _guarded(self, publisher: Publisher, again: list[bool]) -> None:
        """One round; `again` tells whether trying soon may help, as it does unless the target refuses."""
        found = await self.guard.guarded(f"publish to {publisher.name}", self._round(publisher))
        again.append(found is not False)

    async def _round(self, publisher: Publisher) -> bool:
        """Publish; True where another try may help."""
        try:
            done: Sequence[Publication] = await publisher.publish()
        except ForesailError as error:
            word = "rejected" if isinstance(error, Rejected) else "unavailable"
            done = (Publication(publisher.name, word, str(error)),)
        failed = [each for each in done if each.result in FAILED]
        self.show(publisher.name, done, not failed)
        self._log(publisher.name, done)
        return any(each.result != "rejected" for each in failed)

    def _log(self, target: str, done: Sequence[Publication]) -> None:
        """Tell writes, and problems when they begin, change or end."""
        written = [each.name for each in done if each.result in ("created", "updated", "deleted")]
        if written:
            log.info("published", target=target, names=written)
        problems = tuple(f"{each.name}: {each.result}: {each.message}" for each in done if each.message)
        if problems != self._problems.get(target, ()):
            for problem in problems:
                log.warning("not published", target=target, reason=problem)
            if not problems:
                log.info("well again", what=f"publishing to {target}")
        self._problems[target] = problems
