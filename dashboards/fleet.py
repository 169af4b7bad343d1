"""The dashboard "Foresail fleet": each workload, what Foresail asks for and why, and whether Foresail is well."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, VariableRefresh, VariableSort

from dashboards.panels import SOURCE, Columns, Query, Sheet, lines, rows, states
from dashboards.queries import age, increase, largest, per_workload, quantile, sum_of_workloads
from policies import signals

UID = "foresail-fleet"
TITLE = "Foresail fleet"

_WORKLOADS = Sheet(
    id=1,
    title="Workloads",
    description="One row for each workload, the most saturated first. Load is in replicas loaded to the serving limit,"
    " saturation is the largest of its signals; the reason is the rule that had the last word; in charge is the family"
    " of the candidate that the tournament chose.",
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
    ),
    span=24,
    height=10,
)
_WORKLOAD_COLUMNS = Columns(
    labels={
        "cluster": "Cluster",
        "namespace": "Namespace",
        "workload": "Workload",
        "mode": "Mode",
        "reason": "Last reason",
        "in_charge": "In charge",
    },
    units={"Saturation": "percentunit"},
    worst_first="Saturation",
)
_REPLICAS = Sheet(
    id=2,
    title="Replicas and forecast",
    description="Sums over the chosen workloads; choose one to see its own. A forecast stands at the time when it was"
    " made and is about one start-up later. Load and forecast are in replicas loaded to the serving limit.",
    unit="short",
    queries=(
        Query(sum_of_workloads(signals.DESIRED_REPLICAS), "desired"),
        Query(sum_of_workloads(signals.READY_REPLICAS), "ready"),
        Query(sum_of_workloads(signals.RECOMMENDED_REPLICAS), "recommended"),
        Query(sum_of_workloads(signals.MIN_REPLICAS), "min"),
        Query(sum_of_workloads(signals.MAX_REPLICAS), "max"),
        Query(sum_of_workloads(signals.LOAD), "load"),
        Query(sum_of_workloads(signals.FORECAST, "quantile"), "forecast {{quantile}}"),
    ),
    span=24,
    height=10,
)
_SAFE_MODE = Sheet(
    id=3,
    title="Safe mode",
    description="Yes while workloads are held as a whole, by reason: the kill switch, an API server out of sight, no"
    " fresh reading.",
    unit="bool_yes_no",
    queries=(Query(largest(signals.SAFE_MODE, "cluster", "reason"), "{{cluster}} {{reason}}"),),
)
_REASONS = Sheet(
    id=4,
    title="Workloads by last reason, and holds",
    description="How many of the chosen workloads each reason decides now, those held included. Quarantined ones are"
    " held because their own decision failed, and are counted over the whole fleet.",
    unit="short",
    queries=(
        Query(f"count by (reason) ({per_workload(signals.DECISION_REASON, 'reason')} == 1)", "{{reason}}"),
        Query(largest(signals.QUARANTINED, "cluster"), "quarantined {{cluster}}"),
    ),
)
_LOOP = Sheet(
    id=5,
    title="Loop duration by phase",
    description="99th percentile of how long each phase of a tick takes. `tick` is the whole, and must stay below the"
    " loop's period, 15 s unless set.",
    unit="s",
    queries=(Query(quantile(signals.LOOP_DURATION, 0.99, "phase"), "{{phase}}"),),
)
_LOOP_AGE = Sheet(
    id=6,
    title="Time since the last tick",
    description="How long ago a tick last came to its end. It grows while the loop hangs; workloads keep their replicas"
    " meanwhile.",
    unit="s",
    queries=(Query(age(signals.LOOP_LAST_SUCCESS, "cluster"), "last tick {{cluster}}"),),
)
_FRESHNESS = Sheet(
    id=7,
    title="Source freshness",
    description="Age of the newest sample that each source served. Old samples never lower a workload.",
    unit="s",
    queries=(Query(age(signals.SOURCE_LAST_SAMPLE, "cluster", "source"), "{{cluster}} {{source}}"),),
)
_ACTUATIONS = Sheet(
    id=8,
    title="Changes by result",
    description="Changes carried out or tried in the last 5 minutes, by kind and result.",
    unit="short",
    queries=(Query(increase(signals.ACTUATIONS, "5m", "kind", "result"), "{{kind}} {{result}}"),),
)
_JOURNAL = Sheet(
    id=9,
    title="Journal",
    description="Ticks that wait to be written, and in the last 5 minutes writes refused and ticks given up. A journal"
    " that is down stops no scaling, but a restart forgets what was not written.",
    unit="short",
    queries=(
        Query(largest(signals.JOURNAL_PENDING, "cluster"), "waiting {{cluster}}"),
        Query(increase(signals.JOURNAL_WRITE_FAILURES, "5m"), "refused"),
        Query(increase(signals.JOURNAL_DROPPED, "5m"), "given up"),
    ),
)
_SHADOW_COST = Sheet(
    id=10,
    title="Replicas in shadow: in charge, runner-up, incumbent",
    description="Mean replicas, churn included, that each would have had over about a week; sums over the chosen"
    " workloads. In a workload's first days these are partly what such candidates have on other loads.",
    unit="short",
    queries=(Query(sum_of_workloads(signals.CANDIDATE_REPLICAS, "candidate"), "{{candidate}}"),),
    span=8,
)
_SHADOW_LATE = Sheet(
    id=11,
    title="Late load in shadow, and really",
    description="Share of the load that each would have served late over about a week, and that really came late over"
    " about two, beside the share that may; the largest of the chosen workloads, so choose one to compare.",
    unit="percentunit",
    queries=(
        Query(largest(signals.CANDIDATE_LATE, "candidate"), "{{candidate}}"),
        Query(largest(signals.REALISED_LATE, "cluster"), "really {{cluster}}"),
        Query(largest(signals.LATE_BUDGET, "cluster"), "may be late {{cluster}}"),
    ),
    span=8,
)
_EVIDENCE = Sheet(
    id=12,
    title="Evidence of the tournament",
    description="How many of the chosen workloads each family of candidates is in charge of, and how many have the"
    " evidence for it to decide alone; until then the larger of its order and Kubernetes' rule stands.",
    unit="short",
    queries=(
        Query(f"count by (in_charge) ({per_workload(signals.WORKLOAD_INFO, 'in_charge')})", "{{in_charge}}"),
        Query(f"count ({per_workload(signals.EVIDENCE)} >= 1)", "with evidence"),
    ),
    span=8,
)


_OUTLOOK = Sheet(
    id=13,
    title="Next week",
    description="Replicas that demand is expected to need a horizon ahead, at the median and with a tenth's chance of"
    " more; sums over the chosen workloads. Decisions do not use it. The maximum is the one in force now.",
    unit="short",
    queries=(
        Query(sum_of_workloads(signals.OUTLOOK, "horizon", "quantile"), "{{horizon}} ahead, {{quantile}}"),
        Query(sum_of_workloads(signals.MAX_REPLICAS), "max"),
    ),
)
_TO_MAXIMUM = Sheet(
    id=14,
    title="Time until more than maximum or quota is needed",
    description="By workload, and which of the two is lower: at 0.5 more likely than not, at 0.9 with a tenth's chance."
    " No line: not within a week, or nothing recent enough is known.",
    unit="s",
    queries=(
        Query(
            f"clamp_min({per_workload(signals.OUTLOOK_ABOVE_MAX, 'quantile', 'bound')} - time(), 0)",
            "{{namespace}}/{{workload}} {{quantile}} {{bound}}",
        ),
    ),
)
_OUTLOOK_MODELS = Sheet(
    id=15,
    title="Models of the next week",
    description="For how many demand signals each model speaks, and for how many it may not because its coverage or"
    " error left its range; each of the eight horizons from a minute to a week counts.",
    unit="short",
    queries=tuple(
        Query(f"sum by (model) ({largest(metric, 'cluster', 'model', 'horizon')})", f"{{{{model}}}}{told}")
        for metric, told in ((signals.OUTLOOK_MODELS, ""), (signals.OUTLOOK_DEMOTED, " demoted"))
    ),
)
_OUTLOOK_FIT = Sheet(
    id=16,
    title="Coverage and error of the next week's models",
    description="In the newest part of the backtest: the share of loads below the 0.95 quantile, which is to be"
    " 0.95, and the loss over the mean load, by how far ahead.",
    unit="percentunit",
    queries=(
        Query(largest(signals.OUTLOOK_COVERAGE, "cluster", "horizon"), "coverage {{horizon}}"),
        Query(largest(signals.OUTLOOK_ERROR, "cluster", "horizon"), "loss {{horizon}}"),
    ),
)
_BUDGETS = Sheet(
    id=17,
    title="Budgets: used, and replicas withheld",
    description="Share of each budget of money or GPUs that is taken, of a namespace or the fleet (no name): above 1,"
    " minima and what may not go take more than there is. Withheld: what the chosen workloads ask for beyond it.",
    unit="short",
    queries=(
        Query(largest(signals.BUDGET_USED, "cluster", "namespace", "resource"), "{{namespace}} {{resource}}"),
        Query(sum_of_workloads(signals.BUDGET_WITHHELD), "withheld"),
    ),
    span=24,
)


def render() -> str:
    """JSON of the dashboard in Grafana's classic form (10 to 13 take it), the same bytes every time."""
    return JSONEncoder(sort_keys=True, indent=2).encode(_dashboard().build()) + "\n"


