"""What is told of a tick as events: the tick itself, and each workload whose decision is another than before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from controller.web.times import time_text
from policies.arrays import indices
from policies.codes import word_of
from policies.model import RULES, Action, Hold

if TYPE_CHECKING:
    from controller.records import TickReport
    from controller.web.events import Hub
    from controller.web.schemas import ChangeEvent, TickEvent
    from policies.arrays import IntArray


def publish_tick(hub: Hub, report: TickReport, before: TickReport | None) -> None:
    """Tell the changes of a tick, then the tick: who has read it has all of them."""
    changed = changed_lanes(report, before)
    for lane in changed.tolist():
        hub.publish("change", change(report, lane))
    hub.publish("tick", tick(report, changed.size))


def changed_lanes(report: TickReport, before: TickReport | None) -> IntArray:
    """The lanes whose target, action, reason or hold is not as before; all, where the fleet is another."""
    now = report.decision
    if before is None or before.fleet.uid != report.fleet.uid:
        return indices(np.ones(report.fleet.lanes, np.bool_))
    last = before.decision
    plan, old = now.replicas, last.replicas
    other = (plan.target != old.target) | (plan.action != old.action) | (plan.reason != old.reason)
    return indices(other | (now.hold != last.hold))


def change(report: TickReport, lane: int) -> ChangeEvent:
    """One workload's new decision."""
    decision = report.decision
    namespace, _, name = report.fleet.uid[lane].partition("/")
    hold = int(decision.hold[lane])
    return {
        "at": time_text(decision.at_s),
        "namespace": namespace,
        "name": name,
        "action": word_of(Action, int(decision.replicas.action[lane])),
        "reason": RULES[int(decision.replicas.reason[lane])],
        "hold": None if hold == Hold.NONE else word_of(Hold, hold),
        "before": int(decision.current[lane]),
        "after": int(decision.replicas.target[lane]),
    }


def tick(report: TickReport, changed: int) -> TickEvent:
    """What a tick did to all."""
    actions = np.bincount(report.decision.replicas.action, minlength=len(Action))
    return {
        "at": time_text(report.at_s),
        "workloads": report.fleet.lanes,
        "changed": changed,
        "actions": {word_of(Action, each): int(actions[each]) for each in Action},
        "problems": len(report.problems),
        "seconds": round(report.phases_s.get("tick", 0.0), 4),
    }
