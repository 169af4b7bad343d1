"""The VerticalCluster on an API server: watches of autoscalers and pods, and writes of statuses and checkpoints."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from controller.adapters.kubernetes.discovery import PODS, Resource
from controller.adapters.kubernetes.feeds import FeedKey, Feeds
from controller.adapters.kubernetes.listing import items
from controller.adapters.kubernetes.objects import group_of
from controller.adapters.kubernetes.selectors import Selector, SelectorIndex
from controller.adapters.kubernetes.vertical.decode import (
    LabelledPod,
    autoscaler_of,
    checkpoint_of,
    labelled_pod_of,
)
from controller.adapters.kubernetes.vertical.selectors import TargetSelectors, Unselected
from controller.clients.kubernetes import (
    JSON_PATCH,
    MERGE_PATCH,
    WATCH_S,
    ApiFailure,
    Gone,
    Put,
    Replaced,
    Request,
    Subject,
    translated,
)
from controller.errors import Rejected, Unavailable
from controller.vertical.records import Autoscaler, Watched

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from types import TracebackType

    from controller.adapters.kubernetes.discovery import Discovery
    from controller.clients.kubernetes import Change, JsonObject, KubernetesSession
    from controller.errors import ForesailError
    from controller.ports import Clock
    from controller.records import TargetRef
    from controller.vertical.records import Checkpoint, Document, PodSeen

AUTOSCALERS = Resource("autoscaling.k8s.io/v1", "verticalpodautoscalers")
CHECKPOINTS = Resource("autoscaling.k8s.io/v1", "verticalpodautoscalercheckpoints")
FIELD_MANAGER = "foresail"
FEW_NAMESPACES = 5  # up to this many are watched one by one
SETTLE_S = 5.0  # how long to wait for the first look at what is watched

_EVERYWHERE = FeedKey(AUTOSCALERS, None)


class KubernetesVertical:
    """Watches autoscalers everywhere and the pods of their namespaces. Use it as `async with`."""

    def __init__(
        self, session: KubernetesSession, discovery: Discovery, clock: Clock, *, watch_s: float = WATCH_S
    ) -> None:
        """Watch nothing yet."""
        self._session = session
        self._clock = clock
        self._feeds = Feeds(session, clock, watch_s=watch_s)
        self._selectors = TargetSelectors(session, discovery, clock)
        self._autoscalers: dict[tuple[str, str], Autoscaler] = {}
        self._pods: dict[str, dict[str, LabelledPod]] = defaultdict(dict)
        self._pod_keys: frozenset[FeedKey] = frozenset()
        self._narrow: set[str] = set()  # namespaces whose autoscalers are watched one by one

    async def __aenter__(self) -> Self:
        await self._feeds.keep({_EVERYWHERE: self._subject_of_autoscalers(None)})
        await self._settled([_EVERYWHERE])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._feeds.close()

    async def watched(self, policies: Mapping[str, TargetRef], namespaces: Collection[str]) -> Sequence[Watched]:
        """Every autoscaler that names us, and the targets of policies that no such autoscaler has. Never raises.

        Autoscalers are watched in all namespaces, or in those given where that is forbidden.
        """
        self._narrow = set(namespaces) if self._feeds.denied(_EVERYWHERE) else set()
        await self._watch()
        seen = [each for each in self._autoscalers.values() if not self._narrow or each.namespace in self._narrow]
        mine = sorted(seen, key=lambda each: (each.namespace, each.name))
        of_policy = {_place(ref): uid for uid, ref in policies.items()}
        taken = {_place(each.target) for each in mine if each.target is not None}
        alone = [(uid, ref) for uid, ref in sorted(policies.items()) if _place(ref) not in taken]
        refs = [each.target for each in mine if each.target is not None and each.trouble is None]
        refs += [ref for _, ref in alone]
        keys = await self._watch_pods({ref.namespace for ref in refs})
        selectors = await self._selectors.of(refs)
        members = self._members(selectors)
        troubles = self._feeds.troubles()

        def pods(ref: TargetRef | None) -> tuple[tuple[PodSeen, ...], str | None, bool]:
            if ref is None or ref not in selectors:
                return (), None, True
            if isinstance(selector := selectors[ref], Unselected):
                return (), selector.why, selector.lasting
            return members.get(ref, ()), troubles.get(keys[ref.namespace]), False

        found = [
            Watched(
                f"{each.namespace}/{each.name}",
                each.namespace,
                each,
                of_policy.get(_place(each.target)) if each.target else None,
                each.target,
                *pods(each.target),
            )
            for each in mine
        ]
        found += [Watched(uid, ref.namespace, None, uid, ref, *pods(ref)) for uid, ref in alone]
        return found

    async def write(self, autoscaler: Autoscaler, status: Document) -> None:
        """Write the status subresource with its resourceVersion. Raises Unavailable, Conflict and Rejected."""
        body = {"metadata": {"resourceVersion": autoscaler.resource_version}, "status": status}
        path = f"{_path(autoscaler)}/status"
        try:
            answer = await self._session.ask(Request(path, "PATCH", {"fieldManager": FIELD_MANAGER}, body, MERGE_PATCH))
        except ApiFailure as failure:
            what = f"writing the status of VerticalPodAutoscaler {autoscaler.namespace}/{autoscaler.name}"
            raise _translated(failure, what, "verticalpodautoscalers/status", "patch") from failure
        self._take(Put(_decoded(answer)))

    async def read(self, autoscaler: Autoscaler) -> Autoscaler | None:
        """The autoscaler as it is now; None when it is gone or names us no more. Raises Unavailable and Rejected."""
        try:
            found = autoscaler_of(await self._session.get(_path(autoscaler)))
        except ApiFailure as failure:
            if failure.status == HTTPStatus.NOT_FOUND:
                return None
            what = f"reading VerticalPodAutoscaler {autoscaler.namespace}/{autoscaler.name}"
            raise _translated(failure, what, "verticalpodautoscalers", "get") from failure
        if found is not None:
            self._take(Put(found))
        return found

    async def checkpoints(self, namespace: str) -> Sequence[Checkpoint]:
        """The checkpoints of a namespace. Raises Unavailable and Rejected."""
        try:
            return [checkpoint_of(item) async for item in items(self._session, CHECKPOINTS, namespace)]
        except ApiFailure as failure:
            what = f"listing checkpoints in {namespace}"
            raise _translated(failure, what, CHECKPOINTS.plural, "list") from failure
        except (KeyError, TypeError) as error:
            raise Unavailable(f"checkpoints in {namespace} cannot be understood: {error!r}") from error

    async def keep(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint whole, new or not. Raises Unavailable, Conflict and Rejected."""
        path, verb = CHECKPOINTS.path(checkpoint.namespace), "patch"
        whole = [{"op": "add", "path": "/status", "value": checkpoint.status}]  # a merge would keep emptied buckets
        manager = {"fieldManager": FIELD_MANAGER}
        try:
            try:
                await self._session.ask(Request(f"{path}/{checkpoint.name}", "PATCH", manager, whole, JSON_PATCH))
            except ApiFailure as failure:
                if failure.status != HTTPStatus.NOT_FOUND:
                    raise
                verb = "create"
                await self._session.ask(Request(path, "POST", manager, _document(checkpoint)))
        except ApiFailure as failure:
            what = f"writing checkpoint {checkpoint.namespace}/{checkpoint.name}"
            raise _translated(failure, what, CHECKPOINTS.plural, verb) from failure

    def problems(self) -> tuple[str, ...]:
        """What may not be read, in words. A cluster without the API of autoscalers has no problem."""
        hidden = {key for key in self._feeds if key.resource == AUTOSCALERS and self._absent(key)}
        return self._feeds.told(set(self._feeds) - hidden - ({_EVERYWHERE} if self._narrow else set()))

    def _absent(self, key: FeedKey) -> bool:
        failure = self._feeds.failure(key)
        return failure is not None and failure.status == HTTPStatus.NOT_FOUND

    async def _watch_pods(self, namespaces: set[str]) -> dict[str, FeedKey]:
        """Watch the pods of these namespaces; returns the watch that shows each."""
        wide = len(namespaces) > FEW_NAMESPACES and not self._feeds.denied(FeedKey(PODS, None))
        keys = {namespace: FeedKey(PODS, None if wide else namespace) for namespace in namespaces}
        self._pod_keys = frozenset(keys.values())
        if not wide:
            for gone in self._pods.keys() - namespaces:
                del self._pods[gone]
        await self._watch()
        return keys

    async def _watch(self) -> None:
        """Watch autoscalers and the pods that are wanted, and wait for a first look at what is new."""
        wanted: dict[FeedKey, Subject[Any]] = {_EVERYWHERE: self._subject_of_autoscalers(None)}
        for namespace in self._narrow:
            wanted[FeedKey(AUTOSCALERS, namespace)] = self._subject_of_autoscalers(namespace)
        wanted |= {key: self._subject_of_pods(key) for key in self._pod_keys}
        new = [key for key in wanted if key not in self._feeds]
        await self._feeds.keep(wanted)
        await self._settled(new)

    async def _settled(self, keys: Iterable[FeedKey]) -> None:
        """Wait until these watches have been listed or have failed to be, but not for long."""
        until_s = self._clock.elapsed_s() + SETTLE_S
        for key in keys:
            while not self._feeds.answered(key) and self._clock.elapsed_s() < until_s:
                await self._clock.sleep(0.05)

    def _members(self, selectors: Mapping[TargetRef, Selector | Unselected]) -> dict[TargetRef, tuple[PodSeen, ...]]:
        """The pods that each target's selector finds, by name."""
        found: defaultdict[TargetRef, list[PodSeen]] = defaultdict(list)
        by_namespace: defaultdict[str, dict[TargetRef, Selector]] = defaultdict(dict)
        for ref, selector in selectors.items():
            if isinstance(selector, Selector):
                by_namespace[ref.namespace][ref] = selector
        for namespace, known in by_namespace.items():
            index = SelectorIndex(known)
            for _, each in sorted(self._pods.get(namespace, {}).items()):
                for ref in index.matching(each.labels):
                    found[ref].append(each.pod)
        return {ref: tuple(pods) for ref, pods in found.items()}

    def _subject_of_autoscalers(self, namespace: str | None) -> Subject[Autoscaler | _Other]:
        def take(change: Change[Autoscaler | _Other]) -> None:
            if isinstance(change, Replaced):  # of this namespace alone
                others = [each for each in self._autoscalers.values() if namespace not in (None, each.namespace)]
                change = Replaced([*others, *change.items])
            self._take(change)

        return Subject(AUTOSCALERS.path(namespace), _decoded, take)

    def _subject_of_pods(self, key: FeedKey) -> Subject[LabelledPod | _Over]:
        def take(change: Change[LabelledPod | _Over]) -> None:
            self._take_pods(key.namespace, change)

        return Subject(key.resource.path(key.namespace), _pod_or_over, take)

    def _take(self, change: Change[Autoscaler | _Other]) -> None:
        match change:
            case Replaced(found):
                mine = [each for each in found if isinstance(each, Autoscaler)]
                self._autoscalers = {(each.namespace, each.name): each for each in mine}
            case Put(each) if isinstance(each, Autoscaler):
                self._autoscalers[each.namespace, each.name] = each
            case Put(each) | Gone(each):
                self._autoscalers.pop((each.namespace, each.name), None)

    def _take_pods(self, namespace: str | None, change: Change[LabelledPod | _Over]) -> None:
        match change:
            case Replaced(found):
                if namespace is None:
                    self._pods.clear()
                self._pods.pop(namespace or "", None)
                for each in found:
                    if isinstance(each, LabelledPod):
                        self._pods[each.namespace][each.pod.name] = each
            case Put(each) if isinstance(each, LabelledPod):
                self._pods[each.namespace][each.pod.name] = each
            case Put(each) | Gone(each):
                name = each.pod.name if isinstance(each, LabelledPod) else each.name
                self._pods[each.namespace].pop(name, None)


