"""The daemon when the cluster says no, says nothing, or has another master of the workload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.daemon import KILL_SWITCH, Servers, rights, staged
from tests.integration.servers.kube_client import collection
from tests.integration.servers.process import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.daemon import Stage
    from tests.integration.servers.exporter import Exporter
    from tests.integration.servers.kubernetes import KubeApi
    from tests.integration.servers.prometheus import Prometheus

PAUSED = "foresail.dev/paused"


async def test_the_kill_switch_holds_everything_until_it_is_off(stage: Stage) -> None:
    switch = collection(stage.namespace, "configmaps")
    with stage.daemon as daemon:
        stage.shows(lambda shown: shown["load"] is not None)
        await stage.send("POST", switch, {"metadata": {"name": KILL_SWITCH}, "data": {"enabled": "true"}})
        stage.shows(lambda shown: shown["hold"] == "kill_switch")
        stage.load(35)
        await stage.keeps(2)
        assert daemon.metric("foresail_safe_mode", reason="kill_switch") == 1
        event = await stage.told("ScalingHeld")
        assert "the kill switch is on" in event["message"]
        await stage.send("PATCH", f"{switch}/{KILL_SWITCH}", {"data": {"enabled": "false"}})
        await stage.scaled(5)
        await stage.send("PATCH", f"{switch}/{KILL_SWITCH}", {"data": {"enabled": "true"}})
        stage.shows(lambda shown: shown["hold"] == "kill_switch")
        stage.load(7)
        await stage.keeps(5)
        await stage.send("DELETE", f"{switch}/{KILL_SWITCH}")
        await stage.scaled(1)


async def test_the_annotation_paused_holds_its_workload(stage: Stage) -> None:
    with stage.daemon:
        stage.shows(lambda shown: shown["load"] is not None)
        await stage.change({"metadata": {"annotations": {PAUSED: "true"}}})
        stage.shows(lambda shown: shown["hold"] == "annotation")
        stage.load(35)
        await stage.keeps(2)
        await stage.change({"metadata": {"annotations": {PAUSED: None}}})
        await stage.scaled(5)


async def test_an_autoscaler_that_appears_holds_the_workload_and_is_named(stage: Stage) -> None:
    autoscalers = f"/apis/autoscaling/v1/namespaces/{stage.namespace}/horizontalpodautoscalers"
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    with stage.daemon:
        stage.shows(lambda shown: shown["load"] is not None)
        spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9}
        await stage.send("POST", autoscalers, {"metadata": {"name": "rival"}, "spec": spec})
        shown = stage.shows(lambda shown: shown["hold"] == "owned")
        assert shown["owner"].startswith(f"HorizontalPodAutoscaler {stage.namespace}/rival scales this object")
        stage.load(35)
        await stage.keeps(2)
        event = await stage.told("ScalingHeld")
        assert "another controller scales this object" in event["message"]
        await stage.send("DELETE", f"{autoscalers}/rival")
        await stage.scaled(5)


async def test_an_api_server_that_is_away_is_waited_for_and_nothing_is_written_twice(stage: Stage) -> None:
    with stage.daemon as daemon:
        stage.load(35)
        await stage.scaled(5)
        assert await stage.writes() == 1
        stage.kube_api.stop()
        stage.load(49)
        until = daemon.ticks() + 6
        eventually(lambda: daemon.ticks() >= until, 30)
        assert daemon.get("/livez")[0] == 200
        assert (daemon.metric("foresail_actuations_total", kind="scale", result="unavailable") or 0) > 0
        stage.kube_api.start()
        await stage.scaled(7, within_s=40)
        assert await stage.writes() == 2
        stage.load(7)
        await stage.scaled(1)
        assert await stage.writes() == 3
        assert daemon.metric("foresail_unhandled_errors_total") == 0


async def test_a_start_without_api_server_and_prometheus_waits_for_both(stage: Stage) -> None:
    stage.kube_api.stop()
    stage.prometheus.stop()
    stage.load(35)
    with stage.daemon as daemon:
        assert daemon.get("/readyz")[0] == 503
        stage.kube_api.start()
        eventually(lambda: daemon.get("/readyz")[0] == 200, 60)
        await stage.keeps(2)
        stage.prometheus.start()
        await stage.scaled(5, within_s=40)


async def test_an_account_that_may_not_scale_holds_its_workload_and_says_so(
    kube_api: KubeApi, namespace: str, scraped: tuple[Prometheus, Exporter], tmp_path: Path
) -> None:
    servers = Servers(kube_api, namespace, *scraped)
    async with staged(servers, tmp_path, rights(scale=False)) as stage:
        with stage.daemon as daemon:
            stage.shows(lambda shown: shown["load"] is not None)
            stage.load(35)
            stage.shows(lambda shown: shown["hold"] == "forbidden")
            await stage.keeps(2)
            event = await stage.told("ScalingFailed")
            assert 'cannot patch resource "deployments/scale"' in event["message"]
            assert daemon.metric("foresail_actuations_total", kind="scale", result="rejected") == 1
