"""Every metric that Foresail exports, its name written once; telemetry, dashboards and alerts read it from here."""

from __future__ import annotations

from policies.forecast import exported as foretold
from policies.metric import Counter, Gauge, Histogram, Metric
from policies.resources import exported as sized

_WORKLOAD = ("namespace", "workload")
# The loop runs every 15 s, so the last bounds are those that matter: half a period, a period, two.
_LOOP_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 15.0, 30.0)

BUILD = Gauge("foresail_build_info", "Always 1; the version that runs.", ("version", "python"))
CONFIG_HASH = Gauge("foresail_config_hash_info", "Always 1; a digest of the settings and policies in force.", ("hash",))
STARTED = Gauge("foresail_start_timestamp_seconds", "When this process started to work.", unit="seconds")

LOOP_DURATION = Histogram(
    "foresail_loop_duration_seconds",
    "How long each phase of a tick took.",
    _LOOP_BUCKETS_S,
    ("phase",),
    "seconds",
)
LOOP_LAST_SUCCESS = Gauge(
    "foresail_loop_last_success_timestamp_seconds", "When a tick last came to its end.", unit="seconds"
)
UNHANDLED_ERRORS = Counter("foresail_unhandled_errors_total", "Faults that nothing but the loop's supervisor caught.")
SAFE_MODE = Gauge(
    "foresail_safe_mode", "1 while workloads may not be changed, or not be lowered, for the reason named.", ("reason",)
)

SOURCE_QUERIES = Counter("foresail_source_queries_total", "Queries asked of a source.", ("source", "result"))
SOURCE_QUERY_DURATION = Histogram(
    "foresail_source_query_duration_seconds",
    "How long a source took to answer all queries of a tick.",
    _LOOP_BUCKETS_S,
    ("source",),
    "seconds",
)
SOURCE_LAST_SAMPLE = Gauge(
    "foresail_source_last_sample_timestamp_seconds",
    "When the newest sample that a source served was measured.",
    ("source",),
    "seconds",
)

