"""From decisions to writes: which scales to change, in which order, and how each change ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import structlog

from controller.errors import Conflict, Rejected, Unavailable
from controller.records import Outcome, ScaleOrder
from policies.model import RULES, Action, Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from controller.ports import Actuator, Clock, Cluster
    from controller.records import ClusterView, TargetRef, TargetView
    from policies.model import Decision, Fleet, Observation

log = structlog.get_logger("foresail.actuate")

CONCURRENCY = 16
TRIES = 3  # of a change that meets a conflict
REREAD_S = 1.0  # how long to wait for the watch to bring the newer version of the object
POLL_S = 0.05


def orders_of(
    fleet: Fleet, seen: Observation, decision: Decision, targets: Sequence[TargetRef], view: ClusterView
) -> tuple[ScaleOrder, ...]:
    """The changes to carry out: active lanes whose target differs from what the cluster shows, rises first."""
    plan = decision.replicas
    moving = (plan.action == Action.RAISE) | (plan.action == Action.LOWER)
    lanes = np.flatnonzero(moving & (fleet.mode == Mode.ACTIVE))
    rises_first = lanes[np.argsort(plan.action[lanes] == Action.LOWER, kind="stable")]
    orders = []
    for lane in rises_first:
        target = _free(view, targets[lane], int(seen.spec_replicas[lane]))
        if target is not None:
            orders.append(
                ScaleOrder(
                    uid=fleet.uid[lane],
                    ref=targets[lane],
                    before=target.spec_replicas,
                    after=int(plan.target[lane]),
                    resource_version=target.resource_version,
                    reason=RULES[plan.reason[lane]],
                )
            )
    return tuple(orders)


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

    What the cluster shows is asked once more before each write, for orders may have waited. `on_fault` hears of
    every order that broke in a way nobody expects.
    """

    actuator: Actuator
    cluster: Cluster
    clock: Clock
    on_fault: Callable[[], None] = lambda: None

    async def carry_out(self, orders: Sequence[ScaleOrder]) -> tuple[Outcome, ...]:
        """How each order ended, in order; one that breaks is unavailable, for it may have been written.

        All have ended when this returns. Raises only CancelledError.
        """
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
        if objection := _objection(self.cluster.view(), order.ref, order.before):
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
