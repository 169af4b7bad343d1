"""Alerts about what workloads cost and save, and what budgets, quotas and spot leave them. None of them pages."""

from __future__ import annotations

from functools import partial

from alerts.rule import WORKLOAD, Alert, Group, Recording, Severity, every, grown, largest, of_workload
from policies import signals

# A storm takes several nodes; one or two at a time are the usual life of spot.
STORM_REPLICAS = 3
# List prices change a few times a year; `foresail cost` warns of prices after as long.
STALE_PRICE_S = 90 * 86_400
# Of what the tournament promised. Below, half of it is not there.
KEPT = 0.5
# A promise of less than a twentieth of the cost is within what a week's load differs from the next one's.
WORTH = 0.05
# Three days of active work, with a sample each quarter of an hour.
_SAMPLES = 3 * 24 * 4

_W = ("cluster", *WORKLOAD)
_WHO = "{{ $labels.namespace }}/{{ $labels.workload }}"

_MEAN_COST = f"avg_over_time({signals.COST.value()}[15m])"

_about = partial(Alert, severity=Severity.WARNING, dashboard="foresail-cost")
_of_workload = partial(_about, labels=_W)

ACTIVE_COST = Recording(
    record="workload:foresail_cost_usd_per_hour:active_avg15m",
    expr=f"sum by ({', '.join(_W)}) (max by ({', '.join(_W)}, capacity_type) ({_MEAN_COST}))"
    f" and {of_workload(signals.WORKLOAD_INFO, mode='active')}",
)


def _savings_kept() -> str:
    """What of the savings promised against the incumbent is there: its cost in shadow, less what was really paid."""
    incumbent = f"{of_workload(signals.CANDIDATE_REPLICAS, candidate='incumbent')} * {of_workload(signals.PRICE)}"
    paid = f"avg_over_time({ACTIVE_COST.record}[7d])"
    promised = of_workload(signals.SAVINGS, against="incumbent")
    kept = f"({incumbent} - {paid}) / {promised}"
    return every(
        f"{kept} < {KEPT}",
        f"{promised} > {WORTH} * {incumbent}",
        f"{of_workload(signals.EVIDENCE)} >= 1",
        f"count_over_time({ACTIVE_COST.record}[7d]) >= {_SAMPLES}",
    )


ALERTS: tuple[Alert, ...] = (
    _of_workload(
        name="ForesailBudgetBinds",
        expr=f"{of_workload(signals.BUDGET_WITHHELD)} > 0",
        summary="A budget has left a workload less than it asks for, for 15 minutes.",
        description=f"{_WHO} asks for {{{{ $value }}}} replicas more than a budget"
        " of money or GPUs leaves it. First read with `foresail explain` whose budget that is and who keeps the rest.",
        wait="15m",
    ),
    _of_workload(
        name="ForesailGPUQuotaBinds",
        expr=f"{of_workload(signals.GPU_QUOTA_WITHHELD)} > 0",
        summary="A GPU quota has left a workload less than it asks for, for 15 minutes.",
        description=f"{_WHO} asks for {{{{ $value }}}} replicas more than the GPU quotas of its namespace leave it."
        " First read with `foresail explain` which quota that is, then see who else in the namespace has GPUs.",
        wait="15m",
    ),
    _about(
        name="ForesailCostAboveBudget",
        expr=f"{largest(signals.BUDGET_USED, 'namespace', 'resource')} > 1",
        summary="Replicas that may not go cost more than their budget, or have more GPUs, for 30 minutes.",
        description="{{ if $labels.namespace }}Namespace {{ $labels.namespace }}{{ else }}The fleet{{ end }} takes"
        " {{ $value | humanizePercentage }} of its budget of {{ $labels.resource }}. First see which of its workloads"
        " are held, in shadow, or at a minimum: those give nothing back.",
        wait="30m",
        labels=("cluster", "namespace", "resource"),
    ),
    _about(
        name="ForesailSpotInterruptionStorm",
        expr=grown(signals.SPOT_INTERRUPTIONS.name, "15m", ("cluster", "zone"), f">= {STORM_REPLICAS}"),
        summary="Many spot replicas of a zone were taken back within 15 minutes.",
        description='About {{ $value | printf "%.0f" }} spot replicas in zone {{ $labels.zone }} were taken back in 15'
        " minutes. First see whether their workloads' ready replicas still cover their load.",
        wait="2m",
        labels=("cluster", "zone"),
    ),
    _of_workload(
        name="ForesailSpotMissing",
        expr=f"{of_workload(signals.SPOT_MISSING)} > 0",
        summary="Spot replicas that were taken back have not been replaced for 30 minutes.",
        description=f"{_WHO} still misses {{{{ $value }}}} replicas that were taken back. First see whether its pods"
        " wait for a node, then whether there is on-demand capacity and quota for them.",
        wait="30m",
    ),
    _of_workload(
        name="ForesailSpotShort",
        expr=f"{of_workload(signals.SPOT_SHORT)} > {of_workload(signals.SPOT_SHORT_BUDGET)}",
        summary="A workload misses more replicas for spot taken back than its policy allows, for 30 minutes.",
        description=f"{_WHO} was short of {{{{ $value | humanizePercentage }}}} of the replicas due of late, more than"
        " its policy's spot.short. First compare its zones on the dashboard, then raise its base on demand.",
        wait="30m",
    ),
    _of_workload(
        name="ForesailPriceStale",
        expr=f"{of_workload(signals.PRICE_TIME)} < time() - {STALE_PRICE_S}",
        severity=Severity.INFO,
        summary=f"A policy's prices are older than {STALE_PRICE_S // 86_400} days.",
        description=f"{_WHO} is priced as of {{{{ $value | humanizeTimestamp }}}}: what is told of cost, savings and"
        " budgets may be wrong. First compare it with `foresail cost`, then correct objective.prices and its asOf.",
        wait="60m",
    ),
)

SAVINGS_ALERT = _of_workload(
    name="ForesailSavingsBelowPromise",
    expr=_savings_kept(),
    summary="A workload saves less than half of what the tournament promised against its former autoscaler.",
    description=f"{_WHO} keeps {{{{ $value | humanizePercentage }}}} of the savings that its candidate in charge"
    " shows in shadow against the incumbent; below 0 it costs more than that would. First read with `foresail"
    " explain` which rule raises it above the candidate's order.",
    wait="60m",
)

GROUPS = (
    Group("foresail-costs", ALERTS),
    # A week of every workload's cost is read at once: four times an hour, and the recording has one sample each time.
    Group("foresail-savings", (ACTIVE_COST, SAVINGS_ALERT), interval="15m"),
)
