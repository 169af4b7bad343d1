"""Owns an API server within the process that answers as it is told, well or badly, and a clock that never waits."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Self

import yaml
from aiohttp import web

from controller.clients.kubernetes import connect

if TYPE_CHECKING:
    from pathlib import Path

    from controller.clients.kubernetes import KubernetesSession

Document = dict[str, Any]
Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HurriedClock:
    """Time passes only by sleeping, and sleeping takes no time; `slept` has every wait."""

    def __init__(self) -> None:
        self.at_s = 1_000_000.0
        self.slept: list[float] = []

    def now_s(self) -> float:
        return self.at_s

    def elapsed_s(self) -> float:
        return self.at_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at_s += seconds
        await asyncio.sleep(0)


class ApiServer:
    """Answers by route, such as ``GET /api/v1/pods`` or ``WATCH /api/v1/pods``: one answer each, the last repeats."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.bodies: list[Document] = []
        self.tokens: list[str | None] = []
        self.url = ""
        self.kubeconfig = folder / "kubeconfig"
        self._routes: dict[str, deque[Answer]] = {}
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.05)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self.write_kubeconfig(self.url, {"token": "first"})
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def write_kubeconfig(self, url: str, user: Document) -> None:
        named = {
            "clusters": [{"name": "it", "cluster": {"server": url}}],
            "users": [{"name": "it", "user": user}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
        self.kubeconfig.write_text(yaml.safe_dump({"current-context": "it", **named}))

    async def session(self, request_timeout_s: float = 5) -> KubernetesSession:
        return await connect(kubeconfig=self.kubeconfig, request_timeout_s=request_timeout_s)

    def on(self, route: str, *answers: Answer) -> None:
        self._routes[route] = deque(answers)

    def asked(self, route: str) -> list[dict[str, str]]:
        """The parameters of every request so far of a route."""
        return [params for asked, params in self.requests if asked == route]

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        method = "WATCH" if request.query.get("watch") else request.method
        route = f"{method} {request.path}"
        self.requests.append((route, dict(request.query)))
        self.tokens.append(request.headers.get("authorization"))
        if request.body_exists:
            self.bodies.append(json.loads(await request.read()))
        answers = self._routes.get(route)
        if not answers:
            return await refusal(404, f"nothing at {route}")(request)
        answer = answers[0] if len(answers) == 1 else answers.popleft()
        return await answer(request)


def document(body: Document) -> Answer:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.json_response(body)

    return answer


def text(body: str) -> Answer:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=body)

    return answer


def listing(*items: Document, version: str, rest: str = "") -> Answer:
    return document({"metadata": {"resourceVersion": version, "continue": rest}, "items": list(items)})


def refusal(status: int, message: str, **headers: str) -> Answer:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        body = {"kind": "Status", "status": "Failure", "message": message, "code": status}
        return web.json_response(body, status=status, headers=headers)

    return answer


def watch(*events: Document, half: str = "", then: str = "hold") -> Answer:
    """Events line by line, then half a line, and then the stream is held open, closed or dropped."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        stream = web.StreamResponse()
        stream.enable_chunked_encoding()
        await stream.prepare(request)
        lines = "".join(f"{json.dumps(event)}\n" for event in events) + half
        await stream.write(lines.encode())
        if then == "hold":
            await asyncio.Event().wait()
        if then == "drop" and request.transport is not None:
            request.transport.abort()
        return stream

    return answer


def event(kind: str, item: Document) -> Document:
    return {"type": kind, "object": item}


def thing(name: str, version: str) -> Document:
    return {"metadata": {"name": name, "resourceVersion": version}}


def bookmark(version: str) -> Document:
    return event("BOOKMARK", {"metadata": {"resourceVersion": version}})


def gone() -> Document:
    return event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"})
