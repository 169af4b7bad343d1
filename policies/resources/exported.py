"""What the daemon exports of the sizes of containers, every name once."""

from __future__ import annotations

from policies.metric import Counter, Gauge, Metric

_CONTAINER = ("namespace", "kind", "workload", "container", "bound")
CORES = Gauge(
    "foresail_vpa_recommendation_cores",
    "CPU that a container should request: target, and the lower and upper bound between which a request is well.",
    _CONTAINER,
)
BYTES = Gauge(
    "foresail_vpa_recommendation_bytes",
    "Memory that a container should request: target, and the lower and upper bound between which a request is well.",
    _CONTAINER,
    "bytes",
)
WRITES = Counter(
    "foresail_vpa_status_writes_total",
    "Statuses of VerticalPodAutoscalers that name Foresail, by how writing them ended.",
    ("result",),
)
METHOD = Gauge(
    "foresail_vpa_containers",
    "Containers that are sized, by resource, by the method whose figure it is, and by why that one speaks.",
    ("resource", "method", "reason"),
)
UNREAD = Gauge(
    "foresail_vpa_unread_workloads",
    "Workloads that are sized and whose past is still to be read from Prometheus.",
)
CHECKPOINTS = Counter("foresail_vpa_checkpoint_writes_total", "Checkpoints of containers that were written.")
LAST_SUCCESS = Gauge("foresail_vpa_last_success_timestamp_seconds", "When containers were last sized.", unit="seconds")

EXPORTED: tuple[Metric, ...] = (CORES, BYTES, METHOD, UNREAD, WRITES, CHECKPOINTS, LAST_SUCCESS)
