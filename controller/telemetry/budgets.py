"""How much of each budget is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies import signals
from policies.mix.budgets import Resource
from policies.model import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.records import TickReport
    from policies.metric import Gauge


ROWS = {each.name.lower(): each for each in Resource}  # by the label `resource`


def used(report: TickReport) -> Iterator[tuple[Gauge, tuple[str, ...], float]]:
    """The metric for each cap of a namespace and of the fleet: its labels, and the share that is used."""
    terms, told = report.fleet.budget, report.decision.budget
    if not told.wanted.size:
        return
    shadow, decision = report.fleet.mode == Mode.SHADOW, report.decision
    replicas = np.maximum(np.where(shadow, decision.current, decision.replicas.target), 0)
    use = np.maximum(told.need, 0.0) * replicas[:, np.newaxis]
    for resource in Resource:
        of_names = np.bincount(terms.namespace, use[:, resource], len(terms.names) + 1)
        caps = [
            *zip(terms.names, of_names, terms.namespaces[:, resource], strict=False),
            ("", use[:, resource].sum(), terms.fleet[resource]),
        ]
        for name, amount, cap in caps:
            if np.isfinite(cap):
                yield signals.BUDGET_USED, (name, resource.name.lower()), float(amount / cap)
