"""What the lint says of signals that cannot work, and its silence of those that do."""

from __future__ import annotations

from typing import Any

import pytest

from policies.presets.lint import Present, histograms_in, lint, names_in
from tests.policies.presets.test_written import policy

TTFT = 'clamp(1 - sum(rate(t_bucket{{app="a", le="{}"}}[5m])) / sum(rate(t_count[5m])), 0, 1)'
LOAD: dict[str, Any] = {"kind": "demand", "name": "load", "query": "requests", "capacityPerReplica": 10}
CPU: dict[str, Any] = {"preset": "cadvisor/cpu", "capacityFromRequest": {"resource": "cpu"}}


def _late(le: str) -> dict[str, Any]:
    return {"kind": "late", "name": "late", "query": TTFT.format(le)}


@pytest.mark.parametrize(
    ("signal", "path", "words"),
    [
        pytest.param(
            {"preset": "vllm/kv-cache", "target": {"value": 1}},
            "spec.signals[1].target",
            "vllm/kv-cache never rises above 1, so a target of 1 never asks for more",
            id="at-the-ceiling",
        ),
        pytest.param(
            {"preset": "vllm/kv-cache", "target": {"value": 80}}, "spec.signals[1].target", "above 1", id="per-cent"
        ),
        pytest.param(
            {"preset": "vllm/ttft-p90", "target": {"averageValue": 2}},
            "spec.signals[1].target.averageValue",
            "one value for all replicas",
            id="latency-divided-by-replicas",
        ),
    ],
)
def test_targets_that_cannot_be_reached_need_no_server(signal: dict[str, Any], path: str, words: str) -> None:
    (found,) = lint(policy(LOAD, signal), None)

    assert found.path == path
    assert words in found.meaning


def test_a_target_within_reach_is_nothing_to_tell() -> None:
    read = policy(LOAD, {"preset": "vllm/kv-cache", "target": {"value": 0.8}})

    assert lint(read, None) == ()
    assert lint(read, Present(names={"vllm:gpu_cache_usage_perc"})) == ()


def test_a_preset_without_series_names_the_option_that_brings_them() -> None:
    (found,) = lint(policy(LOAD, {"preset": "triton/first-response-p90", "target": {"value": 1}}), Present())

    assert found.path == "spec.signals[1].preset"
    assert found.mend == "start tritonserver with --metrics-config histogram_latencies=true"


@pytest.mark.parametrize(
    ("query", "mend"),
    [
        pytest.param("DCGM_FI_DEV_THERMAL_VIOLATION", "CSV of counters", id="violation"),
        pytest.param("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "CSV of counters", id="ecc"),
        pytest.param("DCGM_FI_PROF_SM_ACTIVE", "CSV of counters", id="sm-active"),
        pytest.param("nv_inference_request_summary_us", "summary_latencies=true", id="triton-summary"),
    ],
)
def test_a_metric_that_is_left_out_by_default_is_told_with_its_option(query: str, mend: str) -> None:
    read = policy(LOAD, {"kind": "pressure", "name": "p", "query": query, "target": {"value": 1}})

    (found,) = lint(read, Present())
    assert mend in found.mend
    assert names_in([read]) == {query}
    assert lint(read, Present(names={query})) == ()


@pytest.mark.parametrize(
    ("le", "words"),
    [
        pytest.param("2.0", "lies between its buckets 1 and 2.5", id="between"),
        pytest.param("9", "outside", id="above-all"),
        pytest.param("0.1", "outside", id="below-all"),
    ],
)
def test_an_objective_between_buckets_names_both(le: str, words: str) -> None:
    read = policy(LOAD, _late(le))

    (found,) = lint(read, Present(buckets={"t": (0.5, 1.0, 2.5)}))
    assert words in found.meaning
    assert histograms_in([read]) == {"t"}


@pytest.mark.parametrize("le", ["2.5", "1", "+Inf"])
def test_a_bucket_that_is_there_is_nothing_to_tell(le: str) -> None:
    assert lint(policy(LOAD, _late(le)), Present(buckets={"t": (0.5, 1.0, 2.5)})) == ()


def test_use_without_requests_is_told() -> None:
    names = {"container_cpu_usage_seconds_total"}

    (found,) = lint(policy(CPU), Present(names=names, unrequested={("ml/chat", "cpu"): 2}))

    assert found.meaning.startswith("2 containers of chat ask for no cpu")
    assert lint(policy(CPU), Present(names=names, unrequested={("ml/chat", "cpu"): 0})) == ()
