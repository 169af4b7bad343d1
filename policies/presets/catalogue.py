"""The presets, by server: names, units and labels as the projects document them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from policies.gpus.signals import CANDIDATES, DCGM_SM_ACTIVE, ONLY_UTILISATION, Exporter, Quantity
from policies.presets.model import Candidate, Form, Preset
from policies.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MS, _US = 1e-3, 1e-6
_SERVICE = {"namespace": "$namespace", "service": "$name"}
_PODS = {"namespace": "$namespace"}
_DEPLOYMENT = {"namespace": "$namespace", "deployment": "$name"}
_ISTIO = {"destination_workload_namespace": "$namespace", "destination_workload": "$name"}
_RANK = 'tp_rank="0"'
_VIA = 'reporter="destination"'
_TRITON_HISTOGRAM = "start tritonserver with --metrics-config histogram_latencies=true"
_DCGM_SM = f"add the line `{DCGM_SM_ACTIVE}, gauge, Ratio of cycles an SM was busy.` to the exporter's counters CSV"
_SGLANG = "start the server with --enable-metrics"


def _vllm(*names: str) -> Candidate:
    """Under its own prefix, llm-d's and Ray's."""
    return Candidate(tuple(f"{prefix}{name}" for name in names for prefix in ("vllm:", "kserve_vllm:", "ray_vllm_")))


def _sglang(name: str) -> Candidate:
    """Of the first rank alone: all ranks of a replica tell the same."""
    return Candidate((f"sglang:{name}",), only=_RANK, off=_SGLANG)


def _of_vllm() -> Iterator[Preset]:
    def preset(  # noqa: PLR0913 - a row of a table
        name: str, kind: str, form: Form, unit: str, meaning: str, *metrics: str, ceiling: float | None = None
    ) -> Preset:
        return _preset(f"vllm/{name}", kind, form, unit, meaning, _vllm(*metrics), match=_SERVICE, ceiling=ceiling)

    yield preset("tokens", "demand", Form.RATE, "tokens/s", "Tokens generated.", "generation_tokens_total")
    yield preset("prompt-tokens", "demand", Form.RATE, "tokens/s", "Tokens of prompts.", "prompt_tokens_total")
    yield preset("requests", "demand", Form.RATE, "requests/s", "Requests that finished.", "request_success_total")
    yield preset("queue", "pressure", Form.SUM, "requests", "Requests that wait.", "num_requests_waiting")
    yield preset("running", "pressure", Form.SUM, "requests", "Requests in work.", "num_requests_running")
    cache = ("kv_cache_usage_perc", "gpu_cache_usage_perc")
    yield preset("kv-cache", "pressure", Form.MEAN, "ratio", "Share of the KV cache in use.", *cache, ceiling=1.0)
    yield preset("ttft-p90", "pressure", Form.P90, "s", "Time to first token.", "time_to_first_token_seconds")
    itl = ("inter_token_latency_seconds", "time_per_output_token_seconds")
    yield preset("itl-p90", "pressure", Form.P90, "s", "Time between tokens.", *itl)
    yield preset("e2e-p90", "pressure", Form.P90, "s", "Time of a request.", "e2e_request_latency_seconds")


def _of_sglang() -> Iterator[Preset]:
    rows = (
        ("tokens", "demand", Form.RATE, "tokens/s", "Tokens generated.", "generation_tokens_total", None),
        ("prompt-tokens", "demand", Form.RATE, "tokens/s", "Tokens of prompts.", "prompt_tokens_total", None),
        ("requests", "demand", Form.RATE, "requests/s", "Requests.", "num_requests_total", None),
        ("queue", "pressure", Form.SUM, "requests", "Requests that wait.", "num_queue_reqs", None),
        ("running", "pressure", Form.SUM, "requests", "Requests in work.", "num_running_reqs", None),
        ("kv-cache", "pressure", Form.MEAN, "ratio", "Share of the KV cache in use.", "token_usage", 1.0),
        ("ttft-p90", "pressure", Form.P90, "s", "Time to first token.", "time_to_first_token_seconds", None),
        ("itl-p90", "pressure", Form.P90, "s", "Time between tokens.", "inter_token_latency_seconds", None),
        ("e2e-p90", "pressure", Form.P90, "s", "Time of a request.", "e2e_request_latency_seconds", None),
    )
    for name, kind, form, unit, meaning, metric, ceiling in rows:
        told = _sglang(metric)
        yield _preset(f"sglang/{name}", kind, form, unit, meaning, told, match=_SERVICE, ceiling=ceiling)


def _of_other_servers() -> Iterator[Preset]:
    def preset(name: str, kind: str, form: Form, unit: str, meaning: str, *told: Candidate) -> Preset:
        return _preset(name, kind, form, unit, meaning, *told, match=_SERVICE)

    done = "Requests that finished."
    latency = "Time of a request."
    queue = Candidate(("nv_inference_pending_request_count",))
    first = Candidate(("nv_inference_first_response_histogram_ms",), _MS, off=_TRITON_HISTOGRAM)
    yield preset(
        "triton/requests", "demand", Form.RATE, "requests/s", done, Candidate(("nv_inference_request_success",))
    )
    yield preset("triton/queue", "pressure", Form.SUM, "requests", "Requests that wait.", queue)
    yield preset("triton/first-response-p90", "pressure", Form.P90, "s", "Time to the first response.", first)
    requests = Candidate((":tensorflow:serving:request_count",))
    yield preset("tensorflow-serving/requests", "demand", Form.RATE, "requests/s", "Requests.", requests)
    served = Candidate((":tensorflow:serving:request_latency",), _US)
    yield preset("tensorflow-serving/latency-p90", "pressure", Form.P90, "s", latency, served)
    yield preset("tensorflow-serving/latency-mean", "pressure", Form.RATIO, "s", latency, served)
    predict = Candidate(("request_predict_seconds",))
    yield preset("kserve/predict-p90", "pressure", Form.P90, "s", "Time of a prediction.", predict)
    predicted = Candidate(("request_predict_seconds_count",))
    yield preset("kserve/requests", "demand", Form.RATE, "requests/s", "Predictions that finished.", predicted)


def _of_ray() -> Iterator[Preset]:
    match = {"application": "$name"}

    def preset(  # noqa: PLR0913 - a row of a table
        name: str, kind: str, form: Form, unit: str, meaning: str, metric: str, scale: float = 1.0
    ) -> Preset:
        return _preset(f"ray-serve/{name}", kind, form, unit, meaning, Candidate((metric,), scale), match=match)

    yield preset(
        "requests", "demand", Form.RATE, "requests/s", "Requests.", "ray_serve_deployment_request_counter_total"
    )
    queued = "ray_serve_deployment_queued_queries"
    yield preset("queue", "pressure", Form.SUM, "requests", "Requests that wait.", queued)
    yield preset(
        "running", "pressure", Form.SUM, "requests", "Requests in work.", "ray_serve_replica_processing_queries"
    )
    processing = "ray_serve_deployment_processing_latency_ms"
    yield preset("latency-p90", "pressure", Form.P90, "s", "Time of a request.", processing, _MS)


def _of_the_mesh() -> Iterator[Preset]:
    served = Candidate(("istio_requests_total",), only=_VIA)
    yield _preset("istio/requests", "demand", Form.RATE, "requests/s", "Requests.", served, match=_ISTIO)
    time = Candidate(("istio_request_duration_milliseconds",), _MS, only=_VIA)
    yield _preset("istio/latency-p90", "pressure", Form.P90, "s", "Time of a request.", time, match=_ISTIO)
    cluster = {"envoy_cluster_name": "$name"}
    requests = Candidate(("envoy_cluster_upstream_rq_total",))
    yield _preset("envoy/requests", "demand", Form.RATE, "requests/s", "Requests.", requests, match=cluster)
    waiting = Candidate(("envoy_cluster_upstream_rq_pending_active",))
    yield _preset("envoy/queue", "pressure", Form.SUM, "requests", "Requests that wait.", waiting, match=cluster)
    time = Candidate(("envoy_cluster_upstream_rq_time",), _MS)
    yield _preset("envoy/latency-p90", "pressure", Form.P90, "s", "Time of a request.", time, match=cluster)


def _of_knative() -> Iterator[Preset]:
    match = {"namespace": "$namespace", "kn_revision_name": "$name"}
    queued = Candidate(("kn_revision_request_queued", "kn_revision_request_queued_requests"))
    yield _preset("knative/queue", "pressure", Form.SUM, "requests", "Requests that wait.", queued, match=match)
    spans = Candidate(("kn_serving_invocation_duration_seconds", "kn_serving_invocation_duration"))
    yield _preset("knative/latency-p90", "pressure", Form.P90, "s", "Time of a request.", spans, match=match)


def _of_devices() -> Iterator[Preset]:
    def told(quantity: Quantity, *, ran: bool = False) -> tuple[Candidate, ...]:
        """As quantities of GPUs are told; of activity either what tells only that a kernel `ran`, or the rest."""
        return tuple(
            Candidate(
                each.metrics,
                each.scale,
                blanks=each.exporter is Exporter.DCGM,
                off=_DCGM_SM if each.name == DCGM_SM_ACTIVE else "",
            )
            for each in CANDIDATES[quantity]
            if (each.name in ONLY_UTILISATION) is ran
        )

    activity, ran = told(Quantity.ACTIVITY), told(Quantity.ACTIVITY, ran=True)
    tensor, memory = told(Quantity.TENSOR), told(Quantity.MEMORY_USED)
    rows = (
        ("activity", Form.MEAN, "ratio", "Share of multiprocessors that were busy.", activity, 1.0),
        ("tensor-activity", Form.MEAN, "ratio", "Share of time in which tensor cores worked.", tensor, 1.0),
        ("memory", Form.SUM, "bytes", "Memory in use.", memory, None),
        ("utilisation", Form.MEAN, "ratio", "Share of time in which a kernel ran: full says little.", ran, 1.0),
    )
    for name, form, unit, meaning, candidates, ceiling in rows:
        yield _preset(
            f"gpu/{name}", "pressure", form, unit, meaning, *candidates, match=_PODS, ceiling=ceiling, per_pod=True
        )


def _of_kubernetes() -> Iterator[Preset]:
    out = Candidate(("kube_deployment_status_replicas_unavailable",))
    yield _preset(
        "kube-state-metrics/unavailable", "pressure", Form.SUM, "replicas", "Not available.", out, match=_DEPLOYMENT
    )
    containers = 'container!="",image!=""'
    cpu = Candidate(("container_cpu_usage_seconds_total",), only=containers)
    yield _preset("cadvisor/cpu", "demand", Form.RATE, "cores", "CPU in use.", cpu, match=_PODS, per_pod=True)
    memory = Candidate(("container_memory_working_set_bytes",), only=containers)
    yield _preset("cadvisor/memory", "demand", Form.SUM, "bytes", "Working set.", memory, match=_PODS, per_pod=True)


def _of_legacy() -> Iterator[Preset]:
    tgi = "Text Generation Inference is in maintenance mode"
    torch = "TorchServe is not maintained"
    rows = (
        ("tgi/requests", "demand", Form.RATE, "requests/s", "Requests.", "tgi_request_count", 1.0, tgi),
        ("tgi/queue", "pressure", Form.SUM, "requests", "Requests that wait.", "tgi_queue_size", 1.0, tgi),
        ("tgi/latency-p90", "pressure", Form.P90, "s", "Time of a request.", "tgi_request_duration", 1.0, tgi),
        (
            "torchserve/requests",
            "demand",
            Form.RATE,
            "requests/s",
            "Requests.",
            "ts_inference_requests_total",
            1,
            torch,
        ),
        ("torchserve/queue-time", "pressure", Form.MEAN, "s", "Time in the queue.", "QueueTime", _MS, torch),
    )
    for name, kind, form, unit, meaning, metric, scale, legacy in rows:
        told = Candidate((metric,), scale)
        yield _preset(name, kind, form, unit, meaning, told, match=_SERVICE, legacy=legacy)


def _preset(  # noqa: PLR0913 - a row of a table
    name: str,
    kind: str,
    form: Form,
    unit: str,
    meaning: str,
    *candidates: Candidate,
    match: Mapping[str, str],
    ceiling: float | None = None,
    per_pod: bool = False,
    legacy: str = "",
) -> Preset:
    meant: Literal["demand", "pressure"] = "demand" if kind == "demand" else "pressure"
    return Preset(name, meant, form, unit, meaning, candidates, match, ceiling, per_pod, legacy)


_SOURCES = (
    *(_of_vllm, _of_sglang, _of_other_servers, _of_ray, _of_the_mesh),
    *(_of_knative, _of_devices, _of_kubernetes, _of_legacy),
)
PRESETS: Mapping[str, Preset] = {preset.name: preset for source in _SOURCES for preset in source()}


def preset_named(name: str) -> Preset:
    """The preset of a name. Raises ValueError that names the nearest one."""
    if name not in PRESETS:
        guess = nearest(name, PRESETS) or "; `foresail signals` lists them"
        raise ValueError(f"{name!r} is not a preset{guess}")
    return PRESETS[name]
