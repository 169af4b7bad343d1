"""Every PromQL of every panel returns data on the demo's Prometheus.

What a demo cannot have stands in `EXCEPTIONS` with its reason, and returns data on series with the names and labels
that their exporters write; those of GPUs come from the real agent, on the C library in the place of NVML.
"""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.controller.adapters.nvml.stand_in import StandIn, compiled
from tests.dashboards.boards import FILLED_IN, Asked, asked, filled_in
from tests.integration.servers.process import (
    Launch,
    MissingServer,
    ServerProcess,
    eventually,
    free_port,
    http_ok,
    http_request,
)
from tests.integration.servers.prometheus import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.integration.servers.prometheus import Prometheus

pytestmark = pytest.mark.timeout(600)

FORESAIL = str(Path(sys.executable).parent / "foresail")
CHOSEN = {**FILLED_IN, "$namespace": "demo", "$workload": "chat"}
ALL = {**FILLED_IN, "$namespace": ".*", "$workload": ".*"}
# What PromQL of panels asks for and the demo's Prometheus has no series of, and why.
EXCEPTIONS = {
    r"ALERTS\{": "the demo loads no rules: they would be evaluated at the real time, weeks after its samples",
    r"kube_horizontalpodautoscaler_status": "no HPA scales the demo's workloads",
    r"foresail_gpu_(?!quota)": "the demo's GPUs are simulated, and Foresail's agent reads real ones alone",
    r"^max \(foresail_gpu_quota_withheld": "no quota of GPUs without GPUs",
    r"node_total_hourly_cost": "nobody bills simulated nodes: no OpenCost",
    r"karpenter_": "no Karpenter makes simulated nodes",
    r'foresail_capacity_(desired|ready|recommended)|foresail_spot_|against="on_demand"': "no workload has placement",
    r"foresail_vpa_recommendation_": "the simulated cluster has nothing whose containers could be sized",
    r"foresail_capacity_seen_ratio": "what is seen contradicts no declared capacity",
    r'horizon="1d"': "what was told a day before needs a demo of a day, 15 minutes at its fastest",
    r"foresail_intervention_": "nobody pauses or overrides a workload of the demo",
    r"^clamp_min\(.*foresail_outlook_above_max_": "not every load of the demo comes to need more than its maximum",
}
FIRST_TOLD = "foresail_outlook_replicas offset 65m"  # the next week is first looked at in minute 25, or later
SPEED = 100
PATIENCE_S = 300.0
HOUR_S, DAY_S = 3_600.0, 86_400.0


def excepted(expr: str) -> bool:
    """Whether the demo may have no data of it."""
    return any(re.search(pattern, expr) for pattern in EXCEPTIONS)


def test_every_query_returns_data_on_the_demo(tmp_path: Path, prometheus: Prometheus) -> None:
    prometheus.stop()  # only to skip where there is none; the demo starts its own
    with demo(tmp_path) as (server, daemon):
        eventually(lambda: result(server, FIRST_TOLD, last_tick(daemon)), PATIENCE_S, what="what was told an hour ago")
        expected = [each for each in asked() if not excepted(each.expr)]
        assert len(expected) > 220
        missing = without_data(server, expected, CHOSEN, last_tick(daemon))

        def found() -> bool:
            """On a machine that has much to do, scrapes fail now and then: what a moment lacks, another has."""
            again = [each for each in expected if told(each) in missing]
            missing[:] = without_data(server, again, CHOSEN, last_tick(daemon))
            return not fails(missing)

        eventually(found, 60.0, what="data of every query")


def test_exceptions_are_of_queries_that_there_are() -> None:
    assert [pattern for pattern in EXCEPTIONS if not any(re.search(pattern, each.expr) for each in asked())] == []


