"""What the watches have shown: scaled objects, their scales, autoscalers and pods, and what of it has changed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.decode import pod_of
from controller.adapters.kubernetes.objects import Scale, scaled_decoder
from controller.adapters.kubernetes.owners import Scalers, scaler_of_hpa, scaler_of_scaled_object
from controller.adapters.kubernetes.pods import PodTable
from controller.clients.kubernetes import Gone, Put, Replaced, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from controller.adapters.kubernetes.decode import Pod
    from controller.adapters.kubernetes.discovery import Resource
    from controller.adapters.kubernetes.feeds import FeedKey
    from controller.adapters.kubernetes.objects import Scaled
    from controller.adapters.kubernetes.owners import Address, Scaler
    from controller.adapters.kubernetes.scale import ScaleReader
    from controller.clients.kubernetes import Change, JsonObject
    from controller.records import TargetRef


class Tables:
    """Takes changes in from the watches; `changed` collects the targets that have to be looked at again."""

    def __init__(self, reader: ScaleReader) -> None:
        """Hold nothing. Scales that an object does not tell itself are asked of the reader."""
        self.pods = PodTable()
        self.changed: set[TargetRef] = set()
        self.read_namespaces: frozenset[str] = frozenset()  # whose pods have been listed
        self._reader = reader
        self._objects: dict[TargetRef, Scaled] = {}
        self._resources: dict[TargetRef, Resource] = {}
        self._scales: dict[TargetRef, Scale | str] = {}
        self._written: dict[TargetRef, tuple[int, str]] = {}
        self._scalers = Scalers()
        self._followed: frozenset[TargetRef] = frozenset()
        self._by_address: dict[Address, list[TargetRef]] = {}

    def follow(self, targets: frozenset[TargetRef]) -> None:
        """Look at these targets from now on."""
        for ref in self._followed - targets:
            self._forget(ref)
        new = targets - self._followed
        self._followed = targets
        self._by_address = defaultdict(list)
        for ref in targets:
            self._by_address[ref.namespace, ref.kind, ref.name].append(ref)
        self.pods.follow(targets)
        self.read_namespaces &= {ref.namespace for ref in targets}
        for ref in new:
            self._look(ref)

    def object_of(self, ref: TargetRef) -> Scaled | None:
        """A scaled object as last seen, None when there is none."""
        return self._objects.get(ref)

    def scale_of(self, ref: TargetRef) -> Scale | str | None:
        """An object's scale; a text says why it cannot be read, None that it has not been read yet.

        A scale that Foresail has just written stands until the watch shows the object as new as that.
        """
        scaled = self._objects.get(ref)
        scale = scaled.scale if scaled is not None and scaled.scale is not None else self._scales.get(ref)
        if isinstance(scale, Scale) and ref in self._written:
            replicas, version = self._written[ref]
            return Scale(replicas, scale.status_replicas, scale.selector, version)
        return scale

    def scalers_of(self, ref: TargetRef) -> list[Scaler]:
        """The autoscalers that name an object."""
        return self._scalers.of(ref)

    def wrote(self, ref: TargetRef, replicas: int, version: str) -> None:
        """Remember a scale that was written, until the watch shows it."""
        scale = self.scale_of(ref)
        if isinstance(scale, Scale) and not _as_new(scale.resource_version, version):
            self._written[ref] = (replicas, version)
            self.changed.add(ref)

    def take_scale(self, ref: TargetRef, scale: Scale | str) -> None:
        """Take in a scale that was asked for."""
        if ref not in self._objects or ref not in self._followed:
            return
        self._scales[ref] = scale
        if isinstance(scale, Scale):
            self._settle(ref, scale.resource_version)
            self.pods.select(ref, scale.selector)
        self.changed.add(ref)

    def drop_outside(self, watched: Collection[FeedKey]) -> None:
        """Forget the objects and the kinds of autoscalers that no watch shows any more."""
        unseen = [
            ref
            for ref, resource in self._resources.items()
            if (resource, ref.namespace) not in watched and (resource, None) not in watched
        ]
        for ref in unseen:
            self._remove(ref)
        if not any(key.resource.plural == "scaledobjects" for key in watched):
            self._touch(self._scalers.replace("ScaledObject", None, ()))

    def scaled_subject(self, key: FeedKey, kind: str) -> Subject[Scaled]:
        """What to watch of scaled objects."""
        resource = key.resource

        def take(change: Change[Scaled]) -> None:
            match change:
                case Replaced(items):
                    listed = {scaled.ref for scaled in items}
                    for ref in [ref for ref in self._objects if _within(ref, resource, kind, key.namespace)]:
                        if ref not in listed:
                            self._remove(ref)
                    for scaled in items:
                        self._put(scaled, resource)
                case Put(scaled):
                    self._put(scaled, resource)
                case Gone(scaled):
                    self._remove(scaled.ref)

        return Subject(resource.path(key.namespace), scaled_decoder(resource.api_version, kind), take)

    def pods_subject(self, key: FeedKey, namespaces: frozenset[str]) -> Subject[Pod]:
        """What to watch of pods; those outside the namespaces are dropped before anything is kept of them."""

        def decode(item: JsonObject) -> Pod | None:
            return pod_of(item) if item["metadata"]["namespace"] in namespaces else None

        def take(change: Change[Pod]) -> None:
            match change:
                case Replaced(items):
                    self.pods.replace(key.namespace, items)
                    self.read_namespaces |= namespaces if key.namespace is None else {key.namespace}
                case Put(pod):
                    self.pods.put(pod)
                case Gone(pod):
                    self.pods.remove(pod.namespace, pod.view.name)

        return Subject(key.resource.path(key.namespace), decode, take)

    def scaler_subject(self, key: FeedKey) -> Subject[Scaler]:
        """What to watch of autoscalers."""
        is_hpa = key.resource.plural == "horizontalpodautoscalers"
        kind = "HorizontalPodAutoscaler" if is_hpa else "ScaledObject"
        decode: Callable[[JsonObject], Scaler] = scaler_of_hpa if is_hpa else scaler_of_scaled_object

        def take(change: Change[Scaler]) -> None:
            match change:
                case Replaced(items):
                    self._touch(self._scalers.replace(kind, key.namespace, items))
                case Put(scaler):
                    self._touch(self._scalers.put(scaler))
                case Gone(scaler):
                    self._touch(self._scalers.remove(scaler.key))

        return Subject(key.resource.path(key.namespace), decode, take)

    def _touch(self, addresses: set[Address]) -> None:
        self.changed.update(ref for address in addresses for ref in self._by_address.get(address, ()))

    def _put(self, scaled: Scaled, resource: Resource) -> None:
        ref = scaled.ref
        self._objects[ref] = scaled
        self._resources[ref] = resource
        if scaled.scale is not None:
            self._settle(ref, scaled.resource_version)
        if ref in self._followed:
            self._look(ref)

    def _look(self, ref: TargetRef) -> None:
        self.changed.add(ref)
        scaled = self._objects.get(ref)
        if scaled is None:
            return
        if scaled.scale is not None:
            self.pods.select(ref, scaled.scale.selector)
        else:
            self._reader.want(ref, self._resources[ref].scale_path(ref))

    def _remove(self, ref: TargetRef) -> None:
        self._objects.pop(ref, None)
        self._resources.pop(ref, None)
        self._forget(ref)
        self.pods.select(ref, None)
        self.changed.add(ref)

    def _forget(self, ref: TargetRef) -> None:
        self._scales.pop(ref, None)
        self._written.pop(ref, None)
        self._reader.forget(ref)

    def _settle(self, ref: TargetRef, seen: str) -> None:
        if ref in self._written and _as_new(seen, self._written[ref][1]):
            del self._written[ref]


def _within(ref: TargetRef, resource: Resource, kind: str, namespace: str | None) -> bool:
    return ref.kind == kind and ref.api_version == resource.api_version and namespace in {None, ref.namespace}


def _as_new(seen: str, written: str) -> bool:
    """Whether a resourceVersion is no older than another; servers count them up, and one that does not is believed."""
    return not (seen.isdecimal() and written.isdecimal()) or int(seen) >= int(written)
