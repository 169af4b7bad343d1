"""The dashboard "Foresail workload": one workload, what it sees, what is expected, what was decided and why."""

from __future__ import annotations

from functools import partial

from dashboards import links, shared
from dashboards.board import HORIZONS, Board, Details, Drawn, Variable, shown
from dashboards.decided import DECISIONS, STARTS, WHO_ELSE
from dashboards.panels import Bounds, Link, Means, Query, Sheet, lines, states
from dashboards.queries import chosen, largest, per_workload
from dashboards.serving import MODEL_SERVER
from policies import signals
from policies.forecast import exported as foretold
from policies.resources import exported as sized

_NEXT = 'quantile="0.9"'
_FORECAST_LINK = Link("How good forecasts are", links.dashboard(links.FORECAST))
_FIGURES = (
    shown(
        Sheet(
            id=1,
            title="Saturation",
            description="The largest of its signals: above 1, ready replicas bear more than they are to.",
            unit="percentunit",
            queries=(Query(largest(signals.SATURATION), "saturation", Means.ACTUAL),),
            span=3,
            runbooks=("ForesailMaxedOut",),
        ),
        Bounds(0.9, 1.0),
    ),
    shown(
        Sheet(
            id=2,
            title="Late now, of what may be",
            description="Share of requests late now over the share that may be. No late signal, no value.",
            unit="percentunit",
            queries=(Query(f"max ({per_workload(signals.LATE)} / {per_workload(signals.LATE_BUDGET)})", "late"),),
            span=3,
            runbooks=("ForesailObjectiveMissed",),
            no_value="no late signal",
        ),
        Bounds(0.5, 1.0),
    ),
    shown(
        Sheet(
            id=3,
            title="Late budget left",
            description="What is left of the share of load that may come late, over about two weeks.",
            unit="percentunit",
            queries=(
                Query(f"1 - max ({per_workload(signals.REALISED_LATE)} / {per_workload(signals.LATE_BUDGET)})", "left"),
            ),
            span=3,
            runbooks=("ForesailObjectiveMissed",),
        ),
        Bounds(0.5, 0.0, bad_below=True),
    ),
    shown(
        Sheet(
            id=4,
            title="Replicas",
            description="Ready, asked for, and the maximum in force.",
            unit="short",
            queries=(
                Query(largest(signals.READY_REPLICAS), "ready"),
                Query(largest(signals.DESIRED_REPLICAS), "asked for"),
                Query(largest(signals.MAX_REPLICAS), "max"),
            ),
            span=5,
        ),
    ),
    shown(
        Sheet(
            id=5,
            title="What comes next: replicas needed, with a tenth's chance of more",
            description="What demand is expected to need in 5 minutes, an hour, a day and a week.",
            unit="short",
            queries=(Query(f"max by (horizon) ({chosen(foretold.OUTLOOK, only=_NEXT)})", "in {{horizon}}"),),
            span=5,
            no_value="nothing told yet",
        ),
    ),
    shown(
        Sheet(
            id=6,
            title="Until maximum or quota",
            description="When demand will need more than maximum or quota, more likely than not. No value: not within a"
            " week, or nothing is known.",
            unit="s",
            queries=(
                Query(
                    "clamp_min(min (" + chosen(foretold.OUTLOOK_ABOVE_MAX, only='quantile="0.5"') + ") - time(), 0)",
                    "until",
                ),
            ),
            span=3,
            no_value="not within a week",
            runbooks=("ForesailMaximumAhead",),
        ),
        Bounds(86_400, 3_600, bad_below=True),
    ),
    shared.placed(shared.COST, 7, span=2),
)
_SATURATION = Drawn(
    Sheet(
        id=10,
        title="Saturation by signal",
        description="Demand over the capacity of ready replicas, pressure over its target: 1 is the limit.",
        unit="percentunit",
        queries=(
            Query(largest(signals.SATURATION, "signal"), "{{signal}}"),
            Query("vector(1)", "limit", Means.LIMIT),
        ),
    ),
    lines,
)
_WHY = Drawn(
    Sheet(
        id=11,
        title="Who is in charge and why",
        description="Mode and family of the candidate in charge (largest, last, middle: forecasts; incumbent;"
        " seasonal-naive; none yet), and below the rule that had the last word. `foresail explain` tells the steps.",
        unit="bool",
        queries=(
            Query(largest(signals.WORKLOAD_INFO, "mode", "in_charge"), "{{mode}}: {{in_charge}}"),
            Query(largest(signals.DECISION_REASON, "reason"), "{{reason}}"),
        ),
        span=24,
        height=8,
    ),
    states,
)
_LATE = Drawn(
    Sheet(
        id=13,
        title="Late load",
        description="Share of requests late now, and of load over about two weeks, beside what may be late.",
        unit="percentunit",
        queries=(
            Query(largest(signals.LATE), "late now", Means.BAD),
            Query(largest(signals.REALISED_LATE), "late over two weeks", Means.ACTUAL),
            Query(largest(signals.LATE_BUDGET), "may be late", Means.LIMIT),
        ),
        runbooks=("ForesailObjectiveMissed",),
    ),
    lines,
)
_STARTUP = Drawn(
    Sheet(
        id=14,
        title="Start-up time",
        description="From a pod's creation to ready: what decisions plan with, and what was learned by what drives it.",
        unit="s",
        queries=(
            Query(largest(signals.STARTUP), "planned with", Means.ASKED),
            Query(largest(signals.STARTUP_CASE, "case"), "{{case}}"),
        ),
    ),
    lines,
)
_CAPACITY = Drawn(
    Sheet(
        id=15,
        title="Capacity seen, of capacity declared",
        description="Load per ready replica at which the workload queued or was late, over what its policy declares."
        " No line: what is seen contradicts nothing.",
        unit="percentunit",
        queries=(
            Query(largest(signals.CAPACITY_SEEN), "seen", Means.ACTUAL),
            Query("vector(1)", "declared", Means.LIMIT),
        ),
        no_value="nothing contradicts it",
        runbooks=("ForesailCapacityContradicted",),
    ),
    lines,
)
_SIZES = tuple(
    Drawn(
        Sheet(
            id=panel_id,
            title=title,
            description="What each container should request: target, and the bounds between which a request is well.",
            unit=unit,
            queries=(Query(largest(metric, "container", "bound"), "{{container}} {{bound}}"),),
            no_value="not sized",
        ),
        lines,
    )
    for panel_id, title, unit, metric in (
        (16, "CPU to request", "short", sized.CORES),
        (17, "Memory to request", "bytes", sized.BYTES),
    )
)
_WITHHELD = Drawn(
    Sheet(
        id=18,
        title="Replicas withheld by budgets and quotas",
        description="Replicas asked for that budgets, or the GPU quotas of the namespace, do not leave.",
        unit="short",
        queries=(
            Query(largest(signals.BUDGET_WITHHELD), "budget"),
            Query(largest(signals.GPU_QUOTA_WITHHELD), "GPU quota"),
        ),
        no_value="nothing is capped",
        runbooks=("ForesailBudgetBinds",),
    ),
    partial(lines, stepped=True),
)
_CAPACITY_TYPES = Drawn(
    Sheet(
        id=19,
        title="On demand and on spot",
        description="Replicas asked for and ready by capacity type, of a workload with placement.",
        unit="short",
        queries=(
            Query(largest(signals.CAPACITY_DESIRED, "capacity_type"), "asked for {{capacity_type}}"),
            Query(largest(signals.CAPACITY_READY, "capacity_type"), "ready {{capacity_type}}"),
        ),
        no_value="no placement",
        links=(Link("Cost and placement", links.dashboard(links.COST)),),
    ),
    partial(lines, stepped=True),
)

BOARD = Board(
    uid=links.WORKLOAD,
    title="Foresail workload",
    description="One workload: is it bad, since when, was it us, what happens next; and why Foresail decided so.",
    first=(
        *_FIGURES,
        shared.placed(shared.BAND, 8, links=(_FORECAST_LINK,)),
        _WHY,
        WHO_ELSE,
        shared.placed(shared.HAPPENED, 12),
        shared.placed(shared.REPLICAS, 9, span=12, title="Replicas"),
        _SATURATION,
        DECISIONS,
    ),
    details=(
        Details(101, "Late load, start-up and capacity", (_LATE, _STARTUP, STARTS, _CAPACITY, _WITHHELD)),
        Details(
            102,
            "The tournament",
            (
                shared.placed(shared.SHADOW_REPLICAS, 20, span=12),
                shared.placed(shared.SHADOW_LATE, 21, span=12),
            ),
        ),
        Details(103, "Size and placement", (*_SIZES, _CAPACITY_TYPES)),
        Details(104, "Model server (vLLM, SGLang)", MODEL_SERVER),
    ),
    further=(Variable("horizon", "Forecast of", values=HORIZONS),),
    one=True,
)
