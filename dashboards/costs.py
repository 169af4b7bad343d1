"""The dashboard "Cost and placement": what replicas cost, what is saved, and where they stand."""

from __future__ import annotations

from functools import partial

from dashboards import links, shared
from dashboards.board import Board, Details, Drawn, shown
from dashboards.panels import Bounds, Columns, Link, Means, Query, Sheet, lines, rows
from dashboards.queries import increase, largest, or_zero, per_workload, sum_of_workloads
from policies import signals

_HOURS_A_MONTH = 730
_COST = f"sum ({per_workload(signals.COST, 'capacity_type')})"
_UNPRICED = (
    f"{per_workload(signals.DESIRED_REPLICAS)} unless on (cluster, namespace, workload)"
    f" {per_workload(signals.PRICE, 'capacity_type')}"
)
_SPOT = 'capacity_type="spot"'
_PRICES = "By the policies' own prices (objective.prices, placement.spot.price) and in their currency."


def _saved(against: str) -> str:
    only = f'against="{against}"'
    return f"sum ({per_workload(signals.SAVINGS, only=only)})"


_FIGURES = (
    shared.placed(shared.COST, 1, span=4),
    shown(
        Sheet(
            id=2,
            title="A month of this",
            description=f"What an hour costs now, for {_HOURS_A_MONTH} hours. {_PRICES}",
            unit="currencyUSD",
            queries=(Query(f"{_COST} * {_HOURS_A_MONTH}", "a month"),),
            span=4,
            no_value="no prices",
        ),
    ),
    shown(
        Sheet(
            id=3,
            title="Saved per hour against the incumbent",
            description="What the replicas of the autoscaler in place would cost more than those in charge, both in"
            f" shadow over about a week; below 0 Foresail costs more. {_PRICES}",
            unit="currencyUSD",
            queries=(Query(_saved("incumbent"), "saved"),),
            span=4,
            links=(Link("Forecast quality", links.dashboard(links.FORECAST)),),
            no_value="no evidence yet",
        ),
        Bounds(0.0, -1.0, bad_below=True),
    ),
    shown(
        Sheet(
            id=4,
            title="Saved per hour by spot",
            description=f"What the replicas on spot now would cost more on demand. {_PRICES}",
            unit="currencyUSD",
            queries=(Query(_saved("on_demand"), "saved"),),
            span=4,
            no_value="no placement",
        ),
    ),
    shown(
        Sheet(
            id=5,
            title="On spot",
            description="Share of the ready replicas of workloads with placement that stand on spot.",
            unit="percentunit",
            queries=(
                Query(
                    f"sum ({per_workload(signals.CAPACITY_READY, only=_SPOT)})"
                    f" / sum ({per_workload(signals.CAPACITY_READY, 'capacity_type')})",
                    "on spot",
                ),
            ),
            span=4,
            no_value="no placement",
        ),
    ),
    shown(
        Sheet(
            id=6,
            title="Without a price",
            description="Workloads whose policy has no price: they are in no figure of cost here.",
            unit="short",
            queries=(Query(or_zero(f"count ({_UNPRICED})"), "without"),),
            span=4,
            links=(Link("Workload", links.dashboard(links.WORKLOAD)),),
        ),
        Bounds(1, 10),
    ),
)
_WORKLOADS = Drawn(
    Sheet(
        id=7,
        title="Workloads by cost",
        description="What each workload costs in an hour by capacity type, what one replica costs, and what is saved,"
        f" the dearest first. {_PRICES} A price has no age: it is what the policy in force says.",
        unit="currencyUSD",
        queries=(
            Query(per_workload(signals.COST, "capacity_type"), "Per hour"),
            Query(per_workload(signals.PRICE, "capacity_type"), "Replica"),
        ),
        height=9,
    ),
    partial(
        rows,
        columns=Columns(
            labels={
                "cluster": "Cluster",
                "namespace": "Namespace",
                "workload": "Workload",
                "capacity_type": "Capacity",
            },
            units={},
            worst_first="Per hour",
            url=links.workload_of_row(),
        ),
    ),
)
_OVER_TIME = Drawn(
    Sheet(
        id=8,
        title="Cost per hour by capacity type, and what is saved",
        description=f"Sums over the chosen workloads. {_PRICES}",
        unit="currencyUSD",
        queries=(
            Query(sum_of_workloads(signals.COST, "capacity_type"), "{{capacity_type}}"),
            Query(sum_of_workloads(signals.SAVINGS, "against"), "saved against {{against}}"),
        ),
        height=9,
    ),
    partial(lines, below_zero=True),
)
_BUDGETS = Drawn(
    Sheet(
        id=9,
        title="Budgets: used, and replicas withheld",
        description="Share of each budget of money or GPUs that is taken, of a namespace or the fleet (no name): above"
        " 1, minima and what may not go take more than there is. Withheld: what workloads ask for beyond it.",
        unit="short",
        queries=(
            Query(largest(signals.BUDGET_USED, "cluster", "namespace", "resource"), "{{namespace}} {{resource}}"),
            Query(sum_of_workloads(signals.BUDGET_WITHHELD), "withheld", Means.BAD),
            Query("vector(1)", "all of it", Means.LIMIT),
        ),
        no_value="no budget",
        runbooks=("ForesailBudgetBinds",),
    ),
    lines,
)
_MIX = Drawn(
    Sheet(
        id=10,
        title="On demand and on spot: recommended, asked for, ready",
        description="Replicas of workloads with placement, by the object that they belong to.",
        unit="short",
        queries=(
            Query(sum_of_workloads(signals.CAPACITY_RECOMMENDED, "capacity_type"), "{{capacity_type}} recommended"),
            Query(sum_of_workloads(signals.CAPACITY_DESIRED, "capacity_type"), "{{capacity_type}} asked for"),
            Query(sum_of_workloads(signals.CAPACITY_READY, "capacity_type"), "{{capacity_type}} ready"),
        ),
        no_value="no placement",
    ),
    partial(lines, stepped=True),
)
_INTERRUPTIONS = Drawn(
    Sheet(
        id=11,
        title="Spot taken back in the last hour",
        description="Replicas on spot that were seen to be taken back, by zone, over all workloads.",
        unit="short",
        queries=(Query(increase(signals.SPOT_INTERRUPTIONS, "1h", "zone"), "{{zone}}"),),
        span=8,
        no_value="none taken back",
    ),
    lines,
)
_MISSING = Drawn(
    Sheet(
        id=12,
        title="Spot announced to go, and not replaced yet",
        description="Replicas on nodes that are announced to go, and those taken back and not replaced.",
        unit="short",
        queries=(
            Query(sum_of_workloads(signals.SPOT_NOTICED), "announced"),
            Query(sum_of_workloads(signals.SPOT_MISSING), "missing", Means.BAD),
        ),
        span=8,
        no_value="no placement",
    ),
    partial(lines, stepped=True),
)
_SHORT = Drawn(
    Sheet(
        id=13,
        title="Short because spot went",
        description="Share of the replicas due that was missing of late because spot was taken back; the policy's"
        " spot.short may be.",
        unit="percentunit",
        queries=(Query(per_workload(signals.SPOT_SHORT), "{{namespace}}/{{workload}}"),),
        span=8,
        no_value="no placement",
    ),
    lines,
)
_NODES = Drawn(
    Sheet(
        id=15,
        title="What nodes cost, as OpenCost tells",
        description="All nodes of the cluster, spot and other, for comparison: it counts what no policy scales, too.",
        unit="currencyUSD",
        queries=(
            Query('sum (node_total_hourly_cost{cluster=~"$cluster"})', "all nodes", Means.ACTUAL),
            Query(
                'sum (node_total_hourly_cost{cluster=~"$cluster"} * on (cluster, node)'
                ' group_left () max by (cluster, node) (kubecost_node_is_spot{cluster=~"$cluster"}))',
                "spot nodes",
            ),
        ),
    ),
    lines,
)
_OFFERS = Drawn(
    Sheet(
        id=16,
        title="What capacity is offered for, as Karpenter tells",
        description="The least estimate of an instance type's price per hour over zones, by capacity type: the ten"
        " cheapest.",
        unit="currencyUSD",
        queries=(
            Query(
                "bottomk(10, min by (instance_type, capacity_type)"
                ' (karpenter_cloudprovider_instance_type_offering_price_estimate{cluster=~"$cluster"} > 0))',
                "{{instance_type}} {{capacity_type}}",
            ),
        ),
    ),
    lines,
)
_IDLE = shared.placed(shared.IDLE_GPUS, 14, links=(Link("GPUs", links.dashboard(links.GPU)),))
_IDLE = shared.placed(shared.IDLE_GPUS, 14, links=(Link("GPUs", links.dashboard(links.GPU)),))

BOARD = Board(
    uid=links.COST,
    title="Cost and placement",
    description="What replicas cost by the policies' own prices, what is saved, and where they stand.",
    first=(*_FIGURES, _WORKLOADS, _OVER_TIME, _BUDGETS, _MIX, _INTERRUPTIONS, _MISSING, _SHORT),
    details=(
        Details(101, "Idle GPUs", (_IDLE,)),
        Details(102, "What others tell of prices", (_NODES, _OFFERS)),
    ),
)