DESIRED_REPLICAS = Gauge("foresail_desired_replicas", "Replicas that the target's scale asks for now.", _WORKLOAD)
CURRENT_REPLICAS = Gauge("foresail_current_replicas", "Replicas that the target reports to have.", _WORKLOAD)
READY_REPLICAS = Gauge("foresail_ready_replicas", "Replicas whose pods are ready.", _WORKLOAD)
CAPACITY_DESIRED = Gauge(
    "foresail_capacity_desired_replicas",
    "Replicas that each object of a workload with placement asks for now: on_demand, spot.",
    (*_WORKLOAD, "capacity_type"),
)
CAPACITY_READY = Gauge(
    "foresail_capacity_ready_replicas",
    "Replicas of a workload with placement that are ready, by the object that they belong to: on_demand, spot.",
    (*_WORKLOAD, "capacity_type"),
)
CAPACITY_RECOMMENDED = Gauge(
    "foresail_capacity_recommended_replicas",
    "Replicas that Foresail decided on for each object of a workload with placement: on_demand, spot.",
    (*_WORKLOAD, "capacity_type"),
)
SPOT_NOTICED = Gauge(
    "foresail_spot_noticed_replicas", "Spot replicas whose nodes are announced to be taken back or removed.", _WORKLOAD
)
SPOT_MISSING = Gauge(
    "foresail_spot_missing_replicas", "Spot replicas that were taken back and are not replaced yet.", _WORKLOAD
)
SPOT_SHORT = Gauge(
    "foresail_spot_short_ratio",
    "Share of the replicas due that was missing of late because spot was taken back.",
    _WORKLOAD,
    "ratio",
)
SPOT_INTERRUPTIONS = Counter(
    "foresail_spot_interruptions_total", "Spot replicas that were seen to be taken back, by zone.", ("zone",)
)
SPOT_SHORT_BUDGET = Gauge(
    "foresail_spot_short_budget_ratio",
    "Share of the replicas due that may be missing because spot was taken back: the policy's spot.short.",
    _WORKLOAD,
    "ratio",
)
BUDGET_WITHHELD = Gauge(
    "foresail_budget_withheld_replicas", "Replicas that a workload asks for and a budget does not leave.", _WORKLOAD
)
GPU_ALLOCATED = Gauge(
    "foresail_gpu_allocated_devices", "GPUs and MIG instances that a workload's pods have asked for.", _WORKLOAD
)
GPU_IDLE = Gauge(
    "foresail_gpu_idle_devices",
    "GPUs and MIG instances that a workload's pods have and that were active less than 2 % all through the last hour;"
    " absent where no exporter tells of them.",
    _WORKLOAD,
)
SIGNAL_BOUND = Gauge(
    "foresail_signal_bound",
    "Always 1; the metrics that a preset of signals (vllm/tokens) is read from for some workload, or a quantity of GPUs"
    " (gpu_activity): the best of those that are there.",
    ("signal", "candidate"),
)
GPU_QUOTA_WITHHELD = Gauge(
    "foresail_gpu_quota_withheld_replicas",
    "Replicas more that a workload asks for and the GPU quotas of its namespace do not leave.",
    _WORKLOAD,
)
BUDGET_USED = Gauge(
    "foresail_budget_used_ratio",
    "Share of a budget that the replicas decided on take (in shadow, those that are there), by whose it is (namespace,"
    " empty for the fleet) and of what: usd_per_hour, gpus.",
    ("namespace", "resource"),
    "ratio",
)
PRICE = Gauge(
    "foresail_price_usd_per_replica_hour",
    "Price of one replica for an hour, as the policy says (objective.prices, placement.spot.price), in its currency: on"
    " demand, on spot, or any, without placement. Absent where it does not say.",
    (*_WORKLOAD, "capacity_type"),
)
PRICE_TIME = Gauge(
    "foresail_price_timestamp_seconds",
    "When the policy's prices held (objective.prices.asOf). Absent where it does not say.",
    _WORKLOAD,
    "seconds",
)
COST = Gauge(
    "foresail_cost_usd_per_hour",
    "What the replicas that are asked for cost in an hour, by the policy's prices and in their currency; absent where"
    " it has none.",
    (*_WORKLOAD, "capacity_type"),
)
SAVINGS = Gauge(
    "foresail_savings_usd_per_hour",
    "What is saved in an hour, by the policy's prices: against the incumbent in shadow, over about a week; against"
    " on_demand, by the replicas on spot now. Below 0: it costs more.",
    (*_WORKLOAD, "against"),
)
LAST_CHANGE = Gauge(
    "foresail_replicas_changed_timestamp_seconds",
    "When the replicas asked for were last seen to change, by foresail or by other: people, another autoscaler. Absent"
    " until seen since the start; of workloads with placement only foresail.",
    (*_WORKLOAD, "by"),
    "seconds",
)
TURNS = Gauge(
    "foresail_replica_turns",
    "How often in the last hour the replicas asked for turned from rising to falling or back, by whomever; absent until"
    " seen to change since the start.",
    _WORKLOAD,
)
MIN_REPLICAS = Gauge("foresail_min_replicas", "Lower bound in force, schedules included.", _WORKLOAD)
MAX_REPLICAS = Gauge("foresail_max_replicas", "Upper bound in force, schedules included.", _WORKLOAD)
RECOMMENDED_REPLICAS = Gauge(
    "foresail_recommended_replicas",
    "Replicas that Foresail decided on; absent while it knows no better than what is there.",
    _WORKLOAD,
)
LOAD = Gauge(
    "foresail_load_replicas", "Largest demand of a workload, in replicas loaded to the serving limit.", _WORKLOAD
)
CAPACITY_SEEN = Gauge(
    "foresail_capacity_seen_ratio",
    "Load per ready replica at which a workload queued or was late, over what its policy declares to be served in time;"
    " absent where what is seen contradicts nothing.",
    _WORKLOAD,
    "ratio",
)
FORECAST = Gauge(
    "foresail_forecast_replicas",
    "Demand one start-up ahead, in replicas loaded to the serving limit: expected (0.5), and with the margin of the"
    " candidate in charge (1 less the objective), where it has one.",
    (*_WORKLOAD, "quantile"),
)
FORECAST_TIME = Gauge(
    "foresail_forecast_timestamp_seconds", "The moment that the forecast is about.", _WORKLOAD, "seconds"
)
STALE_SIGNALS = Gauge(
    "foresail_stale_signals",
    "Signals of a workload that are old or cannot be read now; none of them lowers it.",
    _WORKLOAD,
)
AWAITS_NODE = Gauge(
    "foresail_awaits_node",
    "1 while pods of a workload wait for a node, and for five minutes after the last did.",
    _WORKLOAD,
)
SATURATION = Gauge(
    "foresail_saturation_ratio",
    "Demand over the capacity of the ready replicas, or pressure over its target.",
    (*_WORKLOAD, "signal"),
    "ratio",
)
LATE = Gauge(
    "foresail_late_ratio",
    "Share of requests that are late or fail now, as the policy's late signals tell; the largest of several.",
    _WORKLOAD,
    "ratio",
)
STARTUP = Gauge(
    "foresail_startup_seconds",
    "Time from a pod's creation to its readiness to plan with now: the learned 0.9 quantile.",
    _WORKLOAD,
    "seconds",
)
STARTUP_CASE = Gauge(
    "foresail_startup_case_seconds",
    "Learned start-up time by what drives it: free_node, new_node (one must come), many_at_once; absent until seen.",
    (*_WORKLOAD, "case"),
    "seconds",
)
DECISION_REASON = Gauge(
    "foresail_decision_reason",
    "1 for the reason that had the last word on a workload; its other reasons have no series.",
    (*_WORKLOAD, "reason"),
)

