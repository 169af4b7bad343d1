"""`foresail calibrate` on a real Prometheus that holds days of a model server whose curve is known."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.integration.servers.prometheus import Series
from tests.policies.calibration.servers import Server, daily_load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.arrays import FloatArray
    from tests.integration.servers.prometheus import Prometheus

STEP_S = 30
WINDOWS = 2 * 86_400 // STEP_S
PODS = 2
SERVER = Server()
LIMIT = SERVER.limit_per_s(0.03, 0.95)


def served(end_s: float) -> Iterator[Series]:
    """What two pods of vLLM would have counted, with a restart of the second in the middle."""
    load = daily_load(900.0, 0.5, windows=WINDOWS, seed=3)
    at_s = np.asarray(end_s - STEP_S * np.arange(WINDOWS)[::-1], np.float64)
    for pod in range(PODS):
        seen = SERVER.history(load, replicas=1.0, step_s=float(STEP_S), seed=pod)
        itl = seen.latencies[0]
        labels = {"namespace": "llm", "pod": f"chat-7d9f-{pod}", "model_name": "m"}
        name = "vllm:inter_token_latency_seconds"
        for place, bound in enumerate(itl.bounds_s):
            text = "+Inf" if np.isinf(bound) else f"{bound:g}"
            yield _counter(f"{name}_bucket", {**labels, "le": text}, at_s, itl.below_per_s[:, place], pod)
        yield _counter(f"{name}_sum", labels, at_s, itl.sum_ratio, pod)
        yield _counter("vllm:generation_tokens_total", labels, at_s, seen.served_per_s, pod)
        yield Series("vllm:num_requests_running", labels, at_s.tolist(), seen.in_flight.tolist())
        yield Series("vllm:num_requests_waiting", labels, at_s.tolist(), [0.0] * WINDOWS)


def _counter(name: str, labels: dict[str, str], at_s: FloatArray, per_s: FloatArray, pod: int) -> Series:
    total = np.cumsum(per_s * STEP_S)
    if pod:
        total[WINDOWS // 2 :] -= total[WINDOWS // 2 - 1]
    return Series(name, labels, at_s.tolist(), total.tolist())


def calibrated(prometheus: Prometheus, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "foresail"), "calibrate", "-n", "llm", "chat"]
    command += ["--prometheus-url", prometheus.url, "--days", "2", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


def test_a_model_server_is_calibrated_from_prometheus(prometheus: Prometheus) -> None:
    prometheus.backfill(list(served(int(time.time()) // STEP_S * STEP_S)))

    done = calibrated(prometheus, "--objective", "itl=30ms@p95", "--declared", "2500", "-o", "json")

    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)
    limit = found["objectives"][0]["limit"]
    assert limit["low"] < LIMIT < limit["high"]
    assert limit["high"] - limit["low"] < 0.1 * LIMIT
    assert found["curve"]["baseSeconds"]["low"] < 0.012 < found["curve"]["baseSeconds"]["high"]
    assert found["curve"]["eachSeconds"]["low"] < 0.0003 < found["curve"]["eachSeconds"]["high"]
    assert found["windows"]["used"] > 1_350  # of 1440
    assert [each["code"] for each in found["findings"]] == ["limit_contradicted"]
    # Three columns, in flight, two histograms that are not there and one that is: ten queries of two days.
    assert "asked 20 of 500 queries" in done.stderr

    apart = calibrated(prometheus, "--by", "pod", "--max-queries", "20", "-o", "json")
    assert apart.returncode == 0, apart.stderr
    assert json.loads(apart.stdout)["windows"]["windows"] == 2 * 720
    assert "the budget of queries paid for 1 of 2 days" in apart.stderr


@pytest.mark.usefixtures("prometheus")
def test_a_workload_that_is_not_there(prometheus: Prometheus) -> None:
    done = calibrated(prometheus)

    assert done.returncode == 1
    assert "no series within 2 days; check namespace and workload, --metrics, or give --throughput" in done.stderr
