"""What the API says of a workload under budgets and GPU quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.explain_budget import cap_of
from policies.mix.budgets import Resource, Scope
from policies.model import UNKNOWN

if TYPE_CHECKING:
    from controller.records import TickReport
    from controller.web.shapes import BudgetBound, GpuQuotaBound

_RESOURCES = {Resource.USD_PER_HOUR: "usdPerHour", Resource.GPUS: "gpus"}


def budget(report: TickReport, lane: int) -> BudgetBound | None:
    """The cap that withholds replicas, what was wanted and what is kept; None where no cap does."""
    told, terms = report.decision.budget, report.fleet.budget
    scope = Scope(int(told.scope[lane])) if told.scope.size else Scope.NONE
    if scope is Scope.NONE:
        return None
    resource = Resource(int(told.resource[lane]))
    row = lane if scope is Scope.WORKLOAD else int(terms.namespace[lane])
    return {
        "of": scope.name.lower(),
        "resource": _RESOURCES[resource],
        "cap": cap_of(terms, scope, row, resource),
        "replica": float(told.need[lane, resource]),
        "wanted": int(told.wanted[lane]),
        "kept": int(told.kept[lane]),
    }


def gpu_quota(report: TickReport, lane: int) -> GpuQuotaBound | None:
    """The quota that gives fewer replicas more than are asked for, and what it leaves; None where none does."""
    shares, room = report.decision.gpu_shares, report.seen.gpu_room
    if room is None or not shares.cap.size or shares.cap[lane] == UNKNOWN:
        return None
    cap = int(shares.cap[lane])
    return {
        "resource": room.names[cap].partition("/")[2],
        "left": int(shares.left_milli[cap]) / 1000,
        "asked": int(shares.asked[lane]),
        "given": int(shares.given[lane]),
    }