WORKLOAD_INFO = Gauge(
    "foresail_workload_info",
    "Always 1; the policy's mode, and the family of the candidate in charge: largest, last, middle (forecasts),"
    " incumbent, seasonal-naive, or none yet.",
    (*_WORKLOAD, "mode", "in_charge"),
)
CANDIDATE_REPLICAS = Gauge(
    "foresail_candidate_replicas",
    "Mean replicas, churn included, that a candidate (in_charge, runner_up, incumbent) had in shadow over about a"
    " week; in the first days partly what such candidates have on other loads.",
    (*_WORKLOAD, "candidate"),
)
CANDIDATE_LATE = Gauge(
    "foresail_candidate_late_ratio",
    "Share of the load that a candidate (in_charge, runner_up, incumbent) served late in shadow over about a week; in"
    " the first days partly what such candidates do on other loads.",
    (*_WORKLOAD, "candidate"),
    "ratio",
)
REALISED_LATE = Gauge(
    "foresail_realised_late_ratio",
    "Share of the load that came late over about two weeks: by the replicas that were ready, or by the indicator of"
    " lateness, where the workload is active and decided with evidence; else by what would have been ordered.",
    _WORKLOAD,
    "ratio",
)
LATE_BUDGET = Gauge(
    "foresail_late_budget_ratio",
    "Share of the load that may come late: the objective, or what the incumbent missed in shadow where that is it.",
    _WORKLOAD,
    "ratio",
)
EVIDENCE = Gauge(
    "foresail_tournament_evidence_ratio",
    "How much there is of the evidence that the candidate in charge needs to decide alone.",
    _WORKLOAD,
    "ratio",
)

# What people told Foresail to do, and who listens.
FIXED_REPLICAS = Gauge(
    "foresail_fixed_replicas",
    "Replicas that people have fixed, by what: annotation, override; absent where nothing is fixed.",
    (*_WORKLOAD, "by"),
)
INTERVENTION_UNTIL = Gauge(
    "foresail_intervention_until_timestamp_seconds",
    "When a pause or an override that was told through the API ends; workload is empty for a pause of all.",
    (*_WORKLOAD, "kind"),
    "seconds",
)
OPERATOR_ACTIONS = Counter(
    "foresail_operator_actions_total",
    "What people asked for through the API (pause, resume, override), and whether it was done: done, refused.",
    ("kind", "result"),
)
EVENT_CLIENTS = Gauge("foresail_event_clients", "Clients that listen to /api/v1/events now.")
EVENT_CLIENTS_LOST = Counter(
    "foresail_event_clients_lost_total",
    "Clients of /api/v1/events that were too slow and dropped (slow), or refused (too_many).",
    ("reason",),
)

DECISIONS = Counter("foresail_decisions_total", "Decisions on one workload in one tick.", ("action", "reason"))
ACTUATIONS = Counter("foresail_actuations_total", "Changes carried out or tried.", ("kind", "result"))
CONFLICTS = Counter("foresail_conflicts_total", "Changes given up because somebody else had changed the object.")
REMOVAL_BUDGET = Gauge(
    "foresail_removal_budget_replicas", "Replicas that the fleet breaker still lets go in its present window."
)

