"""What a receiver gets, and what each of its answers means."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.adapters.webhook import Webhook
from controller.clients.http import HttpAccess, HttpClient
from controller.errors import Rejected, Unavailable
from controller.records import Message
from simulations.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MESSAGE = Message("scaled", 1_700_000_000.25, "Scaled from 2 to 4 replicas.", "shop", "web", "forecast", 2, 4)
HOLD = Message("safe_mode", 1_700_000_001.0, "The kill switch is on.", reason="kill_switch")


class Receives:
    """Keeps what it gets, and answers as told."""

    def __init__(self) -> None:
        self.status, self.delay_s = 200, 0.0
        self.url = ""
        self.got: list[tuple[str, dict[str, str], bytes]] = []

    async def answer(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.delay_s)
        self.got.append((request.path, dict(request.headers), await request.read()))
        return web.Response(status=self.status)


@pytest.fixture
async def receiver() -> AsyncIterator[Receives]:
    fake, app = Receives(), web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    server = TestServer(app)
    await server.start_server()
    fake.url = f"{str(server.make_url('')).rstrip('/')}/hooks/foresail"
    yield fake
    await server.close()


async def tell(receiver: Receives, secret: Path | None = None, *, timeout_s: float = 5.0) -> None:
    async with HttpClient(HttpAccess(receiver.url, timeout_s=timeout_s)) as client:
        await Webhook(client, VirtualClock(1_700_000_002.0), secret).tell((MESSAGE, HOLD), delivery="d1")


async def test_messages_are_one_json_document_at_the_url_as_it_is_given(receiver: Receives) -> None:
    await tell(receiver)

    ((path, headers, body),) = receiver.got
    assert path == "/hooks/foresail"
    assert headers["Content-Type"] == "application/json"
    assert "X-Foresail-Signature" not in headers
    assert json.loads(body) == {
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "Messages",
        "delivery": "d1",
        "items": [
            {
                "type": "scaled",
                "at": "2023-11-14T22:13:20.250Z",
                "text": "Scaled from 2 to 4 replicas.",
                "namespace": "shop",
                "workload": "web",
                "reason": "forecast",
                "before": 2,
                "after": 4,
            },
            {
                "type": "safe_mode",
                "at": "2023-11-14T22:13:21.000Z",
                "text": "The kill switch is on.",
                "reason": "kill_switch",
            },
        ],
    }


async def test_a_body_is_signed_with_the_secret_of_now(receiver: Receives, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    for value in ("first", "second"):
        secret.write_text(f"{value}\n")
        await tell(receiver, secret)
        _, headers, body = receiver.got[-1]
        assert headers["X-Foresail-Timestamp"] == "1700000002"
        digest = hmac.new(value.encode(), b"1700000002." + body, hashlib.sha256).hexdigest()
        assert headers["X-Foresail-Signature"] == f"sha256={digest}"
    secret.unlink()
    with pytest.raises(Unavailable, match="webhook secret file"):
        await tell(receiver, secret)
    assert len(receiver.got) == 2, "nothing is sent unsigned"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_document_that_is_refused_for_good_is_rejected(receiver: Receives, status: int) -> None:
    receiver.status = status
    with pytest.raises(Rejected, match=f"HTTP {status}"):
        await tell(receiver)


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 500, 503])
async def test_what_may_be_mended_is_unavailable(receiver: Receives, status: int) -> None:
    receiver.status = status
    with pytest.raises(Unavailable, match=f"HTTP {status}"):
        await tell(receiver)


async def test_a_slow_receiver_is_unavailable_in_time(receiver: Receives) -> None:
    receiver.delay_s = 30.0
    with pytest.raises(Unavailable, match=r"within 0\.1 s"):
        await tell(receiver, timeout_s=0.1)