def test_what_the_demo_cannot_have_returns_data_where_it_is(tmp_path: Path, prometheus: Prometheus) -> None:
    now_s = time.time()
    prometheus.backfill(series(now_s))
    with agent(tmp_path) as address:
        prometheus.scrape(address)
        rest = [each for each in asked() if excepted(each.expr)]

        def filled() -> bool:
            left = without_data(prometheus.url, rest, CHOSEN, now_s)
            again = [each for each in rest if told(each) in left]
            return not fails(without_data(prometheus.url, again, ALL, time.time()))

        eventually(filled, 40.0, what="data of every exception")


def without_data(url: str, queries: list[Asked], values: Mapping[str, str], at_s: float) -> list[str]:
    """The queries without a result, as people find them: now, or over the hour before where a panel shows that."""
    asked = {told(each): filled_in(_asked(each), values) for each in queries}
    none_now = {name: expr for name, expr in asked.items() if not result(url, expr, at_s)}
    over_time = {told(each) for each in queries if not each.instant}
    return [name for name, expr in none_now.items() if name not in over_time or not results(url, expr, at_s)]


def fails(missing: list[str]) -> bool:
    """Fail the test with all that has no data; False when there is none."""
    assert not missing, "no data:\n" + "\n".join(missing)
    return False


def _asked(each: Asked) -> str:
    """What is asked; of an annotation without the condition by which it tells of events alone."""
    return each.expr if each.panel else each.expr.removesuffix(" > 0")


def told(each: Asked) -> str:
    """Where it stands, and what it asks."""
    return f"{each.uid} {each.panel} {each.title} {each.ref}: {each.expr}"


def result(url: str, expr: str, at_s: float) -> list[float]:
    """The numbers that an instant query results in; fails the test when it is refused."""
    found = _answered(url, "query", {"query": expr, "time": f"{at_s:.3f}"})
    return _numbers([each["value"]] for each in found)


def results(url: str, expr: str, at_s: float) -> list[float]:
    """The same each minute of the hour before: some tell only of moments at which something happened."""
    asked = {"query": expr, "start": f"{at_s - HOUR_S:.3f}", "end": f"{at_s:.3f}", "step": "60"}
    return _numbers(each["values"] for each in _answered(url, "query_range", asked))


def _answered(url: str, kind: str, asked: dict[str, str]) -> list[dict[str, Any]]:
    status, body = http_request("GET", f"{url}/api/v1/{kind}?{urlencode(asked)}", timeout_s=30.0)
    assert status == 200, f"{asked['query']}: {body.decode(errors='replace')}"
    found: list[dict[str, Any]] = json.loads(body)["data"]["result"]
    return found


def _numbers(series: Iterable[list[list[Any]]]) -> list[float]:
    values = [float(value) for samples in series for _, value in samples]
    return [value for value in values if not math.isnan(value)]


@contextmanager
def demo(folder: Path) -> Iterator[tuple[str, str]]:
    """The demo; the addresses of its Prometheus and of its daemon."""
    out = folder / "out"
    with out.open("wb") as written:
        argv = [FORESAIL, "demo", "--plain", f"--speed={SPEED}"]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT)
    try:
        server, daemon = eventually(lambda: addresses(out.read_text()), PATIENCE_S, what="the demo to begin")
        yield server, daemon
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30.0)
        finally:
            process.kill()


def addresses(told: str) -> list[str]:
    """Of its Prometheus and its daemon, once the demo tells both."""
    found = re.findall(r"(?:simulated time:|Foresail's metrics:) (http://[\d.:]+)", told)
    return found if len(found) == 2 else []


