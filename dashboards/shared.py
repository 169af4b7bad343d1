"""Sheets that stand on more than one dashboard, each with an id of its own there."""

from __future__ import annotations

from dataclasses import replace

from dashboards import foreign
from dashboards.board import Drawn
from dashboards.panels import Means, Query, Sheet, lines, states
from dashboards.queries import changed_just_now, largest, per_workload, sum_of_workloads
from policies import signals

_PAUSES = 'reason=~"paused|paused_by_annotation|kill_switch"'


def placed(drawn: Drawn, panel_id: int, *, span: int = 0) -> Drawn:
    """The same on another dashboard."""
    sheet = drawn.sheet
    return replace(drawn, sheet=replace(sheet, id=panel_id, span=span or sheet.span))


def _paused() -> str:
    paused = per_workload(signals.DECISION_REASON, "reason", only=_PAUSES)
    return f"max ({paused}) or max ({per_workload(signals.DESIRED_REPLICAS)} * 0)"


HAPPENED = Drawn(
    Sheet(
        id=0,
        title="Was it us? What changed, and who did it",
        description="A band where, within the step, Foresail or somebody else (people, another autoscaler) changed the"
        " replicas asked for, an HPA changed its mind, a rollout was under way, a node came or was not ready, Foresail"
        " was paused, or quota or budget withheld replicas. A row without data has nobody who tells it: HPA, rollouts"
        " and nodes need kube-state-metrics.",
        unit="bool",
        queries=(
            Query(changed_just_now("foresail"), "Foresail changed replicas"),
            Query(changed_just_now("other"), "somebody else changed replicas"),
            Query(f"max ({foreign.HPA})", "an HPA changed its mind"),
            Query(f"max ({foreign.ROLLOUT})", "rollout under way"),
            Query(_paused(), "people paused Foresail"),
            Query(foreign.NODE_CAME, "a node came"),
            Query(foreign.NODE_NOT_READY, "a node is not ready"),
            Query(f"max ({per_workload(signals.GPU_QUOTA_WITHHELD)}) > bool 0", "quota withholds replicas"),
            Query(f"max ({per_workload(signals.BUDGET_WITHHELD)}) > bool 0", "budget withholds replicas"),
        ),
        span=24,
        height=9,
    ),
    states,
)
SHADOW_REPLICAS = Drawn(
    Sheet(
        id=0,
        title="Replicas in shadow: in charge, runner-up, incumbent",
        description="Mean replicas, churn included, that each would have had over about a week; sums over the chosen"
        " workloads. In a workload's first days these are partly what such candidates have on other loads.",
        unit="short",
        queries=(Query(sum_of_workloads(signals.CANDIDATE_REPLICAS, "candidate"), "{{candidate}}"),),
        span=8,
    ),
    lines,
)
SHADOW_LATE = Drawn(
    Sheet(
        id=0,
        title="Late load in shadow, and really",
        description="Share of the load that each would have served late over about a week, and that really came late"
        " over about two, beside the share that may; the largest of the chosen workloads, so choose one to compare.",
        unit="percentunit",
        queries=(
            Query(largest(signals.CANDIDATE_LATE, "candidate"), "{{candidate}}"),
            Query(largest(signals.REALISED_LATE, "cluster"), "really {{cluster}}", Means.ACTUAL),
            Query(largest(signals.LATE_BUDGET, "cluster"), "may be late {{cluster}}", Means.LIMIT),
        ),
        span=8,
    ),
    lines,
)
SAFE_MODE = Drawn(
    Sheet(
        id=0,
        title="Safe mode",
        description="A band while workloads are held as a whole, by reason: the kill switch, an API server out of"
        " sight, no fresh reading.",
        unit="bool",
        queries=(Query(largest(signals.SAFE_MODE, "cluster", "reason"), "{{cluster}} {{reason}}"),),
        height=6,
        runbooks=("ForesailSafeModeActive",),
    ),
    lambda sheet: states(sheet, {0: ("", "transparent"), 1: ("held", "red")}),
)
COST = Drawn(
    Sheet(
        id=0,
        title="Cost per hour",
        description="What the replicas asked for cost in an hour, by the policies' own prices and in their currency."
        " Workloads whose policy has no price are not counted.",
        unit="currencyUSD",
        queries=(Query(f"sum ({per_workload(signals.COST, 'capacity_type')})", "cost per hour"),),
        span=3,
        height=4,
        no_value="no prices",
    ),
    lines,
)
