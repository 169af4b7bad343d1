"""Presets on a real Prometheus: every candidate binds and answers in base units, also while its metric is renamed."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import yaml

from controller.adapters.prometheus import PrometheusSource
from controller.adapters.prometheus.metered import Budget, MeteredPrometheus
from controller.adapters.prometheus.present import unrequested
from controller.adapters.prometheus.witness import witness_of
from controller.clients.http import HttpAccess
from controller.loop.bindings import Bound, bindings
from controller.records import SignalQuery
from policies.presets.catalogue import PRESETS
from policies.presets.lint import Counted
from policies.presets.model import Form
from tests.controller.cli.shared import run
from tests.integration.servers.prometheus import Series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from policies.presets.model import Preset
    from tests.integration.servers.prometheus import Prometheus

STEP_S = 15.0
POINTS = 60
LABELS = {"app": "chat", "instance": "10.0.0.1:80", "pod": "chat-1", "tp_rank": "0", "reporter": "destination"}
MORE = {"container": "c", "image": "i"}


def _series(preset: Preset, name: str, labels: dict[str, str], at_s: list[float]) -> list[Series]:
    """One replica that tells 40 of the exported unit: a gauge of 40, 40 a second, or times that are 40 each."""
    count = [STEP_S * place for place in range(len(at_s))]
    by_40 = [40 * each for each in count]
    match preset.form:
        case Form.SUM | Form.MEAN:
            return [Series(name, labels, at_s, [40.0] * len(at_s))]
        case Form.RATE:
            return [Series(name, labels, at_s, by_40)]
        case Form.RATIO:
            return [Series(f"{name}_sum", labels, at_s, by_40), Series(f"{name}_count", labels, at_s, count)]
        case Form.P90:
            bounds = {"20": [0.0] * len(at_s), "40": count, "+Inf": count}
            return [Series(f"{name}_bucket", labels | {"le": le}, at_s, values) for le, values in bounds.items()]


# Of 40 as exported. Percentiles: 0.9 of the way from 20 to 40 is 38.
EXPECTED = {
    "triton/first-response-p90": 0.038,
    "tensorflow-serving/latency-p90": 38e-6,
    "tensorflow-serving/latency-mean": 40e-6,
    "ray-serve/latency-p90": 0.038,
    "istio/latency-p90": 0.038,
    "envoy/latency-p90": 0.038,
    "torchserve/queue-time": 0.04,
}
OF_NAME = {"DCGM_FI_DEV_FB_USED": 41_943_040.0, "DCGM_FI_DEV_GPU_UTIL": 0.4}  # 40 MiB, 40 %


def _times() -> list[float]:
    end_s = int(time.time()) // 15 * 15
    return [end_s - STEP_S * back for back in range(POINTS, 0, -1)]


def _answer(prometheus: Prometheus, query: str, at_s: float) -> list[float]:
    return [float(each["value"][1]) for each in prometheus.query(query, at_s=at_s)]


def _by_app(prometheus: Prometheus, query: str, at_s: float) -> dict[str, float]:
    return {
        each["metric"].get("app", ""): round(float(each["value"][1]), 9) for each in prometheus.query(query, at_s=at_s)
    }


async def _bindings(prometheus: Prometheus, signals: Sequence[Bound], at_s: float) -> dict[str, tuple[str, ...]]:
    async with PrometheusSource(HttpAccess(prometheus.url)) as source:
        return await bindings(source, signals, at_s)


def test_every_candidate_alone_is_bound_and_answers_in_base_units_with_a_witness(prometheus: Prometheus) -> None:
    """Each candidate of each preset has an app of its own, which exports nothing else."""
    at_s = _times()
    alone = {
        f"{preset.name} {name}": (preset, name) for preset in PRESETS.values() for name in preset.candidate_names()
    }
    prometheus.backfill(
        [
            series
            for app, (preset, name) in alone.items()
            for series in _series(preset, name, LABELS | MORE | {"app": app}, at_s)
        ]
    )

    got: dict[str, float] = {}
    unwitnessed = []
    for preset in PRESETS.values():
        query = preset.query(("app",))
        told = _by_app(prometheus, query, at_s[-1])
        got |= {app: value for app, value in told.items() if app.startswith(f"{preset.name} ")}
        witness = witness_of(SignalQuery(query, ("app",), preset.per_pod, either=True))
        said = [] if witness is None else prometheus.query(witness.text, at_s=at_s[-1])
        newest = {each["metric"]["app"] for each in said if each["metric"]["__witness__"].startswith("newest")}
        unwitnessed += [app for app in told if app not in newest]

    plain = {app: 38.0 if preset.form is Form.P90 else 40.0 for app, (preset, _) in alone.items()}
    converted = {app: EXPECTED.get(preset.name, OF_NAME.get(name)) for app, (preset, name) in alone.items()}
    assert got == plain | {app: value for app, value in converted.items() if value is not None}
    assert unwitnessed == []
    signals = [Bound(app, preset, (("app", app),)) for app, (preset, _) in alone.items()]
    assert asyncio.run(_bindings(prometheus, signals, at_s[-1])) == {app: (name,) for app, (_, name) in alone.items()}
    shown = run("signals", "--prometheus-url", prometheus.url, "-o", "json")
    rows = json.loads(shown.stdout)["signals"]
    assert [row["preset"] for row in rows if row["missing"]] == []


def test_dcgm_is_converted_and_its_blanks_are_no_values(prometheus: Prometheus) -> None:
    at_s = _times()
    other = LABELS | {"instance": "10.0.0.2:80", "pod": "chat-2"}
    prometheus.backfill(
        [
            Series("DCGM_FI_DEV_GPU_UTIL", LABELS, at_s, [50.0] * POINTS),
            Series("DCGM_FI_DEV_GPU_UTIL", other, at_s, [9223372036854775794.0] * POINTS),
            Series("DCGM_FI_DEV_FB_USED", LABELS, at_s, [2.0] * POINTS),
        ]
    )

    assert _answer(prometheus, PRESETS["gpu/utilisation"].query(("app",)), at_s[-1]) == [0.5]
    assert _answer(prometheus, PRESETS["gpu/memory"].query(("app",)), at_s[-1]) == [2_097_152.0]


def test_a_rename_in_the_middle_leaves_no_gap_and_counts_each_replica_once(prometheus: Prometheus) -> None:
    """Two replicas at 40 tokens/s and 0.4 of the cache: one is upgraded at half time, the other never."""
    at_s, half = _times(), POINTS // 2
    other = LABELS | {"instance": "10.0.0.2:80", "pod": "chat-2"}
    grown = [40 * STEP_S * place for place in range(POINTS)]
    old, new, tokens = "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc", "generation_tokens_total"
    prometheus.backfill(
        [
            Series(old, LABELS, at_s[:half], [0.4] * half),
            Series(new, LABELS, at_s[half:], [0.4] * half),
            Series(old, other, at_s, [0.4] * POINTS),
            Series(f"kserve_vllm:{tokens}", LABELS, at_s[:half], grown[:half]),
            Series(f"vllm:{tokens}", LABELS, at_s[half:], grown[half:]),
            Series(f"kserve_vllm:{tokens}", other, at_s, grown),
        ]
    )
    cache, rate = (PRESETS[name].query(("app",)) for name in ("vllm/kv-cache", "vllm/tokens"))

    moments = at_s[12:]
    assert [_answer(prometheus, cache, moment) for moment in moments] == [[0.4]] * len(moments)
    seen = [_answer(prometheus, rate, moment)[0] for moment in moments]
    assert min(seen) > 40.0  # never the other replica alone
    assert max(seen) < 81.0  # never one replica twice
    assert round(seen[-1], 6) == 80.0


def test_validate_holds_policies_against_what_is_there(prometheus: Prometheus, tmp_path: Path) -> None:
    at_s = _times()
    bucket = "vllm:time_to_first_token_seconds_bucket"
    prometheus.backfill([Series(bucket, LABELS | {"le": le}, at_s, [1.0] * POINTS) for le in ("1.0", "2.5", "+Inf")])
    signals = [
        {"preset": "vllm/ttft-p90", "target": {"value": 2}},
        {"preset": "triton/queue", "target": {"averageValue": 4}},
        {"name": "late", "kind": "late", "query": f'clamp(rate({bucket}{{le="2.0"}}[5m]), 0, 1)'},
    ]
    spec = {
        "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"},
        "replicas": {"max": 9},
        "signals": signals,
    }
    document = {"apiVersion": "foresail.dev/v1alpha1", "kind": "WorkloadPolicy", "metadata": {"name": "chat"}}
    (file := tmp_path / "p.yaml").write_text(yaml.safe_dump(document | {"spec": spec}))

    told = run("policy", "validate", str(file), "--prometheus-url", prometheus.url, "-o", "json")

    warnings = {each["path"]: each["message"] for each in json.loads(told.stdout)["warnings"]}
    assert sorted(warnings) == ["spec.signals[1].preset", "spec.signals[2].query"]
    assert "between its buckets 1 and 2.5" in warnings["spec.signals[2].query"]


async def test_containers_without_requests_are_those_of_the_pods_that_a_workload_owns(prometheus: Prometheus) -> None:
    """Deployments chat and chat-big own a ReplicaSet each; nobody tells who owns chat-old-1. None asks for CPU."""
    at_s = _times()[-20:]
    pods = {"chat-5d-a": "chat-5d", "chat-5d-b": "chat-5d", "chat-big-7f-c": "chat-big-7f", "chat-old-1": ""}
    told = [("kube_pod_container_info", {"pod": pod, "container": "main"}) for pod in pods]
    told += [
        ("kube_pod_owner", {"pod": pod, "owner_kind": "ReplicaSet", "owner_name": owner})
        for pod, owner in pods.items()
        if owner
    ]
    told += [
        ("kube_replicaset_owner", {"replicaset": owner, "owner_kind": "Deployment", "owner_name": owner[:-3]})
        for owner in ("chat-5d", "chat-big-7f")
    ]
    prometheus.backfill([Series(name, labels | {"namespace": "ml"}, at_s, [1.0] * 20) for name, labels in told])

    async with MeteredPrometheus(HttpAccess(prometheus.url), Budget(3)) as source:
        found = [
            await unrequested(source, Counted("ml/x", "ml", kind, name, "cpu"), at_s=at_s[-1])
            for kind, name in (("Deployment", "chat"), ("Deployment", "chat-big"), ("LeaderWorkerSet", "chat"))
        ]

    assert found == [3, 1, 4]  # its own two and the one that nobody owns; its own; all of that name
