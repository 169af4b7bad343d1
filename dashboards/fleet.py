"""The dashboard "Foresail fleet": is it bad, since when, was it us, what happens next, over all workloads."""

from __future__ import annotations

from functools import partial

from dashboards import foreign, links, shared
from dashboards.board import Board, Details, Drawn, shown
from dashboards.panels import Bounds, Columns, Link, Means, Query, Sheet, lines, rows
from dashboards.queries import (
    age,
    at_maximum,
    changes_age,
    largest,
    only_reasons,
    or_zero,
    per_workload,
    sum_of_workloads,
)
from policies import signals
from policies.forecast import exported as foretold

UID = links.FLEET
TITLE = "Foresail fleet"

_LIKELY = 'quantile="0.5"'
_DAY_S = 86_400
_FIGURES = (
    shown(
        Sheet(
            id=18,
            title="Alerts firing",
            description="Foresail's and GPU alerts that fire now, beside the watchdog.",
            unit="short",
            queries=(Query(foreign.ALERTS_FIRING, "firing"),),
            span=3,
            links=(Link("Foresail itself", links.dashboard(links.SELF)),),
            no_value="rules not loaded",
        ),
        Bounds(1, 3),
    ),
    shown(
        Sheet(
            id=19,
            title="Saturated",
            description="Workloads with a signal above what their ready replicas are to bear.",
            unit="short",
            queries=(
                Query(
                    f"sum (max by (cluster, namespace, workload) ({per_workload(signals.SATURATION, 'signal')})"
                    " > bool 1)",
                    "saturated",
                ),
            ),
            span=3,
            links=(Link("Workload", links.dashboard(links.WORKLOAD)),),
        ),
        Bounds(1, 3),
    ),
    shown(
        Sheet(
            id=20,
            title="At their maximum",
            description="Workloads that ask for all that their policy allows: no more load can be met.",
            unit="short",
            queries=(Query(at_maximum(), "at maximum"),),
            span=3,
            runbooks=("ForesailMaxedOut",),
        ),
        Bounds(1, 3),
    ),
    shown(
        Sheet(
            id=21,
            title="Over their late budget",
            description="Workloads of which more load came late over about two weeks than may.",
            unit="short",
            queries=(
                Query(
                    f"sum ({per_workload(signals.REALISED_LATE)} > bool {per_workload(signals.LATE_BUDGET)})",
                    "over budget",
                ),
            ),
            span=3,
            runbooks=("ForesailObjectiveMissed",),
        ),
        Bounds(1, 3),
    ),
    shown(
        Sheet(
            id=22,
            title="Held",
            description="Workloads that Foresail may not change now: paused, killed, owned by another, not reachable.",
            unit="short",
            queries=(
                Query(or_zero(f"count ({per_workload(signals.DECISION_REASON, only=only_reasons())} == 1)"), "held"),
            ),
            span=3,
            runbooks=("ForesailSafeModeActive",),
        ),
        Bounds(1, 3),
    ),
    shown(
        Sheet(
            id=23,
            title="Age of the data",
            description="Age of the newest sample of the source that lags most. Old samples never lower a workload.",
            unit="s",
            queries=(Query(f"max ({age(signals.SOURCE_LAST_SAMPLE, 'cluster', 'source')})", "age"),),
            span=3,
            runbooks=("ForesailSourceStale",),
        ),
        Bounds(90, 180),
    ),
    shown(
        Sheet(
            id=24,
            title="Next day: will be short",
            description="Workloads whose demand will need more than maximum or quota within a day, at the median.",
            unit="short",
            queries=(
                Query(
                    or_zero(f"count ({per_workload(foretold.OUTLOOK_ABOVE_MAX, only=_LIKELY)} - time() < {_DAY_S})"),
                    "within a day",
                ),
            ),
            span=3,
            runbooks=("ForesailMaximumAhead",),
        ),
        Bounds(1, 3),
    ),
    shared.placed(shared.COST, 25),
)
_WORKLOADS = Drawn(
    Sheet(
        id=1,
        title="Workloads",
        description="One row for each workload, the most saturated first; its name leads to its own dashboard. Load is"
        " in replicas loaded to the serving limit, saturation is the largest of its signals; the reason is the rule"
        " that had the last word, in charge is the family of the candidate that the tournament chose. Late budget left"
        " is of about two weeks. Changed is how long ago the replicas asked for changed.",
        unit="short",
        queries=(
            Query(per_workload(signals.DESIRED_REPLICAS), "Desired"),
            Query(per_workload(signals.READY_REPLICAS), "Ready"),
            Query(per_workload(signals.MIN_REPLICAS), "Min"),
            Query(per_workload(signals.MAX_REPLICAS), "Max"),
            Query(per_workload(signals.LOAD), "Load"),
            Query(per_workload(signals.SATURATION), "Saturation"),
            Query(f"{per_workload(signals.DECISION_REASON, 'reason')} == 1", ""),
            Query(per_workload(signals.WORKLOAD_INFO, "mode", "in_charge"), ""),
            Query(
                f"1 - {per_workload(signals.REALISED_LATE)} / {per_workload(signals.LATE_BUDGET)}", "Late budget left"
            ),
            Query(f"sum by (cluster, namespace, workload) ({per_workload(signals.COST, 'capacity_type')})", "Per hour"),
            Query(changes_age(), "Changed"),
        ),
        span=24,
        height=10,
        links=(Link("Foresail itself", links.dashboard(links.SELF)),),
    ),
    partial(
        rows,
        columns=Columns(
            labels={
                "cluster": "Cluster",
                "namespace": "Namespace",
                "workload": "Workload",
                "mode": "Mode",
                "reason": "Last reason",
                "in_charge": "In charge",
            },
            units={
                "Saturation": "percentunit",
                "Late budget left": "percentunit",
                "Per hour": "currencyUSD",
                "Changed": "s",
            },
            worst_first="Saturation",
            url=links.workload_of_row(),
        ),
    ),
)
_REASONS = Drawn(
    Sheet(
        id=4,
        title="Workloads by last reason, and holds",
        description="How many of the chosen workloads each reason decides now, those held included. Quarantined ones"
        " are held because their own decision failed, and are counted over the whole fleet.",
        unit="short",
        queries=(
            Query(f"count by (reason) ({per_workload(signals.DECISION_REASON, 'reason')} == 1)", "{{reason}}"),
            Query(largest(signals.QUARANTINED, "cluster"), "quarantined {{cluster}}", Means.BAD),
        ),
        height=6,
    ),
    partial(lines, stepped=True),
)
_OUTLOOK = Drawn(
    Sheet(
        id=13,
        title="Next week",
        description="Replicas that demand is expected to need a horizon ahead, at the median and with a tenth's chance"
        " of more; sums over the chosen workloads. Decisions do not use it. The maximum is the one in force now.",
        unit="short",
        queries=(
            Query(sum_of_workloads(foretold.OUTLOOK, "horizon", "quantile"), "{{horizon}} ahead, {{quantile}}"),
            Query(sum_of_workloads(signals.MAX_REPLICAS), "max", Means.LIMIT),
        ),
    ),
    lines,
)
_TO_MAXIMUM = Drawn(
    Sheet(
        id=14,
        title="Time until more than maximum or quota is needed",
        description="By workload, and which of the two is lower: at 0.5 more likely than not, at 0.9 with a tenth's"
        " chance. No line: not within a week, or nothing recent enough is known.",
        unit="s",
        queries=(
            Query(
                f"clamp_min({per_workload(foretold.OUTLOOK_ABOVE_MAX, 'quantile', 'bound')} - time(), 0)",
                "{{namespace}}/{{workload}} {{quantile}} {{bound}}",
            ),
        ),
        runbooks=("ForesailMaximumAhead",),
    ),
    lines,
)

BOARD = Board(
    uid=UID,
    title=TITLE,
    description="Is it bad, since when, was it us, and what happens next: all workloads, the worst first.",
    first=(
        *_FIGURES,
        _WORKLOADS,
        shared.placed(shared.HAPPENED, 26),
        shared.placed(shared.REPLICAS, 2),
        shared.placed(shared.SAFE_MODE, 3),
        _REASONS,
    ),
    details=(
        Details(
            101,
            "Who decides",
            (
                shared.placed(shared.SHADOW_REPLICAS, 10),
                shared.placed(shared.SHADOW_LATE, 11),
                shared.placed(shared.IN_CHARGE, 12, span=8),
            ),
        ),
        Details(102, "What comes next", (_OUTLOOK, _TO_MAXIMUM)),
    ),
)
