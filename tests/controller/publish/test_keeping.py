"""Every target is kept as rendered on its own pace, and no failure of one reaches another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from controller.errors import ForesailError, Rejected, Unavailable
from controller.loop.supervisor import Supervisor
from controller.publish import Publishing
from controller.publishers import version_of
from controller.records import Publication

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Clock:
    """A clock that is moved on by every sleep, which is over at once."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def now_s(self) -> float:
        return self.at_s

    def elapsed_s(self) -> float:
        return self.at_s

    async def sleep(self, seconds: float) -> None:
        self.at_s += seconds


@dataclass
class Target:
    """Answers each round as told, the last answer for ever; stops the work after so many rounds."""

    answers: list[Exception | str]
    clock: Clock
    stop: asyncio.Event
    rounds: int
    name: str = "there"
    at_s: list[float] = field(default_factory=list)

    async def publish(self, *, write: bool = True, force: bool = False) -> Sequence[Publication]:
        assert write
        assert not force
        self.at_s.append(self.clock.at_s)
        if len(self.at_s) == self.rounds:
            self.stop.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return (Publication("one", answer, "" if answer in ("created", "unchanged") else "because"),)


@dataclass
class Kept:
    """What `kept` saw: the seconds between rounds, and what was shown."""

    waits_s: list[float]
    shown: list[tuple[list[str], bool]]


async def kept(
    *answers: Exception | str,
    rounds: int,
    version: Callable[[Clock], str] = lambda _: "1",
    others: Sequence[Hangs] = (),
) -> Kept:
    clock, stop, found = Clock(), asyncio.Event(), Kept([], [])
    target = Target(list(answers), clock, stop, rounds + 1)

    def show(name: str, done: Sequence[Publication], well: bool) -> None:  # noqa: FBT001 - as it is called
        assert name == "there"
        found.shown.append(([each.result for each in done], well))

    async with asyncio.timeout(5):
        work = Publishing((*others, target), clock, Supervisor(), 600.0, show, lambda _: version(clock))
        await work.run(stop)
    found.waits_s = [later - earlier for earlier, later in pairwise([0.0, *target.at_s])][1:]
    return found


class Hangs:
    """A target that never answers."""

    name = "hangs"

    async def publish(self, *, write: bool = True, force: bool = False) -> Sequence[Publication]:
        del write, force
        await asyncio.Event().wait()
        raise ForesailError("never")


async def test_what_is_well_waits_for_the_interval() -> None:
    found = await kept("created", "unchanged", rounds=2)
    assert found.waits_s == [600, 600]
    assert found.shown[:2] == [(["created"], True), (["unchanged"], True)]


async def test_failures_are_tried_again_after_twice_as_long_up_to_the_interval() -> None:
    found = await kept(Unavailable("down"), rounds=9)
    assert found.waits_s == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    assert set(map(str, found.shown)) == {"(['unavailable'], False)"}


async def test_after_a_success_the_first_retry_is_soon_again() -> None:
    found = await kept(Unavailable("down"), "conflict", "unchanged", "unavailable", "unchanged", rounds=5)
    assert found.waits_s == [5, 10, 600, 5, 600]


async def test_a_refusal_is_not_tried_again_before_its_time() -> None:
    found = await kept(Rejected("no"), "rejected", rounds=2)
    assert found.waits_s == [600, 600]
    assert found.shown[:2] == [(["rejected"], False)] * 2


async def test_what_a_person_changed_is_no_failure() -> None:
    assert (await kept("kept", rounds=1)).shown[0] == (["kept"], True)


async def test_a_fault_that_nobody_foresaw_is_tried_again() -> None:
    found = await kept(ZeroDivisionError(), "unchanged", rounds=2)
    assert found.waits_s == [5, 600]
    assert found.shown[0] == (["unchanged"], True)


async def test_nothing_is_published_before_the_policies_are_read_and_a_change_is_at_once() -> None:
    def version(clock: Clock) -> str:
        return "" if clock.at_s < 20 else "1" if clock.at_s < 100 else "2"

    found = await kept("unchanged", rounds=2, version=version)
    assert found.waits_s == [80, 600]  # from 20 s to 100 s, then the interval


async def test_what_depends_on_no_policy_does_not_wait_for_them() -> None:
    clock, stop = Clock(), asyncio.Event()
    waits, ready = (
        Target(["unchanged"], clock, stop, rounds, name) for rounds, name in ((1, "rule_files"), (2, "grafana"))
    )
    work = Publishing(
        (waits, ready), clock, Supervisor(), 600.0, lambda *_: None, lambda target: version_of(target, policies="")
    )
    async with asyncio.timeout(5):
        await work.run(stop)
    assert (waits.at_s, len(ready.at_s)) == ([], 2)


async def test_a_target_that_hangs_keeps_no_other_waiting_and_ends_with_the_process() -> None:
    assert (await kept("unchanged", rounds=2, others=(Hangs(),))).waits_s == [600, 600]
