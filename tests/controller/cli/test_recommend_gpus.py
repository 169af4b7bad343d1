"""The command `recommend gpus` on servers within the process: findings, money, what is told besides, exit codes."""

from __future__ import annotations

import asyncio
import csv
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from aiohttp import web
from typer.testing import CliRunner

from controller.cli import app
from controller.cli.exits import PARTIAL
from tests.controller.adapters.prometheus_server import serving, vector
from tests.controller.clients.kubernetes_server import ApiServer, listing
from tests.controller.cluster_documents import Document, node, of_deployment, pod

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from typer.testing import Result

EIGHT = {"cpu": "192", "memory": "2000Gi", "nvidia.com/gpu": "8"}
MIG = {"cpu": "48", "memory": "192Gi", "nvidia.com/mig-1g.10gb": "4", "nvidia.com/mig-3g.40gb": "1"}
NODES = (node("a", "p5.48xlarge", has=EIGHT), node("b", "p5.48xlarge", has=EIGHT), node("m", "rack", has=MIG))
PRICES = """\
apiVersion: foresail.dev/v1alpha1
kind: Prices
asOf: 2026-11-01T00:00:00Z
prices:
- {instanceType: rack, onDemand: 4.0}
- {instanceType: p5.48xlarge, onDemand: 64.0}
"""
GPU_HOUR = 64.0 * 0.75 / 8  # six for each of eight GPUs, which carry three quarters of the price
PARTS = (4 / 7 + 3 / 7, 4.0 * 0.75)  # of the node with MIG: four sevenths and three, three in all
MONTH = 730


def with_gpus(name: str, workload: str, on: str, gpus: int, **more: Any) -> Document:  # noqa: ANN401 - whatever a document is
    resource = more.pop("resource", "nvidia.com/gpu")
    return of_deployment(name, workload, on, asks={"cpu": "8", "memory": "64Gi", resource: str(gpus)}, **more)


PODS = (
    with_gpus("chat-1", "chat", "a", 2),
    with_gpus("chat-2", "chat", "b", 3),
    with_gpus("lab-1", "lab", "a", 2, namespace="lab"),
    with_gpus("tiny-1", "tiny", "m", 1, resource="nvidia.com/mig-1g.10gb"),
    with_gpus("llm-1", "llm", "", 8),
    pod("agent", "a", ("DaemonSet", "agent")),
)


def device(on: str, gpu: int, of: str = "", namespace: str = "shop") -> dict[str, str]:
    """Labels as the query has made them."""
    owner = {"namespace": namespace, "pod": of} if of else {}
    return {"node": on, "gpu": f"{on}-{gpu}", **owner}


PEAKS = [
    (device("a", 0, "chat-1"), 0.8),
    (device("a", 1, "chat-1"), 0.001),
    (device("a", 2, "lab-1", "lab"), 0.0),
    (device("a", 3, "lab-1", "lab"), 0.0),
    *((device("b", gpu, "chat-2"), 0.9) for gpu in range(3)),
    ({**device("m", 0, "tiny-1"), "slice": "7"}, 0.0),
    (device("elsewhere", 0), 0.0),
]
DCGM = ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE", "DCGM_FI_PROF_SM_ACTIVE")


def matrix(*series: tuple[Mapping[str, str], float], form: Mapping[str, str]) -> web.Response:
    start, end, step = (float(form[name]) for name in ("start", "end", "step"))
    times = [start + step * number for number in range(int((end - start) / step + 0.5) + 1)]
    result = [{"metric": dict(labels), "values": [[at, str(value)] for at in times]} for labels, value in series]
    return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})


def answers(form: Mapping[str, str], metrics: Sequence[str]) -> web.Response:
    """What a Prometheus with these metrics would say."""
    query = form["query"]
    if "count by (metric)" in query:
        return vector(*(({"metric": name}, "9") for name in metrics))
    if "kube_pod_container_resource_requests" in query:
        shares = ((("a", 4.0), ("b", 3.0)), "nvidia_com_gpu")
        return matrix(*(({"node": name, "resource": shares[1]}, value) for name, value in shares[0]), form=form)
    if "avg by (node)" in query:
        return matrix(({"node": "a"}, 0.05), ({"node": "b"}, 0.3), form=form)
    if "max_over_time(DCGM_FI_DEV_FB_USED" in query:
        used = ("20",) * 4 if "FB_FREE" in query else ("15", "15", "0.2", "0.2")
        return vector(*((labels, amount) for (labels, _), amount in zip(PEAKS, used, strict=False)))
    if "_over_time(" in query:
        return vector(*((labels, str(value)) for labels, value in PEAKS))
    return vector()


