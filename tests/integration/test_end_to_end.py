"""The daemon as a process on a real Prometheus and a real API server: it scales, tells, and ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.integration.servers.process import eventually

if TYPE_CHECKING:
    from tests.integration.daemon import Stage


async def test_load_rises_in_prometheus_and_the_deployment_is_scaled(stage: Stage) -> None:
    with stage.daemon as daemon:
        stage.shows(lambda shown: shown["load"] is not None)
        assert await stage.replicas() == 2
        stage.load(35)  # 35 / 7
        await stage.scaled(5)

        shown = stage.shows(lambda shown: shown["replicas"]["ready"] == 5)
        assert shown["replicas"]["desired"] == 5
        assert shown["owner"] is None
        assert shown["signals"][0]["status"] == "fresh"
        labels = {"namespace": stage.namespace, "workload": "web"}
        assert daemon.metric("foresail_desired_replicas", **labels) == 5
        assert daemon.metric("foresail_ready_replicas", **labels) == 5
        assert daemon.metric("foresail_actuations_total", kind="scale", result="applied") == 1
        assert daemon.metric("foresail_unhandled_errors_total") == 0
        event = await stage.told("ScaledUp")
        assert event["message"].startswith("Scaled from 2 to 5 replicas")
        assert event["involvedObject"]["name"] == "web"
        assert daemon.get("/readyz")[0] == 200

        stage.load(14)
        await stage.scaled(2)
        await stage.told("ScaledDown")
        assert await stage.writes() == 2


async def test_sigterm_ends_it_within_seconds_and_with_status_0(stage: Stage) -> None:
    with stage.daemon as daemon:
        eventually(lambda: daemon.ticks() >= 2)
        began_s = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began_s < 5
    assert '"event":"stopped"' in daemon.process.log_tail().replace(" ", "")
