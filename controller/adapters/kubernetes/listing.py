"""Lists the objects of a resource once, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.adapters.kubernetes.discovery import Resource
    from controller.clients.kubernetes import JsonObject, KubernetesSession

_A_PAGE = "500"


async def items(
    session: KubernetesSession, resource: Resource | None, namespace: str | None
) -> AsyncIterator[JsonObject]:
    """The objects of a resource in a namespace (None: in all); none without a resource. Raises ApiFailure."""
    if resource is None:
        return
    rest = ""
    while True:
        page = await session.get(resource.path(namespace), limit=_A_PAGE, **({"continue": rest} if rest else {}))
        for item in page.get("items") or ():
            yield item
        rest = (page.get("metadata") or {}).get("continue") or ""
        if not rest:
            return