def _dashboard() -> dashboard.Dashboard:
    board = dashboard.Dashboard(TITLE).uid(UID).tags(["foresail", "generated"]).timezone("browser")
    board.description("What Foresail sees, asks for and why, over all workloads.")
    board.refresh("30s").time("now-6h", "now").tooltip(DashboardCursorSync.CROSSHAIR)
    board.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    board.with_variable(_label("cluster", "Cluster", signals.BUILD.name))
    board.with_variable(_label("namespace", "Namespace", f'{signals.DESIRED_REPLICAS.name}{{cluster=~"$cluster"}}'))
    of_namespace = f'{signals.DESIRED_REPLICAS.name}{{cluster=~"$cluster",namespace=~"$namespace"}}'
    board.with_variable(_label("workload", "Workload", of_namespace))
    board.with_panel(rows(_WORKLOADS, _WORKLOAD_COLUMNS)).with_panel(lines(_REPLICAS, stepped=True))
    board.with_panel(lines(_SHADOW_COST)).with_panel(lines(_SHADOW_LATE)).with_panel(lines(_EVIDENCE, stepped=True))
    board.with_panel(states(_SAFE_MODE)).with_panel(lines(_REASONS, stepped=True))
    for sheet in (_BUDGETS, _OUTLOOK, _TO_MAXIMUM, _OUTLOOK_MODELS, _OUTLOOK_FIT):
        board.with_panel(lines(sheet))
    for sheet in (_LOOP, _LOOP_AGE, _FRESHNESS, _ACTUATIONS, _JOURNAL):
        board.with_panel(lines(sheet))
    return board


def _label(name: str, label: str, series: str) -> dashboard.QueryVariable:
    """Offer the values that a label has in `series`, one, several or all."""
    variable = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(f"label_values({series}, {name})")
    variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    return variable.multi(True).include_all(True).all_value(".*")  # noqa: FBT003 - the SDK's
