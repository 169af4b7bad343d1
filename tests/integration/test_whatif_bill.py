"""`foresail simulate --calibrate opencost:NAMESPACE`: last month's bill by OpenCost's metrics on a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.integration.servers.prometheus import Series
from tests.simulations.whatif.builders import document

if TYPE_CHECKING:
    from tests.integration.servers.prometheus import Prometheus

POD = "web-6d4cf56db6-x7k2p"
GIB = 1024.0**3


def told(name: str, value: float, hours: list[float], **labels: str) -> Series:
    """One series of OpenCost, every five minutes."""
    return Series(name, {"job": "opencost", **labels}, hours, [value] * len(hours))


async def calibrated(prometheus: Prometheus, folder: Path, named: str) -> subprocess.CompletedProcess[str]:
    (folder / "fixed.yaml").write_text(yaml.safe_dump(document(policies=[{"name": "a", "replicas": "fixed:2"}])))
    command = [str(Path(sys.executable).parent / "foresail"), "simulate", str(folder / "fixed.yaml"), "--jobs", "1"]
    command += ["--calibrate", named, "--prometheus-url", prometheus.url, "-o", "json"]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=100)


async def test_the_bill_of_a_workload(prometheus: Prometheus, tmp_path: Path) -> None:
    first = time.time() // 300 * 300 - 4 * 86_400
    hours = [first + 300 * number for number in range(2 * 288)]
    prices = [("node_cpu_hourly_cost", 0.03), ("node_ram_hourly_cost", 0.004), ("node_gpu_hourly_cost", 0.9)]
    given = {"container_cpu_allocation": 4.0, "container_memory_allocation_bytes": 16 * GIB}
    series = [told(name, value, hours, node="n1") for name, value in prices]
    for pod in (POD, "web-api-6d4cf56db6-x7k2p"):
        place = {"namespace": "shop", "pod": pod, "node": "n1"}
        series += [told(name, value, hours, container="web", **place) for name, value in given.items()]
    series.append(told("container_gpu_allocation", 1.0, hours, namespace="shop", pod=POD, node="n1", container="web"))
    prometheus.backfill(series)

    # web: 4 cores at 0.03, 16 GiB at 0.004 and a GPU at 0.9 are 1.084 an hour, 26.016 a day; web-api is another
    # workload, without the GPU: 0.184 an hour more for the namespace
    for named, a_day in (("opencost:shop/web", 26.016), ("opencost:shop", 30.432)):
        done = await calibrated(prometheus, tmp_path, named)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)["calibration"]
        assert found["figures"]["cost"]["observed"] == pytest.approx(a_day)
        assert found["days"] == pytest.approx(2.0, abs=0.02)  # the last value stands for five minutes more


async def test_a_namespace_that_opencost_does_not_know_is_told(prometheus: Prometheus, tmp_path: Path) -> None:
    done = await calibrated(prometheus, tmp_path, "opencost:nowhere")
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr
    wrong = await calibrated(prometheus, tmp_path, "opencost:")
    assert wrong.returncode == 2
    assert "needs a namespace" in wrong.stderr
