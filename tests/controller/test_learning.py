"""What is learned beside the ticks when the source fails, or the work."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numpy as np
from structlog.testing import capture_logs

from controller.collect.questions import Questions
from controller.errors import Rejected, Unavailable
from controller.loop.learning import AGAIN_S, PATIENCE_S, RETRY_S, Learning
from controller.records import PastSeries
from policies.fleet import fleet_of
from policies.model import Limits
from policies.tournament import EVIDENCE_STEPS
from simulations.clock import VirtualClock
from tests.integration.servers.process import eventually_async
from tests.rig import START_S, ListedPolicies, LoadSource, Rig, policy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from controller.errors import ForesailError
    from controller.records import SignalQuery
    from policies.history import Backfill
    from policies.model import Fleet
    from policies.spec import WorkloadPolicy

P = ParamSpec("P")
T = TypeVar("T")

DAYS = 3


@dataclass
class FailingSource(LoadSource):
    """Fails to tell the past with the next of these errors, if it is one, until none is left."""

    errors: list[ForesailError | None] = field(default_factory=list)
    asked: int = 0

    async def past(
        self, query: SignalQuery, *, start_s: float, end_s: float, step_s: float, deadline_s: float
    ) -> Sequence[PastSeries]:
        self.asked += 1
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        return await super().past(query, start_s=start_s, end_s=end_s, step_s=step_s, deadline_s=deadline_s)


@dataclass
class ForgetfulSource(FailingSource):
    """Tells so many days of the past, and fails to tell more while `silent`."""

    days: int = 0
    silent: bool = True

    async def past(
        self, query: SignalQuery, *, start_s: float, end_s: float, step_s: float, deadline_s: float
    ) -> Sequence[PastSeries]:
        if self.silent and self.days == 0:
            raise Unavailable("prometheus: connection refused")
        self.days -= 1
        return await super().past(query, start_s=start_s, end_s=end_s, step_s=step_s, deadline_s=deadline_s)


@dataclass
class EachItsOwn(LoadSource):
    """Answers queries with 10 at every minute for each app in `apps`, refuses some texts, and notes what was asked."""

    apps: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)

    async def past(
        self, query: SignalQuery, *, start_s: float, end_s: float, step_s: float, deadline_s: float
    ) -> Sequence[PastSeries]:
        assert deadline_s > 0
        self.asked.append(query.text)
        if query.text in self.refused:
            raise Rejected("parse error")
        at_s = np.arange(start_s, end_s + 1, step_s).tolist()
        return [PastSeries((app,), at_s, [10.0] * len(at_s)) for app in self.apps]


@dataclass
class AtOnce(Executor):
    """Does work at once, or fails it with the next of these errors."""

    errors: list[Exception] = field(default_factory=list)
    done: int = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        self.done += 1
        if self.errors:
            future.set_exception(self.errors.pop(0))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def world_with(*errors: ForesailError | None) -> tuple[Rig, FailingSource]:
    world = Rig(ListedPolicies([policy()]))
    source = FailingSource(world.clock, {"web": 35.0}, errors=list(errors))
    at_s = [START_S - DAYS * 86_400 + 60.0 * minute for minute in range(DAYS * 1440)]
    source.past_series = [PastSeries(("web",), at_s, [35.0] * len(at_s))]
    world.source = source
    world.restart()
    world.loop.learning.executor = AtOnce()
    return world, source


def forgetful_world(*known_days: int, told: int) -> tuple[Rig, ForgetfulSource, AtOnce]:
    """A world whose load is known on some days (1 is the newest), of which the source tells the newest few."""
    world, executor = Rig(ListedPolicies([policy()])), AtOnce()
    source = ForgetfulSource(world.clock, {"web": 35.0}, days=told)
    minutes = [START_S - day * 86_400 + 60.0 * minute for day in sorted(known_days)[::-1] for minute in range(1440)]
    source.past_series = [PastSeries(("web",), minutes, [35.0] * len(minutes))]
    world.source = source
    world.restart()
    world.loop.learning.executor = executor
    return world, source, executor


async def proven(world: Rig) -> bool:
    await world.ticks(1)
    return bool(world.last().decision.standing.known[0] >= EVIDENCE_STEPS)


def known_minutes(world: Rig) -> int:
    state = world.loop.state
    assert state is not None
    return sum(int(block.known.sum()) for block in state.history.hours)


async def test_history_that_cannot_be_read_is_logged_and_what_was_read_counts() -> None:
    world, source = world_with(None, Rejected("prometheus refused the range"))

    async def given_up() -> bool:
        await world.ticks(1)
        return "history not read" in [line["event"] for line in logs] and known_minutes(world) >= 1440

    with capture_logs() as logs:
        await eventually_async(given_up)
    assert source.asked == 2
    assert known_minutes(world) < 2000  # a day, and what the ticks saw
    assert world.scale_of() == 5


async def test_a_source_that_is_away_at_first_is_asked_for_its_history_again() -> None:
    world, source = world_with(*[Unavailable("prometheus: connection refused")] * 3)

    async def all_known() -> bool:
        await world.ticks(1)
        return known_minutes(world) >= DAYS * 1440 - 2

    with capture_logs() as logs:
        await eventually_async(all_known)
    assert [line["event"] for line in logs].count("history not read yet") == 3
    assert source.asked >= DAYS + 3


async def test_learning_that_fails_is_logged_and_tried_again() -> None:
    world, _ = world_with()
    world.loop.learning.executor = AtOnce([MemoryError("no room")])

    async def learned() -> bool:
        await world.ticks(1)
        return bool(world.last().decision.standing.known[0] >= EVIDENCE_STEPS)

    began_s = world.clock.now_s()
    with capture_logs() as logs:
        await eventually_async(learned, 60.0)
    assert [line["err"] for line in logs if line["event"] == "learning failed"] == ["no room"]
    assert world.clock.now_s() - began_s >= RETRY_S
    assert world.scale_of() == 5  # 35 / 8


async def test_a_lane_whose_past_is_too_short_is_not_tried_again_at_once() -> None:
    world, source = world_with()
    source.past_series = [PastSeries(("web",), [START_S - 60.0], [35.0])]
    executor = AtOnce()
    world.loop.learning.executor = executor
    await world.ticks(40)

    assert executor.done == 1
    assert world.last().decision.standing.known[0] < EVIDENCE_STEPS


async def test_while_the_source_is_away_lanes_wait_for_their_past_and_do_not_count_as_tried() -> None:
    world, source, executor = forgetful_world(1, 2, 3, told=0)
    with capture_logs() as logs:
        await world.ticks(12)
    assert "history not read yet" in [line["event"] for line in logs]
    assert (executor.done, known_minutes(world) > 0) == (0, True)  # the ticks told something
    source.silent = False
    await eventually_async(lambda: proven(world), 60.0)
    assert executor.done == 1
    assert known_minutes(world) >= DAYS * 1440 - 2  # all of it was read before


async def test_what_was_read_is_learned_from_when_no_more_is_told_for_an_hour() -> None:
    world, _, executor = forgetful_world(1, 2, 3, told=2)
    with capture_logs():
        await eventually_async(lambda: proven(world), 60.0)
    assert executor.done == 1
    assert world.clock.elapsed_s() >= PATIENCE_S
    assert 2 * 1440 <= known_minutes(world) < 3 * 1440


async def test_what_is_told_later_is_gone_through_again_by_lanes_that_knew_too_little() -> None:
    world, source, executor = forgetful_world(2, 3, told=1)  # the newest day holds nothing

    async def tried() -> bool:
        await world.ticks(1)
        return executor.done == 1

    with capture_logs():
        await eventually_async(tried, 60.0)
        assert world.last().decision.standing.known[0] < EVIDENCE_STEPS
        source.silent = False
        resumed_s = world.clock.elapsed_s()
        await eventually_async(lambda: proven(world), 60.0)
    assert executor.done == 2
    assert world.clock.elapsed_s() - resumed_s < AGAIN_S


async def test_a_workload_that_left_and_came_back_is_learned_anew() -> None:
    world, source = world_with()
    source.past_series = [PastSeries(("web",), [START_S - 60.0], [35.0])]
    executor = AtOnce()
    world.loop.learning.executor = executor
    both = world.policies.policies

    async def follow(policies: list[WorkloadPolicy], done: int) -> None:
        world.policies.policies, world.policies.version = policies, world.policies.version + 1

        async def reached() -> bool:
            await world.ticks(1)
            return executor.done == done

        await eventually_async(reached, 30.0)

    await follow(both, 1)
    await follow([policy("other")], 2)
    await follow(both, 3)
    assert world.clock.elapsed_s() < AGAIN_S


def demand(name: str, query: str, app: str = "$name") -> WorkloadPolicy:
    signal = {"name": "load", "kind": "demand", "query": query, "match": {"app": app}, "capacityPerReplica": 10}
    return policy(name, signals=[signal])


def asking(source: EachItsOwn, *policies: WorkloadPolicy) -> tuple[Learning, Fleet, Questions]:
    return Learning(source, source.clock), fleet_of(policies, Limits()), Questions.of(policies)


async def days_read(learning: Learning, fleet: Fleet, least: int) -> list[Backfill]:
    days: list[Backfill] = []

    async def enough() -> bool:
        while (day := learning.next_piece(fleet.tracks.uid)) is not None:
            days.append(day)
        return len(days) >= least

    await eventually_async(enough)
    return days


def known_share(day: Backfill) -> list[float]:
    return [float(row.mean()) for row in day.known]


async def test_one_refused_query_leaves_the_history_of_the_others() -> None:
    source = EachItsOwn(VirtualClock(START_S), apps=("a", "b", "c"), refused=("broken",))
    learning, fleet, questions = asking(source, demand("a", "one"), demand("b", "broken"), demand("c", "two"))
    with capture_logs() as logs:
        learning.read_past(fleet, questions, known_s=START_S - DAYS * 86_400)
        days = await days_read(learning, fleet, DAYS)
    assert [known_share(day) for day in days] == [[1.0, 0.0, 1.0]] * DAYS
    assert source.asked == ["one", "broken", "two", "one", "two", "one", "two"]
    assert [line["query"] for line in logs if line["event"] == "history not read"] == ["broken"]


async def test_workloads_that_share_a_series_share_its_past() -> None:
    source = EachItsOwn(VirtualClock(START_S), apps=("pool",))
    learning, fleet, questions = asking(source, demand("a", "one", "pool"), demand("b", "one", "pool"))
    learning.read_past(fleet, questions, known_s=START_S - 86_400)
    (day,) = await days_read(learning, fleet, 1)
    assert known_share(day) == [1.0, 1.0]
    assert day.value.mean(axis=1).tolist() == [10.0, 10.0]


async def test_a_question_about_many_workloads_goes_back_less_than_a_day() -> None:
    # 1,000,000 points are 400 minutes of 2,500 workloads: a day is three questions of 400 and one of 240.
    source = EachItsOwn(VirtualClock(START_S), apps=("w7",))
    learning, fleet, questions = asking(source, *(demand(f"w{number}", "one") for number in range(2500)))
    learning.read_past(fleet, questions, known_s=START_S - 86_400)
    pieces = await days_read(learning, fleet, 4)
    assert [piece.known.shape[1] for piece in pieces] == [400, 400, 400, 240]
    assert [int(piece.known.any(axis=1).sum()) for piece in pieces] == [1, 1, 1, 1]


async def test_a_piece_that_is_not_answered_is_asked_for_again_half_as_long() -> None:
    clock = VirtualClock(START_S)
    source = FailingSource(clock, {"web": 35.0}, errors=[Unavailable("timeout"), None, None, Unavailable("timeout")])
    learning, fleet, questions = Learning(source, clock), fleet_of([policy()], Limits()), Questions.of([policy()])
    learning.read_past(fleet, questions, known_s=START_S - 3 * 86_400)
    pieces = await days_read(learning, fleet, 4)
    assert [piece.known.shape[1] / 60 for piece in pieces] == [12, 24, 12, 24]


async def test_only_rows_that_need_it_are_asked_for_their_past() -> None:
    source = EachItsOwn(VirtualClock(START_S), apps=("a", "b"))
    learning, fleet, questions = asking(source, demand("a", "one"), demand("b", "two"))
    learning.read_past(fleet, questions, rows=np.array([False, True]), known_s=START_S - 86_400)
    (day,) = await days_read(learning, fleet, 1)
    assert (source.asked, known_share(day)) == (["two"], [0.0, 1.0])
    learning.read_past(fleet, questions, rows=np.array([False, False]))
    assert (learning.next_piece(fleet.tracks.uid), source.asked) == (None, ["two"])


async def test_a_reading_that_a_new_workload_interrupts_is_made_up_for() -> None:
    source = EachItsOwn(VirtualClock(START_S), apps=("a", "b"))
    learning, before, questions = asking(source, demand("a", "one"))
    learning.read_past(before, questions, known_s=START_S - DAYS * 86_400)
    _, fleet, questions = asking(source, demand("a", "one"), demand("b", "two"))
    learning.read_past(fleet, questions, rows=np.array([False, True]), known_s=START_S - 86_400)
    days = await days_read(learning, fleet, DAYS)
    assert [known_share(day) for day in days] == [[1.0, 1.0]] * DAYS
    learning.read_past(fleet, questions, rows=np.array([False, True]), known_s=START_S - 86_400)
    (day,) = await days_read(learning, fleet, 1)
    assert known_share(day) == [0.0, 1.0]  # nothing was left of the last reading