@asynccontextmanager
async def cluster(folder: Path, pods: Sequence[Document] = PODS) -> AsyncIterator[ApiServer]:
    (folder / "prices.yaml").write_text(PRICES)
    async with ApiServer(folder) as server:
        server.on("GET /api/v1/nodes", listing(*NODES, version="1"))
        server.on("GET /api/v1/pods", listing(*pods, version="1"))
        yield server


async def run(server: ApiServer, folder: Path, *options: str, metrics: Sequence[str] | None = DCGM) -> Result:
    arguments = ["recommend", "gpus", "--kubeconfig", str(server.kubeconfig), "--prices", str(folder / "prices.yaml")]
    if metrics is None:
        return await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *options])
    async with serving() as prometheus:
        prometheus.answer = lambda form: answers(form, metrics)
        arguments += ["--prometheus-url", prometheus.url, *options]
        return await asyncio.to_thread(CliRunner().invoke, app, arguments)


def of_kind(found: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {f"{each['namespace']}/{each['what']}": each for each in found["findings"] if each["kind"] == kind}


async def test_idle_gpus_are_found_by_workload_and_priced(tmp_path: Path) -> None:
    async with cluster(tmp_path) as server:
        done = await run(server, tmp_path, "-o", "json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    idle = of_kind(found, "idle")
    assert {name: each["devices"] for name, each in idle.items()} == {
        "shop/Deployment chat": 1,
        "lab/Deployment lab": 2,
        "shop/Deployment tiny": 1,
    }
    assert idle["shop/Deployment chat"]["perMonth"] == pytest.approx(GPU_HOUR * MONTH)
    assert idle["shop/Deployment chat"]["why"] == (
        "1 of the 5 that its pods have stayed below 2 % activity for 1h (chat-1); 1 of them with memory in use"
    )
    assert idle["lab/Deployment lab"]["mend"].startswith("nothing is loaded on them")
    assert idle["shop/Deployment tiny"]["mend"].startswith("scale it down"), "of its memory nothing is told"
    assert idle["shop/Deployment tiny"]["perMonth"] == pytest.approx(PARTS[1] / 7 * MONTH)
    assert found["idlePerMonth"] == pytest.approx((3 * GPU_HOUR + 3 / 7) * MONTH)
    assert found["readFrom"][0] == {
        "quantity": "activity",
        "metric": "DCGM_FI_PROF_SM_ACTIVE",
        "exporter": "dcgm-exporter",
        "tellsFull": True,
    }
    assert found["warnings"][-1] == "1 GPUs are told of on nodes that are not in this cluster, and were left out"


async def test_pools_are_full_or_empty_by_allocation_and_by_activity(tmp_path: Path) -> None:
    async with cluster(tmp_path) as server:
        done = await run(server, tmp_path, "-o", "yaml")
    found = yaml.safe_load(done.stdout)
    first = found["pools"][0]
    assert (first["instanceType"], first["resource"], first["devices"], first["allocated"]) == (
        "p5.48xlarge", "nvidia.com/gpu", 16, 7,
    )  # fmt: skip
    # Both nodes are active at (0.05 + 0.3) / 2, of which 7 of 16 are allocated.
    assert first["activityRatio"] == pytest.approx(0.175 * 16 / 7)
    assert (first["byAllocation"], first["byActivity"], first["asOfNow"]) == ("consolidate", "consolidate", False)
    assert {each["resource"]: each["asOfNow"] for each in found["pools"][1:]} == {
        "nvidia.com/mig-1g.10gb": False,
        "nvidia.com/mig-3g.40gb": False,
    }
    empty = next(each for each in found["findings"] if each["kind"] == "fleet")
    # 7 at 85 % need 9, so that 7 of 16 are spare, less than a node: what is little used is told.
    assert empty["why"] == "the 7 allocated were 40 % active for 1h, below 60 %"


async def test_large_replicas_wait_while_small_ones_stand_apart(tmp_path: Path) -> None:
    async with cluster(tmp_path) as server:
        done = await run(server, tmp_path, "-o", "json")
    found = json.loads(done.stdout)
    assert of_kind(found, "waiting")["shop/llm"]["why"] == ("1 pod with 8 each waiting for a node; 9 are free in all")
    assert of_kind(found, "fragmented")["shop/llm"]["why"] == (
        "a pod asks for 8; 9 are free on 2 nodes, at most 5 on one: room for 0, and together for 1"
    )
    repack = of_kind(found, "repack")["/nvidia.com/gpu on p5.48xlarge"]
    assert repack["why"] == (
        "1 pod in free room of other nodes would leave 1 node empty (b); or room for 1 more of llm (8 each)"
    )
    assert (repack["devices"], repack["perMonth"]) == (8, pytest.approx(64.0 * MONTH))


async def test_gpus_without_cores_beside_them(tmp_path: Path) -> None:
    hungry = of_deployment("etl-1", "etl", "a", asks={"cpu": "176", "memory": "10Gi"})
    async with cluster(tmp_path, [*PODS[:4], hungry]) as server:
        done = await run(server, tmp_path, "-o", "json")
    stranded = of_kind(json.loads(done.stdout), "stranded")["/nvidia.com/gpu on p5.48xlarge"]
    # Of a, 192 - 16 - 176 cores are left, so that its four free GPUs serve nobody.
    assert (stranded["devices"], stranded["perMonth"]) == (4, pytest.approx(4 * GPU_HOUR * MONTH))


async def test_one_namespace_is_shown_alone(tmp_path: Path) -> None:
    async with cluster(tmp_path) as server:
        done = await run(server, tmp_path, "-n", "lab", "-o", "csv")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [(row["kind"], row["what"], row["devices"], row["currency"]) for row in rows] == [
        ("idle", "Deployment lab", "2", "USD")
    ]


async def test_the_table_tells_all(tmp_path: Path) -> None:
    async with cluster(tmp_path) as server:
        done = await run(server, tmp_path)
    assert done.exit_code == 0, done.stderr
    assert "nvidia.com/gpu on p5.48xlarge" in done.stdout
    assert "activity is read from DCGM_FI_PROF_SM_ACTIVE (dcgm-exporter)" in done.stdout


async def test_utilisation_alone_is_said_to_tell_little(tmp_path: Path) -> None:
    async with cluster(tmp_path) as server:
        done = await run(server, tmp_path, "-o", "json", metrics=["DCGM_FI_DEV_GPU_UTIL"])
    found = json.loads(done.stdout)
    assert found["readFrom"] == [
        {"quantity": "activity", "metric": "DCGM_FI_DEV_GPU_UTIL", "exporter": "dcgm-exporter", "tellsFull": False}
    ]
    assert any(
        line.startswith("activity is DCGM_FI_DEV_GPU_UTIL, which means that a kernel ran") for line in found["warnings"]
    )


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        pytest.param([], "Prometheus has no activity of GPUs, so that none is found idle", id="no-exporter"),
        pytest.param(None, "GPUs were not read: prometheus: http://127.0.0.1:9090", id="no-prometheus"),
    ],
)
async def test_without_readings_the_rest_is_told(tmp_path: Path, metrics: list[str] | None, told: str) -> None:
    async with cluster(tmp_path) as server:
        done = await run(server, tmp_path, "-o", "json", metrics=metrics)
    assert done.exit_code == PARTIAL
    found = json.loads(done.stdout)
    assert any(line.startswith(told) for line in found["warnings"])
    assert of_kind(found, "idle") == {}
    assert of_kind(found, "fragmented")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(["--window", "1m"], "must be 5m or longer, not 1m", id="window"),
        pytest.param(["--idle-below", "0"], "Invalid value for --idle-below: must be a share", id="idle"),
        pytest.param(["--add-above", "50%"], "consolidate below (0.6) must be under add above (0.5)", id="fleet"),
        pytest.param(["-n", "lab", "-A"], "either a namespace or all of them", id="namespaces"),
    ],
)
async def test_options_that_cannot_be(tmp_path: Path, options: list[str], told: str) -> None:
    async with cluster(tmp_path) as server:
        done = await run(server, tmp_path, *options, metrics=None)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.replace("│", " ").split())
