"""Each workload's next week beside the ticks: what is told, when it is told anew, and what a fault leaves of it."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import numpy as np
import pytest
from structlog.testing import capture_logs

from controller.collect.quotas import QuotaRoom
from controller.loop.planning import LANES_AT_ONCE, LOOK_EVERY_S, RETRY_S, Planning
from controller.records import ClusterView, PodView, Quota, TargetRef
from controller.worker import Worker, worker
from policies.fleet import fleet_of
from policies.forecast.governance import Expert
from policies.forecast.horizon import REFIT_EVERY_S
from policies.forecast.plans import OLDEST_S
from policies.history import Block, History
from policies.rows import demand_rows
from policies.state import EngineState
from simulations.clock import VirtualClock
from tests.builders import demand, policy, readings, seen
from tests.integration.servers.process import eventually_async
from tests.rig import ListedPolicies, Rig
from tests.rig import policy as rig_policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from functools import partial

    from policies.arrays import FloatArray
    from policies.forecast.plans import Plans
    from policies.model import Fleet

P = ParamSpec("P")
T = TypeVar("T")

START_S = 1_700_006_400  # a whole hour
HOUR = 60
DAY = 24 * HOUR
POD = PodView("web-1", "Running", deleted=False, ready=True, created_at_s=0, started_at_s=0, transition_at_s=0)


@dataclass
class Noting(Executor):
    """Does work at once and notes it, or fails it with the next of these errors."""

    errors: list[Exception] = field(default_factory=list)
    noted: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)  # what was done with which lanes
    between: Callable[[], None] | None = None  # called once, while the first work is under way

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done = cast("partial[Any]", fn)
        self.noted.append((done.func.__name__, done.args[0].fleet.uid))
        future: Future[T] = Future()
        if self.errors:
            future.set_exception(self.errors.pop(0))
            return future
        found = fn(*args, **kwargs)
        if self.between is not None:
            between, self.between = self.between, None
            between()
        future.set_result(found)
        return future


@dataclass
class World:
    """A fleet whose past the test sets, and the planning beside it."""

    fleet: Fleet
    past: dict[str, FloatArray]  # load each minute, the newest last, by lane; NaN where it is not known
    executor: Executor = field(default_factory=Noting)
    quotas: dict[str, list[Quota]] = field(default_factory=dict)  # by namespace
    cpu_milli: list[int] = field(default_factory=list)  # that each lane's one pod takes
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(float(START_S)))

    def __post_init__(self) -> None:
        self.planning = Planning(self.clock, self.executor)
        self.planning.follow(self.fleet)

    @property
    def noted(self) -> list[tuple[str, tuple[str, ...]]]:
        assert isinstance(self.executor, Noting)
        return self.executor.noted

    def becomes(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.planning.follow(fleet)

    def tick(self, *, reading: bool = False) -> None:
        lanes, now_s = self.fleet.lanes, self.clock.now_s()
        uids = self.fleet.tracks.uid
        history = history_of([self.past[self.fleet.uid[lane]] for lane in self.fleet.tracks.lane.tolist()], now_s)
        state = replace(EngineState.fresh(self.fleet), history=history)
        observed = seen([1] * lanes, readings([1.0] * len(uids)), now_s)
        targets = [TargetRef("apps/v1", "Deployment", *uid.split("/")) for uid in self.fleet.uid]
        charges = [(("requests.cpu", each),) for each in self.cpu_milli or [0] * lanes]
        pods = {ref: (replace(POD, charge=charge),) for ref, charge in zip(targets, charges, strict=True)}
        view = ClusterView({}, pods, now_s, quotas=self.quotas)
        self.planning.plan_when_due(self.fleet, state, observed, QuotaRoom(view, targets), reading=reading)

    async def settled(self) -> Plans:
        """Ticks until nothing is under way, and what is told then."""
        self.tick()

        async def idle() -> bool:
            return not self.planning.busy

        await eventually_async(idle, 60.0)
        self.tick()
        await eventually_async(idle, 60.0)
        assert self.planning.plans is not None
        return self.planning.plans


def history_of(past: list[FloatArray], now_s: float) -> History:
    """Hours up to that of `now_s`, each row's newest minute the one before."""
    hours = -(-max(each.size for each in past) // HOUR) + 1
    value = np.full((len(past), hours * HOUR), np.nan)
    end = hours * HOUR - (HOUR - int(now_s // 60) % HOUR)
    for row, each in enumerate(past):
        value[row, end - each.size : end] = each
    first_s = int(now_s // 3600 - hours + 1) * 3600
    known = np.isfinite(value)
    filled = np.where(known, value, 0).astype(np.float32)
    blocks = {}
    for hour in range(hours):
        minutes, start_s = slice(HOUR * hour, HOUR * (hour + 1)), first_s + 3600 * hour
        blocks[start_s] = Block(start_s, filled[:, minutes], known[:, minutes])
    return History.of_blocks(len(past), blocks)


def fleet(*names: str, high: int = 100) -> Fleet:
    """Lanes shop/NAME, of which a replica serves 8 in time (10 at 80 %)."""
    return fleet_of([policy(name, demand("load", 10), high=high) for name in names])


def growing(start: float, end: float, days: int = 4, seed: int = 1) -> FloatArray:
    noise: FloatArray = np.random.default_rng(seed).normal(0, 0.02, days * DAY)
    return np.linspace(start, end, days * DAY) * np.exp(noise)


def level(load: float, days: int = 4) -> FloatArray:
    return growing(load, load, days)


async def test_a_growing_workload_is_told_of_its_maximum_before_it_comes() -> None:
    past = {"shop/grows": growing(480, 720, days=8), "shop/rests": level(80)}
    world = World(fleet("grows", "rests"), past)
    plans = await world.settled()
    now_s = world.clock.now_s()
    above_days = (plans.above_maximum_at(now_s) - now_s) / 86_400

    # 90 of 100 replicas are needed now, and 3.75 more a day: 2.7 days.
    assert 2 < above_days[0, 0] < 4
    assert 0.5 < above_days[0, 1] < 2
    assert plans.maximum[0].tolist() == [100, 100]
    assert np.isnan(above_days[1]).all()
    np.testing.assert_allclose(plans.replicas_in(3600.0, now_s)[1, 0], 10, rtol=0.05)
    assert world.noted == [("refitted", ("shop/grows", "shop/rests"))]


async def test_a_quota_below_the_maximum_is_what_is_hit_and_one_above_is_not() -> None:
    # Each has a pod and needs 10 replicas of 100; what is left is enough for 6 or 300 pods more.
    world = World(fleet("large", "small"), {"shop/large": level(80), "shop/small": level(80)})
    world.cpu_milli, world.quotas = [1000, 20], {"shop": [Quota("shop", "compute", (("requests.cpu", 6000),))]}
    plans = await world.settled()

    assert plans.uid == ("shop/large", "shop/small")
    assert plans.quota.tolist() == [7, 301]
    assert plans.bound_by_quota().tolist() == [[True, True], [False, False]]
    above = plans.above_maximum_at(world.clock.now_s())
    assert above[0].tolist() == [START_S + 300] * 2
    assert np.isnan(above[1]).all()

    # What is allowed is looked at with the next week, and may no longer be known.
    world.quotas = {}
    world.clock.advance(LOOK_EVERY_S)
    plans = await world.settled()
    assert np.isnan(plans.quota).all()
    assert np.isnan(plans.above_maximum_at(world.clock.now_s())).all()


async def test_lanes_are_looked_at_anew_and_fitted_anew_when_it_is_time() -> None:
    world = World(fleet("web"), {"shop/web": level(80)})
    await world.settled()
    world.clock.advance(LOOK_EVERY_S - 15)
    await world.settled()
    assert [what for what, _ in world.noted] == ["refitted"]
    world.clock.advance(15)
    plans = await world.settled()
    assert [what for what, _ in world.noted] == ["refitted", "looked"]
    assert plans.made_at_s.tolist() == [START_S + LOOK_EVERY_S]
    assert plans.models.fitted_at_s.tolist() == [START_S]
    world.clock.advance(REFIT_EVERY_S - LOOK_EVERY_S)
    plans = await world.settled()
    assert [what for what, _ in world.noted] == ["refitted", "looked", "refitted"]
    assert plans.models.fitted_at_s.tolist() == [START_S + REFIT_EVERY_S]


async def test_what_is_too_old_is_not_told() -> None:
    world = World(fleet("web"), {"shop/web": level(80)})
    plans = await world.settled()
    assert plans.told_at(START_S + OLDEST_S).tolist() == [True]
    assert np.isfinite(plans.replicas_in(300.0, START_S + OLDEST_S)).all()
    late_s = START_S + OLDEST_S + 1
    assert plans.told_at(late_s).tolist() == [False]
    assert np.isnan(plans.replicas_in(300.0, late_s)).all()
    assert np.isnan(plans.above_maximum_at(late_s)).all()


async def test_nothing_is_begun_while_the_past_is_being_read() -> None:
    world = World(fleet("web"), {"shop/web": level(80)})
    world.tick(reading=True)
    assert (world.planning.busy, world.noted) == (False, [])
    world.tick()
    assert world.planning.busy


async def test_a_piece_that_fails_is_logged_and_its_lanes_are_tried_again_in_smaller_ones() -> None:
    names = [f"app-{number:02}" for number in range(40)]
    world = World(
        fleet(*names), {f"shop/{name}": level(80, days=1) for name in names}, Noting([MemoryError("too big")])
    )
    with capture_logs() as logs:
        plans = await world.settled()
    told = [
        (line["err"], line["lanes"], line["retry_in_s"]) for line in logs if line["event"] == "horizon not refitted"
    ]
    assert told == [("MemoryError('too big')", 40, 600.0)]
    assert not plans.told_at(START_S).any()
    world.clock.advance(RETRY_S[0] - 15)
    await world.settled()
    assert len(world.noted) == 1
    world.clock.advance(15)
    plans = await world.settled()
    assert plans.told_at(world.clock.now_s()).all()
    assert [len(uids) for _, uids in world.noted] == [40, LANES_AT_ONCE // 4, 8]


async def test_a_fleet_that_changes_under_way_keeps_what_it_still_has() -> None:
    after = fleet("new", "stays", high=7)
    world = World(fleet("goes", "stays"), {f"shop/{name}": level(80) for name in ("goes", "stays", "new")})
    assert isinstance(world.executor, Noting)
    world.executor.between = lambda: world.becomes(after)
    world.tick()

    async def idle() -> bool:
        return not world.planning.busy

    await eventually_async(idle, 60.0)
    plans = world.planning.plans
    assert plans is not None
    assert plans.uid == ("shop/new", "shop/stays")
    assert plans.told_at(START_S).tolist() == [False, True]
    world.clock.advance(15)
    plans = await world.settled()
    assert world.noted[1:] == [("refitted", ("shop/new",)), ("looked", ("shop/stays",))]
    assert plans.models.uid == demand_rows(after)
    assert plans.told_at(world.clock.now_s()).all()
    assert plans.maximum.tolist() == [[7, 7], [7, 7]]  # 10 replicas are needed
    assert plans.above_maximum_at(world.clock.now_s()).tolist() == [[world.clock.now_s() + 300] * 2] * 2


async def test_a_piece_holds_as_many_lanes_as_their_signals_leave_room_for() -> None:
    names = [f"app-{number:03}" for number in range(100)]
    signals, forecast = (demand("rps", 10), demand("tokens", 10)), {"history": "14d"}
    two = fleet_of([policy(name, *signals, forecast=forecast) for name in names])
    world = World(two, {f"shop/{name}": np.full(10, 80.0) for name in names})
    await world.settled()
    # 128 rows of two weeks at once: 64 lanes.
    assert [len(uids) for _, uids in world.noted] == [64, 36]


async def test_without_a_tick_nothing_is_begun_anew() -> None:
    world = World(fleet("web"), {"shop/web": level(80)})
    world.tick()
    world.clock.advance(1000)

    async def idle() -> bool:
        return not world.planning.busy

    await eventually_async(idle, 60.0)
    assert world.noted == []
    await world.settled()
    assert [what for what, _ in world.noted] == ["refitted"]


PASTS = {
    "nothing": np.full(DAY, np.nan),
    "ten-minutes": np.full(10, 80.0),
    "an-hour": np.full(HOUR, 80.0),
    "zeros": np.zeros(2 * DAY),
    "sparse": np.where(np.arange(2 * DAY) % 360 == 0, 80.0, 0.0),
    "gappy": np.where((np.arange(2 * DAY) // 97) % 3 == 0, np.nan, 80.0),
    "ended-yesterday": np.where(np.arange(2 * DAY) < DAY, 80.0, np.nan),
}


async def test_pasts_of_every_kind_are_told_of_or_left_out() -> None:
    world = World(fleet(*PASTS), {f"shop/{name}": past for name, past in PASTS.items()})
    plans = await world.settled()
    told = dict(zip(plans.uid, plans.told_at(START_S).tolist(), strict=True))
    assert [uid for uid, known in told.items() if not known] == ["shop/nothing", "shop/ten-minutes"]
    said = plans.replicas_in(3600.0, START_S)
    median = dict(zip(plans.uid, said[:, 0].tolist(), strict=True))
    np.testing.assert_allclose([median["shop/an-hour"], median["shop/gappy"]], 10.0, rtol=0.1)
    np.testing.assert_allclose([median["shop/zeros"], median["shop/sparse"]], 0.0, atol=0.5)
    assert (said[np.isfinite(said).all(axis=1)] >= 0).all()
    assert np.isnan(plans.above_maximum_at(START_S)[[plans.uid.index("shop/zeros")]]).all()


async def test_a_lane_with_little_past_is_fitted_again_soon() -> None:
    world = World(fleet("old", "young"), {"shop/old": level(80), "shop/young": np.full(10, 80.0)})
    await world.settled()
    world.past["shop/young"] = np.full(40, 80.0)
    world.clock.advance(1800)
    plans = await world.settled()
    assert world.noted[1:] == [("refitted", ("shop/young",)), ("looked", ("shop/old",))]
    assert plans.told_at(world.clock.now_s()).all()


async def test_a_signal_whose_capacity_nobody_knows_and_forecasts_that_are_off_cost_nothing() -> None:
    off = policy("off", demand("load", 10), forecast={"enabled": False})
    world = World(fleet_of([off]), {"shop/off": level(80)})
    plans = await world.settled()
    assert world.noted == []
    assert (plans.models.charge == Expert.NONE).all()


async def test_the_loop_reports_what_is_told_of_its_fleet() -> None:
    world = Rig(ListedPolicies([rig_policy()]))
    world.source.load = {"web": 35.0}

    async def told() -> bool:
        await world.ticks(10)
        plans = world.last().plans
        return plans is not None and bool(plans.told_at(world.clock.now_s())[0])

    await eventually_async(told, 60.0)
    plans = world.last().plans
    assert plans is not None
    # 35 fills 4.4 replicas that serve 8 each.
    np.testing.assert_allclose(plans.replicas_in(3600.0, world.clock.now_s())[0, 0], 4.375, rtol=0.2)
    world.loop.planning.stop()


@pytest.mark.integration
async def test_a_worker_that_dies_costs_one_piece() -> None:
    with worker() as executor:
        process = executor.submit(os.getpid).result(60.0)
        world = World(fleet("web"), {"shop/web": level(80, days=14)}, Killed(executor, process))
        with capture_logs() as logs:
            await world.settled()
        assert [line["err"].split("(")[0] for line in logs if line["event"] == "horizon not refitted"] == [
            "BrokenProcessPool"
        ]
        world.clock.advance(RETRY_S[0])
        plans = await world.settled()
    assert plans.told_at(world.clock.now_s()).tolist() == [True]


@dataclass
class Killed(Executor):
    """A worker whose process is killed once it has its first piece of work."""

    inner: Worker
    process: int

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future = self.inner.submit(fn, *args, **kwargs)
        if self.process:
            os.kill(self.process, signal.SIGKILL)
            self.process = 0
        return future
