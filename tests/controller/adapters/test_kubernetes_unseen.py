"""What the cluster's view says while the kill switch or the autoscalers cannot be seen: never that all is well."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from controller.adapters.kubernetes import ClusterSettings, KillSwitchPlace
from tests.controller.adapters.test_kubernetes_cluster import (
    FLEETS,
    HPAS,
    PODS,
    following,
    server,
)
from tests.controller.clients.kubernetes_server import document, listing, refusal, watch

if TYPE_CHECKING:
    from tests.controller.clients.kubernetes_server import ApiServer, Document

__all__ = ["server"]

MAPS = "/api/v1/namespaces/foresail/configmaps"
KEDA = "/apis/keda.sh/v1alpha1"
SCALED_OBJECTS = f"{KEDA}/namespaces/shop/scaledobjects"
SWITCH = ClusterSettings(KillSwitchPlace("foresail"))
DOWN = HTTPStatus.SERVICE_UNAVAILABLE


def switch(enabled: str) -> Document:
    return {"metadata": {"name": "foresail-kill-switch", "resourceVersion": "5"}, "data": {"enabled": enabled}}


def alive(server: ApiServer, *paths: str) -> None:
    """Let these watches end and begin again, as idle ones do, so that they stay fresh."""
    for path in paths:
        server.on(f"WATCH {path}", watch(then="close"))


@pytest.mark.parametrize(
    "status",
    [pytest.param(HTTPStatus.TOO_MANY_REQUESTS, id="throttled"), pytest.param(DOWN, id="down")],
)
async def test_a_switch_that_has_not_been_read_stops_every_write(server: ApiServer, status: int) -> None:
    server.on(f"GET {MAPS}", refusal(status, "later"))
    server.on(f"WATCH {MAPS}", watch())
    async with following(server, settings=SWITCH) as seen:
        await seen.until(lambda: seen.target.problem is None)
        told = "the kill switch cannot be read: configmaps in foresail: not read yet: later"
        assert (seen.cluster.view().killed or "").startswith(told)
        assert "configmaps in foresail: not read yet" in seen.cluster.problems()[0]
        server.on(f"GET {MAPS}", listing(version="5"))
        await seen.until(lambda: seen.cluster.view().killed is None)


async def test_a_switch_is_not_read_before_anything_is_followed(server: ApiServer) -> None:
    async with following(server, settings=SWITCH, follow=False) as seen:
        assert seen.cluster.view().killed == "the kill switch cannot be read: configmaps in foresail: not read yet"


async def test_a_switch_is_read_before_targets_are(server: ApiServer) -> None:
    server.on(f"GET {MAPS}", listing(switch("false"), version="5"))
    server.on(f"WATCH {MAPS}", watch())
    async with following(server, settings=SWITCH) as seen:
        assert seen.cluster.view().killed is None


@pytest.mark.parametrize(
    "status",
    [pytest.param(HTTPStatus.FORBIDDEN, id="forbidden"), pytest.param(HTTPStatus.NOT_FOUND, id="no-such-namespace")],
)
async def test_a_switch_that_is_known_to_be_out_of_reach_is_off_and_told(server: ApiServer, status: int) -> None:
    server.on(f"GET {MAPS}", refusal(status, "no"))
    async with following(server, settings=SWITCH) as seen:
        await seen.until(lambda: seen.target.problem is None)
        assert seen.cluster.view().killed is None
        assert seen.cluster.problems()[0].startswith("configmaps in foresail: ")


async def test_a_switch_that_is_not_seen_for_long_stops_every_write(server: ApiServer) -> None:
    server.on(f"GET {MAPS}", listing(switch("no"), version="5"), refusal(DOWN, "later"))
    server.on(f"WATCH {MAPS}", refusal(DOWN, "later"))
    alive(server, FLEETS, PODS, HPAS)
    async with following(server, settings=SWITCH) as seen:
        assert seen.cluster.view().killed is None
        told = "the kill switch cannot be read: configmaps in foresail: not seen since "
        await seen.until(lambda: (seen.cluster.view().killed or "").startswith(told))
        assert seen.target.problem is None
        server.on(f"GET {MAPS}", listing(version="6"))
        alive(server, MAPS)
        await seen.until(lambda: seen.cluster.view().killed is None)


async def test_autoscalers_that_are_not_seen_for_long_may_own_any_target(server: ApiServer) -> None:
    server.on(f"GET {HPAS}", listing(version="10"), refusal(DOWN, "later"))
    server.on(f"WATCH {HPAS}", refusal(DOWN, "later"))
    alive(server, FLEETS, PODS)
    async with following(server) as seen:
        await seen.until(lambda: seen.target.problem is None)
        assert seen.target.owner is None
        unknown = "nobody knows whether an autoscaler scales this object: horizontalpodautoscalers in shop: not seen"
        await seen.until(lambda: (seen.target.owner or "").startswith(unknown))
        server.on(f"GET {HPAS}", listing(version="11"))
        alive(server, HPAS)
        await seen.until(lambda: seen.target.owner is None)


@pytest.mark.parametrize(
    ("status", "owner"),
    [
        pytest.param(DOWN, "nobody knows whether an autoscaler scales this object: scaledobjects in shop", id="down"),
        pytest.param(HTTPStatus.FORBIDDEN, None, id="forbidden-they-show-by-what-they-make"),
    ],
)
async def test_scaled_objects_that_are_not_read(server: ApiServer, status: int, owner: str | None) -> None:
    kinds = [{"name": "scaledobjects", "kind": "ScaledObject", "namespaced": True}]
    server.on(f"GET {KEDA}", document({"resources": kinds}))
    server.on("GET /apis/keda.sh", document({"versions": [{"version": "v1alpha1"}]}))
    server.on(f"GET {SCALED_OBJECTS}", refusal(status, "no"))
    async with following(server) as seen:
        await seen.until(lambda: seen.target.problem is None and seen.cluster.problems())
        found = seen.target.owner
        assert found is None if owner is None else (found or "").startswith(owner)
