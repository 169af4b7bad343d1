"""What the agent serves: /metrics and the probes. Small, because the daemon's own web needs the decision core."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from controller.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.adapters.nvml.machine import GpuMachine
    from controller.settings.values import Listen

_STUCK_S = 180.0  # the longest back-off is a minute
_CLOSING_S = 2.0


@asynccontextmanager
async def serving(machine: GpuMachine, listen: Listen) -> AsyncIterator[str]:
    """Serve until the block ends; yields the URL. Raises Unavailable when the address cannot be had."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(machine.metrics)
    runner = web.AppRunner(_app(machine, registry), access_log=None, shutdown_timeout=_CLOSING_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, listen.host, listen.port).start()
        except OSError as error:
            raise Unavailable(f"cannot listen on {listen}: {error.strerror}; choose another with --listen") from error
        yield f"http://{type(listen)(listen.host, runner.addresses[0][1])}"
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
