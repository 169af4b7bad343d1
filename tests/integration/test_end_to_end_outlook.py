"""What `foresail run` tells of the next week of a workload whose past is in Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.integration.daemon import LOAD
from tests.integration.servers.kube_client import collection
from tests.integration.servers.prometheus import Series

if TYPE_CHECKING:
    from tests.integration.daemon import Stage

MINUTES = 2 * 1440


@pytest.mark.parametrize(
    ("most", "bound", "words"),
    [
        pytest.param(26, "maximum", "its maximum of 26", id="its-maximum"),
        pytest.param(60, "quota", "its quota allows (26)", id="its-quota"),
    ],
)
async def test_a_workload_that_grows_is_told_of_its_bound_days_ahead(
    stage: Stage, most: int, bound: str, words: str
) -> None:
    newest_s = int(time.time()) // 60 * 60 - 600
    at_s = [newest_s - 60 * back for back in range(MINUTES, 0, -1)]
    # From 14 to 24 replicas that serve 8 each, in two days; 26 are allowed.
    load = np.linspace(112, 192, MINUTES) * np.exp(np.random.default_rng(1).normal(0, 0.02, MINUTES))
    stage.prometheus.backfill([Series(LOAD, {"namespace": stage.namespace, "app": "web"}, at_s, load.tolist())])
    stage.load(192)
    stage.policy(
        f"sum by (namespace, app) ({LOAD})", mode="shadow", forecast={"enabled": True}, replicas={"min": 1, "max": most}
    )
    if bound == "quota":
        await _allow_26(stage)
    with stage.daemon as daemon:
        shown = stage.shows(lambda workload: workload["outlook"], within_s=120.0)
        replicas = {each["ahead"]: (each["p50"], each["p90"]) for each in shown["outlook"]["replicas"]}
        assert 22 < replicas["1h"][0] < 26
        assert replicas["1d"][0] <= replicas["1d"][1]
        above = shown["outlook"]["aboveMaximum"]["p90"]
        assert (above["at"] is not None, above["maximum"], above["bound"]) == (True, most, bound)
        [signal] = shown["outlook"]["models"]
        assert {each["inCharge"] for each in signal["horizons"]} <= {"ridge", "seasonal", "none"}
        assert words in shown["explanation"][-1]
        labels = {"namespace": stage.namespace, "workload": "web"}
        told = daemon.metric("foresail_outlook_replicas", horizon="1h", quantile="0.5", **labels)
        assert told is not None
        assert 22 < told < 26
        above_s = daemon.metric("foresail_outlook_above_max_timestamp_seconds", quantile="0.9", bound=bound, **labels)
        assert above_s is not None
        assert 0 < above_s - time.time() + 60 < 7 * 86_400
        assert (daemon.metric("foresail_outlook_oldest_fit_timestamp_seconds") or 0) > newest_s
        assert daemon.stop() == 0


async def _allow_26(stage: Stage) -> None:
    """A quota of the namespace, counted as its controller would: two pods are there and take half a core each."""
    quotas, hard = collection(stage.namespace, "resourcequotas"), {"requests.cpu": "13"}
    await stage.send("POST", quotas, {"metadata": {"name": "compute"}, "spec": {"hard": hard}})
    status = {"hard": hard, "used": {"requests.cpu": "1"}}
    await stage.send("PATCH", f"{quotas}/compute/status", {"status": status})
