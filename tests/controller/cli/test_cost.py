"""The command `cost` on an API server within the process: figures, sources, what is not priced, and exit codes."""

from __future__ import annotations

import asyncio
import csv
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.cli.exits import PARTIAL
from tests.controller.adapters.prometheus_server import serving, vector
from tests.controller.clients.kubernetes_server import ApiServer, listing, refusal
from tests.controller.cluster_documents import node, of_deployment, pod

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from typer.testing import Result

PRICES = """\
apiVersion: foresail.dev/v1alpha1
kind: Prices
asOf: 2026-11-01T00:00:00Z
prices:
- {instanceType: rack-7, onDemand: 2.0}
- {provider: aws, instanceType: m5.large, onDemand: 0.10}
commitments:
- {name: base, nodes: 3, price: 0.06, instanceType: m5.large}
"""
# m5.large is 0.096 on demand by the built-in prices, and 0.0326 on spot. A node of 2 cores and 8 GiB is worth 26
# GiB, and a pod of 1 core and 4 GiB half of it.
NODES = (node("a"), node("b", labels={"karpenter.sh/capacity-type": "spot"}), node("c", "rack-7", provider="own"))
PODS = (
    of_deployment("chat-1", "chat", "a"),
    of_deployment("chat-2", "chat", "b"),
    pod("agent-a", "a", ("DaemonSet", "agent"), namespace="kube-system", asks={"cpu": "500m", "memory": "2Gi"}),
    pod("silent", "a", asks={}),
    pod("on-rack", "c"),
)


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[ApiServer]:
    async with ApiServer(folder) as server:
        server.on("GET /api/v1/nodes", listing(*NODES, version="1"))
        server.on("GET /api/v1/pods", listing(*PODS, version="1"))
        yield server


async def run(server: ApiServer, *options: str) -> Result:
    arguments = ["cost", "--kubeconfig", str(server.kubeconfig), "--stale-after", "36500d", *options]
    return await asyncio.to_thread(CliRunner().invoke, app, arguments)


async def test_built_in_prices_and_a_node_that_has_none(tmp_path: Path) -> None:
    async with cluster(tmp_path) as server:
        done = await run(server, "-o", "json")
    assert done.exit_code == PARTIAL
    found = json.loads(done.stdout)
    assert (found["kind"], found["currency"], found["nodes"]) == ("Cost", "USD", 3)
    assert found["perHour"] == pytest.approx(0.096 + 0.0326)
    assert found["perMonth"] == pytest.approx(found["perHour"] * 730)
    assert found["byCapacityType"] == pytest.approx({"on-demand": 0.096, "spot": 0.0326})
    assert found["byNamespace"] == pytest.approx({"shop": 0.048 + 0.0163, "kube-system": 0.024})
    chat = next(each for each in found["byWorkload"] if each["name"] == "chat")
    assert (chat["kind"], chat["pods"]) == ("Deployment", 2)
    assert chat["byCapacityType"] == pytest.approx({"on-demand": 0.048, "spot": 0.0163})
    assert found["idlePerHour"] == pytest.approx(0.024 + 0.0163)
    assert found["notPriced"] == [
        {
            "node": "c",
            "pods": 1,
            "why": "built-in prices: no price for own rack-7 on-demand in us-east-1a: no instance type 'rack-7'",
        }
    ]
    unread, silent = found["warnings"]
    assert unread.startswith("OpenCost and Karpenter were not asked for prices: prometheus: http://127.0.0.1:9090")
    assert silent == "pods that ask for nothing share no cost: 1, such as shop/silent; set their requests"
    assert found["sources"] == [{"source": "built-in prices", "nodes": 2}]


async def test_a_file_of_ones_own_goes_before_built_in_prices(tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICES)
    async with cluster(tmp_path) as server:
        done = await run(server, "--prices", str(prices), "-o", "csv")
    assert done.exit_code == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    found = {(row["namespace"], row["workload"], row["capacity_type"]): float(row["per_hour"]) for row in rows}
    # One of the three committed nodes is used: node a at 0.06, half of it chat's, a quarter agent's.
    assert found == {
        ("shop", "Deployment chat", "committed"): 0.03,
        ("shop", "Deployment chat", "spot"): 0.0163,
        ("shop", "Pod on-rack", "on-demand"): 1.0,
        ("kube-system", "DaemonSet agent", "committed"): 0.015,
        ("", "idle room", "committed"): 0.015,
        ("", "idle room", "spot"): 0.0163,
        ("", "idle room", "on-demand"): 1.0,
        ("", "unused commitments", "committed"): 0.12,
    }