def last_tick(daemon: str) -> float:
    """The simulated time of the last tick; 0 before the first."""
    try:
        _, body = http_request("GET", f"{daemon}/metrics")
    except (OSError, HTTPException):
        return 0.0
    found = re.search(rb"^foresail_loop_last_success_timestamp_seconds (\S+)$", body, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


@contextmanager
def agent(folder: Path) -> Iterator[str]:
    """The GPU agent on the C library in the place of NVML; its `host:port`."""
    try:
        nvml = StandIn(compiled(folder), folder / "state")
    except MissingServer as error:
        pytest.skip(str(error))
    nvml.set()
    address = f"127.0.0.1:{free_port()}"
    argv = [FORESAIL, "agent", f"--listen={address}", "--interval=0.5", "--deadline=5", "--node=n1"]
    ready = Launch("agent", argv, folder, lambda: http_ok(f"http://{address}/readyz"), nvml.environment())
    with ServerProcess(ready):
        yield address


def series(now_s: float) -> Iterator[Series]:
    """What others export, and what Foresail does of clusters that are not the demo's: for 40 minutes up to now."""
    whose = {"namespace": "demo", "workload": "chat"}
    kinds = [{**whose, "capacity_type": kind} for kind in ("on_demand", "spot")]
    for name in ("desired", "ready", "recommended"):
        yield from (growing(f"foresail_capacity_{name}_replicas", now_s, **labels) for labels in kinds)
    for name in ("noticed_replicas", "missing_replicas", "short_ratio"):
        yield growing(f"foresail_spot_{name}", now_s, **whose)
    yield growing("foresail_spot_interruptions_total", now_s, zone="a")
    yield growing("foresail_savings_usd_per_hour", now_s, **whose, against="on_demand")
    container = {**whose, "kind": "Deployment", "container": "server", "bound": "target"}
    yield from (growing(f"foresail_vpa_recommendation_{unit}", now_s, **container) for unit in ("cores", "bytes"))
    for name in ("capacity_seen_ratio", "gpu_allocated_devices", "gpu_idle_devices", "gpu_quota_withheld_replicas"):
        yield growing(f"foresail_{name}", now_s, **whose)
    yield growing("foresail_desired_replicas", now_s, **whose)
    maximum = {**whose, "quantile": "0.5", "bound": "maximum"}
    yield growing("foresail_outlook_above_max_timestamp_seconds", now_s, **maximum)
    for quantile in ("0.1", "0.5", "0.9"):
        outlook = {**whose, "horizon": "1d", "quantile": quantile}
        yield growing("foresail_outlook_replicas", now_s - DAY_S, **outlook)
    yield growing("foresail_load_replicas", now_s, **whose)
    yield growing("foresail_intervention_until_timestamp_seconds", now_s, **whose, kind="pause")
    yield from of_others(now_s)


def of_others(now_s: float) -> Iterator[Series]:
    """Names and labels as kube-state-metrics 2, OpenCost, Karpenter and Prometheus have them."""
    yield growing("ALERTS", now_s, alertname="ForesailWatchdog", alertstate="firing")
    hpa = {"namespace": "demo", "horizontalpodautoscaler": "chat"}
    yield growing("kube_horizontalpodautoscaler_info", now_s, **hpa, scaletargetref_name="chat")
    yield growing("kube_horizontalpodautoscaler_status_desired_replicas", now_s, **hpa)
    gpu = {"node": "n1", "gpu": "0", "uuid": "GPU-0", "pci_bus_id": "00000000:10:00.0"}
    yield growing("foresail_gpu_xid_errors_total", now_s, **gpu, xid="79")  # the stand-in has no fault,
    yield growing("foresail_gpu_unsupported", now_s, **gpu, quantity="energy", reason="not_supported")  # tells all,
    yield growing("foresail_gpu_pcie_bytes_per_second", now_s, **gpu, direction="transmit")  # and counts
    node = {"node": "n1", "instance_type": "g5.xlarge"}
    yield from (growing(name, now_s, **node) for name in ("node_total_hourly_cost", "kubecost_node_is_spot"))
    offer = {"instance_type": "g5.xlarge", "capacity_type": "spot", "zone": "a"}
    yield growing("karpenter_cloudprovider_instance_type_offering_price_estimate", now_s, **offer)


def growing(name: str, end_s: float, **labels: str) -> Series:
    """A series of 40 minutes that grows by one each half minute."""
    return Series(name, labels, [end_s - 30.0 * (80 - step) for step in range(81)], [float(step) for step in range(81)])
