"""The NVML agent's composition root: the GPUs of one machine, as metrics, with probes; light, without the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from controller.adapters.nvml.machine import GpuMachine
from controller.adapters.nvml.serving import serving

if TYPE_CHECKING:
    import asyncio

    from controller.adapters.nvml.machine import GpuSettings
    from controller.settings.values import Listen

log = structlog.get_logger("foresail.agent")


async def run_agent(settings: GpuSettings, listen: Listen, *, stop: asyncio.Event) -> None:
    """Serve /metrics, /livez and /readyz until `stop` is set. Raises Unavailable when the address cannot be had."""
    machine = GpuMachine(settings)
    async with serving(machine, listen) as url:
        log.info("started", url=url, node=settings.node)
        await machine.run(stop)
        log.info("stopped")
