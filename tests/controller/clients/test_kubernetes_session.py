"""A session authenticates, keeps deadlines, and names failures by what to do next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from controller.clients.kubernetes import ApiFailure, Request, connect, translated
from controller.clients.kubernetes import session as session_module
from controller.errors import Conflict, ForesailError, Rejected, Unavailable
from tests.controller.clients.kubernetes_server import ApiServer, document, refusal, text, watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with ApiServer(tmp_path) as api:
        yield api


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(0, Unavailable, id="no-answer"),
        pytest.param(400, Rejected, id="bad-request"),
        pytest.param(401, Unavailable, id="token-to-be-renewed"),
        pytest.param(403, Rejected, id="forbidden"),
        pytest.param(404, Rejected, id="not-found"),
        pytest.param(408, Unavailable, id="request-timeout"),
        pytest.param(409, Conflict, id="conflict"),
        pytest.param(422, Rejected, id="invalid"),
        pytest.param(429, Unavailable, id="too-many-requests"),
        pytest.param(500, Unavailable, id="server-error"),
        pytest.param(504, Unavailable, id="gateway-timeout"),
    ],
)
def test_a_status_says_what_to_do_next(status: int, error: type[ForesailError]) -> None:
    told = translated(ApiFailure(status, "because"), doing="scaling web")

    assert type(told) is error
    assert str(told) == "scaling web: because"


async def test_the_servers_message_is_kept(server: ApiServer) -> None:
    server.on("GET /it", refusal(403, "user may not"))
    async with await server.session() as session:
        with pytest.raises(ApiFailure, match=r"^user may not \(HTTP 403\)$") as caught:
            await session.get("/it")

    assert caught.value.denied


async def test_bodies_and_parameters_are_sent(server: ApiServer) -> None:
    server.on("PATCH /it", document({"done": True}))
    async with await server.session() as session:
        answer = await session.ask(Request("/it", "PATCH", {"by": "me"}, {"size": 3}, "application/merge-patch+json"))

    assert answer == {"done": True}
    assert server.requests == [("PATCH /it", {"by": "me"})]
    assert server.bodies == [{"size": 3}]


@pytest.mark.parametrize("body", [pytest.param("<html>", id="no-json"), pytest.param("[1]", id="no-object")])
async def test_other_answers_than_json_objects_are_failures(server: ApiServer, body: str) -> None:
    server.on("GET /it", text(body))
    async with await server.session() as session:
        with pytest.raises(ApiFailure, match="no JSON"):
            await session.get("/it")


async def test_a_deadline_is_kept(server: ApiServer) -> None:
    server.on("GET /it", watch())
    async with await server.session(request_timeout_s=0.05) as session:
        with pytest.raises(ApiFailure, match="GET /it: no answer in time"):
            await session.get("/it")


async def test_a_token_file_is_read_again(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    server.write_kubeconfig(server.url, {"tokenFile": str(token)})
    server.on("GET /it", document({}))
    async with await server.session() as session:
        await session.get("/it")
        token.write_text("second")
        await session.get("/it")
        monkeypatch.setattr(session_module, "_REFRESH_S", 0.0)
        await session.get("/it")
        token.unlink()
        with pytest.raises(ApiFailure, match="credentials cannot be read again"):
            await session.get("/it")

    assert server.tokens == ["Bearer first", "Bearer first", "Bearer second"]


async def test_a_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"no kubeconfig at .*absent; name one with"):
        await connect(kubeconfig=tmp_path / "absent")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param("", "it holds no configuration", id="empty"),
        pytest.param("a: [", "while parsing", id="no-yaml"),
        pytest.param("current-context: it\ncontexts: []\nclusters: []\nusers: []\n", "Invalid", id="no-context"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_rejected_by_name(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(Rejected, match=f"no way to the Kubernetes API server by the kubeconfig {path}: {why}"):
        await connect(kubeconfig=path)


async def test_outside_a_cluster_the_service_account_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Rejected, match="Service host/port is not set"):
        await connect(in_cluster=True)


async def test_requests_in_flight_end_with_their_task(server: ApiServer) -> None:
    server.on("GET /it", watch())
    async with await server.session() as session:
        task = asyncio.create_task(session.get("/it"))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