POLICIES = Gauge(
    "foresail_policies", "Policies in force (valid), and problems of those that were refused (invalid).", ("state",)
)
POLICY_RELOAD_FAILURES = Counter(
    "foresail_policy_reload_failures_total", "Readings of the policies that found a problem."
)
QUARANTINED = Gauge("foresail_quarantined_workloads", "Workloads held because their own decision failed.")

JOURNAL_WRITE_FAILURES = Counter("foresail_journal_write_failures_total", "Writes that the journal's database refused.")
JOURNAL_DROPPED = Counter(
    "foresail_journal_dropped_ticks_total", "Ticks given up because too many waited to be written."
)
JOURNAL_LAST_WRITE = Gauge(
    "foresail_journal_last_write_timestamp_seconds", "When the journal was last written.", unit="seconds"
)
JOURNAL_PENDING = Gauge("foresail_journal_pending_writes", "Writes that wait for the journal's database.")

PUBLISH_WRITES = Counter(
    "foresail_publish_writes_total",
    "Dashboards and rules compared with a target, by what became of them: created, updated, deleted, unchanged, kept (a"
    " person changed it), conflict, rejected, unavailable.",
    ("target", "result"),
)
PUBLISH_LAST_SUCCESS = Gauge(
    "foresail_publish_last_success_timestamp_seconds",
    "When a target was last found or brought to be as rendered, but for what a person changed; 0 before.",
    ("target",),
    "seconds",
)
MESSAGES = Counter(
    "foresail_webhook_messages_total",
    "Messages for the webhook, by how they ended: delivered, dropped (too many waited), rejected (the receiver refuses"
    " them for good).",
    ("result",),
)
MESSAGES_PENDING = Gauge("foresail_webhook_pending_messages", "Messages that wait for the webhook's receiver.")

BY_WORKLOAD: tuple[Gauge, ...] = (
    *(DESIRED_REPLICAS, CURRENT_REPLICAS, READY_REPLICAS),
    *(CAPACITY_DESIRED, CAPACITY_READY, CAPACITY_RECOMMENDED),
    *(SPOT_NOTICED, SPOT_MISSING, SPOT_SHORT, SPOT_SHORT_BUDGET),
    BUDGET_WITHHELD,
    *(PRICE, PRICE_TIME, COST, SAVINGS, LAST_CHANGE, TURNS),
    *(GPU_QUOTA_WITHHELD, GPU_ALLOCATED, GPU_IDLE),
    *(MIN_REPLICAS, MAX_REPLICAS, RECOMMENDED_REPLICAS),
    *(LOAD, CAPACITY_SEEN, FORECAST, FORECAST_TIME),
    SATURATION,
    LATE,
    *(STARTUP, STARTUP_CASE, AWAITS_NODE),
    *(DECISION_REASON, STALE_SIGNALS),
    WORKLOAD_INFO,
    *(CANDIDATE_REPLICAS, CANDIDATE_LATE),
    REALISED_LATE,
    LATE_BUDGET,
    EVIDENCE,
    *foretold.BY_WORKLOAD,
    FIXED_REPLICAS,
)

EXPORTED: tuple[Metric, ...] = (
    BUILD,
    CONFIG_HASH,
    STARTED,
    LOOP_DURATION,
    LOOP_LAST_SUCCESS,
    UNHANDLED_ERRORS,
    SAFE_MODE,
    SOURCE_QUERIES,
    SOURCE_QUERY_DURATION,
    SOURCE_LAST_SAMPLE,
    *BY_WORKLOAD,
    BUDGET_USED,
    SIGNAL_BOUND,
    *foretold.OF_FLEET,
    DECISIONS,
    SPOT_INTERRUPTIONS,
    ACTUATIONS,
    CONFLICTS,
    REMOVAL_BUDGET,
    POLICIES,
    POLICY_RELOAD_FAILURES,
    QUARANTINED,
    *(INTERVENTION_UNTIL, OPERATOR_ACTIONS, EVENT_CLIENTS, EVENT_CLIENTS_LOST),
    *sized.EXPORTED,
    *(PUBLISH_WRITES, PUBLISH_LAST_SUCCESS, MESSAGES, MESSAGES_PENDING),
    *(JOURNAL_WRITE_FAILURES, JOURNAL_DROPPED, JOURNAL_LAST_WRITE, JOURNAL_PENDING),
)
