"""The daemon's composition root: settings become adapters, adapters become the loop's parts."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from controller.adapters import token_file
from controller.adapters.kubernetes import (
    ClusterSettings,
    KillSwitchPlace,
    KubernetesAccess,
    KubernetesActuator,
    KubernetesCluster,
    KubernetesEvents,
)
from controller.adapters.kubernetes.access import BY as KUBERNETES
from controller.adapters.kubernetes.vertical import KubernetesVertical
from controller.adapters.nvml.machine import GpuMachine, GpuSettings
from controller.adapters.policy_files import PolicyFiles
from controller.adapters.prometheus import Allowance, PrometheusSource
from controller.allocator import return_large_blocks
from controller.clients.access import prometheus_access
from controller.clients.kubernetes import connect
from controller.clock import SystemClock
from controller.interventions import Interventions
from controller.journal import Journal
from controller.loop import Loop, Pace, Parts
from controller.notify import Delivery, News
from controller.publish import Answered, Content, Publishing
from controller.publishers import files, grafana, in_cluster, links_of, version_of, webhook
from controller.telemetry import STALE_TICKS, About, Telemetry, Wrote
from controller.vertical.loop import VerticalLoop, VerticalParts, VerticalReport
from controller.web import (
    Acted,
    Actions,
    Bundles,
    Check,
    Guard,
    Hub,
    OnDemand,
    Sessions,
    Views,
    heartbeat,
    serving,
    web_app,
)
from controller.web.auth import AnyAccess
from controller.web.changes import publish_tick
from controller.web.health import StateLog
from controller.web.holds import intervention
from controller.whatif.asking import WhatIfs
from controller.worker import worker
from policies.model import Limits
from policies.projection.origin import Left
from simulations.daemon import warmed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence

    from controller.journal import DecisionRow, Intent
    from controller.ports import Access, Actuator, Clock, Cluster, Events, MetricsSource, Publisher
    from controller.records import Outcome, Publication, TickReport
    from controller.settings import Settings
    from controller.vertical.records import VerticalCluster
    from controller.web import Application

log = structlog.get_logger("foresail.app")

SIZING = Allowance(concurrency=2, requests_per_tick=200)  # of the queries by which containers are sized, once a minute
NAMESPACE = "foresail"  # where nothing says in which one Foresail lives
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Outside:
    """The world: Kubernetes, or a simulated cluster that may bring its own time and its own source of signals."""

    cluster: Cluster
    actuator: Actuator
    events: Events
    reached: Callable[[], bool] = lambda: True  # whether it has ever answered
    problems: Callable[[], tuple[str, ...]] = lambda: ()  # what is wrong with it beside the targets' own problems
    clock: Clock = field(default_factory=SystemClock)
    source: MetricsSource | None = None  # None: Prometheus, as the settings say
    vertical: VerticalCluster | None = None  # None: nothing is sized
    publishers: Callable[[Callable[[], Content]], Sequence[Publisher]] = (
        lambda _: ()
    )  # of what is given, in the cluster
    access: Access | None = None  # who may act through the API, as the cluster says


async def run_daemon(
    settings: Settings,
    *,
    stop: asyncio.Event,
    outside: Outside | None = None,
    on_tick: Callable[[TickReport], None] | None = None,
    origins: Mapping[str, str] | None = None,
) -> None:
    """Run until `stop` is set. `origins` say where settings come from, for the debug bundle.

    Raises ForesailError when the start is impossible: no way to the API server, an address in use, a journal of a
    newer version.
    """
    return_large_blocks()
    async with AsyncExitStack() as stack:
        world = outside if outside is not None else await stack.enter_async_context(_kubernetes(settings))
        clock, source = world.clock, world.source
        if source is None:
            source = await stack.enter_async_context(
                PrometheusSource(prometheus_access(settings), _allowance(settings))
            )
        await asyncio.to_thread(warmed)
        journal = await Journal.open(settings.journal_url, now_s=clock.now_s)
        stack.push_async_callback(journal.close)
        executor = stack.enter_context(worker())
        interventions = Interventions(clock, journal)
        parts = Parts(
            clock=clock,
            policies=PolicyFiles(settings.policies),
            source=source,
            cluster=world.cluster,
            actuator=world.actuator,
            events=world.events,
            journal=journal,
            executor=executor,
            interventions=interventions,
        )
        daemon = _Daemon(settings, world, journal, on_tick, interventions, origins or {})
        loop = Loop(parts, _pace(settings), daemon.show)
        views = daemon.views(loop)
        if settings.nvml and daemon.telemetry is not None:
            await stack.enter_async_context(_gpus(daemon.telemetry))
        url = await stack.enter_async_context(serving(daemon.web(views, loop), settings.listen))
        if world.vertical is not None:
            sizing = await stack.enter_async_context(PrometheusSource(prometheus_access(settings), SIZING))
            vertical = daemon.vertical(loop, VerticalParts(clock, sizing, world.vertical, loop.supervisor))
            await stack.enter_async_context(_running(vertical.run(stop)))
        await daemon.told(stack, loop, stop)
        await daemon.published(stack, loop, stop)
        log.info("started", url=url, policies=[str(path) for path in settings.policies])
        await loop.run(stop)
        log.info("stopped")


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run work that ends when it is told to stop; where the block fails it is cancelled."""
    task = asyncio.create_task(work)
    try:
        yield
        await task
    finally:
        task.cancel()


