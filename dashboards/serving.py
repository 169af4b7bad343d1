"""What a vLLM server tells of itself, for the pods of the workload that is looked at."""

from __future__ import annotations

from functools import partial

from dashboards.board import Drawn
from dashboards.foreign import PODS
from dashboards.panels import Means, Query, Sheet, density, lines

_TTFT, _E2E = "vllm:time_to_first_token_seconds_bucket", "vllm:e2e_request_latency_seconds_bucket"

MODEL_SERVER = (
    Drawn(
        Sheet(
            id=30,
            title="Requests waiting and running",
            description="Requests that wait for a place in a batch, and that are served, over all pods.",
            unit="short",
            queries=(
                Query(f"sum (vllm:num_requests_waiting{{{PODS}}})", "waiting", Means.BAD),
                Query(f"sum (vllm:num_requests_running{{{PODS}}})", "running", Means.ACTUAL),
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
                Query(f"avg (vllm:kv_cache_usage_perc{{{PODS}}})", "mean"),
                Query(f"max (vllm:kv_cache_usage_perc{{{PODS}}})", "fullest"),
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
                    f"histogram_quantile({share}, sum by (le) (rate({_TTFT}{{{PODS}}}[$__rate_interval])))",
                    f"{share:g}",
                )
                for share in (0.5, 0.95, 0.99)
            ),
            span=8,
        ),
        lines,
    ),
    *(
        Drawn(
            Sheet(
                id=panel_id,
                title=title,
                description=f"How many requests took how long, over all pods, by the histogram's buckets. {told}",
                unit="s",
                queries=(Query(f"sum by (le) (increase({metric}{{{PODS}}}[$__rate_interval]))", "{{le}}"),),
            ),
            partial(density, buckets=True),
        )
        for panel_id, title, metric, told in (
            (33, "Time to first token, all requests", _TTFT, "What waits for a replica shows here first."),
            (34, "Time of a request, all requests", _E2E, "It grows with the answers' length as well."),
        )
    ),
)
