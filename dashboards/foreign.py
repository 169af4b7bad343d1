"""Metrics of others that panels ask for, by who exports them, and PromQL about them.

Names and labels are those of kube-state-metrics 2, DCGM exporter 4, vLLM, SGLang, OpenCost, Karpenter, and ALERTS of
Prometheus itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPORTERS: Mapping[str, tuple[str, ...]] = {
    "Prometheus": ("ALERTS",),
    "kube-state-metrics": (
        "kube_deployment_status_replicas",
        "kube_deployment_status_replicas_updated",
        "kube_horizontalpodautoscaler_info",
        "kube_horizontalpodautoscaler_status_desired_replicas",
        "kube_node_created",
        "kube_node_status_condition",
        "kube_pod_created",
        "kube_pod_status_ready_time",
    ),
    "DCGM exporter": (
        "DCGM_FI_DEV_FB_FREE",
        "DCGM_FI_DEV_FB_USED",
        "DCGM_FI_DEV_GPU_TEMP",
        "DCGM_FI_DEV_POWER_USAGE",
        "DCGM_FI_DEV_SM_CLOCK",
        "DCGM_FI_DEV_XID_ERRORS",
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    ),
    "vLLM": (
        "vllm:e2e_request_latency_seconds_bucket",
        "vllm:kv_cache_usage_perc",
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        "vllm:time_to_first_token_seconds_bucket",
    ),
    "SGLang": (
        "sglang:e2e_request_latency_seconds_bucket",
        "sglang:num_queue_reqs",
        "sglang:num_running_reqs",
        "sglang:time_to_first_token_seconds_bucket",
        "sglang:token_usage",
    ),
    "OpenCost": ("kubecost_node_is_spot", "node_total_hourly_cost"),
    "Karpenter": ("karpenter_cloudprovider_instance_type_offering_price_estimate",),
}

_STEP_S = "$__interval_ms / 1000"
_DEPLOYMENT = 'cluster=~"$cluster",namespace=~"$namespace",deployment=~"$workload"'
_WORKLOAD = '"workload", "$1", "{source}", "(.+)")'

# Pods of an older template are left while a rollout is under way; a change of scale leaves none.
ROLLOUT = (
    f"label_replace(max by (cluster, namespace, deployment) (kube_deployment_status_replicas{{{_DEPLOYMENT}}}"
    f" > bool kube_deployment_status_replicas_updated{{{_DEPLOYMENT}}}),"
    f" {_WORKLOAD.format(source='deployment')}"
)
PODS = 'cluster=~"$cluster",namespace=~"$namespace",pod=~"$workload-.*"'
_READY = f"kube_pod_status_ready_time{{{PODS}}}"
# Of pods whose readiness was not known a step before; not of old ones, which an exporter that starts again tells anew.
STARTED = (
    f"(max by (namespace, pod) ({_READY} > time() - 3600) - max by (namespace, pod) (kube_pod_created{{{PODS}}}))"
    f" unless max by (namespace, pod) ({_READY} offset $__interval)"
)
HPA = (
    "max by (cluster, namespace) (changes(kube_horizontalpodautoscaler_status_desired_replicas"
    '{cluster=~"$cluster",namespace=~"$namespace"}[$__rate_interval])'
    " * on (cluster, namespace, horizontalpodautoscaler) group_left () max by (cluster, namespace,"
    ' horizontalpodautoscaler) (kube_horizontalpodautoscaler_info{cluster=~"$cluster",namespace=~"$namespace",'
    'scaletargetref_name=~"$workload"})) > bool 0'
)
NODE_CAME = f'sum(time() - kube_node_created{{cluster=~"$cluster"}} < bool {_STEP_S}) > bool 0'
NODE_NOT_READY = (
    'sum(kube_node_status_condition{cluster=~"$cluster",condition="Ready",status="true"} == bool 0) > bool 0'
)
FIRING = 'ALERTS{cluster=~"$cluster",alertstate="firing",alertname=~"Foresail.*|Gpu.*"'
# The watchdog always fires, so that no rules loaded is no data, and nothing else firing is 0.
ALERTS_FIRING = f'count({FIRING}}}) - count({FIRING},alertname="ForesailWatchdog"}})'


def scaled_by(autoscaler: str) -> str:
    """1 where an HPA scales the workload whose name matches (any, if empty), 0 where kube-state-metrics has none."""
    named = f',horizontalpodautoscaler=~"{autoscaler}"' if autoscaler else ""
    matchers = f'cluster=~"$cluster",namespace=~"$namespace",scaletargetref_name=~"$workload"{named}'
    return (
        f"max (kube_horizontalpodautoscaler_info{{{matchers}}})"
        f" or max (kube_deployment_status_replicas{{{_DEPLOYMENT}}}) * 0"
    )