@dataclass(slots=True)
class _Daemon:
    """What the web and the telemetry show of the loop."""

    settings: Settings
    world: Outside
    journal: Journal
    on_tick: Callable[[TickReport], None] | None
    interventions: Interventions
    origins: Mapping[str, str]
    report: TickReport | None = None
    telemetry: Telemetry | None = None
    sized: VerticalReport | None = None
    delivery: Delivery | None = None
    news: News = field(default_factory=News)
    hub: Hub = field(default_factory=Hub)
    answered: Answered = field(default_factory=Answered)
    outcomes: dict[str, Outcome] = field(default_factory=dict)  # the last one of each workload
    shown: Views | None = None

    def show(self, report: TickReport) -> None:
        """Take the report of a tick, and add what is wrong with the world."""
        problems, sized = (*report.problems, *self.world.problems()), self.sized
        if sized is not None:
            problems = (*problems, *sized.problems)
            report = replace(report, sizes=sized.by_policy)
        report = replace(report, problems=problems)
        publish_tick(self.hub, report, self.report)
        self.report, self.answered = report, self.answered.after(report)
        self.outcomes |= {each.order.uid: each for each in report.outcomes}
        self.outcomes = {uid: self.outcomes[uid] for uid in report.fleet.uid if uid in self.outcomes}
        if self.telemetry is not None:
            self.telemetry.show(report)
            self.telemetry.show_journal(self.journal.health)
            self.telemetry.show_listeners(self.hub)
            self._tell(report)
        if self.shown is not None:
            self.shown.state()  # so that it is known since when it lasts
        if self.on_tick is not None:
            self.on_tick(report)

    def _tell(self, report: TickReport) -> None:
        """Queue what is news for the webhook."""
        if self.delivery is not None and self.telemetry is not None:
            self.delivery.take(self.news.of(report))
            self.telemetry.show_messages(self.delivery.pending)

    async def told(self, stack: AsyncExitStack, loop: Loop, stop: asyncio.Event) -> None:
        """Tell the webhook from now on, where there is one."""
        receiver = await stack.enter_async_context(webhook(self.settings, self.world.clock))
        if receiver is not None and self.telemetry is not None:
            count = self.telemetry.count_messages
            self.delivery = Delivery(receiver, self.world.clock, loop.supervisor, count)
            await stack.enter_async_context(_running(self.delivery.run(stop)))

    async def published(self, stack: AsyncExitStack, loop: Loop, stop: asyncio.Event) -> None:
        """Keep dashboards and rules as rendered from now on, in the places that are set."""
        settings, telemetry = self.settings, self.telemetry

        def content() -> Content:
            return Content(links_of(settings), self.answered.policies)

        publishers = (
            *grafana(settings, content),
            *self.world.publishers(content),
            *await stack.enter_async_context(files(settings, content)),
        )
        if not publishers or telemetry is None:
            return
        telemetry.expect_publishing([each.name for each in publishers])

        def show(target: str, done: Sequence[Publication], well: bool) -> None:  # noqa: FBT001 - as Publishing calls it
            telemetry.show_published(target, done, well=well)

        pace = (self.world.clock, loop.supervisor, settings.publish_interval_s)
        work = Publishing(publishers, *pace, show, lambda target: version_of(target, self.answered.version))
        await stack.enter_async_context(_running(work.run(stop)))

    def web(self, views: Views, loop: Loop) -> Application:
        """The web application, and who may act through it."""
        access = _access(self.settings, self.world)
        guard = Guard(Sessions(self.world.clock), access, open_reading=self.settings.auth_reading == "open")
        actions = Actions(
            interventions=self.interventions,
            access=access,
            report=lambda: self.report,
            longest_s=self.settings.action_longest_s,
            told=self._done,
            refused=lambda kind: self._counted(kind, "refused"),
        )
        settings, journal = self.settings, self.journal
        on_demand = OnDemand(
            WhatIfs(settings.journal_url, lambda: self.report, lambda: loop.state),
            Bundles(
                settings, self.origins, os.environ, journal.statistics, lambda: journal.health, self.world.clock.now_s
            ),
        )
        return web_app(views, guard=guard, actions=actions, hub=self.hub, on_demand=on_demand)

    def _done(self, acted: Acted) -> None:
        """Show what somebody told at once; what it does, the next tick shows."""
        self._counted(acted.taken.told.kind, "done")
        if self.report is not None:
            self.report = replace(self.report, interventions=self.interventions.in_force())
        self.hub.publish("intervention", intervention(acted.taken.told))

    def _counted(self, kind: str, result: str) -> None:
        if self.telemetry is not None:
            self.telemetry.count_action(kind, result)

    async def _decisions(self, uid: str, before_s: float, limit: int) -> Sequence[DecisionRow]:
        return await self.journal.decisions(uid, before_s=before_s, limit=limit)

    async def _orders(self, uid: str, limit: int) -> Sequence[Intent]:
        return await self.journal.orders(uid, limit=limit)

    def vertical(self, loop: Loop, parts: VerticalParts) -> VerticalLoop:
        """The loop that sizes containers for the policies in force, and writes nothing while the kill switch is set."""

        def show(report: VerticalReport) -> None:
            self.sized = report
            if self.telemetry is not None:
                wrote = Wrote(report.writes, report.checkpoints, report.unread)
                self.telemetry.show_sizes(report.at_s, report.workloads, wrote)

        return VerticalLoop(parts, lambda: loop.policies, lambda: self.world.cluster.view().killed, show)

    def views(self, loop: Loop) -> Views:
        """What the web application may ask for."""
        interval_s, clock = self.settings.interval_s, self.world.clock
        about = About(version("foresail"), clock.now_s(), STALE_TICKS * interval_s)
        self.telemetry = telemetry = Telemetry(about, clock.now_s)
        loop.supervisor.on_fault = loop.hands.on_fault = telemetry.count_unhandled_error

        def live() -> Sequence[Check]:
            return (heartbeat(clock.elapsed_s() - loop.round_at_s, interval_s),)

        def ready() -> Sequence[Check]:
            loaded, problems = loop.fleet is not None, len(loop.policies.problems)
            reached = self.world.reached()
            return (
                Check("policies", loaded, f"{problems} problems" if problems else ""),
                Check("cluster", reached, "" if reached else "the API server has not answered yet"),
            )

        self.shown = Views(
            report=lambda: self.report,
            metrics=telemetry.render,
            sized=lambda: self.sized.workloads if self.sized else (),
            live=live,
            ready=ready,
            version={"version": version("foresail")},
            decisions=self._decisions,
            orders=self._orders,
            outcomes=lambda: self.outcomes,
            interventions=self.interventions.in_force,
            left=lambda: None if loop.state is None else Left(loop.state, loop.planning.fit),
            states=StateLog(clock.now_s),
        )
        return self.shown


