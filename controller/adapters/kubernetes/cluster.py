"""The cluster as Foresail sees it: watches of the scaled objects, their pods and their autoscalers, as one view."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from controller.adapters.kubernetes.discovery import NODES, PODS, QUOTAS, Discovery, Resource, Unscalable
from controller.adapters.kubernetes.feeds import FeedKey, Feeds
from controller.adapters.kubernetes.kill_switch import KillSwitch, KillSwitchPlace
from controller.adapters.kubernetes.nodes import NodeTable
from controller.adapters.kubernetes.owners import owner_of
from controller.adapters.kubernetes.quotas import QuotaTable
from controller.adapters.kubernetes.scale import ScaleReader
from controller.adapters.kubernetes.scope import Scope, ScopeFinder
from controller.adapters.kubernetes.tables import Tables
from controller.clients.kubernetes import WATCH_S, ApiFailure
from controller.records import ClusterView, TargetView

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import TracebackType

    from controller.adapters.kubernetes.objects import Scale
    from controller.clients.kubernetes import KubernetesSession, Subject
    from controller.ports import Clock
    from controller.records import NodeView, Quota, TargetRef

FEW_NAMESPACES = 5  # up to this many are watched one by one
REPLAN_S = 30.0
_NODES = FeedKey(NODES, None)
SWITCH_S = 2.0  # how long to wait for the first look at the kill switch, before targets are looked at


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Where the kill switch is, and how watches are made.

    Up to `few_namespaces` are watched one by one; beyond, the whole cluster is, where that is allowed. One watch
    lasts `watch_s` seconds: as often an idle cluster is known to be unchanged.
    """

    kill_switch: KillSwitchPlace = field(default_factory=KillSwitchPlace)
    few_namespaces: int = FEW_NAMESPACES
    watch_s: float = WATCH_S


