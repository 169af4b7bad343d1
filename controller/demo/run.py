"""One run of the demo: the stage is set, the daemon plays on it, and everything is cleared away."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import time
from contextlib import AsyncExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TextIO

import structlog
from rich.live import Live

from controller.app import Outside, run_daemon
from controller.demo import load, prometheus
from controller.demo.clock import ScaledClock
from controller.demo.embedded import EmbeddedSource
from controller.demo.exporter import Daemon, Exporter, PodTargets
from controller.demo.screen import Screen
from controller.demo.servers import ModelServers
from controller.errors import ForesailError
from controller.settings import Settings
from controller.settings.values import Listen
from simulations import cluster as simulated
from simulations.daemon import warmed
from simulations.serving import HOUR_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from controller.ports import MetricsSource
    from controller.records import Event

MOVE_S = 0.25  # real seconds between two moments of the simulated servers
SCRAPE_S = 0.5  # real seconds between two scrapes, less where simulated time is slow
TICK_S = 1.0  # real seconds between two ticks, as above
LEAST_INTERVAL_S = 15.0  # simulated
DEADLINE_S = 5.0  # real; a tick that takes longer goes on without what is not answered
STARTUP = simulated.StartUp(median_s=150.0, sigma=0.2)
REMOVAL_RATIO = 0.2  # with few replicas, a tenth of them is two
LOG_LINES = 5
TOKENS = "tokens"
FIRST_TICKS = 4  # after so many there is something to explain


@dataclass(frozen=True, slots=True)
class Play:
    """How the demo is to run."""

    for_s: float | None  # real seconds; None = until interrupted
    seed: int
    speed: float
    plain: bool


@dataclass(frozen=True, slots=True)
class Quiet:
    """Implements `ports.Events`: the table shows what an event would say."""

    async def emit(self, event: Event) -> None:
        """Drop it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The simulated world."""

    folder: Path
    clock: ScaledClock
    cluster: simulated.SimulatedCluster
    servers: ModelServers
    exporter: Exporter
    targets: PodTargets
    token: str = field(default_factory=lambda: token_urlsafe(12), repr=False)  # with which one may act

    @classmethod
    async def of(cls, folder: Path, exporter: Exporter, play: Play) -> Stage:
        """A world that stands at the demo's first moment, its pods started an hour before."""
        start_s = load.start_s(time.time())
        clock = ScaledClock(start_s - HOUR_S, play.speed)
        cluster = simulated.SimulatedCluster(clock, simulated.Machine(STARTUP, seed=play.seed))
        for each in load.WORKLOADS:
            cluster.add(empty := simulated.Workload(each.ref, 0))
            cluster.change(replace(empty, replicas=each.begins_with))
        await cluster.follow([each.ref for each in load.WORKLOADS])
        clock.stand_at(start_s)
        loads = {
            each.name: load.Load(each, start_s=start_s, seed=play.seed + place)
            for place, each in enumerate(load.WORKLOADS)
        }
        servers = ModelServers(cluster, clock, load.WORKLOADS, loads)
        return cls(folder, clock, cluster, servers, exporter, PodTargets(folder / "pods.json", exporter.address))

    def move(self) -> None:
        """Move the servers on to the present, and export it."""
        moment = self.servers.step()
        self.exporter.publish(moment)
        self.targets.publish(moment.pods.values())


@dataclass(frozen=True, slots=True)
class Found:
    """Where metrics are read: a Prometheus at a URL, or the source in the process, and what to say of it."""

    told: tuple[str, ...]
    url: str = ""
    embedded: MetricsSource | None = None


async def run(play: Play, console: Console) -> None:
    """Run the demo to its end. Raises ForesailError when the daemon cannot start."""
    stop = asyncio.Event()
    scraped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    exporter = Exporter(on_scrape=lambda: loop.call_soon_threadsafe(scraped.set))
    with TemporaryDirectory(prefix="foresail-demo-") as folder, exporter:
        log = Path(folder) / "foresail.log"
        with log.open("w", encoding="utf-8") as written, _logging_to(written):
            stage = await Stage.of(Path(folder), exporter, play)
            stage.move()
            async with AsyncExitStack() as stack:
                setting = asyncio.create_task(_source(stage, stack, console, scraped))
                found = await _unless(stop, setting)
                if found is not None:
                    await _played(stage, found, Show(play, console, stop))
        for line in log.read_text(encoding="utf-8").splitlines()[-LOG_LINES:]:
            console.print(f"log: {line}", soft_wrap=True, markup=False, highlight=False)


