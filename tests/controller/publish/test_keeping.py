"""Every target is kept as rendered on its own pace, and no failure of one reaches another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.errors import ForesailError, Rejected, Unavailable
from controller.loop.supervisor import Supervisor
from controller.publish import Publishing
from controller.records import Publication

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Waits:
    """A clock on which every sleep is over at once; stops the work when as many have been asked for."""

    stop: asyncio.Event
    at_most: int
    slept_s: list[float] = field(default_factory=list)

    def now_s(self) -> float:
        return 0.0

    def elapsed_s(self) -> float:
        return sum(self.slept_s)

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        if len(self.slept_s) >= self.at_most:
            self.stop.set()


@dataclass
class Target:
    """Answers each round as told; the last answer for ever."""

    answers: list[Exception | str]
    name: str = "there"

    async def publish(self, *, write: bool = True, force: bool = False) -> Sequence[Publication]:
        assert write
        assert not force
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return (Publication("one", answer, "" if answer in ("created", "unchanged") else "because"),)


async def kept(target: Target, rounds: int) -> tuple[list[float], list[tuple[list[str], bool]]]:
    """How long was waited after each round, and what was shown."""
    stop = asyncio.Event()
    clock, shown = Waits(stop, rounds), []

    def show(name: str, done: Sequence[Publication], well: bool) -> None:  # noqa: FBT001 - as it is called
        assert name == "there"
        shown.append(([each.result for each in done], well))

    async with asyncio.timeout(5):
        await Publishing((target,), clock, Supervisor(), 600.0, show).run(stop)
    return clock.slept_s, shown


async def test_what_is_well_waits_for_the_interval() -> None:
    assert await kept(Target(["created", "unchanged"]), 2) == (
        [600, 600],
        [(["created"], True), (["unchanged"], True)],
    )


async def test_failures_are_tried_again_after_twice_as_long_up_to_the_interval() -> None:
    waits, shown = await kept(Target([Unavailable("down")]), 9)
    assert waits == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    assert shown == [(["unavailable"], False)] * 9


async def test_after_a_success_the_first_retry_is_soon_again() -> None:
    waits, _ = await kept(Target([Unavailable("down"), "conflict", "unchanged", "unavailable", "unchanged"]), 5)
    assert waits == [5, 10, 600, 5, 600]


async def test_a_refusal_is_not_tried_again_before_its_time() -> None:
    waits, shown = await kept(Target([Rejected("no"), "rejected"]), 2)
    assert waits == [600, 600]
    assert shown == [(["rejected"], False)] * 2


async def test_what_a_person_changed_is_no_failure() -> None:
    assert (await kept(Target(["kept"]), 1))[1] == [(["kept"], True)]


async def test_a_fault_that_nobody_foresaw_is_tried_again() -> None:
    waits, shown = await kept(Target([ZeroDivisionError(), "unchanged"]), 2)
    assert waits == [5, 600]
    assert shown == [(["unchanged"], True)]


async def test_a_target_that_hangs_keeps_no_other_waiting_and_ends_with_the_process() -> None:
    stop, shown = asyncio.Event(), []

    @dataclass
    class Hangs:
        name: str = "hangs"

        async def publish(self, *, write: bool = True, force: bool = False) -> Sequence[Publication]:
            del write, force
            await asyncio.Event().wait()
            raise ForesailError("never")

    def show(name: str, done: Sequence[Publication], well: bool) -> None:  # noqa: FBT001 - as it is called
        assert done
        assert well
        shown.append(name)

    async with asyncio.timeout(5):
        work = Publishing((Hangs(), Target(["unchanged"])), Waits(stop, 3), Supervisor(), 600.0, show)
        await work.run(stop)
    assert shown == ["there"] * 3