async def test_opencost_goes_first(tmp_path: Path) -> None:
    async with cluster(tmp_path) as server, serving() as prometheus:
        prometheus.answer = lambda form: (
            vector(({"node": "c"}, "3")) if "node_total_hourly_cost" in form["query"] else vector()
        )
        done = await run(server, "--prometheus-url", prometheus.url, "-o", "json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["perHour"] == pytest.approx(0.096 + 0.0326 + 3)
    assert [(each["source"], each["nodes"]) for each in found["sources"]] == [
        ("OpenCost (job opencost)", 1),
        ("Karpenter (job karpenter)", 0),
        ("built-in prices", 2),
    ]


async def test_the_table_tells_what_it_rests_on(tmp_path: Path) -> None:
    async with cluster(tmp_path) as server:
        done = await run(server, "--stale-after", "1d")
    assert done.exit_code == PARTIAL
    told = " ".join(done.stdout.split())
    assert "WORKLOAD USD/HOUR USD/MONTH shop/Deployment chat 0.0643 46.94" in told
    assert "2 of 3 nodes: 0.13 USD an hour, 93.88 in a month of 730 hours" in told
    assert "nodes by source of their price, in this order: built-in prices 2" in told
    assert "not priced: node c with 1 pods: built-in prices: no price for own rack-7" in told
    assert "warning: built-in prices: prices older than 1 days: 2; the oldest (aws m5.large" in told


async def test_the_same_pods_are_packed_on_the_cheapest_nodes(tmp_path: Path) -> None:
    async with cluster(tmp_path) as server:
        large = node("d", "m5.xlarge", has={"cpu": "4", "memory": "16Gi"})
        server.on("GET /api/v1/nodes", listing(*NODES[:2], large, version="1"))
        pods = [of_deployment(f"web-{number}", "web", "d", asks={"cpu": "500m"}) for number in range(2)]
        server.on("GET /api/v1/pods", listing(*PODS[:4], *pods, version="1"))
        done = await run(server, "--repack", "-o", "json")
        table = await run(server, "--repack")
    assert done.exit_code == 0, done.stderr
    # m5.large beside its agent has 1.5 cores and 6 GiB: chat of 1 core with one web, and a second node for the other
    # web; one m5.xlarge at 0.192 costs as much. On spot there is a chat alone.
    assert json.loads(done.stdout)["repacked"]["perHour"] == pytest.approx(0.192 + 0.0326)
    assert "at 0.22 an hour, on none below 0.1" in table.stdout


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        pytest.param(["--currency", "EUR"], PARTIAL, "", id="built-in-prices-in-another-currency-are-left-out"),
        pytest.param(["--prices", "absent.yaml"], 1, "absent.yaml: cannot be read", id="file"),
        pytest.param(["--prometheus-url", "http://127.0.0.1:9"], 1, "check --prometheus-url", id="prometheus"),
        pytest.param(["--stale-after", "soon"], 2, "must be a duration", id="duration"),
    ],
)
async def test_what_goes_wrong_is_told(tmp_path: Path, options: list[str], code: int, words: str) -> None:
    async with cluster(tmp_path) as server:
        done = await run(server, *options)
    assert (done.exit_code, words in " ".join(done.stderr.replace("│", " ").split())) == (code, True), done.output


async def test_a_cluster_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    async with ApiServer(tmp_path) as server:
        server.on("GET /api/v1/nodes", refusal(403, "nodes is forbidden"))
        done = await run(server)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: listing nodes and pods: nodes is forbidden")


async def test_two_currencies_do_not_add_up(tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICES.replace("asOf", "currency: EUR\nasOf"))
    async with cluster(tmp_path) as server:
        done = await run(server, "--prices", str(prices))
        alone = await run(server, "--prices", str(prices), "--currency", "EUR", "-o", "json")
    assert done.exit_code == 1
    assert "in EUR, and the sum is in USD: set --currency" in done.stderr
    # The spot node has no price in EUR.
    assert (alone.exit_code, [each["node"] for each in json.loads(alone.stdout)["notPriced"]]) == (PARTIAL, ["b"])
