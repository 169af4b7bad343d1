"""The composition root: what is wrong with the world reaches every report, and where Foresail takes itself to live."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.app import Outside, own_namespace, run_daemon
from controller.clock import SystemClock
from controller.settings import load
from simulations.clock import VirtualClock
from simulations.cluster import SimulatedCluster, Workload
from tests.controller.adapters.grafana_server import grafana
from tests.integration.servers.process import eventually_async, free_port, http_request
from tests.rig import START_S, KeptEvents, LoadSource, Rig, policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from controller.ports import Clock
    from controller.records import ScaleOrder, TickReport

WEEK_S = 7 * 86_400.0
REFUSED = "configmaps in foresail: Foresail may not read them; grant it get, list and watch"


class Breaking(SimulatedCluster):
    """Breaks at every write, in a way that nobody expects."""

    async def scale(self, order: ScaleOrder) -> None:
        raise KeyError(order.uid)


@dataclass(frozen=True)
class Ticked:
    """The report of a daemon's first tick, and where the daemon still answers."""

    report: TickReport
    url: str

    async def get(self, path: str) -> str:
        status, body = await asyncio.to_thread(http_request, "GET", f"{self.url}{path}", timeout_s=10.0)
        assert status == 200, body
        return body.decode()


@asynccontextmanager
async def ticked(
    folder: Path,
    cluster: SimulatedCluster,
    *problems: str,
    settings: Mapping[str, object] | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Ticked]:
    cluster.add(Workload(Rig.ref("web"), 2))
    (folder / "policy.json").write_text(json.dumps(policy().model_dump(mode="json", by_alias=True)))
    listen = f"127.0.0.1:{free_port()}"
    given = {"policies": str(folder / "policy.json"), "state_dir": str(folder), "listen": listen}
    source = LoadSource(VirtualClock(START_S), {"web": 35.0})
    outside = Outside(
        cluster, cluster, KeptEvents(), clock=clock or SystemClock(), source=source, problems=lambda: problems
    )
    stop = asyncio.Event()
    reports: asyncio.Queue[TickReport] = asyncio.Queue()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        loaded = load({**given, **(settings or {})}, {}).settings
        group.create_task(run_daemon(loaded, outside=outside, on_tick=reports.put_nowait, stop=stop))
        yield Ticked(await reports.get(), f"http://{listen}")
        stop.set()


async def test_what_is_wrong_with_the_world_is_in_every_report_and_in_the_api(tmp_path: Path) -> None:
    async with ticked(tmp_path, SimulatedCluster(SystemClock()), REFUSED) as daemon:
        assert daemon.report.problems == (REFUSED,)
        assert json.loads(await daemon.get("/api/v1/workloads"))["problems"] == [REFUSED]


class WeeksAgo(SystemClock):
    """As the demo's: behind the machine's clock."""

    def now_s(self) -> float:
        return super().now_s() - 9 * WEEK_S


async def test_the_journal_is_written_at_the_time_of_the_daemons_clock(tmp_path: Path) -> None:
    clock = WeeksAgo()
    async with ticked(tmp_path, SimulatedCluster(clock), clock=clock) as daemon:
        told = re.search(
            r"^foresail_journal_last_write_timestamp_seconds (\S+)$", await daemon.get("/metrics"), re.MULTILINE
        )
        assert told is not None
        assert 0 <= clock.now_s() - float(told[1]) < 30


async def test_a_write_that_breaks_is_counted_as_a_fault(tmp_path: Path) -> None:
    async with ticked(tmp_path, Breaking(SystemClock())) as daemon:
        assert [outcome.message for outcome in daemon.report.outcomes] == ["KeyError: 'shop/web'"]
        assert "foresail_unhandled_errors_total 1.0" in await daemon.get("/metrics")


async def test_dashboards_and_rules_are_published_beside_the_loop_and_the_webhook_is_told(tmp_path: Path) -> None:
    got: asyncio.Queue[Any] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        got.put_nowait(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    receiver = TestServer(app)
    await receiver.start_server()
    folder, token = tmp_path / "published", tmp_path / "token"
    token.write_text("wrong")
    async with grafana() as fake:
        given = {
            "publish_dir": str(folder),
            "webhook_url": str(receiver.make_url("/hook")),
            "grafana_url": fake.url,
            "grafana_token_file": str(token),
        }
        cluster = SimulatedCluster(SystemClock())
        async with ticked(tmp_path, cluster, settings=given) as daemon:
            sent = await asyncio.wait_for(got.get(), 20)
            assert sent["items"][-1]["type"] == "scaled"
            shown = await until(daemon, 'foresail_publish_writes_total{result="unavailable",target="grafana"} 1.0')
            assert 'foresail_publish_last_success_timestamp_seconds{target="grafana"} 0.0' in shown
            shown = await until(daemon, 'foresail_publish_writes_total{result="created",target="dashboard_files"} 6.0')
            assert 'foresail_webhook_messages_total{result="delivered"}' in shown
    await receiver.close()
    assert (folder / "foresail-fleet.json").is_file()
    assert fake.boards == {}


async def until(daemon: Ticked, line: str) -> str:
    """The metrics, once this line is among them."""
    shown = ""

    async def has_it() -> bool:
        nonlocal shown
        shown = await daemon.get("/metrics")
        return line in shown

    await eventually_async(has_it, 20)
    return shown


@pytest.mark.parametrize(
    ("given", "told", "expected"),
    [
        pytest.param({}, "scaling\n", "scaling", id="as-kubernetes-tells-the-pod"),
        pytest.param({"namespace": "ours"}, "scaling", "ours", id="as-set"),
        pytest.param({"namespace": "foresail"}, "scaling", "foresail", id="as-set-to-what-is-the-default-elsewhere"),
        pytest.param({"kubeconfig": "other.yaml"}, "scaling", "foresail", id="a-kubeconfig-may-mean-another-cluster"),
        pytest.param({}, "", "foresail", id="an-empty-file"),
        pytest.param({}, None, "foresail", id="not-in-a-pod"),
    ],
)
def test_where_foresail_takes_itself_to_live(
    tmp_path: Path, given: dict[str, object], told: str | None, expected: str
) -> None:
    file = tmp_path / "namespace"
    if told is not None:
        file.write_text(told)

    assert own_namespace(load(given, {}).settings, file) == expected
