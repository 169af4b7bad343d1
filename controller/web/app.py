"""The web application and its server: what it shows comes from small callables, so that it knows no loop."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from controller.clock import SystemClock
from controller.errors import Unavailable
from controller.web import acting, api, bundle, console, whatif
from controller.web.actions import Actions
from controller.web.auth import Guard, Sessions
from controller.web.events import Hub
from controller.web.health import StateLog
from controller.web.pages import Pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from aiohttp.typedefs import Handler

    from controller.journal import DecisionRow, Intent
    from controller.records import Intervention, Outcome, SizedWorkload, TickReport
    from controller.settings.values import Listen
    from controller.web.bundle import Bundles
    from controller.web.health import State
    from controller.web.schemas import Version
    from controller.whatif.asking import WhatIfs
    from policies.projection.origin import Left

_INTERVALS = 4
_LEAST_S = 30.0
_CLOSING_S = 2.0
_LARGEST_BODY = 256 * 1024
_HEADERS = {"X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a probe looks at."""

    name: str
    ok: bool
    message: str = ""

    def __str__(self) -> str:
        told = f"[+]{self.name} ok" if self.ok else f"[-]{self.name} failed"
        return f"{told}: {self.message}" if self.message else told


@dataclass(frozen=True, slots=True)
class OnDemand:
    """What is made when somebody asks for it alone, as it takes long."""

    whatifs: WhatIfs | None = None
    bundles: Bundles | None = None


_NOTHING = OnDemand()


async def _no_decisions(_uid: str, _before_s: float, _limit: int) -> Sequence[DecisionRow]:
    """Of a daemon without a journal."""
    return ()


async def _no_orders(_uid: str, _limit: int) -> Sequence[Intent]:
    """The same."""
    return ()


@dataclass(frozen=True, slots=True)
class Views:
    """What is shown: the last report, the metrics by Accept header (called in a thread), and the checks of the probes.

    `live` fails only when a restart would help; `ready` once policies are loaded and the API server was reached.
    """

    report: Callable[[], TickReport | None]
    metrics: Callable[[str], tuple[bytes, str]]
    live: Callable[[], Sequence[Check]]
    ready: Callable[[], Sequence[Check]]
    version: Version
    sized: Callable[[], Sequence[SizedWorkload]] = tuple
    decisions: Callable[[str, float, int], Awaitable[Sequence[DecisionRow]]] = _no_decisions  # uid, before_s, how many
    orders: Callable[[str, int], Awaitable[Sequence[Intent]]] = _no_orders  # uid, how many
    outcomes: Callable[[], Mapping[str, Outcome]] = dict  # by uid: how the last order of each ended
    interventions: Callable[[], Mapping[str, Intervention]] = dict  # in force now, by uid
    left: Callable[[], Left | None] = lambda: None  # what the last tick left for the next one
    states: StateLog = field(default_factory=StateLog)

    def state(self) -> State:
        """What state Foresail is in now."""
        return self.states.of(self.report(), (*self.live(), *self.ready()))


def heartbeat(age_s: float, interval_s: float) -> Check:
    """The loop is alive unless it has not come round for four intervals, and for half a minute at least."""
    limit_s = max(_INTERVALS * interval_s, _LEAST_S)
    return Check("loop", age_s <= limit_s, f"came round {age_s:.0f} s ago, {limit_s:.0f} s are tolerated")


VIEWS = web.AppKey("views", Views)
GUARD = web.AppKey("guard", Guard)
ACTIONS = web.AppKey("actions", Actions)
HUB = web.AppKey("hub", Hub)


def web_app(
    views: Views,
    *,
    guard: Guard | None = None,
    actions: Actions | None = None,
    hub: Hub | None = None,
    on_demand: OnDemand = _NOTHING,
) -> web.Application:
    """The application with all its routes. Without `guard` and `actions` it only shows."""
    guard = guard or Guard(Sessions(SystemClock()))
    hub, pages, beside, shell = hub or Hub(), Pages(), Pages(), console.Shell.of(views, guard)
    half_hour = console.HalfHour(shell)
    middlewares = [api.problems, console.errors(shell), guard.middleware()]
    app = web.Application(middlewares=middlewares, client_max_size=_LARGEST_BODY)
    app[VIEWS], app[GUARD], app[HUB] = views, guard, hub
    app.on_shutdown.append(_ending(hub, pages, beside, half_hour.pages))
    if actions is not None:
        app[ACTIONS] = actions
    app.on_response_prepare.append(_with_headers)
    app.add_routes(
        [
            web.get("/metrics", _metrics(views.metrics)),
            web.get("/livez", _probe(views.live)),
            web.get("/readyz", _probe(views.ready)),
            web.get("/healthz", _probe(views.live)),
            *api.routes(views, pages, beside),
            *acting.routes(guard, actions),
            *whatif.routes(views.report, on_demand.whatifs),
            *bundle.routes(views, guard, actions, on_demand.bundles),
            *console.routes(shell, pages, half_hour, actions, on_demand.whatifs),
            web.get("/api/v1/events", hub.stream, allow_head=False),
        ]
    )
    return app


@asynccontextmanager
async def serving(app: web.Application, listen: Listen) -> AsyncIterator[str]:
    """Serve until the block ends; yields the URL. Raises Unavailable when the address cannot be had."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSING_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, listen.host, listen.port).start()
        except OSError as error:
            raise Unavailable(f"cannot listen on {listen}: {error.strerror}; choose another with --listen") from error
        port = runner.addresses[0][1]
        yield f"http://{type(listen)(listen.host, port)}"
    finally:
        await runner.cleanup()


def _ending(hub: Hub, *pages: Pages) -> Callable[[web.Application], Awaitable[None]]:
    async def end(_app: web.Application) -> None:
        hub.close()
        for each in pages:
            each.close()

    return end


def _metrics(render: Callable[[str], tuple[bytes, str]]) -> Handler:
    async def metrics(request: web.Request) -> web.Response:
        body, content_type = await asyncio.to_thread(render, request.headers.get("Accept", ""))
        response = web.Response(body=body, headers={"Content-Type": content_type})
        response.enable_compression()
        return response

    return metrics


def _probe(checks: Callable[[], Sequence[Check]]) -> Handler:
    async def probe(request: web.Request) -> web.Response:
        found = checks()
        ok = all(check.ok for check in found)
        verbose = not ok or "verbose" in request.query
        lines = [str(check) for check in found] if verbose else []
        return web.Response(text="\n".join([*lines, "ok" if ok else "failed"]) + "\n", status=200 if ok else 503)

    return probe


async def _with_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
