"""Who else scales an object: autoscalers, controllers that own it, and GitOps tools that write its replicas."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from controller.adapters.kubernetes.objects import Controller, controller_of, group_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controller.adapters.kubernetes.objects import Scaled
    from controller.clients.kubernetes import JsonObject
    from controller.records import TargetRef

Address = tuple[str, str, str]  # namespace, kind, name

# An annotation: on the target what its autoscaler was, on a ScaledObject that it is paused for Foresail.
TAKEN_OVER = "foresail.dev/taken-over"
KEDA_PAUSED = "autoscaling.keda.sh/paused"

_ARGO = (
    "remove spec.replicas from the manifest, or add the JSON pointer /spec/replicas to ignoreDifferences of its"
    " Application together with the sync option RespectIgnoreDifferences=true"
)
_FLUX = "remove spec.replicas from the manifest that it applies; a chart mostly has a value that turns autoscaling on"

# What the field managers of GitOps tools begin with, and how each tool is told to leave the replicas alone.
_GITOPS = {
    "argocd": ("Argo CD", _ARGO),
    "argo-cd": ("Argo CD", _ARGO),
    "kustomize-controller": ("Flux", _FLUX),
    "helm-controller": ("Flux", _FLUX),
    "flux": ("Flux", _FLUX),
    "fleetagent": ("Rancher Fleet", "remove spec.replicas from the manifest, or add a comparePatches entry for it"),
}


# What these tools leave on the objects that they apply.
_MARKS = {
    "argocd.argoproj.io/": ("Argo CD", _ARGO),
    "kustomize.toolkit.fluxcd.io/": ("Flux", _FLUX),
    "helm.toolkit.fluxcd.io/": ("Flux", _FLUX),
}


@dataclass(frozen=True, slots=True)
class Scaler:
    """An HorizontalPodAutoscaler or a ScaledObject, and what it scales."""

    kind: str
    namespace: str
    name: str
    target_group: str | None  # None: not said
    target: Address
    made_by: Controller | None  # a ScaledObject makes its HorizontalPodAutoscaler
    idle: bool = False  # paused, because Foresail took over from it

    @property
    def key(self) -> Address:
        """What tells it from others."""
        return (self.namespace, self.kind, self.name)


def scaler_of_hpa(item: JsonObject) -> Scaler:
    """Decode a HorizontalPodAutoscaler of any version."""
    return _scaler("HorizontalPodAutoscaler", item)


def scaler_of_scaled_object(item: JsonObject) -> Scaler:
    """Decode a ScaledObject of KEDA, whose target is a Deployment unless it says otherwise."""
    annotations = item["metadata"].get("annotations") or {}
    idle = TAKEN_OVER in annotations and annotations.get(KEDA_PAUSED) == "true"
    return replace(_scaler("ScaledObject", item), idle=idle)


def _scaler(kind: str, item: JsonObject) -> Scaler:
    metadata: dict[str, Any] = item["metadata"]
    target = (item.get("spec") or {}).get("scaleTargetRef") or {}
    version = target.get("apiVersion")
    address = (metadata["namespace"], target.get("kind") or "Deployment", target.get("name") or "")
    return Scaler(
        kind=kind,
        namespace=metadata["namespace"],
        name=metadata["name"],
        target_group=group_of(version) if version else None,
        target=address,
        made_by=controller_of(metadata),
    )


@dataclass(slots=True)
class Scalers:
    """The autoscalers of the cluster by what they scale."""

    _by_key: dict[Address, Scaler] = field(default_factory=dict)
    _by_target: dict[Address, dict[Address, Scaler]] = field(default_factory=lambda: defaultdict(dict))

    def put(self, scaler: Scaler) -> set[Address]:
        """Take an autoscaler in; returns the addresses whose ownership may have changed."""
        touched = self.remove(scaler.key)
        self._by_key[scaler.key] = scaler
        self._by_target[scaler.target][scaler.key] = scaler
        return touched | {scaler.target}

    def remove(self, key: Address) -> set[Address]:
        """Forget an autoscaler; returns the address that it scaled."""
        known = self._by_key.pop(key, None)
        if known is None:
            return set()
        others = self._by_target[known.target]
        others.pop(key, None)
        if not others:
            del self._by_target[known.target]
        return {known.target}

    def replace(self, kind: str, namespace: str | None, scalers: Iterable[Scaler]) -> set[Address]:
        """Take in a full list of a kind in a namespace (None: in all)."""
        listed = {scaler.key: scaler for scaler in scalers}
        old = {key for key in self._by_key if key[1] == kind and namespace in {None, key[0]}}
        touched = {address for key in old - listed.keys() for address in self.remove(key)}
        return touched.union(*(self.put(scaler) for scaler in listed.values()))

    def of(self, ref: TargetRef) -> list[Scaler]:
        """Who scales an object, by name; not those that are paused for Foresail."""
        found = self._by_target.get((ref.namespace, ref.kind, ref.name), {})
        group, active = group_of(ref.api_version), [found[key] for key in sorted(found) if not found[key].idle]
        return [each for each in active if _same_group(each.target_group, group)]


def _same_group(told: str | None, group: str) -> bool:
    """Deployments were once in the group extensions, and old HorizontalPodAutoscalers still say so."""
    return told is None or told == group or (told == "extensions" and group == "apps")


def owner_of(scaled: Scaled, scalers: Iterable[Scaler]) -> str | None:
    """Who else scales an object, and the way out; None when nobody does."""
    for scaler in scalers:
        return _autoscaled(scaler)
    if scaled.controller is not None:
        return _controlled(scaled.ref, scaled.controller)
    for manager in scaled.managers:
        if (found := _starting(_GITOPS, manager.lower())) is not None:
            tool, way_out = found
            return f"{tool} (field manager {manager}) owns spec.replicas of this object; {way_out}"
    return None


def applied_by(metadata: JsonObject) -> tuple[str, str] | None:
    """The GitOps tool that applies an object, by what it leaves there, and how it is told to leave replicas alone."""
    marks = [*(metadata.get("labels") or {}), *(metadata.get("annotations") or {})]
    managers = [str(entry.get("manager")).lower() for entry in metadata.get("managedFields") or ()]
    found = [*(_starting(_MARKS, each) for each in marks), *(_starting(_GITOPS, each) for each in managers)]
    return next((each for each in found if each is not None), None)


def _starting(known: Mapping[str, tuple[str, str]], name: str) -> tuple[str, str] | None:
    return next((told for start, told in known.items() if name.startswith(start)), None)


def _autoscaled(scaler: Scaler) -> str:
    name = f"{scaler.kind} {scaler.namespace}/{scaler.name}"
    made_by = scaler.made_by
    if scaler.kind == "ScaledObject" or (made_by is not None and made_by.kind == "ScaledObject"):
        by_name = made_by.name if made_by is not None and scaler.kind != "ScaledObject" else scaler.name
        keda = f"ScaledObject {scaler.namespace}/{by_name}"
        return (
            f"{keda} (KEDA) scales this object; delete it, or set spec.mode to floor and add Foresail's metric"
            " to it as one more trigger"
        )
    if made_by is not None:
        return (
            f"{name}, made by {made_by.kind} {scaler.namespace}/{made_by.name}, scales this object; turn autoscaling"
            f" off in {made_by.kind} {made_by.name}, or set spec.mode to floor and add Foresail's metric to it"
        )
    return f"{name} scales this object; delete it, or set spec.mode to floor and add Foresail's metric to it"


def _controlled(ref: TargetRef, controller: Controller) -> str:
    return (
        f"{controller.kind} {ref.namespace}/{controller.name} ({controller.api_version}) controls this object and"
        f" sets its replicas; make {controller.kind} {controller.name} the target if it has a scale, or set spec.mode"
        " to floor"
    )
