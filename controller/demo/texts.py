"""What the simulated world exports, in Prometheus' text format, each sample with the simulated time.

Names and labels are those of kube-state-metrics, vLLM and the DCGM exporter, as far as dashboards ask for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from controller.demo.load import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.demo.engine import Times
    from controller.demo.servers import Moment, Pod

GPUS_PER_NODE = 8
GPUS = 80  # in the simulated cluster; all workloads at their maxima take 78
_GPU_MIB = 81_920.0
_MODEL = 'model_name="demo",engine="0"'

Samples = Iterable[tuple[str, float]]  # labels, value


def gateway_text(moment: Moment) -> str:
    """What the gateway in front of all workloads exports."""

    def by_app(requests: Mapping[str, float]) -> Samples:
        return ((f'namespace="{NAMESPACE}",app="{app}"', value) for app, value in requests.items())

    return _exposed(
        moment.at_s,
        ("demo_requests_total", "counter", by_app(moment.arrived)),
        ("demo_requests_rejected_total", "counter", by_app(moment.rejected)),
        ("demo_requests_late_total", "counter", by_app(moment.late)),
    )


def pod_text(pod: Pod, at_s: float) -> str:
    """What one pod exports; its labels come with its scrape target."""
    engine = pod.engine
    return _exposed(
        at_s,
        ("demo_requests_served_total", "counter", [("", engine.served)]),
        ("demo_requests_waiting", "gauge", [("", pod.waiting)]),
        ("vllm:num_requests_waiting", "gauge", [(_MODEL, pod.waiting)]),
        ("vllm:num_requests_running", "gauge", [(_MODEL, engine.running)]),
        ("vllm:kv_cache_usage_perc", "gauge", [(_MODEL, 0.9 * engine.busy)]),
        *_histogram("vllm:time_to_first_token_seconds", engine.first_token),
        *_histogram("vllm:e2e_request_latency_seconds", engine.whole),
    )


def cluster_text(moment: Moment) -> str:
    """What kube-state-metrics would export. No rollout ever happens here, and every node is ready."""
    deployed = [(f'namespace="{NAMESPACE}",deployment="{each.name}"', each.replicas) for each in moment.deployed]
    pods = [(f'namespace="{NAMESPACE}",pod="{pod.name}"', pod) for pod in moment.pods.values()]
    nodes = [f'node="{_node(gpu)}"' for gpu in range(0, GPUS, GPUS_PER_NODE)]
    return _exposed(
        moment.at_s,
        ("kube_deployment_status_replicas", "gauge", deployed),
        ("kube_deployment_status_replicas_updated", "gauge", deployed),
        ("kube_pod_created", "gauge", ((labels, pod.created_at_s) for labels, pod in pods)),
        (
            "kube_pod_status_ready_time",
            "gauge",
            ((labels, pod.ready_at_s) for labels, pod in pods if pod.ready_at_s is not None),
        ),
        ("kube_node_created", "gauge", ((node, moment.began_s) for node in nodes)),
        ("kube_node_status_condition", "gauge", ((f'{node},condition="Ready",status="true"', 1) for node in nodes)),
    )


def gpus_text(moment: Moment) -> str:
    """What the DCGM exporter would tell of the GPUs: each server has one, and takes nearly all of its memory."""
    pods = {pod.engine.gpu: pod for pod in moment.pods.values()}
    busy = {gpu: pods[gpu].engine.busy if gpu in pods else 0.0 for gpu in range(GPUS)}
    used = {gpu: (0.9 if gpu in pods else 0.0) * _GPU_MIB for gpu in busy}
    figures: dict[str, dict[int, float]] = {
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE": busy,
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": {gpu: 0.6 * share for gpu, share in busy.items()},
        "DCGM_FI_DEV_FB_USED": used,
        "DCGM_FI_DEV_FB_FREE": {gpu: _GPU_MIB - mib for gpu, mib in used.items()},
        "DCGM_FI_DEV_GPU_TEMP": {gpu: 32.0 + 38.0 * share for gpu, share in busy.items()},
        "DCGM_FI_DEV_POWER_USAGE": {gpu: 70.0 + 550.0 * share for gpu, share in busy.items()},
        "DCGM_FI_DEV_SM_CLOCK": {gpu: 1_980.0 if gpu in pods else 345.0 for gpu in busy},
        "DCGM_FI_DEV_XID_ERRORS": dict.fromkeys(busy, 0.0),
    }
    return _exposed(
        moment.at_s,
        *(
            (name, "gauge", ((_device(gpu, pods.get(gpu)), value) for gpu, value in values.items()))
            for name, values in figures.items()
        ),
    )


def _device(gpu: int, pod: Pod | None) -> str:
    of_pod = "" if pod is None else f',namespace="{NAMESPACE}",pod="{pod.name}",container="server"'
    return f'hostname="{_node(gpu)}",gpu="{gpu % GPUS_PER_NODE}",UUID="GPU-demo-{gpu}"{of_pod}'


def _node(gpu: int) -> str:
    return f"demo-{gpu // GPUS_PER_NODE + 1}"


def _histogram(name: str, times: Times) -> Iterator[tuple[str, str, Samples]]:
    at_most = [*zip(map(str, times.bounds_s), times.at_most, strict=True), ("+Inf", times.total)]
    buckets = ((f'{_MODEL},le="{bound}"', count) for bound, count in at_most)
    yield f"{name}_bucket", "", buckets
    yield f"{name}_sum", "", [(_MODEL, times.sum_s)]
    yield f"{name}_count", "", [(_MODEL, times.total)]


def _exposed(at_s: float, *families: tuple[str, str, Samples]) -> str:
    """Families (name, type, samples) as text; parts of a histogram have no type of their own."""
    stamp, lines = round(at_s * 1000), list[str]()
    for name, kind, samples in families:
        lines += [f"# TYPE {name} {kind}"] if kind else []
        lines += [f"{name}{{{labels}}} {value!r} {stamp}" for labels, value in samples]
    return "\n".join([*lines, ""])
