"""Pods as the API server sends them, cut down to what is kept of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from controller.adapters.kubernetes.charges import charge_of
from controller.records import ContainerRequest, PodView
from policies.quantities import milli, parse_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.adapters.kubernetes.selectors import Labels
    from controller.clients.kubernetes import JsonObject

_SHARED = 1 << 16  # distinct label sets and container lists that are kept once


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with its namespace and labels; pods with the same labels share them."""

    namespace: str
    labels: Labels
    view: PodView


def pod_of(item: JsonObject) -> Pod:
    """Decode a pod. Raises KeyError, TypeError or ValueError for what is none."""
    metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    conditions = {each.get("type"): each for each in status.get("conditions") or ()}
    ready, scheduled = conditions.get("Ready"), conditions.get("PodScheduled") or {}
    own = (spec.get("resources") or {}).get("requests") or {}
    view = PodView(
        name=metadata["name"],
        phase=status.get("phase") or "Pending",
        deleted="deletionTimestamp" in metadata,
        ready=None if ready is None else ready.get("status") == "True",
        created_at_s=time_s(metadata["creationTimestamp"]),
        started_at_s=_time_or_none(status.get("startTime")),
        transition_at_s=_time_or_none(ready.get("lastTransitionTime")) if ready else None,
        containers=_containers(spec.get("containers")),
        init_containers=_containers(spec.get("initContainers")),
        pod_cpu_milli=_milli_of(own, "cpu"),
        pod_memory_milli=_milli_of(own, "memory"),
        scheduled_at_s=_time_or_none(
            scheduled.get("lastTransitionTime") if scheduled.get("status") == "True" else None
        ),
        unschedulable=scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable",
        charge=charge_of(spec),
        node=sys.intern(spec.get("nodeName") or ""),
    )
    return Pod(metadata["namespace"], _shared_labels(labels_of(metadata)), view)


def labels_of(metadata: Mapping[str, Any]) -> Labels:
    """The labels of an object, sorted."""
    return tuple(sorted((metadata.get("labels") or {}).items()))


def time_s(text: str) -> float:
    """Wall time of an RFC 3339 time, with or without fractions of a second. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()


def _time_or_none(text: str | None) -> float | None:
    return time_s(text) if text else None


def _containers(given: list[JsonObject] | None) -> tuple[ContainerRequest, ...]:
    asked = []
    for each in given or ():
        requests = (each.get("resources") or {}).get("requests") or {}
        always = each.get("restartPolicy") == "Always"
        asked.append((each["name"], _milli_of(requests, "cpu"), _milli_of(requests, "memory"), always))
    return _shared_containers(tuple(asked))


def _milli_of(requests: Mapping[str, object], resource: str) -> int | None:
    quantity = requests.get(resource)
    return None if quantity is None else _parsed_milli(str(quantity))


@lru_cache(maxsize=_SHARED)
def _parsed_milli(quantity: str) -> int:
    return milli(parse_quantity(quantity))


@lru_cache(maxsize=_SHARED)
def _shared_labels(labels: Labels) -> Labels:
    return labels


@lru_cache(maxsize=_SHARED)
def _shared_containers(asked: tuple[tuple[str, int | None, int | None, bool], ...]) -> tuple[ContainerRequest, ...]:
    return tuple(ContainerRequest(*each) for each in asked)
