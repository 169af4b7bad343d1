"""The NVML agent's composition root: the GPUs of one machine, as metrics, with probes; light, without the daemon."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from controller.adapters.nvml.machine import GpuMachine
from controller.errors import Unavailable

if TYPE_CHECKING:
    import asyncio

    from controller.adapters.nvml.machine import GpuSettings
    from controller.settings.values import Listen

log = structlog.get_logger("foresail.agent")

_STUCK_S = 180.0  # the longest back-off is a minute
_CLOSING_S = 2.0


async def run_agent(settings: GpuSettings, listen: Listen, *, stop: asyncio.Event) -> None:
    """Serve /metrics, /livez and /readyz until `stop` is set. Raises Unavailable when the address cannot be had."""
    machine = GpuMachine(settings)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(machine.metrics)
    runner = web.AppRunner(_app(machine, registry), access_log=None, shutdown_timeout=_CLOSING_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, listen.host, listen.port).start()
        except OSError as error:
            raise Unavailable(f"cannot listen on {listen}: {error.strerror}; choose another with --listen") from error
        log.info("started", url=f"http://{type(listen)(listen.host, runner.addresses[0][1])}", node=settings.node)
        await machine.run(stop)
        log.info("stopped")
    finally:
        await runner.cleanup()


def _app(machine: GpuMachine, registry: CollectorRegistry) -> web.Application:
    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        response = web.Response(body=encode(registry), headers={"Content-Type": content_type})
        response.enable_compression()
        return response

    async def live(_request: web.Request) -> web.Response:
        age_s = time.monotonic() - machine.watch.round_at_s
        return web.Response(text=f"came round {age_s:.0f} s ago\n", status=200 if age_s < _STUCK_S else 503)

    async def ready(_request: web.Request) -> web.Response:
        # Ready without GPUs too: it serves foresail_gpu_up 0 with the reason, which must be scraped.
        rounds, down = machine.watch.seen.rounds.total(), machine.watch.seen.down
        tried = rounds > 0 or down == "released"
        return web.Response(text=f"{down or 'ok'}\n", status=200 if tried else 503)

    app = web.Application()
    probes = {"/livez": live, "/healthz": live, "/readyz": ready}
    app.add_routes([web.get("/metrics", metrics), *(web.get(path, probe) for path, probe in probes.items())])
    return app
