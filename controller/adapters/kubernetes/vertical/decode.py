"""VerticalPodAutoscalers and pods as the API server sends them, cut down to what sizing needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.adapters.kubernetes.decode import labels_of, time_s
from controller.records import TargetRef
from controller.vertical.records import (
    EVERY_CONTAINER,
    METHODS,
    OWN,
    RECOMMENDER,
    RESOURCES,
    Autoscaler,
    Checkpoint,
    ContainerRule,
    ContainerSeen,
    PodSeen,
)
from policies.quantities import milli, parse_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.adapters.kubernetes.selectors import Labels
    from controller.clients.kubernetes import JsonObject

KILLED = "OOMKilled"
METHOD = "foresail.dev/method"  # an annotation
_IN_PLACE = frozenset({"InPlaceOrRecreate", "InPlace"})
_OVER = frozenset({"Succeeded", "Failed"})
_DEFAULT_VERSIONS = {"ReplicationController": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}


@dataclass(frozen=True, slots=True)
class LabelledPod:
    """A pod with its namespace and labels."""

    namespace: str
    labels: Labels
    pod: PodSeen


def autoscaler_of(item: JsonObject) -> Autoscaler | None:
    """Decode a VerticalPodAutoscaler; None when it names another recommender, or none.

    Raises KeyError and TypeError for what is none.
    """
    metadata, spec = item["metadata"], item.get("spec") or {}
    named = [each.get("name") for each in spec.get("recommenders") or ()]
    if RECOMMENDER not in named:
        return None
    rules, wrong = _rules(spec.get("resourcePolicy") or {})
    target = _target(metadata["namespace"], spec.get("targetRef"))
    method = (metadata.get("annotations") or {}).get(METHOD, OWN)
    troubles = [
        *(["spec.recommenders names more than one; only one may recommend"] if len(named) > 1 else []),
        *(["spec.targetRef is not set"] if target is None else []),
        *([] if method in METHODS else [f"annotation {METHOD}: {method!r} is none of {', '.join(METHODS)}"]),
        *wrong,
    ]
    return Autoscaler(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=metadata["resourceVersion"],
        target=target,
        rules=tuple(rules),
        status=item.get("status") or {},
        trouble="; ".join(troubles) or None,
        method=method,
        in_place=(spec.get("updatePolicy") or {}).get("updateMode") in _IN_PLACE,
    )


def checkpoint_of(item: JsonObject) -> Checkpoint:
    """Decode a VerticalPodAutoscalerCheckpoint. Raises KeyError for what is none."""
    spec = item["spec"]
    status = item.get("status") or {}
    return Checkpoint(item["metadata"]["namespace"], spec["vpaObjectName"], spec["containerName"], status)


def labelled_pod_of(item: JsonObject) -> LabelledPod | None:
    """Decode a pod; None when it is over. Raises KeyError, TypeError or ValueError for what is none."""
    metadata, status = item["metadata"], item.get("status") or {}
    if status.get("phase") in _OVER:
        return None
    killed = {each["name"]: killed_at_s(each) for each in status.get("containerStatuses") or ()}
    containers = tuple(_container(each, killed.get(each["name"])) for each in item["spec"]["containers"])
    return LabelledPod(metadata["namespace"], labels_of(metadata), PodSeen(metadata["name"], containers))


def _container(given: JsonObject, oom_at_s: float | None) -> ContainerSeen:
    requests = (given.get("resources") or {}).get("requests") or {}
    cpu, memory = (_milli(requests.get(name)) for name in RESOURCES)
    return ContainerSeen(given["name"], cpu, memory, oom_at_s)


def killed_at_s(status: Mapping[str, Any]) -> float | None:
    """When a container was last ended for want of memory: as it is now, or before it was started again."""
    for name in ("state", "lastState"):
        ended = (status.get(name) or {}).get("terminated") or {}
        if ended.get("reason") == KILLED and ended.get("finishedAt"):
            return time_s(ended["finishedAt"])
    return None


def _milli(quantity: object) -> int | None:
    return None if quantity is None else milli(parse_quantity(str(quantity)))


def _target(namespace: str, given: Mapping[str, Any] | None) -> TargetRef | None:
    if not given:
        return None
    version = given.get("apiVersion") or _DEFAULT_VERSIONS.get(given["kind"], "apps/v1")
    return TargetRef(version, given["kind"], namespace, given["name"])


def _rules(policy: Mapping[str, Any]) -> tuple[list[ContainerRule], list[str]]:
    """The rules, and what in them cannot be understood; that is then left out."""
    rules, wrong = [], []
    for place, each in enumerate(policy.get("containerPolicies") or ()):
        path = f"spec.resourcePolicy.containerPolicies[{place}]"
        controlled = each.get("controlledResources")
        least, bad_least = _amounts(each.get("minAllowed") or {}, f"{path}.minAllowed")
        most, bad_most = _amounts(each.get("maxAllowed") or {}, f"{path}.maxAllowed")
        wrong += [*bad_least, *bad_most]
        wrong += [
            f"{path}: minAllowed.{name} is above maxAllowed.{name}; the maximum holds"
            for name in RESOURCES
            if name in least and name in most and least[name] > most[name]
        ]
        rules.append(
            ContainerRule(
                container=each.get("containerName") or EVERY_CONTAINER,
                off=each.get("mode") == "Off",
                controlled=frozenset(RESOURCES if controlled is None else controlled),
                least=least,
                most=most,
            )
        )
    return rules, wrong


def _amounts(given: Mapping[str, Any], path: str) -> tuple[dict[str, int], list[str]]:
    found, wrong = dict[str, int](), []
    for name in RESOURCES:
        if name not in given:
            continue
        try:
            found[name] = milli(parse_quantity(str(given[name])))
        except ValueError as error:
            wrong.append(f"{path}.{name}: {error}")
    return found, wrong
