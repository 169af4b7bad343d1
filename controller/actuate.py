"""From decisions to writes: which scales to change, in which order, and how each change ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from controller.errors import Conflict, Rejected, Unavailable
from controller.records import Outcome, ScaleOrder
from policies.model import RULES, Action, Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.ports import Actuator, Clock, Cluster
    from controller.records import ClusterView, TargetRef, TargetView
    from policies.model import Decision, Fleet, Observation

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
    target = view.targets.get(ref)
    if target is None or target.spec_replicas != replicas or target.problem is not None:
        return None
    return None if view.killed is not None or target.paused or target.owner is not None else target


@dataclass(frozen=True, slots=True)
class Hands:
    """Carries out orders through an actuator; a conflict is read again and retried while the count still stands."""

    actuator: Actuator
    cluster: Cluster
    clock: Clock

    async def carry_out(self, orders: Sequence[ScaleOrder]) -> tuple[Outcome, ...]:
        """How each order ended, in order. Never raises for what the outside does."""
        gate = asyncio.Semaphore(CONCURRENCY)

        async def one(order: ScaleOrder) -> Outcome:
            async with gate:
                return await self._carried_out(order)

        return tuple(await asyncio.gather(*(one(order) for order in orders)))

    async def _carried_out(self, order: ScaleOrder) -> Outcome:
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
