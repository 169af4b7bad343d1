"""A server on loopback that answers the query calls of Prometheus's API as a test tells it, and a source on it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.adapters.prometheus import Allowance, PrometheusSource
from controller.clients.http import HttpAccess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

AT_S = 1_700_000_000.0
A, B = {"app": "a"}, {"app": "b"}


def vector(*samples: tuple[Mapping[str, str], str], **extra: object) -> web.Response:
    result = [{"metric": dict(labels), "value": [AT_S, value]} for labels, value in samples]
    return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}, **extra})


def refused(status: int, kind: str, text: str) -> web.Response:
    return web.json_response({"status": "error", "errorType": kind, "error": text}, status=status)


def is_witness(form: Mapping[str, str]) -> bool:
    return "__witness__" in form["query"]


@dataclass
class Server:
    """Answers by the form of each request, after `delay_s`, and keeps the forms."""

    answer: Callable[[Mapping[str, str]], web.Response] = lambda _: vector()
    delay_s: float = 0.0
    url: str = ""
    forms: list[Mapping[str, str]] = field(default_factory=list)
    together: int = 0
    most_together: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append({**form, "path": request.path})
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        try:
            await asyncio.sleep(self.delay_s)
            return self.answer(form)
        finally:
            self.together -= 1

    def asked(self) -> list[str]:
        return [form["query"] for form in self.forms if not is_witness(form)]


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """A server on loopback."""
    served = Server()
    app = web.Application()
    app.router.add_post("/{path:.*}", served.handle)
    async with TestServer(app) as listener:
        served.url = str(listener.make_url("")).rstrip("/")
        yield served


@asynccontextmanager
async def source_on(server: Server, allowance: Allowance | None = None) -> AsyncIterator[PrometheusSource]:
    async with PrometheusSource(HttpAccess(server.url, timeout_s=5), allowance) as source:
        yield source