async def _unless(stop: asyncio.Event, setting: asyncio.Task[Found]) -> Found | None:
    """What `setting` finds; None when `stop` is set before, and `setting` is cancelled then."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((setting, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if setting.done():
        return setting.result()
    setting.cancel()
    await asyncio.wait((setting,))
    return None


async def _source(stage: Stage, stack: AsyncExitStack, console: Console, scraped: asyncio.Event) -> Found:
    """A real Prometheus where it can be had, else the source in the process."""
    embedded = EmbeddedSource(stage.servers)
    programs = prometheus.find_programs()
    if programs is None:
        missing = f"Prometheus is not installed (Debian: {prometheus.INSTALL})"
        return Found((f"{missing}: the demo runs on an embedded source instead.",), embedded=embedded)
    console.print("Writing a past week into a Prometheus of its own, and starting it ...")
    scrape = prometheus.Scrape(stage.exporter.address, _paced(SCRAPE_S, stage.clock.speed), stage.targets.file)
    try:
        await prometheus.backfill(programs, stage.folder, stage.servers.loads)
        running = prometheus.running(programs, stage.folder, scrape, scraped)
        url = await stack.enter_async_context(running)
    except ForesailError as error:
        return Found((f"The demo runs on an embedded source, as {error}",), embedded=embedded)
    at = f"{datetime.fromtimestamp(stage.clock.now_s() + HOUR_S, UTC):%Y-%m-%d %H:%M}"
    told = f"Prometheus scrapes the simulated servers; their samples carry the simulated time: {url}"
    return Found((told, f"  load over the day: {prometheus.graph_url(url, load.ARRIVALS, at)}"), url=url)


@dataclass(frozen=True, slots=True)
class Show:
    """How to play, where to show it, and what ends it."""

    play: Play
    console: Console
    stop: asyncio.Event


async def _played(stage: Stage, found: Found, show: Show) -> None:
    """Let time run and the daemon act until the end."""
    play, clock = show.play, stage.clock
    settings = _settings(stage, found, play)
    stage.exporter.daemon = Daemon(str(settings.listen), clock.now_s)
    heading = f"{play.speed:g} times faster than real time; {'real Prometheus' if found.url else 'embedded source'}"
    screen = Screen(show.console, stage.servers, heading, play.plain)
    for line in (*found.told, *_addresses(stage, settings, play), *_commands(settings, clock.now_s())):
        screen.say(line)
    outside = Outside(stage.cluster, stage.cluster, Quiet(), clock=clock, source=found.embedded)
    await asyncio.to_thread(warmed)
    clock.begin()
    if play.for_s is not None:
        asyncio.get_running_loop().call_later(play.for_s, show.stop.set)
    shown = nullcontext() if play.plain else Live(screen, console=show.console)
    with shown:
        async with asyncio.TaskGroup() as group:
            moving = group.create_task(_moving(stage))
            await run_daemon(settings, outside=outside, on_tick=screen.take, stop=show.stop)
            moving.cancel()
    for worker in multiprocessing.active_children():
        worker.terminate()  # a refit under way is of no more use, and would be waited for
    for line in screen.summary(clock.elapsed_s()):
        screen.say(line)


async def _moving(stage: Stage) -> None:
    while True:
        stage.move()
        await asyncio.sleep(MOVE_S)


def _settings(stage: Stage, found: Found, play: Play) -> Settings:
    """The daemon's settings; its policies are written as a user would write them."""
    policies, state = stage.folder / "policies", stage.folder / "state"
    policies.mkdir()
    state.mkdir()
    for each in load.WORKLOADS:
        (policies / f"{each.name}.yaml").write_text(each.policy, encoding="utf-8")
    (policies / "budget.yaml").write_text(load.BUDGET, encoding="utf-8")
    (stage.folder / TOKENS).write_text(f"you {stage.token}\n", encoding="utf-8")
    return Settings(
        auth_token_file=stage.folder / TOKENS,
        policies=(policies,),
        state_dir=state,
        interval_s=max(LEAST_INTERVAL_S, TICK_S * play.speed),
        tick_deadline_s=DEADLINE_S,
        prometheus_url=found.url or Settings().prometheus_url,
        removal_ratio=REMOVAL_RATIO,
        publish_dir=stage.folder / "published",
        listen=Listen("127.0.0.1", prometheus.free_port()),
    )


def _paced(real_s: float, speed: float) -> float:
    """Real seconds between two events: `real_s`, and longer where simulated time is slow, up to `LEAST_INTERVAL_S`."""
    return max(real_s, min(LEAST_INTERVAL_S, LEAST_INTERVAL_S / speed))


def _addresses(stage: Stage, settings: Settings, play: Play) -> tuple[str, ...]:
    daemon = f"http://{settings.listen}"
    ends = "Ctrl-C ends the demo." if play.for_s is None else f"The demo ends after {play.for_s:g} s, or on Ctrl-C."
    return (
        f"Foresail's console: {daemon}/console",
        f"  to pause or override there, sign in with {stage.token}",
        f"Foresail's metrics: {daemon}/metrics",
        f"Foresail's API: {daemon}/api/v1/workloads",
        f"The simulated day runs {play.speed:g} times faster: 24 h take {24 * 60 / play.speed:.3g} minutes. {ends}",
    )


def _commands(settings: Settings, start_s: float) -> tuple[str, ...]:
    """Commands to copy while the demo runs; the last one asks for a tick that comes soon."""
    daemon, asked = f"http://{settings.listen}", f"{load.NAMESPACE}/{load.WORKLOADS[0].name}"
    at_s = start_s + FIRST_TICKS * settings.interval_s
    journal = f"sqlite:///{settings.state_dir / 'foresail.db'}"
    return (
        "Meanwhile, in another terminal (the journal is there until the demo ends):",
        f"  foresail status --url {daemon}",
        f"  foresail explain {asked} --url {daemon}",
        f"  foresail explain {asked} --at {datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%SZ} --journal {journal}",
    )


@contextmanager
def _logging_to(file: TextIO) -> Iterator[None]:
    """Warnings of the daemon go to a file meanwhile, as the screen is the table's."""
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.LogfmtRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.WriteLoggerFactory(file=file),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
