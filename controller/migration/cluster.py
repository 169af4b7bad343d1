"""The autoscalers of a cluster, for an import. Only reads."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.discovery import Discovery, Unscalable
from controller.adapters.kubernetes.listing import items
from controller.adapters.kubernetes.objects import scale_of
from controller.adapters.kubernetes.vertical.cluster import AUTOSCALERS
from controller.clients.kubernetes import ApiFailure, translated
from controller.clock import SystemClock
from controller.records import TargetRef

if TYPE_CHECKING:
    from controller.adapters.kubernetes.discovery import Resource
    from controller.clients.kubernetes import KubernetesSession
    from controller.migration.draft import Sizing
    from controller.migration.manifests import Found

PLACE = "cluster"


async def take_cluster(found: Found, session: KubernetesSession, namespace: str | None) -> None:
    """Decode every ScaledObject, HPA and VPA in a namespace (None: in all). Raises Unavailable and Rejected."""
    discovery = Discovery(session, SystemClock())
    try:
        await _take(found, session, await discovery.scaled_objects(), "ScaledObject", namespace)
        await _take(found, session, await discovery.autoscalers(), "HorizontalPodAutoscaler", namespace)
        await _take(found, session, await _vertical(session), "VerticalPodAutoscaler", namespace)
        scaled = {draft.place for draft, _ in found.drafts}
        for sizing, _ in found.sizings:
            if sizing.place not in scaled and (count := await _replicas(session, discovery, sizing)) is not None:
                found.replicas[sizing.place] = count
    except ApiFailure as failure:
        raise translated(failure, doing="reading autoscalers") from failure


async def _take(
    found: Found, session: KubernetesSession, resource: Resource | None, kind: str, namespace: str | None
) -> None:
    async for item in items(session, resource, namespace):
        found.put({"apiVersion": resource.api_version if resource else "", **item, "kind": kind}, PLACE)


async def _vertical(session: KubernetesSession) -> Resource | None:
    """VerticalPodAutoscalers, where they are installed. Raises ApiFailure."""
    try:
        await session.get(f"/apis/{AUTOSCALERS.api_version}")
    except ApiFailure as failure:
        if failure.status == HTTPStatus.NOT_FOUND:
            return None
        raise
    return AUTOSCALERS


async def _replicas(session: KubernetesSession, discovery: Discovery, sizing: Sizing) -> int | None:
    """How many replicas an object has that nothing scales; None where it has no scale, or is not there."""
    ref = TargetRef(sizing.target_api_version, sizing.target_kind, sizing.namespace, sizing.target_name)
    try:
        resource = await discovery.resource_of(ref.api_version, ref.kind)
        return scale_of(await session.get(resource.scale_path(ref))).spec_replicas
    except Unscalable:
        return None
    except ApiFailure as failure:
        if failure.status == HTTPStatus.NOT_FOUND:
            return None
        raise
