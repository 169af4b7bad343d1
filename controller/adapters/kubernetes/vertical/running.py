"""Lists the pods that run once, with what each of their containers asks for. Only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.adapters.kubernetes.charges import milli_or_none
from controller.adapters.kubernetes.discovery import PODS
from controller.adapters.kubernetes.inventory import workload_of
from controller.adapters.kubernetes.listing import items
from controller.adapters.kubernetes.vertical.decode import killed_at_s
from controller.clients.kubernetes import ApiFailure, translated
from controller.vertical.queries import Named
from controller.vertical.workloads import Asks, RunningContainer, RunningPod
from policies.pricing.shapes import GPU_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.clients.kubernetes import JsonObject, KubernetesSession


async def running_pods(session: KubernetesSession, namespace: str | None) -> list[RunningPod]:
    """Every pod that runs in a namespace (None: in all). Raises Unavailable and Rejected."""
    try:
        return [_pod(item) async for item in items(session, PODS, namespace) if _runs(item)]
    except ApiFailure as failure:
        where = "all namespaces" if namespace is None else namespace
        raise translated(failure, doing=f"listing pods in {where}") from failure


def _runs(item: JsonObject) -> bool:
    return (item.get("status") or {}).get("phase") == "Running"


def _pod(item: JsonObject) -> RunningPod:
    metadata, spec, status = item["metadata"], item["spec"], item["status"]
    killed = {each["name"]: killed_at_s(each) for each in status.get("containerStatuses") or ()}
    kind, workload = workload_of(metadata)
    return RunningPod(
        owner=Named(metadata["namespace"], kind, workload),
        name=metadata["name"],
        node=spec.get("nodeName") or "",
        containers=tuple(_container(each, killed.get(each["name"])) for each in spec["containers"]),
        gpu_milli=sum(_gpus((each.get("resources") or {}).get("requests") or {}) for each in spec["containers"]),
    )


def _container(given: JsonObject, oom_at_s: float | None) -> RunningContainer:
    resources = given.get("resources") or {}
    requests, limits = _asks(resources.get("requests") or {}), _asks(resources.get("limits") or {})
    return RunningContainer(given["name"], requests, limits, oom_at_s)


def _asks(given: Mapping[str, Any]) -> Asks:
    cpu, memory = (milli_or_none(str(given[name])) if name in given else None for name in ("cpu", "memory"))
    return Asks(cpu, memory)


def _gpus(given: Mapping[str, Any]) -> int:
    return sum(milli_or_none(str(given[name])) or 0 for name in given if GPU_NAME.fullmatch(name))
