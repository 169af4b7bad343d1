"""The pods of the followed namespaces, and to which targets they belong."""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.selectors import Selector, SelectorIndex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from controller.adapters.kubernetes.decode import Pod
    from controller.adapters.kubernetes.selectors import Labels
    from controller.records import PodView, TargetRef


class PodTable:
    """Pods by namespace and name, filed under the targets whose selectors match their labels.

    What has not changed since the last `views` is neither matched nor copied again. A pod that several selectors
    match belongs to each of their targets.
    """

    def __init__(self) -> None:
        """Hold no pods."""
        self._pods: dict[str, dict[str, Pod]] = {}
        self._selectors: dict[str, dict[TargetRef, Selector]] = defaultdict(dict)
        self._indexes: dict[str, SelectorIndex[TargetRef]] = {}  # of namespaces whose selectors have not changed
        self._members: dict[TargetRef, dict[str, PodView]] = {}
        self._dirty: set[TargetRef] = set()
        self._views: dict[TargetRef, tuple[PodView, ...]] = {}
        self._shown: Mapping[TargetRef, Sequence[PodView]] = MappingProxyType({})

    def follow(self, targets: Collection[TargetRef]) -> None:
        """Hold the pods of these targets' namespaces from now on, and forget those of others."""
        for ref in self._members.keys() - set(targets):
            self.select(ref, None)
            del self._members[ref]
            self._dirty.add(ref)
        for ref in set(targets) - self._members.keys():
            self._members[ref] = {}
            self._dirty.add(ref)
        namespaces = {ref.namespace for ref in targets}
        for gone in self._pods.keys() - namespaces:
            del self._pods[gone]
            self._indexes.pop(gone, None)
        for namespace in namespaces:
            self._pods.setdefault(namespace, {})

    def select(self, ref: TargetRef, selector: Selector | None) -> None:
        """Say which pods are a followed target's; None: nobody knows."""
        selectors = self._selectors[ref.namespace]
        if selectors.get(ref) == selector or ref not in self._members:
            return
        if selector is None:
            del selectors[ref]
            self._members[ref] = {}
        else:
            selectors[ref] = selector
        self._dirty.add(ref)
        self._indexes.pop(ref.namespace, None)

    def put(self, pod: Pod) -> None:
        """Take in a pod that is new or has changed."""
        pods = self._pods.get(pod.namespace)
        if pods is None or pods.get(pod.view.name) == pod:
            return
        before = pods.get(pod.view.name)
        pods[pod.view.name] = pod
        if before is not None and before.labels != pod.labels:
            self._unfile(before)
        for ref in self._matching(pod.namespace, pod.labels):
            self._members[ref][pod.view.name] = pod.view
            self._dirty.add(ref)

    def remove(self, namespace: str, name: str) -> None:
        """Forget a pod."""
        pod = self._pods.get(namespace, {}).pop(name, None)
        if pod is not None:
            self._unfile(pod)

    def replace(self, namespace: str | None, pods: Iterable[Pod]) -> None:
        """Take in all pods of a namespace (None: of every namespace); those not among them are gone."""
        listed = {(pod.namespace, pod.view.name): pod for pod in pods}
        within = tuple(self._pods) if namespace is None else (namespace,)
        for each in within:
            for name in [name for name in self._pods.get(each, ()) if (each, name) not in listed]:
                self.remove(each, name)
        for pod in listed.values():
            self.put(pod)

    def views(self) -> Mapping[TargetRef, Sequence[PodView]]:
        """The pods of each followed target, by name; the same object as before when nothing changed."""
        for namespace in self._pods.keys() - self._indexes.keys():
            self._file_again(namespace)
        if self._dirty:
            for ref in self._dirty:
                self._show(ref)
            self._dirty.clear()
            self._shown = MappingProxyType(dict(self._views))
        return self._shown

    def _matching(self, namespace: str, labels: Labels) -> Sequence[TargetRef]:
        index = self._indexes.get(namespace)
        return () if index is None else index.matching(labels)  # without an index all pods are filed again at once

    def _unfile(self, pod: Pod) -> None:
        for ref in self._matching(pod.namespace, pod.labels):
            self._members[ref].pop(pod.view.name, None)
            self._dirty.add(ref)

    def _file_again(self, namespace: str) -> None:
        selectors = self._selectors[namespace]
        index = self._indexes[namespace] = SelectorIndex(dict(selectors))
        for ref in selectors:
            self._members[ref] = {}
        for name, pod in self._pods[namespace].items():
            for ref in index.matching(pod.labels):
                self._members[ref][name] = pod.view
        self._dirty.update(selectors)

    def _show(self, ref: TargetRef) -> None:
        members = self._members.get(ref)
        if members is None:
            self._views.pop(ref, None)
        else:
            self._views[ref] = tuple(members[name] for name in sorted(members))
