"""A program: the daemon beside simulated model servers at a faster clock, on a real Prometheus, until it is killed.

The demo's world, begun at any wall time, so that a daemon that was killed can be followed by another on its journal.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path

from controller.app import Outside, run_daemon
from controller.demo.clock import ScaledClock
from controller.demo.exporter import Exporter, PodTargets
from controller.demo.load import WORKLOADS, Load
from controller.demo.prometheus import GATEWAY_LABELS, free_port
from controller.demo.run import DEADLINE_S, MOVE_S, REMOVAL_RATIO, STARTUP, Quiet
from controller.demo.servers import ModelServers
from controller.settings import Settings
from controller.settings.values import Listen
from simulations import cluster as simulated
from simulations.serving import HOUR_S

ORIGIN_S = 1_699_948_800.0  # Tuesday 2023-11-14, 08:00 UTC: the flash crowd is half an hour later
SPEED = 90.0
INTERVAL_S = 30.0
SEED = 11
HOLE_S = (900.0, 1200.0)  # after the origin nothing new is exported
FOUND_S = 60.0  # real seconds within which Prometheus finds the exporter
GATEWAY, PODS, POLICIES = "gateway.json", "pods.json", "policies"


def loads() -> dict[str, Load]:
    """The load of each workload, known for the week before the origin and after it."""
    return {each.name: Load(each, start_s=ORIGIN_S, seed=SEED + place) for place, each in enumerate(WORKLOADS)}


async def lived(folder: Path, url: str, start_s: float) -> None:
    """Live from a wall time on until SIGTERM; `folder` holds policies and state, and takes the scrape targets."""
    clock = ScaledClock(start_s - HOUR_S, SPEED)
    cluster = simulated.SimulatedCluster(clock, simulated.Machine(STARTUP, seed=SEED))
    for each in WORKLOADS:
        cluster.add(empty := simulated.Workload(each.ref, 0))
        cluster.change(replace(empty, replicas=each.begins_with))
    await cluster.follow([each.ref for each in WORKLOADS])
    clock.stand_at(start_s)
    servers = ModelServers(cluster, clock, WORKLOADS, loads())
    stop, scraped, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    with Exporter(on_scrape=lambda: loop.call_soon_threadsafe(scraped.set)) as exporter:
        gateway = [{"targets": [exporter.address], "labels": {"instance": GATEWAY_LABELS["instance"]}}]
        (folder / GATEWAY).write_text(json.dumps(gateway))
        world = _World(servers, exporter, PodTargets(folder / PODS, exporter.address))
        world.move()
        async with asyncio.timeout(FOUND_S):
            await scraped.wait()  # some seconds, in which no time passes
        clock.begin()
        async with asyncio.TaskGroup() as group:
            moving = group.create_task(world.moving())
            outside = Outside(cluster, cluster, Quiet(), clock=clock)
            await run_daemon(_settings(folder, url), outside=outside, stop=stop)
            moving.cancel()


class _World:
    """Moves the servers on, but for the hole in what they export."""

    def __init__(self, servers: ModelServers, exporter: Exporter, targets: PodTargets) -> None:
        self.servers, self.exporter, self.targets = servers, exporter, targets

    def move(self) -> None:
        moment = self.servers.step()
        if not HOLE_S[0] <= moment.at_s - ORIGIN_S < HOLE_S[1]:
            self.exporter.publish(moment)
            self.targets.publish(moment.pods.values())

    async def moving(self) -> None:
        while True:
            self.move()
            await asyncio.sleep(MOVE_S)


def _settings(folder: Path, url: str) -> Settings:
    state = folder / "state"
    state.mkdir(exist_ok=True)
    return Settings(
        policies=(folder / POLICIES,),
        state_dir=state,
        interval_s=INTERVAL_S,
        tick_deadline_s=DEADLINE_S,
        prometheus_url=url,
        removal_ratio=REMOVAL_RATIO,
        listen=Listen("127.0.0.1", free_port()),
    )


if __name__ == "__main__":
    asyncio.run(lived(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
