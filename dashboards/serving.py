"""What a vLLM server tells of itself, for the pods of the workload that is looked at."""

from __future__ import annotations

from dashboards.board import Drawn
from dashboards.panels import Means, Query, Sheet, lines

_PODS = 'cluster=~"$cluster",namespace=~"$namespace",pod=~"$workload-.*"'
_TTFT = "vllm:time_to_first_token_seconds_bucket"

MODEL_SERVER = (
    Drawn(
        Sheet(
            id=30,
            title="Requests waiting and running",
            description="Requests that wait for a place in a batch, and that are served, over all pods.",
            unit="short",
            queries=(
                Query(f"sum (vllm:num_requests_waiting{{{_PODS}}})", "waiting", Means.BAD),
                Query(f"sum (vllm:num_requests_running{{{_PODS}}})", "running", Means.ACTUAL),
            ),
            span=8,
        ),
        lines,
    ),
    Drawn(
        Sheet(
            id=31,
            title="KV cache in use",
            description="Share of the KV cache in use: mean and fullest pod. A full cache makes requests wait.",
            unit="percentunit",
            queries=(
                Query(f"avg (vllm:kv_cache_usage_perc{{{_PODS}}})", "mean"),
                Query(f"max (vllm:kv_cache_usage_perc{{{_PODS}}})", "fullest"),
            ),
            span=8,
        ),
        lines,
    ),
    Drawn(
        Sheet(
            id=32,
            title="Time to first token",
            description="Quantiles over all pods, as exact as the histogram's buckets.",
            unit="s",
            queries=tuple(
                Query(
                    f"histogram_quantile({share}, sum by (le) (rate({_TTFT}{{{_PODS}}}[$__rate_interval])))",
                    f"{share:g}",
                )
                for share in (0.5, 0.95, 0.99)
            ),
            span=8,
        ),
        lines,
    ),
)
