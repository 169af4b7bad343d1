"""What vLLM and SGLang tell of themselves, for the pods of the workload that is looked at."""

from __future__ import annotations

from functools import partial

from dashboards.board import Drawn
from dashboards.foreign import PODS
from dashboards.panels import Means, Query, Sheet, density, lines

_WAITING = ("vllm:num_requests_waiting", "sglang:num_queue_reqs")
_RUNNING = ("vllm:num_requests_running", "sglang:num_running_reqs")
_CACHE = ("vllm:kv_cache_usage_perc", "sglang:token_usage")
_TTFT = ("vllm:time_to_first_token_seconds_bucket", "sglang:time_to_first_token_seconds_bucket")
_E2E = ("vllm:e2e_request_latency_seconds_bucket", "sglang:e2e_request_latency_seconds_bucket")
_ONE_RANK = ',tp_rank=~"0?"'  # SGLang tells the same of every rank


def _told(expr: str, metrics: tuple[str, str]) -> str:
    """PromQL in which `$of` is the metric of whichever server there is, vLLM or SGLang, over the workload's pods."""
    vllm, sglang = metrics
    selected = (f"{vllm}{{{PODS}}}", f"{sglang}{{{PODS}{_ONE_RANK}}}")
    return " or ".join(expr.replace("$of", each) for each in selected)


MODEL_SERVER = (
    Drawn(
        Sheet(
            id=30,
            title="Requests waiting and running",
            description="Requests that wait for a place in a batch, and that are served, over all pods.",
            unit="short",
            queries=(
                Query(_told("sum ($of)", _WAITING), "waiting", Means.BAD),
                Query(_told("sum ($of)", _RUNNING), "running", Means.ACTUAL),
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
                Query(_told("avg ($of)", _CACHE), "mean"),
                Query(_told("max ($of)", _CACHE), "fullest"),
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
                    _told(f"histogram_quantile({share}, sum by (le) (rate($of[$__rate_interval])))", _TTFT),
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
                queries=(Query(_told("sum by (le) (increase($of[$__rate_interval]))", metrics), "{{le}}"),),
            ),
            partial(density, buckets=True),
        )
        for panel_id, title, metrics, told in (
            (33, "Time to first token, all requests", _TTFT, "What waits for a replica shows here first."),
            (34, "Time of a request, all requests", _E2E, "It grows with the answers' length as well."),
        )
    ),
)
