"""A bounded queue of messages and the task that hands them over, at least once each while the process lives."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

import structlog

from controller.clock import or_stop
from controller.errors import ForesailError, Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from controller.ports import Clock, Receiver
    from controller.records import Message

log = structlog.get_logger("foresail.notify")

CAPACITY = 10_000  # messages that wait at most: some ten megabytes
AT_ONCE = 100  # messages of one delivery
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 300.0  # twice as long after each failure
GLANCE_S = 1.0  # as often new messages are looked for
FAREWELL_S = 2.0  # for what still waits when the process ends


class Guard(Protocol):
    """Runs work that may fail in ways that nobody foresaw; returns something else than its result then."""

    async def guarded(self, what: str, work: Awaitable[bool]) -> object:
        """The result of `work`, or its failure."""


@dataclass(slots=True)
class Delivery:
    """Takes messages without waiting; `count` is told a result and how many messages ended so.

    When more wait than there is room for, the oldest are dropped. A delivery that failed is tried again with the same
    id, so that a receiver can know a message that it has already seen.
    """

    receiver: Receiver
    clock: Clock
    guard: Guard
    count: Callable[[str, int], None]
    capacity: int = CAPACITY
    _waiting: deque[Message] = field(default_factory=deque)
    _batch: tuple[Message, ...] = ()
    _id: str = ""
    _failing: bool = False

    @property
    def pending(self) -> int:
        """Messages that wait, those on their way included."""
        return len(self._waiting) + len(self._batch)

    def take(self, messages: Iterable[Message]) -> None:
        """Queue messages."""
        self._waiting.extend(messages)
        surplus = max(0, self.pending - self.capacity)
        for _ in range(min(surplus, len(self._waiting))):
            self._waiting.popleft()
        if surplus:
            self.count("dropped", surplus)

    async def run(self, stop: asyncio.Event) -> None:
        """Hand messages over until `stop` is set; what waits then gets one last try."""
        retry_s = FIRST_RETRY_S
        while not stop.is_set():
            if not self.pending:
                await or_stop(stop, self.clock.sleep(GLANCE_S))
                continue
            ended: list[object] = []
            await or_stop(stop, self._guarded(ended))
            if ended == [True]:
                retry_s = FIRST_RETRY_S
                continue
            await or_stop(stop, self.clock.sleep(retry_s))
            retry_s = min(2 * retry_s, LAST_RETRY_S)
        await self._farewell()

    async def _farewell(self) -> None:
        if not self.pending:
            return
        last = asyncio.ensure_future(self._guarded([]))
        await asyncio.wait((last,), timeout=FAREWELL_S)
        last.cancel()

    async def _guarded(self, ended: list[object]) -> None:
        ended.append(await self.guard.guarded("tell the webhook", self._hand_over()))

    async def _hand_over(self) -> bool:
        """Hand the oldest messages over; True where they have come to an end."""
        if not self._batch:
            self._batch = tuple(islice(self._waiting, AT_ONCE))
            self._id = uuid4().hex
            for _ in self._batch:
                self._waiting.popleft()
        try:
            await self.receiver.tell(self._batch, delivery=self._id)
        except Rejected as error:
            log.warning("messages refused by the webhook", count=len(self._batch), err=str(error))
            return self._ended("rejected")
        except ForesailError as error:
            if not self._failing:
                log.warning("not well", what="webhook", err=str(error))
            self._failing = True
            return False
        if self._failing:
            log.info("well again", what="webhook")
        self._failing = False
        return self._ended("delivered")

    def _ended(self, result: str) -> bool:
        self.count(result, len(self._batch))
        self._batch = ()
        return True
