"""What is learned beside the ticks when the source or a refit fails."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from structlog.testing import capture_logs

from controller.errors import Rejected, Unavailable
from controller.records import PastSeries
from tests.integration.servers.process import eventually_async
from tests.rig import START_S, ListedPolicies, LoadSource, Rig, policy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from controller.errors import ForesailError
    from controller.records import SignalQuery

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
class AtOnce(Executor):
    """Does work at once, or fails it with the next of these errors."""

    errors: list[Exception] = field(default_factory=list)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
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


async def test_a_refit_that_fails_is_logged_and_the_next_one_counts() -> None:
    world, _ = world_with()
    world.loop.learning.executor = AtOnce([MemoryError("the fit")])

    async def known() -> bool:
        await world.ticks(1)
        return bool(world.last().decision.forecast.known[0])

    with capture_logs() as logs:
        await eventually_async(known, 60.0)
    assert [line["err"] for line in logs if line["event"] == "refit failed"] == ["the fit"]
    assert world.scale_of() >= 5
