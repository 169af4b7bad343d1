"""Sheets that stand on more than one dashboard, each with an id of its own there."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dashboards import foreign
from dashboards.board import Drawn, shown
from dashboards.panels import Link, Means, Query, Sheet, band, lines, states
from dashboards.queries import (
    changed_just_now,
    fixed_by_people,
    how_many,
    largest,
    paused_by_people,
    per_workload,
    sum_of_workloads,
    told_before,
)
from policies import signals


def placed(drawn: Drawn, panel_id: int, *, span: int = 0, title: str = "", links: tuple[Link, ...] = ()) -> Drawn:
    """The same on a dashboard, with what differs there."""
    sheet = drawn.sheet
    return replace(
        drawn, sheet=replace(sheet, id=panel_id, span=span or sheet.span, title=title or sheet.title, links=links)
    )


HAPPENED = Drawn(
    Sheet(
        id=0,
        title="Was it us? What changed, and who did it",
        description="A band where, within the step, Foresail or somebody else (people, another autoscaler) changed the"
        " replicas asked for, an HPA changed its mind, a rollout was under way, people paused Foresail or fixed a"
        " count, a node came or was not ready, or quota or budget withheld replicas. A row without data has nobody who"
        " tells it: HPA, rollouts and nodes need kube-state-metrics.",
        unit="bool",
        queries=(
            Query(changed_just_now("foresail"), "Foresail changed replicas"),
            Query(changed_just_now("other"), "somebody else changed replicas"),
            Query(f"max ({foreign.HPA})", "an HPA changed its mind"),
            Query(f"max ({foreign.ROLLOUT})", "rollout under way"),
            Query(paused_by_people(), "people paused Foresail"),
            Query(fixed_by_people(), "people fixed the replicas"),
            Query(foreign.NODE_CAME, "a node came"),
            Query(foreign.NODE_NOT_READY, "a node is not ready"),
            Query(f"{largest(signals.GPU_QUOTA_WITHHELD)} > bool 0", "quota withholds replicas"),
            Query(f"{largest(signals.BUDGET_WITHHELD)} > bool 0", "budget withholds replicas"),
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
COST = shown(
    Sheet(
        id=0,
        title="Cost per hour",
        description="What the replicas asked for cost in an hour, by the policies' own prices and in their currency."
        " Workloads whose policy has no price are not counted.",
        unit="currencyUSD",
        queries=(Query(f"sum ({per_workload(signals.COST, 'capacity_type')})", "cost per hour"),),
        span=3,
        no_value="no prices",
    ),
)
BAND = Drawn(
    Sheet(
        id=0,
        title="Forecast of $horizon before, what came, and capacity",
        description="What was told the chosen horizon ahead, at the time it is about: the median, within the band in"
        " which the load is expected four times in five (p10 to p90); the load that came; and what ready replicas serve"
        " in time. Load above capacity is late. In replicas loaded to the serving limit, summed over the chosen"
        " workloads; of several, the sum of the bands is wider than the band of the sum. Set the end of the time range"
        " to now+1h to see what is told of the next hour.",
        unit="short",
        queries=(
            Query(f"sum ({told_before('$horizon', '0.1')})", "at least, nine times in ten", Means.AT_LEAST),
            Query(f"sum ({told_before('$horizon', '0.5')})", "expected", Means.EXPECTED),
            Query(f"sum ({told_before('$horizon', '0.9')})", "at most, nine times in ten", Means.AT_MOST),
            Query(sum_of_workloads(signals.LOAD), "load that came", Means.ACTUAL),
            Query(sum_of_workloads(signals.READY_REPLICAS), "capacity: ready replicas", Means.READY),
            Query(sum_of_workloads(signals.MAX_REPLICAS), "maximum", Means.LIMIT),
        ),
        span=24,
        height=10,
    ),
    band,
)
REPLICAS = Drawn(
    Sheet(
        id=0,
        title="Replicas and forecast",
        description="Asked for, ready, recommended, and the bounds in force, summed over the chosen workloads. A"
        " forecast stands at the time when it was made and is about one start-up later; load and forecast are in"
        " replicas loaded to the serving limit. Recommended has no value while Foresail knows no better than what is"
        " there.",
        unit="short",
        queries=(
            Query(sum_of_workloads(signals.DESIRED_REPLICAS), "asked for", Means.ASKED),
            Query(sum_of_workloads(signals.READY_REPLICAS), "ready", Means.READY),
            Query(sum_of_workloads(signals.RECOMMENDED_REPLICAS), "recommended"),
            Query(sum_of_workloads(signals.MIN_REPLICAS), "min", Means.LIMIT),
            Query(sum_of_workloads(signals.MAX_REPLICAS), "max", Means.LIMIT),
            Query(sum_of_workloads(signals.LOAD), "load", Means.ACTUAL),
            Query(sum_of_workloads(signals.FORECAST, "quantile"), "one start-up ahead, {{quantile}}"),
        ),
        span=24,
        height=9,
    ),
    partial(lines, stepped=True),
)
IN_CHARGE = Drawn(
    Sheet(
        id=0,
        title="Evidence of the tournament",
        description="How many of the chosen workloads each family of candidates is in charge of (largest, last, middle:"
        " forecasts; incumbent; seasonal-naive: yesterday's load), and how many have the evidence for it to decide"
        " alone; until then the larger of its order and Kubernetes' rule stands.",
        unit="short",
        queries=(
            Query(f"count by (in_charge) ({per_workload(signals.WORKLOAD_INFO, 'in_charge')})", "{{in_charge}}"),
            Query(how_many(signals.EVIDENCE, ">= 1"), "with evidence"),
        ),
    ),
    partial(lines, stepped=True),
)
IDLE_GPUS = Drawn(
    Sheet(
        id=0,
        title="GPUs allocated and idle",
        description="GPUs and MIG instances that the chosen workloads' pods have asked for, and those of them that were"
        " idle all through the last hour.",
        unit="short",
        queries=(
            Query(sum_of_workloads(signals.GPU_ALLOCATED), "allocated", Means.ASKED),
            Query(sum_of_workloads(signals.GPU_IDLE), "idle", Means.BAD),
        ),
        no_value="none allocated",
        runbooks=("ForesailGpuIdle",),
    ),
    partial(lines, stepped=True),
)
