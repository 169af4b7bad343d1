"""Alerts about what workloads cost, and what budgets and spot capacity leave them."""

from __future__ import annotations

from alerts.rule import WORKLOAD, Alert, Group, Severity, of_workload
from policies import signals

ALERTS: tuple[Alert, ...] = (
    Alert(
        name="ForesailBudgetBinds",
        expr=f"{of_workload(signals.BUDGET_WITHHELD)} > 0",
        severity=Severity.WARNING,
        summary="A budget has left a workload less than it asks for, for 15 minutes.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} asks for {{ $value }} replicas more than a budget"
        " of money or GPUs leaves it. First read with `foresail explain` whose budget that is and who keeps the rest.",
        wait="15m",
        labels=("cluster", *WORKLOAD),
    ),
)

GROUPS = (Group("foresail-costs", ALERTS),)