class KubernetesCluster:
    """Watches the followed targets; an asynchronous context that ends its watches.

    `view` is as current as the watches: an idle healthy cluster is seen at most half a minute ago.
    """

    def __init__(self, session: KubernetesSession, clock: Clock, settings: ClusterSettings | None = None) -> None:
        """Follow nothing yet."""
        settings = settings or ClusterSettings()
        self.discovery = Discovery(session, clock)
        self._clock = clock
        self._reader = ScaleReader(session, clock, self._take_scale)
        self._tables = Tables(self._reader)
        self._feeds = Feeds(session, clock, watch_s=settings.watch_s)
        self._scopes = ScopeFinder(session, settings.few_namespaces)
        self._kill_switch = KillSwitch(settings.kill_switch)
        self._quotas = QuotaTable()
        self._known_quotas: Mapping[str, Sequence[Quota]] = MappingProxyType({})
        self._nodes = NodeTable()
        self._with_nodes = False
        self._targets: frozenset[TargetRef] = frozenset()
        self._resources: dict[tuple[str, str], Resource | str] = {}
        self._autoscalers: Resource | str = "the autoscalers: not read yet"
        self._scaled_objects: Resource | None = None
        self._scope = Scope()
        self._pods_in: frozenset[str] = frozenset()  # what the watch of all pods keeps
        self._troubles: tuple[object, ...] = ()
        self._views: dict[TargetRef, TargetView] = {}
        self._viewed: frozenset[TargetRef] = frozenset()  # the targets of `_views`
        self._shown: Mapping[TargetRef, TargetView] = MappingProxyType({})
        self._planning = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._reader.run(), name="reading of scales"),
            asyncio.create_task(self._replan(), name="planning of watches"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self._feeds.close()

    async def follow(self, targets: Collection[TargetRef], *, nodes: bool = False) -> None:
        """Watch exactly these targets from now on, and the nodes where that is asked for.

        Never raises: what cannot be watched has a problem in the view; nodes are then not known.
        """
        self._targets, self._with_nodes = frozenset(targets), nodes
        await self._plan()
        until_s, switch = self._clock.elapsed_s() + SWITCH_S, self._kill_switch.key
        while switch is not None and not self._feeds.answered(switch) and self._clock.elapsed_s() < until_s:
            await self._clock.sleep(0.05)

    def view(self) -> ClusterView:
        """The cluster as last seen; never waits. What has not changed since the last view is not built again."""
        troubles = self._feeds.troubles()
        state = (troubles, self._scope, self._tables.read_namespaces, dict(self._resources), self._autoscalers)
        if state != self._troubles:
            self._troubles = state
            self._tables.changed.update(self._targets)
            self._quotas.changed = True
        if self._tables.changed or self._viewed is not self._targets:
            self._viewed = self._targets
            for ref in (self._tables.changed & self._targets) | (self._targets - self._views.keys()):
                self._views[ref] = self._target_view(ref, troubles)
            for ref in self._views.keys() - self._targets:
                del self._views[ref]
            self._tables.changed.clear()
            self._shown = MappingProxyType(dict(self._views))
        pods = self._tables.pods.views()
        if self._quotas.changed:
            self._known_quotas = self._readable_quotas(troubles)
            self._quotas.changed = False
        killed, nodes = self._killed(troubles), self._known_nodes(troubles)
        return ClusterView(self._shown, pods, self._seen_at_s(), killed, self._known_quotas, nodes)

    def problems(self) -> tuple[str, ...]:
        """What is wrong beside the targets' own problems: what Foresail may not read."""
        watched = self._scaler_keys() | self._scope.keys(QUOTAS)
        watched |= {self._kill_switch.key} if self._kill_switch.key else set()
        watched |= {_NODES} if self._with_nodes else set()
        found = [*self._feeds.told(watched), *([self._autoscalers] if isinstance(self._autoscalers, str) else [])]
        broken = [f"{task.get_name()} has ended" for task in self._tasks if task.done()]
        return (*found, *broken)

    def wrote(self, ref: TargetRef, replicas: int, resource_version: str) -> None:
        """Hear of a scale that was written: the next view shows it, even when the watch has not brought it yet."""
        self._tables.wrote(ref, replicas, resource_version)

    def uid_of(self, ref: TargetRef) -> str | None:
        """The uid of a followed object, None when it has not been seen."""
        scaled = self._tables.object_of(ref)
        return scaled.uid if scaled else None

    async def synced(self, *, within_s: float) -> bool:
        """Wait until every watch has been listed or refused; False when that takes longer."""
        until_s = self._clock.elapsed_s() + within_s
        while not self._feeds.settled():
            if self._clock.elapsed_s() >= until_s:
                return False
            await self._clock.sleep(0.05)
        return True

    def _known_nodes(self, troubles: Mapping[FeedKey, str]) -> Mapping[str, NodeView] | None:
        """The nodes, None where nobody asked for them or what is known of them cannot be relied upon."""
        known = self._with_nodes and self._feeds.synced(_NODES) and _NODES not in troubles
        return self._nodes.views() if known else None

    def _killed(self, troubles: Mapping[FeedKey, str]) -> str | None:
        """Why nothing may be written: the kill switch is on, or nobody knows; off where it is known to be refused."""
        on, key = self._kill_switch.killed(), self._kill_switch.key
        if on is not None or key is None or self._feeds.denied(key):
            return on
        trouble = troubles.get(key) if key in self._feeds else f"{key.where}: not read yet"
        return f"the kill switch cannot be read: {trouble}" if trouble else None

    def _readable_quotas(self, troubles: Mapping[FeedKey, str]) -> Mapping[str, Sequence[Quota]]:
        """The quotas of the followed namespaces where they can be read; nothing waits for them."""
        keys = {namespace: self._scope.key(QUOTAS, namespace) for namespace in self._scope.namespaces}
        known = (namespace for namespace, key in keys.items() if key in self._feeds and key not in troubles)
        return MappingProxyType({namespace: self._quotas.of(namespace) for namespace in known})

    def _target_view(self, ref: TargetRef, troubles: Mapping[FeedKey, str]) -> TargetView:
        resource = self._resources.get((ref.api_version, ref.kind), "not read yet")
        if isinstance(resource, str):
            return TargetView(ref, 0, 0, "", problem=resource)
        scaled, scale = self._tables.object_of(ref), self._tables.scale_of(ref)
        problem = self._reading_problem(ref, resource, troubles)
        if scaled is None:
            return TargetView(ref, 0, 0, "", problem=problem or f"{ref.kind} {ref.namespace}/{ref.name} does not exist")
        if scaled.deleted:
            problem = problem or f"{ref.kind} {ref.namespace}/{ref.name} is being deleted"
        if scale is None or isinstance(scale, str):
            return TargetView(ref, 0, 0, scaled.resource_version, problem=problem or scale or "its scale: not read yet")
        return TargetView(
            ref=ref,
            spec_replicas=scale.spec_replicas,
            status_replicas=scale.status_replicas,
            resource_version=scale.resource_version,
            paused=scaled.paused,
            fixed=scaled.fixed,
            rolling=scaled.rolling,
            owner=owner_of(scaled, self._tables.scalers_of(ref)) or self._owner_unknown(ref, troubles),
            problem=problem or _selector_problem(ref, scale),
        )

    def _reading_problem(self, ref: TargetRef, resource: Resource, troubles: Mapping[FeedKey, str]) -> str | None:
        keys = (self._scope.key(resource, ref.namespace), self._scope.key(PODS, ref.namespace))
        for key in keys:
            if key not in self._feeds or key in troubles:
                return troubles.get(key, f"{key.where}: not read yet")
        if ref.namespace not in self._tables.read_namespaces:
            return f"pods in {ref.namespace}: not read yet"
        if isinstance(self._autoscalers, str):
            return self._autoscalers
        scalers = self._scope.key(self._autoscalers, ref.namespace)
        if not self._feeds.synced(scalers) and not self._feeds.denied(scalers):
            return troubles.get(scalers, f"{scalers.where}: not read yet")
        return None

    def _owner_unknown(self, ref: TargetRef, troubles: Mapping[FeedKey, str]) -> str | None:
        """Why autoscalers may be unseen. ScaledObjects that may not be read show by the autoscalers that they make."""
        for resource in (self._autoscalers, self._scaled_objects):
            if not isinstance(resource, Resource):
                continue
            key = self._scope.key(resource, ref.namespace)
            trouble = troubles.get(key) if key in self._feeds else f"{key.where}: not read yet"
            if trouble and not (resource is self._scaled_objects and self._feeds.denied(key)):
                return f"nobody knows whether an autoscaler scales this object: {trouble}"
        return None

    def _seen_at_s(self) -> float:
        resources = {each for each in self._resources.values() if isinstance(each, Resource)} | {PODS}
        keys = [key for key in self._feeds if key.resource in resources]
        if not keys and isinstance(self._autoscalers, str):
            return 0.0  # the API server has never answered
        return self._feeds.seen_at_s(keys)

    def _scaler_keys(self) -> set[FeedKey]:
        known = [each for each in (self._autoscalers, self._scaled_objects) if isinstance(each, Resource)]
        return {key for resource in known for key in self._scope.keys(resource)}

    def _take_scale(self, ref: TargetRef, scale: Scale | str) -> None:
        self._tables.take_scale(ref, scale)

    async def _replan(self) -> NoReturn:
        """Look again at what could not be found or read, and restart what has broken."""
        while True:
            await self._clock.sleep(REPLAN_S)
            await self._plan()

    async def _plan(self) -> None:
        async with self._planning:
            targets = self._targets
            self._tables.follow(targets)
            kinds = {(ref.api_version, ref.kind) for ref in targets}
            finding = asyncio.gather(*(self._find(*kind) for kind in kinds))
            found, _ = await asyncio.gather(finding, self._find_scalers())
            self._resources = dict(zip(kinds, found, strict=True))
            namespaces = frozenset(ref.namespace for ref in targets if isinstance(self._resource(ref), Resource))
            self._scope = await self._scopes.scope(namespaces, self._watched())
            await self._watch(targets)

    def _resource(self, ref: TargetRef) -> Resource | str:
        return self._resources[ref.api_version, ref.kind]

    def _watched(self) -> set[Resource]:
        every = (PODS, QUOTAS, self._autoscalers, self._scaled_objects, *self._resources.values())
        return {each for each in every if isinstance(each, Resource)}

    async def _watch(self, targets: Collection[TargetRef]) -> None:
        wanted: dict[FeedKey, Subject[Any]] = {}
        for ref in targets:
            if isinstance(resource := self._resource(ref), Resource):
                key = self._scope.key(resource, ref.namespace)
                wanted.setdefault(key, self._tables.scaled_subject(key, ref.kind))
        for key in self._scaler_keys():
            wanted[key] = self._tables.scaler_subject(key)
        for key in self._scope.keys(PODS):
            wanted[key] = self._tables.pods_subject(key, self._scope.namespaces)
        for key in self._scope.keys(QUOTAS):
            wanted[key] = self._quotas.subject(key)
        if self._with_nodes:
            wanted[_NODES] = self._nodes.subject()
        if self._kill_switch.key is not None:
            wanted[self._kill_switch.key] = self._kill_switch.subject()
        everywhere = FeedKey(PODS, None)
        widened = everywhere in wanted and everywhere in self._feeds and not self._scope.namespaces <= self._pods_in
        await self._feeds.keep(wanted)
        self._tables.drop_outside(wanted.keys())
        if widened:
            await self._feeds.again(everywhere, wanted[everywhere])
        self._pods_in = self._scope.namespaces

    async def _find(self, api_version: str, kind: str) -> Resource | str:
        try:
            return await self.discovery.resource_of(api_version, kind)
        except Unscalable as error:
            return str(error)
        except ApiFailure as failure:
            known = self._resources.get((api_version, kind))
            return known if isinstance(known, Resource) else f"the API server cannot be asked for {kind}: {failure}"

    async def _find_scalers(self) -> None:
        try:
            self._autoscalers = await self.discovery.autoscalers() or "the API server has no autoscaling API"
            self._scaled_objects = await self.discovery.scaled_objects()
        except ApiFailure as failure:
            if isinstance(self._autoscalers, str):
                self._autoscalers = f"the autoscalers cannot be found: {failure}"


def _selector_problem(ref: TargetRef, scale: Scale) -> str | None:
    if scale.selector is None or not scale.selector.terms:
        return f"the scale of {ref.kind} {ref.namespace}/{ref.name} names no selector, so its pods cannot be found"
    return None