@asynccontextmanager
async def _gpus(telemetry: Telemetry) -> AsyncIterator[None]:
    """Read this machine's GPUs beside the loop; no fault of theirs reaches it."""
    machine, stop = GpuMachine(GpuSettings(socket.gethostname())), asyncio.Event()
    telemetry.registry.register(machine.metrics)
    reading = asyncio.create_task(machine.run(stop))
    try:
        yield
    finally:
        stop.set()
        await reading


@asynccontextmanager
async def _kubernetes(settings: Settings) -> AsyncIterator[Outside]:
    clock = SystemClock()
    session = await connect(kubeconfig=settings.kubeconfig, context=settings.context)
    place = KillSwitchPlace(own_namespace(settings), settings.kill_switch_configmap, settings.kill_switch_file)
    async with (
        session,
        KubernetesCluster(session, clock, ClusterSettings(kill_switch=place)) as cluster,
        KubernetesVertical(session, cluster.discovery, clock) as vertical,
    ):
        yield Outside(
            cluster=cluster,
            actuator=KubernetesActuator(session, cluster.discovery, cluster.wrote),
            events=KubernetesEvents(session, clock, cluster.uid_of),
            reached=lambda: cluster.view().seen_at_s > 0,
            problems=cluster.problems,
            vertical=vertical,
            publishers=lambda content: tuple(in_cluster(settings, content, session, own_namespace(settings))),
            access=KubernetesAccess(session, cluster.discovery, clock) if settings.auth_kubernetes else None,
        )


def _access(settings: Settings, world: Outside) -> Access | None:
    """Who may act: those of the file, and those of whom Kubernetes says so; None turns actions off."""
    vouching: dict[str, Access] = {}
    if settings.auth_token_file is not None:
        vouching[token_file.BY] = token_file.TokenFile(settings.auth_token_file)
    if world.access is not None:
        vouching[KUBERNETES] = world.access
    return AnyAccess(vouching) if vouching else None


def own_namespace(settings: Settings, told: Path = POD_NAMESPACE) -> str:
    """Where Foresail lives: as set, else as Kubernetes tells a pod, else `foresail`.

    With a kubeconfig another cluster may be meant than the one whose pod this is, so that the pod says nothing.
    """
    if settings.namespace is not None or settings.kubeconfig is not None:
        return settings.namespace or NAMESPACE
    try:
        return told.read_text(encoding="utf-8").strip() or NAMESPACE
    except (OSError, ValueError):
        return NAMESPACE  # not in a pod, or one without an account


def _allowance(settings: Settings) -> Allowance:
    return Allowance(concurrency=settings.prometheus_concurrency, requests_per_tick=settings.prometheus_query_budget)


def _pace(settings: Settings) -> Pace:
    limits = Limits(removal_ratio=settings.removal_ratio, removal_window_s=settings.removal_window_s, mass_drop=True)
    return Pace(
        interval_s=settings.interval_s,
        deadline_s=settings.tick_deadline_s,
        retention_s=settings.journal_retention_s,
        limits=limits,
    )
