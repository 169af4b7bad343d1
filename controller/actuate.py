"""From decisions to writes: which scales to change, in which order, and how each change ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import structlog

from controller.errors import Conflict, Rejected, Unavailable
from controller.records import Outcome, ScaleOrder
from policies.model import RULES, UNKNOWN, Action, Hold, Mode
from policies.split import SPLIT_RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from controller.ports import Actuator, Clock, Cluster
    from controller.records import ClusterView, TargetRef, TargetView
    from policies.model import Decision, Fleet

log = structlog.get_logger("foresail.actuate")

CONCURRENCY = 16
TRIES = 3  # of a change that meets a conflict
REREAD_S = 1.0  # how long to wait for the watch to bring the newer version of the object
POLL_S = 0.05


def orders_of(fleet: Fleet, decision: Decision, objects: Objects, view: ClusterView) -> tuple[ScaleOrder, ...]:
    """The changes to carry out: objects of active lanes that should have another count than they ask for, rises first.

    `objects` are those of the lanes of `fleet`.
    """
    orders = []
    for change in (*_plain(fleet, decision, objects), *_split(fleet, decision, objects)):
        target = _free(view, change.ref, change.before)
        if target is not None:
            uid, version = fleet.uid[change.lane], target.resource_version
            orders.append(ScaleOrder(uid, change.ref, change.before, change.after, version, change.reason))
    return tuple(sorted(orders, key=lambda order: order.after < order.before))


class Objects(Protocol):
    """Which objects lanes have, `[lane]`."""

    @property
    def targets(self) -> Sequence[TargetRef]:
        """The object of each lane; with placement, its base."""

    @property
    def surges(self) -> Sequence[TargetRef | None]:
        """The second object of those that have one."""


class _Change(NamedTuple):
    """What one object should have instead of what was seen."""

    lane: int
    ref: TargetRef
    before: int
    after: int
    reason: str


def _plain(fleet: Fleet, decision: Decision, objects: Objects) -> Iterator[_Change]:
    """The changes of lanes with one object."""
    plan = decision.replicas
    moving = (plan.action == Action.RAISE) | (plan.action == Action.LOWER)
    for lane in np.flatnonzero(moving & (fleet.mode == Mode.ACTIVE) & ~fleet.spot.placed).tolist():
        before, after = int(decision.current[lane]), int(plan.target[lane])
        yield _Change(lane, objects.targets[lane], before, after, RULES[plan.reason[lane]])


def _split(fleet: Fleet, decision: Decision, objects: Objects) -> Iterator[_Change]:
    """The changes of lanes with a base and a surge."""
    parts, plan = decision.split, decision.replicas
    for row, lane in enumerate(parts.lane.tolist()):
        surge = objects.surges[lane]
        if fleet.mode[lane] != Mode.ACTIVE or decision.hold[lane] != Hold.NONE or surge is None:
            continue
        moved = plan.target[lane] == decision.current[lane] and parts.reason[row] != UNKNOWN
        reason = SPLIT_RULES[parts.reason[row]] if moved else RULES[plan.reason[lane]]
        pairs = (objects.targets[lane], parts.base, parts.on_demand), (surge, parts.surge, parts.spot)
        for ref, before, after in pairs:
            if before[row] != after[row]:
                yield _Change(lane, ref, int(before[row]), int(after[row]), reason)


def _free(view: ClusterView, ref: TargetRef, replicas: int) -> TargetView | None:
    """The target, if it still has the count that was decided on and nobody has said meanwhile to leave it alone."""
    return None if _objection(view, ref, replicas) else view.targets[ref]


def _objection(view: ClusterView, ref: TargetRef, replicas: int) -> str | None:
    """Why a target that was decided on with `replicas` must not be written now, None when nothing speaks against."""
    target = view.targets.get(ref)
    if view.killed is not None:
        return f"nothing may be written: {view.killed}"
    if target is None:
        return f"{ref.kind} {ref.namespace}/{ref.name} is not there"
    if target.paused:
        return "the target is annotated with foresail.dev/paused"
    if target.spec_replicas != replicas and not target.problem:
        return f"it asks for {target.spec_replicas} replicas by now, the change was decided on {replicas}"
    return target.problem or target.owner


@dataclass(slots=True)
class Hands:
    """Carries out orders through an actuator; a conflict is read again and retried while the count still stands.

    Of the two objects of one workload the one that rises goes first, and none falls where the other could not rise.

    What the cluster shows is asked once more before each write, for orders may have waited. `on_fault` hears of
    every order that broke in a way nobody expects. `stopped` says why a workload is paused by now, by its uid.
    """

    actuator: Actuator
    cluster: Cluster
    clock: Clock
    on_fault: Callable[[], None] = lambda: None
    stopped: Callable[[str], str | None] = lambda _uid: None

    async def carry_out(self, orders: Sequence[ScaleOrder]) -> tuple[Outcome, ...]:
        """How each order ended, in order; one that breaks is unavailable, for it may have been written.

        All have ended when this returns. Raises only CancelledError.
        """
        rises = [place for place, order in enumerate(orders) if order.after > order.before]
        ended = dict(zip(rises, await self._together([orders[place] for place in rises]), strict=True))
        stuck = {end.order.uid for end in ended.values() if end.result != "applied"}
        rest = [place for place in range(len(orders)) if place not in ended]
        for place in rest:
            if orders[place].uid in stuck:
                ended[place] = self._ended(orders[place], "conflict", "not written: its other object did not rise")
        falls = [place for place in rest if place not in ended]
        ended |= zip(falls, await self._together([orders[place] for place in falls]), strict=True)
        return tuple(ended[place] for place in range(len(orders)))

    async def _together(self, orders: Sequence[ScaleOrder]) -> tuple[Outcome, ...]:
        """How each of some orders ended, carried out side by side."""
        gate = asyncio.Semaphore(CONCURRENCY)

        async def one(order: ScaleOrder) -> Outcome:
            async with gate:
                return await self._carried_out(order)

        found = await asyncio.gather(*(one(order) for order in orders), return_exceptions=True)
        return tuple(self._accounted(order, end) for order, end in zip(orders, found, strict=True))

    def _accounted(self, order: ScaleOrder, end: Outcome | BaseException) -> Outcome:
        if isinstance(end, Outcome):
            return end
        if not isinstance(end, Exception):
            raise end
        error = f"{type(end).__name__}: {end}"
        log.error("fault", what="scale", workload=order.uid, err=error, exc_info=end)
        self.on_fault()
        return self._ended(order, "unavailable", error)

    async def _carried_out(self, order: ScaleOrder) -> Outcome:
        objection = self.stopped(order.uid) or _objection(self.cluster.view(), order.ref, order.before)
        if objection:
            return self._ended(order, "conflict", f"not written: {objection}")
        for _ in range(TRIES):
            try:
                await self.actuator.scale(order)
            except Conflict as error:
                newer = await self._reread(order)
                if newer is None:
                    return self._ended(order, "conflict", str(error))
                order = newer
            except Rejected as error:
                return self._ended(order, "rejected", str(error))
            except Unavailable as error:
                return self._ended(order, "unavailable", str(error))
            else:
                return self._ended(order, "applied")
        return self._ended(order, "conflict", f"{TRIES} tries met a conflict")

    async def _reread(self, order: ScaleOrder) -> ScaleOrder | None:
        """The order on the newer version of the object; None when it must no longer be carried out."""
        deadline_s = self.clock.elapsed_s() + REREAD_S
        while self.clock.elapsed_s() < deadline_s:
            target = _free(self.cluster.view(), order.ref, order.before)
            if target is None:
                return None
            if target.resource_version != order.resource_version:
                return replace(order, resource_version=target.resource_version)
            await self.clock.sleep(POLL_S)
        return None

    def _ended(self, order: ScaleOrder, result: str, message: str = "") -> Outcome:
        return Outcome(order, self.clock.now_s(), result, message)
