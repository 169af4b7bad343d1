"""Messages are handed over at least once each while the process lives, and cost nothing but the queue."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.errors import Rejected, Unavailable
from controller.loop.supervisor import Supervisor
from controller.notify import Delivery
from controller.records import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

DOWN = Unavailable("down")


def messages(count: int, first: int = 0) -> list[Message]:
    return [Message("decision", 0.0, str(first + number)) for number in range(count)]


@dataclass
class Waits:
    """A clock on which every sleep is over at once."""

    slept_s: list[float] = field(default_factory=list)

    def now_s(self) -> float:
        return 0.0

    def elapsed_s(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)


@dataclass
class Receiver:
    """Takes messages, or fails as told first; stops the work when it has got so many deliveries."""

    stop: asyncio.Event
    failures: list[Exception] = field(default_factory=list)
    stop_after: int = 1
    got: list[tuple[str, list[str]]] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)

    async def tell(self, messages: Sequence[Message], *, delivery: str) -> None:
        self.tried.append(delivery)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Rejected) and not self.failures:
                self.stop.set()
            raise failure
        self.got.append((delivery, [message.text for message in messages]))
        if len(self.got) == self.stop_after:
            self.stop.set()


def delivery_to(receiver: Receiver, counts: Counter[str], capacity: int = 10_000) -> tuple[Delivery, Waits]:
    def count(result: str, number: int) -> None:
        counts[result] += number

    clock = Waits()
    return Delivery(receiver, clock, Supervisor(), count, capacity), clock


async def test_messages_arrive_in_order_a_hundred_at_once() -> None:
    stop, counts = asyncio.Event(), Counter[str]()
    receiver = Receiver(stop, stop_after=3)
    delivery, _ = delivery_to(receiver, counts)
    delivery.take(messages(250))

    await asyncio.wait_for(delivery.run(stop), 5)
    assert [len(texts) for _, texts in receiver.got] == [100, 100, 50]
    assert [text for _, texts in receiver.got for text in texts] == [str(number) for number in range(250)]
    assert len({name for name, _ in receiver.got}) == 3
    assert counts == {"delivered": 250}
    assert delivery.pending == 0


async def test_a_failed_delivery_is_tried_again_as_the_same_with_bounded_waits() -> None:
    stop, counts = asyncio.Event(), Counter[str]()
    receiver = Receiver(stop, [DOWN] * 11)
    delivery, clock = delivery_to(receiver, counts)
    delivery.take(messages(2))

    await asyncio.wait_for(delivery.run(stop), 5)
    assert clock.slept_s == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert len(set(receiver.tried)) == 1
    assert receiver.got == [(receiver.tried[0], ["0", "1"])]
    assert counts == {"delivered": 2}


async def test_a_receiver_that_is_down_costs_the_oldest_messages_and_they_are_counted() -> None:
    stop, counts = asyncio.Event(), Counter[str]()
    receiver = Receiver(stop)
    delivery, _ = delivery_to(receiver, counts, capacity=5)
    delivery.take(messages(4))
    delivery.take(messages(4, first=4))

    assert delivery.pending == 5
    assert counts == {"dropped": 3}
    await asyncio.wait_for(delivery.run(stop), 5)
    assert receiver.got[0][1] == ["3", "4", "5", "6", "7"]


async def test_what_is_refused_for_good_makes_way_for_the_rest() -> None:
    stop, counts = asyncio.Event(), Counter[str]()
    receiver = Receiver(stop, [Rejected("no"), DOWN])
    delivery, _ = delivery_to(receiver, counts)
    delivery.take(messages(101))

    await asyncio.wait_for(delivery.run(stop), 5)
    assert counts == {"rejected": 100, "delivered": 1}
    assert receiver.got[0][1] == ["100"]


async def test_a_fault_that_nobody_foresaw_loses_nothing() -> None:
    stop, counts = asyncio.Event(), Counter[str]()
    receiver = Receiver(stop, [ZeroDivisionError()])
    delivery, _ = delivery_to(receiver, counts)
    delivery.take(messages(1))

    await asyncio.wait_for(delivery.run(stop), 5)
    assert receiver.got[0][1] == ["0"]


async def test_what_waits_at_the_end_gets_one_last_try() -> None:
    stop, counts = asyncio.Event(), Counter[str]()
    stop.set()
    receiver = Receiver(stop)
    delivery, _ = delivery_to(receiver, counts)
    delivery.take(messages(1))

    await asyncio.wait_for(delivery.run(stop), 5)
    assert counts == {"delivered": 1}
