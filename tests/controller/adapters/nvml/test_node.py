"""When the driver is let go of."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from controller.adapters.nvml.node import NodeReader, reason_to_release
from controller.errors import Unavailable
from tests.integration.servers.certificates import make_certificates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

UPGRADE = "nvidia.com/gpu-driver-upgrade-state"


@pytest.mark.parametrize(
    ("labels", "annotations", "released"),
    [
        pytest.param({}, {}, False, id="nothing-said"),
        pytest.param({UPGRADE: "upgrade-done"}, {}, False, id="upgrade-done"),
        pytest.param({UPGRADE: "upgrade-required"}, {}, False, id="upgrade-waits-for-its-turn"),
        pytest.param({UPGRADE: "cordon-required"}, {}, True, id="cordon"),
        pytest.param({UPGRADE: "drain-required"}, {}, True, id="drain"),
        pytest.param({UPGRADE: "pod-restart-required"}, {}, True, id="driver-pod-restarts"),
        pytest.param({UPGRADE: "upgrade-failed"}, {}, True, id="upgrade-failed"),
        pytest.param({UPGRADE: "uncordon-required"}, {}, False, id="new-driver-validated"),
        pytest.param({"nvidia.com/gpu.deploy.dcgm": "paused-for-driver-upgrade"}, {}, True, id="operands-paused"),
        pytest.param({"nvidia.com/gpu.deploy.dcgm": "true"}, {}, False, id="operands-deployed"),
        pytest.param({}, {"foresail.dev/release-gpus": "true"}, True, id="annotation"),
        pytest.param({}, {"foresail.dev/release-gpus": "false"}, False, id="annotation-that-says-no"),
    ],
)
def test_a_node_that_is_upgraded_releases_its_driver(
    labels: dict[str, str], annotations: dict[str, str], *, released: bool
) -> None:
    assert bool(reason_to_release(labels, annotations)) is released


UPGRADED = '{"metadata": {"labels": {"nvidia.com/gpu-driver-upgrade-state": "drain-required"}, "annotations": null}}'


@asynccontextmanager
async def api_server(folder: Path, text: str, status: int = 200) -> AsyncIterator[tuple[NodeReader, list[web.Request]]]:
    """A reader of node `gpu a`, and what it asked of a server that gives one answer."""
    made, asked = make_certificates(folder), list[web.Request]()
    (folder / "token").write_text("secret\n")

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response(text=text, status=status, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(made.own.certificate, made.own.key)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        port = runner.addresses[0][1]
        yield NodeReader("gpu a", f"https://127.0.0.1:{port}", account=folder), asked
    finally:
        await runner.cleanup()


@pytest.mark.integration
async def test_the_node_is_read_with_the_account_of_the_pod(tmp_path: Path) -> None:
    async with api_server(tmp_path, UPGRADED) as (reader, asked):
        assert await reader.released() == f"{UPGRADE}=drain-required"
    request = asked[0]
    assert (request.method, request.raw_path) == ("GET", "/api/v1/nodes/gpu%20a")
    assert request.headers["Authorization"] == "Bearer secret"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        pytest.param("{}", 403, "403", id="forbidden"),
        pytest.param("<html>", 200, "Expecting value", id="no-json"),
        pytest.param("[]", 200, "no Node", id="a-list"),
        pytest.param('{"metadata": null}', 200, "no Node", id="without-metadata"),
        pytest.param('{"metadata": {"labels": {"a": 1}}}', 200, "no Node", id="labels-that-are-no-text"),
        pytest.param('{"metadata": {"annotations": ["a"]}}', 200, "no Node", id="annotations-that-are-a-list"),
    ],
)
async def test_an_answer_that_is_no_node_is_unavailable(tmp_path: Path, text: str, status: int, words: str) -> None:
    async with api_server(tmp_path, text, status) as (reader, _):
        with pytest.raises(Unavailable, match=f"node gpu a cannot be read: .*{words}"):
            await reader.released()


@pytest.mark.integration
async def test_a_server_of_another_authority_is_not_believed(tmp_path: Path) -> None:
    async with api_server(tmp_path, UPGRADED) as (reader, asked):
        other = tmp_path / "other"
        other.mkdir()
        (tmp_path / "ca.crt").write_bytes(make_certificates(other).authority.certificate.read_bytes())
        with pytest.raises(Unavailable, match="certificate"):
            await reader.released()
    assert asked == []