@dataclass(frozen=True, slots=True)
class _Other:
    """An autoscaler that names another recommender."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class _Over:
    """A pod that is over."""

    namespace: str
    name: str


def _decoded(item: JsonObject) -> Autoscaler | _Other:
    return autoscaler_of(item) or _Other(item["metadata"]["namespace"], item["metadata"]["name"])


def _pod_or_over(item: JsonObject) -> LabelledPod | _Over:
    return labelled_pod_of(item) or _Over(item["metadata"]["namespace"], item["metadata"]["name"])


def _place(ref: TargetRef) -> tuple[str, str, str, str]:
    """What an object is, whatever version of its API names it."""
    return ref.namespace, group_of(ref.api_version), ref.kind, ref.name


def _path(autoscaler: Autoscaler) -> str:
    return f"{AUTOSCALERS.path(autoscaler.namespace)}/{autoscaler.name}"


def _document(checkpoint: Checkpoint) -> Document:
    """A new checkpoint; it goes with its autoscaler."""
    metadata: Document = {"name": checkpoint.name}
    if checkpoint.owner_uid:
        owner = {"kind": "VerticalPodAutoscaler", "name": checkpoint.autoscaler, "uid": checkpoint.owner_uid}
        metadata["ownerReferences"] = [{"apiVersion": AUTOSCALERS.api_version, **owner}]
    return {
        "apiVersion": CHECKPOINTS.api_version,
        "kind": "VerticalPodAutoscalerCheckpoint",
        "metadata": metadata,
        "spec": {"vpaObjectName": checkpoint.autoscaler, "containerName": checkpoint.container},
        "status": checkpoint.status,
    }


def _translated(failure: ApiFailure, doing: str, resource: str, verb: str) -> ForesailError:
    """The failure by what to do next; a right that is missing is named."""
    if failure.status == HTTPStatus.FORBIDDEN:
        group = AUTOSCALERS.api_version.partition("/")[0]
        return Rejected(f"{doing}: grant Foresail {verb} on {resource} in {group}: {failure.message}")
    return translated(failure, doing=doing)
