"""Scaled objects and their scales as the API server sends them, cut down to what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.selectors import Selector, equal_terms, parse_selector, selector_of
from controller.records import TargetRef
from policies.fixed import MOST_REPLICAS
from policies.quantities import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.clients.kubernetes import JsonObject

PAUSED = "foresail.dev/paused"
REPLICAS = "foresail.dev/replicas"

# Kinds whose scale stands in the object itself; every other kind is asked for its scale subresource.
SELF_SCALED = frozenset(
    {("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "ReplicaSet"), ("", "ReplicationController")}
)

_NO = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale: replicas asked for and observed, and which pods they are (None: the kind does not say)."""

    spec_replicas: int
    status_replicas: int
    selector: Selector | None
    resource_version: str


@dataclass(frozen=True, slots=True)
class Controller:
    """The object that an ownerReference with `controller: true` names."""

    api_version: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Scaled:
    """An object that can be scaled. `scale` is None where the scale subresource has to be asked."""

    ref: TargetRef
    uid: str
    resource_version: str
    paused: bool
    deleted: bool
    controller: Controller | None
    managers: tuple[str, ...]  # field managers that own spec.replicas
    scale: Scale | None
    fixed: int | str | None = None  # annotation foresail.dev/replicas: the count, or what is wrong with it
    rolling: bool = False  # pods of an older template are still among its pods, and it says that it gets on


def group_of(api_version: str) -> str:
    """The group of an apiVersion: empty for the core's."""
    return api_version.rpartition("/")[0]


def says_stop(values: Mapping[str, object], name: str) -> bool:
    """Whether an annotation or a field of a ConfigMap stops: it is there, and its value is not plainly a no.

    Who writes it in haste means it, so that a value which nobody understands stops too.
    """
    return name in values and str(values[name]).strip().lower() not in _NO


def fixed_count(annotations: Mapping[str, object]) -> int | str | None:
    """The count that an annotation fixes, None without it; what cannot be one fixes nothing, and is told in words."""
    if REPLICAS not in annotations:
        return None
    given = str(annotations[REPLICAS]).strip()
    if given.isascii() and given.isdecimal() and len(given) <= len(str(MOST_REPLICAS)) and int(given) <= MOST_REPLICAS:
        return int(given)
    return f"annotation {REPLICAS}: must be a whole number from 0 to {MOST_REPLICAS}, not {shown(given)}; it is ignored"


def scaled_decoder(api_version: str, kind: str) -> Callable[[JsonObject], Scaled]:
    """How objects of a kind are decoded; items of a list do not name their kind themselves."""
    inside = (group_of(api_version), kind) in SELF_SCALED

    def decode(item: JsonObject) -> Scaled:
        metadata = item["metadata"]
        return Scaled(
            ref=TargetRef(api_version, kind, metadata["namespace"], metadata["name"]),
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
            paused=says_stop(metadata.get("annotations") or {}, PAUSED),
            fixed=fixed_count(metadata.get("annotations") or {}),
            deleted="deletionTimestamp" in metadata,
            controller=controller_of(metadata),
            managers=_managers(metadata),
            scale=_own_scale(item) if inside else None,
            rolling=inside and is_rolling(item.get("status") or {}),
        )

    return decode


def is_rolling(status: JsonObject) -> bool:
    """Whether a Deployment's status tells of a rollout that gets on.

    One that is over its `progressDeadlineSeconds`, or is paused, is none: it may never end.
    """
    told = {each.get("type"): each.get("status") for each in status.get("conditions") or ()}
    return told.get("Progressing") == "True" and (status.get("updatedReplicas") or 0) < (status.get("replicas") or 0)


def controller_of(metadata: JsonObject) -> Controller | None:
    """The controller that an object belongs to."""
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            return Controller(reference["apiVersion"], reference["kind"], reference["name"])
    return None


def scale_of(item: JsonObject) -> Scale:
    """Decode a Scale of autoscaling/v1. Raises ValueError for a selector that is none."""
    selector = (item.get("status") or {}).get("selector")
    return Scale(
        spec_replicas=(item.get("spec") or {}).get("replicas") or 0,
        status_replicas=(item.get("status") or {}).get("replicas") or 0,
        selector=parse_selector(selector) if selector else None,
        resource_version=item["metadata"]["resourceVersion"],
    )


def _own_scale(item: JsonObject) -> Scale:
    spec = item.get("spec") or {}
    given = spec.get("selector") or {}
    written = spec.get("replicas")
    is_label_selector = "matchLabels" in given or "matchExpressions" in given
    return Scale(
        spec_replicas=1 if written is None else written,
        status_replicas=(item.get("status") or {}).get("replicas") or 0,
        selector=selector_of(given) if is_label_selector else Selector(equal_terms(given)),
        resource_version=item["metadata"]["resourceVersion"],
    )


def _managers(metadata: JsonObject) -> tuple[str, ...]:
    owning = (
        entry["manager"]
        for entry in metadata.get("managedFields") or ()
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {}) and entry.get("manager")
    )
    return tuple(dict.fromkeys(owning))
